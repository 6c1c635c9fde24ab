//! Facts into sentences: events, commands and refusals in words, for the terminal, the log and Why.
//!
//! Everything is built from templates over recorded facts; nothing here computes what an event
//! could have said.

mod format;
mod refusal;
mod why;

pub use format::{address, bit_list, entry_flags, hex, page_size};
pub use refusal::{refusal, refused};
pub use why::{Depth, Why, why};

use crate::arch::fault::{PfErr, Vector};
use crate::arch::mode::Mode;
use crate::arch::{AccessKind, Level};
use crate::machine::command::{MapSize, SlotAction};
use crate::machine::event::{EntrySource, ExitReason, FaultWhy, FlushCause, FlushScope, SpteWhy, StoreBy};
use crate::machine::role::Role;
use crate::machine::{Command, Event};

/// An event in words: a short label and the facts behind it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// One or two words: `walk`, `TLB hit`, `#PF`.
    pub label: &'static str,
    /// The rest of the line, columns separated by two spaces.
    pub text: String,
}

/// An event in words.
#[must_use]
pub fn event(event: &Event) -> Line {
    let (label, text) = match event {
        Event::WalkRead { level, from, index, gpa, value } => {
            let name = entry_at(*level, *index);
            let place = match from {
                EntrySource::Memory => address("GPA", gpa.0),
                EntrySource::PdpteRegister => "register".to_owned(),
            };
            ("walk", format!("{name:<11} {place:<22} {}", hex(value.0)))
        }
        Event::SetAccessed { level, gpa, old, new } => ("set A", changed_entry(*level, gpa.0, old.0, new.0)),
        Event::SetDirty { level, gpa, old, new } => ("set D", changed_entry(*level, gpa.0, old.0, new.0)),
        Event::Translated { va, gpa, hpa, page_size: bytes } => {
            let page = if *bytes == 0 { "paging off".to_owned() } else { format!("{} page", page_size(*bytes)) };
            let host = if hpa.0 == gpa.0 { String::new() } else { format!("  {}", address("HPA", hpa.0)) };
            ("reaches", format!("{} → {}{host}  {page}", address("GVA", va.0), address("GPA", gpa.0)))
        }
        Event::Fault { vector, err, cr2, why } => {
            (vector_label(*vector), fault_text(*vector, err.0, cr2.map(|a| a.0), why))
        }
        Event::Refused { why } => ("refused", refused(why)),
        Event::Register { name, old, new } if old == new => (name.name(), format!("{} again", hex(new.0))),
        Event::Register { name, old, new } => (name.name(), format!("{} → {}", hex(old.0), hex(new.0))),
        Event::PdpteLoad { old, new, .. } => ("PDPTEs", pdpte_load(old, new)),
        Event::PdpteReject { index, bits, .. } => {
            ("PDPTEs", format!("not loaded: entry {index} in memory has reserved {} set", bit_list(bits.0)))
        }
        Event::TlbHit { page, frame, page_size: bytes, .. } => ("TLB hit", mapping(page.0, frame.0, *bytes)),
        Event::TlbFill { page, frame, page_size: bytes, global } => {
            let global = if *global { "  global" } else { "" };
            ("TLB fill", mapping(page.0, frame.0, *bytes) + global)
        }
        Event::TlbFlush { scope, removed, cause } => ("TLB flush", flush(*scope, *cause, *removed)),
        Event::PscHit { level, table } => {
            let name = Mode::entry_name(Level(*level));
            ("cache hit", format!("{name} prefix, on to the table at {}", address("GPA", table.0)))
        }
        Event::Store { gpa, size, old, new, by } => {
            let label = match by {
                StoreBy::Guest => "store",
                StoreBy::Device => "DMA",
            };
            (label, format!("{}  {} → {}  {}", address("GPA", gpa.0), hex(old.0), hex(new.0), bytes(*size)))
        }
        Event::Load { gpa, size, value } => {
            ("load", format!("{}  {}  {}", address("GPA", gpa.0), hex(value.0), bytes(*size)))
        }
        Event::Memslot { gpa, action } => ("memslot", format!("{} {}", slot_action(*action), address("GPA", gpa.0))),
        Event::DirtyLog { gpa, frames } => {
            let list: Vec<String> = frames.iter().map(|gfn| format!("{:#x}", gfn.0)).collect();
            let list = if list.is_empty() { "nothing written".to_owned() } else { format!("gfn {}", list.join(", ")) };
            ("dirty log", format!("{}  {list}", address("GPA", gpa.0)))
        }
        Event::ShadowRead { level, index, hpa, value } => {
            let name = format!("spte L{level}[{index}]");
            ("hw walk", format!("{name:<11} {:<22} {}", address("HPA", hpa.0), hex(value.0)))
        }
        Event::VmExit { reason } => ("VM exit", exit_reason(*reason).to_owned()),
        Event::Inject => ("inject", "the guest gets its exception".to_owned()),
        Event::ShadowNew { gfn, role } => ("shadow", format!("new page for {}", shadow_page(gfn.0, role))),
        Event::ShadowHit { gfn, role } => ("shadow", format!("found again: {}", shadow_page(gfn.0, role))),
        Event::ShadowZap { gfn, role } => ("shadow", format!("zapped: {}", shadow_page(gfn.0, role))),
        Event::ShadowPin { gfn, role } => ("shadow", format!("now a root: {}", shadow_page(gfn.0, role))),
        Event::ShadowUnpin { gfn, role } => ("shadow", format!("no root any more: {}", shadow_page(gfn.0, role))),
        Event::SpteSet { gfn, level, index, old, new, why } => (
            "spte",
            format!("L{level} of gfn {:#x} [{index}]  {} → {}  {}", gfn.0, hex(old.0), hex(new.0), spte_why(*why)),
        ),
        Event::SpteClear { gfn, level, index, old, why } => {
            ("spte", format!("L{level} of gfn {:#x} [{index}]  {} → 0x0  {}", gfn.0, hex(old.0), spte_why(*why)))
        }
        Event::WriteProtect { gfn } => ("protect", format!("gfn {:#x} loses W in every mapping", gfn.0)),
        Event::WriteUnprotect { gfn } => ("unprotect", format!("gfn {:#x} is no page table any more", gfn.0)),
        Event::RmapAdd { hfn } => ("rmap", format!("hfn {:#x} gains a mapping", hfn.0)),
        Event::RmapRemove { hfn } => ("rmap", format!("hfn {:#x} loses a mapping", hfn.0)),
        Event::Emulate { gpa, size } => {
            ("emulate", format!("a store of {} at {}", bytes(*size), address("GPA", gpa.0)))
        }
        Event::Flood { gfn } => ("flood", format!("gfn {:#x} is written too often for a page table", gfn.0)),
        Event::Unsync { gfn } => ("unsync", format!("the guest may write gfn {:#x} unseen", gfn.0)),
        Event::Sync { gfn } => ("sync", format!("the shadow of gfn {:#x} is up to date", gfn.0)),
        Event::Reclaim => ("reclaim", "room is made for shadow pages".to_owned()),
        Event::NestedRead { level, index, hpa, value, .. } => {
            let name = format!("nested L{level}[{index}]");
            ("hw walk", format!("{name:<15} {:<18} {}", address("HPA", hpa.0), hex(value.0)))
        }
        Event::AuditFailed { invariant, witness } => ("AUDIT", format!("{invariant} is broken: {witness}")),
    };
    Line { label, text }
}

