//! The walk, the rights, the error code and the accessed and dirty bits against the reference:
//! a million random accesses through random tables in every mode.

mod reference;

use mmuscope::arch::Features;
use mmuscope::machine::Caches;
use reference::cpu::{
    CR0_ET, CR0_PE, CR0_PG, CR0_WP, CR4_LA57, CR4_PAE, CR4_PCIDE, CR4_PGE, CR4_PKE, CR4_PSE, CR4_SMAP, CR4_SMEP,
    EFER_LME, EFER_NXE,
};
use reference::drive::{ALL_CACHES, NO_CACHES, Op, World, both, minimise};
use reference::walk::field;
use reference::{Access, Cpu, Kind, Memory, Mode, Outcome, Random};

const OPS_PER_WORLD: u64 = 10;

/// Which modes came up how often, and how accesses ended.
#[derive(Debug, Default)]
struct Seen {
    accesses: u64,
    reached: u64,
    large: u64,
    not_present: u64,
    reserved: u64,
    rights: u64,
    keys: u64,
    not_canonical: u64,
    written: u64,
}

impl Seen {
    fn add(&mut self, outcome: Outcome, changed: bool) {
        self.accesses += 1;
        self.written += u64::from(changed);
        match outcome {
            Outcome::Reaches { page_bits, .. } => {
                self.reached += 1;
                self.large += u64::from(page_bits > 12);
            }
            Outcome::PageFault { code, .. } if code & 1 == 0 => self.not_present += 1,
            Outcome::PageFault { code, .. } if code & 8 != 0 => self.reserved += 1,
            Outcome::PageFault { code, .. } => {
                self.rights += 1;
                self.keys += code >> 5 & 1;
            }
            Outcome::GeneralProtection | Outcome::StackFault => self.not_canonical += 1,
        }
    }
}

fn random_cpu(random: &mut Random) -> (Cpu, Features) {
    let mode =
        random.pick(&[Mode::Bits32, Mode::Pae, Mode::FourLevel, Mode::FourLevel, Mode::FiveLevel, Mode::Unpaged]);
    let mode = if mode == Mode::Unpaged && !random.one_in(8) { Mode::Bits32 } else { mode };
    let mut features = Features::all() - Features::CET;
    if random.one_in(3) {
        features = Features::from_bits_truncate(random.next() as u32) - Features::CET;
    }
    if mode == Mode::FiveLevel {
        features |= Features::LA57;
    }
    let long = matches!(mode, Mode::FourLevel | Mode::FiveLevel);
    let mut cr4 = 0;
    let optional = [
        (Features::PSE, CR4_PSE),
        (Features::PGE, CR4_PGE),
        (Features::SMEP, CR4_SMEP),
        (Features::SMAP, CR4_SMAP),
        (Features::PKU, CR4_PKE),
        (Features::PCID, CR4_PCIDE),
    ];
    for (feature, bit) in optional {
        if features.contains(feature) && random.coin() && (bit != CR4_PCIDE || long) {
            cr4 |= bit;
        }
    }
    if mode != Mode::Bits32 {
        cr4 |= CR4_PAE;
    }
    // Outside long mode the bit is without effect.
    if mode == Mode::FiveLevel || !long && features.contains(Features::LA57) && random.one_in(8) {
        cr4 |= CR4_LA57;
    }
    let nxe = if features.contains(Features::NX) && !random.one_in(4) { EFER_NXE } else { 0 };
    let paging = if mode == Mode::Unpaged { 0 } else { CR0_PG };
    let cpu = Cpu {
        maxphyaddr: if random.coin() { 40 } else { 32 + random.below(21) as u32 },
        amd: random.one_in(3),
        gb_pages: features.contains(Features::GB_PAGES),
        pse36: features.contains(Features::PSE36),
        cr0: CR0_PE | CR0_ET | paging | if random.coin() { CR0_WP } else { 0 },
        cr3: 0,
        cr4,
        efer: nxe | if long { EFER_LME } else { 0 },
        pkru: if random.one_in(3) { random.next() & 0xffff_ffff } else { random.next() & random.next() & 0xffff_ffff },
        pdptes: [0; 4],
    };
    (cpu, features)
}

/// Tables that may stand at any level, so that walks share and recurse, over few indices.
struct Tables {
    frames: Vec<u64>,
    indices: Vec<u64>,
}

impl Tables {
    fn new(random: &mut Random, cpu: &Cpu) -> Self {
        let reach = if cpu.mode() == Mode::Bits32 { 32 } else { cpu.maxphyaddr };
        let count = 3 + random.below(6);
        let frame = |random: &mut Random| match random.below(8) {
            0 => field(random.next(), 12, reach - 1),
            1 => field(u64::MAX, 12, reach - 1),
            _ => (1 + random.below(0x800)) << 12,
        };
        let frames = (0..count).map(|_| frame(random)).collect();
        let top = if cpu.mode() == Mode::Bits32 { 0x400 } else { 0x200 };
        let mut indices = vec![random.below(top), random.below(top)];
        indices.push(random.pick(&[0, top - 1, top / 2, top / 2 - 1, 1]));
        Self { frames, indices }
    }

