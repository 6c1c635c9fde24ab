//! What the stage shows, as values: columns by level, rows, marks, the ghost, the cached entries.
//!
//! Serves the painting files beside it. Pure: built from two machines (shown, and before the
//! command in focus), the shown events and what is selected; it knows no colours and no sizes.
//! Building it takes some microseconds, so it is made anew on every pass.

use std::ops::RangeInclusive;

use super::cached::{self, StructureCard, TlbRow};
use super::lower::Lower;
use super::path::{self, Composed, Course, End, Path, Reach};
use super::rows::{self, Class, Line};
use crate::app::view::Selection;
use crate::arch::address::PAGE_SIZE;
use crate::arch::entry::{self, P};
use crate::arch::fault::FaultReason;
use crate::arch::walk::{Start, TableMemory};
use crate::arch::{Gpa, Level, Mode, pdpte};
use crate::engine::{AnyVm, EngineName};
use crate::language::Language;
use crate::machine::{Command, Event, Machine};

/// What the stage is built from.
#[derive(Clone, Copy)]
pub struct Inputs<'a> {
    /// The machine to show, under its engine.
    pub vm: &'a AnyVm,
    /// As it was before the command in focus.
    pub before_vm: &'a AnyVm,
    /// The machine to show.
    pub machine: &'a Machine,
    /// The machine before the command in focus.
    pub before: &'a Machine,
    /// The engine that runs it.
    pub engine: EngineName,
    /// The command in focus, unless another address is being composed.
    pub command: Option<&'a Command>,
    /// What it did so far.
    pub events: &'a [Event],
    /// What it did after that.
    pub coming: &'a [Event],
    /// The access of the composer.
    pub composed: Composed<'a>,
    /// What an access would do is not told.
    pub untold: bool,
    /// The entry that is selected, by its place in memory.
    pub selected_entry: Option<Gpa>,
    /// The PDPTE register that is selected.
    pub selected_register: Option<usize>,
    /// The table that is selected, or that holds the selected entry: its level and first byte.
    pub selected_table: Option<(Level, Gpa)>,
    /// What is selected, in the hypervisor's half too.
    pub selection: Selection,
    /// The language of its words.
    pub language: Language,
    /// How many rows a table card may have.
    pub row_budget: usize,
    /// How many rows a table of the hypervisor may have.
    pub lower_budget: usize,
}

/// The stage.
#[derive(Clone, Debug)]
pub struct Stage {
    /// The mode in force.
    pub mode: Mode,
    /// The path of the address in view.
    pub path: Path,
    /// The PDPTE registers; under PAE paging only.
    pub pdptes: Option<PdpteCard>,
    /// The tables in memory, from the top.
    pub tables: Vec<TableCard>,
    /// The table that is selected, where the path does not cross it.
    pub aside: Option<TableCard>,
    /// Where the path ends.
    pub page: PageCard,
    /// Where a stale PDPTE in memory would have led.
    pub ghost: Option<Ghost>,
    /// The hypervisor's half, if there is a hypervisor.
    pub lower: Option<Lower>,
    /// The paging-structure caches, by level from the top.
    pub structures: Vec<StructureCard>,
    /// The TLB, the entries for the address in view first.
    pub tlb: Vec<TlbRow>,
}

/// One table in memory.
#[derive(Clone, Debug)]
pub struct TableCard {
    /// Its level.
    pub level: Level,
    /// Its first byte; none if the path does not come to this level.
    pub base: Option<Gpa>,
    /// Whether the walk has read it, passed it over, or is still to come.
    pub reach: Reach,
    /// Its rows, folded.
    pub rows: Vec<Row>,
    /// PS where it makes an entry of this level a leaf, P at the last level, else 0.
    pub leaf_bit: u64,
    /// The index that the address selects.
    pub walked: usize,
    /// The hypervisor has taken W from its frame, so that it sees every store.
    pub locked: bool,
}

/// A row of a table card.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Row {
    /// One entry.
    Entry(Entry),
    /// Several in one line.
    Run {
        /// Their indices.
        range: RangeInclusive<usize>,
        /// What the line says.
        words: String,
        /// The same where there is little room.
        short: String,
    },
}

/// An entry with its marks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its index.
    pub index: usize,
    /// Where it lies.
    pub gpa: Gpa,
    /// Its value.
    pub value: u64,
    /// The frame that it names, present or not.
    pub frame: Gpa,
    /// It maps a page.
    pub leaf: bool,
    /// It maps a page larger than 4 KiB.
    pub large: bool,
    /// The address selects it, and how far the walk has come with it.
    pub walked: Option<Reach>,
    /// Bits that the command in focus changed.
    pub changed: u64,
    /// It is selected.
    pub selected: bool,
    /// It ended the walk.
    pub fault: Option<FaultReason>,
}

