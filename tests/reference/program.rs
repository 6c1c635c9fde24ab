//! Random guest programs over a few tables that may stand at any level: accesses, stores through
//! translation and beside it, invalidations, changes of mode, memory slots that come and go.
//!
//! An [`Author`] writes the next command knowing the registers, so that most commands mean something
//! in the mode in force; nothing it writes depends on the engine, but where devices may store.

use std::collections::VecDeque;

use mmuscope::arch::address::Num;
use mmuscope::arch::{AccessKind, Features, Gpa, Gva};
use mmuscope::machine::Command;
use mmuscope::machine::command::{Size, SlotAction};

use super::caches::{Indices, span};
use super::case::Case;
use super::cpu::{
    CR0_CD, CR0_ET, CR0_NW, CR0_PE, CR0_PG, CR0_WP, CR4_LA57, CR4_PAE, CR4_PCIDE, CR4_PGE, CR4_PKE, CR4_PSE, CR4_SMAP,
    CR4_SMEP, Cpu, EFER_LME, EFER_NXE, Mode,
};
use super::drive::World;
use super::{Memory, Random};

/// Tables, two of which are roots. All may stand at any level below.
const TABLES: [u64; 6] = [0x1000, 0x2000, 0x3000, 0x4000, 0x5000, 0x6000];
/// PDPTs: 32 bytes each, in pages that are tables of other modes too.
const PDPTS: [u64; 2] = [TABLES[0] + 0x20, TABLES[1] + 0x20];
/// A frame that no 4 KiB entry names, so that it is never a table: only a large page or an unpaged
/// access leads there.
const NO_TABLE: u64 = 0x7000;
/// The first slot of a program whose memory is in pieces: the tables, and the frame above.
const SMALL_RAM: u64 = 0x8000;
/// All memory that a program uses, in one slot.
const LARGE_RAM: u64 = 0x100_0000;
/// Slots that come and go: first byte and size.
const SLOTS: [(u64, u64); 4] =
    [(0x20_0000, 0x2000), (0x40_0000, 0x1000), (0x60_0000, 0x20_0000), (0x1_0000_0000, 0x3000)];
const NO_FLUSH: u64 = 1 << 63;
const P: u64 = 1;
const PS: u64 = 1 << 7;
const XD: u64 = 1 << 63;

/// The indices that a program uses in the tables of a mode, those of level 1 first.
pub const fn indices(mode: Mode) -> Indices<'static> {
    match mode {
        Mode::Unpaged => &[],
        // Both halves of a table and two quarters of a directory, which shadows split.
        Mode::Bits32 => &[&[0, 1, 2, 0x200], &[0, 2, 0x302]],
        Mode::Pae => &[&[0, 1, 2], &[0, 1], &[0, 1, 3]],
        Mode::FourLevel => &[&[0, 1], &[0, 1], &[0, 1], &[0, 1]],
        Mode::FiveLevel => &[&[0, 1], &[0, 1], &[0], &[0, 1], &[0, 1]],
    }
}

/// Writes programs.
pub struct Author {
    random: Random,
    /// Commands of a longer undertaking, a change of mode.
    planned: VecDeque<Command>,
    /// The pages that were used last: programs come back to them.
    recent: [u64; 3],
    /// No store of a device may hit what could be a table: a shadow MMU would not see it.
    devices_spare_tables: bool,
    ram: u64,
}

impl Author {
    /// The start state of the program of a seed, and its author.
    pub fn begin(seed: u64, devices_spare_tables: bool) -> (Case, Self) {
        let mut random = Random::new(seed);
        let mode = random.pick(&[
            Mode::FourLevel,
            Mode::FourLevel,
            Mode::FourLevel,
            Mode::FiveLevel,
            Mode::Pae,
            Mode::Pae,
            Mode::Bits32,
            Mode::Bits32,
            Mode::Unpaged,
        ]);
        let ram = random.pick(&[SMALL_RAM, LARGE_RAM]);
        let mut author = Self { random, planned: VecDeque::new(), recent: [0; 3], devices_spare_tables, ram };
        let world = author.world(mode);
        (Case { world, ram, commands: Vec::new() }, author)
    }

