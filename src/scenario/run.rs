//! Running a scenario: every step on the machine, every `want` and `expect` judged.

use std::collections::BTreeMap;

use super::file::{Scenario, StartError};
use super::predicate::Predicate;
use super::step::{Step, StepKind, Want};
use crate::arch::Gpa;
use crate::engine::{AnyVm, EngineConfig, Outcome, Sink};
use crate::machine::memory::WordDiff;
use crate::machine::{Caches, Command, Event, Machine, Memory};

/// How often which event happened, by name and cause.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Happened(BTreeMap<(&'static str, Option<&'static str>), u64>);

impl Happened {
    /// Counts an event.
    pub fn add(&mut self, event: &Event) {
        *self.0.entry((event.name(), event.cause())).or_default() += 1;
    }

    /// How often an event of that name (and cause) happened.
    #[must_use]
    pub fn count(&self, name: &str, cause: Option<&str>) -> u64 {
        let matches = |(n, c): &(&str, Option<&str>)| *n == name && (cause.is_none() || *c == cause);
        self.0.iter().filter(|(key, _)| matches(key)).map(|(_, count)| count).sum()
    }
}

/// A step that did not end as wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What happened.
    pub got: String,
    /// What was wanted.
    pub wanted: String,
}

impl Failure {
    /// An expectation that does not hold, and what there is instead.
    #[must_use]
    pub fn of_expect(got: String, expected: &Predicate) -> Self {
        Self { got, wanted: serde_json::to_string(expected).unwrap_or_else(|error| error.to_string()) }
    }
}

/// One step, as it went.
#[derive(Clone, Debug)]
pub struct StepReport<'a> {
    /// Its number in the file, from 1.
    pub number: usize,
    /// The step.
    pub step: &'a Step,
    /// How its command ended; none for `expect` and `note`.
    pub outcome: Option<Outcome>,
    /// What was wanted instead.
    pub failure: Option<Failure>,
}

/// A word of memory that is not as the scenario says at its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryFailure {
    /// Where.
    pub gpa: Gpa,
    /// What is there.
    pub got: u64,
    /// What should be.
    pub wanted: u64,
}

/// A scenario on a machine, step by step.
#[derive(Clone, Debug)]
pub struct Run<'a> {
    scenario: &'a Scenario,
    vm: AnyVm,
    /// What memory holds if the processor itself changes nothing: `mem` and the scenario's stores.
    stored: Memory,
    happened: Happened,
    next: usize,
}

impl<'a> Run<'a> {
    /// Sets the machine up. The first events come from [`Run::step`].
    ///
    /// # Errors
    /// [`StartError`].
    pub fn new(scenario: &'a Scenario, engine: impl Into<EngineConfig>, caches: Caches) -> Result<Self, StartError> {
        let vm = scenario.start(engine, caches)?;
        let stored = vm.machine().memory.clone();
        Ok(Self { scenario, vm, stored, happened: Happened::default(), next: 0 })
    }

    /// The machine.
    #[must_use]
    pub const fn vm(&self) -> &AnyVm {
        &self.vm
    }

    /// Carries out the next step; `None` at the end. `happened` predicates see only what a
    /// recording sink saw.
    pub fn step<S: Sink + Events>(&mut self, sink: &mut S) -> Option<StepReport<'a>> {
        let step = self.scenario.steps.get(self.next)?;
        self.next += 1;
        let number = self.next;
        let report = |outcome, failure| Some(StepReport { number, step, outcome, failure });
        match &step.kind {
            StepKind::Note(_) => report(None, None),
            StepKind::Expect(predicate) => {
                let failure = predicate.judge(&self.vm, &self.happened).err();
                report(None, failure.map(|got| Failure::of_expect(got, predicate)))
            }
            StepKind::Command(command) => {
                let outcome = self.vm.execute(command, sink);
                sink.seen(&mut self.happened);
                self.remember_store(command, &outcome);
                let failure = judge_step(step, &outcome, self.vm.machine());
                report(Some(outcome), failure)
            }
        }
    }

    /// Which stores the scenario itself made, as opposed to the processor.
    fn remember_store(&mut self, command: &Command, outcome: &Outcome) {
        match command {
            Command::Poke { pa, val, size } | Command::Dma { pa, val, size } => {
                self.stored.write(*pa, size.bytes(), val.0);
            }
            // Where a store lands depends on the translation, and a mapping on free frames: take
            // over what these commands left, accessed and dirty bits of the walk apart.
            Command::Write { va, val, size, .. } => {
                if let Outcome::Translated(found) = outcome {
                    let first = size.bytes().min((4096 - va.0 % 4096) as u32);
                    self.stored.write(found.gpa, first, val.0);
                }
            }
            Command::Map { .. } if *outcome == Outcome::Done => self.stored = self.vm.machine().memory.clone(),
            _ => {}
        }
    }

    /// The words that are not as `mem_after` says; none where the scenario does not say.
    #[must_use]
    pub fn memory_failures(&self) -> Vec<MemoryFailure> {
        let Some(after) = &self.scenario.mem_after else { return Vec::new() };
        let mut wanted = self.stored.clone();
        for (gpa, value) in after {
            wanted.write_u64(*gpa, *value);
        }
        // The recorded files give the accessed bits that an implementation may add on the way to a
        // fault; a whole value is accepted too.
        let may_be = |diff: &WordDiff| {
            let allowed = |(gpa, value): &(Gpa, u64)| {
                *gpa == diff.gpa && (*value == diff.new || (diff.old ^ diff.new) & !value == 0)
            };
            self.scenario.ad_may.iter().any(allowed)
        };
        wanted
            .diff(&self.vm.machine().memory)
            .into_iter()
            .filter(|diff| !may_be(diff))
            .map(|diff| MemoryFailure { gpa: diff.gpa, got: diff.new, wanted: diff.old })
            .collect()
    }
}

