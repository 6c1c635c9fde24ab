//! Getting things in and out, and losing nothing: files, drops, the clipboard, links, autosaves.
//!
//! What comes from outside lies in the [`Inbox`] until the next pass and is taken here, so that a
//! view never waits and nothing changes in the middle of a frame.

mod export; // pictures and the log
mod import; // an import while it is prepared
mod import_ui; // its dialog
mod keeper; // the autosave ring and what the next run is to know
mod menu; // the menu, the link that is shared
mod notes; // what lies over the window without taking it over
mod open; // what was brought in, by what it is
mod picture; // the window drawn once more
mod states; // the list of states
mod svg; // shapes as SVG
mod welcome; // the card of the first run
mod wish; // what the views ask for, and how it is done

use std::sync::Arc;

use super::platform::{Arrival, Bare, Inbox, Platform};
use super::view::Overlay;
use super::{App, Options, theme};
use crate::language::Sentence;
use crate::scenario::Shared;
use crate::scenario::autosave::Entry;

pub use export::ExportKind;
pub use import::{Draft, ImportWish, Preview};
pub use import_ui::import_ui;
pub use keeper::{Keeper, StateLine};
pub use menu::{file_menu, share_ui};
pub use notes::notes_ui;
pub use states::{ago, states_ui};
pub use welcome::{Beginning, welcome_ui};
#[cfg(not(target_arch = "wasm32"))]
pub(super) use wish::FIRST_SIZE;
pub use wish::FileWish;

/// The answer of work in the background.
#[derive(Debug)]
pub enum Answer {
    /// An autosave was written, or not: then the state itself comes back, so that it is not lost.
    Kept(Result<(), (String, Arc<Shared>)>),
    /// Something beside the ring could not be written.
    Unkept(String),
    /// The states of the ring, the newest first.
    States(Vec<StateLine>),
    /// The newest state of a program that did not end in order.
    Crashed(StateLine),
    /// A state of the ring was read, or cannot be.
    Loaded(Result<Box<Shared>, String>),
    /// What was found in the parts of an import, with their ticket.
    Imported(u64, Box<Result<Preview, String>>),
}

/// A state that can be opened again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StateRef {
    /// One of the ring.
    Ring(Entry),
    /// One that the storage had no room for: this window holds it, by its place.
    Held(usize),
}

/// What the app keeps of files and of what is around it.
pub struct Files {
    pub(super) platform: Box<dyn Platform>,
    pub(super) inbox: Inbox,
    pub(super) keeper: Option<Keeper>,
    /// States that the storage had no room for, the oldest first.
    pub(super) held: Vec<(u64, Arc<Shared>)>,
    /// The list of states, while it is open; `None`: it is still being read.
    pub(super) states: Option<Vec<StateLine>>,
    /// What is offered after a crash.
    pub(super) offer: Option<StateLine>,
    /// Why nothing can be kept at present.
    pub(super) trouble: Option<String>,
    /// The card of the first run was seen.
    pub(super) welcomed: bool,
    /// Somebody forgot progress on purpose: the next writing adds nothing to it.
    pub(super) forgot: bool,
    /// The import that is being prepared.
    pub(super) import: Option<Draft>,
    /// Readings of imports so far.
    pub(super) tickets: u64,
    /// The link of what is shown, while it is being shared.
    pub(super) link: Option<Result<String, String>>,
}

impl Files {
    /// Nothing around the app.
    #[must_use]
    pub(super) fn bare(ctx: &egui::Context) -> Self {
        Self {
            platform: Box::new(Bare),
            inbox: Inbox::new(ctx),
            keeper: None,
            held: Vec::new(),
            states: None,
            offer: None,
            trouble: None,
            welcomed: false,
            forgot: false,
            import: None,
            tickets: 0,
            link: None,
        }
    }

    /// Milliseconds since 1970.
    #[must_use]
    pub fn now(&self) -> u64 {
        self.platform.now()
    }

    /// The import that is being prepared.
    #[must_use]
    pub const fn import(&self) -> Option<&Draft> {
        self.import.as_ref()
    }

