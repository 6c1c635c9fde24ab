//! The chain of causes of a command: its events in the order in which a reader needs them, with what
//! the tables and the history say about them.

mod hypervisor;

use super::conclusion::stale_hit;
use super::guest::{fault_causes, path, pdptes_from_memory, register_causes, since_entry, used_path};
use super::words::bit_list;
use super::{Cause, Depth, Question, Since, Target, last_event, quirk, refusal};
use crate::arch::entry::{D, P};
use crate::arch::fault::Vector;
use crate::arch::{Gpa, Gva, Level, Mode};
use crate::explain::{address, hex, page_size};
use crate::language::Language;
use crate::machine::command::SlotAction;
use crate::machine::event::{ExitReason, FlushCause, StoreBy};
use crate::machine::{Command, Event};
use crate::tr;

/// So many causes are listed; a command that drops thousands of pages has more.
const MOST: usize = 48;

/// The order in which events are read, as their places: what the hardware did, then the exit, then what
/// the hypervisor did. An exit is recorded last, under the reason that it ended in.
#[must_use]
pub fn reading_order(events: &[Event]) -> Vec<usize> {
    let mut keys: Vec<(usize, u8, usize)> = Vec::with_capacity(events.len());
    let (mut segment, mut begun) = (0, 0);
    for (at, event) in events.iter().enumerate() {
        keys.push((segment, 0, at));
        let Event::VmExit { reason } = event else { continue };
        let hardware = match reason {
            ExitReason::CrAccess | ExitReason::Invlpg => begun,
            _ => events[begun..at].iter().rposition(by_hardware).map_or(begun, |last| begun + last + 1),
        };
        for key in &mut keys[hardware..at] {
            key.1 = 2;
        }
        keys[at].1 = 1;
        (segment, begun) = (segment + 1, at + 1);
    }
    keys.sort_unstable();
    let mut order: Vec<usize> = keys.into_iter().map(|(_, _, at)| at).collect();
    // What the guest is given is known before it is handed over.
    for i in 1..order.len() {
        let ends = matches!(events[order[i]], Event::Fault { .. } | Event::Refused { .. });
        if ends && events[order[i - 1]] == Event::Inject {
            order.swap(i - 1, i);
        }
    }
    order
}

const fn by_hardware(event: &Event) -> bool {
    matches!(event, Event::ShadowRead { .. } | Event::NestedRead { .. } | Event::TlbHit { .. } | Event::PscHit { .. })
}

/// The causes of a command.
pub fn causes(question: &Question<'_>, command: &Command) -> Vec<Cause> {
    let mut chain = Chain { question, command, causes: Vec::new(), said: Said::default() };
    if let Some((va, _)) = command.access() {
        chain.before_access(va);
    }
    for at in reading_order(question.events) {
        chain.event(at);
    }
    chain.causes.extend(quirk::causes(question, command));
    let mut causes = chain.causes;
    causes.dedup();
    if causes.len() > MOST {
        let more = causes.len() - MOST;
        causes.truncate(MOST);
        let text = tr!(question.language, "And {more} more; the log has them all.", more = more);
        causes.push(Cause { text, target: Target::Step(question.step) });
    }
    causes
}

/// One event in words, as a transcript tells it; none where it says nothing of its own.
#[must_use]
pub fn sentence(question: &Question<'_>, at: usize) -> Option<String> {
    let command = question.command()?;
    let mut chain = Chain { question, command, causes: Vec::new(), said: Said::default() };
    question.events.get(at)?;
    chain.event(at);
    let texts: Vec<String> = chain.causes.into_iter().map(|cause| cause.text).collect();
    (!texts.is_empty()).then(|| texts.join(" "))
}

/// What was said once and need not be said again.
#[derive(Default)]
struct Said {
    shadow_miss: bool,
    pages: bool,
    zapped: bool,
    nested: bool,
    path: bool,
    mmio: bool,
}

struct Chain<'a> {
    question: &'a Question<'a>,
    command: &'a Command,
    causes: Vec<Cause>,
    said: Said,
}

