//! Every scenario in `assets/scenarios` holds on its own engine, and its engine's invariants after
//! every step; with the matching historical behaviour switched on, what shows that behaviour does not.

use std::path::{Path, PathBuf};

use mmuscope::engine::{EngineConfig, EngineName, Switches};
use mmuscope::machine::{Caches, Event};
use mmuscope::scenario::{self, Run, Scenario, StepKind};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/scenarios")
}

fn scenario_files() -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(folder()).expect("assets/scenarios").map(|entry| entry.expect("entry").path()).collect();
    files.sort();
    files
}

fn named(name: &str) -> Scenario {
    scenario::read_file(&folder().join(format!("{name}.json"))).unwrap_or_else(|error| panic!("{error}"))
}

/// What does not hold, the first thing; the invariants are asked after each step.
fn first_failure(scenario: &Scenario, engine: EngineConfig) -> Option<String> {
    let mut run = Run::new(scenario, engine, Caches::default()).expect("a legal state");
    let mut events = Vec::new();
    while let Some(report) = {
        events.clear();
        run.step(&mut events)
    } {
        if let Some(failure) = report.failure {
            return Some(format!("step {}: got {}, wanted {}", report.number, failure.got, failure.wanted));
        }
        if let Err(broken) = run.vm().audit() {
            return Some(format!("step {}: {} {}", report.number, broken.invariant, broken.witness));
        }
    }
    run.memory_failures().first().map(|failure| format!("{failure:?}"))
}

#[test]
fn every_scenario_holds_and_its_invariants_after_every_step() {
    let files = scenario_files();
    assert!(files.len() >= 31, "found {}", files.len());
    for file in files {
        let scenario = scenario::read_file(&file).unwrap_or_else(|error| panic!("{error}"));
        let judged = |step: &scenario::Step| step.want.is_some() || matches!(step.kind, StepKind::Expect(_));
        assert!(scenario.steps.iter().any(judged), "{} asks nothing", file.display());
        assert_eq!(first_failure(&scenario, scenario.engine), None, "{}", file.display());
    }
}

/// Which scenario fails with which switch.
const MUSEUM: [(&str, Switches); 20] = [
    ("large-pages-two-rights", Switches::ROLE_WITHOUT_ACCESS),
    ("recursive-directory", Switches::FIRST_SHADOW_ONLY),
    ("table-at-two-levels", Switches::FIRST_SHADOW_ONLY),
    ("quadrants", Switches::PDE_OFFSET_DOUBLED_ONCE),
    ("table-under-4m-page", Switches::LARGE_PAGE_BASE_GFN),
    ("shared-directory-2007", Switches::LEAF_ACCESS_IN_ROLE),
    ("shared-directory-now", Switches::LEAF_ACCESS_IN_ROLE),
    ("table-becomes-protected", Switches::NO_FLUSH_ON_REDUCTION),
    ("the-register-remembers", Switches::PDPTES_FROM_MEMORY),
    ("partial-page-2007", Switches::PDPTES_FROM_MEMORY),
    ("demand-fault", Switches::INSTALL_AFTER_WRITE),
    ("quirk-cr4-bad-pdpte", Switches::CR4_WRITTEN_DESPITE_GP),
    ("quirk-cr3-low-bits", Switches::CR3_LOW_BITS_GP),
    ("quirk-cr3-unmapped", Switches::CR3_UNMAPPED_GP),
    ("quirk-pdpte-reload", Switches::PDPTES_ON_TRANSITIONS),
    ("quirk-absent-pdpte", Switches::ABSENT_PDPTE_ROOT),
    ("quirk-rights-per-level", Switches::RIGHTS_AT_EACH_LEVEL),
    ("quirk-wp-in-role", Switches::ROLE_WITHOUT_WP_NXE),
    ("quirk-read-repair", Switches::FIX_READ_KEEPS_RMAP),
    ("quirk-cr0-reserved", Switches::CR0_RESERVED_GP),
];

#[test]
fn each_exhibit_fails_with_its_switch() {
    for (name, switch) in MUSEUM {
        let scenario = named(name);
        let engine = EngineConfig { switches: switch, ..scenario.engine };
        assert!(first_failure(&scenario, engine).is_some(), "{name} holds on {engine}");
    }
}

