//! Why: one sentence, a chain of causes, and where to look it up.

mod depth;

pub use depth::Depth;

use super::format::{address, bit_list, hex};
use super::{error_code_bits, fault_why, refused};
use crate::arch::entry::{P, RW};
use crate::arch::fault::Vector;
use crate::arch::mode::Mode;
use crate::arch::{Level, pdpte};
use crate::engine::EngineName;
use crate::language::Language;
use crate::machine::event::{EntrySource, ExitReason, FaultWhy, RefusedWhy, SpteWhy};
use crate::machine::{Command, Event, Machine};

/// The answer to "why did this command end like this?".
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Why {
    /// One sentence.
    pub title: String,
    /// The causes, in order.
    pub causes: Vec<String>,
    /// Manual section.
    pub source: &'static str,
}

/// Explains a command from what happened; `before` is the machine that it was given to, under an
/// engine.
#[must_use]
pub fn why(command: &Command, events: &[Event], before: &Machine, engine: EngineName) -> Why {
    let mut causes: Vec<String> = events.iter().filter_map(|event| cause(event, before)).collect();
    let (title, source) = conclusion(command, events, before, engine);
    causes.dedup();
    Why { title, causes, source }
}

fn conclusion(command: &Command, events: &[Event], before: &Machine, engine: EngineName) -> (String, &'static str) {
    let stale = events.iter().any(|event| used_stale_register(event, before))
        || !engine.reads_pdptes_from_memory()
            && events.iter().any(|event| matches!(event, Event::ShadowRead { .. }))
            && leads_through_stale_register(command, before);
    for event in events {
        match event {
            Event::Refused { why } => return (refused_title(why), refused_source(why)),
            Event::Fault { vector: Vector::PageFault, err, why, .. } => {
                let bits = error_code_bits(err.0, Language::En);
                return (format!("The access faults: #PF, error code {:#x} ({bits}).", err.0), fault_source(why));
            }
            Event::Fault { .. } => {
                return ("The address is not canonical, so no walk begins.".to_owned(), "SDM 1 3.3.7.1");
            }
            _ => {}
        }
    }
    match command {
        Command::Access { .. } | Command::Write { .. } | Command::Read { .. } => access_title(events, stale),
        Command::Poke { .. } | Command::Dma { .. } => poke_title(events, before),
        Command::Invlpg { .. } | Command::Invpcid { .. } => {
            ("Cached translations are dropped; the PDPTE registers are not touched.".to_owned(), "SDM 3A 4.10.4.1")
        }
        Command::Map { .. } => ("The entries that build the mapping were written.".to_owned(), "SDM 3A 4.3 to 4.5"),
        Command::Wrpkru { .. } => (
            "The key rights changed; they are checked at each access, so nothing is flushed.".to_owned(),
            "SDM 3A 4.6.2",
        ),
        Command::Memslot { .. } | Command::DirtyLog { .. } => {
            ("Userspace managed the guest's memory.".to_owned(), "KVM API 4.35, 4.8")
        }
        _ => register_title(events),
    }
}

fn access_title(events: &[Event], stale: bool) -> (String, &'static str) {
    let hit = events.iter().any(|event| matches!(event, Event::TlbHit { .. }));
    let off = events.iter().any(|event| matches!(event, Event::Translated { page_size: 0, .. }));
    if off {
        ("Paging is off: the address is the physical address.".to_owned(), "SDM 3A 4.1.1")
    } else if stale {
        ("The access succeeds, through a stale register.".to_owned(), "SDM 3A 4.4.1")
    } else if let Some(found) = repaired(events) {
        found
    } else if hit {
        ("The access succeeds from the TLB: no entry is read.".to_owned(), "SDM 3A 4.10.2")
    } else {
        ("The access succeeds: every entry of the path allows it.".to_owned(), "SDM 3A 4.6")
    }
}

/// An access that needed the hypervisor, by what it did.
fn repaired(events: &[Event]) -> Option<(String, &'static str)> {
    let has = |wanted: fn(&Event) -> bool| events.iter().any(wanted);
    let exit =
        |wanted: ExitReason| events.iter().any(|event| matches!(event, Event::VmExit { reason } if *reason == wanted));
    let (title, source) = if exit(ExitReason::Mmio) {
        ("No memory is there, so the hypervisor carries the access out.", "KVM handle_mmio_page_fault()")
    } else if exit(ExitReason::EmulatedWrite) {
        (
            "The store hits a protected page table, so KVM carries it out.",
            "KVM kvm_mmu_pre_write(), kvm_mmu_track_write()",
        )
    } else if !exit(ExitReason::PageFault) {
        return None;
    } else if has(|event| matches!(event, Event::NestedRead { .. })) {
        (
            "The access succeeds, once the hypervisor has built the second dimension.",
            "SDM 3C 28.2, kvm_tdp_page_fault()",
        )
    } else if has(|event| matches!(event, Event::SpteSet { why: SpteWhy::Write, .. })) {
        ("The access succeeds, once KVM has granted the write in the shadow.", "KVM fix_write_pf()")
    } else {
        ("The access succeeds, once KVM has filled the shadow.", "KVM walk_addr(), fetch()")
    };
    Some((title.to_owned(), source))
}

