//! Every scenario in `assets/scenarios` holds on its own engine, and its engine's invariants after
//! every step.

use std::path::{Path, PathBuf};

use mmuscope::engine::Quiet;
use mmuscope::machine::Caches;
use mmuscope::scenario::{self, Run, StepKind};

fn scenario_files() -> Vec<PathBuf> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/scenarios");
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(dir).expect("assets/scenarios").map(|entry| entry.expect("entry").path()).collect();
    files.sort();
    files
}

#[test]
fn every_scenario_holds() {
    let files = scenario_files();
    assert!(files.len() >= 11, "found {}", files.len());
    for file in files {
        let scenario = scenario::read_file(&file).unwrap_or_else(|error| panic!("{error}"));
        let judged = |step: &scenario::Step| step.want.is_some() || matches!(step.kind, StepKind::Expect(_));
        assert!(scenario.steps.iter().any(judged), "{} asks nothing", file.display());
        let verdict = scenario::run(&scenario, scenario.engine, Caches::default()).expect("a legal state");
        assert!(verdict.passed(), "{}: {verdict:?}", file.display());
    }
}

#[test]
fn invariants_hold_after_every_step_of_every_scenario() {
    for file in scenario_files() {
        let scenario = scenario::read_file(&file).unwrap_or_else(|error| panic!("{error}"));
        let mut run = Run::new(&scenario, scenario.engine, Caches::default()).expect("a legal state");
        while let Some(report) = run.step(&mut Quiet) {
            if let Err(broken) = run.vm().audit() {
                panic!("{}, step {}: {} {}", file.display(), report.number, broken.invariant, broken.witness);
            }
        }
    }
}
