//! The one sentence, and the section of the manual behind it.

use super::guest::{pdptes_from_memory, stale_register, used_path};
use super::manual::Manual;
use super::words::{error_code_bits, refused as refusal_words};
use super::{Depth, Question};
use crate::arch::fault::Vector;
use crate::arch::walk::Silent;
use crate::arch::{Mode, Rule, pdpte};
use crate::engine::AnyVm;
use crate::engine::twodim::Kind;
use crate::machine::event::{ExitReason, FaultWhy, RefusedWhy, SpteWhy};
use crate::machine::{Command, Event};
use crate::tr;

/// A conclusion.
pub struct Conclusion {
    /// One sentence.
    pub title: String,
    /// Where it is to be looked up.
    pub manual: Manual,
}

fn conclusion(title: impl Into<String>, manual: Manual) -> Conclusion {
    Conclusion { title: title.into(), manual }
}

/// The sentence for a command and what it did.
pub fn conclude(question: &Question<'_>, command: &Command) -> Conclusion {
    let l = question.language;
    for event in question.events {
        match event {
            Event::Refused { why } => return refused(question, why),
            Event::Fault { vector: Vector::PageFault, err, why, .. } => return fault(question, err.0, why),
            Event::Fault { .. } => {
                let title = tr!(l, "The address is not canonical, so no walk begins.");
                return conclusion(title, Manual::Sdm("1 3.3.7.1"));
            }
            _ => {}
        }
    }
    match command {
        Command::Access { .. } | Command::Write { .. } | Command::Read { .. } => access(question, command),
        Command::Poke { .. } | Command::Dma { .. } => poke(question),
        Command::Invlpg { .. } | Command::Invpcid { .. } => conclusion(
            tr!(l, "Cached translations are dropped; the PDPTE registers are not touched."),
            Manual::Sdm("3A 4.10.4.1"),
        ),
        Command::Map { .. } => {
            conclusion(tr!(l, "The entries that build the mapping were written."), Manual::Sdm("3A 4.3 to 4.5"))
        }
        Command::Wrpkru { .. } => conclusion(
            tr!(l, "The key rights changed; they are checked at each access, so nothing is flushed."),
            Manual::Sdm("3A 4.6.2"),
        ),
        Command::Memslot { .. } => conclusion(tr!(l, "Userspace managed the guest's memory."), Manual::KvmApi("4.35")),
        Command::DirtyLog { .. } => conclusion(
            tr!(l, "Userspace took the dirty log: the next store to each page must be seen again."),
            Manual::KvmApi("4.8"),
        ),
        _ => register(question),
    }
}

fn fault(question: &Question<'_>, err: u64, why: &FaultWhy) -> Conclusion {
    let l = question.language;
    let manual = Manual::Sdm(match why {
        FaultWhy::NotPresent { .. } | FaultWhy::Reserved { .. } => "3A 4.7",
        FaultWhy::Rights { .. } => "3A 4.6, 4.7",
        FaultWhy::NonCanonical { .. } => "1 3.3.7.1",
    });
    if question.depth == Depth::Story {
        let first = match why {
            FaultWhy::Rights { broken } => broken.names().next().unwrap_or("write"),
            FaultWhy::NotPresent { .. } => "absent",
            _ => "reserved",
        };
        let title = match first {
            "absent" => tr!(l, "The access faults: nothing is mapped at this address."),
            "reserved" => tr!(l, "The access faults: an entry is malformed."),
            "write" => tr!(l, "The access faults: this page must not be written."),
            "user" => tr!(l, "The access faults: this page is the kernel's."),
            "execute" => tr!(l, "The access faults: this page must not be executed."),
            "smep" => tr!(l, "The access faults: the kernel must not run user code."),
            "smap" => tr!(l, "The access faults: the kernel must not touch user data."),
            _ => tr!(l, "The access faults: the page's key denies it."),
        };
        return conclusion(title, manual);
    }
    let (code, bits) = (format!("{err:#x}"), error_code_bits(err, l));
    let why = crate::explain::fault_why(why, l);
    let title =
        tr!(l, "The access faults: #PF, error code {code} ({bits}) — {why}.", code = code, bits = bits, why = why);
    // Code and bits are one group: no line ends in it.
    let group = format!("{code} ({bits})");
    conclusion(title.replace(&group, &group.replace(' ', "\u{a0}")), manual)
}

