//! A lesson being played: plain logic, without a screen.
//!
//! Each step has a machine of its own, with its own past and future: the lesson's start state and
//! the solutions of the steps before. So every step means the same to everyone, whatever was done
//! before it, and going back and forth loses nothing.

use super::file::{Lesson, LessonStep, StepKind};
use super::goal::{Judgement, Since};
use super::progress::LessonRecord;
use crate::engine::AnyVm;
use crate::language::Language;
use crate::machine::{Caches, Command, Event};
use crate::scenario::{self, Scenario, StartError, Step, StepKind as Kind};
use crate::tr;

/// Why a command is not carried out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.say(Language::En))]
pub enum CannotRun {
    /// The step does not take it.
    NotAllowed {
        /// The op.
        op: &'static str,
        /// What it takes instead.
        allowed: String,
    },
}

impl CannotRun {
    /// In words.
    #[must_use]
    pub fn say(&self, language: Language) -> String {
        let Self::NotAllowed { op, allowed } = self;
        tr!(language, "this step is done without `{op}`: it takes {allowed}", op = op, allowed = allowed)
    }
}

/// What choosing an answer brought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chosen {
    /// Whether it is right.
    pub right: bool,
    /// Why.
    pub because: String,
}

/// The learner's machine in one step.
#[derive(Clone, Debug)]
struct Work {
    session: scenario::Session,
    /// The state at the start of the step.
    base: AnyVm,
    /// How many commands lie before the step.
    first: usize,
    /// A copy to play with, kept for the way back to it.
    sandbox: Option<scenario::Session>,
}

/// A lesson being played.
#[derive(Clone, Debug)]
pub struct Session {
    lesson: Lesson,
    work: Vec<Option<Work>>,
    at: usize,
    in_sandbox: bool,
    record: LessonRecord,
}

impl Session {
    /// Opens a lesson at its first step.
    ///
    /// # Errors
    /// [`StartError`].
    pub fn open(lesson: Lesson) -> Result<Self, StartError> {
        Self::resume(lesson, LessonRecord::default())
    }

    /// Opens a lesson where the learner left it.
    ///
    /// # Errors
    /// [`StartError`].
    pub fn resume(lesson: Lesson, record: LessonRecord) -> Result<Self, StartError> {
        let record = record.fitted(&lesson);
        let work = lesson.steps.iter().map(|_| None).collect();
        let at = record.at;
        let mut session = Self { lesson, work, at, in_sandbox: false, record };
        session.go(at)?;
        Ok(session)
    }

    /// The lesson.
    #[must_use]
    pub const fn lesson(&self) -> &Lesson {
        &self.lesson
    }

    /// The number of the step in view, from 0.
    #[must_use]
    pub const fn at(&self) -> usize {
        self.at
    }

    /// The step in view.
    #[must_use]
    pub fn step(&self) -> &LessonStep {
        &self.lesson.steps[self.at]
    }

    /// What has been done so far.
    #[must_use]
    pub const fn record(&self) -> &LessonRecord {
        &self.record
    }

    /// Whether a question about what the machine will do stands unanswered.
    #[must_use]
    pub fn awaits_a_prediction(&self) -> bool {
        self.step().kind == StepKind::Predict && !self.in_sandbox && self.record.steps[self.at].choice.is_none()
    }

    /// The machine in view with its time: the step's, or the sandbox.
    #[must_use]
    pub fn current(&self) -> &scenario::Session {
        let work = self.work();
        work.sandbox.as_ref().filter(|_| self.in_sandbox).unwrap_or(&work.session)
    }

    /// As [`Session::current`], to move in time or to choose a branch. Commands go through
    /// [`Session::run`], which knows what the step allows.
    pub fn current_mut(&mut self) -> &mut scenario::Session {
        let in_sandbox = self.in_sandbox;
        let work = self.work_mut();
        match &mut work.sandbox {
            Some(sandbox) if in_sandbox => sandbox,
            _ => &mut work.session,
        }
    }

    /// How many commands of the timeline lie before the step.
    #[must_use]
    pub fn first_own_command(&self) -> usize {
        self.work().first
    }

    fn work(&self) -> &Work {
        match &self.work[self.at] {
            Some(work) => work,
            None => unreachable!("the step in view was entered"),
        }
    }

    fn work_mut(&mut self) -> &mut Work {
        match &mut self.work[self.at] {
            Some(work) => work,
            None => unreachable!("the step in view was entered"),
        }
    }

