//! Random programs over a few tables that may stand at any level: pokes, invalidations, register
//! writes and accesses.

use mmuscope::arch::address::Num;
use mmuscope::arch::{Features, Gpa, Gva};
use mmuscope::machine::Command;
use mmuscope::machine::command::Size;

use super::caches::Allowed;
use super::cpu::{
    CR0_ET, CR0_PE, CR0_PG, CR0_WP, CR4_PAE, CR4_PCIDE, CR4_PGE, CR4_PKE, CR4_PSE, CR4_SMAP, CR4_SMEP, EFER_LME,
    EFER_NXE,
};
use super::drive::{World, access_command};
use super::{Access, Cpu, Kind, Memory, Random};

const STEPS: u64 = 120;
/// Tables, two of which are roots. All may stand at any level below.
const TABLES: [u64; 6] = [0x1000, 0x2000, 0x3000, 0x4000, 0x5000, 0x6000];
const NO_FLUSH: u64 = 1 << 63;

/// One step of a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    Access(Access),
    Poke(u64, u64),
    Invlpg(u64),
    Invpcid(u64, u64, u64),
    MovCr3(u64),
    /// Toggles these bits of CR4.
    Cr4(u64),
    ToggleWp,
    Pkru(u64),
}

fn entry(random: &mut Random, long: bool) -> u64 {
    let table = random.pick(&TABLES);
    let large = random.one_in(6);
    let mut entry = if large { random.below(8) << 21 | 0x80 } else { table };
    for (bit, one_in) in [(1, 4), (2, 4)] {
        entry |= u64::from(!random.one_in(one_in)) << bit;
    }
    entry |= u64::from(!random.one_in(12));
    for bit in [5, 6, 8] {
        entry |= u64::from(random.one_in(3)) << bit;
    }
    if long && random.one_in(4) {
        entry |= random.below(4) << 59;
    }
    entry | u64::from(random.one_in(8)) << 63
}

/// Every page that a program may touch, by one address in it.
pub fn pages(long: bool) -> Vec<u64> {
    let bits: &[u64] = if long { &[12, 21, 30, 39] } else { &[12, 21, 30] };
    (0..1u64 << bits.len())
        .map(|choice| bits.iter().enumerate().map(|(i, bit)| (choice >> i & 1) << bit).sum())
        .collect()
}

fn address(random: &mut Random, long: bool) -> u64 {
    let levels = if long { 4 } else { 2 };
    let mut va = random.pick(&[0, 0x123, 0xfff]);
    for level in 0..levels {
        va |= random.below(2) << (12 + 9 * level);
    }
    if long { va } else { va | random.below(2) << 30 }
}

fn random_step(random: &mut Random, long: bool) -> Step {
    match random.below(if long { 26 } else { 24 }) {
        0..=12 => Step::Access(Access {
            va: address(random, long),
            kind: random.pick(&[Kind::Read, Kind::Write, Kind::Fetch]),
            user: random.coin(),
            ac: random.one_in(3),
            stack: false,
        }),
        13..=17 => Step::Poke(random.pick(&TABLES) + 8 * random.below(2), entry(random, long)),
        18 => Step::Invlpg(address(random, long)),
        19 | 20 => {
            let root = random.pick(&TABLES[..2]);
            let low = if long { random.below(3) | if random.coin() { NO_FLUSH } else { 0 } } else { 0 };
            Step::MovCr3(root | low)
        }
        21 => Step::Cr4(random.pick(&[CR4_PGE, CR4_SMEP, CR4_SMAP, CR4_PKE, CR4_PSE, CR4_PCIDE])),
        22 => Step::ToggleWp,
        23 => Step::Pkru(random.next() & 0xff),
        _ => Step::Invpcid(random.below(4), random.below(3), address(random, long)),
    }
}

fn random_world(random: &mut Random, long: bool) -> World {
    let mut memory = Memory::default();
    for table in TABLES {
        for index in 0..2 {
            memory.set_word(table + 8 * index, entry(random, long));
        }
    }
    if !long {
        for root in &TABLES[..2] {
            for index in 0..2 {
                memory.set_word(root + 8 * index, random.pick(&TABLES[2..]) | 1);
            }
        }
    }
    let (pcide, lme) = if long { (CR4_PCIDE, EFER_LME) } else { (0, 0) };
    let mut cpu = Cpu {
        maxphyaddr: 40,
        amd: false,
        gb_pages: true,
        pse36: true,
        cr0: CR0_PE | CR0_ET | CR0_PG | CR0_WP,
        cr3: TABLES[0],
        cr4: CR4_PAE | CR4_PGE | pcide,
        efer: lme | EFER_NXE,
        pkru: 0,
        pdptes: [0; 4],
    };
    if !long {
        cpu.load_pdptes(&memory, cpu.cr3);
    }
    World { cpu, features: Features::all() - Features::CET, memory }
}

