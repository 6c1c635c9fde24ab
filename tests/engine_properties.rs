//! Random guest programs on every engine: each command ends as bare hardware may let it end, memory and
//! registers change as they may, and the engine's invariants hold after it. The rules are those of
//! `reference::guest`.
//!
//! `MMUSCOPE_ENGINE_COMMANDS` sets how many commands are run in all; the default is 2,000,000. A
//! failure is made smaller and written as a scenario file, which the message names.

mod reference;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use mmuscope::engine::{EngineConfig, EngineName, Outcome, Quiet, Switches};
use mmuscope::machine::{Caches, Command};
use mmuscope::scenario::{self, Run};
use reference::Mode;
use reference::case::{Case, Failure};
use reference::guest::Guest;
use reference::program::Author;

/// Commands in a program.
const STEPS: usize = 120;

/// What programs met, so that a generator that has come to say little is noticed.
#[derive(Debug, Default)]
struct Met {
    commands: u64,
    accesses: u64,
    succeeded: u64,
    /// Commands in each paging mode, and the accesses among them that succeeded.
    modes: BTreeMap<&'static str, (u64, u64)>,
    emulated_writes: u64,
    mmio: u64,
    zapped: u64,
    tlb_hits: u64,
    /// Frames that dirty logs named.
    logged: u64,
}

impl Met {
    fn command(&mut self, guest: &Guest, command: &Command, outcome: &Outcome) {
        self.commands += 1;
        let mode = match guest.cpu().mode() {
            Mode::Unpaged => "unpaged",
            Mode::Bits32 => "32-bit",
            Mode::Pae => "PAE",
            Mode::FourLevel => "4-level",
            Mode::FiveLevel => "5-level",
        };
        let succeeded = u64::from(matches!(outcome, Outcome::Translated(_) | Outcome::Loaded(..)));
        let in_mode = self.modes.entry(mode).or_default();
        *in_mode = (in_mode.0 + 1, in_mode.1 + succeeded);
        self.accesses += u64::from(command.access().is_some());
        self.succeeded += succeeded;
    }

    fn program(&mut self, guest: &Guest) {
        let cost = guest.cost();
        self.emulated_writes += cost.exits.emulated_write;
        self.mmio += cost.exits.mmio;
        self.zapped += cost.shadow_zapped;
        self.tlb_hits += cost.tlb_hits;
        self.logged += guest.logged();
    }

    /// Every program ran: what this engine must have met by then.
    fn assert_enough(&self, engine: EngineName) {
        let id = engine.id();
        println!("{id}: {self:?}");
        assert!(self.succeeded * 5 > self.accesses, "{id}: few accesses succeed");
        assert!(
            self.modes.len() == 5 && self.modes.values().all(|(n, _)| n * 20 > self.commands),
            "{id}: {:?}",
            self.modes
        );
        assert!(self.tlb_hits * 50 > self.accesses, "{id}: few accesses hit the TLB");
        assert!(self.logged > 0, "{id}: no dirty log names a frame");
        if engine != EngineName::Native {
            assert!(self.mmio * 1000 > self.commands, "{id}: few accesses leave memory");
        }
        if matches!(engine, EngineName::KvmPdpt | EngineName::Kvm2007 | EngineName::KvmNow) {
            assert!(self.emulated_writes * 100 > self.commands, "{id}: few stores hit tables");
            assert!(self.zapped * 1000 > self.commands, "{id}: few shadow pages are zapped");
        }
    }
}

/// Runs the program of a seed; the case up to what broke a rule.
fn explore(engine: EngineConfig, seed: u64, met: &mut Met) -> Result<(), Box<Case>> {
    let shadow = !matches!(engine.name, EngineName::Native | EngineName::Ept | EngineName::Npt);
    let (mut case, mut author) = Author::begin(seed, shadow);
    let Some(mut guest) = Guest::start(&case, engine) else { unreachable!("the author begins in possible states") };
    for _ in 0..STEPS {
        let command = author.next(guest.cpu());
        let judged = guest.step(&command);
        if let Ok(outcome) = &judged {
            met.command(&guest, &command, outcome);
        }
        case.commands.push(command);
        if judged.is_err() {
            return Err(Box::new(case));
        }
    }
    met.program(&guest);
    Ok(())
}

