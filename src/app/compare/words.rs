//! Rows into words.

use super::deeds::{Data, Deed, FaultKind, From, Tlb, Walk, Walker};
use crate::arch::{Gfn, Gpa, Level, Mode};
use crate::explain;
use crate::language::Language;
use crate::machine::event::{EntrySource, ExitReason, FlushCause, FlushScope, SpteWhy, StoreBy};
use crate::{tr, word};

/// What a row says, and beside it what it is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Words {
    /// What was done.
    pub main: String,
    /// Where, or how often; often empty.
    pub beside: String,
}

impl Words {
    /// Words with nothing beside them.
    pub fn of(main: impl Into<String>) -> Self {
        Self { main: main.into(), beside: String::new() }
    }

    fn beside(main: impl Into<String>, beside: impl Into<String>) -> Self {
        Self { main: main.into(), beside: beside.into() }
    }
}

/// A deed in words.
#[must_use]
pub fn deed(language: Language, deed: &Deed) -> Words {
    let tr = |english| Words::of(language.tr(english));
    match deed {
        Deed::Walk(of) => walk(language, of),
        Deed::ShadowWalk { level, missing: true, .. } => {
            let beside = tr!(language, "level {level}", level = level);
            Words::beside(tr!(language, "shadow walk finds no entry"), beside)
        }
        Deed::ShadowWalk { reads, .. } => Words::beside(tr!(language, "shadow walk"), reads_of(language, *reads)),
        Deed::Marks { accessed, dirty } => Words::of(marks(language, *accessed, *dirty)),
        Deed::Exit { reason, kind } => tr(exit(*reason, *kind)),
        Deed::Inject => tr(word!("hands the exception to the guest")),
        Deed::Page { gfn, level, found, root, protected } => {
            let main = if *found {
                tr!(language, "finds the shadow of gfn {gfn}, level {level}", gfn = frame(*gfn), level = level)
            } else {
                tr!(language, "new shadow of gfn {gfn}, level {level}", gfn = frame(*gfn), level = level)
            };
            let beside = match (root, protected) {
                (true, _) => tr!(language, "a root"),
                (false, true) => tr!(language, "write-protects it"),
                (false, false) => "",
            };
            Words::beside(main, beside)
        }
        Deed::Zap { gfn, level, root, pinned } => {
            let main = tr!(language, "zaps the shadow of gfn {gfn}, level {level}", gfn = frame(*gfn), level = level);
            let beside = match (root, pinned) {
                (true, _) => tr!(language, "was a root"),
                (false, true) => tr!(language, "pinned, stays"),
                (false, false) => "",
            };
            Words::beside(main, beside)
        }
        Deed::Root { gfn, level, on: true } => {
            let main = tr!(language, "gfn {gfn}, level {level}, becomes a root", gfn = frame(*gfn), level = level);
            Words::of(main)
        }
        Deed::Root { gfn, level, on: false } => {
            let main = tr!(language, "gfn {gfn}, level {level}, is no root any more", gfn = frame(*gfn), level = level);
            Words::of(main)
        }
        Deed::Entries { why, cleared, count } => {
            let beside = if *count > 1 { format!("× {count}") } else { String::new() };
            Words::beside(language.tr(entries(*why, *cleared)), beside)
        }
        Deed::WriteProtect(gfn) => Words::of(tr!(language, "write-protects gfn {gfn}", gfn = frame(*gfn))),
        Deed::WriteUnprotect(gfn) => Words::of(tr!(language, "gfn {gfn} is writable again", gfn = frame(*gfn))),
        Deed::Emulate { gpa } => Words::beside(tr!(language, "emulates the store"), place(*gpa)),
        Deed::Flood(gfn) => Words::of(tr!(language, "flood: gfn {gfn} is written like data", gfn = frame(*gfn))),
        Deed::Unsync(gfn) => Words::of(tr!(language, "gfn {gfn} goes out of sync", gfn = frame(*gfn))),
        Deed::Sync(gfn) => Words::of(tr!(language, "gfn {gfn} is in sync again", gfn = frame(*gfn))),
        Deed::Reclaim => tr(word!("makes room for shadow pages")),
        Deed::Flush { scope, cause } => {
            let main = tr!(language, "TLB flush: {scope}", scope = language.tr(flushed(*scope)));
            Words::beside(main, language.tr(flush_cause(*cause)))
        }
        other => ending(language, other),
    }
}

