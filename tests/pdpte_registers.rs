//! The four PDPTE registers (SDM 4.4.1): they change at load events and at nothing else, all four or
//! none, and an access sees them and never the table in memory.

mod reference;

use mmuscope::arch::address::Num;
use mmuscope::arch::{Features, Gpa, Gva};
use mmuscope::engine::{AnyVm, Outcome as Got, Quiet};
use mmuscope::machine::Command;
use mmuscope::machine::command::Size;
use reference::cpu::{
    CR0_CD, CR0_ET, CR0_NW, CR0_PE, CR0_PG, CR0_WP, CR4_PAE, CR4_PGE, CR4_PKE, CR4_PSE, CR4_SMAP, CR4_SMEP, EFER_NXE,
};
use reference::drive::{NO_CACHES, Op, World, both};
use reference::{Access, Cpu, Kind, Memory, Random};

/// Tables of PDPTEs, two of them in one page with other data.
const TABLES: [u64; 3] = [0x3020, 0x3fe0, 0x8000];
const DIRECTORIES: [u64; 3] = [0x5000, 0x6000, 0x7000];
const CR0_TS: u64 = 1 << 3;

fn world(random: &mut Random) -> World {
    let mut memory = Memory::default();
    for table in TABLES {
        for i in 0..4 {
            memory.set_word(table + 8 * i, random.pick(&DIRECTORIES) | 1);
        }
    }
    for (i, directory) in DIRECTORIES.into_iter().enumerate() {
        memory.set_word(directory, (i as u64 + 1) << 21 | 0xe7);
        // What stands for tables of 32-bit paging too.
        memory.set_word(directory + 8, 0x5067);
    }
    let mut cpu = Cpu {
        maxphyaddr: 36,
        amd: false,
        gb_pages: false,
        pse36: true,
        cr0: CR0_PE | CR0_ET | CR0_PG,
        cr3: TABLES[0],
        cr4: CR4_PAE,
        efer: EFER_NXE,
        pkru: 0,
        pdptes: [0; 4],
    };
    cpu.load_pdptes(&memory, cpu.cr3);
    World { cpu, features: Features::all() - Features::CET, memory }
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Plain(Op),
    /// Toggles bits.
    Cr0(u64),
    Cr4(u64),
    Cr3(u64),
    Nxe,
    Invpcid,
}

fn step(random: &mut Random) -> Step {
    match random.below(16) {
        0..=3 => {
            let entry = random.pick(&DIRECTORIES) | u64::from(!random.one_in(4));
            let value = if random.one_in(6) { entry ^ 1 << random.below(64) } else { entry };
            Step::Plain(Op::Poke { at: random.pick(&TABLES) + 8 * random.below(4), value })
        }
        4 => Step::Plain(Op::Invlpg(random.below(4) << 30)),
        5..=8 => Step::Plain(Op::Access(Access {
            va: random.below(4) << 30 | random.below(1 << 21),
            kind: random.pick(&[Kind::Read, Kind::Write, Kind::Fetch]),
            user: random.coin(),
            ac: false,
            stack: false,
        })),
        9 | 10 => Step::Cr3(random.pick(&TABLES) | random.below(32)),
        11 | 12 => Step::Cr0(random.pick(&[CR0_WP, CR0_TS, CR0_CD, CR0_NW, CR0_CD | CR0_NW, CR0_PG])),
        13 | 14 => Step::Cr4(random.pick(&[CR4_PSE, CR4_PGE, CR4_SMEP, CR4_SMAP, CR4_PKE, CR4_PAE])),
        _ => random.pick(&[Step::Nxe, Step::Invpcid]),
    }
}

/// The rules: the registers after an accepted step; `None` for #GP.
fn after(cpu: &Cpu, memory: &Memory, step: &Step) -> Option<Cpu> {
    let mut new = cpu.clone();
    let event = match *step {
        Step::Cr0(bits) => {
            new.cr0 ^= bits;
            if new.cr0 & CR0_NW != 0 && new.cr0 & CR0_CD == 0 {
                return None;
            }
            bits & (CR0_CD | CR0_NW | CR0_PG) != 0
        }
        Step::Cr4(bits) => {
            new.cr4 ^= bits;
            bits & (CR4_PAE | CR4_PGE | CR4_PSE | CR4_SMEP) != 0
        }
        Step::Cr3(value) => {
            new.cr3 = value;
            true
        }
        Step::Nxe => {
            new.efer ^= EFER_NXE;
            false
        }
        Step::Invpcid | Step::Plain(_) => false,
    };
    let pae_in_use = new.cr0 & CR0_PG != 0 && new.cr4 & CR4_PAE != 0;
    let cr3 = new.cr3;
    if event && pae_in_use && !new.load_pdptes(memory, cr3) {
        return None;
    }
    Some(new)
}

fn command(cpu: &Cpu, step: &Step) -> Command {
    match *step {
        Step::Cr0(bits) => Command::MovCr0 { val: Num(cpu.cr0 ^ bits), compat: false },
        Step::Cr4(bits) => Command::MovCr4 { val: Num(cpu.cr4 ^ bits), compat: false },
        Step::Cr3(value) => Command::MovCr3 { val: Num(value), compat: false },
        Step::Nxe => Command::WrmsrEfer { val: Num(cpu.efer ^ EFER_NXE), compat: false },
        _ => Command::Invpcid { kind: Num(2), pcid: Num(0), va: Gva(0) },
    }
}