impl Chain<'_> {
    fn language(&self) -> Language {
        self.question.language
    }

    fn deep(&self) -> bool {
        self.question.depth == Depth::Engineer
    }

    fn story(&self) -> bool {
        self.question.depth == Depth::Story
    }

    fn push(&mut self, at: usize, text: impl Into<String>) {
        self.causes.push(Cause { text: text.into(), target: Target::Event(self.question.step, at) });
    }

    fn push_to(&mut self, target: Target, text: impl Into<String>) {
        self.causes.push(Cause { text: text.into(), target });
    }

    /// What was so before the access began: stale registers and stale caches.
    fn before_access(&mut self, va: Gva) {
        let question = self.question;
        let events = question.events;
        let failed = events.iter().any(|event| matches!(event, Event::Fault { .. }));
        let hit = events.iter().any(|event| matches!(event, Event::TlbHit { .. }));
        if hit && stale_hit(question, self.command) {
            self.stale_tlb(va);
        } else if !failed && !hit && !events.is_empty() {
            let hops = used_path(question, va);
            self.causes.extend(register_causes(question, &hops));
        }
    }

    /// When the TLB learnt the translation, and since when memory says something else.
    fn stale_tlb(&mut self, va: Gva) {
        let (l, question) = (self.language(), self.question);
        let gva = question.before.machine().cpu.mode().linear(va);
        let fill = |event: &Event| match event {
            Event::TlbFill { page, page_size, .. } => page.0 == gva.0 & !(page_size - 1),
            _ => false,
        };
        if let Some((step, event)) = last_event(question.lab, question.step.saturating_sub(1), fill) {
            let text = tr!(l, "The TLB learnt this translation at {when}.", when = question.hash(step));
            self.push_to(Target::Event(step, event), text);
        }
        let hops = path(question.before.machine(), pdptes_from_memory(question.before), va);
        let size = question.before.machine().cpu.mode().entry_size() as u32;
        let changed = hops.iter().filter(|hop| !hop.register).filter_map(|hop| {
            let since = question.since(|vm| vm.machine().memory.read(hop.gpa, size) & !(crate::arch::entry::A | D));
            match since {
                Since::Step(step) => Some((step, hop)),
                _ => None,
            }
        });
        if let Some((step, hop)) = changed.max_by_key(|(step, _)| *step) {
            let text = tr!(
                l,
                "{entry} changed at {when}, and nothing has invalidated the TLB since.",
                entry = hop.name(),
                when = question.hash(step)
            );
            self.push_to(Target::Step(step), text);
        }
    }

    fn event(&mut self, at: usize) {
        let question = self.question;
        match &question.events[at] {
            Event::WalkRead { .. } | Event::SetAccessed { .. } | Event::SetDirty { .. } | Event::PscHit { .. } => {
                self.walk(at);
            }
            Event::Translated { .. } | Event::TlbHit { .. } | Event::TlbFill { .. } | Event::TlbFlush { .. } => {
                self.translation(at);
            }
            Event::Fault { .. } | Event::Refused { .. } | Event::Inject => self.failure(at),
            Event::Register { .. } | Event::PdpteLoad { .. } | Event::PdpteReject { .. } => self.register(at),
            Event::Store { .. } | Event::Load { .. } | Event::Memslot { .. } | Event::DirtyLog { .. } => {
                self.data(at);
            }
            Event::VmExit { reason } => self.exit(at, *reason),
            _ => self.hypervisor(at),
        }
    }

    fn walk(&mut self, at: usize) {
        let l = self.language();
        match &self.question.events[at] {
            Event::WalkRead { level, index, value, .. } if self.deep() => {
                let name = format!("{}[{index}]", Mode::entry_name(Level(*level)));
                self.push(at, tr!(l, "The walk reads {entry}: {value}.", entry = name, value = hex(value.0)));
            }
            Event::SetAccessed { level, .. } if self.deep() => {
                let name = Mode::entry_name(Level(*level));
                self.push(at, tr!(l, "A is set in the {entry}.", entry = name));
            }
            Event::SetDirty { level, gpa, .. } if !self.story() => {
                let name = Mode::entry_name(Level(*level));
                self.push_to(
                    Target::Entry(*level, *gpa),
                    tr!(l, "The first write sets D in the {entry}.", entry = name),
                );
            }
            Event::PscHit { level, table } if !self.story() => {
                let name = Mode::entry_name(Level(*level));
                self.push(
                    at,
                    tr!(
                        l,
                        "A cached {entry} leads straight to the table at {table}.",
                        entry = name,
                        table = address("GPA", table.0)
                    ),
                );
                self.stale_prefix(*level, *table);
            }
            _ => {}
        }
    }

    /// A cached upper entry that memory no longer agrees with.
    fn stale_prefix(&mut self, level: u8, table: Gpa) {
        let (l, question) = (self.language(), self.question);
        let Some((va, _)) = self.command.access() else { return };
        let machine = question.before.machine();
        let hops = path(machine, pdptes_from_memory(question.before), va);
        let Some(hop) = hops.into_iter().find(|hop| hop.level == level) else { return };
        let leads_there = crate::arch::entry::frame_4k(hop.value, &machine.cpu.model) == table;
        if leads_there && hop.value & P != 0 {
            return;
        }
        let text = tr!(
            l,
            "Memory says otherwise: {entry} is {value} there; the cache was not invalidated.",
            entry = hop.name(),
            value = hex(hop.value)
        );
        self.push_to(hop.target(), text);
        self.causes.extend(since_entry(question, &hop, !(crate::arch::entry::A | D)));
    }

    fn translation(&mut self, at: usize) {
        let l = self.language();
        match &self.question.events[at] {
            Event::Translated { gpa, hpa, .. } => {
                self.allowed();
                if !self.story() {
                    let mut text = tr!(l, "The access reaches {place}.", place = address("GPA", gpa.0));
                    if hpa.0 != gpa.0 && self.deep() {
                        text = tr!(
                            l,
                            "The access reaches {place}, which is {host}.",
                            place = address("GPA", gpa.0),
                            host = address("HPA", hpa.0)
                        );
                    }
                    self.push_to(Target::Page(gpa.gfn()), text);
                }
            }
            Event::TlbHit { page, page_size: bytes, .. } => self.push(
                at,
                match self.story() {
                    true => tr!(l, "The processor remembers this page: it reads no table.").to_owned(),
                    false => tr!(
                        l,
                        "The TLB has the page at {page} ({size}).",
                        page = address("GVA", page.0),
                        size = page_size(*bytes)
                    ),
                },
            ),
            Event::TlbFill { page, .. } if self.deep() => {
                self.push(at, tr!(l, "The TLB remembers the page at {page}.", page = address("GVA", page.0)));
            }
            Event::TlbFlush { removed, cause, .. } if *removed > 0 && !self.story() || self.deep() => {
                self.flush(at, *removed, *cause);
            }
            _ => {}
        }
    }

    fn flush(&mut self, at: usize, removed: usize, cause: FlushCause) {
        let l = self.language();
        let text = match (removed, cause) {
            (0, _) => tr!(l, "A flush finds nothing in the caches.").to_owned(),
            (1, FlushCause::PageFault) => tr!(l, "A page fault drops what is cached for its address.").to_owned(),
            (1, FlushCause::WriteProtect | FlushCause::DirtyLog) => {
                tr!(l, "One cached translation goes, for it could still write.").to_owned()
            }
            (1, FlushCause::Zap | FlushCause::Sync) => {
                tr!(l, "One cached translation goes with its shadow entry.").to_owned()
            }
            (1, _) => tr!(l, "One cached translation is dropped.").to_owned(),
            (n, FlushCause::PageFault) => {
                tr!(l, "A page fault drops what is cached for its address: {n} entries.", n = n)
            }
            (n, FlushCause::WriteProtect | FlushCause::DirtyLog) => {
                tr!(l, "{n} cached translations go, for they could still write.", n = n)
            }
            (n, FlushCause::Zap | FlushCause::Sync) => {
                tr!(l, "{n} cached translations go with their shadow entries.", n = n)
            }
            (n, _) => tr!(l, "{n} cached translations are dropped.", n = n),
        };
        self.push(at, text);
    }

    /// That the path allows the access, once, where a walk was made.
    fn allowed(&mut self) {
        let (l, question) = (self.language(), self.question);
        let Some((va, access)) = self.command.access() else { return };
        let walked = question.events.iter().any(|event| matches!(event, Event::WalkRead { .. }));
        if self.said.path || !walked {
            return;
        }
        self.said.path = true;
        let hops = used_path(question, va);
        let entries: Vec<String> = hops.iter().filter(|hop| !hop.register).map(super::guest::Hop::name).collect();
        let Some(last) = hops.last() else { return };
        let what = super::words::access(access.kind, access.user, l);
        let text = match self.story() {
            true => tr!(l, "Every table on the way allows it.").to_owned(),
            false => tr!(l, "{entries} allow a {access}.", entries = entries.join(tr!(l, ", ")), access = what),
        };
        self.push_to(last.target(), text);
    }

    fn failure(&mut self, at: usize) {
        let (l, question) = (self.language(), self.question);
        match &question.events[at] {
            Event::Fault { vector, err, cr2, why } => {
                let va = cr2.or_else(|| self.command.access().map(|(va, _)| va)).unwrap_or_default();
                self.causes.extend(fault_causes(question, at, va, why));
                if self.deep() && *vector == Vector::PageFault {
                    let code = format!("{:#x}", err.0);
                    let cr2 = hex(va.0);
                    self.push(at, tr!(l, "CR2 is {cr2}, the error code {code}.", cr2 = cr2, code = code));
                }
            }
            Event::Refused { why } => self.causes.extend(refusal::causes(question, at, why)),
            Event::Inject => {
                let text = match self.command.access() {
                    Some(_) => tr!(l, "KVM hands the fault to the guest."),
                    None => tr!(l, "KVM hands the guest a #GP."),
                };
                self.push(at, text);
            }
            _ => {}
        }
    }

    fn register(&mut self, at: usize) {
        let l = self.language();
        match &self.question.events[at] {
            Event::Register { name, old, new } if old != new => {
                self.push(at, tr!(l, "{name}: {old} → {new}.", name = name.name(), old = hex(old.0), new = hex(new.0)))
            }
            Event::PdpteLoad { old, new, .. } => {
                let changed: Vec<String> = (0..4)
                    .filter(|i| old[*i] != new[*i])
                    .map(|i| format!("{i}: {} → {}", hex(old[i]), hex(new[i])))
                    .collect();
                if !changed.is_empty() {
                    self.push(at, tr!(l, "PDPTE registers: {list}.", list = changed.join(tr!(l, ", "))));
                } else if self.deep() {
                    self.push(at, tr!(l, "The PDPTE registers were loaded with what they had."));
                }
            }
            // The refusal that follows speaks of it.
            Event::PdpteReject { index, bits, .. } if !self.question.events.iter().any(is_refusal) => {
                let list = bit_list(bits.0, l);
                self.push(
                    at,
                    tr!(
                        l,
                        "PDPTE {index} in memory has reserved {bits} set: none of the four is loaded.",
                        index = index,
                        bits = list
                    ),
                );
            }
            _ => {}
        }
    }

    fn data(&mut self, at: usize) {
        let l = self.language();
        match &self.question.events[at] {
            Event::Store { gpa, old, new, by, .. } => {
                let (place, old, new) = (address("GPA", gpa.0), hex(old.0), hex(new.0));
                let text = match by {
                    StoreBy::Guest => tr!(l, "{place}: {old} → {new}.", place = place, old = old, new = new),
                    StoreBy::Device => {
                        tr!(
                            l,
                            "A device writes {place}: {old} → {new}; no engine sees it.",
                            place = place,
                            old = old,
                            new = new
                        )
                    }
                };
                self.push_to(Target::Page(gpa.gfn()), text);
            }
            Event::Load { gpa, value, .. } => {
                let (place, value) = (address("GPA", gpa.0), hex(value.0));
                self.push_to(Target::Page(gpa.gfn()), tr!(l, "{place} holds {value}.", place = place, value = value));
            }
            Event::Memslot { gpa, action } => {
                let place = address("GPA", gpa.0);
                let text = match action {
                    SlotAction::Add => tr!(l, "Memory was added at {place}.", place = place),
                    SlotAction::Remove => {
                        tr!(l, "The memory at {place} was taken away: whatever maps it must go.", place = place)
                    }
                    SlotAction::Log => {
                        tr!(l, "Stores to the slot at {place} are logged from now on, so pages lose W.", place = place)
                    }
                };
                self.push(at, text);
            }
            Event::DirtyLog { frames, .. } => {
                let text = match frames.len() {
                    0 => tr!(l, "Nothing had been written since the last call.").to_owned(),
                    1 => tr!(l, "One frame had been written since the last call.").to_owned(),
                    n => tr!(l, "{n} frames had been written since the last call.", n = n),
                };
                self.push(at, text);
            }
            _ => {}
        }
    }
}

const fn is_refusal(event: &Event) -> bool {
    matches!(event, Event::Refused { .. })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arch::address::Num;
    use crate::arch::{Gfn, Hpa};

    #[test]
    fn an_exit_is_read_before_what_the_hypervisor_did() {
        let read = Event::ShadowRead { level: 1, index: 0, hpa: Hpa(0), value: Num(0) };
        let set = Event::WriteProtect { gfn: Gfn(7) };
        let exit = |reason| Event::VmExit { reason };
        let events = [read.clone(), set.clone(), exit(ExitReason::PageFault), read, Event::Inject];
        assert_eq!(reading_order(&events), [0, 2, 1, 3, 4]);
        let written = Event::Register { name: crate::machine::event::RegisterName::Cr3, old: Num(0), new: Num(0x1000) };
        assert_eq!(reading_order(&[written.clone(), exit(ExitReason::CrAccess), set.clone()]), [1, 0, 2]);
        assert_eq!(reading_order(&[exit(ExitReason::Invlpg), set]), [0, 1]);
        assert_eq!(reading_order(&[written]), [0]);
    }
}
