//! What a TLB miss costs under two-dimensional paging: with g guest tables in memory and n levels of
//! the second dimension, (g + 1)(n + 1) - 1 references to memory, counted in the events of the walk
//! and by the cost meter, with every cache off.

mod reference;

use mmuscope::arch::address::Num;
use mmuscope::arch::{AccessKind, CpuModel, Features, Gpa, Gva};
use mmuscope::engine::{AnyVm, EngineConfig, EngineName, Outcome, Quiet, Switches};
use mmuscope::machine::command::{Size, SlotAction};
use mmuscope::machine::event::EntrySource;
use mmuscope::machine::{Caches, Command, Event};
use mmuscope::scenario::{Scenario, State};
use reference::drive::{ALL_CACHES, NO_CACHES};

/// Every address has the same index 1 in each table.
const VA: u64 = 0x1_0080_4020_1abc;
const ROOT: u64 = 0x1000;

/// A guest: its registers, how many tables its walk reads from memory, and its leaf's level.
struct Guest {
    name: &'static str,
    cr0: u64,
    cr4: u64,
    efer: u64,
    /// Words of memory.
    mem: &'static [(u64, u64)],
    va: u64,
    /// Where the access must lead.
    pa: u64,
}

const PAGED: u64 = 0x8001_0011;
const PAE: u64 = 0x20;
const LA57: u64 = 0x1000;
const LME: u64 = 0x100;

/// Entries have A and D set, so that no store of a bit disturbs the count.
const GUESTS: [Guest; 8] = [
    Guest {
        name: "4-level, 4 KiB",
        cr0: PAGED,
        cr4: PAE,
        efer: LME,
        mem: &[(0x1008, 0x2067), (0x2008, 0x3067), (0x3008, 0x4067), (0x4008, 0x9067)],
        va: VA & 0xffff_ffff_ffff,
        pa: 0x9abc,
    },
    Guest {
        name: "4-level, 2 MiB",
        cr0: PAGED,
        cr4: PAE,
        efer: LME,
        mem: &[(0x1008, 0x2067), (0x2008, 0x3067), (0x3008, 0x20_00e7)],
        va: VA & 0xffff_ffff_ffff,
        pa: 0x20_1abc,
    },
    Guest {
        name: "4-level, 1 GiB",
        cr0: PAGED,
        cr4: PAE,
        efer: LME,
        mem: &[(0x1008, 0x2067), (0x2008, 0xe7)],
        va: VA & 0xffff_ffff_ffff,
        pa: 0x20_1abc,
    },
    Guest {
        name: "5-level, 4 KiB",
        cr0: PAGED,
        cr4: PAE | LA57,
        efer: LME,
        mem: &[(0x1008, 0x2067), (0x2008, 0x3067), (0x3008, 0x4067), (0x4008, 0x5067), (0x5008, 0x9067)],
        va: VA,
        pa: 0x9abc,
    },
    Guest {
        name: "32-bit, 4 KiB",
        cr0: PAGED,
        cr4: 0,
        efer: 0,
        mem: &[(0x1000, 0x2067_0000_0000), (0x2000, 0x9067_0000_0000)],
        va: 0x40_1abc,
        pa: 0x9abc,
    },
    Guest {
        name: "32-bit, 4 MiB",
        cr0: PAGED,
        cr4: 0x10,
        efer: 0,
        mem: &[(0x1000, 0x40_00e7_0000_0000)],
        va: 0x40_1abc,
        pa: 0x40_1abc,
    },
    Guest {
        name: "PAE, 4 KiB",
        cr0: PAGED,
        cr4: PAE,
        efer: 0,
        mem: &[(0x1008, 0x2001), (0x2008, 0x3067), (0x3008, 0x9067)],
        va: 0x4020_1abc,
        pa: 0x9abc,
    },
    Guest { name: "no paging", cr0: 0x11, cr4: 0, efer: 0, mem: &[], va: 0x9abc, pa: 0x9abc },
];

/// The references of a TLB miss: the formula, for g tables and n levels.
const fn references(g: u64, n: u64) -> u64 {
    (g + 1) * (n + 1) - 1
}

