//! Facts into sentences: events, commands and refusals in words, for the terminal, the log and Why.
//!
//! Everything is built from templates over recorded facts, in every language; nothing here computes
//! what an event could have said.

mod format;
mod log;
mod refusal;
mod why;

pub use format::{address, bit_list, count, entry_flags, hex, hex_digits, mode, padded, page_size};
pub use refusal::{refusal, refused};
pub use why::{
    Cause, Depth, Fix, Question, Since, Target, Why, fixes, last_change, reading_order, sentence, title, why, why_spte,
};

use crate::arch::fault::{PfErr, Vector};
use crate::arch::mode::Mode;
use crate::arch::{AccessKind, Level};
use crate::engine::EngineName;
use crate::language::Language;
use crate::machine::command::{MapSize, SlotAction};
use crate::machine::event::{EntrySource, ExitReason, FaultWhy, FlushCause, FlushScope, SpteWhy, StoreBy};
use crate::machine::role::Role;
use crate::machine::{Command, Event};
use crate::tr;

/// An event in words: a short label and the facts behind it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// One or two words: `walk`, `TLB hit`, `#PF`.
    pub label: &'static str,
    /// The rest of the line, columns separated by two spaces.
    pub text: String,
}

/// An event in words; `engine` is the one under which it happened.
#[must_use]
pub fn event(event: &Event, engine: EngineName, language: Language) -> Line {
    let l = language;
    let (label, text) = match event {
        Event::WalkRead { level, from, index, gpa, value } => {
            let name = entry_at(*level, *index);
            let place = match from {
                EntrySource::Memory => address("GPA", gpa.0),
                EntrySource::PdpteRegister => tr!(l, "register").to_owned(),
            };
            (tr!(l, "walk"), format!("{name:<11} {} {}", padded(&place, 22), hex(value.0)))
        }
        Event::SetAccessed { level, gpa, old, new } => (tr!(l, "set A"), changed_entry(*level, gpa.0, old.0, new.0)),
        Event::SetDirty { level, gpa, old, new } => (tr!(l, "set D"), changed_entry(*level, gpa.0, old.0, new.0)),
        Event::Translated { va, gpa, hpa, page_size: bytes } => {
            let page = match *bytes {
                0 => tr!(l, "paging off").to_owned(),
                bytes => tr!(l, "{size} page", size = page_size(bytes)),
            };
            let host = if hpa.0 == gpa.0 { String::new() } else { format!("  {}", address("HPA", hpa.0)) };
            (tr!(l, "reaches"), format!("{} → {}{host}  {page}", address("GVA", va.0), address("GPA", gpa.0)))
        }
        Event::Fault { vector, err, cr2, why } => {
            (vector_label(*vector), fault_text(*vector, err.0, cr2.map(|a| a.0), why, l))
        }
        Event::Refused { why } => (tr!(l, "refused"), refused(why, l)),
        Event::Register { name, old, new } if old == new => (name.name(), tr!(l, "{value} again", value = hex(new.0))),
        Event::Register { name, old, new } => (name.name(), format!("{} → {}", hex(old.0), hex(new.0))),
        Event::PdpteLoad { old, new, .. } => (tr!(l, "PDPTEs"), pdpte_load(old, new, l)),
        Event::PdpteReject { index, bits, .. } => {
            let bits = bit_list(bits.0, l);
            let text =
                tr!(l, "not loaded: entry {index} in memory has reserved {bits} set", index = index, bits = bits);
            (tr!(l, "PDPTEs"), text)
        }
        Event::TlbHit { page, frame, page_size: bytes, .. } => (tr!(l, "TLB hit"), mapping(page.0, frame.0, *bytes)),
        Event::TlbFill { page, frame, page_size: bytes, global } => {
            let global = if *global { format!("  {}", tr!(l, "global")) } else { String::new() };
            (tr!(l, "TLB fill"), mapping(page.0, frame.0, *bytes) + &global)
        }
        Event::TlbFlush { scope, removed, cause } => (tr!(l, "TLB flush"), flush(*scope, *cause, *removed, l)),
        Event::PscHit { level, table } => {
            let (name, table) = (Mode::entry_name(Level(*level)), address("GPA", table.0));
            (tr!(l, "cache hit"), tr!(l, "{entry} prefix, on to the table at {table}", entry = name, table = table))
        }
        Event::Store { gpa, size, old, new, by } => {
            let label = match by {
                StoreBy::Guest => tr!(l, "store"),
                StoreBy::Device => "DMA",
            };
            (label, format!("{}  {} → {}  {}", address("GPA", gpa.0), hex(old.0), hex(new.0), bytes(*size, l)))
        }
        Event::Load { gpa, size, value } => {
            (tr!(l, "load"), format!("{}  {}  {}", address("GPA", gpa.0), hex(value.0), bytes(*size, l)))
        }
        Event::Memslot { gpa, action } => {
            (tr!(l, "memslot"), format!("{} {}", slot_action(*action, l), address("GPA", gpa.0)))
        }
        Event::DirtyLog { gpa, frames } => {
            let list: Vec<String> = frames.iter().map(|gfn| format!("{:#x}", gfn.0)).collect();
            let list = match list.is_empty() {
                true => tr!(l, "nothing written").to_owned(),
                false => format!("gfn {}", list.join(tr!(l, ", "))),
            };
            (tr!(l, "dirty log"), format!("{}  {list}", address("GPA", gpa.0)))
        }
        Event::ShadowRead { level, index, hpa, value } => {
            let name = format!("spte L{level}[{index}]");
            (tr!(l, "hw walk"), format!("{name:<11} {:<22} {}", address("HPA", hpa.0), hex(value.0)))
        }
        Event::VmExit { reason } => (tr!(l, "VM exit"), exit_reason(*reason, engine, l).to_owned()),
        Event::Inject => (tr!(l, "inject"), tr!(l, "the guest gets its exception").to_owned()),
        Event::SpteSet { gfn, level, index, old, new, why } => {
            ("spte", spte((gfn.0, *level, *index), old.0, new.0, *why, l))
        }
        Event::SpteClear { gfn, level, index, old, why } => ("spte", spte((gfn.0, *level, *index), old.0, 0, *why, l)),
        Event::NestedRead { level, index, hpa, value, .. } => {
            let name = tr!(l, "nested L{level}[{index}]", level = level, index = index);
            let name = padded(&name, 15);
            (tr!(l, "hw walk"), format!("{name} {:<18} {}", address("HPA", hpa.0), hex(value.0)))
        }
        Event::AuditFailed { invariant, witness } => {
            (tr!(l, "AUDIT"), tr!(l, "{invariant} is broken: {witness}", invariant = invariant, witness = witness))
        }
        other => hypervisor_event(other, l),
    };
    Line { label, text }
}

