//! The engines that are compared, each carrying out the commands of the path in view.
//!
//! They run a piece at a time, as the window asks, so that a long history keeps nobody waiting.
//! Of each command only a number is kept that tells equal rows from others; the rows of the command
//! in focus are made from the nearest kept state.

use super::deeds::{Deed, lit};
use super::rows::{self, Row};
use crate::engine::{AnyVm, Engine, EngineConfig, Quiet, Sink, Vm};
use crate::lab::{Lab, NodeId};
use crate::machine::{Command, Cost, Event};
use crate::scenario::Session;

/// States kept of a run; where there are more, every second goes.
const MAX_KEPT: usize = 256;
/// Commands between two kept states at first.
const FIRST_STRIDE: usize = 64;
/// What a command counts beside its events.
const COMMAND: usize = 8;
/// Commands that a run carries out before the next run gets its turn.
const TURN: usize = 64;

/// An engine on its way along the path.
#[derive(Clone, Debug)]
struct Run {
    engine: EngineConfig,
    /// After `digests.len()` commands.
    vm: AnyVm,
    /// A number for each command's rows.
    digests: Vec<u64>,
    /// States with how many commands lead to them, in order; the start first.
    kept: Vec<(usize, AnyVm)>,
    stride: usize,
    /// The state after the command that was looked at last.
    near: Option<(usize, AnyVm)>,
}

impl Run {
    fn new(engine: EngineConfig, start: AnyVm) -> Self {
        let kept = vec![(0, start.clone())];
        Self { engine, vm: start, digests: Vec::new(), kept, stride: FIRST_STRIDE, near: None }
    }

    const fn done(&self) -> usize {
        self.digests.len()
    }

    fn advance(&mut self, command: &Command, events: &mut Vec<Event>) {
        let rows = rows::rows_of(&mut self.vm, command, events);
        self.digests.push(rows::digest(&rows));
        if !self.done().is_multiple_of(self.stride) {
            return;
        }
        if self.kept.len() == MAX_KEPT {
            self.stride *= 2;
            let stride = self.stride;
            self.kept.retain(|(step, _)| step.is_multiple_of(stride));
        }
        if self.done().is_multiple_of(self.stride) {
            self.kept.push((self.done(), self.vm.clone()));
        }
    }

    /// Goes back to where the path still was the same.
    fn rewind(&mut self, common: usize) {
        self.near.take_if(|(step, _)| *step > common);
        if self.done() <= common {
            return;
        }
        self.kept.retain(|(step, _)| *step <= common);
        if let Some((step, vm)) = self.kept.last() {
            self.vm = vm.clone();
            self.digests.truncate(*step);
        }
    }

    /// The state after `step` commands, which must have been carried out.
    fn state_at(&self, lab: &Lab, step: usize) -> AnyVm {
        let kept = self.kept.partition_point(|(done, _)| *done <= step);
        let kept = self.kept[..kept].last().map(|(done, vm)| (*done, vm));
        let near = self.near.as_ref().map(|(done, vm)| (*done, vm));
        let known = [kept, near, Some((self.done(), &self.vm))].into_iter().flatten();
        let nearest = known.filter(|(done, _)| *done <= step).max_by_key(|(done, _)| *done);
        let (done, mut vm) = nearest.map_or_else(|| (self.done(), self.vm.clone()), |(done, vm)| (done, vm.clone()));
        for command in (done + 1..=step).filter_map(|step| lab.command(step)) {
            vm.execute(command, &mut Quiet);
        }
        vm
    }
}

/// Keeps each event and what the run had cost after it.
struct Priced {
    events: Vec<Event>,
    costs: Vec<Cost>,
}

impl Sink for Priced {
    const ON: bool = true;

    fn event<E: Engine>(&mut self, vm: &Vm<E>, event: Event) {
        self.events.push(event);
        self.costs.push(vm.machine.cost);
    }
}

/// What one engine did for the command in focus.
#[derive(Clone, Debug)]
pub struct Column {
    /// Everything that happened.
    pub events: Vec<Event>,
    /// The same in rows.
    pub rows: Vec<Row>,
    /// Which of the rows not every engine has.
    pub lit: Vec<bool>,
    /// What the run had cost before the command and after each event.
    costs: Vec<Cost>,
}

impl Column {
    /// What the run has cost when so many events of the command have happened.
    #[must_use]
    pub fn cost(&self, shown: usize) -> &Cost {
        &self.costs[shown.min(self.costs.len() - 1)]
    }
}

/// The engines that are compared.
#[derive(Clone, Debug, Default)]
pub struct Runs {
    path: Vec<NodeId>,
    runs: Vec<Run>,
    /// Why an engine has no run, in the order of the engines asked for.
    cannot: Vec<(EngineConfig, String)>,
    /// The steps up to `compared` at which not all did the same.
    differing: Vec<u32>,
    compared: usize,
    /// The command in focus.
    at: Option<(usize, Option<NodeId>)>,
    columns: Vec<Column>,
}

impl Runs {
    /// Goes on along a session's path with these engines, up to about so many events. Returns whether
    /// every engine has come to the end of the path.
    pub fn follow(&mut self, session: &Session, engines: &[EngineConfig], budget: usize) -> bool {
        self.follow_path(&session.lab);
        self.choose(session, engines);
        self.advance(&session.lab, budget);
        self.compare();
        self.look(&session.lab);
        self.done() == self.path.len()
    }

