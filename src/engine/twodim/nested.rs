//! The second dimension: four or five levels from guest-physical to host-physical addresses, built on EPT
//! violations (VMX) or nested page faults (SVM), with A and D bits of its own
//! (6.8 mmu.c `kvm_tdp_page_fault`, `direct_map`).

use std::ops::Range;
use std::sync::Arc;

use super::TwoDim;
use crate::arch::address::{Num, bits};
use crate::arch::{Gfn, Gpa, Hfn, Hpa};
use crate::engine::{Sink, Switches, Vm};
use crate::machine::event::{Event, ExitReason};
use crate::machine::slots::Slot;
use crate::machine::sparse::Sparse;
use crate::machine::table::{ENTRIES, Entries};

/// Whose format and rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Intel: R, W, X in bits 2:0, A bit 8, D bit 9; PDPTEs in registers.
    Ept,
    /// AMD: the processor's own format with U = 1; PDPTEs in memory.
    Npt,
}

/// The widest guest-physical address that four levels translate.
const FOUR_LEVEL_WIDTH: u8 = 48;
/// The host frame of the first nested table.
const FIRST_TABLE_FRAME: u64 = 0x6f100;
const FRAME: u64 = bits(12, 51);

impl Kind {
    /// Bits of a new entry that leads to a table: R W X, or P W U. An EPT entry has a memory type only
    /// where it maps a page; in one that leads to a table bits 7:3 are reserved (SDM 3C 28.2.2).
    const LINKS: u64 = 0b111;

    /// Bits of a new entry that maps a page and grants everything: R W X and write-back memory, or P W U.
    const fn grants(self) -> u64 {
        match self {
            Self::Ept => 0b111 | 6 << 3,
            Self::Npt => 0b111,
        }
    }

    /// Its name in the manuals: `EPT`, `NPT`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ept => "EPT",
            Self::Npt => "NPT",
        }
    }

    /// Whether an entry has A: bit 8 (EPT), bit 5 (NPT).
    #[must_use]
    pub const fn has_accessed(self, entry: u64) -> bool {
        entry & self.accessed() != 0
    }

    const fn accessed(self) -> u64 {
        match self {
            Self::Ept => 1 << 8,
            Self::Npt => 1 << 5,
        }
    }

    const fn dirty(self) -> u64 {
        match self {
            Self::Ept => 1 << 9,
            Self::Npt => 1 << 6,
        }
    }
}

/// Present (NPT) or readable (EPT).
const PRESENT: u64 = 1;
/// Writable, in both formats.
const WRITE: u64 = 1 << 1;

/// On an entry of level 2: it maps 2 MiB (PS, in both formats).
const LARGE: u64 = 1 << 7;
/// Frames behind such an entry.
const LARGE_FRAMES: u64 = 512;

/// What the second dimension lacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Violation {
    /// For this address.
    pub gpa: Gpa,
    /// It was to be written.
    pub write: bool,
}

/// An entry of the second dimension, with its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NestedEntry {
    /// 1 to 4.
    pub level: u8,
    /// Its table; 0 is the root.
    pub table: u64,
    /// Its index.
    pub index: usize,
    /// Its value.
    pub value: u64,
}

impl NestedEntry {
    /// Present (NPT), or readable (EPT).
    #[must_use]
    pub const fn is_present(&self) -> bool {
        self.value & PRESENT != 0
    }

    /// The host frame that it names.
    #[must_use]
    pub const fn frame(&self) -> Hfn {
        Hfn((self.value & FRAME) >> 12)
    }
}

/// A table of the second dimension, with its place in the tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NestedTable {
    /// 1 to 5.
    pub level: u8,
    /// Its number; 0 is the root.
    pub table: u64,
    /// The first guest frame that it translates.
    pub first: Gfn,
}

/// Where a reference ended in host memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    /// Host-physical address.
    pub hpa: Hpa,
    /// The leaf is writable and has D set.
    pub dirty: bool,
}

/// The nested tables. Table 0 is the root.
#[derive(Clone, Debug)]
pub struct Nested {
    kind: Kind,
    /// 4, or 5 where guest-physical addresses are wider than 48 bits (6.8 `kvm_mmu_get_tdp_level`).
    levels: u8,
    tables: Sparse<Arc<Entries>>,
    count: u64,
}

impl Nested {
    /// An empty root, for guest-physical addresses of `width` bits (MAXPHYADDR).
    #[must_use]
    pub fn new(kind: Kind, width: u8) -> Self {
        let mut tables = Sparse::default();
        tables.set(0, Arc::default());
        Self { kind, levels: if width > FOUR_LEVEL_WIDTH { 5 } else { 4 }, tables, count: 1 }
    }

    /// How many levels a reference passes.
    #[must_use]
    pub const fn levels(&self) -> u8 {
        self.levels
    }

    /// How many tables there are.
    #[must_use]
    pub const fn table_count(&self) -> u64 {
        self.count
    }