/// Whether a PDPTE register agrees with memory, and what the next load would make of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PdpteStatus {
    /// Register and memory are equal and present.
    Fresh,
    /// They differ.
    Stale,
    /// The engine reads memory at each walk, and finds it present.
    Present,
    /// Equal, and not present.
    NotPresent,
    /// Memory has reserved bits set: the next load is refused, whatever the register holds.
    Refused {
        /// Which.
        bits: u64,
    },
}

/// The PDPTE registers.
#[derive(Clone, Debug)]
pub struct PdpteCard {
    /// Where the structure lies in memory, from CR3.
    pub root: Gpa,
    /// The four, by index.
    pub rows: [PdpteRow; pdpte::COUNT],
    /// A load of the registers is among the shown events.
    pub just_loaded: bool,
    /// Walks go by the registers; else the engine reads memory at each walk.
    pub registers: bool,
}

/// One PDPTE register beside its memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PdpteRow {
    /// 0 to 3.
    pub index: usize,
    /// The register.
    pub register: u64,
    /// What lies in memory.
    pub memory: u64,
    /// Where it lies in memory.
    pub gpa: Gpa,
    /// How they agree.
    pub status: PdpteStatus,
    /// The address selects it.
    pub walked: Option<Reach>,
    /// Bits of the register that the command in focus changed.
    pub changed_register: u64,
    /// Bits in memory that it changed.
    pub changed_memory: u64,
    /// It is selected, as register or as memory.
    pub selected: bool,
    /// It ended the walk.
    pub fault: Option<FaultReason>,
}

/// Where the path ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageCard {
    /// The page; none after a fault.
    pub page: Option<ReachedPage>,
    /// The fault; none if there is a page.
    pub fault: Option<FaultReason>,
    /// The shown events came here.
    pub arrived: bool,
}

/// A page and the byte that the address names in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReachedPage {
    /// Its first byte.
    pub base: Gpa,
    /// log2 of its size; 0 without paging.
    pub shift: u32,
    /// The byte that the address names.
    pub gpa: Gpa,
    /// The aligned four bytes around it.
    pub word: u32,
    /// Their bits that the command in focus changed.
    pub changed: u32,
    /// A memory slot holds it.
    pub in_slot: bool,
}

/// Where memory leads and the register does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ghost {
    /// The next load is refused.
    Refused {
        /// The reserved bits.
        bits: u64,
    },
    /// Memory's PDPTE is not present.
    NotPresent,
    /// Memory names another directory.
    Leads {
        /// That directory.
        table: Gpa,
        /// The page there, if the access would reach one.
        page: Option<Gpa>,
        /// Why not, if it would fault.
        fault: Option<FaultReason>,
    },
}

impl Stage {
    /// Builds the stage.
    #[must_use]
    pub fn new(inputs: &Inputs<'_>) -> Self {
        let machine = inputs.machine;
        let mode = machine.cpu.mode();
        let pdptes = path::pdptes_in_force(machine, inputs.engine);
        let course = Course { shown: inputs.events, coming: inputs.coming };
        let path = Path::new(machine, &pdptes, inputs.command, course, &inputs.composed);
        let path = if inputs.untold { path.untold() } else { path };
        let tables = Level::down_from(mode.top_level_in_memory()).map(|level| table_card(inputs, &path, level));
        let pdptes = (mode == Mode::Pae).then(|| pdpte_card(inputs, &path));
        let ghost = pdptes.as_ref().filter(|_| !inputs.engine.reads_pdptes_from_memory());
        let ghost = ghost.and_then(|card| self::ghost(machine, &path, card));
        Self {
            mode,
            pdptes,
            tables: tables.collect(),
            aside: aside(inputs, &path),
            page: page_card(inputs, &path),
            ghost,
            lower: Lower::new(inputs, &path),
            structures: cached::structure_cards(inputs, &path),
            tlb: cached::tlb_rows(inputs, &path),
            path,
        }
    }
}

/// The bits in which the entry at `gpa` differs from what it was before the command in focus.
fn changed(inputs: &Inputs<'_>, gpa: Gpa, shift: u32) -> u64 {
    inputs.before.memory.read_entry(gpa, shift) ^ inputs.machine.memory.read_entry(gpa, shift)
}

