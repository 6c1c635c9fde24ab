//! How every command of the path ended: kept beside the lab so that no view replays it all.
//!
//! Only a few bytes a command are kept; the events of the few that are on the screen come from the
//! lab. What a command did is told once and stays with its place in the tree of time, so that a change costs
//! what is new, and a branch that was seen before nothing.

use super::view::Ending;
use crate::engine::{Engine, Outcome, Quiet, Sink, Vm};
use crate::lab::{Lab, NodeId};
use crate::machine::{Command, Event};

/// What a command did, in short.
#[derive(Clone, Copy, Debug)]
struct Told {
    ending: Ending,
    /// It led to the hypervisor.
    exits: bool,
    events: u32,
}

/// Tells one command by its events, and keeps none of them.
#[derive(Debug)]
struct Teller(Told);

impl Sink for Teller {
    const ON: bool = true;

    fn event<E: Engine>(&mut self, _: &Vm<E>, event: Event) {
        self.0.events += 1;
        self.0.exits |= matches!(event, Event::VmExit { .. });
        if self.0.ending == Ending::Done {
            self.0.ending = Ending::of(std::slice::from_ref(&event));
        }
    }
}

/// The endings of the commands of the path in view.
#[derive(Clone, Debug, Default)]
pub struct History {
    /// The lab that it is of.
    lab: Option<u64>,
    /// The path.
    path: Vec<NodeId>,
    /// What is known of every command that was ever in view, by its place in the lab's log.
    told: Vec<Option<Told>>,
    /// For each command of the path, how many lines of a log come before it; one more for the end.
    lines: Vec<usize>,
}

impl History {
    /// The history of a lab's path.
    #[must_use]
    pub fn of(lab: &Lab) -> Self {
        let mut history = Self::default();
        history.follow(lab);
        history
    }

    /// Brings the history up to the lab's path.
    pub fn follow(&mut self, lab: &Lab) {
        if self.lab != Some(lab.identity()) {
            match lab.succeeds().filter(|(was, _)| self.lab == Some(*was)) {
                Some((_, kept)) => {
                    self.told.truncate(kept as usize);
                    let known = self.path.partition_point(|id| *id < kept);
                    self.path.truncate(known);
                    self.lines.truncate(known + 1);
                }
                None => *self = Self { lines: vec![0], ..Self::default() },
            }
            self.lab = Some(lab.identity());
        }
        // A command has one past: where two paths agree, they agree in all that is before.
        let path = lab.path();
        let within = &self.path[..self.path.len().min(path.len())];
        let common = bisect(within.len(), |at| within[at] == path[at]);
        self.path.truncate(common);
        self.lines.truncate(common + 1);
        self.told.resize(lab.log().len(), None);
        let known = common + bisect(path.len() - common, |at| self.told[path[common + at] as usize].is_some());
        self.tell(lab, known);
        self.path.extend_from_slice(&path[common..]);
        let mut line = self.line_count();
        for id in &path[common..] {
            line += 1 + self.told[*id as usize].map_or(0, |told| told.events as usize);
            self.lines.push(line);
        }
    }

    /// Tells the commands of the path after the first `known`.
    fn tell(&mut self, lab: &Lab, known: usize) {
        if known == lab.len() {
            return;
        }
        let mut vm = lab.state_at(known);
        for (id, command) in lab.path().iter().zip(lab.commands()).skip(known) {
            let mut teller = Teller(Told { ending: Ending::Done, exits: false, events: 0 });
            vm.execute(command, &mut teller);
            self.told[*id as usize] = Some(teller.0);
        }
    }

    fn told(&self, step: usize) -> Option<&Told> {
        self.told.get(*self.path.get(step.checked_sub(1)?)? as usize)?.as_ref()
    }

    /// How command `step` (counted from 1) ended.
    #[must_use]
    pub fn ending(&self, step: usize) -> Ending {
        self.told(step).map_or(Ending::Done, |told| told.ending)
    }

    /// The first command after `step` that faulted or was refused.
    #[must_use]
    pub fn next_stop(&self, step: usize) -> Option<usize> {
        (step + 1..=self.path.len()).find(|step| self.ending(*step) != Ending::Done)
    }

    /// The first command after `step` that led to the hypervisor.
    #[must_use]
    pub fn next_exit(&self, step: usize) -> Option<usize> {
        (step + 1..=self.path.len()).find(|step| self.told(*step).is_some_and(|told| told.exits))
    }