/// Sinks that can say which events they saw since they were last asked.
pub trait Events {
    /// Adds them.
    fn seen(&mut self, happened: &mut Happened);
}

impl Events for crate::engine::Quiet {
    fn seen(&mut self, _: &mut Happened) {}
}

impl Events for Vec<Event> {
    fn seen(&mut self, happened: &mut Happened) {
        self.iter().for_each(|event| happened.add(event));
    }
}

/// Compares an outcome with what was wanted.
///
/// # Errors
/// What was got, as text.
pub fn outcome_matches(outcome: &Outcome, want: &Want, machine: &Machine) -> Result<(), String> {
    let got = Want::of(outcome, machine);
    let same = got.exc == want.exc
        && want.pa.is_none_or(|pa| got.pa == Some(pa))
        && want.err.is_none_or(|err| got.err == Some(err))
        && want.cr2.is_none_or(|cr2| got.cr2 == Some(cr2));
    if same { Ok(()) } else { Err(got.to_string()) }
}

/// How a command's step failed, if it did.
pub(crate) fn judge_step(step: &Step, outcome: &Outcome, machine: &Machine) -> Option<Failure> {
    if let Some(want) = &step.want
        && let Err(got) = outcome_matches(outcome, want, machine)
    {
        return Some(Failure { got, wanted: want.to_string() });
    }
    // What userspace or a convenience asks for must be possible, unless the file says otherwise.
    let refused = match outcome {
        Outcome::MapRefused(error) => Some(error.to_string()),
        Outcome::SlotRefused(error) => Some(error.to_string()),
        _ => None,
    };
    if let (None, Some(got)) = (&step.want, refused) {
        return Some(Failure { got, wanted: "this to be carried out".to_owned() });
    }
    match (step.want_value, outcome) {
        (Some(wanted), Outcome::Loaded(_, got)) if wanted.0 != *got => {
            Some(Failure { got: format!("value {got:#x}"), wanted: format!("value {:#x}", wanted.0) })
        }
        _ => None,
    }
}

/// How a whole run ended.
#[derive(Clone, Debug, Default)]
pub struct Verdict {
    /// Failed steps: number, and what was wanted.
    pub failed: Vec<(usize, Failure)>,
    /// Words that are wrong at the end.
    pub memory: Vec<MemoryFailure>,
}

impl Verdict {
    /// Whether everything held.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.failed.is_empty() && self.memory.is_empty()
    }
}

/// Runs a scenario to its end without recording.
///
/// # Errors
/// [`StartError`].
pub fn run(scenario: &Scenario, engine: impl Into<EngineConfig>, caches: Caches) -> Result<Verdict, StartError> {
    let mut run = Run::new(scenario, engine, caches)?;
    let mut verdict = Verdict::default();
    let needs_events = scenario.steps.iter().any(|s| matches!(s.kind, StepKind::Expect(_)));
    let mut events = Vec::new();
    loop {
        let report = if needs_events {
            events.clear();
            run.step(&mut events)
        } else {
            run.step(&mut crate::engine::Quiet)
        };
        let Some(report) = report else { break };
        if let Some(failure) = report.failure {
            verdict.failed.push((report.number, failure));
        }
    }
    verdict.memory = run.memory_failures();
    Ok(verdict)
}
