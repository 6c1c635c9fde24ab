//! Since when something has been so: the history searched backward from a command.
//!
//! States are replayed in windows that grow, so that what happened lately is found at once and what
//! happened long ago costs a bounded time.

use crate::engine::{AnyVm, Quiet};
use crate::lab::Lab;
use crate::machine::Event;

/// Commands of the first window; each further one is four times as long.
const FIRST: usize = 64;
/// So many commands are looked at, at most.
const BUDGET: usize = 2500;

/// Since when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Since {
    /// Since this command of the path, counted from 1.
    Step(usize),
    /// From the start.
    Start,
    /// Longer than was looked back.
    Long,
}

/// The windows to look at, the latest first: commands after the first up to the second number.
fn windows(upto: usize) -> impl Iterator<Item = (usize, usize)> {
    let (mut end, mut size, mut spent) = (upto, FIRST, 0);
    std::iter::from_fn(move || {
        if end == 0 || spent >= BUDGET {
            return None;
        }
        let begin = end.saturating_sub(size.min(BUDGET - spent));
        let window = (begin, end);
        spent += end - begin;
        (end, size) = (begin, 4 * size);
        Some(window)
    })
}

/// The last command of the first `upto` that changed what `probe` sees.
pub fn last_change<T: PartialEq>(lab: &Lab, upto: usize, probe: impl Fn(&AnyVm) -> T) -> Since {
    let mut reached = upto;
    for (begin, end) in windows(upto) {
        let mut vm = lab.state_at(begin);
        let (mut seen, mut last) = (probe(&vm), None);
        for step in begin + 1..=end {
            let Some(command) = lab.command(step) else { break };
            vm.execute(command, &mut Quiet);
            let now = probe(&vm);
            if now != seen {
                (seen, last) = (now, Some(step));
            }
        }
        if let Some(step) = last {
            return Since::Step(step);
        }
        reached = begin;
    }
    if reached == 0 { Since::Start } else { Since::Long }
}

/// The last event of the first `upto` commands that is wanted: its command and its place there.
pub fn last_event(lab: &Lab, upto: usize, wanted: impl Fn(&Event) -> bool) -> Option<(usize, usize)> {
    let mut events = Vec::new();
    windows(upto).find_map(|(begin, end)| {
        let (mut vm, mut last) = (lab.state_at(begin), None);
        for step in begin + 1..=end {
            events.clear();
            let command = lab.command(step)?;
            vm.execute(command, &mut events);
            if let Some(at) = events.iter().rposition(&wanted) {
                last = Some((step, at));
            }
        }
        last
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arch::Gpa;
    use crate::arch::address::Num;
    use crate::machine::Command;
    use crate::machine::command::Size;
    use crate::scenario::Session;

    fn poke(pa: u64, val: u64) -> Command {
        Command::Poke { pa: Gpa(pa), val: Num(val), size: Size::WORD }
    }

    #[test]
    fn the_last_change_is_found_near_and_far() {
        let mut lab = Session::empty().lab;
        lab.execute(poke(0x1000, 7));
        for i in 0..500 {
            lab.execute(poke(0x2000, i));
        }
        let word = |pa| move |vm: &AnyVm| vm.machine().memory.read(Gpa(pa), 8);
        assert_eq!(last_change(&lab, 501, word(0x2000)), Since::Step(501));
        assert_eq!(last_change(&lab, 501, word(0x1000)), Since::Step(1));
        assert_eq!(last_change(&lab, 501, word(0x3000)), Since::Start);
        assert_eq!(last_change(&lab, 0, word(0x1000)), Since::Start);
        let store = |event: &Event| matches!(event, Event::Store { gpa, .. } if gpa.0 == 0x1000);
        assert_eq!(last_event(&lab, 501, store), Some((1, 0)));
        assert_eq!(last_event(&lab, 501, |event| matches!(event, Event::Inject)), None);
    }

    #[test]
    fn looking_back_ends() {
        let mut lab = Session::empty().lab;
        lab.execute(poke(0x1000, 7));
        for i in 0..2 * BUDGET as u64 + 5000 {
            lab.execute(poke(0x2000, i));
        }
        let len = lab.len();
        assert_eq!(last_change(&lab, len, |vm| vm.machine().memory.read(Gpa(0x1000), 8)), Since::Long);
    }
}
