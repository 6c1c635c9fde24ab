//! The laboratory: a machine, the log of everything done to it, and time.
//!
//! Time is a tree. Every command is a node under the state that it was given in; the path in view
//! leads from the start to the tip of one branch, and the cursor stands somewhere on it. Any point
//! is a snapshot plus a short replay, because the machine is a function of its commands.

mod branches;
mod large;
mod micro;
pub mod mode_switch;
mod snapshots;

use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::engine::{AnyVm, Outcome, Quiet, Sink};
use crate::machine::{Command, Event, Machine};

use branches::Ends;
pub use branches::{Branch, DeletedBranch, Kept, Place};
pub use micro::MicroStep;
use snapshots::Snapshots;

/// Commands that a log has room for when the first is given: some 60 KB.
const FIRST_COMMANDS: usize = 1024;

/// A command in the tree of time, by the order in which it was first given.
pub type NodeId = u32;

/// A command with the one before it; `None`: given in the start state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// The command before it.
    pub parent: Option<NodeId>,
    /// The command.
    pub command: Command,
}

/// Why a log cannot be taken over: a command names a later one, or itself, as the one before it, or
/// the branch in view has no such command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("command {0} of the log does not follow any command before it")]
pub struct BrokenLog(usize);

/// The name of a tree of time. A copy of a lab grows apart from it, so it has a name of its own.
#[derive(Debug)]
struct Identity(u64);

impl Default for Identity {
    fn default() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

impl Clone for Identity {
    fn clone(&self) -> Self {
        Self::default()
    }
}

/// A machine with its past and its other futures.
#[derive(Clone, Debug)]
pub struct Lab {
    identity: Identity,
    /// The tree that this one was before commands were taken back, and how many of its commands are here still.
    succeeds: Option<(u64, NodeId)>,
    start: AnyVm,
    vm: AnyVm,
    nodes: Vec<Node>,
    /// How many commands lead to each node, itself included.
    depths: Vec<u32>,
    /// The branches, by the order of their first commands.
    tips: Vec<Ends>,
    /// The branch in view, by its first command.
    in_view: Option<NodeId>,
    /// How many branches were deleted: their commands are in the log still.
    deleted: usize,
    path: Vec<NodeId>,
    cursor: usize,
    snapshots: Snapshots,
    /// The state before the command at the cursor, where a jump has just passed it: what views ask
    /// for next.
    before: Option<Box<AnyVm>>,
}

impl Lab {
    /// A lab whose time begins in this state.
    #[must_use]
    pub fn new(start: AnyVm) -> Self {
        let (vm, snapshots) = (start.clone(), Snapshots::new(&start));
        let (nodes, depths, tips, path) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let (identity, succeeds) = (Identity::default(), None);
        Self {
            identity,
            succeeds,
            start,
            vm,
            nodes,
            depths,
            tips,
            in_view: None,
            deleted: 0,
            path,
            cursor: 0,
            snapshots,
            before: None,
        }
    }

    /// A lab with a log: every command that was given, in that order, the last command of the
    /// branch in view (`None`: nothing but the start is in view) and the cursor on it.
    ///
    /// # Errors
    /// [`BrokenLog`].
    pub fn with_log(start: AnyVm, log: Vec<Node>, tip: Option<NodeId>, cursor: usize) -> Result<Self, BrokenLog> {
        let mut lab = Self::new(start);
        for Node { parent, command } in log {
            if parent.is_some_and(|parent| parent as usize >= lab.nodes.len()) {
                return Err(BrokenLog(lab.nodes.len() + 1));
            }
            lab.add_node(parent, command);
        }
        if let Some(tip) = tip {
            if tip as usize >= lab.nodes.len() {
                return Err(BrokenLog(tip as usize + 1));
            }
            lab.path = lab.path_to(tip);
        }
        lab.in_view = lab.branch_through(tip);
        lab.seek(usize::MAX);
        lab.seek(cursor);
        Ok(lab)
    }

