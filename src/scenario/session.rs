//! A scenario opened for exploring: its commands laid out in a lab's time, the cursor at the start.

use super::file::{Scenario, StartError, Text};
use super::marks::Marks;
use super::predicate::Predicate;
use super::run::{Failure, judge_step};
use super::step::{Step, StepKind, Want};
use crate::engine::{EngineConfig, EngineName, Outcome, Quiet};
use crate::lab::{Lab, Node, NodeId};
use crate::language::Language;
use crate::machine::{Caches, Command, Event, Machine};

/// A caption that stands between two commands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caption {
    /// How many commands come before it.
    pub after: usize,
    /// What it says.
    pub text: Text,
}

/// An open scenario.
#[derive(Clone, Debug)]
pub struct Session {
    /// What was opened.
    pub scenario: Scenario,
    /// The machine and its time.
    pub lab: Lab,
    /// Names of branches, and bookmarks.
    pub marks: Marks,
    /// Captions of the scenario.
    pub captions: Vec<Caption>,
    /// What the scenario wants of each of its commands.
    pub wants: Vec<Option<Want>>,
    /// For each step of the file, how many commands have been carried out after it.
    commands_after: Vec<usize>,
    /// For each command of the file, its step number.
    numbers: Vec<usize>,
    /// How many of the captions are the scenario's own.
    own_captions: usize,
    engine: EngineConfig,
    caches: Caches,
}

impl Session {
    /// Opens a scenario on the engine that it asks for.
    ///
    /// # Errors
    /// [`StartError`].
    pub fn open(scenario: Scenario) -> Result<Self, StartError> {
        let engine = scenario.engine;
        Self::open_on(scenario, engine, Caches::default())
    }

    /// Opens a scenario on an engine, with the caches that the processor is to have.
    ///
    /// # Errors
    /// [`StartError`].
    pub fn open_on(scenario: Scenario, engine: impl Into<EngineConfig>, caches: Caches) -> Result<Self, StartError> {
        let engine = engine.into();
        let lab = Lab::new(scenario.start(engine, caches)?);
        let mut session = Self::laid_out(scenario, lab, engine, caches);
        for step in &session.scenario.steps {
            if let StepKind::Command(command) = &step.kind {
                session.lab.execute_with(command.clone(), &mut Quiet);
            }
        }
        session.lab.seek(0);
        Ok(session)
    }

    /// Opens a scenario with a log: every command that was given, the last command of the branch in
    /// view, the cursor on it, and the captions that were added. A log that is none leaves the
    /// machine at its start.
    ///
    /// # Errors
    /// [`StartError`].
    pub fn with_log(
        scenario: Scenario,
        (engine, caches): (EngineConfig, Caches),
        log: Vec<Node>,
        at: (Option<NodeId>, usize),
        added: Vec<Caption>,
    ) -> Result<Self, StartError> {
        let start = scenario.start(engine, caches)?;
        let lab = Lab::with_log(start.clone(), log, at.0, at.1).unwrap_or_else(|_| Lab::new(start));
        let mut session = Self::laid_out(scenario, lab, engine, caches);
        session.captions.extend(added);
        Ok(session)
    }

    fn laid_out(scenario: Scenario, lab: Lab, engine: EngineConfig, caches: Caches) -> Self {
        let (mut captions, mut wants, mut commands_after) = (Vec::new(), Vec::new(), Vec::new());
        let mut numbers = Vec::new();
        for (index, step) in scenario.steps.iter().enumerate() {
            match &step.kind {
                StepKind::Command(_) => {
                    wants.push(step.want);
                    numbers.push(index + 1);
                }
                StepKind::Note(text) => captions.push(Caption { after: wants.len(), text: text.clone() }),
                StepKind::Expect(_) => {}
            }
            commands_after.push(wants.len());
        }
        let own_captions = captions.len();
        let marks = Marks::default();
        Self { scenario, lab, marks, captions, wants, commands_after, numbers, own_captions, engine, caches }
    }

    /// The captions that were added to those of the scenario.
    #[must_use]
    pub fn added_captions(&self) -> &[Caption] {
        self.captions.get(self.own_captions..).unwrap_or_default()
    }

    /// An empty machine.
    #[must_use]
    pub fn empty() -> Self {
        let scenario = Scenario::empty();
        match Self::open(scenario) {
            Ok(session) => session,
            Err(error) => unreachable!("the empty machine is legal: {error}"),
        }
    }

    /// The engine that runs it.
    #[must_use]
    pub const fn engine(&self) -> EngineName {
        self.engine.name
    }

    /// The engine that runs it, with what is switched on.
    #[must_use]
    pub const fn config(&self) -> EngineConfig {
        self.engine
    }

    /// The caches that the processor has.
    #[must_use]
    pub const fn caches(&self) -> Caches {
        self.caches
    }

