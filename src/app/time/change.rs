//! Where along the path the selected thing changes: a search that goes on from frame to frame, so that
//! a million commands do not keep the window waiting.

use crate::app::view::Selection;
use crate::arch::{Gfn, Gpa, Mode, pdpte};
use crate::engine::{AnyVm, Quiet};
use crate::lab::Lab;

/// Commands that are looked at between two frames.
const AT_ONCE: usize = 16_384;
/// Commands that are replayed at once while looking back.
const CHUNK: usize = 2048;

/// A search under way.
#[derive(Clone, Debug)]
pub struct ChangeSearch {
    selection: Selection,
    /// The bytes of an entry, as the mode has it where the search begins.
    entry_shift: u32,
    way: Way,
}

#[derive(Clone, Debug)]
enum Way {
    /// The state after `at` commands, and the value that it has.
    Forward { vm: Box<AnyVm>, at: usize, value: u64 },
    /// Nothing changes between `end` and the cursor.
    Back { end: usize },
}

/// How far a search has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// After this command the value differs from before it.
    At(usize),
    /// There is no such command.
    Nowhere,
    /// It has come to this command, and goes on.
    NotYet(usize),
}

impl ChangeSearch {
    /// A search for the next change after the cursor, or for the last one before the command at it.
    /// Nothing to look for: none.
    #[must_use]
    pub fn new(lab: &Lab, selection: Selection, forward: bool) -> Option<Self> {
        if selection == Selection::None {
            return None;
        }
        let entry_shift = lab.machine().cpu.mode().entry_shift();
        let way = if forward {
            let vm = lab.vm().clone();
            let value = value_of(&vm, selection, entry_shift);
            Way::Forward { vm: Box::new(vm), at: lab.cursor(), value }
        } else {
            Way::Back { end: lab.cursor().saturating_sub(1) }
        };
        Some(Self { selection, entry_shift, way })
    }

    /// Looks at the next commands.
    pub fn go_on(&mut self, lab: &Lab) -> Found {
        let (selection, shift) = (self.selection, self.entry_shift);
        match &mut self.way {
            Way::Forward { vm, at, value } => {
                for _ in 0..AT_ONCE {
                    let Some(command) = lab.command(*at + 1) else { return Found::Nowhere };
                    vm.execute(command, &mut Quiet);
                    *at += 1;
                    if value_of(vm, selection, shift) != *value {
                        return Found::At(*at);
                    }
                }
                Found::NotYet(*at)
            }
            Way::Back { end } => {
                for _ in 0..AT_ONCE / CHUNK {
                    if *end == 0 {
                        return Found::Nowhere;
                    }
                    let first = end.saturating_sub(CHUNK);
                    let mut vm = lab.state_at(first);
                    let (mut value, mut found) = (value_of(&vm, selection, shift), None);
                    for step in first + 1..=*end {
                        let Some(command) = lab.command(step) else { break };
                        vm.execute(command, &mut Quiet);
                        let now = value_of(&vm, selection, shift);
                        if std::mem::replace(&mut value, now) != now {
                            found = Some(step);
                        }
                    }
                    if let Some(step) = found {
                        return Found::At(step);
                    }
                    *end = first;
                }
                Found::NotYet(*end)
            }
        }
    }
}

/// The value of the selected thing, or a digest of it.
fn value_of(vm: &AnyVm, selection: Selection, entry_shift: u32) -> u64 {
    let machine = vm.machine();
    match selection {
        Selection::None => 0,
        Selection::Entry { gpa, .. } => machine.memory.read(gpa, 1 << entry_shift),
        Selection::Table { level, base } if level == pdpte::LEVEL.0 && machine.cpu.mode() == Mode::Pae => {
            let entry = |index| machine.memory.read(Gpa(base.0 + 8 * index), 8);
            mixed((0..pdpte::COUNT as u64).map(entry))
        }
        Selection::Table { base, .. } => digest(vm, base.gfn()),
        Selection::PdpteRegister(index) => machine.cpu.pdptes.get(index).copied().unwrap_or(0),
        Selection::Page(gfn) => digest(vm, gfn),
        Selection::Shadow(id) => match vm {
            AnyVm::Shadow(vm) => vm.engine.pool.get(id).map_or(0, |page| mixed(page.spt.iter().chain([page.gfn.0, 1]))),
            AnyVm::Native(_) | AnyVm::TwoDim(_) => 0,
        },
        Selection::Spte(at) => match vm {
            AnyVm::Shadow(vm) => vm.engine.pool.get(at.page).map_or(0, |_| vm.engine.pool.spte(at)),
            AnyVm::Native(_) | AnyVm::TwoDim(_) => 0,
        },
    }
}

/// A digest of a frame; one that was never written is all zero.
fn digest(vm: &AnyVm, gfn: Gfn) -> u64 {
    vm.machine().memory.page(gfn).map_or(0, |page| mixed(page.words().iter().copied()))
}

/// A digest of words: 0 for zeroes.
fn mixed(words: impl Iterator<Item = u64>) -> u64 {
    words.fold(0, |sum: u64, word| (sum.rotate_left(7) ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arch::address::Num;
    use crate::machine::Command;
    use crate::machine::command::Size;
    use crate::scenario::Session;

    const WATCHED: Selection = Selection::Entry { level: 1, gpa: Gpa(0x5008) };

    fn to_the_end(lab: &Lab, selection: Selection, forward: bool) -> Option<usize> {
        let mut search = ChangeSearch::new(lab, selection, forward).expect("something is selected");
        loop {
            match search.go_on(lab) {
                Found::At(step) => return Some(step),
                Found::Nowhere => return None,
                Found::NotYet(_) => {}
            }
        }
    }

    /// Changes are found from everywhere, both ways, as a walk through all states finds them.
    #[test]
    fn changes_are_found_on_a_long_path() {
        let mut lab = Session::empty().lab;
        let changes = [3, 4, 2100, 30_000, 39_999];
        for step in 1..=40_000_usize {
            let (pa, val) = if changes.contains(&step) { (0x5008, step) } else { (0x7000, step) };
            lab.execute(Command::Poke { pa: Gpa(pa), val: Num(val as u64), size: Size::WORD });
        }
        for selection in [WATCHED, Selection::Page(Gfn(5)), Selection::Table { level: 1, base: Gpa(0x5000) }] {
            for cursor in [0, 2, 3, 4, 5, 2099, 2100, 2101, 29_999, 30_001, 39_999, 40_000] {
                lab.seek(cursor);
                let next = changes.iter().copied().find(|step| *step > cursor);
                let last = changes.iter().copied().rev().find(|step| *step < cursor);
                assert_eq!(to_the_end(&lab, selection, true), next, "{selection:?} after {cursor}");
                assert_eq!(to_the_end(&lab, selection, false), last, "{selection:?} before {cursor}");
            }
        }
        assert!(ChangeSearch::new(&lab, Selection::None, true).is_none());
    }
}
