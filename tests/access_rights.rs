//! Every combination of page-table and control bits that kvm-unit-tests' `access.c` goes through,
//! against its model of the expected outcome.
//!
//! A case is a set of 31 conditions. The ones that cannot matter are left out (with a large page
//! the PTE is not read, without a present PDE nothing below it is), the rest is enumerated whole.

mod reference;

use mmuscope::arch::Features;
use mmuscope::arch::address::Num;
use mmuscope::arch::walk::TableMemory;
use mmuscope::arch::{Gpa, Gva};
use mmuscope::engine::{AnyVm, Quiet};
use mmuscope::machine::command::Size;
use mmuscope::machine::{Caches, Command};
use reference::cpu::{
    CR0_ET, CR0_PE, CR0_PG, CR0_WP, CR4_LA57, CR4_PAE, CR4_PKE, CR4_PSE, CR4_SMEP, EFER_LME, EFER_NXE,
};
use reference::drive::{ALL_CACHES, NO_CACHES, World, access_command, outcome};
use reference::{Access, Cpu, Kind, Memory, Outcome};

/// The conditions, in the order of `access.c`.
mod bit {
    pub const PTE_RW: u32 = 1 << 0;
    pub const PTE_USER: u32 = 1 << 1;
    pub const PTE_A: u32 = 1 << 2;
    pub const PTE_D: u32 = 1 << 3;
    pub const PTE_NX: u32 = 1 << 4;
    pub const PTE_P: u32 = 1 << 5;
    pub const PTE_51: u32 = 1 << 6;
    pub const PTE_36: u32 = 1 << 7;
    pub const PDE_RW: u32 = 1 << 8;
    pub const PDE_USER: u32 = 1 << 9;
    pub const PDE_A: u32 = 1 << 10;
    pub const PDE_D: u32 = 1 << 11;
    pub const PDE_PSE: u32 = 1 << 12;
    pub const PDE_NX: u32 = 1 << 13;
    pub const PDE_P: u32 = 1 << 14;
    pub const PDE_51: u32 = 1 << 15;
    pub const PDE_36: u32 = 1 << 16;
    pub const PDE_13: u32 = 1 << 17;
    pub const PDPTE_RO: u32 = 1 << 18;
    pub const PKRU_AD: u32 = 1 << 19;
    pub const PKRU_WD: u32 = 1 << 20;
    pub const PKEY: u32 = 1 << 21;
    pub const USER: u32 = 1 << 22;
    pub const WRITE: u32 = 1 << 23;
    pub const FETCH: u32 = 1 << 24;
    pub const TWICE: u32 = 1 << 25;
    pub const NXE: u32 = 1 << 26;
    pub const WP: u32 = 1 << 27;
    pub const SMEP: u32 = 1 << 28;
    pub const PKE: u32 = 1 << 29;
    pub const FEP: u32 = 1 << 30;

    pub const PTE: u32 = 0xff;
    pub const PDE: u32 = 0x3ff00;
    pub const KEYS: u32 = PKRU_AD | PKRU_WD | PKEY | PKE;
}
use bit::*;

/// The conditions that a processor does not offer.
fn invalid(maxphyaddr: u32, pku: bool, forced_emulation: bool) -> u32 {
    let mut mask = SMEP;
    if maxphyaddr >= 52 {
        mask |= PTE_51 | PDE_51;
    }
    if maxphyaddr >= 37 {
        mask |= PTE_36 | PDE_36;
    }
    if !pku {
        mask |= KEYS;
    }
    if !forced_emulation {
        mask |= FEP;
    }
    mask
}

/// The conditions that make an entry's bits reserved in this case.
fn reserved_of(case: u32) -> u32 {
    let nx = if case & NXE == 0 { PTE_NX | PDE_NX } else { 0 };
    case & (PTE_51 | PTE_36 | PDE_51 | PDE_36 | PDE_13 | nx)
}

/// What `access.c` leaves out, apart from its rule that SMEP is never set in this loop.
fn legal(case: u32) -> bool {
    let has = |bits| case & bits == bits;
    !(has(FETCH | WRITE)
        || has(USER | SMEP)
        || case & PKE == 0 && case & (PKRU_AD | PKRU_WD) != 0
        || has(PDE_13) && !has(PDE_PSE)
        || reserved_of(case).count_ones() > 1)
}