    /// The entries of a table; table 0 is the root.
    #[must_use]
    pub fn table(&self, table: u64) -> Option<&Entries> {
        self.tables.get(table).map(|entries| &**entries)
    }

    /// The host frame that holds a table.
    #[must_use]
    pub const fn frame_of(table: u64) -> Hfn {
        Hfn(FIRST_TABLE_FRAME + table)
    }

    /// The entries that a walk of a guest-physical address would read, from the top, down to the leaf
    /// or to the first that is not present.
    #[must_use]
    pub fn path(&self, gpa: Gpa) -> Vec<NestedEntry> {
        let mut path = Vec::new();
        let mut table = 0;
        for level in (1..=self.levels).rev() {
            let index = index(gpa.gfn(), level);
            let value = self.entry(table, index);
            path.push(NestedEntry { level, table, index, value });
            if value & PRESENT == 0 || Nested::is_leaf(level, value) {
                break;
            }
            table = table_of(value);
        }
        path
    }

    /// Every table, each after the one that leads to it, by guest address within a level.
    #[must_use]
    pub fn all_tables(&self) -> Vec<NestedTable> {
        let mut found = vec![NestedTable { level: self.levels, table: 0, first: Gfn(0) }];
        let mut at = 0;
        while let Some(NestedTable { level, table, first }) = found.get(at).copied() {
            at += 1;
            let Some(entries) = self.table(table).filter(|_| level > 1) else { continue };
            let below =
                entries.iter().enumerate().filter(|(_, entry)| entry & PRESENT != 0 && !Nested::is_leaf(level, *entry));
            found.extend(below.map(|(index, entry)| NestedTable {
                level: level - 1,
                table: table_of(entry),
                first: Gfn(first.0 + ((index as u64) << (9 * (level - 1)))),
            }));
        }
        found
    }

    /// Whether a present entry of a level maps a page: level 1, or PS at level 2.
    #[must_use]
    pub const fn is_leaf(level: u8, entry: u64) -> bool {
        level == 1 || level == 2 && entry & LARGE != 0
    }

    /// Puts other tables in place of these, which it returns.
    pub(crate) const fn replace_tables(&mut self, tables: Sparse<Arc<Entries>>) -> Sparse<Arc<Entries>> {
        std::mem::replace(&mut self.tables, tables)
    }

    fn entry(&self, table: u64, index: usize) -> u64 {
        self.tables.get(table).map_or(0, |entries| entries[index])
    }

    fn set(&mut self, table: u64, index: usize, value: u64) {
        Arc::make_mut(self.tables.slot_mut(table).get_or_insert_default()).set(index, value);
    }

    /// The leaf entry of a frame, present or not; none while a table above is missing.
    fn leaf(&self, gfn: Gfn) -> Option<NestedEntry> {
        self.path(gfn.base()).pop().filter(|entry| Nested::is_leaf(entry.level, entry.value))
    }

    /// Whether a frame is mapped but its W was taken, for the dirty log.
    #[must_use]
    pub fn has_lost_write(&self, gfn: Gfn) -> bool {
        self.leaf(gfn).is_some_and(|leaf| leaf.value & (PRESENT | WRITE) == PRESENT)
    }
}

/// About how many bytes tables take in addition to `older` ones, with which they share the rest.
#[must_use]
pub fn table_bytes_beside(tables: &Sparse<Arc<Entries>>, older: &Sparse<Arc<Entries>>) -> usize {
    tables.bytes_beside(older, |new, old| match old {
        Some(old) if Arc::ptr_eq(new, old) => 0,
        old => size_of::<Entries>() + 2 * size_of::<usize>() + new.bytes_beside(old.map(|old| &**old)),
    })
}

const fn index(gfn: Gfn, level: u8) -> usize {
    (gfn.0 >> (9 * (level as u32 - 1))) as usize & (ENTRIES - 1)
}

const fn table_of(entry: u64) -> u64 {
    ((entry & FRAME) >> 12) - FIRST_TABLE_FRAME
}

/// Carries a reference to guest-physical memory through the second dimension: a read a level, A set
/// on the way, D in the leaf of a write.
///
/// # Errors
/// What is missing.
pub fn translate<S: Sink>(vm: &mut Vm<TwoDim>, gpa: Gpa, write: bool, sink: &mut S) -> Result<Found, Violation> {
    let kind = vm.engine.kind;
    let gfn = gpa.gfn();
    let mut table = 0;
    for level in (1..=vm.engine.nested.levels).rev() {
        let index = index(gfn, level);
        let value = vm.engine.nested.entry(table, index);
        vm.machine.cost.memory_reads += 1;
        vm.machine.cost.memory_reads_last += 1;
        vm.emit(sink, |_| {
            let hpa = Hpa(Hfn(FIRST_TABLE_FRAME + table).base().0 + 8 * index as u64);
            Event::NestedRead { level, index, gpa, hpa, value: Num(value) }
        });
        let leaf = Nested::is_leaf(level, value);
        if value & PRESENT == 0 || leaf && write && value & WRITE == 0 {
            return Err(Violation { gpa, write });
        }
        let dirty = if leaf && write { kind.dirty() } else { 0 };
        let new = value | kind.accessed() | dirty;
        if new != value {
            vm.engine.nested.set(table, index, new);
        }
        if leaf {
            let needed = WRITE | kind.dirty();
            let within = (1 << (12 + 9 * (u32::from(level) - 1))) - 1;
            let hpa = Hpa(value & FRAME & !within | gpa.0 & within);
            return Ok(Found { hpa, dirty: new & needed == needed });
        }
        table = table_of(value);
    }
    Err(Violation { gpa, write })
}