    /// Goes to a step, as it was left. Beyond the last step it stays at the last.
    ///
    /// # Errors
    /// [`StartError`]; the step in view stays.
    pub fn go(&mut self, index: usize) -> Result<(), StartError> {
        let index = index.min(self.lesson.steps.len() - 1);
        if self.work[index].is_none() {
            self.work[index] = Some(prepare(&self.lesson, index)?);
        }
        (self.at, self.record.at, self.in_sandbox) = (index, index, false);
        Ok(())
    }

    /// Goes to the next step. A step without a task is done when the learner goes on from it.
    ///
    /// # Errors
    /// [`StartError`].
    pub fn forward(&mut self) -> Result<(), StartError> {
        self.finish_if_nothing_is_asked();
        self.go(self.at + 1)
    }

    /// Goes to the step before.
    ///
    /// # Errors
    /// [`StartError`].
    pub fn back(&mut self) -> Result<(), StartError> {
        self.go(self.at.saturating_sub(1))
    }

    /// Whether this is the last step.
    #[must_use]
    pub fn is_last(&self) -> bool {
        self.at + 1 == self.lesson.steps.len()
    }

    /// Marks the step done if it asks for nothing: a `watch` or `present` step without a goal. The
    /// last step's "finish" calls this.
    pub fn finish_if_nothing_is_asked(&mut self) {
        let step = self.step();
        if matches!(step.kind, StepKind::Watch | StepKind::Present) && step.goal.is_none() {
            self.record.steps[self.at].done = true;
        }
    }

    /// Whether every step is done.
    #[must_use]
    pub fn finished(&self) -> bool {
        self.record.steps.iter().all(|step| step.done)
    }

    /// Carries out a command of the learner. Given in the past of the step, it opens a branch;
    /// given in what lies before the step, it is carried out at the step's start.
    ///
    /// # Errors
    /// [`CannotRun`]; nothing has changed then.
    pub fn run(&mut self, command: Command) -> Result<Vec<Event>, CannotRun> {
        self.admit(std::slice::from_ref(&command))?;
        let events = self.current_mut().lab.execute(command);
        self.settle();
        Ok(events)
    }

    /// Asks whether the step takes these commands, and leaves what lies before the step, so that
    /// they are carried out in it. Who carries them out calls [`Session::settle`] afterwards.
    ///
    /// # Errors
    /// [`CannotRun`]; nothing has changed then.
    pub fn admit(&mut self, commands: &[Command]) -> Result<(), CannotRun> {
        if self.in_sandbox {
            return Ok(());
        }
        let step = self.step();
        if let Some(refused) = commands.iter().find(|command| !step.allows(command.op())) {
            let allowed = step.allow.iter().flatten().map(|op| format!("`{op}`")).collect::<Vec<_>>().join(", ");
            return Err(CannotRun::NotAllowed { op: refused.op(), allowed });
        }
        self.leave_the_past();
        Ok(())
    }

    /// Adds what another record tells of this lesson, as an import does.
    pub fn learn_of(&mut self, other: &LessonRecord) {
        let all = self.lesson.steps.len();
        self.record.merge(other);
        self.record.steps.truncate(all);
    }

    fn leave_the_past(&mut self) {
        let work = self.work_mut();
        if work.session.lab.cursor() < work.first {
            work.session.lab.seek(work.first);
        }
    }

    /// How the step stands at the cursor.
    #[must_use]
    pub fn judge(&self, language: &str) -> Judgement {
        self.since().judge(self.step(), language)
    }

    fn since(&self) -> Since {
        let work = self.work();
        Since::replay(&work.base, &work.session.lab, work.first)
    }

    /// The machine as texts see it: costs count from the start of the step.
    #[must_use]
    pub fn vm_for_texts(&self) -> AnyVm {
        self.since().vm
    }

    /// Records the goal if it is reached at the cursor. Called after every command; a window calls
    /// it too when the learner moves in time.
    pub fn settle(&mut self) {
        let Some(goal) = self.step().goal.clone().filter(|_| !self.in_sandbox) else { return };
        let since = self.since();
        if since.score.steps == 0 || !since.holds(&goal) {
            return;
        }
        let predicts = self.step().kind == StepKind::Predict;
        let record = &mut self.record.steps[self.at];
        // A prediction is done by answering, not by looking.
        record.done |= !predicts;
        if !record.solution_shown {
            record.best = Some(record.best.map_or(since.score, |best| best.better(since.score)));
        }
    }