    fn world(&mut self, mode: Mode) -> World {
        let mut memory = Memory::default();
        let width = self.random.pick(&[36, 40, 40, 52]);
        let mut cpu = Cpu {
            maxphyaddr: width,
            amd: self.random.one_in(4),
            gb_pages: true,
            pse36: true,
            cr0: CR0_PE | CR0_ET | CR0_WP,
            cr3: 0,
            cr4: 0,
            efer: 0,
            pkru: 0,
            pdptes: [0; 4],
        };
        self.enter(&mut cpu, mode);
        for table in TABLES {
            for index in 0..3 {
                memory.set_word(table + 8 * index, self.entry(&cpu, table));
            }
            for far in [0x800, 0xc08] {
                memory.set_word(table + far, self.entry(&cpu, table));
            }
        }
        for pdpt in PDPTS {
            for index in 0..4 {
                memory.set_word(pdpt + 8 * index, self.pdpte());
            }
        }
        World { cpu, features: Features::all() - Features::CET, memory }
    }

    /// Registers for a mode.
    fn enter(&mut self, cpu: &mut Cpu, mode: Mode) {
        let random = &mut self.random;
        let either = |random: &mut Random, bit: u64| if random.coin() { bit } else { 0 };
        let common = CR4_PGE | either(random, CR4_SMEP | CR4_SMAP) & random.next();
        let nxe = either(random, EFER_NXE) | either(random, EFER_NXE) | either(random, EFER_NXE);
        let root = random.pick(&TABLES[..2]);
        cpu.cr0 |= CR0_PG;
        (cpu.cr3, cpu.cr4, cpu.efer) = match mode {
            Mode::Unpaged => (root, either(random, CR4_PAE) | common, nxe),
            Mode::Bits32 => (root, either(random, CR4_PSE) | common, nxe),
            Mode::Pae => (random.pick(&PDPTS), CR4_PAE | common, nxe),
            Mode::FourLevel => (root, CR4_PAE | either(random, CR4_PCIDE) | common, nxe | EFER_LME),
            Mode::FiveLevel => (root, CR4_PAE | CR4_LA57 | either(random, CR4_PCIDE) | common, nxe | EFER_LME),
        };
        if mode == Mode::Unpaged {
            cpu.cr0 &= !CR0_PG;
        }
    }

    /// A word for a table of the mode in force, or for what lies elsewhere: an entry of 8 bytes, or
    /// two of 4.
    fn entry(&mut self, cpu: &Cpu, at: u64) -> u64 {
        let place = Place::of(at);
        if cpu.mode() == Mode::Bits32 {
            return self.entry_32bit(place) | self.entry_32bit(place) << 32;
        }
        let random = &mut self.random;
        let large = place.large(random);
        let mut entry = match large {
            // Half of them may be 1 GiB pages too.
            true => (if random.coin() { 0 } else { random.below(8) << 21 }) | PS,
            false if place.data(random) => random.pick(&[0, SLOTS[0].0, SLOTS[0].0 + 0x1000, SLOTS[1].0, SLOTS[3].0]),
            false => random.pick(&TABLES),
        };
        entry |= low_bits(random, place);
        let long = matches!(cpu.mode(), Mode::FourLevel | Mode::FiveLevel);
        if long && random.one_in(4) {
            entry |= random.below(4) << 59;
        }
        if random.one_in(60) {
            entry |= random.pick(&[1 << 51, 1 << 40, 1 << 36, if large { 1 << 13 } else { 0 }]);
        }
        entry | u64::from(random.one_in(if cpu.nxe() { 10 } else { 60 })) << 63
    }