/// What the hypervisor does with its own tables.
fn hypervisor_event(event: &Event, l: Language) -> (&'static str, String) {
    match event {
        Event::ShadowNew { gfn, role } => {
            (tr!(l, "shadow"), tr!(l, "new page for {page}", page = shadow_page(gfn.0, role, l)))
        }
        Event::ShadowHit { gfn, role } => {
            (tr!(l, "shadow"), tr!(l, "found again: {page}", page = shadow_page(gfn.0, role, l)))
        }
        Event::ShadowZap { gfn, role } => {
            (tr!(l, "shadow"), tr!(l, "zapped: {page}", page = shadow_page(gfn.0, role, l)))
        }
        Event::ShadowPin { gfn, role } => {
            (tr!(l, "shadow"), tr!(l, "now a root: {page}", page = shadow_page(gfn.0, role, l)))
        }
        Event::ShadowUnpin { gfn, role } => {
            (tr!(l, "shadow"), tr!(l, "no root any more: {page}", page = shadow_page(gfn.0, role, l)))
        }
        Event::WriteProtect { gfn } => {
            (tr!(l, "protect"), tr!(l, "{gfn} loses W in every mapping", gfn = frame("gfn", gfn.0)))
        }
        Event::WriteUnprotect { gfn } => {
            (tr!(l, "unprotect"), tr!(l, "{gfn} is no page table any more", gfn = frame("gfn", gfn.0)))
        }
        Event::RmapAdd { hfn } => ("rmap", tr!(l, "{hfn} gains a mapping", hfn = frame("hfn", hfn.0))),
        Event::RmapRemove { hfn } => ("rmap", tr!(l, "{hfn} loses a mapping", hfn = frame("hfn", hfn.0))),
        Event::Emulate { gpa, size } => {
            let (size, at) = (bytes(*size, l), address("GPA", gpa.0));
            (tr!(l, "emulate"), tr!(l, "a store of {size} at {address}", size = size, address = at))
        }
        Event::Flood { gfn } => {
            let gfn = frame("gfn", gfn.0);
            (tr!(l, "flood"), tr!(l, "{gfn} is written too often for a page table", gfn = gfn))
        }
        Event::Unsync { gfn } => {
            (tr!(l, "unsync"), tr!(l, "the guest may write {gfn} unseen", gfn = frame("gfn", gfn.0)))
        }
        Event::Sync { gfn } => (tr!(l, "sync"), tr!(l, "the shadow of {gfn} is up to date", gfn = frame("gfn", gfn.0))),
        Event::Reclaim => (tr!(l, "reclaim"), tr!(l, "room is made for shadow pages").to_owned()),
        // `event` says all others.
        other => (other.name(), String::new()),
    }
}