fn exit_reason(reason: ExitReason) -> &'static str {
    match reason {
        ExitReason::PageFault => "page fault",
        ExitReason::EmulatedWrite => "store to a protected page",
        ExitReason::CrAccess => "control register",
        ExitReason::Invlpg => "INVLPG",
        ExitReason::Mmio => "no memory there",
    }
}

fn shadow_page(gfn: u64, role: &Role) -> String {
    let access = [(role.access.user, 'u'), (role.access.write, 'w'), (role.access.exec, 'x')];
    let access: String = access.iter().map(|(set, c)| if *set { *c } else { '-' }).collect();
    let direct = if role.direct { " direct" } else { "" };
    let quadrant = if role.glevels == 2 { format!(" quadrant {}", role.quadrant) } else { String::new() };
    format!("gfn {gfn:#x} level {}{quadrant}{direct} access {access}", role.level)
}

const fn spte_why(why: SpteWhy) -> &'static str {
    match why {
        SpteWhy::Table => "table linked",
        SpteWhy::Fill => "filled from the guest entry",
        SpteWhy::Write => "for a write",
        SpteWhy::Read => "for a read",
        SpteWhy::WriteProtect => "write-protected",
        SpteWhy::Zap => "zapped",
        SpteWhy::Replaced => "another table belongs there",
        SpteWhy::Sync => "brought up to date",
        SpteWhy::Prefetch => "prefetched",
        SpteWhy::Mmio => "no memory there",
        SpteWhy::Invlpg => "INVLPG",
        SpteWhy::DirtyLog => "dirty log",
    }
}