/// How a command ended, and what it did to registers.
fn ending(language: Language, deed: &Deed) -> Words {
    match deed {
        Deed::Register { name, value } => Words::of(format!("{} = {}", name.name(), explain::hex(value.0))),
        Deed::Pdptes { changed } => {
            let beside = match changed {
                0 => tr!(language, "unchanged").to_owned(),
                n => tr!(language, "{n} changed", n = n),
            };
            Words::beside(tr!(language, "loads the PDPTE registers"), beside)
        }
        Deed::PdpteReject { index, bits } => {
            Words::beside(tr!(language, "refuses PDPTE {index}", index = index), explain::bit_list(bits.0, language))
        }
        Deed::Reach { tlb, gpa, data } => {
            let beside = match data {
                Data::Load(value) => format!("{} = {}", place(*gpa), explain::hex(value.0)),
                _ => place(*gpa),
            };
            Words::beside(language.tr(arrival(*tlb, *data)), beside)
        }
        Deed::Stores { by, gpa, count } => {
            let main = match by {
                StoreBy::Guest => tr!(language, "native store"),
                StoreBy::Device => tr!(language, "the device stores"),
            };
            let times = if *count > 1 { format!("× {count}, ") } else { String::new() };
            Words::beside(main, format!("{times}{}", place(*gpa)))
        }
        Deed::Fault { vector, err, why } => {
            let main = tr!(
                language,
                "{vector}, error code {code}",
                vector = explain::vector_label(*vector),
                code = explain::hex(err.0)
            );
            Words::beside(main, explain::fault_why(why, language))
        }
        Deed::Refused(why) => Words::of(explain::refused(why, language)),
        Deed::Memslot { gpa, .. } => Words::beside(tr!(language, "the memory slots change"), place(*gpa)),
        Deed::DirtyLog { frames } => {
            let list: Vec<String> = frames.iter().map(|gfn| frame(*gfn)).collect();
            let list = if list.is_empty() { tr!(language, "empty").to_owned() } else { list.join(tr!(language, ", ")) };
            Words::beside(tr!(language, "dirty log"), list)
        }
        Deed::Audit(invariant) => Words::of(tr!(language, "invariant {name} is broken", name = invariant)),
        _ => Words::of(""),
    }
}

fn frame(gfn: Gfn) -> String {
    format!("{:#x}", gfn.0)
}

fn place(gpa: Gpa) -> String {
    explain::address("GPA", gpa.0)
}

fn walk(language: Language, walk: &Walk) -> Words {
    let mut main = language.tr(walk_from(walk)).to_owned();
    if walk.accessed + walk.dirty > 0 {
        main += language.tr(word!(", "));
        main += marks(language, walk.accessed, walk.dirty);
    }
    let reads = match walk.nested {
        0 => reads_of(language, walk.reads),
        nested => tr!(language, "{reads} + {nested} nested", reads = walk.reads, nested = nested),
    };
    let ends = match walk.end {
        _ if walk.nested_missing => tr!(language, "nested entry missing").to_owned(),
        Some(end) => {
            let entry = format!("{} {}", Mode::entry_name(Level(end.level)), explain::hex(end.gpa.0));
            if end.present { entry } else { tr!(language, "{entry}: P = 0", entry = entry) }
        }
        None => return Words::beside(main, reads),
    };
    Words::beside(main, format!("{reads} · {ends}"))
}

fn reads_of(language: Language, reads: u32) -> String {
    match reads {
        1 => tr!(language, "1 read").to_owned(),
        reads => tr!(language, "{reads} reads", reads = reads),
    }
}

const fn walk_from(walk: &Walk) -> &'static str {
    match (walk.by, walk.from) {
        (Walker::Hardware, From::Root) => word!("walk"),
        (Walker::Hardware, From::Pdpte(EntrySource::PdpteRegister)) => word!("walk from the PDPTE register"),
        (Walker::Hardware, From::Pdpte(EntrySource::Memory)) => word!("walk from the PDPTE in memory"),
        (Walker::Hardware, From::Cached) => word!("walk below a cached prefix"),
        (Walker::Kvm, From::Root) => word!("KVM walks the guest's tables"),
        (Walker::Kvm, From::Pdpte(EntrySource::PdpteRegister)) => word!("KVM walks from the PDPTE register"),
        (Walker::Kvm, From::Pdpte(EntrySource::Memory)) => word!("KVM walks from the PDPTE in memory"),
        (Walker::Kvm, From::Cached) => word!("KVM walks below a cached prefix"),
    }
}