fn fault_at(path: &Path, level: Level) -> Option<FaultReason> {
    match path.end {
        End::Fault { reason, level: Some(blamed) } if blamed == level && (path.arrived || !path.recorded) => {
            Some(reason)
        }
        _ => None,
    }
}

/// An entry of the table at `base`, with its marks.
#[must_use]
pub fn entry(inputs: &Inputs<'_>, path: &Path, level: Level, base: Gpa, leaf_bit: u64, index: usize) -> Entry {
    let cpu = &inputs.machine.cpu;
    let mode = cpu.mode();
    let gpa = base.offset((index as u64) << mode.entry_shift());
    let value = inputs.machine.memory.read_entry(gpa, mode.entry_shift());
    let leaf = value & leaf_bit != 0;
    let large = leaf && level.0 > 1;
    let hop = path.hop(level).filter(|hop| hop.gpa == gpa);
    Entry {
        index,
        gpa,
        value,
        frame: if large {
            entry::page_base(mode, level, value, &cpu.model)
        } else {
            entry::frame_4k(value, &cpu.model)
        },
        leaf,
        large,
        walked: hop.map(|hop| hop.reach),
        changed: changed(inputs, gpa, mode.entry_shift()),
        selected: inputs.selected_entry == Some(gpa),
        fault: hop.and_then(|_| fault_at(path, level)),
    }
}

pub(super) fn leaf_bit(machine: &Machine, level: Level) -> u64 {
    let cpu = &machine.cpu;
    match level.0 {
        1 => P,
        _ if entry::page_size_bit_counts(cpu.mode(), level, cpu.regs.cr4) => entry::PS,
        _ => 0,
    }
}

fn table_card(inputs: &Inputs<'_>, path: &Path, level: Level) -> TableCard {
    let machine = inputs.machine;
    let mode = machine.cpu.mode();
    let leaf_bit = leaf_bit(machine, level);
    let walked = mode.index(level, path.gva);
    let Some(hop) = path.hop(level) else {
        // The top table is there even if a non-canonical address never gets to it.
        let base = (level.0 == mode.top_level()).then_some(machine.cpu.paging.root);
        let rows = base.map_or_else(Vec::new, |base| folded(inputs, path, level, base, leaf_bit, &[]));
        let locked = base.is_some_and(|base| locked(inputs, base));
        return TableCard { level, base, reach: Reach::Ahead, rows, leaf_bit, walked, locked };
    };
    let rows = folded(inputs, path, level, hop.table, leaf_bit, &[hop.index]);
    let locked = locked(inputs, hop.table);
    TableCard { level, base: Some(hop.table), reach: hop.reach, rows, leaf_bit, walked, locked }
}

fn locked(inputs: &Inputs<'_>, table: Gpa) -> bool {
    inputs.vm.shadow_facts(table.gfn(), None).write_protected
}

/// The selected table, unless the path crosses it anyway or the mode has no such level.
fn aside(inputs: &Inputs<'_>, path: &Path) -> Option<TableCard> {
    let (level, base) = inputs.selected_table?;
    let in_memory = 1..=inputs.machine.cpu.mode().top_level_in_memory();
    if !in_memory.contains(&level.0) || path.hops.iter().any(|hop| hop.table == base) {
        return None;
    }
    let leaf_bit = leaf_bit(inputs.machine, level);
    let rows = folded(inputs, path, level, base, leaf_bit, &[]);
    let walked = inputs.machine.cpu.mode().index(level, path.gva);
    let locked = locked(inputs, base);
    Some(TableCard { level, base: Some(base), reach: Reach::Ahead, rows, leaf_bit, walked, locked })
}

fn folded(inputs: &Inputs<'_>, path: &Path, level: Level, base: Gpa, leaf_bit: u64, walked: &[usize]) -> Vec<Row> {
    let mode = inputs.machine.cpu.mode();
    let (shift, count) = (mode.entry_shift(), mode.entries(level));
    let at = |index: usize| base.offset((index as u64) << shift);
    let read = |index: usize| inputs.machine.memory.read_entry(at(index), shift);
    let classes: Vec<Class> = (0..count).map(|index| Class::of(read(index), leaf_bit)).collect();
    let mut pinned: Vec<usize> = (0..count).filter(|index| changed(inputs, at(*index), shift) != 0).take(8).collect();
    pinned.extend(walked);
    if let Some(gpa) = inputs.selected_entry
        && (base.0..base.0 + PAGE_SIZE).contains(&gpa.0)
    {
        pinned.push(((gpa.0 - base.0) >> shift) as usize);
    }
    pinned.sort_unstable();
    pinned.dedup();
    let to_row = |line: Line| match line {
        Line::Entry(index) => Row::Entry(entry(inputs, path, level, base, leaf_bit, index)),
        Line::Run { ref range, .. } => {
            Row::Run { range: range.clone(), words: line.words(inputs.language), short: line.short_words() }
        }
    };
    rows::fold(&classes, &pinned, inputs.row_budget).into_iter().map(to_row).collect()
}