    /// The last command before `step` that faulted or was refused.
    #[must_use]
    pub fn last_stop(&self, step: usize) -> Option<usize> {
        (1..step.min(self.path.len() + 1)).rev().find(|step| self.ending(*step) != Ending::Done)
    }

    /// The last command before `step` that led to the hypervisor.
    #[must_use]
    pub fn last_exit(&self, step: usize) -> Option<usize> {
        (1..step.min(self.path.len() + 1)).rev().find(|step| self.told(*step).is_some_and(|told| told.exits))
    }

    /// How many lines a log has: one for each command and one for each event.
    #[must_use]
    pub fn line_count(&self) -> usize {
        self.lines.last().copied().unwrap_or(0)
    }

    /// The command (counted from 1) that a line of the log belongs to, and which of its events it
    /// shows; `None` for the command itself.
    #[must_use]
    pub fn line(&self, line: usize) -> (usize, Option<usize>) {
        let step = self.lines.partition_point(|first| *first <= line);
        (step, (line - self.line_of(step)).checked_sub(1))
    }

    /// The line of a command.
    #[must_use]
    pub fn line_of(&self, step: usize) -> usize {
        step.checked_sub(1).and_then(|index| self.lines.get(index)).copied().unwrap_or(0)
    }
}

/// How many of the first `len` places hold, where all that hold come first.
fn bisect(len: usize, holds: impl Fn(usize) -> bool) -> usize {
    let (mut low, mut high) = (0, len);
    while low < high {
        let middle = low + (high - low) / 2;
        if holds(middle) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    low
}

/// Carries out commands up to the first that is refused.
pub fn run_until_refused(lab: &mut Lab, commands: Vec<Command>) {
    for command in commands {
        if let Outcome::Refused(_) = lab.execute_in_view(command, &mut Quiet) {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arch::Gva;
    use crate::arch::address::Num;
    use crate::scenario::Session;

    #[test]
    fn lines_and_steps() {
        let mut lab = Session::empty().lab;
        for va in [0x1000, 0x2000] {
            lab.execute(Command::Invlpg { va: Gva(va) });
        }
        lab.execute(Command::MovCr0 { val: Num(1 << 29), compat: false });
        let mut history = History::of(&lab);
        assert_eq!(history.ending(3), Ending::Refused);
        assert_eq!(history.next_stop(0), Some(3));
        assert_eq!(history.next_stop(3), None);
        for line in 0..history.line_count() {
            let (step, event) = history.line(line);
            assert!((1..=3).contains(&step));
            assert_eq!(line, history.line_of(step) + event.map_or(0, |index| index + 1));
        }
        lab.seek(1);
        lab.execute(Command::Invlpg { va: Gva(0x3000) });
        history.follow(&lab);
        assert_eq!(history.next_stop(0), None);
        assert_eq!(history.line(history.line_count() - 1).0, 2);
    }

    /// After whatever happens in the tree of time, following tells what telling anew tells.
    #[test]
    fn following_is_telling_anew() {
        let mut lab = Session::empty().lab;
        let mut history = History::of(&lab);
        let mut state = 3u64;
        let mut below = |limit: usize| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as usize % limit
        };
        let mut places = Vec::new();
        for _ in 0..300 {
            match below(9) {
                0 => lab.seek(below(lab.len() + 1)),
                1 if !lab.log().is_empty() => {
                    let tips = lab.branches();
                    lab.switch_to(tips[below(tips.len())].tip);
                }
                2 => {
                    lab.execute(Command::MovCr0 { val: Num(1 << 29), compat: false });
                }
                3 => lab = lab.clone(),
                4 if !places.is_empty() => {
                    let place = places.swap_remove(below(places.len()));
                    places.retain(|other: &crate::lab::Place| other.given <= place.given);
                    lab.take_back(&place);
                }
                5 => places.push(lab.place()),
                _ => run_until_refused(&mut lab, vec![Command::Invlpg { va: Gva(below(4) as u64) }]),
            }
            history.follow(&lab);
            let anew = History::of(&lab);
            assert_eq!((&history.path, &history.lines), (&anew.path, &anew.lines));
            for step in 0..=lab.len() + 1 {
                assert_eq!(history.ending(step), anew.ending(step));
                assert_eq!(history.next_exit(step), anew.next_exit(step));
            }
        }
        assert!(lab.branches().len() > 3);
    }
}