    fn entry_32bit(&mut self, place: Place) -> u64 {
        let random = &mut self.random;
        let large = place.large(random);
        let mut entry = match large {
            true => random.below(4) << 22 | PS,
            false if place.data(random) => random.pick(&[0, SLOTS[0].0, SLOTS[1].0]),
            false => random.pick(&TABLES),
        };
        entry |= low_bits(random, place);
        if random.one_in(60) {
            entry |= random.pick(&[1 << 21, 1 << 16, if large { 1 << 13 } else { 0 }]);
        }
        entry
    }

    fn pdpte(&mut self) -> u64 {
        let random = &mut self.random;
        let present = u64::from(!random.one_in(6));
        let entry = random.pick(&TABLES) | present;
        if random.one_in(30) { entry | random.pick(&[1 << 1, 1 << 5, 1 << 52, XD]) } else { entry }
    }

    /// The next command.
    pub fn next(&mut self, cpu: &Cpu) -> Command {
        if !self.planned.is_empty() && !self.random.one_in(5) {
            return self.planned.pop_front().expect("it is not empty");
        }
        if cpu.mode() == Mode::Unpaged && self.random.one_in(12) {
            return self.change_mode(cpu);
        }
        match self.random.below(100) {
            0..=37 => self.access(cpu),
            38..=49 => self.write(cpu),
            50..=52 => self.read(cpu),
            53..=69 => self.poke(cpu),
            70..=73 => Command::Invlpg { va: self.address(cpu) },
            74..=77 => self.invpcid(cpu),
            78..=82 => self.mov_cr3(cpu),
            83..=86 => self.mov_cr4(cpu),
            87..=89 => self.mov_cr0(cpu),
            90 => Command::Wrpkru { val: Num(self.random.next() & 0xff) },
            91 => self.wrmsr_efer(cpu),
            92 => self.change_mode(cpu),
            93 => self.set_sregs(cpu),
            94 | 95 => self.memslot(),
            96 | 97 => Command::DirtyLog { gpa: Gpa(self.slot().0) },
            _ => self.dma(cpu),
        }
    }

    /// An address in the program's pages, without its offset.
    fn page(&mut self, cpu: &Cpu) -> u64 {
        let recent = self.random.pick(&self.recent);
        if self.random.coin() && is_used(cpu.mode(), recent) {
            return recent;
        }
        let page = self.new_page(cpu.mode());
        self.recent.rotate_right(1);
        self.recent[0] = page;
        page
    }

    fn new_page(&mut self, mode: Mode) -> u64 {
        let random = &mut self.random;
        if mode == Mode::Unpaged {
            return random.pick(&[0, 0x1000, 0x2000, 0x3000, 0x6000, NO_TABLE, SLOTS[0].0, SLOTS[2].0, 0xffff_f000]);
        }
        let at = |(i, of): (usize, &&[u64])| random.pick(of) << span(mode, i as u32 + 1);
        indices(mode).iter().enumerate().map(at).sum()
    }

    fn address(&mut self, cpu: &Cpu) -> Gva {
        let long = matches!(cpu.mode(), Mode::FourLevel | Mode::FiveLevel);
        if long && self.random.one_in(60) {
            let width = if cpu.mode() == Mode::FourLevel { 48 } else { 57 };
            return Gva(self.random.pick(&[1 << (width - 1), 1 << 63, !0 << width]));
        }
        let high = if !long && self.random.one_in(20) { 1 << 32 } else { 0 };
        Gva(self.page(cpu) | self.random.pick(&[0, 8, 0x123, 0xfff]) | high)
    }

    /// Who accesses: CPL 3, RFLAGS.AC.
    fn who(&mut self) -> (bool, bool) {
        (self.random.coin(), self.random.one_in(3))
    }

    fn access(&mut self, cpu: &Cpu) -> Command {
        let (user, ac) = self.who();
        let va = self.address(cpu);
        let kind = self.random.pick(&[AccessKind::Read, AccessKind::Write, AccessKind::Fetch]);
        Command::Access { va, kind, user, ac, stack: kind != AccessKind::Fetch && self.random.one_in(16) }
    }

    fn size(&mut self) -> Size {
        let bytes = self.random.pick(&[8, 8, 8, 4, 4, 2, 1]);
        Size::new(bytes).expect("a size")
    }

