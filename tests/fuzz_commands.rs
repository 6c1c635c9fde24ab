//! Arbitrary commands and arbitrarily damaged scenario files: nothing panics, the same input gives the
//! same state and events, and every way through time leads to the same machine.
//!
//! Each test runs for `MMUSCOPE_FUZZ_SECONDS` (3 when unset).

mod reference;

use std::time::{Duration, Instant};

use mmuscope::arch::address::Num;
use mmuscope::arch::{AccessKind, CpuModel, Features, Gpa, Gva};
use mmuscope::engine::{AnyVm, EngineName, Outcome, Quiet};
use mmuscope::lab::Lab;
use mmuscope::machine::command::{MapSize, Size, SlotAction};
use mmuscope::machine::{Caches, Command, Event};
use mmuscope::scenario::{Scenario, Session, State};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, FileFailurePersistence, TestRunner};
use reference::Random;
use serde_json::Value;

/// Runs a property on new cases until the time is up; says how many there were.
fn fuzz<S: Strategy>(name: &str, strategy: &S, property: impl Fn(S::Value) -> Result<(), TestCaseError>) {
    let seconds = std::env::var("MMUSCOPE_FUZZ_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(3);
    let end = Instant::now() + Duration::from_secs(seconds);
    let persistence = FileFailurePersistence::WithSource("proptest-regressions");
    let config = Config {
        cases: 32,
        source_file: Some(file!()),
        failure_persistence: Some(Box::new(persistence)),
        ..Config::default()
    };
    let mut cases = 0;
    while cases == 0 || Instant::now() < end {
        if let Err(error) = TestRunner::new(config.clone()).run(strategy, &property) {
            panic!("{name}: {error}");
        }
        cases += config.cases;
    }
    println!("{name}: {cases} cases");
}

/// Numbers that mean something here more often than chance would have it.
fn number() -> impl Strategy<Value = u64> {
    let flags =
        prop_oneof![Just(0x7), Just(0x67), Just(0x87), Just(0x1), Just(0x107), any::<u64>().prop_map(|n| n & 0xfff)];
    let high = prop_oneof![6 => Just(0), 1 => Just(1 << 63), 1 => any::<u64>().prop_map(|n| n & 0xff << 52)];
    let entry = (0..16u64, flags, high).prop_map(|(frame, flags, high)| frame << 12 | flags | high);
    prop_oneof![
        8 => entry,
        2 => any::<u64>(),
        1 => (0..64u32).prop_map(|bit| 1 << bit),
        1 => (0..64u32).prop_map(|bit| (1u64 << bit).wrapping_sub(1)),
    ]
}

/// Linear addresses with few different indices, and edges.
fn linear() -> impl Strategy<Value = Gva> {
    let indexed =
        (0..4u64, 0..3u64, 0..3u64, 0..2u64, 0..2u64, 0..0x1000u64).prop_map(|(pt, pd, pdpt, pml4, pml5, offset)| {
            pml5 << 48 | pml4 << 39 | pdpt << 30 | pd << 21 | pt << 12 | offset
        });
    let near_edge = (prop_oneof![Just(0u64), Just(1 << 32), Just(1 << 47), Just(1 << 56)], 0..16u64)
        .prop_map(|(edge, below)| edge.wrapping_sub(below));
    prop_oneof![8 => indexed, 1 => near_edge, 1 => any::<u64>()].prop_map(Gva)
}

fn physical() -> impl Strategy<Value = Gpa> {
    prop_oneof![
        8 => (0..16u64, 0..4u64).prop_map(|(frame, index)| frame << 12 | index << 3),
        1 => 0..0x1_0000u64,
        1 => any::<u64>().prop_map(|n| n >> 12),
    ]
    .prop_map(Gpa)
}

fn size() -> impl Strategy<Value = Size> {
    prop_oneof![Just(1), Just(2), Just(4), Just(8)].prop_map(|bytes| Size::new(bytes).expect("a size"))
}

/// A register near its useful values: a legal base with a few bits changed.
fn register(base: &'static [u64], bits: &'static [u32]) -> impl Strategy<Value = Num> {
    let toggles = vec(prop::sample::select(bits), 0..3);
    let near = (prop::sample::select(base), toggles)
        .prop_map(|(base, toggles)| toggles.into_iter().fold(base, |value, bit| value ^ 1 << bit));
    prop_oneof![12 => near, 1 => any::<u64>()].prop_map(Num)
}

fn cr0() -> impl Strategy<Value = Num> {
    register(&[0x8001_0011, 0x8000_0011, 0x11], &[0, 3, 16, 29, 30, 31, 32])
}

fn cr4() -> impl Strategy<Value = Num> {
    register(&[0x20, 0xa0, 0x10, 0x1020, 0x2_0020, 0x70_0020], &[4, 5, 7, 12, 17, 20, 21, 22, 23])
}

fn efer() -> impl Strategy<Value = Num> {
    register(&[0, 0x800, 0x100, 0x900, 0xd00], &[0, 8, 9, 10, 11])
}

fn command() -> impl Strategy<Value = Command> {
    let kind = prop_oneof![Just(AccessKind::Read), Just(AccessKind::Write), Just(AccessKind::Fetch)];
    let action = prop_oneof![Just(SlotAction::Add), Just(SlotAction::Remove), Just(SlotAction::Log)];
    let map_size = prop_oneof![Just(MapSize::Kib4), Just(MapSize::Mib2), Just(MapSize::Mib4), Just(MapSize::Gib1)];
    let flag = any::<bool>;
    let num = || number().prop_map(Num);
    let cr3 = || prop_oneof![8 => register(&[0x1000, 0x2000, 0x3020, 0x4fe0], &[0, 1, 3, 4, 63]), 1 => num()];
    let accesses = prop_oneof![
        6 => (linear(), kind, flag(), flag(), flag())
            .prop_map(|(va, kind, user, ac, stack)| Command::Access { va, kind, user, ac, stack }),
        2 => (linear(), num(), size(), flag(), flag())
            .prop_map(|(va, val, size, user, ac)| Command::Write { va, val, size, user, ac }),
        2 => (linear(), size(), flag(), flag()).prop_map(|(va, size, user, ac)| Command::Read { va, size, user, ac }),
    ];
    let memory = prop_oneof![
        6 => (physical(), num(), size()).prop_map(|(pa, val, size)| Command::Poke { pa, val, size }),
        1 => (physical(), num(), size()).prop_map(|(pa, val, size)| Command::Dma { pa, val, size }),
        3 => (linear(), physical(), map_size, number())
            .prop_map(|(va, pa, size, flags)| Command::Map { va, pa, size, flags }),
        1 => (physical(), num(), action).prop_map(|(gpa, size, action)| Command::Memslot { gpa, size, action }),
        1 => prop_oneof![Just(Gpa(0)), physical()].prop_map(|gpa| Command::DirtyLog { gpa }),
        1 => Just(Command::Memslot { gpa: Gpa(0), size: Num(0), action: SlotAction::Log }),
    ];
    let registers = prop_oneof![
        (cr0(), flag()).prop_map(|(val, compat)| Command::MovCr0 { val, compat }),
        (cr3(), flag()).prop_map(|(val, compat)| Command::MovCr3 { val, compat }),
        (cr4(), flag()).prop_map(|(val, compat)| Command::MovCr4 { val, compat }),
        (efer(), flag()).prop_map(|(val, compat)| Command::WrmsrEfer { val, compat }),
        num().prop_map(|val| Command::Wrpkru { val }),
        linear().prop_map(|va| Command::Invlpg { va }),
        (0..5u64, number(), linear()).prop_map(|(kind, pcid, va)| Command::Invpcid {
            kind: Num(kind),
            pcid: Num(pcid & 0x1fff),
            va
        }),
        (cr0(), cr3(), cr4(), efer()).prop_map(|(cr0, cr3, cr4, efer)| Command::SetSregs { cr0, cr3, cr4, efer }),
    ];
    prop_oneof![5 => accesses, 3 => memory, 3 => registers]
}

/// A start state in some mode, with words in the first tables.
fn start() -> impl Strategy<Value = Scenario> {
    let modes = prop::sample::select(&[
        (0x11, 0x0, 0x0),
        (0x8001_0011, 0x10, 0x0),
        (0x8001_0011, 0xa0, 0x800),
        (0x8001_0011, 0x20, 0x900),
        (0x8001_0011, 0x2_00a0, 0x900),
        (0x8000_0011, 0x1020, 0x900),
    ]);
    let words = vec((1..8u64, 0..4u64, number()), 0..24);
    let width = prop_oneof![4 => Just(40u8), 1 => 32..=52u8];
    (modes, words, width, any::<bool>()).prop_map(|((cr0, cr4, efer), words, maxphyaddr, all)| {
        let features = if all { Features::all() } else { CpuModel::default().features };
        let init = State { cr0: Num(cr0), cr3: Num(0x1000), cr4: Num(cr4), efer: Num(efer), pkru: Num(0) };
        let mem = words.into_iter().map(|(frame, index, value)| (Gpa(frame << 12 | index << 3), value)).collect();
        let cpu = CpuModel { maxphyaddr, features, ..CpuModel::default() };
        Scenario { cpu, init, mem, ..Scenario::empty() }
    })
}

fn caches() -> impl Strategy<Value = Caches> {
    (any::<bool>(), any::<bool>()).prop_map(|(tlb, structures)| Caches { tlb, structures })
}

/// Every engine.
fn engine() -> impl Strategy<Value = EngineName> {
    prop::sample::select(EngineName::ALL.to_vec())
}

type Recorded = (Vec<Outcome>, Vec<Vec<Event>>, Vec<u64>);

/// Runs commands one by one: outcomes, events and the state's hash after each.
fn record(mut vm: AnyVm, commands: &[Command]) -> Recorded {
    let (mut outcomes, mut events, mut hashes) = (Vec::new(), Vec::new(), vec![vm.machine().state_hash()]);
    for command in commands {
        let mut happened = Vec::new();
        outcomes.push(vm.execute(command, &mut happened));
        events.push(happened);
        hashes.push(vm.machine().state_hash());
    }
    (outcomes, events, hashes)
}

#[test]
fn commands_in_any_order() {
    let strategy = (start(), engine(), caches(), vec(command(), 1..200), any::<u64>());
    fuzz("commands", &strategy, |(scenario, engine, caches, commands, seed)| {
        let commands: Vec<Command> = commands.into_iter().filter(|c| c.check(&scenario.cpu).is_ok()).collect();
        let begin = || scenario.start(engine, caches).expect("the state is possible");
        let (outcomes, events, hashes) = record(begin(), &commands);
        prop_assert_eq!(&record(begin(), &commands), &(outcomes.clone(), events.clone(), hashes.clone()));

        let mut quiet = Lab::new(begin());
        for (command, wanted) in commands.iter().zip(&outcomes) {
            prop_assert_eq!(&quiet.execute_with(command.clone(), &mut Quiet), wanted);
        }
        prop_assert_eq!(quiet.state_hash(), hashes[commands.len()], "recording changes the machine");

        let mut random = Random::new(seed);
        for _ in 0..8 {
            let step = random.below(commands.len() as u64 + 1) as usize;
            quiet.seek(step);
            prop_assert_eq!(quiet.state_hash(), hashes[step], "seek to {}", step);
            if step > 0 {
                prop_assert_eq!(&quiet.events_of(step), &events[step - 1]);
                let micro = quiet.micro_steps(step);
                prop_assert!(micro.iter().map(|m| &m.event).eq(&events[step - 1]));
            }
            if let Some(next) = commands.get(step) {
                let (outcome, happened) = quiet.try_on_copy(next);
                prop_assert_eq!((&outcome, &happened), (&outcomes[step], &events[step]));
                prop_assert_eq!(quiet.state_hash(), hashes[step], "a try changes the machine");
            }
        }
        Ok(())
    });
}

/// The invariants of the engine hold after each command. A device that stores to a page table is left
/// out: no shadow MMU can see it.
#[test]
fn audit_after_every_command() {
    let done = std::cell::Cell::new(0u64);
    let strategy = (start(), engine(), caches(), vec(command(), 1..200));
    fuzz("audit", &strategy, |(scenario, engine, caches, commands)| {
        let mut vm = scenario.start(engine, caches).expect("the state is possible");
        let possible = |c: &&Command| c.check(&scenario.cpu).is_ok() && !matches!(c, Command::Dma { .. });
        for command in commands.iter().filter(possible) {
            vm.execute(command, &mut Quiet);
            let audit = vm.audit();
            prop_assert!(audit.is_ok(), "{}, {:x?}: {:?}", engine.id(), command, audit);
            done.set(done.get() + 1);
        }
        Ok(())
    });
    println!("audit: {} commands", done.get());
}

/// Branches of time: whatever is done to the tree, the machine is what its path makes of it.
#[test]
fn branches_in_any_order() {
    let strategy = (start(), engine(), vec((command(), any::<u64>()), 1..120));
    fuzz("branches", &strategy, |(scenario, engine, moves)| {
        let begin = scenario.start(engine, Caches::default()).expect("the state is possible");
        let mut lab = Lab::new(begin.clone());
        for (command, choice) in moves {
            if command.check(&scenario.cpu).is_err() {
                continue;
            }
            match choice % 8 {
                0 => lab.seek(choice as usize / 8 % (lab.len() + 1)),
                1 => {
                    let branches = lab.branches();
                    if let Some(branch) = branches.get(choice as usize / 8 % branches.len().max(1)) {
                        lab.switch_to(branch.tip);
                        prop_assert_eq!(lab.len(), branch.len);
                    }
                }
                _ => {
                    lab.execute_with(command, &mut Quiet);
                }
            }
            prop_assert!(lab.cursor() <= lab.len());
        }
        let done: Vec<Command> = lab.commands().take(lab.cursor()).cloned().collect();
        let (_, _, hashes) = record(begin, &done);
        prop_assert_eq!(lab.state_hash(), hashes[done.len()]);
        Ok(())
    });
}

/// Files to damage: a scenario with words, and one that uses every step and every predicate.
const SCENARIOS: [&str; 2] = [include_str!("../assets/scenarios/the-register-remembers.json"), EVERYTHING];

const EVERYTHING: &str = r#"{"format":"mmuscope/1","id":"all","title":{"en":"All"},"engine":"native","ram":"0x1000000",
"cpu":{"maxphyaddr":40,"vendor":"amd","features":["nx","pse","pse36","pge","pcid","smep","smap","pku","la57","1gb","cet"]},
"init":{"cr0":"0x80010011","cr3":"0x1000","cr4":"0x200a0","efer":"0x900","pkru":"0x0"},
"mem":[["0x1000","0x2007"],["0x2000","0x3007"],["0x3000","0x4007"],["0x4008","0x5007"],["0x3008","0x200087"]],
"steps":[{"op":"access","va":"0x1000","kind":"r","user":true,"ac":true,"seg":"ss","want":{"pa":"0x5000"}},
{"op":"write","va":"0x1ffc","val":"0x1","size":8,"want":{"exc":"PF","err":"0x2","cr2":"0x2000"}},
{"op":"read","va":"0x1008","size":4,"val":"0x0","user":false},{"op":"poke","pa":"0x4010","val":"0x6067"},
{"op":"dma","pa":"0x6000","val":"0xff","size":1},{"op":"mov_cr0","val":"0x80000011","compat":false},
{"op":"mov_cr3","val":"0x8000000000001001","want":{}},{"op":"mov_cr4","val":"0x3000a0"},{"op":"wrmsr_efer","val":"0x900"},
{"op":"wrpkru","val":"0x4"},{"op":"invlpg","va":"0x1000"},{"op":"invpcid","type":0,"pcid":"0x1","va":"0x1000"},
{"op":"set_sregs","cr0":"0x80010011","cr3":"0x1000","cr4":"0x20","efer":"0x900"},
{"op":"memslot","gpa":"0x100000000","size":"0x1000","action":"add"},{"op":"memslot","gpa":"0x0","action":"log"},
{"op":"dirty_log","gpa":"0x0"},{"op":"map","va":"0x7000","pa":"0x9000","size":"4k","flags":["rw","us","nx","g"]},
{"op":"note","text":{"en":"here"}},
{"op":"expect","that":{"all":[{"reg":"cr3","is":"0x1000"},{"any":[{"pdpte":1,"stale":false},{"pdpte":0,"register":"0x0"}]},
{"not":{"access":{"va":"0x1000","kind":"w","user":true,"ac":false},"gives":{"exc":"GP","err":"0x0"}}},
{"entry":{"table":"0x4000","index":1},"has":["p","rw"],"lacks":["g"]},{"mem":"0x2000","is":"0x3027"},
{"shadow":{"gfn":"0x4","level":1},"count":0,"unsync":false,"write_protected":false},{"tlb":{"va":"0x1000"},"present":false},
{"cost":"tlb.hits","at_least":0,"at_most":99},{"happened":"pdpte_load","cause":"mov_cr3","at_most":0}]}}],
"mem_after":[["0x1000","0x2027"]],"ad_may":[["0x2000","0x3027"]],"agree":["nobody"]}"#;

