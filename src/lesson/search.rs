//! Is par really par? A bounded search for a shorter way to a goal, where a step allows few kinds of
//! op.
//!
//! It tries the commands that a learner could think of: the addresses and values that the lesson
//! names, the entries on the way of its addresses, and each of these with one flag changed.

use std::collections::BTreeSet;

use super::file::{Lesson, LessonStep, Par};
use super::goal::{Score, Since};
use crate::arch::address::Num;
use crate::arch::{AccessKind, Gpa, Gva, entry};
use crate::engine::{AnyVm, EngineName, Outcome};
use crate::machine::command::Size;
use crate::machine::{Command, Event};
use crate::scenario::{Predicate, StepKind as Kind};

/// A step that allows as many kinds of op, or more, is not searched.
pub(super) const KINDS: usize = 6;
/// The most commands that a search carries out.
const MOST_TRIED: usize = 400_000;

/// Flags that a learner may set or clear.
const FLAGS: [u64; 8] = [entry::P, entry::RW, entry::US, entry::A, entry::D, entry::PS, entry::G, entry::XD];

/// Bits of CR0, CR4 and EFER that a learner may set or clear.
const CR0_BITS: [u64; 4] = [1 << 16, 1 << 29, 1 << 30, 1 << 31];
const CR4_BITS: [u64; 9] = [1 << 4, 1 << 5, 1 << 7, 1 << 12, 1 << 17, 1 << 20, 1 << 21, 1 << 22, 1 << 23];
const EFER_BITS: [u64; 2] = [1 << 8, 1 << 11];

/// What the lesson names: the material of candidates.
#[derive(Default)]
struct Named {
    addresses: BTreeSet<Gva>,
    words: BTreeSet<(Gpa, u64)>,
    values: BTreeSet<u64>,
    cr3: BTreeSet<u64>,
    accesses: Vec<Command>,
    whole: Vec<Command>,
}

impl Named {
    fn of(step: &LessonStep) -> Self {
        let mut named = Self::default();
        for solution in &step.solution {
            if let Kind::Command(command) = &solution.kind {
                named.command(command);
            }
        }
        if let Some(goal) = &step.goal {
            named.predicate(goal);
        }
        named
    }

    fn command(&mut self, command: &Command) {
        match command {
            Command::Poke { pa, val, size } | Command::Dma { pa, val, size } => {
                self.words.insert((*pa, u64::from(*size)));
                self.values.insert(val.0);
            }
            Command::MovCr3 { val, .. } => {
                self.cr3.insert(val.0);
            }
            Command::Invlpg { va } | Command::Map { va, .. } => {
                self.addresses.insert(*va);
            }
            Command::Access { va, .. } | Command::Write { va, .. } | Command::Read { va, .. } => {
                self.addresses.insert(*va);
            }
            _ => {}
        }
        if !self.whole.contains(command) {
            self.whole.push(command.clone());
        }
    }

    fn predicate(&mut self, predicate: &Predicate) {
        match predicate {
            Predicate::All(parts) | Predicate::Any(parts) => parts.iter().for_each(|part| self.predicate(part)),
            Predicate::Not(inner) => self.predicate(inner),
            Predicate::Access(command, _) => {
                self.accesses.push(command.clone());
                self.command(command);
            }
            Predicate::Tlb(va, _) => {
                self.addresses.insert(*va);
            }
            Predicate::Memory(gpa, value) => {
                self.words.insert((*gpa, 8));
                self.values.insert(*value);
            }
            _ => {}
        }
    }
}

/// What a search found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// A way that beats par.
    Better(Score, Vec<Command>),
    /// No candidate beats par.
    Nothing,
    /// Too many candidates: not all were tried.
    GaveUp,
    /// The step has no goal, or allows too many kinds of op.
    NotSearched,
}

/// Whether an answer depends on what happened on the way, and not on the state alone.
fn counts(predicate: &Predicate) -> bool {
    match predicate {
        Predicate::Cost(..) | Predicate::Happened { .. } => true,
        Predicate::All(parts) | Predicate::Any(parts) => parts.iter().any(counts),
        Predicate::Not(inner) => counts(inner),
        _ => false,
    }
}