/// `gfn 0x10`: a frame by its number.
fn frame(tag: &str, number: u64) -> String {
    format!("{tag} {number:#x}")
}

/// A shadow entry that changed: the frame, level and index that it stands for.
fn spte((gfn, level, index): (u64, u8, usize), old: u64, new: u64, why: SpteWhy, l: Language) -> String {
    let place = tr!(l, "L{level} of {gfn} [{index}]", level = level, gfn = frame("gfn", gfn), index = index);
    format!("{place}  {} → {}  {}", hex(old), hex(new), spte_why(why, l))
}

/// What an exit is called: in two dimensions it is not the guest's page fault that exits, but a missing entry
/// of the second (SDM 3C 28.2.3, APM 2 15.25).
fn exit_reason(reason: ExitReason, engine: EngineName, l: Language) -> &'static str {
    match (reason, engine) {
        (ExitReason::PageFault, EngineName::Ept) => tr!(l, "EPT violation"),
        (ExitReason::PageFault, EngineName::Npt) => tr!(l, "nested page fault"),
        (ExitReason::PageFault, _) => tr!(l, "page fault"),
        (ExitReason::EmulatedWrite, _) => tr!(l, "store to a protected page"),
        (ExitReason::CrAccess, _) => tr!(l, "control register or EFER"),
        (ExitReason::Invlpg, _) => "INVLPG",
        (ExitReason::Mmio, _) => tr!(l, "no memory there"),
    }
}

fn shadow_page(gfn: u64, role: &Role, l: Language) -> String {
    let access = [(role.access.user, 'u'), (role.access.write, 'w'), (role.access.exec, 'x')];
    let access: String = access.iter().map(|(set, c)| if *set { *c } else { '-' }).collect();
    let mut parts = vec![frame("gfn", gfn), tr!(l, "level {level}", level = role.level)];
    if role.glevels == 2 {
        parts.push(tr!(l, "quadrant {quadrant}", quadrant = role.quadrant));
    }
    if role.direct {
        parts.push(tr!(l, "direct").to_owned());
    }
    parts.push(tr!(l, "access {rights}", rights = access));
    parts.join(" ")
}

fn spte_why(why: SpteWhy, l: Language) -> &'static str {
    match why {
        SpteWhy::Table => tr!(l, "table linked"),
        SpteWhy::Fill => tr!(l, "filled from the guest entry"),
        SpteWhy::Write => tr!(l, "for a write"),
        SpteWhy::Read => tr!(l, "for a read"),
        SpteWhy::WriteProtect => tr!(l, "write-protected"),
        SpteWhy::Zap => tr!(l, "zapped"),
        SpteWhy::Replaced => tr!(l, "another table belongs there"),
        SpteWhy::Sync => tr!(l, "brought up to date"),
        SpteWhy::Prefetch => tr!(l, "prefetched"),
        SpteWhy::Mmio => tr!(l, "no memory there"),
        SpteWhy::Invlpg => "INVLPG",
        SpteWhy::DirtyLog => tr!(l, "dirty log"),
    }
}

/// An access without its address: `user read`.
#[must_use]
pub fn access_words(kind: AccessKind, user: bool, l: Language) -> &'static str {
    match (user, kind) {
        (true, AccessKind::Read) => tr!(l, "user read"),
        (true, AccessKind::Write) => tr!(l, "user write"),
        (true, AccessKind::Fetch) => tr!(l, "user fetch"),
        (false, AccessKind::Read) => tr!(l, "kernel read"),
        (false, AccessKind::Write) => tr!(l, "kernel write"),
        (false, AccessKind::Fetch) => tr!(l, "kernel fetch"),
    }
}

