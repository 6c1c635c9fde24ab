//! The `map` command: which entries to write so that an address is mapped.
//!
//! It only plans. The writes are ordinary guest stores, seen by every engine. Under PAE paging a
//! new PDPTE lands in memory; the register follows at the next load, as on a processor.

use super::Machine;
use super::command::MapSize;
use crate::arch::address::{PAGE_SHIFT, PAGE_SIZE};
use crate::arch::entry::{self, Level, P, PS, RW, US};
use crate::arch::mode::Mode;
use crate::arch::pdpte;
use crate::arch::walk::TableMemory;
use crate::arch::{Gfn, Gpa, Gva};
use crate::language::Language;
use crate::tr;

/// Why a mapping cannot be built.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[error("{}", self.say(Language::En))]
pub enum MapError {
    /// Paging is off.
    PagingOff,
    /// The mode has no page of this size.
    PageSize,
    /// An address is not aligned to the page size.
    Unaligned,
    /// The linear address is not canonical.
    NonCanonical,
    /// A large page already covers the address.
    LargePage,
    /// Every frame of guest memory is in use.
    NoFrame,
}

impl MapError {
    /// In words.
    #[must_use]
    pub fn say(self, language: Language) -> &'static str {
        match self {
            Self::PagingOff => tr!(language, "paging is off: set CR0.PG first"),
            Self::PageSize => tr!(language, "this paging mode has no page of this size"),
            Self::Unaligned => tr!(language, "both addresses must be multiples of the page size"),
            Self::NonCanonical => tr!(language, "the linear address is not canonical"),
            Self::LargePage => tr!(language, "a large page already covers this address"),
            Self::NoFrame => tr!(language, "no free frame of guest memory is left for a page table"),
        }
    }
}

/// One entry to write: where, what, and how many bytes (4 or 8).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EntryWrite {
    /// Guest-physical address.
    pub gpa: Gpa,
    /// The entry.
    pub value: u64,
    /// Bytes.
    pub size: u64,
}

/// Plans the writes that map `va` to `pa`, upper tables first.
///
/// # Errors
/// [`MapError`].
pub fn plan(machine: &Machine, va: Gva, pa: Gpa, size: MapSize, flags: u64) -> Result<Vec<EntryWrite>, MapError> {
    let cpu = &machine.cpu;
    let mode = cpu.mode();
    if mode == Mode::Off {
        return Err(MapError::PagingOff);
    }
    let leaf = Level::down_from(mode.top_level_in_memory())
        .find(|level| mode.index_shift(*level) == size.shift())
        .filter(|level| level.0 == 1 || entry::page_size_bit_counts(mode, *level, cpu.regs.cr4))
        .ok_or(MapError::PageSize)?;
    let within = (1u64 << size.shift()) - 1;
    if va.0 & within != 0 || pa.0 & within != 0 {
        return Err(MapError::Unaligned);
    }
    if mode.is_long() && !va.is_canonical(mode.linear_width()) {
        return Err(MapError::NonCanonical);
    }
    let va = mode.linear(va);
    let mut frames = FreeFrames::new(machine, pa, size);
    let mut writes = Vec::new();
    let mut table = cpu.paging.root;
    for level in Level::down_from(mode.top_level()) {
        let gpa = table.offset((mode.index(level, va) as u64) << mode.entry_shift());
        let write = |value| EntryWrite { gpa, value, size: mode.entry_size() };
        if level == leaf {
            let large = if level.0 > 1 { PS } else { 0 };
            writes.push(write(large_frame_bits(mode, level, pa) | flags | large | P));
            break;
        }
        let is_register = mode == Mode::Pae && level == pdpte::LEVEL;
        let old = machine.memory.read_entry(gpa, mode.entry_shift());
        if old & P == 0 {
            let frame = frames.take()?;
            let grants = if is_register { 0 } else { RW | US };
            writes.push(write(frame.base().0 | P | grants));
            table = frame.base();
            continue;
        }
        if !is_register && old & PS != 0 && entry::page_size_bit_counts(mode, level, cpu.regs.cr4) {
            return Err(MapError::LargePage);
        }
        // A table that exists may be narrower than the new page asks for.
        let wider = if is_register { old } else { old | flags & (RW | US) };
        if wider != old {
            writes.push(write(wider));
        }
        table = entry::frame_4k(old, &cpu.model);
    }
    Ok(writes)
}

/// The address field of a leaf; with PSE-36 the high bits go to 20:13.
fn large_frame_bits(mode: Mode, level: Level, pa: Gpa) -> u64 {
    if mode == Mode::Bits32 && level.0 == 2 { pa.0 & 0xffff_ffff | pa.0 >> 32 << 13 } else { pa.0 }
}

/// Frames that nothing uses: no byte set, not the top structure, not part of the page to map.
struct FreeFrames<'a> {
    machine: &'a Machine,
    /// Frames that something may point to, in order; found out when the first frame is needed,
    /// because that reads all of memory.
    referenced: Option<Vec<Gfn>>,
    target: (Gfn, Gfn),
    next: Gfn,
}

impl<'a> FreeFrames<'a> {
    fn new(machine: &'a Machine, pa: Gpa, size: MapSize) -> Self {
        let pages = 1 << (size.shift() - PAGE_SHIFT);
        Self { machine, referenced: None, target: (pa.gfn(), Gfn(pa.gfn().0 + pages)), next: Gfn(1) }
    }

    fn take(&mut self) -> Result<Gfn, MapError> {
        let referenced = self.referenced.get_or_insert_with(|| referenced_frames(self.machine));
        while let Some(gfn) = self.machine.slots.first_from(self.next) {
            self.next = Gfn(gfn.0 + 1);
            let in_target = self.target.0 <= gfn && gfn < self.target.1;
            let empty = self.machine.memory.page(gfn).is_none_or(|page| page.words().iter().all(|word| *word == 0));
            if empty && !in_target && referenced.binary_search(&gfn).is_err() {
                return Ok(gfn);
            }
        }
        Err(MapError::NoFrame)
    }
}

/// The 4 KiB frames that any word of used memory could point to, and the frame of CR3. A frame that
/// is mapped but still all zero must not become a table.
fn referenced_frames(machine: &Machine) -> Vec<Gfn> {
    let model = &machine.cpu.model;
    let mut frames: Vec<Gfn> = machine
        .memory
        .pages()
        .flat_map(|(_, page)| page.words())
        .flat_map(|word| [*word, word >> 32])
        .filter(|entry| entry & P != 0)
        .map(|entry| entry::frame_4k(entry, model).gfn())
        .collect();
    frames.push(Gpa(machine.cpu.regs.cr3 & !(PAGE_SIZE - 1)).gfn());
    frames.sort_unstable();
    frames.dedup();
    frames
}
