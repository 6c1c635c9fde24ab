//! Making a scenario of what other programs print or save: a raw image of guest memory, the memory
//! and register listings of QEMU's monitor and of gdb.
//!
//! Parts are put together in an [`Import`], in any order, and become a scenario at the end.

mod transcript;

use std::collections::BTreeMap;

use super::file::{MAX_FILE_BYTES, Scenario, State, Text, ram_bytes};
use crate::arch::address::Num;
use crate::arch::{CpuModel, Cr4, Features, Gpa, Mode};
use crate::language::{Language, Sentence};
use crate::word;

/// The largest raw image, in bytes.
pub const MAX_IMAGE_BYTES: u64 = MAX_FILE_BYTES;

/// CR4 bits of processors that paging does not depend on and that no machine here has: UMIP, VMXE,
/// SMXE, FSGSBASE, OSXSAVE, KL, UINTR, LASS, LAM_SUP (SDM 3A 2.5).
const CR4_ELSEWHERE: u64 = 1 << 11 | 1 << 13 | 1 << 14 | 1 << 16 | 1 << 18 | 1 << 19 | 1 << 25 | 1 << 27 | 1 << 28;
/// Protection keys of supervisor pages, which the machine does not have.
const CR4_PKS: u64 = 1 << 24;

/// Why something cannot be imported.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ImportError {
    /// A line of a text is wrong.
    #[error("{name}:{line}: {what}")]
    Line {
        /// The text.
        name: String,
        /// From 1.
        line: usize,
        /// What is wrong.
        what: Sentence,
    },
    /// A part as a whole is wrong.
    #[error("{name}: {what}")]
    Part {
        /// The part.
        name: String,
        /// What is wrong.
        what: Sentence,
    },
    /// The parts do not make a machine.
    #[error("{0}")]
    Machine(Sentence),
}

impl ImportError {
    /// In words.
    #[must_use]
    pub fn say(&self, language: Language) -> String {
        match self {
            Self::Line { name, line, what } => format!("{name}:{line}: {}", what.say(language)),
            Self::Part { name, what } => format!("{name}: {}", what.say(language)),
            Self::Machine(what) => what.say(language),
        }
    }
}

/// The registers of one processor, as far as a text told them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Registers {
    /// Which processor of the guest it is, where the text says.
    pub cpu: Option<u32>,
    /// CR0.
    pub cr0: Option<u64>,
    /// CR2; no machine is started with one, so it is for the reader.
    pub cr2: Option<u64>,
    /// CR3.
    pub cr3: Option<u64>,
    /// CR4.
    pub cr4: Option<u64>,
    /// IA32_EFER.
    pub efer: Option<u64>,
    /// PKRU.
    pub pkru: Option<u64>,
}

/// What a text held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Found {
    /// Bytes of memory.
    pub bytes: u64,
    /// Processors whose registers were listed.
    pub processors: usize,
}

/// A word of memory and which of its bytes are known.
#[derive(Clone, Copy, Debug, Default)]
struct Bytes {
    value: u64,
    known: u64,
}

/// Parts of a machine, gathered.
#[derive(Clone, Debug, Default)]
pub struct Import {
    words: BTreeMap<u64, Bytes>,
    end: u64,
    registers: Registers,
    processors: Vec<Registers>,
}

/// The start state of a paging mode, where only CR3 is known: CR0.WP and, in long mode, EFER.NXE are
/// set, as operating systems do.
#[must_use]
pub fn registers_of_mode(mode: Mode, cr3: u64) -> Registers {
    let (cr0, cr4, efer) = match mode {
        Mode::Off => (0x11, 0, 0),
        Mode::Bits32 => (0x8001_0011, 0x10, 0),
        Mode::Pae => (0x8001_0011, 0x20, 0x800),
        Mode::Level4 => (0x8001_0011, 0xa0, 0xd00),
        Mode::Level5 => (0x8001_0011, 0x10a0, 0xd00),
    };
    Registers { cr0: Some(cr0), cr3: Some(cr3), cr4: Some(cr4), efer: Some(efer), ..Registers::default() }
}

impl Import {
    /// Nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a raw image of guest-physical memory whose first byte lies at `at`.
    ///
    /// # Errors
    /// [`ImportError::Part`] for an image that is empty or too large, or where no memory can be.
    pub fn image(&mut self, name: &str, bytes: &[u8], at: Gpa) -> Result<Found, ImportError> {
        let wrong = |what: Sentence| Err(ImportError::Part { name: name.to_owned(), what });
        let len = bytes.len() as u64;
        if len == 0 {
            return wrong(Sentence::new(word!("the image is empty")));
        }
        if len > MAX_IMAGE_BYTES {
            return wrong(
                Sentence::new(word!("the image has {bytes} bytes: at most {most} are taken"))
                    .with("bytes", len)
                    .with("most", MAX_IMAGE_BYTES),
            );
        }
        if !at.0.is_multiple_of(8) {
            return wrong(
                Sentence::new(word!("the image begins at {place}: its address must be a multiple of 8"))
                    .with("place", format!("{:#x}", at.0)),
            );
        }
        if at.0.checked_add(len).is_none_or(|end| end > 1 << CpuModel::MAX_WIDTH) {
            return wrong(
                Sentence::new(word!("the image would reach beyond {bits} address bits"))
                    .with("bits", CpuModel::MAX_WIDTH),
            );
        }
        for (index, chunk) in bytes.chunks(8).enumerate() {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            let value = u64::from_le_bytes(word);
            let gpa = at.0 + 8 * index as u64;
            // All else is zero anyway, unless another part said something there.
            if value != 0 || self.words.contains_key(&gpa) {
                self.words.insert(gpa, Bytes { value, known: !0 });
            }
        }
        self.end = self.end.max(at.0 + len);
        Ok(Found { bytes: len, processors: 0 })
    }