    /// Address and size of a data access.
    fn operand(&mut self, cpu: &Cpu) -> (Gva, Size) {
        let size = self.size();
        let edge = match cpu.mode() {
            Mode::FourLevel => 1 << 47,
            Mode::FiveLevel => 1 << 56,
            _ => 0,
        };
        if edge > 0 && u64::from(size) > 1 && self.random.one_in(80) {
            // Part of it is canonical.
            return (Gva(edge - 1 - self.random.below(u64::from(size) - 1)), size);
        }
        (self.operand_address(cpu), size)
    }

    /// The address of a data access: an entry, the middle of one, or the end of a page.
    fn operand_address(&mut self, cpu: &Cpu) -> Gva {
        let page = self.page(cpu);
        // The page above is one of the program's if that index is: a store may then cross.
        let next_is_known = cpu.mode() == Mode::Unpaged || is_used(cpu.mode(), page + 0x1000);
        let offset = match self.random.below(8) {
            0..=3 => self.place_in_table(),
            4 => 8 * self.random.below(3) + self.random.below(8),
            5 if next_is_known => 0xff9 + self.random.below(7),
            6 => 0xff8,
            _ => self.random.below(0xff9),
        };
        Gva(page | offset)
    }

    /// The offset of an entry that the program uses.
    fn place_in_table(&mut self) -> u64 {
        self.random.pick(&[0, 0, 8, 8, 0x10, 0x20, 0x28, 0x38, 0x800, 0xc08])
    }

    /// What is stored: an entry, or part of one.
    fn value(&mut self, cpu: &Cpu, at: u64, size: Size) -> Num {
        let entry = match self.random.below(16) {
            0 => 0,
            1 => self.pdpte(),
            _ => self.entry(cpu, at),
        };
        let bits = 8 * u64::from(size);
        if bits == 64 {
            return Num(entry);
        }
        let part = entry >> (bits * self.random.below(64 / bits));
        Num(part & ((1 << bits) - 1))
    }

    fn write(&mut self, cpu: &Cpu) -> Command {
        let (user, ac) = self.who();
        let (va, size) = self.operand(cpu);
        // Which table it hits, the walk decides.
        let at = self.random.pick(&TABLES);
        Command::Write { va, val: self.value(cpu, at, size), size, user, ac }
    }

    fn read(&mut self, cpu: &Cpu) -> Command {
        let (user, ac) = self.who();
        let (va, size) = self.operand(cpu);
        Command::Read { va, size, user, ac }
    }

    /// A place in a table for a store that does not cross its page.
    fn table_word(&mut self, size: Size) -> u64 {
        let table = self.random.pick(&TABLES);
        let offset = match self.random.below(10) {
            0..=6 => self.place_in_table() + self.random.pick(&[0, 0, 0, 4]),
            7 | 8 => 8 * self.random.below(3) + self.random.below(8),
            _ => self.random.below(0x1000),
        };
        table + offset.min(0x1000 - u64::from(size))
    }

    fn poke(&mut self, cpu: &Cpu) -> Command {
        let size = self.size();
        let outside = self.random.one_in(12);
        let pa =
            if outside { self.random.pick(&[NO_TABLE, SLOTS[0].0, SLOTS[1].0 + 8]) } else { self.table_word(size) };
        // Mostly what belongs there: a PDPTE where PDPTs lie.
        let in_pdpt = size == Size::WORD && PDPTS.iter().any(|pdpt| (*pdpt..*pdpt + 32).contains(&pa));
        let val = if in_pdpt && pa.is_multiple_of(8) { Num(self.pdpte()) } else { self.value(cpu, pa, size) };
        Command::Poke { pa: Gpa(pa), val, size }
    }

    fn dma(&mut self, cpu: &Cpu) -> Command {
        let size = self.size();
        let spare = self.devices_spare_tables || self.random.coin();
        let pa = if spare { NO_TABLE + 8 * self.random.below(4) } else { self.table_word(size) };
        Command::Dma { pa: Gpa(pa), val: self.value(cpu, pa, size), size }
    }