/// A command in words, as an assembly programmer would name it.
#[must_use]
pub fn command(command: &Command) -> String {
    let who = |user: bool| if user { "user" } else { "kernel" };
    match command {
        Command::Access { va, kind, user, ac, stack } => {
            let kind = match kind {
                AccessKind::Read => "read",
                AccessKind::Write => "write",
                AccessKind::Fetch => "fetch",
            };
            let ac = if *ac { " with AC" } else { "" };
            let stack = if *stack { " through SS" } else { "" };
            format!("{} {kind} {}{ac}{stack}", who(*user), address("GVA", va.0))
        }
        Command::Write { va, val, size, user, .. } => {
            format!("{} stores {} at {}, {}", who(*user), hex(val.0), address("GVA", va.0), bytes(size.bytes()))
        }
        Command::Read { va, size, user, .. } => {
            format!("{} loads {} at {}", who(*user), bytes(size.bytes()), address("GVA", va.0))
        }
        Command::Poke { pa, val, size } => {
            format!("guest stores {} at {}{}", hex(val.0), address("GPA", pa.0), unless_word(size.bytes()))
        }
        Command::Dma { pa, val, size } => {
            format!("device stores {} at {}{}", hex(val.0), address("GPA", pa.0), unless_word(size.bytes()))
        }
        Command::MovCr0 { val, compat } => format!("MOV CR0, {}{}", hex(val.0), in_compat(*compat)),
        Command::MovCr3 { val, compat } => format!("MOV CR3, {}{}", hex(val.0), in_compat(*compat)),
        Command::MovCr4 { val, compat } => format!("MOV CR4, {}{}", hex(val.0), in_compat(*compat)),
        Command::WrmsrEfer { val, .. } => format!("WRMSR EFER, {}", hex(val.0)),
        Command::Wrpkru { val } => format!("WRPKRU {}", hex(val.0)),
        Command::Invlpg { va } => format!("INVLPG {}", address("GVA", va.0)),
        Command::Invpcid { kind, pcid, va } => {
            format!("INVPCID type {}, PCID {}, {}", kind.0, hex(pcid.0), address("GVA", va.0))
        }
        Command::SetSregs { cr0, cr3, cr4, efer } => {
            format!("userspace sets CR0 {}, CR3 {}, CR4 {}, EFER {}", hex(cr0.0), hex(cr3.0), hex(cr4.0), hex(efer.0))
        }
        Command::Memslot { gpa, size, action } => {
            let size = if *action == SlotAction::Add { format!(", {} bytes", hex(size.0)) } else { String::new() };
            format!("userspace {} at {}{size}", slot_action(*action), address("GPA", gpa.0))
        }
        Command::DirtyLog { gpa } => format!("userspace fetches the dirty log of {}", address("GPA", gpa.0)),
        Command::Map { va, pa, size, flags } => {
            let size = match size {
                MapSize::Kib4 => "4 KiB",
                MapSize::Mib2 => "2 MiB",
                MapSize::Mib4 => "4 MiB",
                MapSize::Gib1 => "1 GiB",
            };
            let flags = entry_flags(*flags, true);
            format!("map {size} {} → {} {flags}", address("GVA", va.0), address("GPA", pa.0)).trim_end().to_owned()
        }
    }
}

/// The exception's name with its number sign.
#[must_use]
pub const fn vector_label(vector: Vector) -> &'static str {
    match vector {
        Vector::PageFault => "#PF",
        Vector::GeneralProtection => "#GP",
        Vector::StackFault => "#SS",
    }
}

/// The names of an error code's bits, `P W U`, or `none`.
#[must_use]
pub fn error_code_bits(code: u64) -> String {
    let code = PfErr::from_bits_truncate(code as u32);
    let names: Vec<&str> = PfErr::NAMES.iter().filter(|(_, bit)| code.contains(*bit)).map(|(name, _)| *name).collect();
    if names.is_empty() { "none".to_owned() } else { names.join(" ") }
}