/// All cases within `mask` of valid conditions, in counting order.
fn cases(valid: u32) -> impl Iterator<Item = u32> {
    let mut next = Some(0u32);
    std::iter::from_fn(move || {
        let case = next?;
        let following = (case | !valid).wrapping_add(1) & valid;
        next = (following != 0).then_some(following);
        Some(case)
    })
}

/// The case without the conditions that nothing in it can depend on: entries that the walk does not
/// reach, and what would count only if it went further.
fn without_dead_conditions(case: u32) -> u32 {
    let request = USER | WRITE | FETCH | NXE | SMEP;
    if case & PDE_P == 0 {
        return case & request;
    }
    let reserved = reserved_of(case);
    if reserved & PDE != 0 {
        let kept = if reserved & PDE_13 != 0 { PDE_PSE } else { 0 };
        return case & (request | PDE_P | PDE_A | reserved | kept);
    }
    if case & PDE_PSE != 0 {
        return case & !PTE;
    }
    if case & PTE_P == 0 {
        return case & (request | PDE_P | PDE_A);
    }
    if reserved & PTE != 0 {
        return case & (request | PDE_P | PDE_A | PTE_P | PTE_A | reserved);
    }
    case & !PDE_D
}

fn is_reduced(case: u32) -> bool {
    legal(case) && without_dead_conditions(case) == case
}

/// What must happen: the error code of a fault, and the A and D bits in PDE and PTE afterwards.
#[derive(Debug, PartialEq, Eq)]
struct Expected {
    fault: Option<u32>,
    pde: u64,
    pte: u64,
}

/// The model of one access: which bits of PDE and PTE it sets, or the code of its fault.
struct Model {
    case: u32,
    pde: u64,
    pte: u64,
}

impl Model {
    fn has(&self, bits: u32) -> bool {
        self.case & bits != 0
    }

    /// `request` is the part of USER, WRITE and FETCH that this access makes.
    fn access(&mut self, request: u32) -> Option<u32> {
        let (user, write, fetch) = (request & USER != 0, request & WRITE != 0, request & FETCH != 0);
        let reports_fetch = fetch && (self.has(NXE) || self.has(SMEP));
        let asked = u32::from(write) << 1 | u32::from(user) << 2 | u32::from(reports_fetch) << 4;
        let reserved = reserved_of(self.case);
        if !self.has(PDE_P) {
            return Some(asked);
        }
        if reserved & PDE != 0 {
            return Some(asked | 0b1001);
        }
        let mut writable = !self.has(PDPTE_RO) && self.has(PDE_RW);
        let mut reachable = self.has(PDE_USER);
        let mut fetchable = !self.has(PDE_NX);
        let large = self.has(PDE_PSE);
        if !large {
            if !self.has(PTE_P) {
                return Some(asked);
            }
            if reserved & PTE != 0 {
                return Some(asked | 0b1001);
            }
            writable &= self.has(PTE_RW);
            reachable &= self.has(PTE_USER);
            fetchable &= !self.has(PTE_NX);
        }
        let kernel_may_write = !self.has(WP) && !user;
        let mut fault = user && !reachable
            || write && !writable && !kernel_may_write
            || fetch && !fetchable
            || fetch && reachable && self.has(SMEP);
        let mut key = 0;
        if reachable && !fetch && self.has(PKEY) && self.has(PKE) {
            let denied = self.has(PKRU_AD) || write && self.has(PKRU_WD) && !kernel_may_write;
            fault |= denied;
            key = u32::from(denied) << 5;
        }
        if fault {
            return Some(asked | 1 | key);
        }
        let dirty = if write { 0x40 } else { 0 };
        self.pde |= 0x20 | if large { dirty } else { 0 };
        self.pte |= if large { 0 } else { 0x20 | dirty };
        None
    }
}

fn expect(case: u32, pde: u64, pte: u64) -> Expected {
    let mut model = Model { case, pde, pte };
    if case & TWICE != 0 {
        // A kernel read first, for its A bits only.
        model.access(0);
    }
    let fault = model.access(case & (USER | WRITE | FETCH));
    Expected { fault, pde: model.pde, pte: model.pte }
}

