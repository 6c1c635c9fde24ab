//! The laboratory: a machine, the log of everything done to it, and time.
//!
//! Time is a tree. Every command is a node under the state that it was given in; the path in view
//! leads from the start to the tip of one branch, and the cursor stands somewhere on it. Any point
//! is a snapshot plus a short replay, because the machine is a function of its commands.

pub mod mode_switch;

use std::collections::BTreeMap;

use crate::engine::{AnyVm, Engine, Outcome, Quiet, Sink, Vm};
use crate::machine::{Command, Event, Machine};

/// A command in the tree of time, by the order in which it was first given.
pub type NodeId = u32;

/// A snapshot is kept after every so many commands of a branch.
const SNAPSHOT_EVERY: usize = 256;

#[derive(Clone, Debug)]
struct Node {
    /// `None`: given in the start state.
    parent: Option<NodeId>,
    command: Command,
}

/// One event of a command, with the state right after it.
#[derive(Clone, Debug)]
pub struct MicroStep {
    /// What happened.
    pub event: Event,
    /// The machine after it.
    pub vm: AnyVm,
}

struct MicroRecorder(Vec<MicroStep>);

impl Sink for MicroRecorder {
    const ON: bool = true;

    fn event<E: Engine>(&mut self, vm: &Vm<E>, event: Event) {
        self.0.push(MicroStep { event, vm: E::wrap(vm.clone()) });
    }
}

/// A branch of time, named by its last command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Branch {
    /// Its last command.
    pub tip: NodeId,
    /// How many commands it has from the start.
    pub len: usize,
    /// Its commands up to this one are those of the path in view.
    pub shared: usize,
}

/// A machine with its past and its other futures.
#[derive(Clone, Debug)]
pub struct Lab {
    start: AnyVm,
    vm: AnyVm,
    nodes: Vec<Node>,
    path: Vec<NodeId>,
    cursor: usize,
    /// Boxed, so that the map moves pointers when it grows.
    snapshots: BTreeMap<NodeId, Box<AnyVm>>,
}

impl Lab {
    /// A lab whose time begins in this state.
    #[must_use]
    pub fn new(start: AnyVm) -> Self {
        let vm = start.clone();
        Self { start, vm, nodes: Vec::new(), path: Vec::new(), cursor: 0, snapshots: BTreeMap::new() }
    }

    /// The machine at the cursor, under its engine.
    #[must_use]
    pub const fn vm(&self) -> &AnyVm {
        &self.vm
    }

    /// The machine at the cursor.
    #[must_use]
    pub const fn machine(&self) -> &Machine {
        self.vm.machine()
    }

    /// The state that time begins in.
    #[must_use]
    pub const fn start(&self) -> &AnyVm {
        &self.start
    }

    /// How many commands of the path lie before the cursor.
    #[must_use]
    pub const fn cursor(&self) -> usize {
        self.cursor
    }

