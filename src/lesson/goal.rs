//! Judging: what of a goal is reached, what is missing, and what the way there has cost.
//!
//! Everything is asked of a copy, in which costs count from the start of the step.

use serde::{Deserialize, Serialize};

use super::facts;
use super::file::{LessonStep, Par};
use crate::arch::AccessKind;
use crate::engine::AnyVm;
use crate::lab::Lab;
use crate::language::Language;
use crate::machine::{Command, Cost, Event};
use crate::scenario::{Happened, Predicate};
use crate::tr;

/// What a way to a goal has cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Score {
    /// Stores to memory; a `map` counts each entry that it writes.
    pub writes: u64,
    /// Commands.
    pub steps: u64,
}

impl Score {
    /// How far it is from par, in stores and commands together; 0 or less is par or better.
    #[must_use]
    pub const fn over(self, par: Par) -> i64 {
        (self.writes.cast_signed() - par.writes.cast_signed()) + (self.steps.cast_signed() - par.steps.cast_signed())
    }

    /// Whether it needs no more than par in either.
    #[must_use]
    pub const fn within(self, par: Par) -> bool {
        self.writes <= par.writes && self.steps <= par.steps
    }

    /// Whether it needs less than par in one and no more in the other.
    #[must_use]
    pub const fn beats(self, par: Par) -> bool {
        self.within(par) && (self.writes < par.writes || self.steps < par.steps)
    }

    /// Which of two ways to a goal is better.
    #[must_use]
    pub fn better(self, other: Self) -> Self {
        if (self.writes + self.steps, self.writes) <= (other.writes + other.steps, other.writes) { self } else { other }
    }

    pub(super) fn count(&mut self, command: &Command, events: &[Event]) {
        self.steps += 1;
        self.writes += match command {
            Command::Map { .. } => events.iter().filter(|event| matches!(event, Event::Store { .. })).count() as u64,
            Command::Write { .. } | Command::Poke { .. } | Command::Dma { .. } => 1,
            Command::Access { kind: AccessKind::Write, .. } => 1,
            _ => 0,
        };
    }
}

/// A part of a goal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Whether it is reached.
    pub met: bool,
    /// What must be so, as the author says it.
    pub text: String,
    /// What is so now, where it is not reached.
    pub now: Option<String>,
}

/// How a step stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judgement {
    /// Whether the goal is reached; `None` for a step without one.
    pub met: Option<bool>,
    /// The goal's parts: one, or those of an `all`.
    pub parts: Vec<Part>,
    /// What the learner's way has cost so far.
    pub score: Score,
    /// What the author says to this state, where the goal is not reached.
    pub feedback: Option<String>,
}

impl Judgement {
    /// How many parts are reached.
    #[must_use]
    pub fn reached(&self) -> usize {
        self.parts.iter().filter(|part| part.met).count()
    }

    /// "2 of 3", for goals of several parts.
    #[must_use]
    pub fn progress(&self, language: &str) -> Option<String> {
        let (reached, all) = (self.reached(), self.parts.len());
        let language = Language::by_id(language).unwrap_or_default();
        let text = tr!(language, "{some} of {all}", some = reached, all = all);
        (all > 1).then_some(text)
    }
}

/// A state with what happened since the step began.
#[derive(Clone, Debug)]
pub(super) struct Since {
    /// The machine, its costs counted from the start of the step.
    pub vm: AnyVm,
    /// Events since the start of the step.
    pub happened: Happened,
    /// What the commands since then have cost.
    pub score: Score,
}

impl Since {
    /// At the start of a step.
    pub fn start(vm: &AnyVm) -> Self {
        let mut vm = vm.clone();
        let cost = cost_mut(&mut vm);
        *cost = Cost { shadow_live: cost.shadow_live, ..Cost::default() };
        Self { vm, happened: Happened::default(), score: Score::default() }
    }

    /// Carries out a command.
    pub fn execute(&mut self, command: &Command) -> crate::engine::Outcome {
        let mut events = Vec::new();
        let outcome = self.vm.execute(command, &mut events);
        events.iter().for_each(|event| self.happened.add(event));
        self.score.count(command, &events);
        outcome
    }

    /// What the commands of a lab between two points of its path did, beginning in this state.
    pub fn replay(base: &AnyVm, lab: &Lab, from: usize) -> Self {
        let mut since = Self::start(base);
        let own = lab.cursor().saturating_sub(from);
        lab.commands().skip(from).take(own).for_each(|command| {
            since.execute(command);
        });
        since
    }

    pub fn holds(&self, predicate: &Predicate) -> bool {
        predicate.holds(&self.vm, &self.happened)
    }

    /// How the step stands in this state.
    pub fn judge(&self, step: &LessonStep, language: &str) -> Judgement {
        let met = step.goal.as_ref().map(|goal| self.holds(goal));
        let mut parts = Vec::new();
        if let Some(goal) = &step.goal {
            let text = step.goal_text.get(language);
            let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
            let all = parts_of(goal);
            if all.len() > 1 && lines.len() == all.len() {
                parts.extend(all.iter().zip(&lines).map(|(part, line)| self.part(part, line, language)));
            } else {
                parts.push(self.part(goal, &lines.join(" "), language));
            }
        }
        let silent = met == Some(true) || self.score.steps == 0;
        let wrong = step.when_wrong.iter().find(|wrong| !silent && self.holds(&wrong.when));
        let feedback = wrong.map(|wrong| wrong.say.get(language).to_owned());
        Judgement { met, parts, score: self.score, feedback }
    }

    fn part(&self, predicate: &Predicate, text: &str, language: &str) -> Part {
        let met = self.holds(predicate);
        let now = (!met)
            .then(|| facts::now(predicate, &self.vm, &self.happened, Language::by_id(language).unwrap_or_default()));
        Part { met, text: text.to_owned(), now }
    }
}

/// The parts of a goal: those of an `all`, or the goal itself.
pub(super) fn parts_of(goal: &Predicate) -> &[Predicate] {
    match goal {
        Predicate::All(parts) if !parts.is_empty() => parts,
        other => std::slice::from_ref(other),
    }
}

fn cost_mut(vm: &mut AnyVm) -> &mut Cost {
    match vm {
        AnyVm::Native(vm) => &mut vm.machine.cost,
        AnyVm::Shadow(vm) => &mut vm.machine.cost,
        AnyVm::TwoDim(vm) => &mut vm.machine.cost,
    }
}
