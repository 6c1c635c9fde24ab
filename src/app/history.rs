//! What every command of the path did: kept beside the lab so that no view replays it.

use super::view::Ending;
use crate::engine::{Outcome, Quiet};
use crate::lab::Lab;
use crate::machine::{Command, Event};

/// The events of every command of the path in view.
#[derive(Clone, Debug, Default)]
pub struct History {
    commands: Vec<Command>,
    events: Vec<Vec<Event>>,
    /// For each command, how many lines of a log come before it.
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

    /// Brings the history up to the lab's path. What both have in common is kept: equal commands
    /// from an equal start have equal events.
    pub fn follow(&mut self, lab: &Lab) {
        let common = self.commands.iter().zip(lab.commands()).take_while(|(a, b)| a == b).count();
        self.commands.truncate(common);
        self.events.truncate(common);
        self.lines.truncate(common);
        if common == lab.len() {
            return;
        }
        let mut vm = lab.state_at(common);
        for command in lab.commands().skip(common) {
            let mut events = Vec::new();
            vm.execute(command, &mut events);
            self.lines.push(self.line_count());
            self.commands.push(command.clone());
            self.events.push(events);
        }
    }

    /// What command `step` (counted from 1) did; nothing for 0.
    #[must_use]
    pub fn events(&self, step: usize) -> &[Event] {
        step.checked_sub(1).and_then(|index| self.events.get(index)).map_or(&[], Vec::as_slice)
    }

    /// How command `step` (counted from 1) ended.
    #[must_use]
    pub fn ending(&self, step: usize) -> Ending {
        Ending::of(self.events(step))
    }

    /// The first command after `step` that faulted or was refused.
    #[must_use]
    pub fn next_stop(&self, step: usize) -> Option<usize> {
        (step + 1..=self.events.len()).find(|step| self.ending(*step) != Ending::Done)
    }

    /// How many lines a log has: one for each command and one for each event.
    #[must_use]
    pub fn line_count(&self) -> usize {
        let last = self.lines.last().zip(self.events.last());
        last.map_or(0, |(before, events)| before + 1 + events.len())
    }

    /// The command (counted from 1) that a line of the log belongs to, and which of its events it
    /// shows; `None` for the command itself.
    #[must_use]
    pub fn line(&self, line: usize) -> (usize, Option<usize>) {
        let step = self.lines.partition_point(|first| *first <= line);
        let first = step.checked_sub(1).and_then(|index| self.lines.get(index)).copied().unwrap_or(0);
        (step, (line - first).checked_sub(1))
    }

    /// The line of a command.
    #[must_use]
    pub fn line_of(&self, step: usize) -> usize {
        step.checked_sub(1).and_then(|index| self.lines.get(index)).copied().unwrap_or(0)
    }
}

/// Carries out commands up to the first that is refused.
pub fn run_until_refused(lab: &mut Lab, commands: Vec<Command>) {
    for command in commands {
        if let Outcome::Refused(_) = lab.execute_with(command, &mut Quiet) {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arch::address::Num;
    use crate::scenario::Session;

    #[test]
    fn lines_and_steps() {
        let mut lab = Session::empty().lab;
        for va in [0x1000, 0x2000] {
            lab.execute(Command::Invlpg { va: crate::arch::Gva(va) });
        }
        lab.execute(Command::MovCr0 { val: Num(1 << 29), compat: false });
        let mut history = History::of(&lab);
        assert_eq!(history.ending(3), Ending::Refused);
        assert_eq!(history.next_stop(0), Some(3));
        assert_eq!(history.next_stop(3), None);
        for line in 0..history.line_count() {
            let (step, event) = history.line(line);
            assert_eq!(line, history.line_of(step) + event.map_or(0, |index| index + 1));
        }
        lab.seek(1);
        lab.execute(Command::Invlpg { va: crate::arch::Gva(0x3000) });
        history.follow(&lab);
        assert_eq!(history.next_stop(0), None);
        assert!(history.events(3).is_empty());
    }
}