fn pdpte_card(inputs: &Inputs<'_>, path: &Path) -> PdpteCard {
    let (machine, before) = (inputs.machine, inputs.before);
    let cpu = &machine.cpu;
    let root = cpu.paging.root;
    let memory = machine.pdptes_in_memory();
    let registers = !inputs.engine.reads_pdptes_from_memory();
    let status = |index: usize| match registers {
        true => pdpte_status(machine, cpu.pdptes[index], memory[index]),
        // What is in force is memory: register and memory are one.
        false => match pdpte_status(machine, memory[index], memory[index]) {
            PdpteStatus::Fresh => PdpteStatus::Present,
            other => other,
        },
    };
    let rows = std::array::from_fn(|index| {
        let gpa = pdpte::address(root, index);
        let hop = path.hop(pdpte::LEVEL).filter(|hop| hop.index == index);
        PdpteRow {
            index,
            register: cpu.pdptes[index],
            memory: memory[index],
            gpa,
            status: status(index),
            walked: hop.map(|hop| hop.reach),
            changed_register: cpu.pdptes[index] ^ before.cpu.pdptes[index],
            changed_memory: changed(inputs, gpa, 3),
            selected: inputs.selected_register == Some(index) || inputs.selected_entry == Some(gpa),
            fault: hop.and_then(|_| fault_at(path, pdpte::LEVEL)),
        }
    });
    let just_loaded = inputs.events.iter().any(|event| matches!(event, Event::PdpteLoad { .. }));
    PdpteCard { root, rows, just_loaded, registers }
}

fn pdpte_status(machine: &Machine, register: u64, memory: u64) -> PdpteStatus {
    let reserved = memory & pdpte::reserved(&machine.cpu.model);
    if memory & P != 0 && reserved != 0 {
        PdpteStatus::Refused { bits: reserved }
    } else if register != memory {
        PdpteStatus::Stale
    } else if register & P == 0 {
        PdpteStatus::NotPresent
    } else {
        PdpteStatus::Fresh
    }
}

fn ghost(machine: &Machine, path: &Path, card: &PdpteCard) -> Option<Ghost> {
    let row = &card.rows[path.hop(pdpte::LEVEL)?.index];
    match row.status {
        PdpteStatus::Fresh | PdpteStatus::Present | PdpteStatus::NotPresent => None,
        PdpteStatus::Refused { bits } => Some(Ghost::Refused { bits }),
        PdpteStatus::Stale if row.memory & P == 0 => Some(Ghost::NotPresent),
        PdpteStatus::Stale => {
            let table = entry::frame_4k(row.memory, &machine.cpu.model);
            let start = Start::unrestricted(2, table);
            let (page, fault) = match path::walk(machine, start, path.gva, &path.access) {
                Ok(End::Page { base, .. }) => (Some(base), None),
                Ok(End::Untold) => (None, None),
                Ok(End::Fault { reason, .. }) => (None, Some(reason)),
                Err(fault) => (None, Some(fault.reason)),
            };
            Some(Ghost::Leads { table, page, fault })
        }
    }
}

fn page_card(inputs: &Inputs<'_>, path: &Path) -> PageCard {
    let (page, fault) = match path.end {
        End::Untold => (None, None),
        End::Fault { reason, .. } => (None, Some(reason)),
        End::Page { base, shift } => {
            let gpa = path.gpa().unwrap_or(base);
            let aligned = Gpa(gpa.0 & !3);
            let word = inputs.machine.memory.read(aligned, 4) as u32;
            let changed = word ^ inputs.before.memory.read(aligned, 4) as u32;
            let in_slot = inputs.machine.slots.find(gpa.gfn()).is_some();
            // Without paging no entry says where a page begins.
            let base = if shift == 0 { gpa.gfn().base() } else { base };
            (Some(ReachedPage { base, shift, gpa, word, changed, in_slot }), None)
        }
    };
    PageCard { page, fault, arrived: path.arrived }
}

#[cfg(test)]
mod tests;
