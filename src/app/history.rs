//! How every command of the path ended, and what of it is not as its file wants: kept beside the lab so that no
//! view replays it all.
//!
//! Only a few bytes a command are kept; the events of the few that are on the screen come from the
//! lab. What a command did is told once and stays with its place in the tree of time, so that a change costs
//! what is new, and a branch that was seen before nothing.

use std::collections::BTreeMap;

use super::view::{Ending, ViewCx};
use crate::engine::{AnyVm, Engine, Outcome, Quiet, Sink, Vm};
use crate::lab::{Lab, NodeId};
use crate::machine::{Command, Event};
use crate::scenario::{Failure, Happened, Session};
use crate::tr;

/// What a command did, in short.
#[derive(Clone, Copy, Debug)]
struct Told {
    ending: Ending,
    /// It led to the hypervisor.
    exits: bool,
    /// It and all before it are the file's own.
    of_file: bool,
    events: u32,
}

/// Tells one command by its events, and keeps none of them.
#[derive(Debug)]
struct Teller<'a> {
    told: Told,
    /// What happened since the start, where the file asks for that.
    happened: Option<&'a mut Happened>,
}

/// A step of the file that did not hold, by its number there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unwanted {
    /// Its number, from 1.
    pub number: usize,
    /// What was wanted instead.
    pub failure: Failure,
}