    /// The same commands from another start. Cursor and branches stay.
    pub fn restart(&mut self, start: AnyVm) {
        let cursor = self.cursor;
        self.snapshots = Snapshots::new(&start);
        (self.vm, self.cursor, self.before) = (start.clone(), 0, None);
        (self.start, self.identity, self.succeeds) = (start, Identity::default(), None);
        self.seek(usize::MAX);
        self.seek(cursor);
    }

    /// A number for this tree of time: while it is the same, a [`NodeId`] names the same command with the same
    /// past in the same start state, and the tree has only grown.
    #[must_use]
    pub const fn identity(&self) -> u64 {
        self.identity.0
    }

    /// Where commands were taken back: the number of the tree that this one was before, and how many of its
    /// commands, the first ones, are here still.
    #[must_use]
    pub const fn succeeds(&self) -> Option<(u64, NodeId)> {
        self.succeeds
    }

    /// The path in view, as nodes.
    #[must_use]
    pub fn path(&self) -> &[NodeId] {
        &self.path
    }

    /// Every command that was ever given, by [`NodeId`].
    #[must_use]
    pub fn log(&self) -> &[Node] {
        &self.nodes
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

    /// How many commands lead to a node, itself included.
    #[must_use]
    pub fn depth(&self, node: NodeId) -> Option<usize> {
        self.depths.get(node as usize).map(|depth| *depth as usize)
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
        let pages = self.machine().memory.page_count();
        let outcome = self.vm.execute(&command, sink);
        self.append(command, pages);
        outcome
    }

    /// As [`Lab::execute_with`]; the state before the command stays at hand for views, as after a jump.
    pub fn execute_in_view<S: Sink>(&mut self, command: Command, sink: &mut S) -> Outcome {
        let before = Box::new(self.vm.clone());
        let outcome = self.execute_with(command, sink);
        self.before = Some(before);
        outcome
    }

    /// Adds a command that was just carried out to the log; memory had so many pages before it.
    #[inline]
    fn append(&mut self, command: Command, pages: usize) {
        if self.before.is_some() {
            self.before = None;
        }
        let id = match self.path.get(self.cursor) {
            Some(next) if self.nodes[*next as usize].command == command => *next,
            other => {
                if other.is_some() {
                    self.path.truncate(self.cursor);
                }
                let (id, branch) = self.add_node(self.path.last().copied(), command);
                self.path.push(id);
                self.in_view = Some(branch);
                id
            }
        };
        self.cursor += 1;
        let command = &self.nodes[id as usize].command;
        self.snapshots.passed(id, self.cursor, command, pages, &self.start, &self.vm);
    }

    /// Adds a command to the log; its number, and the branch that it belongs to.
    #[inline]
    fn add_node(&mut self, parent: Option<NodeId>, command: Command) -> (NodeId, NodeId) {
        let id = self.nodes.len() as NodeId;
        if self.nodes.len() == self.nodes.capacity() {
            self.grow();
        }
        let branch = match (parent, self.tips.last_mut()) {
            (Some(parent), Some(ends)) if ends.tip == parent => {
                ends.tip = id;
                ends.start
            }
            _ => self.grow_or_fork(parent, id),
        };
        self.depths.push(parent.map_or(1, |parent| self.depths[parent as usize] + 1));
        self.nodes.push(Node { parent, command });
        (id, branch)
    }

    /// Room for more commands. A log begins with some room, so that the first thousands of commands do
    /// not pay for one small log being copied into the next.
    #[cold]
    fn grow(&mut self) {
        let more = self.nodes.len().max(FIRST_COMMANDS);
        self.nodes.reserve_exact(more);
        self.depths.reserve_exact(more);
        self.path.reserve_exact(more);
    }

    /// Moves the cursor along the path; past its end it stops there.
    pub fn seek(&mut self, step: usize) {
        let step = step.min(self.path.len());
        if step == self.cursor {
            return;
        }
        self.before = None;
        let nearest = self.snapshots.nearest(&self.path, step);
        let on_the_way = step > self.cursor && nearest.is_none_or(|(_, done)| self.cursor >= done);
        if !on_the_way {
            // What is only here goes first, so that there is room for what comes.
            self.vm = self.start.clone();
            let kept = nearest.and_then(|(node, done)| Some((node, done, self.snapshots.restore(node)?)));
            self.snapshots.stand_at(kept.as_ref().map(|(node, _, _)| *node), &self.start);
            (self.vm, self.cursor) = match kept {
                Some((_, done, vm)) => (vm, done),
                None => (self.start.clone(), 0),
            };
        }
        while self.cursor < step {
            if self.cursor + 1 == step {
                self.before = Some(Box::new(self.vm.clone()));
            }
            let id = self.path[self.cursor];
            let command = &self.nodes[id as usize].command;
            let pages = self.machine().memory.page_count();
            self.vm.execute(command, &mut Quiet);
            self.cursor += 1;
            self.snapshots.passed(id, self.cursor, command, pages, &self.start, &self.vm);
        }
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
        let snapshot = self.snapshots.nearest(&self.path, step);
        let kept = snapshot.map_or(0, |(_, done)| done);
        let before = self.before.as_deref().map(|vm| (self.cursor.saturating_sub(1), vm));
        let at_hand = [Some((0, &self.start)), before, Some((self.cursor, &self.vm))].into_iter().flatten();
        let nearest = at_hand.filter(|(done, _)| *done <= step && *done >= kept).max_by_key(|(done, _)| *done);
        if let Some((done, vm)) = nearest {
            return (done, vm.clone());
        }
        let restored = snapshot.and_then(|(node, done)| Some((done, self.snapshots.restore(node)?)));
        restored.unwrap_or_else(|| (0, self.start.clone()))
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

    /// What commands `steps` of the path did (the first counted from 1), found in one replay.
    #[must_use]
    pub fn events_of_each(&self, steps: Range<usize>) -> Vec<Vec<Event>> {
        let mut vm = self.state_at(steps.start.saturating_sub(1));
        let happened = |command: &Command| {
            let mut events = Vec::new();
            vm.execute(command, &mut events);
            events
        };
        steps.filter_map(|step| self.command(step)).map(happened).collect()
    }

    /// What command `step` of the path did, event by event, each with the state after it.
    #[must_use]
    pub fn micro_steps(&self, step: usize) -> Vec<MicroStep> {
        self.micro_steps_from(self.state_at(step.saturating_sub(1)), step)
    }

    /// As [`Lab::micro_steps`], from the state before the command.
    #[must_use]
    pub fn micro_steps_from(&self, before: AnyVm, step: usize) -> Vec<MicroStep> {
        let Some(command) = self.command(step) else { return Vec::new() };
        let (mut recorder, mut vm) = (micro::Recorder::default(), before);
        vm.execute(command, &mut recorder);
        recorder.finish(vm)
    }

    /// What a command would do at the cursor. The machine stays as it is.
    #[must_use]
    pub fn try_on_copy(&self, command: &Command) -> (Outcome, Vec<Event>) {
        let mut events = Vec::new();
        let outcome = self.vm.clone().execute(command, &mut events);
        (outcome, events)
    }

    /// How many states are kept to make jumps short, and about how many bytes they take.
    #[must_use]
    pub fn snapshot_use(&self) -> (usize, usize) {
        (self.snapshots.count(), self.snapshots.bytes())
    }

    /// Bounds what the kept states may take, in bytes. A small bound makes jumps longer.
    pub const fn set_snapshot_budget(&mut self, bytes: usize) {
        self.snapshots.set_budget(bytes);
    }

    /// A hash of the machine at the cursor.
    #[must_use]
    pub fn state_hash(&self) -> u64 {
        self.machine().state_hash()
    }
}