    fn invpcid(&mut self, cpu: &Cpu) -> Command {
        let kind = if self.random.one_in(20) { 4 } else { self.random.below(4) };
        let pcid = if self.random.one_in(20) { 1 << 12 } else { self.random.below(3) };
        Command::Invpcid { kind: Num(kind), pcid: Num(pcid), va: self.address(cpu) }
    }

    fn cr3(&mut self, mode: Mode, pcide: bool) -> u64 {
        let random = &mut self.random;
        let root = if mode == Mode::Pae { random.pick(&PDPTS) } else { random.pick(&TABLES[..2]) };
        match mode {
            Mode::FourLevel | Mode::FiveLevel if pcide => {
                root | random.below(3) | if random.coin() { NO_FLUSH } else { 0 }
            }
            _ => root | random.pick(&[0, 0, 0, 8, 0x18]),
        }
    }

    fn mov_cr3(&mut self, cpu: &Cpu) -> Command {
        let compat = self.random.one_in(8);
        let mut value = self.cr3(cpu.mode(), cpu.cr4 & CR4_PCIDE != 0);
        if self.random.one_in(40) {
            value |= self.random.pick(&[1 << 45, NO_FLUSH, 1 << 36]);
        }
        Command::MovCr3 { val: Num(value), compat }
    }

    fn mov_cr4(&mut self, cpu: &Cpu) -> Command {
        let bits = [CR4_PGE, CR4_SMEP, CR4_SMAP, CR4_PKE, CR4_PSE, CR4_PCIDE, CR4_PAE, CR4_LA57];
        let mut value = cpu.cr4 ^ self.random.pick(&bits);
        if self.random.one_in(4) {
            value ^= self.random.pick(&bits);
        }
        Command::MovCr4 { val: Num(value), compat: self.random.one_in(8) }
    }

    fn mov_cr0(&mut self, cpu: &Cpu) -> Command {
        let bits = self.random.pick(&[CR0_WP, CR0_WP, CR0_WP, CR0_WP, CR0_WP, CR0_CD, CR0_CD | CR0_NW, CR0_NW, CR0_PG]);
        Command::MovCr0 { val: Num(cpu.cr0 ^ bits), compat: self.random.one_in(4) }
    }

    fn wrmsr_efer(&mut self, cpu: &Cpu) -> Command {
        let bits = self.random.pick(&[EFER_NXE, EFER_NXE, EFER_NXE, EFER_LME, 1 << 10, 1 << 9]);
        Command::WrmsrEfer { val: Num(cpu.efer ^ bits), compat: false }
    }

    fn any_mode(&mut self) -> Mode {
        self.random.pick(&[Mode::Unpaged, Mode::Bits32, Mode::Pae, Mode::FourLevel, Mode::FiveLevel])
    }

    /// The legal way to another mode, one command at a time (SDM 9.8.5): the first of them now.
    fn change_mode(&mut self, cpu: &Cpu) -> Command {
        let mode = self.any_mode();
        let mut target = cpu.clone();
        self.enter(&mut target, mode);
        let pcide = target.cr4 & CR4_PCIDE;
        let cr4 = |value: u64| Command::MovCr4 { val: Num(value), compat: false };
        let cr3 = Command::MovCr3 { val: Num(target.cr3), compat: false };
        let both_legacy = |a: Mode, b: Mode| a == Mode::Bits32 && b == Mode::Pae || a == Mode::Pae && b == Mode::Bits32;
        self.planned.clear();
        if both_legacy(cpu.mode(), mode) {
            // With paging on: the bit alone; CR3 first leads to a place where a PDPT lies as well.
            self.planned.extend([Command::MovCr3 { val: Num(target.cr3 | 0x20), compat: false }, cr4(target.cr4), cr3]);
        } else {
            let unpaged = cpu.cr0 & !CR0_PG;
            self.planned.extend([
                cr4(cpu.cr4 & !CR4_PCIDE),
                Command::MovCr0 { val: Num(unpaged), compat: true },
                cr4(target.cr4 & !CR4_PCIDE),
                Command::WrmsrEfer { val: Num(target.efer), compat: false },
                cr3,
                Command::MovCr0 { val: Num(target.cr0), compat: true },
            ]);
            if pcide != 0 {
                self.planned.push_back(cr4(target.cr4));
            }
        }
        // A kernel would have built tables in the new format.
        for table in TABLES {
            for index in 0..2 {
                let (pa, val) = (Gpa(table + 8 * index), Num(self.entry(&target, table)));
                self.planned.push_back(Command::Poke { pa, val, size: Size::WORD });
            }
        }
        self.planned.pop_front().expect("something was planned")
    }