/// An EPT violation or nested page fault: an exit in which the missing entries are made.
pub fn build<S: Sink>(vm: &mut Vm<TwoDim>, violation: Violation, sink: &mut S) {
    let gfn = violation.gpa.gfn();
    let Some(frame) = vm.machine.slots.host_frame(gfn) else { return };
    let slot = vm.machine.slots.find(gfn);
    let logged = slot.is_some_and(|slot| slot.dirty.is_some());
    let large = vm.engine.switches.contains(Switches::LARGE_NESTED_PAGES)
        && slot.is_some_and(|slot| holds_large_page(slot, gfn));
    let nested = &mut vm.engine.nested;
    let grants = nested.kind.grants();
    let mut table = 0;
    for level in (2..=nested.levels).rev() {
        let index = index(gfn, level);
        let entry = nested.entry(table, index);
        if entry & PRESENT != 0 {
            table = table_of(entry);
            continue;
        }
        if level == 2 && large {
            let first = frame.0 & !(LARGE_FRAMES - 1);
            nested.set(table, index, Hfn(first).base().0 | grants | LARGE);
            return built(vm, violation, sink);
        }
        let new = nested.count;
        nested.count += 1;
        nested.tables.set(new, Arc::default());
        nested.set(table, index, Hfn(FIRST_TABLE_FRAME + new).base().0 | Kind::LINKS);
        table = new;
    }
    // While a slot is logged W comes with the first write, so that the write is seen.
    let write = if violation.write || !logged { 0 } else { WRITE };
    nested.set(table, index(gfn, 1), frame.base().0 | grants & !write);
    built(vm, violation, sink);
}

/// Whether the 2 MiB around a frame lie in the slot whole and aligned, and no log asks for each page
/// (6.8 `kvm_mmu_hugepage_adjust`).
fn holds_large_page(slot: &Slot, gfn: Gfn) -> bool {
    let first = gfn.0 & !(LARGE_FRAMES - 1);
    let inside = first >= slot.base.0 && first + LARGE_FRAMES <= slot.base.0 + slot.frames;
    inside && slot.dirty.is_none() && (slot.host.0 + (first - slot.base.0)).is_multiple_of(LARGE_FRAMES)
}

fn built<S: Sink>(vm: &mut Vm<TwoDim>, violation: Violation, sink: &mut S) {
    if violation.write {
        vm.machine.slots.mark_dirty(violation.gpa.gfn());
    }
    vm.machine.cost.exits.count(ExitReason::PageFault);
    vm.emit(sink, |_| Event::VmExit { reason: ExitReason::PageFault });
}

/// Takes W from every page of a logged slot, and takes large pages apart; says whether any had it.
pub fn remove_write_access(vm: &mut Vm<TwoDim>, base: Gfn) -> bool {
    let Some(slot) = vm.machine.slots.find(base).filter(|slot| slot.dirty.is_some()) else { return false };
    let frames = slot.base.0..slot.base.0 + slot.frames;
    let nested = &mut vm.engine.nested;
    nested.remove_write_access_below(0, nested.levels, 0, &frames)
}

impl Nested {
    /// In what hangs below a table of `level` whose first entry stands for the frame `first`. Only
    /// tables that exist are visited: a slot may have 2^40 frames.
    fn remove_write_access_below(&mut self, table: u64, level: u8, first: u64, frames: &Range<u64>) -> bool {
        let span = 1 << (9 * (u32::from(level) - 1));
        let mut any = false;
        for index in 0..ENTRIES {
            let start = first + index as u64 * span;
            let entry = self.entry(table, index);
            if entry & PRESENT == 0 || start >= frames.end || start + span <= frames.start {
                continue;
            }
            if level > 1 && Nested::is_leaf(level, entry) {
                // The log is kept by 4 KiB pages.
                self.set(table, index, 0);
                any = true;
            } else if level > 1 {
                any |= self.remove_write_access_below(table_of(entry), level - 1, start, frames);
            } else if entry & WRITE != 0 {
                self.set(table, index, entry & !WRITE);
                any = true;
            }
        }
        any
    }
}
