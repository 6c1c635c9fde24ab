//! A scenario opened for exploring: its commands laid out in a lab's time, the cursor at the start.

use super::file::{Scenario, StartError, Text};
use super::step::{Step, StepKind, Want};
use crate::engine::{EngineName, Quiet};
use crate::lab::{Lab, Node, NodeId};
use crate::machine::{Caches, Event};

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
    /// Captions of the scenario.
    pub captions: Vec<Caption>,
    /// What the scenario wants of each of its commands.
    pub wants: Vec<Option<Want>>,
    /// For each step of the file, how many commands have been carried out after it.
    commands_after: Vec<usize>,
    /// How many of the captions are the scenario's own.
    own_captions: usize,
    engine: EngineName,
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
    pub fn open_on(scenario: Scenario, engine: EngineName, caches: Caches) -> Result<Self, StartError> {
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
        (engine, caches): (EngineName, Caches),
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

    fn laid_out(scenario: Scenario, lab: Lab, engine: EngineName, caches: Caches) -> Self {
        let (mut captions, mut wants, mut commands_after) = (Vec::new(), Vec::new(), Vec::new());
        for step in &scenario.steps {
            match &step.kind {
                StepKind::Command(_) => wants.push(step.want),
                StepKind::Note(text) => captions.push(Caption { after: wants.len(), text: text.clone() }),
                StepKind::Expect(_) => {}
            }
            commands_after.push(wants.len());
        }
        let own_captions = captions.len();
        Self { scenario, lab, captions, wants, commands_after, own_captions, engine, caches }
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
    pub fn replay_on(&mut self, engine: EngineName, caches: Caches) -> Result<(), StartError> {
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