    /// Adds what a text lists: memory as `xp /NNgx`, `xp /NNwx` print it, registers as
    /// `info registers` does. Both may stand in one text, prompts and blank lines between them.
    ///
    /// # Errors
    /// [`ImportError`]; then nothing is added.
    pub fn text(&mut self, name: &str, text: &str) -> Result<Found, ImportError> {
        let read = transcript::read(name, text, &self.words)?;
        let found = Found { bytes: read.bytes, processors: read.processors.len() };
        self.end = self.end.max(read.words.keys().last().map_or(0, |gpa| gpa + 8));
        self.words.extend(read.words);
        if let Some(first) = read.processors.first() {
            self.registers(*first);
        }
        self.processors.extend(read.processors);
        Ok(found)
    }

    /// Takes registers over; those that are missing stay as they were.
    pub fn registers(&mut self, new: Registers) {
        let old = self.registers;
        self.registers = Registers {
            cpu: new.cpu.or(old.cpu),
            cr0: new.cr0.or(old.cr0),
            cr2: new.cr2.or(old.cr2),
            cr3: new.cr3.or(old.cr3),
            cr4: new.cr4.or(old.cr4),
            efer: new.efer.or(old.efer),
            pkru: new.pkru.or(old.pkru),
        };
    }

    /// Every processor that the texts listed; the first of a text is taken unless
    /// [`Import::registers`] chooses another.
    #[must_use]
    pub fn processors(&self) -> &[Registers] {
        &self.processors
    }

    /// The registers so far.
    #[must_use]
    pub const fn known_registers(&self) -> &Registers {
        &self.registers
    }

    /// The machine as a scenario, and what was left out, in sentences.
    ///
    /// # Errors
    /// [`ImportError::Machine`].
    pub fn scenario(&self, id: &str) -> Result<(Scenario, Vec<Sentence>), ImportError> {
        let mut notes = Vec::new();
        let need = |what: &str, value: Option<u64>| {
            value.ok_or_else(|| {
                ImportError::Machine(
                    Sentence::new(word!("{register} is missing: add it, or the text of `info registers`"))
                        .with("register", what),
                )
            })
        };
        let known = &self.registers;
        let (cr3, cr0, given) = (need("CR3", known.cr3)?, need("CR0", known.cr0)?, need("CR4", known.cr4)?);
        let efer = known.efer.unwrap_or_else(|| {
            notes.push(Sentence::new(word!("EFER was not given: it is taken as 0, so there is no long mode")));
            0
        });
        let mut cr4 = given;
        for (bits, why) in [
            (CR4_ELSEWHERE, word!("CR4 bits {bits} have nothing to do with paging: they are left out")),
            (
                CR4_PKS,
                word!(
                    "CR4 bits {bits} stand for protection keys of supervisor pages, which this machine does not have: \
                     they are left out"
                ),
            ),
        ] {
            if given & bits != 0 {
                notes.push(Sentence::new(why).with("bits", format!("{:#x}", given & bits)));
                cr4 &= !bits;
            }
        }
        if let Some(cr2) = known.cr2.filter(|cr2| *cr2 != 0) {
            let note = Sentence::new(word!("CR2 {value} is left out: a machine begins before its first page fault"));
            notes.push(note.with("value", format!("{cr2:#x}")));
        }
        let mut cpu = CpuModel { maxphyaddr: self.width(cr3), ..CpuModel::default() };
        if Cr4::from_bits_retain(cr4).contains(Cr4::CET) {
            cpu.features |= Features::CET;
        }
        let mem: Vec<(Gpa, u64)> = self.words.iter().map(|(gpa, bytes)| (Gpa(*gpa), bytes.value)).collect();
        let mem: Vec<(Gpa, u64)> = mem.into_iter().filter(|(_, value)| *value != 0).collect();
        let init =
            State { cr0: Num(cr0), cr3: Num(cr3), cr4: Num(cr4), efer: Num(efer), pkru: Num(known.pkru.unwrap_or(0)) };
        let impossible = |why: String| ImportError::Machine(Sentence::new(word!("{why}")).with("why", why));
        let end = Gpa(self.end.saturating_sub(1) & !7);
        let reach = [mem.as_slice(), &[(end, 0)]].concat();
        let ram = ram_bytes(None, &cpu, &reach).map_err(impossible)?;
        let scenario = Scenario { id: id.to_owned(), title: Text::None, cpu, ram, init, mem, ..Scenario::empty() };
        scenario.check().map_err(|(path, what)| impossible(format!("{what} (at {path})")))?;
        if self.words.is_empty() {
            notes.push(Sentence::new(word!("No memory was given: every table is empty")));
        }
        Ok((scenario, notes))
    }

    /// MAXPHYADDR: the least usual width that holds every address.
    fn width(&self, cr3: u64) -> u8 {
        let last = self.end.saturating_sub(1).max(cr3 & crate::arch::address::bits(12, 51));
        [40, 46].into_iter().find(|width| last >> width == 0).unwrap_or(CpuModel::MAX_WIDTH)
    }
}