/// The step as the machine takes it, by the registers before it.
pub fn command(step: &Step, cpu: &Cpu) -> Command {
    match *step {
        Step::Access(access) => access_command(&access),
        Step::Poke(at, value) => Command::Poke { pa: Gpa(at), val: Num(value), size: Size::WORD },
        Step::Invlpg(va) => Command::Invlpg { va: Gva(va) },
        Step::Invpcid(kind, pcid, va) => Command::Invpcid { kind: Num(kind), pcid: Num(pcid), va: Gva(va) },
        Step::MovCr3(value) => Command::MovCr3 { val: Num(value), compat: false },
        Step::Cr4(bits) => Command::MovCr4 { val: Num(cpu.cr4 ^ bits), compat: false },
        Step::ToggleWp => Command::MovCr0 { val: Num(cpu.cr0 ^ CR0_WP), compat: false },
        Step::Pkru(value) => Command::Wrpkru { val: Num(value) },
    }
}

/// What an accepted step must remove from the caches, by the registers before it.
pub fn invalidate(allowed: &mut Allowed, step: &Step, old: &Cpu, new: &Cpu) {
    match *step {
        Step::Access(_) | Step::Poke(..) | Step::ToggleWp | Step::Pkru(_) => {}
        Step::Invlpg(va) => allowed.page(va, old.pcid()),
        Step::Invpcid(0, pcid, va) => allowed.page_of_pcid(va, pcid),
        Step::Invpcid(1, pcid, _) => allowed.pcid(pcid),
        Step::Invpcid(2, ..) => allowed.everything(),
        Step::Invpcid(..) => allowed.all_but_global(),
        Step::MovCr3(value) => {
            let keep = value & NO_FLUSH != 0 && old.cr4 & CR4_PCIDE != 0;
            if !keep {
                allowed.pcid(new.pcid());
            }
        }
        Step::Cr4(CR4_PGE) => allowed.everything(),
        Step::Cr4(CR4_PCIDE) if old.cr4 & CR4_PCIDE != 0 => allowed.everything(),
        Step::Cr4(CR4_SMEP) if old.cr4 & CR4_SMEP == 0 => allowed.pcid_and_global(old.pcid()),
        Step::Cr4(_) => {}
    }
}

/// The model's registers after a step; `false` where the processor refuses it.
pub fn registers_after(cpu: &mut Cpu, memory: &Memory, step: &Step, long: bool) -> bool {
    let old = cpu.clone();
    let reloads = match *step {
        Step::MovCr3(value) => {
            let pcide = cpu.cr4 & CR4_PCIDE != 0;
            if long && !pcide && value & NO_FLUSH != 0 {
                return false;
            }
            cpu.cr3 = value & !NO_FLUSH;
            true
        }
        Step::Cr4(bits) => {
            let sets_pcide = bits == CR4_PCIDE && cpu.cr4 & CR4_PCIDE == 0;
            if sets_pcide && (!long || cpu.cr3 & 0xfff != 0) {
                return false;
            }
            cpu.cr4 ^= bits;
            bits & (CR4_PGE | CR4_PSE | CR4_SMEP) != 0
        }
        Step::ToggleWp => {
            cpu.cr0 ^= CR0_WP;
            false
        }
        Step::Pkru(value) => {
            if cpu.cr4 & CR4_PKE == 0 {
                return false;
            }
            cpu.pkru = value;
            false
        }
        Step::Invpcid(kind, pcid, _) => return kind >= 2 || pcid == 0 || cpu.cr4 & CR4_PCIDE != 0,
        _ => false,
    };
    if reloads && !long {
        let cr3 = cpu.cr3;
        if !cpu.load_pdptes(memory, cr3) {
            *cpu = old;
            return false;
        }
    }
    true
}

/// A state and a program, by seed.
pub fn program(seed: u64) -> (World, Vec<Step>) {
    let mut random = Random::new(seed);
    let long = !random.one_in(4);
    let world = random_world(&mut random, long);
    let steps = (0..STEPS).map(|_| random_step(&mut random, long)).collect();
    (world, steps)
}