/// How a paging mode writes the conditions down.
struct Layout {
    /// Registers that all cases share.
    cpu: Cpu,
    features: Features,
    /// Conditions that exist in this mode.
    valid: u32,
    /// Bits of an entry: NX, "51", "36", "13".
    high: [u64; 4],
    /// Tables from the top to the PDE's; then the PTE's.
    pde_at: u64,
    pte_at: u64,
    /// The PDPTE, where it has R/W.
    pdpte_at: Option<u64>,
    memory: Memory,
    va: u64,
}

const PAGE: u64 = 32 << 20;
const PAGE_TABLE: u64 = 33 << 20;
const POOL: u64 = (33 << 20) + 0x1000;

/// Long mode: tables above the PDE at fixed places, all with P, R/W, U/S and A.
fn long_layout(levels: u64, maxphyaddr: u32) -> Layout {
    let va: u64 = 0xffff_9234_0000_0000;
    let index = |level: u64| va >> (12 + 9 * (level - 1)) & 0x1ff;
    let mut memory = Memory::default();
    let table = |level: u64| POOL + (levels - level) * 0x1000;
    for level in (3..=levels).rev() {
        memory.set_word(table(level) + 8 * index(level), table(level - 1) | 0x27);
    }
    let la57 = if levels == 5 { CR4_LA57 } else { 0 };
    Layout {
        cpu: cpu(maxphyaddr, CR4_PAE | la57, EFER_LME, table(levels)),
        features: Features::all() - Features::CET,
        valid: !(1 << 31) & !(invalid(maxphyaddr, true, false) & !SMEP),
        high: [1 << 63, 1 << 51, 1 << 36, 1 << 13],
        pde_at: table(2) + 8 * index(2),
        pte_at: PAGE_TABLE + 8 * index(1),
        pdpte_at: Some(table(3) + 8 * index(3)),
        memory,
        va,
    }
}

fn pae_layout() -> Layout {
    let va: u64 = 0x9220_0000;
    let mut memory = Memory::default();
    memory.set_word(POOL + 8 * (va >> 30), (POOL + 0x1000) | 1);
    Layout {
        cpu: cpu(40, CR4_PAE, 0, POOL),
        features: Features::all() - Features::CET,
        valid: !(1 << 31) & !(invalid(40, false, false) & !SMEP) & !PDPTE_RO,
        high: [1 << 63, 1 << 51, 1 << 36, 1 << 13],
        pde_at: POOL + 0x1000 + 8 * (va >> 21 & 0x1ff),
        pte_at: PAGE_TABLE + 8 * (va >> 12 & 0x1ff),
        pdpte_at: None,
        memory,
        va,
    }
}

/// 32-bit paging: no XD, no bits above 31. The reserved bit of a large PDE is 21, without PSE-36
/// also 13.
fn legacy_layout(pse36: bool) -> Layout {
    let va: u64 = 0x9240_0000;
    Layout {
        cpu: Cpu { pse36, ..cpu(40, CR4_PSE, 0, POOL) },
        features: if pse36 {
            Features::all() - Features::CET
        } else {
            Features::all() - Features::CET - Features::PSE36
        },
        valid: !(1 << 31)
            & !(invalid(40, false, false) & !SMEP)
            & !(PDPTE_RO | PTE_NX | PDE_NX | PTE_51 | PDE_51 | NXE),
        high: [0, 0, 0, if pse36 { 1 << 21 } else { 1 << 13 }],
        pde_at: POOL + 4 * (va >> 22),
        pte_at: PAGE_TABLE + 4 * (va >> 12 & 0x3ff),
        pdpte_at: None,
        memory: Memory::default(),
        va,
    }
}

fn cpu(maxphyaddr: u32, cr4: u64, efer: u64, cr3: u64) -> Cpu {
    let cr0 = CR0_PE | CR0_ET | CR0_PG;
    Cpu { maxphyaddr, amd: false, gb_pages: true, pse36: true, cr0, cr3, cr4, efer, pkru: 0, pdptes: [0; 4] }
}

