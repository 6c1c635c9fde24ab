//! What an engine did for a command, as the few deeds that a person would name, and which of them
//! set it apart from the other engines shown.
//!
//! A deed says nothing that is an engine's own and without effect: host addresses, the contents of
//! shadow entries and the reverse map are left out. So equal deeds are the same deed on any engine.

use crate::arch::address::Num;
use crate::arch::fault::Vector;
use crate::arch::{Gfn, Gpa};
use crate::machine::command::SlotAction;
use crate::machine::event::{
    EntrySource, ExitReason, FaultWhy, FlushCause, FlushScope, RefusedWhy, RegisterName, SpteWhy, StoreBy,
};

/// Who walks the guest's tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Walker {
    /// The processor.
    Hardware,
    /// KVM's code, because the processor walks the shadow.
    Kvm,
}

/// Where a walk begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum From {
    /// At the table that CR3 points to.
    Root,
    /// At a PDPTE of PAE paging.
    Pdpte(EntrySource),
    /// Below a prefix that a paging-structure cache holds.
    Cached,
}

/// The entry that a walk ended with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct End {
    /// 1 to 5.
    pub level: u8,
    /// Where it lies; of a PDPTE register, where it was loaded from.
    pub gpa: Gpa,
    /// P.
    pub present: bool,
}

/// A walk through the guest's tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Walk {
    /// Who walks.
    pub by: Walker,
    /// Where it begins.
    pub from: From,
    /// Reads of guest memory.
    pub reads: u32,
    /// Reads of the second dimension.
    pub nested: u32,
    /// The last of these found nothing.
    pub nested_missing: bool,
    /// How many entries got A.
    pub accessed: u32,
    /// How many entries got D.
    pub dirty: u32,
    /// The last entry.
    pub end: Option<End>,
}

/// What led to a page fault that a hypervisor sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FaultKind {
    /// The shadow has no entry yet.
    Missing,
    /// The shadow's entry does not allow it.
    Denied,
    /// The guest's own tables do not allow it: the guest gets its exception.
    Guest,
    /// The second dimension has no entry yet.
    Nested,
}

/// What the TLB had to do with an access that arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Tlb {
    /// Nothing.
    #[default]
    None,
    /// It answered.
    Hit,
    /// It took the translation up.
    Fill,
}

/// What moved at the end of an access.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Data {
    /// Nothing is known: the access stands for one of unknown size.
    None,
    /// The processor stored.
    Store,
    /// The processor loaded this.
    Load(Num),
}

/// Something that an engine did.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Deed {
    /// A walk through the guest's tables.
    Walk(Walk),
    /// The hardware walked the shadow.
    ShadowWalk {
        /// Entries that it read.
        reads: u32,
        /// The level that it came to.
        level: u8,
        /// The last entry has P = 0.
        missing: bool,
    },
    /// A and D were set in the guest's entries, apart from a walk.
    Marks {
        /// How many entries got A.
        accessed: u32,
        /// How many entries got D.
        dirty: u32,
    },
    /// The guest left for the hypervisor. It stands before what the hypervisor did, where it happened;
    /// the event that tells its reason comes when that is known.
    Exit {
        /// What it ended in.
        reason: ExitReason,
        /// Of a page fault: which.
        kind: Option<FaultKind>,
    },
    /// The hypervisor handed an exception to the guest outside a page fault.
    Inject,
    /// A shadow page came into use.
    Page {
        /// The frame that it shadows.
        gfn: Gfn,
        /// Its level.
        level: u8,
        /// It existed.
        found: bool,
        /// As a root.
        root: bool,
        /// The guest's frame lost W for it.
        protected: bool,
    },
    /// A shadow page was zapped.
    Zap {
        /// The frame that it shadowed.
        gfn: Gfn,
        /// Its level.
        level: u8,
        /// It was given up as a root right before.
        root: bool,
        /// It was a root still, and stays until it is none.
        pinned: bool,
    },
    /// A shadow page became a root, or is none any more.
    Root {
        /// The frame that it shadows.
        gfn: Gfn,
        /// Its level.
        level: u8,
        /// It became one.
        on: bool,
    },
    /// Shadow entries changed.
    Entries {
        /// What for.
        why: SpteWhy,
        /// To nothing.
        cleared: bool,
        /// How many.
        count: u32,
    },
    /// A frame lost W.
    WriteProtect(Gfn),
    /// A frame is no page table any more.
    WriteUnprotect(Gfn),
    /// The hypervisor carried a store out.
    Emulate {
        /// Where.
        gpa: Gpa,
    },
    /// So many stores that the frame is taken for data.
    Flood(Gfn),
    /// A table goes out of sync.
    Unsync(Gfn),
    /// A table is in sync again.
    Sync(Gfn),
    /// Room was made for shadow pages.
    Reclaim,
    /// Cached translations were removed.
    Flush {
        /// Which.
        scope: FlushScope,
        /// By what.
        cause: FlushCause,
    },
    /// A control register was written.
    Register {
        /// Which.
        name: RegisterName,
        /// Its value.
        value: Num,
    },
    /// The PDPTE registers were loaded.
    Pdptes {
        /// How many changed.
        changed: u32,
    },
    /// A PDPTE in memory was refused.
    PdpteReject {
        /// Which of the four.
        index: usize,
        /// Its reserved bits that are set.
        bits: Num,
    },
    /// An access arrived.
    Reach {
        /// What the TLB had to do with it.
        tlb: Tlb,
        /// Where.
        gpa: Gpa,
        /// What moved.
        data: Data,
    },
    /// Stores through a mapping outside the guest's tables.
    Stores {
        /// By whom.
        by: StoreBy,
        /// The first.
        gpa: Gpa,
        /// How many.
        count: u32,
    },
    /// The access raised an exception.
    Fault {
        /// Which.
        vector: Vector,
        /// Its error code.
        err: Num,
        /// The facts.
        why: FaultWhy,
    },
    /// The command was refused.
    Refused(RefusedWhy),
    /// Userspace changed the memory slots.
    Memslot {
        /// The slot.
        gpa: Gpa,
        /// What was done.
        action: SlotAction,
    },
    /// Userspace fetched a dirty bitmap.
    DirtyLog {
        /// The frames in it.
        frames: Vec<Gfn>,
    },
    /// An invariant is broken.
    Audit(String),
}

/// Which deeds of which column are lit: those that not all columns have.
///
/// Deeds are counted: the n-th of equal deeds of a column is lit if some column has fewer than n of
/// them. The order does not count. So what is not lit is, in each column, the same collection, and no
/// larger one is; one column alone, and equal columns, have nothing lit.
#[must_use]
pub fn lit(columns: &[&[Deed]]) -> Vec<Vec<bool>> {
    let everywhere = |deed: &Deed, nth: usize| {
        columns.iter().all(|column| column.iter().filter(|other| *other == deed).take(nth).count() == nth)
    };
    let one = |column: &&[Deed]| {
        let nth = |at: usize| column[..=at].iter().filter(|other| **other == column[at]).count();
        (0..column.len()).map(|at| !everywhere(&column[at], nth(at))).collect()
    };
    columns.iter().map(one).collect()
}