fn refused(question: &Question<'_>, why: &RefusedWhy) -> Conclusion {
    let l = question.language;
    let manual = match why {
        RefusedWhy::Rule { rule: Rule::G19, .. } => Manual::Sdm("3A 4.4.1"),
        RefusedWhy::Rule { rule: Rule::G20, .. } => Manual::Sdm("2A INVPCID"),
        RefusedWhy::Rule { rule: Rule::G14 | Rule::G9, .. } => Manual::Sdm("3A 4.10.1, 4.1.2"),
        RefusedWhy::Rule { rule: Rule::G10 | Rule::G15, .. } => Manual::SdmBeforeCet("3A 2.5"),
        RefusedWhy::Rule { .. } => Manual::Sdm("3A 4.1.2, 2.5"),
        RefusedWhy::Slot { .. } => Manual::KvmApi("4.35"),
        RefusedWhy::Map { .. } => Manual::Sdm("3A 4.3 to 4.5"),
    };
    let changed = question.events.iter().any(|event| matches!(event, Event::Register { old, new, .. } if old != new));
    let title = match (question.depth, why) {
        // A story has no use for the rule's number and the bits at fault.
        (Depth::Story, RefusedWhy::Rule { rule, .. }) => {
            let reason = crate::machine::rule::says(*rule, l);
            match changed {
                true => tr!(l, "Refused, and carried out all the same: {reason}.", reason = reason),
                false => tr!(l, "Refused, nothing changed: {reason}.", reason = reason),
            }
        }
        _ => {
            let reason = refusal_words(why, l);
            match changed {
                true => tr!(l, "Refused, and carried out all the same. {reason}.", reason = reason),
                false => tr!(l, "Refused, nothing changed. {reason}.", reason = reason),
            }
        }
    };
    conclusion(title, manual)
}

fn access(question: &Question<'_>, command: &Command) -> Conclusion {
    let l = question.language;
    let events = question.events;
    let hit = events.iter().any(|event| matches!(event, Event::TlbHit { .. }));
    if events.iter().any(|event| matches!(event, Event::Translated { page_size: 0, .. })) {
        return conclusion(tr!(l, "Paging is off: the address is the physical address."), Manual::Sdm("3A 4.1.1"));
    }
    if hit && stale_hit(question, command) {
        let title = tr!(l, "The access succeeds through a stale TLB entry.");
        return conclusion(title, Manual::Sdm("3A 4.10.2.3, 4.10.4.3"));
    }
    if !hit && through_stale_register(question, command) {
        return conclusion(tr!(l, "The access succeeds, through a stale register."), Manual::Sdm("3A 4.4.1"));
    }
    if let Some(found) = repaired(question) {
        return found;
    }
    if hit {
        return conclusion(tr!(l, "The access succeeds from the TLB: no entry is read."), Manual::Sdm("3A 4.10.2"));
    }
    conclusion(tr!(l, "The access succeeds: every entry of the path allows it."), Manual::Sdm("3A 4.6"))
}

/// Whether a successful access went through a PDPTE register that memory no longer agrees with.
fn through_stale_register(question: &Question<'_>, command: &Command) -> bool {
    let Some((va, _)) = command.access() else { return false };
    stale_register(question, &used_path(question, va)).is_some()
}

/// Whether the TLB answered with what the tables in memory would not say any more.
pub fn stale_hit(question: &Question<'_>, command: &Command) -> bool {
    let Some((va, access)) = command.access() else { return false };
    let reached = question.events.iter().find_map(|event| match event {
        Event::Translated { gpa, .. } => Some(*gpa),
        _ => None,
    });
    let machine = question.before.machine();
    let cpu = &machine.cpu;
    if cpu.mode() == Mode::Off {
        return false;
    }
    let gva = cpu.mode().linear(va);
    let mut pdptes = cpu.pdptes;
    if pdptes_from_memory(question.before) {
        pdptes = machine.pdptes_in_memory();
    }
    let now = cpu
        .paging
        .start(&pdptes, gva, &access)
        .and_then(|start| cpu.paging.walk(&machine.memory, start, gva, &access, cpu.pkru, &mut Silent));
    now.map_or(reached.is_some(), |walk| reached.is_some_and(|gpa| gpa != walk.gpa(gva)))
}