#[test]
fn they_change_at_load_events_only() {
    let (mut loads, mut refusals, mut stale) = (0, 0, 0);
    for seed in 0..4_000 {
        let mut random = Random::new(seed);
        let world = world(&mut random);
        let mut vm = world.start(NO_CACHES);
        let (mut cpu, mut memory) = (world.cpu, world.memory);
        for number in 0..100 {
            let step = step(&mut random);
            if let Step::Plain(op) = step {
                if let Err(what) = both(&mut vm, &mut cpu, &mut memory, &op) {
                    panic!("seed {seed}, step {number}, {op:x?}: {what}");
                }
            } else {
                let got = vm.execute(&command(&cpu, &step), &mut Quiet);
                let wanted = after(&cpu, &memory, &step);
                assert_eq!(got == Got::Done, wanted.is_some(), "seed {seed}, step {number}, {step:x?}: {got:?}");
                let same = wanted.as_ref().is_some_and(|new| new.pdptes == cpu.pdptes);
                loads += u32::from(wanted.is_some() && !same);
                refusals += u32::from(wanted.is_none());
                cpu = wanted.unwrap_or(cpu);
            }
            let now = &vm.machine().cpu;
            assert_eq!(now.pdptes, cpu.pdptes, "seed {seed}, step {number}, {step:x?}");
            assert_eq!((now.regs.cr0.bits(), now.regs.cr3, now.regs.cr4.bits()), (cpu.cr0, cpu.cr3, cpu.cr4));
            stale += u32::from(cpu.pdptes_in_memory(&memory, cpu.cr3) != Some(cpu.pdptes));
        }
    }
    assert!(loads > 5_000 && refusals > 5_000 && stale > 50_000, "{loads} {refusals} {stale}");
}

/// One machine for the experiments: the first PDPTE leads to the first directory.
struct Bench(AnyVm);

impl Bench {
    fn new() -> Self {
        let mut random = Random::new(0);
        let mut world = world(&mut random);
        world.memory.set_word(TABLES[0], DIRECTORIES[0] | 1);
        Self(world.start(NO_CACHES))
    }

    fn run(&mut self, command: Command) -> bool {
        self.0.execute(&command, &mut Quiet) == Got::Done
    }

    fn poke(&mut self, value: u64) {
        assert!(self.run(Command::Poke { pa: Gpa(TABLES[0]), val: Num(value), size: Size::WORD }));
    }

    fn reload(&mut self) -> bool {
        self.run(Command::MovCr3 { val: Num(TABLES[0]), compat: false })
    }

    fn read(&mut self) -> Result<u64, u32> {
        let kind = mmuscope::arch::AccessKind::Read;
        match self.0.execute(&Command::Access { va: Gva(0), kind, user: true, ac: false, stack: false }, &mut Quiet) {
            Got::Translated(found) => Ok(found.gpa.0),
            Got::Faulted(fault) => Err(fault.code.bits()),
            other => panic!("an access gave {other:?}"),
        }
    }
}

const OLD: Result<u64, u32> = Ok(1 << 21);
const NEW: Result<u64, u32> = Ok(2 << 21);

#[test]
fn p1_p7_an_edit_is_seen_after_mov_cr3_only() {
    let mut b = Bench::new();
    assert_eq!(b.read(), OLD);
    b.poke(DIRECTORIES[1] | 1);
    assert_eq!(b.read(), OLD);
    assert!(b.run(Command::Invlpg { va: Gva(0) }));
    assert_eq!(b.read(), OLD, "P7");
    assert!(b.reload());
    assert_eq!(b.read(), NEW);
}

#[test]
fn p2_a_pdpte_that_is_not_present() {
    let mut b = Bench::new();
    b.poke(DIRECTORIES[1]);
    assert_eq!(b.read(), OLD);
    assert!(b.reload());
    assert_eq!(b.read(), Err(4));
}

#[test]
fn p3_p4_reserved_bits_count_in_present_pdptes_only() {
    let mut b = Bench::new();
    for bit in (1..=2).chain(5..=8).chain(36..=63) {
        b.poke(DIRECTORIES[1] | 1 | 1 << bit);
        assert!(!b.reload(), "P3, bit {bit}");
        assert_eq!(b.read(), OLD);
        b.poke(DIRECTORIES[1] | 1 << bit);
        let copy = b.0.clone();
        assert!(b.reload(), "P4, bit {bit}");
        assert_eq!(b.read(), Err(4));
        b.0 = copy;
    }
}

#[test]
fn p5_p6_pge_reloads_and_wp_does_not() {
    let mut b = Bench::new();
    b.poke(DIRECTORIES[1] | 1);
    assert!(b.run(Command::MovCr0 { val: Num(CR0_PE | CR0_PG | CR0_WP), compat: false }));
    assert_eq!(b.read(), OLD, "P6");
    assert!(b.run(Command::MovCr4 { val: Num(CR4_PAE | CR4_PGE), compat: false }));
    assert_eq!(b.read(), NEW, "P5");
}