fn marks(language: Language, accessed: u32, dirty: u32) -> &'static str {
    match (accessed, dirty) {
        (_, 0) => tr!(language, "sets A"),
        (0, _) => tr!(language, "sets D"),
        _ => tr!(language, "sets A and D"),
    }
}

const fn exit(reason: ExitReason, kind: Option<FaultKind>) -> &'static str {
    match (reason, kind) {
        (_, Some(FaultKind::Missing)) => word!("page fault: no shadow entry"),
        (_, Some(FaultKind::Denied)) => word!("page fault: shadow entry denies it"),
        (_, Some(FaultKind::Guest)) => word!("page fault: the guest's own"),
        (_, Some(FaultKind::Nested)) => word!("nested fault: maps the frame"),
        (ExitReason::PageFault, None) => word!("page fault"),
        (ExitReason::EmulatedWrite, None) => word!("page fault: page is write-protected"),
        (ExitReason::CrAccess, None) => word!("exit: control register"),
        (ExitReason::Invlpg, None) => word!("exit: INVLPG"),
        (ExitReason::Mmio, None) => word!("exit: no memory there"),
    }
}

const fn entries(why: SpteWhy, cleared: bool) -> &'static str {
    match why {
        SpteWhy::Table => word!("links a shadow table"),
        SpteWhy::Fill => word!("fills the shadow entry"),
        SpteWhy::Write if cleared => word!("clears the shadow entry: its guest entry was written"),
        SpteWhy::Write => word!("makes the shadow entry writable"),
        SpteWhy::Read => word!("makes the shadow entry readable"),
        SpteWhy::WriteProtect => word!("takes W from the shadow entry"),
        SpteWhy::Zap => word!("clears the shadow entry"),
        SpteWhy::Replaced => word!("replaces the shadow entry"),
        SpteWhy::Sync => word!("brings the shadow entry up to date"),
        SpteWhy::Prefetch => word!("fills a shadow entry ahead"),
        SpteWhy::Mmio => word!("marks the shadow entry: no memory"),
        SpteWhy::Invlpg => word!("drops the shadow entry for INVLPG"),
        SpteWhy::DirtyLog => word!("takes W for the dirty log"),
    }
}

const fn flushed(scope: FlushScope) -> &'static str {
    match scope {
        FlushScope::Page => word!("one page"),
        FlushScope::PageOfPcid => word!("one page of one PCID"),
        FlushScope::Pcid => word!("all but global pages"),
        FlushScope::PcidAndGlobal => word!("one PCID and global pages"),
        FlushScope::AllPcids => word!("every PCID"),
        FlushScope::Everything => word!("everything"),
    }
}

const fn flush_cause(cause: FlushCause) -> &'static str {
    match cause {
        FlushCause::MovCr0 => word!("MOV CR0"),
        FlushCause::MovCr3 => word!("MOV CR3"),
        FlushCause::MovCr4 => word!("MOV CR4"),
        FlushCause::Invlpg => word!("INVLPG"),
        FlushCause::Invpcid => word!("INVPCID"),
        FlushCause::PageFault => word!("for a page fault"),
        FlushCause::SetSregs => word!("by userspace"),
        FlushCause::WriteProtect => word!("for write protection"),
        FlushCause::Zap => word!("for the zap"),
        FlushCause::Sync => word!("for the sync"),
        FlushCause::DirtyLog => word!("for the dirty log"),
        FlushCause::RootChange => word!("for the new root"),
    }
}

const fn arrival(tlb: Tlb, data: Data) -> &'static str {
    match (tlb, data) {
        (Tlb::None, Data::None) => word!("arrives"),
        (Tlb::Hit, Data::None) => word!("TLB hit"),
        (Tlb::Fill, Data::None) => word!("TLB fill"),
        (Tlb::None, Data::Store) => word!("native store"),
        (Tlb::Hit, Data::Store) => word!("TLB hit, native store"),
        (Tlb::Fill, Data::Store) => word!("TLB fill, native store"),
        (Tlb::None, Data::Load(_)) => word!("native load"),
        (Tlb::Hit, Data::Load(_)) => word!("TLB hit, native load"),
        (Tlb::Fill, Data::Load(_)) => word!("TLB fill, native load"),
    }
}
