//! The paging structures of a machine, found from where its walks begin, and the frames that are in use.
//!
//! They stand beside the lab and follow the machine shown: only tables whose page is another one are read
//! again, so that a step costs what it changed and a frame costs nothing.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::arch::entry::{self, P};
use crate::arch::pdpte::Pdptes;
use crate::arch::walk::TableMemory;
use crate::arch::{CpuModel, Cr4, Gfn, Gpa, Level, Mode, pdpte};
use crate::machine::{Machine, Memory};

/// Frames in a row of the map.
pub const COLUMNS: u64 = 16;

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

/// What the walks of a machine can lead to, and which frames are in use.
#[derive(Clone, Debug, Default)]
pub struct Structures {
    seen: Option<Seen>,
    scans: Scans,
    tables: Vec<Table>,
    by_frame: BTreeMap<Gfn, Table>,
    rows: BTreeMap<u64, Row>,
    mapped: usize,
}

/// What the structures were found in.
#[derive(Clone, Debug)]
struct Seen {
    memory: Memory,
    reading: Reading,
    root: Gpa,
    pdptes: Pdptes,
}

/// What decides how the bits of a table are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Reading {
    mode: Mode,
    model: CpuModel,
    cr4: Cr4,
}

impl Reading {
    fn is_leaf(&self, level: u8, entry: u64) -> bool {
        level == 1 || entry & entry::PS != 0 && entry::page_size_bit_counts(self.mode, Level(level), self.cr4)
    }
}

/// What a table says.
#[derive(Clone, Debug, Default)]
struct Scan {
    present: usize,
    /// The tables that its entries name.
    below: Vec<Gpa>,
    /// The frames that its entries map, in the order of the entries.
    mapped: Vec<Gfn>,
}

impl Scan {
    fn of(memory: &Memory, reading: &Reading, level: u8, base: Gpa) -> Self {
        let mut scan = Self::default();
        let Reading { mode, model, .. } = reading;
        let count = if memory.page(base.gfn()).is_some() { mode.entries(Level(level)) } else { 0 };
        for index in 0..count {
            let entry = memory.read_entry(base.offset((index as u64) << mode.entry_shift()), mode.entry_shift());
            if entry & P == 0 {
                continue;
            }
            scan.present += 1;
            if reading.is_leaf(level, entry) {
                scan.mapped.push(entry::page_base(*mode, Level(level), entry, model).gfn());
            } else {
                scan.below.push(entry::frame_4k(entry, model));
            }
        }
        scan
    }
}

/// Sixteen frames of memory.
#[derive(Clone, Copy, Debug, Default)]
struct Row {
    /// Those that were ever written.
    written: u16,
    /// Those that hold a table.
    tables: u16,
    /// How many entries map each.
    mapped: [u32; COLUMNS as usize],
}

impl Row {
    fn is_unused(&self) -> bool {
        self.written == 0 && self.tables == 0 && self.mapped == [0; COLUMNS as usize]
    }
}

/// The row of a frame, and its column.
const fn place(gfn: Gfn) -> (u64, usize) {
    (gfn.0 / COLUMNS, (gfn.0 % COLUMNS) as usize)
}