/// Replaces, removes or doubles a few values anywhere in a document.
fn damage_value(random: &mut Random, value: &mut Value) {
    let fresh = |random: &mut Random| match random.below(8) {
        0 => Value::Null,
        1 => Value::Bool(random.coin()),
        2 => Value::from(random.next()),
        3 => Value::from(format!("{:#x}", 1u64 << random.below(64))),
        4 => Value::from(format!("{:#x}", random.next())),
        5 => Value::from(format!("{:#x}", random.below(16) << 12 | 7)),
        6 => Value::Array(Vec::new()),
        _ => Value::from(
            random.pick(&["r", "w", "x", "4k", "2m", "4m", "1g", "add", "remove", "log", "access", "map", ""]),
        ),
    };
    match value {
        Value::Array(list) if !list.is_empty() && !random.one_in(6) => {
            let at = random.below(list.len() as u64) as usize;
            match random.below(8) {
                0 => {
                    list.remove(at);
                }
                1 => list.insert(at, list[at].clone()),
                2 => list.rotate_left(at),
                _ => damage_value(random, &mut list[at]),
            }
        }
        Value::Object(map) if !map.is_empty() && !random.one_in(6) => {
            let at = random.below(map.len() as u64) as usize;
            let Some(key) = map.keys().nth(at).cloned() else { return };
            match random.below(8) {
                0 => {
                    map.remove(&key);
                }
                1 => {
                    let moved = map.remove(&key).unwrap_or_default();
                    map.insert(random.pick(&["val", "va", "size", "kind", "not", "all"]).to_owned(), moved);
                }
                _ => damage_value(random, &mut map[&key]),
            }
        }
        other => *other = fresh(random),
    }
}