#[test]
fn the_partial_page_turns_right_with_registers() {
    let scenario = named("partial-page-2007");
    let before = EngineConfig { switches: Switches::empty(), ..named("partial-page-pdpt").engine };
    assert!(first_failure(&scenario, before).is_some());
    let seed = EngineConfig { switches: Switches::PDPTE_REGISTERS, ..before };
    assert_eq!(first_failure(&scenario, seed), None);
}

fn events(scenario: &Scenario, engine: EngineConfig) -> Vec<Event> {
    let mut run = Run::new(scenario, engine, Caches::default()).expect("a legal state");
    let (mut all, mut events) = (Vec::new(), Vec::new());
    while run.step(&mut events).is_some() {
        all.append(&mut events);
    }
    all
}

/// Q13 cannot be seen by a guest on one processor; the order of events shows it.
#[test]
fn the_flush_comes_before_or_after_the_change() {
    let scenario = named("table-becomes-protected");
    let order = |engine| -> Vec<&'static str> {
        let protects = |event: &Event| match event {
            Event::SpteSet { why: mmuscope::machine::event::SpteWhy::WriteProtect, .. } => Some("change"),
            Event::TlbFlush { cause: mmuscope::machine::event::FlushCause::WriteProtect, .. } => Some("flush"),
            _ => None,
        };
        events(&scenario, engine).iter().filter_map(protects).collect()
    };
    let early = EngineConfig { switches: Switches::FLUSH_BEFORE_CHANGE, ..scenario.engine };
    assert_eq!(order(scenario.engine)[..2], ["change", "flush"]);
    assert_eq!(order(early)[..2], ["flush", "change"]);
}

/// A guest may have as much memory as addresses reach; no host has. What it cannot back, the hypervisor
/// carries out by itself.
#[test]
fn memory_beyond_the_host_is_reached_on_every_engine() {
    let json = r#"{"cpu":{"maxphyaddr":52},"ram":"0x10000000000000",
        "init":{"cr0":"0x80010011","cr3":"0x1000","cr4":"0x20","efer":"0x500"},
        "mem":[["0x1000","0x2067"],["0x2000","0xffffffffe7067"],["0xffffffffe7000","0x4067"],["0x4000","0xffffffffff067"]],
        "steps":[{"op":"access","va":"0x0","kind":"r","user":true,"want":{"pa":"0xffffffffff000"}},
                 {"op":"write","va":"0x8","val":"0x5","size":8,"user":true,"want":{"pa":"0xffffffffff008"}},
                 {"op":"poke","pa":"0xffffffffe7000","val":"0x5067"},{"op":"invlpg","va":"0x0"},
                 {"op":"access","va":"0x0","kind":"r","user":true,"want":{"exc":"PF","err":"0x4","cr2":"0x0"}}]}"#;
    let scenario = Scenario::from_json("inline", json).unwrap_or_else(|error| panic!("{error}"));
    for engine in EngineName::ALL {
        assert_eq!(first_failure(&scenario, engine.into()), None, "{}", engine.id());
    }
}

/// Q12: an access sets A in an entry; the log of the slot knows of it, or does not.
#[test]
fn the_walkers_stores_reach_the_dirty_log() {
    let json = r#"{"engine":"kvm-2007",
        "init":{"cr0":"0x80010011","cr3":"0x10000","cr4":"0x20","efer":"0x800"},
        "mem":[["0x10000","0x11001"],["0x11000","0x12007"],["0x12000","0x100007"]],
        "steps":[{"op":"memslot","gpa":"0x0","size":"0x1000000","action":"log"},
                 {"op":"access","va":"0x0","kind":"r","user":true},{"op":"dirty_log","gpa":"0x0"}]}"#;
    let scenario = Scenario::from_json("inline", json).unwrap_or_else(|error| panic!("{error}"));
    let logged = |engine| {
        let log = events(&scenario, engine).into_iter().find_map(|event| match event {
            Event::DirtyLog { frames, .. } => Some(frames),
            _ => None,
        });
        log.expect("the log was asked for").iter().map(|gfn| gfn.0).collect::<Vec<_>>()
    };
    assert_eq!(logged(scenario.engine), [0x11, 0x12]);
    assert!(logged(EngineConfig { switches: Switches::WALKER_UNLOGGED, ..scenario.engine }).is_empty());
}