fn poke_title(events: &[Event], before: &Machine) -> (String, &'static str) {
    let pdpte = events.iter().find_map(|event| match event {
        Event::Store { gpa, old, new, .. } if old != new => pdpte_at(before, gpa.0),
        _ => None,
    });
    match pdpte {
        Some(index) => (
            format!("PDPTE {index} changed in memory. Register {index} keeps its content until the next load."),
            "SDM 3A 4.4.1",
        ),
        None if events.iter().any(|event| matches!(event, Event::Flood { .. })) => {
            ("Stored, and the shadow of this table is zapped.".to_owned(), "KVM 2.6.20 kvm_mmu_pre_write()")
        }
        None if events.iter().any(|event| matches!(event, Event::Emulate { .. })) => (
            "The store hits a protected page table, so KVM carries it out.".to_owned(),
            "KVM 2.6.20 kvm_mmu_pre_write()",
        ),
        None if events.iter().any(|event| matches!(event, Event::VmExit { .. })) => {
            ("The store needed an exit; from now on this frame may be written.".to_owned(), "KVM fix_write_pf()")
        }
        None => ("Memory changed. What the processor has cached did not.".to_owned(), "SDM 3A 4.10.4.3"),
    }
}

fn register_title(events: &[Event]) -> (String, &'static str) {
    let loads = events.iter().find_map(|event| match event {
        Event::PdpteLoad { old, new, .. } => Some(old != new),
        _ => None,
    });
    match loads {
        Some(true) => {
            ("The register was written, and the four PDPTEs were loaded from memory.".to_owned(), "SDM 3A 4.4.1")
        }
        Some(false) => {
            ("The register was written; the PDPTEs were loaded and found unchanged.".to_owned(), "SDM 3A 4.4.1")
        }
        None => ("The register was written.".to_owned(), "SDM 3A 2.5"),
    }
}

fn refused_title(why: &RefusedWhy) -> String {
    format!("Refused, nothing changed. {}.", refused(why, Language::En))
}

const fn refused_source(why: &RefusedWhy) -> &'static str {
    use crate::arch::Rule;
    match why {
        RefusedWhy::Rule { rule: Rule::G19, .. } => "SDM 3A 4.4.1",
        RefusedWhy::Rule { rule: Rule::G20, .. } => "SDM 2A INVPCID",
        RefusedWhy::Rule { .. } => "SDM 3A 4.1.2, 2.5",
        RefusedWhy::Slot { .. } => "KVM API 4.35",
        RefusedWhy::Map { .. } => "SDM 3A 4.3 to 4.5",
    }
}

const fn fault_source(why: &FaultWhy) -> &'static str {
    match why {
        FaultWhy::NotPresent { .. } | FaultWhy::Reserved { .. } => "SDM 3A 4.7",
        FaultWhy::Rights { .. } => "SDM 3A 4.6, 4.7",
        FaultWhy::NonCanonical { .. } => "SDM 1 3.3.7.1",
    }
}

/// Whether an access goes through a PDPTE register that differs from memory. Shadow tables are built
/// from the registers, so this holds though no walk reads one.
fn leads_through_stale_register(command: &Command, before: &Machine) -> bool {
    command.access().is_some_and(|(va, _)| {
        before.cpu.mode() == Mode::Pae && before.pdpte_is_stale(pdpte::index(Mode::Pae.linear(va)))
    })
}

fn used_stale_register(event: &Event, before: &Machine) -> bool {
    match event {
        Event::WalkRead { from: EntrySource::PdpteRegister, index, .. } => before.pdpte_is_stale(*index),
        _ => false,
    }
}

/// The PDPTE that a store to `gpa` changes, under PAE paging.
fn pdpte_at(machine: &Machine, gpa: u64) -> Option<usize> {
    if machine.cpu.mode() != Mode::Pae {
        return None;
    }
    let offset = gpa.checked_sub(machine.cpu.paging.root.0)?;
    (offset < pdpte::TABLE_BYTES).then_some(offset as usize / 8)
}