    /// Chooses an answer, counted from 0; `None` where there is no such answer. Any number of
    /// tries; the first and the last are kept.
    pub fn choose(&mut self, index: usize, language: &str) -> Option<Chosen> {
        let choice = self.step().choices.get(index)?;
        let chosen = Chosen { right: choice.right, because: choice.because.get(language).to_owned() };
        let record = &mut self.record.steps[self.at];
        record.first_choice = record.first_choice.or(Some(index));
        record.choice = Some(index);
        record.done |= chosen.right;
        Some(chosen)
    }

    /// The hints taken so far.
    #[must_use]
    pub fn hints(&self, language: &str) -> &[String] {
        let all = self.step().hints.get(language);
        &all[..self.record.steps[self.at].hints.min(all.len())]
    }

    /// How many hints there are.
    #[must_use]
    pub fn hints_there_are(&self) -> usize {
        self.step().hints.0.values().map(Vec::len).max().unwrap_or(0)
    }

    /// Takes the next hint; `None` when there is none left.
    pub fn take_hint(&mut self, language: &str) -> Option<&str> {
        let taken = self.record.steps[self.at].hints;
        if taken >= self.hints_there_are() {
            return None;
        }
        self.record.steps[self.at].hints += 1;
        self.step().hints.get(language).get(taken).map(String::as_str)
    }

    /// Plays the solution into the timeline, from the step's start: what the learner did stays as
    /// another branch. The cursor stands at its end.
    pub fn play_solution(&mut self) -> Vec<Event> {
        self.in_sandbox = false;
        let steps = self.step().solution.clone();
        let asks = matches!(self.step().kind, StepKind::Change | StepKind::Construct);
        let record = &mut self.record.steps[self.at];
        record.solution_shown |= asks && !record.done;
        let watch = self.step().kind == StepKind::Watch && self.step().goal.is_none();
        let work = self.work_mut();
        work.session.lab.seek(work.first);
        let events = work.session.run(&steps);
        self.record.steps[self.at].done |= watch;
        self.settle();
        events
    }

    /// Begins the step again: a new machine, the choice and hints forgotten. That it was done, and
    /// the best score, stay.
    ///
    /// # Errors
    /// [`StartError`]; the step stays as it is.
    pub fn redo(&mut self) -> Result<(), StartError> {
        let sandbox = self.work[self.at].as_mut().and_then(|work| work.sandbox.take());
        let fresh = prepare(&self.lesson, self.at)?;
        self.work[self.at] = Some(Work { sandbox, ..fresh });
        self.in_sandbox = false;
        let record = &mut self.record.steps[self.at];
        (record.choice, record.first_choice, record.hints, record.solution_shown) = (None, None, 0, false);
        Ok(())
    }

    /// Whether the sandbox is in view.
    #[must_use]
    pub const fn in_sandbox(&self) -> bool {
        self.in_sandbox
    }

    /// Leaves to the sandbox: a copy of the step's machine in which everything is allowed and
    /// nothing is judged. A sandbox of this step that was left before is opened again.
    pub fn leave_to_sandbox(&mut self) {
        let work = self.work_mut();
        if work.sandbox.is_none() {
            work.sandbox = Some(work.session.clone());
        }
        self.in_sandbox = true;
    }

    /// Comes back to the lesson, where it was left. The sandbox is kept.
    pub const fn return_to_lesson(&mut self) {
        self.in_sandbox = false;
    }
}

/// The machine at the start of a step.
fn prepare(lesson: &Lesson, index: usize) -> Result<Work, StartError> {
    let engine = lesson.steps[index].engine;
    let past: Vec<Step> = lesson.start.steps.iter().chain(lesson.prelude(index)).cloned().collect();
    let notes = past.iter().filter(|step| matches!(step.kind, Kind::Command(_) | Kind::Note(_))).cloned();
    let scenario = Scenario {
        id: lesson.id.clone(),
        title: lesson.title.clone(),
        engine,
        steps: notes.collect(),
        mem_after: None,
        ad_may: Vec::new(),
        ..lesson.start.clone()
    };
    let mut session = scenario::Session::open_on(scenario, engine, Caches::default())?;
    let first = session.lab.len();
    session.lab.seek(first);
    let base = session.lab.vm().clone();
    Ok(Work { session, base, first, sandbox: None })
}

/// The state at the start of a step, with costs counted from there.
pub(super) fn start_of(lesson: &Lesson, index: usize) -> Result<Since, StartError> {
    prepare(lesson, index).map(|work| Since::start(&work.base))
}