    fn set_sregs(&mut self, cpu: &Cpu) -> Command {
        let mut target = cpu.clone();
        if self.random.coin() {
            let mode = self.any_mode();
            self.enter(&mut target, mode);
        }
        target.cr3 = self.cr3(target.mode(), target.cr4 & CR4_PCIDE != 0) & !NO_FLUSH;
        let [cr0, cr3, cr4, efer] = [target.cr0, target.cr3, target.cr4, target.efer].map(Num);
        Command::SetSregs { cr0, cr3, cr4, efer }
    }

    fn slot(&mut self) -> (u64, u64) {
        let first = (0, self.ram);
        if self.random.coin() { first } else { self.random.pick(&SLOTS) }
    }

    fn memslot(&mut self) -> Command {
        let (base, size) = self.slot();
        let random = &mut self.random;
        let action = match random.below(if base == 0 { 12 } else { 5 }) {
            0 => SlotAction::Remove,
            1 | 2 => SlotAction::Add,
            _ => SlotAction::Log,
        };
        if action == SlotAction::Remove && base == 0 {
            // Without it no program goes on for long: it comes back soon.
            let back = Command::Memslot { gpa: Gpa(0), size: Num(size), action: SlotAction::Add };
            self.planned.push_back(back);
        }
        let size = if action == SlotAction::Add { size } else { 0 };
        Command::Memslot { gpa: Gpa(base), size: Num(size), action }
    }
}

/// Whether an address is one of the program's in a mode.
fn is_used(mode: Mode, la: u64) -> bool {
    let index = |level: usize| la >> span(mode, level as u32) & if mode == Mode::Bits32 { 0x3ff } else { 0x1ff };
    let levels = indices(mode);
    levels.iter().zip(1..).all(|(of, level)| of.contains(&index(level)))
        && la >> span(mode, levels.len() as u32 + 1) == 0
}

/// What a word is likely to be used for: any table may stand at any level, but the deeper ones lead
/// to pages more often.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Root,
    Middle,
    Deep,
}

impl Place {
    const fn of(at: u64) -> Self {
        match at {
            0x1000..0x3000 => Self::Root,
            0x3000..0x5000 => Self::Middle,
            _ => Self::Deep,
        }
    }

    fn large(self, random: &mut Random) -> bool {
        random.one_in(match self {
            Self::Root => 40,
            Self::Middle => 8,
            Self::Deep => 5,
        })
    }

    fn data(self, random: &mut Random) -> bool {
        random.one_in(match self {
            Self::Root => 40,
            Self::Middle => 10,
            Self::Deep => 3,
        })
    }
}

/// P, R/W, U/S, A, D and G, mostly as a kernel would set them.
fn low_bits(random: &mut Random, place: Place) -> u64 {
    if random.coin() {
        return P | 0x6 | 0x60 & random.next();
    }
    let mut bits = if random.one_in(8) { 0 } else { P };
    for bit in [1, 2] {
        bits |= u64::from(!random.one_in(4)) << bit;
    }
    for (bit, one_in) in [(5, 3), (6, 3), (8, if place == Place::Root { 20 } else { 3 })] {
        bits |= u64::from(random.one_in(one_in)) << bit;
    }
    bits
}