impl Sink for Teller<'_> {
    const ON: bool = true;

    fn event<E: Engine>(&mut self, _: &Vm<E>, event: Event) {
        let told = &mut self.told;
        told.events += 1;
        told.exits |= matches!(event, Event::VmExit { .. });
        if told.ending == Ending::Done {
            told.ending = Ending::of(std::slice::from_ref(&event));
        }
        if let Some(happened) = &mut self.happened {
            happened.add(&event);
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
    /// What is not as the file wants: of the start, and of the few commands of which that is so.
    unwanted_at_start: Vec<Unwanted>,
    unwanted: BTreeMap<NodeId, Vec<Unwanted>>,
    /// For each command of the path, how many lines of a log come before it; one more for the end.
    lines: Vec<usize>,
}

impl History {
    /// The history of a session's path.
    #[must_use]
    pub fn of(session: &Session) -> Self {
        let mut history = Self::default();
        history.follow(session);
        history
    }

    /// Brings the history up to the path of the session's lab.
    pub fn follow(&mut self, session: &Session) {
        let lab = &session.lab;
        if self.lab != Some(lab.identity()) {
            match lab.succeeds().filter(|(was, _)| self.lab == Some(*was)) {
                Some((_, kept)) => {
                    self.told.truncate(kept as usize);
                    self.unwanted.split_off(&kept);
                    let known = self.path.partition_point(|id| *id < kept);
                    self.path.truncate(known);
                    self.lines.truncate(known + 1);
                }
                None => {
                    let unwanted_at_start = match session.is_as_the_file_says() {
                        true => failures(session, 0, lab.start(), &Happened::default()),
                        false => Vec::new(),
                    };
                    *self = Self { lines: vec![0], unwanted_at_start, ..Self::default() };
                }
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
        self.tell(session, known);
        self.path.extend_from_slice(&path[common..]);
        let mut line = self.line_count();
        for id in &path[common..] {
            line += 1 + self.told[*id as usize].map_or(0, |told| told.events as usize);
            self.lines.push(line);
        }
    }

    /// Tells the commands of the path after the first `known`.
    fn tell(&mut self, session: &Session, known: usize) {
        let lab = &session.lab;
        if known == lab.len() {
            return;
        }
        let told = |history: &Self, at: usize| history.told[lab.path()[at] as usize];
        let judged = session.is_as_the_file_says();
        let mut of_file = known == 0 || told(self, known - 1).is_some_and(|told| told.of_file);
        // What happened since the start is counted from there.
        let counts = judged && of_file && session.file_asks_what_happened();
        let first = if counts { 0 } else { known };
        let (mut vm, mut happened) = (lab.state_at(first), Happened::default());
        for (at, (id, command)) in lab.path().iter().zip(lab.commands()).enumerate().skip(first) {
            of_file = (at < known || of_file) && session.file_command(at + 1) == Some(command);
            let blank = Told { ending: Ending::Done, exits: false, of_file, events: 0 };
            let mut teller = Teller { told: blank, happened: counts.then_some(&mut happened) };
            let outcome = vm.execute(command, &mut teller);
            let teller = teller.told;
            if at < known {
                continue;
            }
            self.told[*id as usize] = Some(teller);
            if judged && of_file {
                let own = session.judge_command(at + 1, &outcome, vm.machine());
                let own = own.map(|failure| Unwanted { number: session.step_number(at + 1), failure });
                let all: Vec<_> = own.into_iter().chain(failures(session, at + 1, &vm, &happened)).collect();
                if !all.is_empty() {
                    self.unwanted.insert(*id, all);
                }
            }
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

    /// What is not as the file wants of command `step` (counted from 1) and of the state after it; 0 is the start.
    #[must_use]
    pub fn unwanted(&self, step: usize) -> &[Unwanted] {
        match step.checked_sub(1) {
            None => &self.unwanted_at_start,
            Some(index) => self.path.get(index).and_then(|id| self.unwanted.get(id)).map_or(&[], Vec::as_slice),
        }
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

/// The expectations of the file that stand after so many of its commands and do not hold.
fn failures(session: &Session, after: usize, vm: &AnyVm, happened: &Happened) -> Vec<Unwanted> {
    let judged = session.file_expects(after).filter_map(|(number, expected)| {
        let got = expected.judge(vm, happened).err()?;
        Some(Unwanted { number, failure: Failure::of_expect(got, expected) })
    });
    judged.collect()
}

/// What is not as the file wants of a command of the path, or of the state after it, in words.
pub fn unwanted_words(cx: &ViewCx<'_>, step: usize) -> Vec<String> {
    let words = |Unwanted { number, failure }: &Unwanted| {
        let Failure { got, wanted } = failure;
        tr!(cx, "not as wanted in #{step}: got {got}, wanted {wanted}", step = number, got = got, wanted = wanted)
    };
    cx.history.unwanted(step).iter().map(words).collect()
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
        let mut session = Session::empty();
        let lab = &mut session.lab;
        for va in [0x1000, 0x2000] {
            lab.execute(Command::Invlpg { va: Gva(va) });
        }
        lab.execute(Command::MovCr0 { val: Num(1 << 29), compat: false });
        let mut history = History::of(&session);
        assert_eq!(history.ending(3), Ending::Refused);
        assert_eq!(history.next_stop(0), Some(3));
        assert_eq!(history.next_stop(3), None);
        for line in 0..history.line_count() {
            let (step, event) = history.line(line);
            assert!((1..=3).contains(&step));
            assert_eq!(line, history.line_of(step) + event.map_or(0, |index| index + 1));
        }
        session.lab.seek(1);
        session.lab.execute(Command::Invlpg { va: Gva(0x3000) });
        history.follow(&session);
        assert_eq!(history.next_stop(0), None);
        assert_eq!(history.line(history.line_count() - 1).0, 2);
    }

    /// After whatever happens in the tree of time, following tells what telling anew tells.
    #[test]
    fn following_is_telling_anew() {
        let mut session = Session::empty();
        let mut history = History::of(&session);
        let mut state = 3u64;
        let mut below = |limit: usize| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as usize % limit
        };
        let mut places = Vec::new();
        for _ in 0..300 {
            let lab = &mut session.lab;
            match below(9) {
                0 => lab.seek(below(lab.len() + 1)),
                1 if !lab.log().is_empty() => {
                    let tips = lab.branches();
                    lab.switch_to(tips[below(tips.len())].tip);
                }
                2 => {
                    lab.execute(Command::MovCr0 { val: Num(1 << 29), compat: false });
                }
                3 => *lab = lab.clone(),
                4 if !places.is_empty() => {
                    let place = places.swap_remove(below(places.len()));
                    places.retain(|other: &crate::lab::Place| other.given <= place.given);
                    lab.take_back(&place);
                }
                5 => places.push(lab.place()),
                _ => run_until_refused(lab, vec![Command::Invlpg { va: Gva(below(4) as u64) }]),
            }
            history.follow(&session);
            let anew = History::of(&session);
            assert_eq!((&history.path, &history.lines), (&anew.path, &anew.lines));
            for step in 0..=session.lab.len() + 1 {
                assert_eq!(history.ending(step), anew.ending(step));
                assert_eq!(history.next_exit(step), anew.next_exit(step));
            }
        }
        assert!(session.lab.branches().len() > 3);
    }
}