    /// How many commands the path in view has, those after the cursor included.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.path.len()
    }

    /// Whether the path has no command.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.path.is_empty()
    }

    /// The commands of the path in view, from the start.
    pub fn commands(&self) -> impl ExactSizeIterator<Item = &Command> {
        self.path.iter().map(|id| &self.nodes[*id as usize].command)
    }

    /// Command `step` of the path, counted from 1.
    #[must_use]
    pub fn command(&self, step: usize) -> Option<&Command> {
        let id = self.path.get(step.checked_sub(1)?)?;
        Some(&self.nodes[*id as usize].command)
    }

    /// The node of command `step` of the path, counted from 1: with it the whole past up to there.
    #[must_use]
    pub fn node(&self, step: usize) -> Option<NodeId> {
        self.path.get(step.checked_sub(1)?).copied()
    }

    /// Carries a command out at the cursor and returns what happened. Given in the past, it opens
    /// a branch; an equal next command on the path is walked, not doubled.
    pub fn execute(&mut self, command: Command) -> Vec<Event> {
        let mut events = Vec::new();
        self.execute_with(command, &mut events);
        events
    }

    /// As [`Lab::execute`], with a sink of the caller's and the outcome as a value.
    #[inline]
    pub fn execute_with<S: Sink>(&mut self, command: Command, sink: &mut S) -> Outcome {
        let outcome = self.vm.execute(&command, sink);
        self.append(command);
        outcome
    }

    #[inline]
    fn append(&mut self, command: Command) {
        if self.cursor < self.path.len() {
            if self.command(self.cursor + 1) == Some(&command) {
                self.cursor += 1;
                return;
            }
            self.path.truncate(self.cursor);
        }
        let id = self.nodes.len() as NodeId;
        let parent = self.path.last().copied();
        self.nodes.push(Node { parent, command });
        self.path.push(id);
        self.cursor += 1;
        if self.cursor.is_multiple_of(SNAPSHOT_EVERY) {
            self.snapshots.insert(id, Box::new(self.vm.clone()));
        }
    }

    /// Moves the cursor along the path; past its end it stops there.
    pub fn seek(&mut self, step: usize) {
        let step = step.min(self.path.len());
        self.vm = self.state_at(step);
        self.cursor = step;
    }

    /// The state after `step` commands of the path.
    #[must_use]
    pub fn state_at(&self, step: usize) -> AnyVm {
        let step = step.min(self.path.len());
        let (mut done, mut vm) = self.nearest_state(step);
        while done < step {
            vm.execute(&self.nodes[self.path[done] as usize].command, &mut Quiet);
            done += 1;
        }
        vm
    }

    fn nearest_state(&self, step: usize) -> (usize, AnyVm) {
        if self.cursor <= step && step - self.cursor < SNAPSHOT_EVERY {
            return (self.cursor, self.vm.clone());
        }
        for done in (1..=step).rev().filter(|done| done.is_multiple_of(SNAPSHOT_EVERY)) {
            if let Some(vm) = self.snapshots.get(&self.path[done - 1]) {
                return (done, AnyVm::clone(vm));
            }
        }
        (0, self.start.clone())
    }

    /// What command `step` of the path (counted from 1) did.
    #[must_use]
    pub fn events_of(&self, step: usize) -> Vec<Event> {
        let mut events = Vec::new();
        if let Some(command) = self.command(step) {
            self.state_at(step - 1).execute(command, &mut events);
        }
        events
    }

    /// What command `step` of the path did, event by event, each with the state after it.
    #[must_use]
    pub fn micro_steps(&self, step: usize) -> Vec<MicroStep> {
        let mut recorder = MicroRecorder(Vec::new());
        if let Some(command) = self.command(step) {
            self.state_at(step - 1).execute(command, &mut recorder);
        }
        recorder.0
    }

    /// What a command would do at the cursor. The machine stays as it is.
    #[must_use]
    pub fn try_on_copy(&self, command: &Command) -> (Outcome, Vec<Event>) {
        let mut events = Vec::new();
        let outcome = self.vm.clone().execute(command, &mut events);
        (outcome, events)
    }

    /// Every branch, by the order of their last commands.
    #[must_use]
    pub fn branches(&self) -> Vec<Branch> {
        let mut is_tip = vec![true; self.nodes.len()];
        for parent in self.nodes.iter().filter_map(|node| node.parent) {
            is_tip[parent as usize] = false;
        }
        let tips = (0..self.nodes.len() as NodeId).filter(|id| is_tip[*id as usize]);
        tips.map(|tip| {
            let path = self.path_to(tip);
            let shared = path.iter().zip(&self.path).take_while(|(a, b)| a == b).count();
            Branch { tip, len: path.len(), shared }
        })
        .collect()
    }

    fn path_to(&self, tip: NodeId) -> Vec<NodeId> {
        let mut path: Vec<NodeId> = std::iter::successors(Some(tip), |id| self.nodes[*id as usize].parent).collect();
        path.reverse();
        path
    }

    /// Takes another branch into view. The cursor goes back to the last command they share if it
    /// stood beyond it.
    pub fn switch_to(&mut self, tip: NodeId) {
        if tip as usize >= self.nodes.len() {
            return;
        }
        let path = self.path_to(tip);
        let shared = path.iter().zip(&self.path).take_while(|(a, b)| a == b).count();
        if self.cursor > shared {
            self.seek(shared);
        }
        self.path = path;
    }

    /// A hash of the machine at the cursor.
    #[must_use]
    pub fn state_hash(&self) -> u64 {
        self.machine().state_hash()
    }
}