impl Structures {
    /// The structures of a machine whose walks go by these PDPTEs.
    #[must_use]
    pub fn of(machine: &Machine, pdptes: &Pdptes) -> Self {
        let mut structures = Self::default();
        structures.follow(machine, pdptes);
        structures
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

    /// Every table, from the top level down, each once.
    #[must_use]
    pub fn tables(&self) -> &[Table] {
        &self.tables
    }

    /// The table that a frame holds; of several the one nearest to the root.
    #[must_use]
    pub fn table_in(&self, gfn: Gfn) -> Option<&Table> {
        self.by_frame.get(&gfn)
    }

    /// Whether an entry maps a frame.
    #[must_use]
    pub fn is_mapped(&self, gfn: Gfn) -> bool {
        let (row, column) = place(gfn);
        self.rows.get(&row).is_some_and(|row| row.mapped[column] > 0)
    }

    /// How many frames are mapped.
    #[must_use]
    pub const fn mapped_count(&self) -> usize {
        self.mapped
    }

    /// The first `most` rows of the map: those below `least`, and those in which a frame was ever written, is
    /// mapped or holds a table; and how many more there are.
    fn rows(&self, least: u64, most: usize) -> (Vec<u64>, usize) {
        let beyond = self.rows.range(least..).map(|(row, _)| *row);
        let all = least as usize + self.rows.len() - self.rows.range(..least).count();
        let shown: Vec<u64> = (0..least).chain(beyond).take(most).collect();
        (shown.clone(), all - shown.len())
    }

    /// The first `most` rows of the map: those in use, and so many of the first others that `room` rows are filled.
    #[must_use]
    pub fn rows_filling(&self, room: u64, most: usize) -> (Vec<u64>, usize) {
        let used_from = |least: u64| self.rows.range(least..).take(room as usize + 1).count() as u64;
        let least = (0..=room).rev().find(|least| least + used_from(*least) <= room).unwrap_or(0);
        self.rows(least, most)
    }

    /// Brings them up to a machine whose walks go by these PDPTEs.
    pub fn follow(&mut self, machine: &Machine, pdptes: &Pdptes) {
        let paging = &machine.cpu.paging;
        let reading = Reading { mode: paging.mode, model: paging.model, cr4: machine.cpu.regs.cr4 & Cr4::PSE };
        let now = Seen { memory: machine.memory.clone(), reading, root: paging.root, pdptes: *pdptes };
        let old = self.seen.take();
        let same = |old: &Seen| {
            let registers = (old.reading, old.root, old.pdptes) == (now.reading, now.root, now.pdptes);
            registers && old.memory.is_same(&now.memory)
        };
        if !old.as_ref().is_some_and(same) {
            self.follow_pages(old.as_ref().map_or(&Memory::default(), |old| &old.memory), &now.memory);
            let old_scans = std::mem::take(&mut self.scans);
            let search = Search { machine, now: &now, old: old.as_ref().map(|old| (old, &old_scans)) };
            self.take_over(search.found(), old_scans);
        }
        self.seen = Some(now);
    }

    fn follow_pages(&mut self, old: &Memory, new: &Memory) {
        for (gfn, old, new) in old.unshared(new) {
            if old.is_some() != new.is_some() {
                self.change_row(gfn, |row, column| row.written ^= 1 << column);
            }
        }
    }

    fn change_row(&mut self, gfn: Gfn, change: impl FnOnce(&mut Row, usize)) {
        let (index, column) = place(gfn);
        let row = self.rows.entry(index).or_default();
        let before = row.mapped[column] > 0;
        change(row, column);
        let after = row.mapped[column] > 0;
        self.mapped = self.mapped + usize::from(after) - usize::from(before);
        if row.is_unused() {
            self.rows.remove(&index);
        }
    }

    fn take_over(&mut self, found: Vec<(Table, Scan)>, mut old: Scans) {
        for gfn in std::mem::take(&mut self.by_frame).into_keys() {
            self.change_row(gfn, |row, column| row.tables &= !(1 << column));
        }
        self.tables = found.iter().map(|(table, _)| *table).collect();
        self.tables.sort_by_key(|table| (std::cmp::Reverse(table.level), table.base));
        for (table, scan) in found {
            let key = (table.level, table.base);
            let before = old.remove(&key).unwrap_or_default();
            self.change_mapped(&before.mapped, &scan.mapped);
            self.scans.insert(key, scan);
        }
        for scan in old.into_values() {
            self.change_mapped(&scan.mapped, &[]);
        }
        for index in 0..self.tables.len() {
            let table = self.tables[index];
            let gfn = table.base.gfn();
            if let std::collections::btree_map::Entry::Vacant(place) = self.by_frame.entry(gfn) {
                place.insert(table);
                self.change_row(gfn, |row, column| row.tables |= 1 << column);
            }
        }
    }

    /// A table maps other frames than before. Where it maps as many, most are the same in place.
    fn change_mapped(&mut self, old: &[Gfn], new: &[Gfn]) {
        let in_place = if old.len() == new.len() { old.len() } else { 0 };
        let moved = (0..in_place).filter(|i| old[*i] != new[*i]);
        let (gone, come): (Vec<Gfn>, Vec<Gfn>) = moved.map(|i| (old[i], new[i])).unzip();
        for gfn in gone.iter().chain(&old[in_place..]) {
            self.change_row(*gfn, |row, column| row.mapped[column] -= 1);
        }
        for gfn in come.iter().chain(&new[in_place..]) {
            self.change_row(*gfn, |row, column| row.mapped[column] += 1);
        }
    }
}

/// What each table said, by its level and first byte.
type Scans = BTreeMap<(u8, Gpa), Scan>;

struct Search<'a> {
    machine: &'a Machine,
    now: &'a Seen,
    /// What was seen before, with what each table said then.
    old: Option<(&'a Seen, &'a Scans)>,
}