/// Changes, removes or repeats a few bytes.
fn damage_text(random: &mut Random, text: &str) -> String {
    let mut bytes = text.as_bytes().to_vec();
    for _ in 0..1 + random.below(4) {
        let at = random.below(bytes.len() as u64) as usize;
        match random.below(4) {
            0 => {
                bytes.remove(at);
            }
            1 => bytes[at] = random.pick(b"{}[]\",:0123456789abcdefx-. \n"),
            2 => {
                let end = (at + random.below(40) as usize).min(bytes.len());
                let piece = bytes[at..end].to_vec();
                bytes.splice(at..at, piece);
            }
            _ => {
                let end = (at + random.below(20) as usize).min(bytes.len());
                bytes.drain(at..end);
            }
        }
        if bytes.is_empty() {
            break;
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Opens and runs what is read; a refusal must be one sentence.
fn read_and_run(text: &str) -> Result<bool, TestCaseError> {
    let scenario = match Scenario::from_json("damaged.json", text) {
        Ok(scenario) => scenario,
        Err(error) => {
            let sentence = error.to_string();
            prop_assert!(sentence.starts_with("damaged.json") && sentence.len() < 1000 && !sentence.contains('\n'));
            return Ok(false);
        }
    };
    for engine in EngineName::ALL {
        let finish = || {
            let verdict = mmuscope::scenario::run(&scenario, engine, Caches::default());
            let session = Session::open_on(scenario.clone(), engine, Caches::default());
            let ends = session.map(|mut session| {
                session.lab.seek(usize::MAX);
                session.lab.state_hash()
            });
            (verdict.map(|v| v.failed), ends)
        };
        prop_assert_eq!(finish(), finish());
    }
    Ok(true)
}

#[test]
fn damaged_scenarios() {
    let read = std::cell::Cell::new(0u64);
    let strategy = (0..SCENARIOS.len(), any::<u64>(), any::<bool>());
    fuzz("damaged scenarios", &strategy, |(which, seed, as_text)| {
        let mut random = Random::new(seed);
        let text = if as_text {
            damage_text(&mut random, SCENARIOS[which])
        } else {
            let mut value: Value = serde_json::from_str(SCENARIOS[which]).expect("it is JSON");
            for _ in 0..1 + random.below(4) {
                damage_value(&mut random, &mut value);
            }
            value.to_string()
        };
        let could_be_read = read_and_run(&text).map_err(|e| TestCaseError::fail(format!("{e}\n{text}")))?;
        read.set(read.get() + u64::from(could_be_read));
        Ok(())
    });
    assert!(read.get() > 0, "no damaged file could be read");
}

#[test]
fn the_undamaged_scenarios_can_be_read() {
    for text in SCENARIOS {
        assert!(read_and_run(text).expect("nothing fails"), "{text}");
    }
}
