//! Why a shadow entry is as it is: missing, read-only, marked, or open.

use super::words::command as command_words;
use super::{Cause, Depth, Question, Target, Why, code, last_event};
use crate::arch::entry::{D, P, RW, US};
use crate::arch::{Gfn, Gpa, Level, Mode};
use crate::engine::shadow::{Shadow, ShadowPage, SpteRef, spte};
use crate::engine::{AnyVm, Vm};
use crate::explain::hex;
use crate::machine::Event;
use crate::machine::event::SpteWhy;
use crate::tr;

/// Explains a shadow entry of the state `before` of the question; `step` is the command after it.
/// None where there is no such entry.
#[must_use]
pub fn why_spte(question: &Question<'_>, at: SpteRef) -> Option<Why> {
    let AnyVm::Shadow(vm) = question.before else { return None };
    let page = vm.engine.pool.get(at.page)?;
    let subject = Subject { question, vm, page, at, value: page.spt[usize::from(at.index)] };
    let (title, causes) = subject.explain();
    let deep = question.depth > Depth::Story;
    let code = if deep { code::of_spte(question, subject.value, page.role.level) } else { String::new() };
    Some(Why { title, causes, manual: String::new(), code })
}

struct Subject<'a> {
    question: &'a Question<'a>,
    vm: &'a Vm<Shadow>,
    page: &'a ShadowPage,
    at: SpteRef,
    value: u64,
}