impl Layout {
    fn entry(&self, case: u32, conditions: [u32; 8], target: u64) -> u64 {
        let [p, rw, user, a, d, nx, b51, b36] = conditions;
        let bit = |condition: u32, value: u64| if case & condition != 0 { value } else { 0 };
        let [nx_bit, bit51, bit36, _] = self.high;
        target
            | bit(p, 1)
            | bit(rw, 2)
            | bit(user, 4)
            | bit(a, 0x20)
            | bit(d, 0x40)
            | bit(nx, nx_bit)
            | bit(b51, bit51)
            | bit(b36, bit36)
    }

    fn pte(&self, case: u32) -> u64 {
        let key = if case & PKEY != 0 && case & PDE_PSE == 0 { 1 << 59 } else { 0 };
        self.entry(case, [PTE_P, PTE_RW, PTE_USER, PTE_A, PTE_D, PTE_NX, PTE_51, PTE_36], PAGE) | key
    }

    fn pde(&self, case: u32) -> u64 {
        let large = case & PDE_PSE != 0;
        // Key 2 in a PDE that is no leaf must be ignored.
        let key = if case & PKEY == 0 {
            0
        } else if large {
            1 << 59
        } else {
            2 << 59
        };
        let target = if large { PAGE | 0x80 } else { PAGE_TABLE };
        let bit13 = if case & PDE_13 != 0 { self.high[3] } else { 0 };
        self.entry(case, [PDE_P, PDE_RW, PDE_USER, PDE_A, PDE_D, PDE_NX, PDE_51, PDE_36], target) | key | bit13
    }

    fn cr0(&self, case: u32) -> u64 {
        self.cpu.cr0 | if case & WP != 0 { CR0_WP } else { 0 }
    }

    fn cr4(&self, case: u32) -> u64 {
        let smep = if case & SMEP != 0 { CR4_SMEP } else { 0 };
        self.cpu.cr4 | smep | if case & PKE != 0 { CR4_PKE } else { 0 }
    }

    fn efer(&self, case: u32) -> u64 {
        self.cpu.efer | if case & NXE != 0 { EFER_NXE } else { 0 }
    }

    /// Key 1 as the case says, key 2 fully denied.
    fn pkru(&self, case: u32) -> u64 {
        let bit = |condition: u32, value: u64| if case & condition != 0 { value } else { 0 };
        0x30 | bit(PKRU_AD, 4) | bit(PKRU_WD, 8)
    }
}

/// The machine under test, with the bits that it holds now.
struct Bench<'a> {
    layout: &'a Layout,
    vm: AnyVm,
    entry_bytes: Size,
    invalidate: bool,
    /// CR0, CR4, EFER and PKRU conditions in force.
    registers: Option<u32>,
}

const REGISTERS: u32 = WP | SMEP | PKE | NXE;
const PKRU: u32 = PKRU_AD | PKRU_WD;

impl<'a> Bench<'a> {
    fn new(layout: &'a Layout, caches: Caches) -> Self {
        let world = World { cpu: layout.cpu.clone(), features: layout.features, memory: layout.memory.clone() };
        let bytes = if layout.cpu.cr4 & CR4_PAE != 0 { 8 } else { 4 };
        let entry_bytes = Size::new(bytes).expect("a size");
        Self { layout, vm: world.start(caches), entry_bytes, invalidate: caches != NO_CACHES, registers: None }
    }

    fn run(&mut self, command: &Command) {
        self.vm.execute(command, &mut Quiet);
    }

    fn set_registers(&mut self, case: u32) {
        let changed = self.registers.map_or(!0, |old| old ^ case);
        if changed & REGISTERS != 0 {
            let [cr0, cr4, efer] = [self.layout.cr0(case), self.layout.cr4(case), self.layout.efer(case)].map(Num);
            self.run(&Command::SetSregs { cr0, cr3: Num(self.layout.cpu.cr3), cr4, efer });
        }
        if case & PKE != 0 && changed & (PKRU | PKE) != 0 {
            self.run(&Command::Wrpkru { val: Num(self.layout.pkru(case)) });
        }
        self.registers = Some(case);
    }

    fn store(&mut self, at: u64, value: u64) {
        if self.load(at) != value {
            self.run(&Command::Poke { pa: Gpa(at), val: Num(value), size: self.entry_bytes });
        }
    }

    fn load(&self, at: u64) -> u64 {
        let word = self.vm.machine().memory.read_u64(Gpa(at & !7));
        if self.entry_bytes == Size::WORD { word } else { word >> (8 * (at & 4)) & 0xffff_ffff }
    }