/// Makes a case smaller and writes it as a scenario file.
fn write_down(engine: EngineConfig, case: &Case, id: &str) -> (PathBuf, Case, Failure) {
    let small = case.shrunk(engine);
    let failure = small.run(engine).expect("a smaller case still fails");
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{id}.json"));
    std::fs::write(&path, small.to_json(id, engine, &failure)).expect("the directory for test files can be written");
    (path, small, failure)
}

fn commands() -> u64 {
    let asked = std::env::var("MMUSCOPE_ENGINE_COMMANDS").ok().and_then(|text| text.parse().ok());
    asked.unwrap_or(2_000_000)
}

fn check(engine: impl Into<EngineConfig>) {
    let engine = engine.into();
    let share = commands().div_ceil(EngineName::ALL.len() as u64);
    let mut met = Met::default();
    for seed in 0..share.div_ceil(STEPS as u64) {
        if let Err(case) = explore(engine, seed, &mut met) {
            let id = format!("{engine}-{seed}");
            let (path, small, Failure { at, broken }) = write_down(engine, &case, &id);
            let path = path.display();
            panic!(
                "{engine}, seed {seed}, step {} of {}: {}\nmmuscope run {path} --engine {engine} --audit",
                at + 1,
                small.commands.len(),
                broken.what
            );
        }
    }
    met.assert_enough(engine.name);
}

macro_rules! each_engine {
    ($($test:ident $engine:ident;)*) => {
        $(#[test]
        fn $test() {
            check(EngineName::$engine);
        })*
    };
}

each_engine! {
    native Native;
    kvm_2006 Kvm2006;
    kvm_pdpt KvmPdpt;
    kvm_2007 Kvm2007;
    kvm_now KvmNow;
    ept Ept;
    npt Npt;
}

#[test]
fn ept_with_large_pages() {
    check(EngineConfig { name: EngineName::Ept, switches: Switches::LARGE_NESTED_PAGES });
}

/// Whether a scenario file shows that something is wrong: a `want` that does not hold, or an audit.
fn shows(path: &Path, engine: EngineConfig) -> bool {
    let file = scenario::read_file(path).expect("the file is a scenario");
    let mut run = Run::new(&file, engine, Caches::default()).expect("its state is possible");
    while let Some(report) = run.step(&mut Quiet) {
        if report.failure.is_some() || run.vm().audit().is_err() {
            return true;
        }
    }
    false
}

/// The test of the test: a historical bug that is switched on is found, and what is written down shows
/// it in a few steps, on the engine with the bug and on no other.
fn finds(name: EngineName, switch: &str) {
    let engine: EngineConfig = format!("{}+{switch}", name.id()).parse().expect("a switch of this engine");
    let found = (0..40_000).find_map(|seed| explore(engine, seed, &mut Met::default()).err());
    let case = found.unwrap_or_else(|| panic!("{switch} is not found"));
    let (path, small, failure) = write_down(engine, &case, &format!("{}-{switch}", name.id()));
    println!("{}: {}", path.display(), failure.broken.what);
    assert!(shows(&path, engine), "{}: the bug does not show", path.display());
    assert!(!shows(&path, name.into()), "{}: it shows without the bug", path.display());
    let words = small.world.memory.0.len();
    assert!(small.commands.len() <= 8 && words <= 10, "{} commands and {words} words", small.commands.len());
}

#[test]
fn a_flush_that_is_left_out_is_found() {
    finds(EngineName::Kvm2007, "no-flush-on-reduction");
    finds(EngineName::KvmNow, "no-flush-on-reduction");
}

#[test]
fn a_role_without_access_is_found() {
    finds(EngineName::Kvm2007, "role-without-access");
    finds(EngineName::KvmNow, "role-without-access");
}

#[test]
fn the_base_of_a_large_page_in_place_of_its_frame_is_found() {
    finds(EngineName::Kvm2007, "large-page-base-gfn");
    finds(EngineName::KvmNow, "large-page-base-gfn");
}

#[test]
fn a_directory_offset_that_is_doubled_once_is_found() {
    finds(EngineName::Kvm2007, "pde-offset-doubled-once");
    finds(EngineName::KvmNow, "pde-offset-doubled-once");
}