    /// The same commands from the start, with every branch, on another engine or with other caches.
    ///
    /// # Errors
    /// [`StartError`]; the session stays as it is.
    pub fn replay_on(&mut self, engine: impl Into<EngineConfig>, caches: Caches) -> Result<(), StartError> {
        let engine = engine.into();
        let start = self.scenario.start(engine, caches)?;
        self.lab.restart(start);
        (self.engine, self.caches) = (engine, caches);
        Ok(())
    }

    /// The cursor position after step `number` of the file (0: the start).
    #[must_use]
    pub fn cursor_after(&self, number: usize) -> usize {
        let Some(index) = number.checked_sub(1) else { return 0 };
        self.commands_after.get(index).or(self.commands_after.last()).copied().unwrap_or(0)
    }

    /// The number of command `position` of the path as the file counts its steps, notes and
    /// expectations included; commands beyond the file go on from its last step. 0 is the start.
    #[must_use]
    pub fn step_number(&self, position: usize) -> usize {
        let Some(index) = position.checked_sub(1) else { return 0 };
        match self.numbers.get(index) {
            Some(number) => *number,
            None => self.scenario.steps.len() + position - self.numbers.len(),
        }
    }

    /// Whether what the file wants is asked of this machine: it is written for the engine that the file names.
    #[must_use]
    pub fn is_as_the_file_says(&self) -> bool {
        self.engine == self.scenario.engine && self.caches == Caches::default()
    }

    /// The command that stands at a position of the path in the file.
    #[must_use]
    pub fn file_command(&self, position: usize) -> Option<&Command> {
        match &self.file_step(position)?.kind {
            StepKind::Command(command) => Some(command),
            StepKind::Expect(_) | StepKind::Note(_) => None,
        }
    }

    fn file_step(&self, position: usize) -> Option<&Step> {
        let number = self.numbers.get(position.checked_sub(1)?)?;
        self.scenario.steps.get(number.checked_sub(1)?)
    }

    /// How the file's command at a position failed what is wanted of it, if it did.
    #[must_use]
    pub fn judge_command(&self, position: usize, outcome: &Outcome, machine: &Machine) -> Option<Failure> {
        judge_step(self.file_step(position)?, outcome, machine)
    }

    /// What the file expects between its command at `position` and the next one, with the numbers of the steps.
    pub fn file_expects(&self, position: usize) -> impl Iterator<Item = (usize, &Predicate)> {
        let first = position.checked_sub(1).map_or(Some(0), |index| self.numbers.get(index).copied());
        let between = first.and_then(|first| self.scenario.steps.get(first..)).unwrap_or_default();
        let before_next = between.iter().take_while(|step| !matches!(step.kind, StepKind::Command(_)));
        before_next.zip(first.unwrap_or(0) + 1..).filter_map(|(step, number)| match &step.kind {
            StepKind::Expect(predicate) => Some((number, predicate)),
            StepKind::Command(_) | StepKind::Note(_) => None,
        })
    }

    /// Whether an expectation of the file counts what has happened since the start.
    #[must_use]
    pub fn file_asks_what_happened(&self) -> bool {
        self.scenario.steps.iter().any(|step| matches!(&step.kind, StepKind::Expect(what) if what.counts_events()))
    }

    /// How many steps there are up to the last command of the path, as [`Session::step_number`] counts.
    #[must_use]
    pub fn step_count(&self) -> usize {
        self.step_number(self.lab.len())
    }

    /// The captions that belong to the command before the cursor: those that stand right before it,
    /// and after the last command those at the end. At the start, the first.
    pub fn captions_here(&self) -> impl Iterator<Item = &Caption> {
        let (here, end) = (self.lab.cursor(), self.lab.len());
        let belongs =
            move |caption: &&Caption| caption.after + 1 == here || caption.after == here && (here == 0 || here == end);
        self.captions.iter().filter(belongs)
    }

    /// The last caption up to the cursor.
    #[must_use]
    pub fn caption_in_force(&self) -> Option<&Caption> {
        let (here, end) = (self.lab.cursor(), self.lab.len());
        let begun = |caption: &&Caption| caption.after < here || caption.after == here && (here == 0 || here == end);
        self.captions.iter().rfind(begun)
    }

    /// A caption as it is told at the cursor: one that was said of an earlier command begins with that command's number.
    #[must_use]
    pub fn told(&self, caption: &Caption, language: Language) -> String {
        let text = caption.text.get(language.id());
        match self.lab.cursor() > caption.after + 1 {
            true => format!("#{} · {text}", self.step_number(caption.after + 1)),
            false => text.to_owned(),
        }
    }

    /// Carries out steps at the cursor; notes become captions, expectations are left out.
    pub fn run(&mut self, steps: &[Step]) -> Vec<Event> {
        let mut events = Vec::new();
        for step in steps {
            match &step.kind {
                StepKind::Command(command) => {
                    self.lab.execute_with(command.clone(), &mut events);
                }
                StepKind::Note(text) => {
                    self.captions.push(Caption { after: self.lab.cursor(), text: text.clone() });
                }
                StepKind::Expect(_) => {}
            }
        }
        events
    }
}