/// An access that needed the hypervisor, by what it did.
fn repaired(question: &Question<'_>) -> Option<Conclusion> {
    let l = question.language;
    let events = question.events;
    let has = |wanted: fn(&Event) -> bool| events.iter().any(wanted);
    let exit =
        |wanted: ExitReason| events.iter().any(|event| matches!(event, Event::VmExit { reason } if *reason == wanted));
    Some(if exit(ExitReason::Mmio) {
        conclusion(tr!(l, "No memory is there, so the hypervisor carries the access out."), exit_section(question))
    } else if exit(ExitReason::EmulatedWrite) {
        conclusion(
            tr!(l, "The store hits a protected page table, so KVM carries it out."),
            Manual::Sdm("3A 4.6, 4.10.4.3"),
        )
    } else if !exit(ExitReason::PageFault) {
        return None;
    } else if matches!(question.before, AnyVm::TwoDim(_)) {
        conclusion(
            tr!(l, "The access succeeds, once the hypervisor has built the second dimension."),
            second_dimension(question, "3C 28.2", "15.25.5"),
        )
    } else if has(|event| matches!(event, Event::SpteSet { why: SpteWhy::Write, .. })) {
        conclusion(tr!(l, "The access succeeds, once KVM has granted the write in the shadow."), Manual::Sdm("3A 4.8"))
    } else {
        conclusion(tr!(l, "The access succeeds, once KVM has filled the shadow."), Manual::Sdm("3A 4.6"))
    })
}

fn poke(question: &Question<'_>) -> Conclusion {
    let l = question.language;
    let events = question.events;
    let pdpte = events.iter().find_map(|event| match event {
        Event::Store { gpa, old, new, .. } if old != new => pdpte_at(question, gpa.0),
        _ => None,
    });
    if let Some(index) = pdpte {
        let title = tr!(
            l,
            "PDPTE {index} changed in memory. Register {index} keeps its content until the next load.",
            index = index
        );
        return conclusion(title, Manual::Sdm("3A 4.4.1"));
    }
    let has = |wanted: fn(&Event) -> bool| events.iter().any(wanted);
    if has(|event| matches!(event, Event::Flood { .. })) {
        let title = tr!(l, "Stored, and the shadow of this table is zapped.");
        conclusion(title, Manual::Sdm("3A 4.10.4.3"))
    } else if has(|event| matches!(event, Event::Emulate { .. })) {
        let title = tr!(l, "The store hits a protected page table, so KVM carries it out.");
        conclusion(title, Manual::Sdm("3A 4.10.4.3"))
    } else if has(|event| matches!(event, Event::VmExit { reason: ExitReason::Mmio })) {
        let title = tr!(l, "No memory is there, so the hypervisor carries the access out.");
        conclusion(title, exit_section(question))
    } else if has(|event| matches!(event, Event::VmExit { .. })) {
        let title = tr!(l, "The store needed an exit; from now on this frame may be written.");
        conclusion(title, Manual::Sdm("3A 4.10.4.3"))
    } else {
        let title = tr!(l, "Memory changed. What the processor has cached did not.");
        conclusion(title, Manual::Sdm("3A 4.10.4.3"))
    }
}

/// What makes an access without memory exit: an EPT violation, a nested page fault, or a page fault of the shadow.
const fn exit_section(question: &Question<'_>) -> Manual {
    match question.before {
        AnyVm::TwoDim(_) => second_dimension(question, "3C 28.2.3", "15.25.6"),
        AnyVm::Native(_) | AnyVm::Shadow(_) => Manual::Sdm("3A 4.7"),
    }
}

/// The section of the manual of whose second dimension it is.
const fn second_dimension(question: &Question<'_>, intel: &'static str, amd: &'static str) -> Manual {
    match question.before {
        AnyVm::TwoDim(vm) if matches!(vm.engine.kind, Kind::Npt) => Manual::Apm(amd),
        _ => Manual::Sdm(intel),
    }
}

/// The PDPTE that lies at an address, if its register keeps it.
fn pdpte_at(question: &Question<'_>, gpa: u64) -> Option<usize> {
    let cpu = &question.before.machine().cpu;
    if cpu.mode() != Mode::Pae || pdptes_from_memory(question.before) {
        return None;
    }
    let offset = gpa.wrapping_sub(Mode::Pae.root(cpu.regs.cr3, cpu.model.maxphyaddr).0);
    (offset < pdpte::TABLE_BYTES).then_some((offset / 8) as usize)
}

fn register(question: &Question<'_>) -> Conclusion {
    let l = question.language;
    let loads = question.events.iter().find_map(|event| match event {
        Event::PdpteLoad { old, new, .. } => Some(old != new),
        _ => None,
    });
    match loads {
        Some(true) => conclusion(
            tr!(l, "The register was written, and the four PDPTEs were loaded from memory."),
            Manual::Sdm("3A 4.4.1"),
        ),
        Some(false) => conclusion(
            tr!(l, "The register was written; the PDPTEs were loaded and found unchanged."),
            Manual::Sdm("3A 4.4.1"),
        ),
        None => conclusion(tr!(l, "The register was written."), Manual::Sdm("3A 2.5")),
    }
}