    /// The link of what is shown, or why there is none, while it is being shared.
    #[must_use]
    pub const fn link(&self) -> Option<&Result<String, String>> {
        self.link.as_ref()
    }

    /// Whether the card of the first run was seen.
    #[must_use]
    pub const fn welcomed(&self) -> bool {
        self.welcomed
    }

    /// What is offered after a crash.
    #[must_use]
    pub const fn offer(&self) -> Option<&StateLine> {
        self.offer.as_ref()
    }

    /// The list of states, while it is open and has been read.
    #[must_use]
    pub fn states(&self) -> Option<&[StateLine]> {
        self.states.as_deref()
    }

    /// Why nothing can be kept at present, if so.
    #[must_use]
    pub fn trouble(&self) -> Option<&str> {
        self.trouble.as_deref()
    }

    /// How many states only this window holds.
    #[must_use]
    pub fn held(&self) -> usize {
        self.held.len()
    }
}

impl App {
    /// Puts the app on a platform: takes over what earlier runs kept, begins to keep what is done, and
    /// asks whether an earlier run ended in a crash.
    #[must_use]
    pub fn on_platform(mut self, ctx: &egui::Context, platform: Box<dyn Platform>, options: &Options) -> Self {
        if let Some(storage) = platform.storage() {
            let number = platform.draw_number();
            platform.register(number);
            platform.find_running(&self.files.inbox);
            self.recall_from(&*storage);
            self.files.keeper = Some(Keeper::new(storage, number));
        }
        self.files.platform = platform;
        self.nothing_done_yet();
        if options.reset_layout {
            self.reset_layout(ctx);
        } else {
            ctx.set_zoom_factor(self.view.text_scale);
        }
        if let (None, Some(theme)) = (options.theme, self.view.theme) {
            theme::choose(ctx, Some(theme));
        }
        if let Some(language) = options.language {
            self.speak(language);
        }
        // Where nothing can be kept the card would come each time.
        if options.welcome && !self.files.welcomed && self.files.keeper.is_some() {
            self.view.overlay = Some(Overlay::Welcome);
        }
        self
    }

    /// Where the platform puts what arrives.
    #[must_use]
    pub fn inbox(&self) -> Inbox {
        self.files.inbox.clone()
    }

    /// Files and what is around the app.
    #[must_use]
    pub const fn files(&self) -> &Files {
        &self.files
    }

    /// Takes what has arrived since the last pass.
    pub(super) fn receive(&mut self, ctx: &egui::Context) {
        for arrival in self.files.inbox.take() {
            match arrival {
                Arrival::File { name, bytes, purpose } => self.take_file(&name, bytes, purpose),
                Arrival::Text(text) => self.take_text(&text),
                Arrival::Saved(name) => {
                    let sentence = Sentence::new(crate::word!("Saved as {name}")).with("name", name);
                    self.view.said = Some(sentence.say(self.view.language));
                }
                Arrival::Failed(sentence) => self.refuse(&sentence),
                Arrival::Running(numbers) => self.find_crashed(numbers),
                Arrival::Answer(answer) => self.take_answer(answer),
            }
        }
        self.follow_overlay();
        self.keep_in_time(ctx);
    }

    /// Says why something cannot be done.
    pub(super) fn refuse(&mut self, sentence: &Sentence) {
        self.view.notice = Some(sentence.say(self.view.language));
    }

    /// Reads files that were dropped and text that was pasted where no field wants it.
    pub(super) fn take_input(&self, ctx: &egui::Context) {
        let dropped = ctx.input(|input| input.raw.dropped_files.clone());
        for file in dropped {
            self.files.platform.read_dropped(file, self.purpose(), &self.files.inbox);
        }
        if ctx.memory(|memory| memory.focused()).is_some() {
            return;
        }
        let pasted = ctx.input(|input| {
            let text = |event: &egui::Event| match event {
                egui::Event::Paste(text) => Some(text.clone()),
                _ => None,
            };
            input.events.iter().find_map(text)
        });
        if let Some(text) = pasted {
            self.files.inbox.put(Arrival::Text(text));
        }
    }
}