    fn entry(&self, random: &mut Random, cpu: &Cpu) -> u64 {
        let mut entry = random.pick(&self.frames);
        if random.one_in(12) {
            // A page of data, anywhere, often aligned for a large page.
            entry = field(random.next(), random.pick(&[12, 21, 22, 30]), cpu.maxphyaddr - 1);
        }
        let mut set = |bit: u32, set: bool| entry |= u64::from(set) << bit;
        set(0, !random.one_in(30));
        set(1, !random.one_in(4));
        set(2, !random.one_in(4));
        for bit in [3, 4, 5, 6, 8, 9, 10, 11] {
            set(bit, random.one_in(3));
        }
        let large = random.one_in(6);
        set(7, large);
        if cpu.mode() == Mode::Bits32 {
            if large && random.coin() {
                entry &= !field(u64::MAX, 13, 21) | field(random.next(), 13, 20);
            }
            return flip_sometimes(random, entry, 32) & 0xffff_ffff;
        }
        if large && !random.one_in(4) {
            entry &= !field(u64::MAX, 13, random.pick(&[20, 29]));
        }
        if cpu.amd && !random.one_in(6) {
            entry &= !(1 << 8);
        }
        if cpu.mode() != Mode::Pae {
            entry |= field(random.next(), 52, 62);
        }
        if cpu.efer & EFER_NXE != 0 && random.one_in(5) {
            entry |= 1 << 63;
        }
        flip_sometimes(random, entry, 64)
    }

    fn pdpte(&self, random: &mut Random, cpu: &Cpu) -> u64 {
        let entry = random.pick(&self.frames) | u64::from(!random.one_in(8)) | field(random.next(), 9, 11);
        if random.one_in(64) { entry ^ 1 << random.below(64) } else { field(entry, 0, cpu.maxphyaddr - 1) }
    }

    fn address(&self, random: &mut Random, cpu: &Cpu) -> u64 {
        let offset = match random.below(4) {
            0 => 0,
            1 => 0xfff,
            _ => random.below(0x1000),
        };
        let index = |random: &mut Random| random.pick(&self.indices);
        let high = if random.one_in(16) { random.next() << 32 } else { 0 };
        match cpu.mode() {
            Mode::Unpaged => random.next(),
            Mode::Bits32 => high | index(random) << 22 | index(random) << 12 | offset,
            Mode::Pae => high | random.below(4) << 30 | index(random) << 21 | index(random) << 12 | offset,
            mode => {
                let levels = if mode == Mode::FiveLevel { 5 } else { 4 };
                let width = 12 + 9 * levels;
                let mut va = offset;
                for level in 0..levels {
                    va |= index(random) << (12 + 9 * level);
                }
                if va >> (width - 1) != 0 {
                    va |= !((1 << width) - 1);
                }
                match random.below(24) {
                    0 => va ^ 1 << (width - 1 + random.below(u64::from(64 - width) + 1) as u32),
                    1 => random.pick(&[
                        0x7fff_ffff_ffff,
                        0x8000_0000_0000,
                        0xffff_7fff_ffff_ffff,
                        0xffff_8000_0000_0000,
                        0x00ff_ffff_ffff_ffff,
                        0x0100_0000_0000_0000,
                        0xfeff_ffff_ffff_ffff,
                        0xff00_0000_0000_0000,
                    ]),
                    _ => va,
                }
            }
        }
    }
}

fn flip_sometimes(random: &mut Random, entry: u64, bits: u64) -> u64 {
    if random.one_in(40) { entry ^ 1 << random.below(bits) } else { entry }
}

fn random_world(random: &mut Random) -> (World, Tables) {
    let (mut cpu, features) = random_cpu(random);
    let tables = Tables::new(random, &cpu);
    let mut memory = Memory::default();
    for frame in &tables.frames {
        for index in &tables.indices {
            if cpu.mode() == Mode::Bits32 {
                let at = frame + index / 2 * 8;
                let entry = tables.entry(random, &cpu) << (index % 2 * 32);
                memory.set_word(at, memory.word(at) & !(0xffff_ffff << (index % 2 * 32)) | entry);
            } else {
                memory.set_word(frame + index * 8, tables.entry(random, &cpu));
            }
        }
    }
    cpu.cr3 = random.pick(&tables.frames);
    match cpu.mode() {
        Mode::Pae => {
            // The table of PDPTEs may stand anywhere in a page below 4 GiB.
            cpu.cr3 = cpu.cr3 & 0xffff_f000 | random.below(128) << 5;
            for i in 0..4 {
                memory.set_word(cpu.cr3 + 8 * i, tables.pdpte(random, &cpu));
            }
            cpu.cr3 |= random.below(32) | if random.one_in(8) { random.next() << 32 } else { 0 };
            cpu.load_pdptes(&memory, cpu.cr3);
        }
        Mode::Bits32 => cpu.cr3 |= random.below(4096),
        _ => cpu.cr3 |= if cpu.cr4 & CR4_PCIDE != 0 { random.below(4096) } else { random.pick(&[0, 8, 16, 24]) },
    }
    (World { cpu, features, memory }, tables)
}