/// Looks for a way to the step's goal that beats its par.
pub(super) fn beat_par(lesson: &Lesson, index: usize, start: &Since, par: Par) -> Found {
    let step = &lesson.steps[index];
    let Some(goal) = &step.goal else { return Found::NotSearched };
    let Some(allowed) = step.allow.as_ref().filter(|ops| ops.len() < KINDS) else { return Found::NotSearched };
    let named = Named::of(step);
    // A hypervisor's own state is not in the hash; what it did on the way stands for it.
    let remembers = counts(goal) || step.engine.name != EngineName::Native;
    let mut seen = BTreeSet::new();
    let mut tried = 0;
    let mut frontier = vec![(start.clone(), Vec::<Command>::new())];
    for depth in 1..=par.steps {
        let mut next = Vec::new();
        for (since, path) in &frontier {
            for command in candidates(&named, &since.vm).into_iter().filter(|c| allowed.contains(c.op())) {
                tried += 1;
                if tried > MOST_TRIED {
                    return Found::GaveUp;
                }
                let mut since = since.clone();
                let outcome = since.execute(&command);
                if matches!(outcome, Outcome::MapRefused(_) | Outcome::SlotRefused(_)) || !since.score.within(par) {
                    continue;
                }
                let mut path = path.clone();
                path.push(command);
                if since.score.beats(par) && since.holds(goal) {
                    return Found::Better(since.score, path);
                }
                if depth == par.steps {
                    continue;
                }
                let machine = since.vm.machine();
                let past = if remembers { format!("{:?}{:?}", since.happened, machine.cost) } else { String::new() };
                if seen.insert((machine.state_hash(), since.score.writes, past)) {
                    next.push((since, path));
                }
            }
        }
        frontier = next;
    }
    Found::Nothing
}

fn candidates(named: &Named, vm: &AnyVm) -> Vec<Command> {
    let machine = vm.machine();
    let regs = &machine.cpu.regs;
    let mut all = named.whole.clone();
    let mut add = |command: Command| {
        if !all.contains(&command) {
            all.push(command);
        }
    };
    named.accesses.iter().for_each(|command| add(command.clone()));
    for va in &named.addresses {
        add(Command::Invlpg { va: *va });
        for kind in [AccessKind::Read, AccessKind::Write, AccessKind::Fetch] {
            for user in [false, true] {
                add(Command::Access { va: *va, kind, user, ac: false, stack: false });
            }
        }
    }
    let plain = |val: u64| (Num(val), false);
    let cr3 = named.cr3.iter().copied().chain([regs.cr3]);
    cr3.map(plain).for_each(|(val, compat)| add(Command::MovCr3 { val, compat }));
    for bit in CR0_BITS {
        add(Command::MovCr0 { val: Num(regs.cr0.bits() ^ bit), compat: false });
    }
    for bit in CR4_BITS {
        add(Command::MovCr4 { val: Num(regs.cr4.bits() ^ bit), compat: false });
    }
    for bit in EFER_BITS {
        add(Command::WrmsrEfer { val: Num(regs.efer.bits() & !(1 << 10) ^ bit), compat: false });
    }
    for (pa, size) in words(named, vm) {
        let Some(size) = Size::new(size) else { continue };
        let old = machine.memory.read(pa, size.bytes());
        let fits = |val: &u64| size.bytes() == 8 || val >> (8 * size.bytes()) == 0;
        let flipped = FLAGS.into_iter().map(|flag| old ^ flag);
        for val in flipped.chain(named.values.iter().copied()).filter(fits).filter(|val| *val != old) {
            add(Command::Poke { pa, val: Num(val), size });
        }
    }
    all
}

/// The words that a learner may change: those that the lesson names, and the entries that lead to
/// its addresses.
fn words(named: &Named, vm: &AnyVm) -> BTreeSet<(Gpa, u64)> {
    let mut words = named.words.clone();
    let size = vm.machine().cpu.mode().entry_size();
    for va in &named.addresses {
        let mut events = Vec::new();
        let look = Command::Access { va: *va, kind: AccessKind::Read, user: false, ac: true, stack: false };
        let mut copy = vm.clone();
        // Cached translations would hide the entries.
        copy.execute(&Command::Invlpg { va: *va }, &mut crate::engine::Quiet);
        copy.execute(&look, &mut events);
        words.extend(events.iter().filter_map(|event| match event {
            Event::WalkRead { gpa, .. } => Some((*gpa, size)),
            _ => None,
        }));
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lesson::library;
    use crate::lesson::session::start_of;

    #[test]
    fn the_search_tries_every_candidate_for_our_lessons() {
        let mut searched = 0;
        for lesson in library() {
            for (index, step) in lesson.steps.iter().enumerate() {
                let Some(par) = step.par else { continue };
                let start = start_of(lesson, index).expect("a legal start");
                let found = beat_par(lesson, index, &start, par);
                assert_eq!(found, Found::Nothing, "{} step {}", lesson.id, index + 1);
                searched += 1;
            }
        }
        assert!(searched >= 20, "only {searched} steps have a par");
    }
}
