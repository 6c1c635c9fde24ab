//! An import while it is prepared: parts that were brought in, what was found in them, and what is
//! still to be said by hand. Nothing is replaced before it is opened.

use std::sync::Arc;

use super::wish::file_stem;
use super::{Answer, Files};
use crate::app::App;
use crate::app::platform::Arrival;
use crate::app::tables::{MAX_TABLES, Structures};
use crate::app::view::Overlay;
use crate::arch::{Gpa, Mode};
use crate::language::{Language, Sentence};
use crate::scenario::Session;
use crate::scenario::import::{Import, Registers, registers_of_mode};

/// What a view of the import wants done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImportWish {
    /// The image begins at this address.
    At(u64),
    /// The registers are those of this paging mode.
    Mode(Mode),
    /// CR3 by hand.
    Cr3(u64),
    /// The registers are those of this processor of the listing, by its place.
    Processor(usize),
    /// Add another file.
    AddFile,
    /// Add the clipboard.
    AddClipboard,
    /// Open the machine.
    Open,
}

/// What was brought in, and what was chosen by hand.
#[derive(Clone, Debug)]
struct Parts {
    /// A raw image and its name.
    image: Option<(String, Arc<Vec<u8>>)>,
    at: u64,
    /// Listings and their names.
    listings: Vec<(String, Arc<str>)>,
    mode: Mode,
    cr3: Option<u64>,
    processor: usize,
}

/// What was found.
#[derive(Debug)]
pub struct Preview {
    /// The machine, ready to be opened.
    session: Box<Session>,
    /// What was left out, in sentences.
    pub notes: Vec<Sentence>,
    /// Every processor that the listings told of.
    pub processors: Vec<Registers>,
    /// The registers that the machine begins with.
    pub registers: Registers,
    /// The paging mode that they make.
    pub mode: Mode,
    /// Words of memory that are not zero.
    pub words: usize,
    /// Bytes of guest memory.
    pub ram: u64,
    /// The tables that walks can reach: how many of each level, from the top.
    pub tables: Vec<(u8, usize)>,
    /// Pages and large pages that they map.
    pub mapped: usize,
    /// There may be more tables.
    pub cut: bool,
}

/// An import while it is prepared.
#[derive(Debug)]
pub struct Draft {
    parts: Parts,
    /// Counts the times that something was changed: answers about earlier parts do not count.
    ticket: u64,
    /// `None` while the parts are read.
    found: Option<Result<Preview, String>>,
}

impl Draft {
    /// The names of the parts.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let image = self.parts.image.iter().map(|(name, _)| name.as_str());
        image.chain(self.parts.listings.iter().map(|(name, _)| name.as_str()))
    }

    /// The bytes of the image, if there is one.
    #[must_use]
    pub fn image_bytes(&self) -> Option<usize> {
        self.parts.image.as_ref().map(|(_, bytes)| bytes.len())
    }

    /// Where the image begins.
    #[must_use]
    pub const fn at(&self) -> u64 {
        self.parts.at
    }

    /// The paging mode that is chosen by hand.
    #[must_use]
    pub const fn mode(&self) -> Mode {
        self.parts.mode
    }

    /// CR3 by hand; without it, that of the listing, or the image's first byte.
    #[must_use]
    pub fn cr3(&self) -> u64 {
        let listed = self.preview().and_then(|preview| preview.registers.cr3);
        self.parts.cr3.or(listed).unwrap_or(self.parts.at)
    }

    /// The processor of the listing.
    #[must_use]
    pub const fn processor(&self) -> usize {
        self.parts.processor
    }

    /// What was found, once everything is read.
    #[must_use]
    pub const fn found(&self) -> Option<&Result<Preview, String>> {
        self.found.as_ref()
    }

    fn preview(&self) -> Option<&Preview> {
        self.found.as_ref()?.as_ref().ok()
    }
}