fn random_access(random: &mut Random, cpu: &Cpu, tables: &Tables) -> Access {
    Access {
        va: tables.address(random, cpu),
        kind: random.pick(&[Kind::Read, Kind::Write, Kind::Write, Kind::Fetch]),
        user: random.coin(),
        ac: random.one_in(3),
        stack: random.one_in(8),
    }
}

fn random_ops(random: &mut Random, world: &World, tables: &Tables, invalidate: bool) -> Vec<Op> {
    let mut ops = Vec::new();
    for _ in 0..OPS_PER_WORLD {
        if random.one_in(8) && world.cpu.mode() != Mode::Unpaged {
            let entry = tables.entry(random, &world.cpu);
            let value = if world.cpu.mode() == Mode::Bits32 { entry << 32 | entry } else { entry };
            let at = (random.pick(&tables.frames) + random.pick(&tables.indices) * 8) & !7;
            ops.push(Op::Poke { at: field(at, 3, world.cpu.maxphyaddr - 1), value });
        }
        if random.one_in(16) && world.cpu.cr4 & CR4_PKE != 0 {
            ops.push(Op::Pkru(random.next() & 0xffff_ffff));
        }
        let access = random_access(random, &world.cpu, tables);
        if invalidate {
            ops.push(Op::Invlpg(access.va));
        }
        ops.push(Op::Access(access));
    }
    ops
}

/// Runs the operations on both; what differs first, if anything does.
fn compare(world: &World, ops: &[Op], caches: Caches, seen: &mut Seen) -> Result<(), String> {
    let mut vm = world.start(caches);
    let (mut cpu, mut memory) = (world.cpu.clone(), world.memory.clone());
    cpu.pdptes = [0; 4];
    if cpu.mode() == Mode::Pae {
        cpu.load_pdptes(&memory, cpu.cr3);
    }
    if vm.machine().cpu.pdptes != cpu.pdptes {
        return Err(format!("PDPTE registers {:x?}, reference {:x?}", vm.machine().cpu.pdptes, cpu.pdptes));
    }
    for (i, op) in ops.iter().enumerate() {
        let pages = vm.machine().memory.clone();
        match both(&mut vm, &mut cpu, &mut memory, op) {
            Ok(Some(outcome)) => seen.add(outcome, !pages.diff(&vm.machine().memory).is_empty()),
            Ok(None) => {}
            Err(what) => return Err(format!("operation {i}: {what}")),
        }
    }
    Ok(())
}

fn check_worlds(seed: u64, worlds: u64, caches: Caches) -> Seen {
    let invalidate = caches != NO_CACHES;
    let mut seen = Seen::default();
    for number in 0..worlds {
        let mut random = Random::new(seed << 32 | number);
        let (world, tables) = random_world(&mut random);
        let ops = random_ops(&mut random, &world, &tables, invalidate);
        if let Err(what) = compare(&world, &ops, caches, &mut seen) {
            let fails = |w: &World, o: &[Op]| compare(w, o, caches, &mut Seen::default()).is_err();
            let (small, few) = minimise(&world, &ops, &fails);
            let now = compare(&small, &few, caches, &mut Seen::default()).expect_err("a minimised case still fails");
            panic!("world {number}: {what}\nminimal: {now}\n{}", small.to_json(&few));
        }
    }
    seen
}

/// The generator must reach every kind of outcome often, or the comparison says little.
fn assert_broad(seen: &Seen) {
    println!("{seen:?}");
    let share = |count: u64, least: f64| assert!(count as f64 >= least * seen.accesses as f64, "{seen:?}");
    share(seen.reached, 0.25);
    share(seen.large, 0.03);
    share(seen.not_present, 0.05);
    share(seen.reserved, 0.05);
    share(seen.rights, 0.1);
    share(seen.keys, 0.005);
    share(seen.not_canonical, 0.01);
    share(seen.written, 0.1);
}

#[test]
fn a_million_accesses_without_caches() {
    let seen = check_worlds(1, 100_000, NO_CACHES);
    assert_broad(&seen);
    assert!(seen.accesses >= 1_000_000);
}

#[test]
fn with_caches_after_an_invlpg_before_each_access() {
    let seen = check_worlds(2, 20_000, ALL_CACHES);
    assert_broad(&seen);
    assert!(seen.accesses >= 200_000);
}