fn fault_text(vector: Vector, err: u64, cr2: Option<u64>, why: &FaultWhy) -> String {
    let facts = fault_why(why);
    match (vector, cr2) {
        (Vector::PageFault, Some(cr2)) => {
            format!("error code {err:#x} ({})  CR2 {}  {facts}", error_code_bits(err), hex(cr2))
        }
        _ => format!("error code 0  {facts}"),
    }
}

/// What ended an access, in words.
#[must_use]
pub fn fault_why(why: &FaultWhy) -> String {
    match why {
        FaultWhy::NotPresent { level } => format!("{} is not present", Mode::entry_name(Level(*level))),
        FaultWhy::Reserved { level, bits } => {
            format!("{} has reserved {} set", Mode::entry_name(Level(*level)), bit_list(bits.0))
        }
        FaultWhy::Rights { broken } => broken.names().map(violation).collect::<Vec<_>>().join("; "),
        FaultWhy::NonCanonical { width } => format!("the address is not canonical at {width} bits"),
    }
}

fn violation(name: &str) -> &'static str {
    match name {
        "write" => "the path does not allow writes (R/W = 0)",
        "user" => "the page is a supervisor page (U/S = 0)",
        "execute" => "the path forbids execution (XD = 1)",
        "smep" => "SMEP: the kernel must not execute user pages",
        "smap" => "SMAP: the kernel must not touch user pages without AC",
        "key_access" => "PKRU denies access to the page's key",
        _ => "PKRU denies writes to the page's key",
    }
}

fn entry_at(level: u8, index: usize) -> String {
    format!("{}[{index}]", Mode::entry_name(Level(level)))
}

fn changed_entry(level: u8, gpa: u64, old: u64, new: u64) -> String {
    format!("{:<11} {:<22} {} → {}", Mode::entry_name(Level(level)), address("GPA", gpa), hex(old), hex(new))
}

fn pdpte_load(old: &[u64; 4], new: &[u64; 4]) -> String {
    let one = |i: usize| {
        let mark = if old[i] == new[i] { "" } else { "*" };
        format!("{i}: {}{mark}", hex(new[i]))
    };
    let changed = if old == new { "unchanged" } else { "* changed" };
    format!("loaded  {}  {changed}", [0, 1, 2, 3].map(one).join("  "))
}

fn mapping(page: u64, frame: u64, bytes: u64) -> String {
    format!("{} → {}  {}", address("GVA", page), hex(frame), page_size(bytes))
}

fn flush(scope: FlushScope, cause: FlushCause, removed: usize) -> String {
    let scope = match scope {
        FlushScope::Page => "this page, and the structure caches of the PCID",
        FlushScope::PageOfPcid => "one page of one PCID",
        FlushScope::Pcid => "one PCID, global pages kept",
        FlushScope::PcidAndGlobal => "one PCID and global pages",
        FlushScope::AllPcids => "every PCID, global pages kept",
        FlushScope::Everything => "everything",
    };
    let cause = match cause {
        FlushCause::MovCr0 => "MOV CR0",
        FlushCause::MovCr3 => "MOV CR3",
        FlushCause::MovCr4 => "MOV CR4",
        FlushCause::Invlpg => "INVLPG",
        FlushCause::Invpcid => "INVPCID",
        FlushCause::PageFault => "page fault",
        FlushCause::SetSregs => "userspace",
        FlushCause::WriteProtect => "write protection",
        FlushCause::Zap => "zap",
        FlushCause::Sync => "sync",
        FlushCause::DirtyLog => "dirty log",
        FlushCause::RootChange => "new root",
    };
    let gone = match removed {
        0 => "nothing was cached".to_owned(),
        1 => "1 entry gone".to_owned(),
        n => format!("{n} entries gone"),
    };
    format!("{cause}: {scope}  {gone}")
}

const fn slot_action(action: SlotAction) -> &'static str {
    match action {
        SlotAction::Add => "adds memory",
        SlotAction::Remove => "removes the slot",
        SlotAction::Log => "logs writes to the slot",
    }
}

fn bytes(size: u32) -> String {
    if size == 1 { "1 byte".to_owned() } else { format!("{size} bytes") }
}

fn unless_word(size: u32) -> String {
    if size == 8 { String::new() } else { format!(", {}", bytes(size)) }
}

const fn in_compat(compat: bool) -> &'static str {
    if compat { " in compatibility mode" } else { "" }
}