impl Parts {
    /// Makes the machine.
    fn prepare(&self, language: Language) -> Result<Preview, String> {
        let mut import = Import::new();
        if let Some((name, bytes)) = &self.image {
            import.image(name, bytes, Gpa(self.at)).map_err(|error| error.say(language))?;
        }
        for (name, text) in &self.listings {
            import.text(name, text).map_err(|error| error.say(language))?;
        }
        let processors = import.processors().to_vec();
        match processors.get(self.processor) {
            Some(registers) => import.registers(*registers),
            None => import.registers(registers_of_mode(self.mode, self.cr3.unwrap_or(self.at))),
        }
        if self.cr3.is_some() {
            import.registers(Registers { cr3: self.cr3, ..Registers::default() });
        }
        // A listing may tell CR3 alone: the rest is then that of the mode that was chosen.
        let known = *import.known_registers();
        if known.cr0.is_none() && known.cr4.is_none() && known.cr3.is_some() {
            import.registers(Registers { cr3: None, ..registers_of_mode(self.mode, 0) });
        }
        let name = self.image.as_ref().map(|(name, _)| name).or(self.listings.first().map(|(name, _)| name));
        let stem = file_stem(name.map_or("import", String::as_str));
        let (scenario, notes) = import.scenario(&stem).map_err(|error| error.say(language))?;
        let (words, ram) = (scenario.mem.len(), scenario.ram);
        let session = Session::open(scenario).map_err(|error| error.say(language))?;
        let machine = session.lab.machine();
        let structures = Structures::of(machine, &machine.cpu.pdptes);
        let mut tables: Vec<(u8, usize)> = Vec::new();
        for table in structures.tables() {
            match tables.last_mut() {
                Some((level, count)) if *level == table.level => *count += 1,
                _ => tables.push((table.level, 1)),
            }
        }
        Ok(Preview {
            notes,
            registers: *import.known_registers(),
            processors,
            mode: machine.cpu.mode(),
            words,
            ram,
            tables,
            mapped: structures.mapped_count(),
            cut: structures.tables().len() >= MAX_TABLES,
            session: Box::new(session),
        })
    }
}

impl App {
    /// Adds a raw image of memory to the import, or begins one with it.
    pub(super) fn import_image(&mut self, name: &str, bytes: Vec<u8>) {
        let bytes = Arc::new(bytes);
        self.import_part(|parts| parts.image = Some((name.to_owned(), bytes)));
    }

    /// Adds a listing of memory or registers to the import, or begins one with it.
    pub(super) fn import_listing(&mut self, name: &str, text: &str) {
        // A text that is no listing at all begins nothing.
        if let Err(error) = Import::new().text(name, text) {
            self.view.notice = Some(error.say(self.view.language));
            return;
        }
        self.import_part(|parts| parts.listings.push((name.to_owned(), text.into())));
    }

    fn import_part(&mut self, add: impl FnOnce(&mut Parts)) {
        let draft = self.files.import.get_or_insert_with(|| Draft {
            parts: Parts { image: None, at: 0, listings: Vec::new(), mode: Mode::Level4, cr3: None, processor: 0 },
            ticket: 0,
            found: None,
        });
        add(&mut draft.parts);
        self.view.overlay = Some(Overlay::Import);
        self.read_import();
    }

    /// Reads the parts in the background.
    fn read_import(&mut self) {
        let Files { platform, inbox, import, tickets, .. } = &mut self.files;
        let Some(draft) = import else { return };
        *tickets += 1;
        (draft.ticket, draft.found) = (*tickets, None);
        let (parts, ticket, inbox) = (draft.parts.clone(), draft.ticket, inbox.clone());
        let language = self.view.language;
        platform.in_background(Box::new(move || {
            let found = parts.prepare(language);
            inbox.put(Arrival::Answer(Answer::Imported(ticket, Box::new(found))));
        }));
    }

    /// Takes over what was found, if it is about the parts as they are now.
    pub(super) fn take_import(&mut self, ticket: u64, found: Result<Preview, String>) {
        if let Some(draft) = self.files.import.as_mut().filter(|draft| draft.ticket == ticket) {
            draft.found = Some(found);
        }
    }

    /// Does what the dialog asks for.
    pub(super) fn apply_import(&mut self, wish: ImportWish) {
        let Files { platform, inbox, import, .. } = &mut self.files;
        let Some(draft) = import else { return };
        let purpose = crate::app::platform::Purpose::Part;
        match wish {
            ImportWish::At(at) => draft.parts.at = at,
            ImportWish::Mode(mode) => draft.parts.mode = mode,
            ImportWish::Cr3(cr3) => draft.parts.cr3 = Some(cr3),
            ImportWish::Processor(place) => (draft.parts.processor, draft.parts.cr3) = (place, None),
            ImportWish::AddFile => return platform.open_file(purpose, inbox),
            ImportWish::AddClipboard => return platform.paste(inbox),
            ImportWish::Open => {
                if let Some(Draft { found: Some(Ok(preview)), .. }) = import.take() {
                    self.open(*preview.session);
                }
                return;
            }
        }
        self.read_import();
    }
}
