//! The paging structures of a machine, found from where its walks begin.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::arch::entry::{self, P};
use crate::arch::pdpte::Pdptes;
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

/// What the walks of a machine can lead to.
#[derive(Clone, Debug, Default)]
pub struct Structures {
    /// Every table, from the top level down, each once.
    pub tables: Vec<Table>,
    /// The first frame of every page that they map.
    pub mapped: BTreeSet<Gfn>,
}

impl Structures {
    /// The structures of a machine whose walks go by these PDPTEs.
    #[must_use]
    pub fn of(machine: &Machine, pdptes: &Pdptes) -> Self {
        let paging = &machine.cpu.paging;
        if paging.mode == Mode::Off {
            return Self::default();
        }
        let mut search = Search { machine, paging, found: BTreeMap::new(), mapped: BTreeSet::new() };
        if paging.mode == Mode::Pae {
            search.add_pdpt(pdptes);
        } else {
            search.follow([(paging.mode.top_level_in_memory(), paging.root)], Reach::Walks);
        }
        let mut tables: Vec<Table> = search.found.into_values().collect();
        tables.sort_by_key(|table| (std::cmp::Reverse(table.level), table.base));
        Self { tables, mapped: search.mapped }
    }

    /// The structures that a load of CR3 with this value would lead to, as memory is now.
    #[must_use]
    pub fn from_root(machine: &Machine, cr3: u64) -> Self {
        let mut loaded = machine.clone();
        let cpu = &mut loaded.cpu;
        cpu.regs.cr3 = cr3;
        cpu.paging.root = cpu.mode().root(cr3, cpu.model.maxphyaddr);
        let pdptes = loaded.pdptes_in_memory();
        Self::of(&loaded, &pdptes)
    }

    /// The table of each frame that holds one; of several the one nearest to the root.
    #[must_use]
    pub fn by_frame(&self) -> BTreeMap<Gfn, Table> {
        let mut frames = BTreeMap::new();
        for table in &self.tables {
            frames.entry(table.base.gfn()).or_insert(*table);
        }
        frames
    }
}

struct Search<'a> {
    machine: &'a Machine,
    paging: &'a Paging,
    found: BTreeMap<(u8, Gpa), Table>,
    mapped: BTreeSet<Gfn>,
}

impl<'a> Search<'a> {
    fn add_pdpt(&mut self, registers: &Pdptes) {
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
                if self.is_leaf(level, entry) {
                    let model = &self.paging.model;
                    self.mapped.insert(entry::page_base(self.paging.mode, Level(level), entry, model).gfn());
                } else {
                    queue.push_back((level - 1, entry::frame_4k(entry, &self.paging.model)));
                }
            }
            self.found.insert((level, base), Table { level, base, present, reach });
        }
    }

    fn entries(&self, level: u8, base: Gpa) -> impl Iterator<Item = u64> + use<'a> {
        let (machine, mode) = (self.machine, self.paging.mode);
        let exists = machine.memory.page(base.gfn()).is_some();
        let count = if exists { mode.entries(Level(level)) } else { 0 };
        let shift = mode.entry_shift();
        (0..count).map(move |i| machine.memory.read_entry(base.offset((i as u64) << shift), shift))
    }

    fn is_leaf(&self, level: u8, entry: u64) -> bool {
        let cr4 = self.machine.cpu.regs.cr4;
        level == 1 || entry & entry::PS != 0 && entry::page_size_bit_counts(self.paging.mode, Level(level), cr4)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arch::address::Num;
    use crate::arch::{CpuModel, Cr4};
    use crate::engine::{AnyVm, EngineName, Quiet};
    use crate::machine::Command;
    use crate::machine::command::Size;

    fn run(vm: &mut AnyVm, commands: impl IntoIterator<Item = Command>) {
        for command in commands {
            vm.execute(&command, &mut Quiet);
        }
    }

    #[test]
    fn a_stale_register_parts_the_tables() {
        let mut machine = Machine::new(CpuModel::default(), 1 << 24);
        for (gpa, value) in [(0x3020, 0x5001), (0x3028, 0x6001), (0x6048, 0x7007), (0x7008, 0x2_b007)] {
            machine.memory.write_u64(Gpa(gpa), value);
        }
        let mut vm = AnyVm::new(machine, EngineName::Native.into());
        let compat = false;
        run(
            &mut vm,
            [
                Command::MovCr3 { val: Num(0x3020), compat },
                Command::MovCr4 { val: Num(Cr4::PAE.bits()), compat },
                Command::MovCr0 { val: Num(0x8000_0011), compat },
                Command::Poke { pa: Gpa(0x3028), val: Num(0x9001), size: Size::WORD },
            ],
        );
        let found = Structures::of(vm.machine(), &vm.machine().cpu.pdptes);
        let reach: Vec<(u64, Reach)> = found.tables.iter().map(|table| (table.base.0, table.reach)).collect();
        let expected = [
            (0x3020, Reach::Walks),
            (0x5000, Reach::Walks),
            (0x6000, Reach::RegisterOnly),
            (0x9000, Reach::MemoryOnly),
            (0x7000, Reach::RegisterOnly),
        ];
        assert_eq!(reach, expected);
        assert_eq!(found.mapped.into_iter().collect::<Vec<_>>(), [Gfn(0x2b)]);
    }
}