fn start(guest: &Guest, engine: EngineConfig, maxphyaddr: u8, caches: Caches) -> AnyVm {
    let features = Features::all() - Features::CET;
    let init = State { cr0: Num(guest.cr0), cr3: Num(ROOT), cr4: Num(guest.cr4), efer: Num(guest.efer), pkru: Num(0) };
    let mem = guest.mem.iter().map(|(at, value)| (Gpa(*at), *value)).collect();
    let cpu = CpuModel { maxphyaddr, features, ..CpuModel::default() };
    let scenario = Scenario { cpu, init, mem, ..Scenario::empty() };
    scenario.start(engine, caches).expect("a possible state")
}

const fn read(va: u64) -> Command {
    Command::Access { va: Gva(va), kind: AccessKind::Read, user: false, ac: false, stack: false }
}

/// The references of one miss, when everything that it needs is mapped: by the events and by the
/// cost meter.
fn measure(guest: &Guest, engine: impl Into<EngineConfig>, maxphyaddr: u8) -> (u64, u64) {
    let mut vm = start(guest, engine.into(), maxphyaddr, NO_CACHES);
    let access = read(guest.va);
    let mut events = Vec::new();
    vm.execute(&access, &mut events);
    events.clear();
    let before = vm.machine().cost.memory_reads;
    let Outcome::Translated(found) = vm.execute(&access, &mut events) else { panic!("{}: no translation", guest.name) };
    assert_eq!(found.gpa.0, guest.pa, "{}", guest.name);
    let cost = vm.machine().cost;
    assert_eq!(cost.memory_reads - before, cost.memory_reads_last, "{}: the meter of the last access", guest.name);
    let is_read = |event: &&Event| {
        matches!(
            event,
            Event::NestedRead { .. } | Event::ShadowRead { .. } | Event::WalkRead { from: EntrySource::Memory, .. }
        )
    };
    (events.iter().filter(is_read).count() as u64, cost.memory_reads_last)
}

fn guest(name: &str) -> &'static Guest {
    GUESTS.iter().find(|guest| guest.name == name).expect("a guest of that name")
}

/// MAXPHYADDR with four and with five nested levels.
const FOUR: u8 = 40;
const FIVE: u8 = 52;

/// The table: guest, engine, guest tables in memory, and the references with n = 4 and n = 5.
const TABLE: [(&str, EngineName, u64, [u64; 2]); 15] = [
    ("4-level, 4 KiB", EngineName::Ept, 4, [24, 29]),
    ("4-level, 4 KiB", EngineName::Npt, 4, [24, 29]),
    ("4-level, 2 MiB", EngineName::Ept, 3, [19, 23]),
    ("4-level, 2 MiB", EngineName::Npt, 3, [19, 23]),
    ("4-level, 1 GiB", EngineName::Ept, 2, [14, 17]),
    ("5-level, 4 KiB", EngineName::Ept, 5, [29, 35]),
    ("5-level, 4 KiB", EngineName::Npt, 5, [29, 35]),
    ("32-bit, 4 KiB", EngineName::Ept, 2, [14, 17]),
    ("32-bit, 4 KiB", EngineName::Npt, 2, [14, 17]),
    ("32-bit, 4 MiB", EngineName::Ept, 1, [9, 11]),
    // EPT holds the PDPTEs in registers, nested paging reads them from memory.
    ("PAE, 4 KiB", EngineName::Ept, 2, [14, 17]),
    ("PAE, 4 KiB", EngineName::Npt, 3, [19, 23]),
    ("no paging", EngineName::Ept, 0, [4, 5]),
    ("no paging", EngineName::Npt, 0, [4, 5]),
    ("32-bit, 4 MiB", EngineName::Npt, 1, [9, 11]),
];

#[test]
fn references_of_a_miss_in_two_dimensions() {
    for (name, engine, g, wanted) in TABLE {
        for (n, width, wanted) in [(4, FOUR, wanted[0]), (5, FIVE, wanted[1])] {
            assert_eq!(references(g, n), wanted, "{name} on {}: the formula for g = {g}, n = {n}", engine.id());
            let (events, meter) = measure(guest(name), engine, width);
            assert_eq!((events, meter), (wanted, wanted), "{name} on {}, n = {n}", engine.id());
            println!("{name} on {}, g = {g}, n = {n}: {meter}", engine.id());
        }
    }
}