    fn access(&mut self, request: u32) -> Option<Outcome> {
        let kind = match (request & WRITE != 0, request & FETCH != 0) {
            (true, _) => Kind::Write,
            (_, true) => Kind::Fetch,
            _ => Kind::Read,
        };
        let access = Access { va: self.layout.va, kind, user: request & USER != 0, ac: false, stack: false };
        let got = self.vm.execute(&access_command(&access), &mut Quiet);
        outcome(&self.vm, &got)
    }

    /// Carries a case out.
    fn check(&mut self, case: u32) {
        let layout = self.layout;
        self.set_registers(case);
        let (pde, pte) = (layout.pde(case), layout.pte(case));
        if let Some(at) = layout.pdpte_at {
            let rw = if case & PDPTE_RO != 0 { 0 } else { 2 };
            self.store(at, layout.memory.word(at) & !2 | rw);
        }
        self.store(layout.pde_at, pde);
        self.store(layout.pte_at, pte);
        if self.invalidate {
            self.run(&Command::Invlpg { va: Gva(layout.va) });
        }
        if case & TWICE != 0 {
            self.access(0);
        }
        let got = self.access(case & (USER | WRITE | FETCH));
        let expected = expect(case, pde, pte);
        let wanted = match expected.fault {
            Some(code) => Outcome::PageFault { code: u64::from(code), cr2: layout.va },
            None => Outcome::Reaches { pa: PAGE, page_bits: self.page_bits(case) },
        };
        let after = (self.load(layout.pde_at), self.load(layout.pte_at));
        assert!(
            got == Some(wanted) && after == (expected.pde, expected.pte),
            "case {case:#010x}: got {got:x?} and entries {after:x?}, wanted {wanted:x?} and {expected:x?}"
        );
    }

    fn page_bits(&self, case: u32) -> u32 {
        match (case & PDE_PSE != 0, self.entry_bytes == Size::WORD) {
            (false, _) => 12,
            (true, true) => 21,
            (true, false) => 22,
        }
    }
}

/// Checks the cases of a layout that `chosen` accepts; how many there are.
fn check(layout: &Layout, caches: Caches, chosen: fn(u32) -> bool) -> u64 {
    let mut bench = Bench::new(layout, caches);
    let mut count = 0;
    for case in cases(layout.valid).filter(|case| chosen(*case)) {
        bench.check(case);
        count += 1;
    }
    count
}

/// Checks every case in which all conditions matter.
fn check_all(layout: &Layout, caches: Caches) -> u64 {
    check(layout, caches, is_reduced)
}

/// The unreduced space, counted by the filter alone.
fn legal_cases(maxphyaddr: u32, pku: bool) -> usize {
    cases(!(1 << 31) & !invalid(maxphyaddr, pku, false)).filter(|case| legal(*case)).count()
}

#[test]
fn the_filter_leaves_as_many_cases_as_access_c() {
    assert_eq!(legal_cases(40, true), 19_169_280);
    assert_eq!(legal_cases(52, true), 9_338_880);
    assert_eq!(legal_cases(40, false), 1_916_928);
    assert_eq!(legal_cases(36, true), 28_999_680);
}

/// All cases of `access.c` on four levels, with an INVLPG before each as it does.
#[test]
fn four_levels_unreduced() {
    let layout = long_layout(4, 40);
    assert_eq!(check(&layout, ALL_CACHES, |case| case & SMEP == 0 && legal(case)), 19_169_280);
}

#[test]
fn four_levels() {
    assert_eq!(check_all(&long_layout(4, 40), NO_CACHES), 495_612);
}

#[test]
fn four_levels_with_36_address_bits() {
    assert_eq!(check_all(&long_layout(4, 36), NO_CACHES), 495_720);
}

#[test]
fn five_levels() {
    assert_eq!(check_all(&long_layout(5, 40), ALL_CACHES), 495_612);
}

#[test]
fn pae() {
    assert_eq!(check_all(&pae_layout(), ALL_CACHES), 25_020);
}

#[test]
fn legacy() {
    assert_eq!(check_all(&legacy_layout(true), ALL_CACHES), 5_229);
    assert_eq!(check_all(&legacy_layout(false), NO_CACHES), 5_229);
}
