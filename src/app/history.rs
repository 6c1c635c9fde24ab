//! How every command of the path ended: kept beside the lab so that no view replays it all.
//!
//! Only a few bytes a command are kept; the events of the few that are on the screen come from the
//! lab.

use super::view::Ending;
use crate::engine::{Outcome, Quiet};
use crate::lab::Lab;
use crate::machine::{Command, Event};

/// The endings of the commands of the path in view.
#[derive(Clone, Debug, Default)]
pub struct History {
    commands: Vec<Command>,
    endings: Vec<Ending>,
    /// Whether each command led to the hypervisor.
    exits: Vec<bool>,
    /// For each command, how many lines of a log come before it; one more for the end.
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
    /// from an equal start end equally.
    pub fn follow(&mut self, lab: &Lab) {
        let common = self.commands.iter().zip(lab.commands()).take_while(|(a, b)| a == b).count();
        self.commands.truncate(common);
        self.endings.truncate(common);
        self.exits.truncate(common);
        self.lines.truncate(common + 1);
        if self.lines.is_empty() {
            self.lines.push(0);
        }
        if common == lab.len() {
            return;
        }
        let (mut vm, mut events) = (lab.state_at(common), Vec::<Event>::new());
        for command in lab.commands().skip(common) {
            events.clear();
            vm.execute(command, &mut events);
            self.commands.push(command.clone());
            self.endings.push(Ending::of(&events));
            self.exits.push(events.iter().any(|event| matches!(event, Event::VmExit { .. })));
            self.lines.push(self.line_count() + 1 + events.len());
        }
    }

    /// How command `step` (counted from 1) ended.
    #[must_use]
    pub fn ending(&self, step: usize) -> Ending {
        step.checked_sub(1).and_then(|index| self.endings.get(index)).copied().unwrap_or(Ending::Done)
    }

    /// The first command after `step` that faulted or was refused.
    #[must_use]
    pub fn next_stop(&self, step: usize) -> Option<usize> {
        (step + 1..=self.endings.len()).find(|step| self.ending(*step) != Ending::Done)
    }

    /// The first command after `step` that led to the hypervisor.
    #[must_use]
    pub fn next_exit(&self, step: usize) -> Option<usize> {
        (step + 1..=self.exits.len()).find(|step| self.exits[step - 1])
    }

    /// The last command before `step` that faulted or was refused.
    #[must_use]
    pub fn last_stop(&self, step: usize) -> Option<usize> {
        (1..step.min(self.endings.len() + 1)).rev().find(|step| self.ending(*step) != Ending::Done)
    }

    /// The last command before `step` that led to the hypervisor.
    #[must_use]
    pub fn last_exit(&self, step: usize) -> Option<usize> {
        (1..step.min(self.exits.len() + 1)).rev().find(|step| self.exits[step - 1])
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
}
