//! The paging structures of a machine, found from where its walks begin.

use std::collections::{BTreeMap, VecDeque};

use crate::arch::entry::{self, P};
use crate::arch::walk::{Paging, TableMemory};
use crate::arch::{Gfn, Gpa, Level, Mode, pdpte};
use crate::machine::Machine;

/// After so many tables the search stops; the list says so.
pub const MAX_TABLES: usize = 256;

/// How a table is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// A walk that begins now can read it.
    Walks,
    /// Only the PDPTEs in memory lead to it: after the next load of the registers walks will read it.
    MemoryOnly,
    /// Only a stale PDPTE register still leads to it.
    RegisterOnly,
}

/// A paging structure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Table {
    /// 1 (page table) to 5.
    pub level: u8,
    /// Its first byte.
    pub base: Gpa,
    /// How many of its entries are present.
    pub present: usize,
    /// How it is reached.
    pub reach: Reach,
}

impl Table {
    /// Bytes that it occupies: a page, or the 32 bytes of a PDPT under PAE paging.
    #[must_use]
    pub const fn bytes(&self, mode: Mode) -> u64 {
        (mode.entries(Level(self.level)) as u64) << mode.entry_shift()
    }

    /// Its name and address: `PD 0x5000`.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{} {}", Mode::table_name(Level(self.level)), crate::explain::hex(self.base.0))
    }
}

/// Every table, from the top level down, each once.
#[must_use]
pub fn tables(machine: &Machine) -> Vec<Table> {
    let cpu = &machine.cpu;
    let paging = &cpu.paging;
    if paging.mode == Mode::Off {
        return Vec::new();
    }
    let mut search = Search { machine, paging, found: BTreeMap::new() };
    if paging.mode == Mode::Pae {
        search.add_pdpt();
    } else {
        search.follow([(paging.mode.top_level_in_memory(), paging.root)], Reach::Walks);
    }
    let mut tables: Vec<Table> = search.found.into_values().collect();
    tables.sort_by_key(|table| (std::cmp::Reverse(table.level), table.base));
    tables
}

struct Search<'a> {
    machine: &'a Machine,
    paging: &'a Paging,
    found: BTreeMap<(u8, Gpa), Table>,
}

impl Search<'_> {
    fn add_pdpt(&mut self) {
        let registers = self.machine.cpu.pdptes;
        let memory = self.machine.pdptes_in_memory();
        let level = pdpte::LEVEL.0;
        let present = memory.iter().filter(|entry| **entry & P != 0).count();
        let base = self.paging.root;
        self.found.insert((level, base), Table { level, base, present, reach: Reach::Walks });
        let target = |entry: &u64| (*entry & P != 0).then(|| (2, entry::frame_4k(*entry, &self.paging.model)));
        let both: Vec<(u8, Gpa)> =
            (0..pdpte::COUNT).filter(|i| registers[*i] == memory[*i]).filter_map(|i| target(&registers[i])).collect();
        let (registers, memory): (Vec<_>, Vec<_>) =
            (registers.iter().filter_map(target).collect(), memory.iter().filter_map(target).collect());
        self.follow(both, Reach::Walks);
        self.follow(registers, Reach::RegisterOnly);
        self.follow(memory, Reach::MemoryOnly);
    }

    /// Adds tables and all below them, breadth first; those that were found before stay as they are.
    fn follow(&mut self, roots: impl IntoIterator<Item = (u8, Gpa)>, reach: Reach) {
        let mut queue: VecDeque<(u8, Gpa)> = roots.into_iter().collect();
        while let Some((level, base)) = queue.pop_front() {
            if self.found.contains_key(&(level, base)) || self.found.len() >= MAX_TABLES {
                continue;
            }
            let mut present = 0;
            for entry in self.entries(level, base) {
                if entry & P == 0 {
                    continue;
                }
                present += 1;
                if level > 1 && !self.is_leaf(level, entry) {
                    queue.push_back((level - 1, entry::frame_4k(entry, &self.paging.model)));
                }
            }
            self.found.insert((level, base), Table { level, base, present, reach });
        }
    }

    fn entries(&self, level: u8, base: Gpa) -> impl Iterator<Item = u64> {
        let mode = self.paging.mode;
        let exists = self.machine.memory.page(base.gfn()).is_some();
        let count = if exists { mode.entries(Level(level)) } else { 0 };
        let shift = mode.entry_shift();
        (0..count).map(move |i| self.machine.memory.read_entry(base.offset((i as u64) << shift), shift))
    }

    fn is_leaf(&self, level: u8, entry: u64) -> bool {
        entry & entry::PS != 0 && entry::page_size_bit_counts(self.paging.mode, Level(level), self.machine.cpu.regs.cr4)
    }
}

/// The table of each frame that holds one; of several the one nearest to the root.
#[must_use]
pub fn by_frame(tables: &[Table]) -> BTreeMap<Gfn, Table> {
    let mut frames = BTreeMap::new();
    for table in tables {
        frames.entry(table.base.gfn()).or_insert(*table);
    }
    frames
}