    fn follow_path(&mut self, lab: &Lab) {
        if self.path.len() == lab.len() && self.path.last().copied() == lab.node(lab.len()) {
            return;
        }
        // A node stands for its whole past: the first that differs can be searched for by halves.
        let known = &self.path[..self.path.len().min(lab.len())];
        let same = |at: usize| Some(known[at]) == lab.node(at + 1);
        let (mut common, mut end) = (0, known.len());
        while common < end {
            let middle = common + (end - common) / 2;
            if same(middle) { common = middle + 1 } else { end = middle }
        }
        self.path.truncate(common);
        self.path.extend((common + 1..=lab.len()).filter_map(|step| lab.node(step)));
        self.runs.iter_mut().for_each(|run| run.rewind(common));
        self.forget_after(common);
    }

    fn forget_after(&mut self, step: usize) {
        self.compared = self.compared.min(step);
        let known = self.differing.partition_point(|at| *at as usize <= step);
        self.differing.truncate(known);
        self.at = None;
    }

    fn choose(&mut self, session: &Session, engines: &[EngineConfig]) {
        let chosen = self.runs.iter().map(|run| run.engine).chain(self.cannot.iter().map(|(engine, _)| *engine));
        if chosen.count() == engines.len() && engines.iter().all(|engine| self.has(*engine)) {
            let in_order = self.runs.iter().map(|run| run.engine);
            if in_order.eq(engines.iter().copied().filter(|engine| self.reason(*engine).is_none())) {
                return;
            }
        }
        let mut old = std::mem::take(&mut self.runs);
        self.cannot.clear();
        for engine in engines {
            match old.iter().position(|run| run.engine == *engine) {
                Some(at) => self.runs.push(old.swap_remove(at)),
                None => match session.scenario.start(*engine, session.caches()) {
                    Ok(start) => self.runs.push(Run::new(*engine, start)),
                    Err(error) => self.cannot.push((*engine, error.to_string())),
                },
            }
        }
        self.forget_after(0);
    }

    fn has(&self, engine: EngineConfig) -> bool {
        self.runs.iter().any(|run| run.engine == engine) || self.reason(engine).is_some()
    }

    fn advance(&mut self, lab: &Lab, budget: usize) {
        let (mut events, mut spent) = (Vec::new(), 0);
        while spent < budget {
            let behind = self.runs.iter_mut().min_by_key(|run| run.done()).filter(|run| run.done() < self.path.len());
            let Some(run) = behind else { return };
            for _ in 0..TURN {
                let Some(command) = lab.command(run.done() + 1) else { break };
                run.advance(command, &mut events);
                spent += events.len() + COMMAND;
            }
        }
    }

    fn compare(&mut self) {
        let done = self.done();
        let Some((first, others)) = self.runs.split_first() else { return };
        for at in self.compared..done {
            if others.iter().any(|other| other.digests[at] != first.digests[at]) {
                self.differing.push(at as u32 + 1);
            }
        }
        self.compared = self.compared.max(done);
    }

    /// Makes the columns of the command in focus, if every engine has come so far.
    fn look(&mut self, lab: &Lab) {
        let step = lab.cursor();
        let focus = (step, lab.node(step));
        if self.at == Some(focus) || step > self.done() {
            return;
        }
        self.columns.clear();
        for run in &mut self.runs {
            let mut vm = run.state_at(lab, step.saturating_sub(1));
            let mut sink = Priced { events: Vec::new(), costs: vec![vm.machine().cost] };
            if let Some(command) = lab.command(step) {
                vm.execute(command, &mut sink);
            }
            let Priced { events, mut costs } = sink;
            if let Some(last) = costs.last_mut() {
                *last = vm.machine().cost;
            }
            let rows = rows::rows(run.engine, &events);
            self.columns.push(Column { events, lit: vec![false; rows.len()], rows, costs });
            run.near = Some((step, vm));
        }
        let deeds: Vec<Vec<Deed>> = self.columns.iter().map(deeds_of).collect();
        let all: Vec<&[Deed]> = deeds.iter().map(Vec::as_slice).collect();
        for (column, lit) in self.columns.iter_mut().zip(lit(&all)) {
            column.lit = lit;
        }
        self.at = Some(focus);
    }

    /// How many commands every engine has carried out.
    #[must_use]
    pub fn done(&self) -> usize {
        self.runs.iter().map(Run::done).min().unwrap_or(self.path.len())
    }

    /// How many commands the path has.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.path.len()
    }

    /// Whether the path has no command.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.path.is_empty()
    }

    /// What an engine did for the command in focus, once it is known.
    #[must_use]
    pub fn column(&self, engine: EngineConfig) -> Option<&Column> {
        self.at?;
        let at = self.runs.iter().position(|run| run.engine == engine)?;
        self.columns.get(at)
    }

    /// Every column that is known.
    #[must_use]
    pub fn columns(&self) -> &[Column] {
        if self.at.is_some() { &self.columns } else { &[] }
    }

    /// Why this engine cannot run the machine.
    #[must_use]
    pub fn reason(&self, engine: EngineConfig) -> Option<&str> {
        self.cannot.iter().find(|(other, _)| *other == engine).map(|(_, reason)| reason.as_str())
    }

    /// The steps at which not all engines did the same, as far as they have come, in order.
    #[must_use]
    pub fn differing(&self) -> &[u32] {
        &self.differing
    }

    /// The first differing step after this one.
    #[must_use]
    pub fn next_difference(&self, step: usize) -> Option<usize> {
        let at = self.differing.partition_point(|at| *at as usize <= step);
        self.differing.get(at).map(|at| *at as usize)
    }

    /// The last differing step before this one.
    #[must_use]
    pub fn previous_difference(&self, step: usize) -> Option<usize> {
        let at = self.differing.partition_point(|at| (*at as usize) < step);
        at.checked_sub(1).map(|at| self.differing[at] as usize)
    }
}

fn deeds_of(column: &Column) -> Vec<Deed> {
    column.rows.iter().map(|row| row.deed.clone()).collect()
}