impl Subject<'_> {
    fn explain(&self) -> (String, Vec<Cause>) {
        let l = self.question.language;
        let leaf = self.page.role.level == 1;
        if spte::of_mmio(self.value).is_some() || leaf && self.value & P == 0 && self.value & spte::IO_MARK != 0 {
            self.without_memory()
        } else if !spte::is_present(self.value) {
            self.missing()
        } else if !leaf {
            let title = tr!(l, "This entry links a table: it grants everything, the leaves below it restrict.");
            (title.to_owned(), self.history())
        } else if !spte::is_writable(self.value) {
            self.read_only()
        } else if self.value & US == 0 && self.value & spte::GUEST_USER != 0 {
            let title = tr!(l, "U = 0 because the kernel writes here with CR0.WP = 0, and user code must not profit.");
            (title.to_owned(), self.history())
        } else {
            let title = tr!(l, "W = 1: guest stores to this page need no exit.");
            (title.to_owned(), self.history())
        }
    }

    fn without_memory(&self) -> (String, Vec<Cause>) {
        let l = self.question.language;
        let gpa = spte::of_mmio(self.value).map_or(self.value & !0xfff, |(gpa, ..)| gpa.0);
        let gfn = Gpa(gpa).gfn();
        let title = tr!(l, "The entry is a mark: no memory lies behind gfn {gfn}.", gfn = hex(gfn.0));
        let mut causes = vec![Cause {
            text: tr!(
                l,
                "No memory slot holds gfn {gfn}: every access is carried out by the hypervisor.",
                gfn = hex(gfn.0)
            ),
            target: Target::Page(gfn),
        }];
        if let Some((_, _, generation)) = spte::of_mmio(self.value)
            && self.question.depth == Depth::Engineer
        {
            let text = tr!(l, "The mark carries generation {generation} of the memory slots.", generation = generation);
            causes.push(Cause { text, target: Target::Spte(self.at) });
        }
        causes.extend(self.history());
        (title, causes)
    }

    fn missing(&self) -> (String, Vec<Cause>) {
        let l = self.question.language;
        let title = tr!(l, "This shadow entry is empty: an access through it leads to the hypervisor.").to_owned();
        let mut causes = self.history();
        if let Some(gpa) = self.vm.mirrored_entry(self.at) {
            let guest = self.guest_entry(gpa);
            let name = Mode::entry_name(Level(self.page.role.level));
            let text = if guest & P == 0 {
                tr!(l, "The guest's {entry} is not present: there is nothing to mirror.", entry = name)
            } else {
                tr!(l, "The guest's {entry} is {value}: the next access fills it in.", entry = name, value = hex(guest))
            };
            causes.push(Cause { text, target: Target::Entry(self.page.role.level, gpa) });
        }
        (title, causes)
    }

    fn read_only(&self) -> (String, Vec<Cause>) {
        let l = self.question.language;
        if self.value & spte::GUEST_WRITE == 0 {
            return self.denied_by_guest();
        }
        let gfn = self.vm.machine.slots.guest_frame(spte::frame(self.value));
        if let Some(gfn) = gfn.filter(|gfn| self.vm.shadow_facts(*gfn, None).write_protected) {
            return self.is_a_table(gfn);
        }
        if self.value & D == 0 {
            let title = tr!(l, "W = 0 because the guest's entry has D = 0: KVM must see the first write to set it.");
            let mut causes: Vec<Cause> = self.guest_leaf().into_iter().collect();
            causes.extend(self.history());
            return (title.to_owned(), causes);
        }
        let last = self.last_set();
        let title = match last {
            Some((_, _, SpteWhy::DirtyLog)) => {
                tr!(l, "W = 0 because the dirty log was taken: KVM must see the next write.")
            }
            _ => tr!(l, "W = 0 since KVM last set this entry; the next write is granted by an exit."),
        };
        (title.to_owned(), self.history())
    }

    /// A frame that holds a guest table must not be written unseen.
    fn is_a_table(&self, gfn: Gfn) -> (String, Vec<Cause>) {
        let (l, question) = (self.question.language, self.question);
        let level = self.vm.engine.pool.of_gfn(gfn).map(|id| self.vm.engine.pool.page(id).role.level).max();
        let table = Mode::table_name(Level(level.unwrap_or(1)));
        let protected =
            last_event(question.lab, question.step.saturating_sub(1), |e| *e == Event::WriteProtect { gfn });
        let frame = hex(gfn.0);
        let (title, mut causes) = match protected {
            Some((step, event)) => {
                let when = question.hash(step);
                let title = tr!(
                    l,
                    "W = 0 because frame {frame} is a guest page table ({table}), write-protected since {when}.",
                    frame = frame,
                    table = table,
                    when = when
                );
                let by = question.lab.command(step).map(|command| command_words(command, l)).unwrap_or_default();
                let text = tr!(l, "KVM made a shadow of it at {when}: {command}.", when = when, command = by);
                (title, vec![Cause { text, target: Target::Event(step, event) }])
            }
            None => {
                let title = tr!(
                    l,
                    "W = 0 because frame {frame} is a guest page table ({table}).",
                    frame = frame,
                    table = table
                );
                (title, Vec::new())
            }
        };
        let text = tr!(l, "A store to it must reach the shadow, too: it faults, and KVM carries it out.").to_owned();
        causes.push(Cause { text, target: Target::Page(gfn) });
        (title, causes)
    }

    /// The guest's own entries forbid the write: the leaf, or one above it.
    fn denied_by_guest(&self) -> (String, Vec<Cause>) {
        let l = self.question.language;
        let mut chain = vec![self.at];
        while let Some(last) = chain.last().copied()
            && let Some(parent) = self.vm.engine.pool.get(last.page).and_then(|p| p.parents.as_slice().first().copied())
            && chain.len() < 6
        {
            chain.push(parent);
        }
        // The first from the top is the one whose word counts.
        for at in chain.iter().rev() {
            let Some(page) = self.vm.engine.pool.get(at.page) else { continue };
            let Some(gpa) = self.vm.mirrored_entry(*at) else { continue };
            let guest = self.guest_entry(gpa);
            // A PDPTE of PAE paging has no R/W bit.
            if page.role.glevels == 3 && page.role.level == 3 || guest & P == 0 || guest & RW != 0 {
                continue;
            }
            let level = page.role.level;
            let name = Mode::entry_name(Level(level));
            let title = if at.page == self.at.page {
                tr!(l, "W = 0 because the guest's {entry} has R/W = 0.", entry = name)
            } else {
                tr!(l, "W = 0 because the guest's {entry} above it has R/W = 0.", entry = name)
            };
            let text = tr!(l, "The guest's {entry} is {value}.", entry = name, value = hex(guest));
            let mut causes = vec![Cause { text, target: Target::Entry(level, gpa) }];
            let size = self.vm.machine.cpu.mode().entry_size() as u32;
            let since = self.question.since(|vm| vm.machine().memory.read(gpa, size) & RW);
            causes.extend(super::guest::said_since(self.question, since));
            return (title, causes);
        }
        let title = tr!(l, "W = 0: the guest's entries did not allow writes when KVM filled it in.").to_owned();
        (title, self.history())
    }

    fn guest_leaf(&self) -> Option<Cause> {
        let l = self.question.language;
        let gpa = self.vm.mirrored_entry(self.at)?;
        let name = Mode::entry_name(Level(self.page.role.level));
        let text = tr!(l, "The guest's {entry} is {value}.", entry = name, value = hex(self.guest_entry(gpa)));
        Some(Cause { text, target: Target::Entry(self.page.role.level, gpa) })
    }

    fn guest_entry(&self, gpa: Gpa) -> u64 {
        self.vm.machine.memory.read(gpa, self.vm.machine.cpu.mode().entry_size() as u32)
    }

    /// The last event that wrote this entry, and what for.
    fn last_set(&self) -> Option<(usize, usize, SpteWhy)> {
        let (of, at, role) = (self.page.gfn, usize::from(self.at.index), self.page.role);
        let this = |event: &Event| match event {
            Event::SpteSet { gfn, level, index, why, .. } | Event::SpteClear { gfn, level, index, why, .. } => {
                (*gfn == of && *level == role.level && *index == at).then_some(*why)
            }
            _ => None,
        };
        let upto = self.question.step.saturating_sub(1);
        let (step, event) = last_event(self.question.lab, upto, |event| this(event).is_some())?;
        let why = self.question.lab.events_of(step).get(event).and_then(this)?;
        Some((step, event, why))
    }

    /// When the entry was written last, and what for.
    fn history(&self) -> Vec<Cause> {
        let l = self.question.language;
        match self.last_set() {
            Some((step, event, why)) => {
                let when = self.question.hash(step);
                let text = tr!(l, "KVM wrote it at {when}: {reason}.", when = when, reason = l.tr(spte_why(why)));
                vec![Cause { text, target: Target::Event(step, event) }]
            }
            None => {
                let text = tr!(l, "Nothing has been written there since its page was made.").to_owned();
                vec![Cause { text, target: Target::Spte(self.at) }]
            }
        }
    }
}

const fn spte_why(why: SpteWhy) -> &'static str {
    use crate::word;
    match why {
        SpteWhy::Table => word!("a table was linked"),
        SpteWhy::Fill => word!("filled in from the guest's entry"),
        SpteWhy::Write => word!("a write was granted, or the guest wrote the entry that it mirrors"),
        SpteWhy::Read => word!("a read was granted"),
        SpteWhy::WriteProtect => word!("its frame became a page table"),
        SpteWhy::Zap => word!("its page was zapped"),
        SpteWhy::Replaced => word!("another table belongs there"),
        SpteWhy::Sync => word!("brought up to date"),
        SpteWhy::Prefetch => word!("filled in with its neighbour"),
        SpteWhy::Mmio => word!("marked: no memory there"),
        SpteWhy::Invlpg => word!("the guest gave INVLPG"),
        SpteWhy::DirtyLog => word!("the dirty log was taken"),
    }
}