/// With 2 MiB pages in the second dimension every reference is one read shorter: n = 3.
#[test]
fn references_of_a_miss_with_large_nested_pages() {
    let mut pairs = 0;
    for (name, engine, g, _) in TABLE {
        let large = EngineConfig { name: engine, switches: Switches::LARGE_NESTED_PAGES };
        let wanted = references(g, 3);
        assert_eq!(measure(guest(name), large, FOUR), (wanted, wanted), "{name} on {large}");
        pairs += 1;
    }
    assert_eq!(pairs, TABLE.len());
}

/// A log is kept by 4 KiB pages, so it takes large pages apart.
#[test]
fn a_dirty_log_takes_large_nested_pages_apart() {
    let guest = guest("4-level, 4 KiB");
    let large = EngineConfig { name: EngineName::Ept, switches: Switches::LARGE_NESTED_PAGES };
    let mut vm = start(guest, large, FOUR, NO_CACHES);
    let reads = |vm: &mut AnyVm| {
        vm.execute(&read(guest.va), &mut Quiet);
        vm.execute(&read(guest.va), &mut Quiet);
        vm.machine().cost.memory_reads_last
    };
    assert_eq!(reads(&mut vm), 19);
    let log = Command::Memslot { gpa: Gpa(0), size: Num(0), action: SlotAction::Log };
    vm.execute(&log, &mut Quiet);
    assert_eq!(reads(&mut vm), 24);
}

#[test]
fn references_of_a_miss_on_bare_hardware() {
    let wanted = [
        ("4-level, 4 KiB", 4),
        ("4-level, 2 MiB", 3),
        ("4-level, 1 GiB", 2),
        ("5-level, 4 KiB", 5),
        ("32-bit, 4 KiB", 2),
        ("32-bit, 4 MiB", 1),
        ("PAE, 4 KiB", 2),
        ("no paging", 0),
    ];
    for (name, reads) in wanted {
        assert_eq!(measure(guest(name), EngineName::Native, FOUR), (reads, reads), "{name}");
    }
}

/// Shadow tables are walked in one dimension: as many reads as a walk on bare hardware of the shadow's
/// own format, whose pages are 4 KiB.
#[test]
fn references_of_a_miss_under_shadow_paging() {
    let wanted = [
        ("4-level, 4 KiB", 4),
        ("4-level, 2 MiB", 4),
        ("4-level, 1 GiB", 4),
        ("5-level, 4 KiB", 5),
        ("32-bit, 4 KiB", 2),
        ("32-bit, 4 MiB", 2),
        ("PAE, 4 KiB", 2),
        ("no paging", 2),
    ];
    for engine in [EngineName::Kvm2006, EngineName::KvmPdpt, EngineName::Kvm2007, EngineName::KvmNow] {
        for (name, reads) in wanted {
            assert_eq!(measure(guest(name), engine, FOUR), (reads, reads), "{name} on {}", engine.id());
        }
    }
}

/// What the caches save: a hit reads nothing, and below a cached PDE one guest entry is left, and the
/// page.
#[test]
fn references_with_caches() {
    let guest = guest("4-level, 4 KiB");
    for engine in [EngineName::Ept, EngineName::Npt] {
        let mut vm = start(guest, engine.into(), FOUR, ALL_CACHES);
        let next = guest.va + 0x1000;
        vm.execute(&Command::Poke { pa: Gpa(0x4010), val: Num(0x9067), size: Size::WORD }, &mut Quiet);
        let mut reads_of = |va| {
            vm.execute(&read(va), &mut Quiet);
            vm.machine().cost.memory_reads_last
        };
        // The first access also maps the frames in the second dimension.
        reads_of(guest.va);
        assert_eq!(reads_of(guest.va), 0, "{}", engine.id());
        assert_eq!((reads_of(next), reads_of(next)), (references(1, 4), 0), "{}", engine.id());
    }
}