fn cause(event: &Event, before: &Machine) -> Option<String> {
    Some(match event {
        Event::WalkRead { from: EntrySource::PdpteRegister, index, value, .. } => {
            let memory = before.pdptes_in_memory()[*index];
            if memory == value.0 {
                format!("PDPTE {index} comes from its register: {}.", hex(value.0))
            } else {
                format!("PDPTE {index} comes from its register, {}. Memory says {} by now.", hex(value.0), hex(memory))
            }
        }
        Event::WalkRead { level, index, value, .. } => {
            let flags = super::entry_flags(value.0, *level == 1);
            let flags = if flags.is_empty() { "not present".to_owned() } else { flags };
            format!("{}[{index}] is {} ({flags}).", Mode::table_name(Level(*level)), hex(value.0))
        }
        Event::SetAccessed { level, .. } => format!("A is set in the {}.", Mode::entry_name(Level(*level))),
        Event::SetDirty { level, .. } => {
            format!("D is set in the {}: this is a write.", Mode::entry_name(Level(*level)))
        }
        Event::TlbHit { page, frame, .. } => {
            format!("The TLB holds {} → {}.", address("GVA", page.0), hex(frame.0))
        }
        Event::PscHit { level, .. } => {
            format!("The walk begins below a cached {}.", Mode::entry_name(Level(*level)))
        }
        Event::Translated { gpa, .. } => format!("The access reaches {}.", address("GPA", gpa.0)),
        Event::Fault { why, .. } => capitalised(&fault_why(why, Language::En)),
        Event::PdpteReject { index, bits, .. } => {
            format!(
                "PDPTE {index} in memory has reserved {} set; P = 1, so it is checked.",
                bit_list(bits.0, Language::En)
            )
        }
        Event::PdpteLoad { old, new, .. } => {
            let changed: Vec<String> = (0..4)
                .filter(|i| old[*i] != new[*i])
                .map(|i| format!("{i}: {} → {}", hex(old[i]), hex(new[i])))
                .collect();
            if changed.is_empty() {
                return None;
            }
            format!("PDPTE registers: {}.", changed.join(", "))
        }
        Event::TlbFlush { removed, .. } if *removed > 0 => format!("{removed} cached translations were dropped."),
        Event::ShadowRead { level, index, value, .. } if value.0 & P == 0 => {
            format!("The hardware finds nothing in the shadow of level {level} at index {index}.")
        }
        Event::ShadowRead { level, index, value, .. } => {
            format!("The hardware reads the shadow of level {level} at index {index}: {}.", hex(value.0))
        }
        Event::VmExit { reason } => format!("Exit to the hypervisor: {}.", super::exit_reason(*reason, Language::En)),
        Event::ShadowNew { gfn, role } => {
            format!("KVM makes a shadow of gfn {:#x}, level {}.", gfn.0, role.level)
        }
        Event::WriteProtect { gfn } => format!("Gfn {:#x} is a page table, so no mapping of it may write.", gfn.0),
        Event::SpteSet { new, why: SpteWhy::Fill, .. } if new.0 & RW == 0 => {
            "The shadow entry is filled without W: KVM must see the first write.".to_owned()
        }
        Event::SpteSet { why: SpteWhy::Fill, .. } => "The shadow entry is filled from the guest's.".to_owned(),
        Event::Emulate { gpa, .. } => format!("The store to {} is emulated.", address("GPA", gpa.0)),
        Event::Flood { gfn } => format!("Gfn {:#x} was written three times in a row: it is taken for data.", gfn.0),
        Event::Unsync { gfn } => format!("From now on the guest may write the table in gfn {:#x} unseen.", gfn.0),
        Event::Inject => "KVM hands the fault to the guest.".to_owned(),
        Event::Store { gpa, old, new, .. } => {
            format!("{}: {} → {}.", address("GPA", gpa.0), hex(old.0), hex(new.0))
        }
        Event::Load { gpa, value, .. } => format!("{} holds {}.", address("GPA", gpa.0), hex(value.0)),
        Event::Register { name, old, new } if old != new => {
            format!("{}: {} → {}.", name.name(), hex(old.0), hex(new.0))
        }
        _ => return None,
    })
}

fn capitalised(text: &str) -> String {
    let mut chars = text.chars();
    match chars.next() {
        Some(first) => format!("{}{}.", first.to_uppercase(), chars.as_str()),
        None => String::new(),
    }
}