impl Search<'_> {
    fn found(&self) -> Vec<(Table, Scan)> {
        let (mut found, mut known) = (Vec::new(), BTreeSet::new());
        let mode = self.now.reading.mode;
        match mode {
            Mode::Off => {}
            Mode::Pae => self.follow_pdpt(&mut found, &mut known),
            _ => self.follow([(mode.top_level_in_memory(), self.now.root)], Reach::Walks, &mut found, &mut known),
        }
        found
    }

    fn follow_pdpt(&self, found: &mut Vec<(Table, Scan)>, known: &mut BTreeSet<(u8, Gpa)>) {
        let (registers, memory) = (&self.now.pdptes, self.machine.pdptes_in_memory());
        let (level, base) = (pdpte::LEVEL.0, self.now.root);
        let present = memory.iter().filter(|entry| **entry & P != 0).count();
        known.insert((level, base));
        found.push((Table { level, base, present, reach: Reach::Walks }, Scan::default()));
        let model = &self.now.reading.model;
        let target = |entry: &u64| (*entry & P != 0).then(|| (2, entry::frame_4k(*entry, model)));
        let equal = (0..pdpte::COUNT).filter(|i| registers[*i] == memory[*i]);
        let both: Vec<(u8, Gpa)> = equal.filter_map(|i| target(&registers[i])).collect();
        self.follow(both, Reach::Walks, found, known);
        self.follow(registers.iter().filter_map(target), Reach::RegisterOnly, found, known);
        self.follow(memory.iter().filter_map(target), Reach::MemoryOnly, found, known);
    }

    /// Adds tables and all below them, breadth first; those that were found before stay as they are.
    fn follow(
        &self,
        roots: impl IntoIterator<Item = (u8, Gpa)>,
        reach: Reach,
        found: &mut Vec<(Table, Scan)>,
        known: &mut BTreeSet<(u8, Gpa)>,
    ) {
        let mut queue: VecDeque<(u8, Gpa)> = roots.into_iter().collect();
        while let Some((level, base)) = queue.pop_front() {
            if found.len() >= MAX_TABLES {
                return;
            }
            if !known.insert((level, base)) {
                continue;
            }
            let scan = self.scan(level, base);
            queue.extend(scan.below.iter().map(|base| (level - 1, *base)));
            found.push((Table { level, base, present: scan.present, reach }, scan));
        }
    }

    /// What a table says: as before, if its page is the one that it was.
    fn scan(&self, level: u8, base: Gpa) -> Scan {
        let known = self.old.filter(|(old, _)| {
            let page = |memory: &Memory| memory.page(base.gfn()).map(std::ptr::from_ref);
            old.reading == self.now.reading && page(&old.memory) == page(&self.now.memory)
        });
        match known.and_then(|(_, scans)| scans.get(&(level, base))) {
            Some(scan) => scan.clone(),
            None => Scan::of(&self.now.memory, &self.now.reading, level, base),
        }
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
        let reach: Vec<(u64, Reach)> = found.tables().iter().map(|table| (table.base.0, table.reach)).collect();
        let expected = [
            (0x3020, Reach::Walks),
            (0x5000, Reach::Walks),
            (0x6000, Reach::RegisterOnly),
            (0x9000, Reach::MemoryOnly),
            (0x7000, Reach::RegisterOnly),
        ];
        assert_eq!(reach, expected);
        assert_eq!((found.is_mapped(Gfn(0x2b)), found.is_mapped(Gfn(0x2c)), found.mapped_count()), (true, false, 1));
    }

    /// A row of the map: its number, pages written, pages that are tables, and which are mapped.
    type ToldRow = (u64, u16, u16, Vec<bool>);

    fn told(found: &Structures) -> (Vec<Table>, Vec<ToldRow>, usize) {
        let row = |(index, row): (&u64, &Row)| {
            (*index, row.written, row.tables, row.mapped.iter().map(|count| *count > 0).collect())
        };
        (found.tables.clone(), found.rows.iter().map(row).collect(), found.mapped)
    }

    /// What follows step by step is what is found anew, whatever changes: entries, tables, roots, time.
    #[test]
    fn following_is_finding_anew() {
        let mut machine = Machine::new(CpuModel::default(), 1 << 24);
        machine.memory.write_u64(Gpa(0x3000), 0x4001);
        let mut vm = AnyVm::new(machine, EngineName::Native.into());
        let mut states = vec![vm.clone()];
        let mut state = 1u64;
        let mut below = |limit: u64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % limit
        };
        for _ in 0..400 {
            let command = match below(12) {
                0 => Command::MovCr3 { val: Num((3 + below(2)) << 12), compat: false },
                1 => Command::MovCr4 { val: Num(below(4) << 4), compat: false },
                2 => Command::MovCr0 { val: Num(0x11 | below(4).min(1) << 31), compat: false },
                _ => {
                    let val = (3 + below(12)) << 12 | below(8).min(1) | below(2) << 7;
                    Command::Poke { pa: Gpa((3 + below(10)) << 12 | below(6) << 3), val: Num(val), size: Size::WORD }
                }
            };
            run(&mut vm, [command]);
            states.push(vm.clone());
        }
        let mut found = Structures::default();
        let mut tables = 0;
        for _ in 0..800 {
            let machine = states[below(states.len() as u64) as usize].machine();
            found.follow(machine, &machine.cpu.pdptes);
            assert_eq!(told(&found), told(&Structures::of(machine, &machine.cpu.pdptes)));
            tables = tables.max(found.tables.len());
        }
        assert!(tables > 5, "{tables}");
    }

    #[test]
    fn rows_begin_with_the_least() {
        let mut machine = Machine::new(CpuModel::default(), 1 << 24);
        for gfn in [1, 17, 400, 401, 900] {
            machine.memory.write_u64(Gfn(gfn).base(), 1);
        }
        let found = Structures::of(&machine, &machine.cpu.pdptes);
        assert_eq!(found.rows(3, 12), (vec![0, 1, 2, 25, 56], 0));
        assert_eq!(found.rows(0, 2), (vec![0, 1], 2));
        assert_eq!(found.rows(6, 4), (vec![0, 1, 2, 3], 4));
        assert_eq!(found.rows_filling(6, 12), (vec![0, 1, 2, 3, 25, 56], 0));
        assert_eq!(found.rows_filling(3, 12), (vec![0, 1, 25, 56], 0));
        assert_eq!(found.rows_filling(1, 2), (vec![0, 1], 2));
    }
}