/// A command in words, as an assembly programmer would name it.
#[must_use]
pub fn command(command: &Command, language: Language) -> String {
    let l = language;
    match command {
        Command::Access { va, kind, user, ac, stack } => {
            let mut text = format!("{} {}", access_words(*kind, *user, l), address("GVA", va.0));
            if *ac {
                text.push_str(tr!(l, " with AC"));
            }
            if *stack {
                text.push_str(tr!(l, " through SS"));
            }
            text
        }
        Command::Write { va, val, size, user, .. } => {
            let (value, place, size) = (hex(val.0), address("GVA", va.0), bytes(size.bytes(), l));
            match user {
                true => tr!(l, "user stores {value} at {place}, {size}", value = value, place = place, size = size),
                false => tr!(l, "kernel stores {value} at {place}, {size}", value = value, place = place, size = size),
            }
        }
        Command::Read { va, size, user, .. } => {
            let (place, size) = (address("GVA", va.0), bytes(size.bytes(), l));
            match user {
                true => tr!(l, "user loads {size} at {place}", size = size, place = place),
                false => tr!(l, "kernel loads {size} at {place}", size = size, place = place),
            }
        }
        Command::Poke { pa, val, size } => {
            let (value, place) = (hex(val.0), address("GPA", pa.0));
            tr!(l, "guest stores {value} at {place}", value = value, place = place) + &unless_word(size.bytes(), l)
        }
        Command::Dma { pa, val, size } => {
            let (value, place) = (hex(val.0), address("GPA", pa.0));
            tr!(l, "device stores {value} at {place}", value = value, place = place) + &unless_word(size.bytes(), l)
        }
        Command::MovCr0 { val, compat } => format!("MOV CR0, {}{}", hex(val.0), in_compat(*compat, l)),
        Command::MovCr3 { val, compat } => format!("MOV CR3, {}{}", hex(val.0), in_compat(*compat, l)),
        Command::MovCr4 { val, compat } => format!("MOV CR4, {}{}", hex(val.0), in_compat(*compat, l)),
        Command::WrmsrEfer { val, .. } => format!("WRMSR EFER, {}", hex(val.0)),
        Command::Wrpkru { val } => format!("WRPKRU {}", hex(val.0)),
        Command::Invlpg { va } => format!("INVLPG {}", address("GVA", va.0)),
        Command::Invpcid { kind, pcid, va } => {
            let (pcid, place) = (hex(pcid.0), address("GVA", va.0));
            tr!(l, "INVPCID type {kind}, PCID {pcid}, {place}", kind = kind.0, pcid = pcid, place = place)
        }
        Command::SetSregs { cr0, cr3, cr4, efer } => {
            let regs = [("CR0", cr0), ("CR3", cr3), ("CR4", cr4), ("EFER", efer)];
            let regs = regs.map(|(name, value)| format!("{name} {}", hex(value.0))).join(tr!(l, ", "));
            tr!(l, "userspace sets {registers}", registers = regs)
        }
        Command::Memslot { gpa, size, action } => {
            let mut text = tr!(
                l,
                "userspace: {action} at {place}",
                action = slot_action(*action, l),
                place = address("GPA", gpa.0)
            );
            if *action == SlotAction::Add {
                text.push_str(&tr!(l, ", {size}", size = tr!(l, "{count} bytes", count = hex(size.0))));
            }
            text
        }
        Command::DirtyLog { gpa } => {
            tr!(l, "userspace fetches the dirty log of {place}", place = address("GPA", gpa.0))
        }
        Command::Map { va, pa, size, flags } => {
            let size = match size {
                MapSize::Kib4 => "4 KiB",
                MapSize::Mib2 => "2 MiB",
                MapSize::Mib4 => "4 MiB",
                MapSize::Gib1 => "1 GiB",
            };
            let way = format!("{} → {}", address("GVA", va.0), address("GPA", pa.0));
            format!("{} {}", tr!(l, "map {size} {way}", size = size, way = way), entry_flags(*flags, true))
                .trim_end()
                .to_owned()
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
pub fn error_code_bits(code: u64, language: Language) -> String {
    let code = PfErr::from_bits_truncate(code as u32);
    let names: Vec<&str> = PfErr::NAMES.iter().filter(|(_, bit)| code.contains(*bit)).map(|(name, _)| *name).collect();
    if names.is_empty() { tr!(language, "none").to_owned() } else { names.join(" ") }
}

fn fault_text(vector: Vector, err: u64, cr2: Option<u64>, why: &FaultWhy, l: Language) -> String {
    let facts = fault_why(why, l);
    match (vector, cr2) {
        (Vector::PageFault, Some(cr2)) => {
            let (code, bits) = (format!("{err:#x}"), error_code_bits(err, l));
            let code = tr!(l, "error code {code} ({bits})", code = code, bits = bits);
            format!("{code}  CR2 {}  {facts}", hex(cr2))
        }
        _ => format!("{}  {facts}", tr!(l, "error code 0")),
    }
}

/// What ended an access, in words.
#[must_use]
pub fn fault_why(why: &FaultWhy, language: Language) -> String {
    let l = language;
    match why {
        FaultWhy::NotPresent { level } => tr!(l, "{entry} is not present", entry = Mode::entry_name(Level(*level))),
        FaultWhy::Reserved { level, bits } => {
            let (entry, bits) = (Mode::entry_name(Level(*level)), bit_list(bits.0, l));
            tr!(l, "{entry} has reserved {bits} set", entry = entry, bits = bits)
        }
        FaultWhy::Rights { broken } => {
            broken.names().map(|name| violation(name, l)).collect::<Vec<_>>().join(tr!(l, "; "))
        }
        FaultWhy::NonCanonical { width } => tr!(l, "the address is not canonical at {width} bits", width = width),
    }
}

fn violation(name: &str, l: Language) -> &'static str {
    match name {
        "write" => tr!(l, "the path does not allow writes (R/W = 0)"),
        "user" => tr!(l, "the page is a supervisor page (U/S = 0)"),
        "execute" => tr!(l, "the path forbids execution (XD = 1)"),
        "smep" => tr!(l, "SMEP: the kernel must not execute user pages"),
        "smap" => tr!(l, "SMAP: the kernel must not touch user pages without AC"),
        "key_access" => tr!(l, "PKRU denies access to the page's key"),
        _ => tr!(l, "PKRU denies writes to the page's key"),
    }
}

fn entry_at(level: u8, index: usize) -> String {
    format!("{}[{index}]", Mode::entry_name(Level(level)))
}

fn changed_entry(level: u8, gpa: u64, old: u64, new: u64) -> String {
    format!("{:<11} {:<22} {} → {}", Mode::entry_name(Level(level)), address("GPA", gpa), hex(old), hex(new))
}

fn pdpte_load(old: &[u64; 4], new: &[u64; 4], l: Language) -> String {
    let one = |i: usize| {
        let mark = if old[i] == new[i] { "" } else { "*" };
        format!("{i}: {}{mark}", hex(new[i]))
    };
    let changed = if old == new { tr!(l, "unchanged") } else { tr!(l, "* changed") };
    format!("{}  {}  {changed}", tr!(l, "loaded"), [0, 1, 2, 3].map(one).join("  "))
}

fn mapping(page: u64, frame: u64, bytes: u64) -> String {
    format!("{} → {}  {}", address("GVA", page), hex(frame), page_size(bytes))
}

fn flush(scope: FlushScope, cause: FlushCause, removed: usize, l: Language) -> String {
    let scope = match scope {
        FlushScope::Page => tr!(l, "this page, and the structure caches of the PCID"),
        FlushScope::PageOfPcid => tr!(l, "one page of one PCID"),
        FlushScope::Pcid => tr!(l, "one PCID, global pages kept"),
        FlushScope::PcidAndGlobal => tr!(l, "one PCID and global pages"),
        FlushScope::AllPcids => tr!(l, "every PCID, global pages kept"),
        FlushScope::Everything => tr!(l, "everything"),
    };
    let cause = match cause {
        FlushCause::MovCr0 => "MOV CR0",
        FlushCause::MovCr3 => "MOV CR3",
        FlushCause::MovCr4 => "MOV CR4",
        FlushCause::Invlpg => "INVLPG",
        FlushCause::Invpcid => "INVPCID",
        FlushCause::PageFault => tr!(l, "page fault"),
        FlushCause::SetSregs => tr!(l, "userspace"),
        FlushCause::WriteProtect => tr!(l, "write protection"),
        FlushCause::Zap => tr!(l, "zap"),
        FlushCause::Sync => tr!(l, "sync"),
        FlushCause::DirtyLog => tr!(l, "dirty log"),
        FlushCause::RootChange => tr!(l, "new root"),
    };
    let gone = match removed {
        0 => tr!(l, "nothing was cached").to_owned(),
        1 => tr!(l, "1 entry gone").to_owned(),
        count => tr!(l, "{count} entries gone", count = count),
    };
    format!("{}  {gone}", tr!(l, "{cause}: {scope}", cause = cause, scope = scope))
}

fn slot_action(action: SlotAction, l: Language) -> &'static str {
    match action {
        SlotAction::Add => tr!(l, "adds memory"),
        SlotAction::Remove => tr!(l, "removes the slot"),
        SlotAction::Log => tr!(l, "logs writes to the slot"),
    }
}

fn bytes(size: u32, l: Language) -> String {
    if size == 1 { tr!(l, "1 byte").to_owned() } else { tr!(l, "{count} bytes", count = size) }
}

fn unless_word(size: u32, l: Language) -> String {
    if size == 8 { String::new() } else { tr!(l, ", {size}", size = bytes(size, l)) }
}

fn in_compat(compat: bool, l: Language) -> &'static str {
    if compat { tr!(l, " in compatibility mode") } else { "" }
}
