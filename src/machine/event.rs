//! Events: the one way that anything shows what happened.
//!
//! The log, the animation, Why, the cost meter and `run --json` are views of the same list.

mod facts;

use serde::{Serialize, Serializer};

use super::role::Role;
use crate::arch::address::Num;
use crate::arch::fault::{Fault, Vector};
use crate::arch::pdpte::{LoadCause, Pdptes};
use crate::arch::{Gfn, Gpa, Gva, Hfn, Hpa};

pub use facts::{
    EntrySource, ExitReason, FaultWhy, FlushCause, FlushScope, RefusedWhy, RegisterName, SpteWhy, StoreBy,
};

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// An entry was used by a walk.
    WalkRead {
        /// 1 to 5.
        level: u8,
        /// Memory or a PDPTE register.
        from: EntrySource,
        /// Index in its table.
        index: usize,
        /// Where it lies in memory; for a register, where it was or would be loaded from.
        gpa: Gpa,
        /// The entry.
        value: Num,
    },
    /// A was set in an entry.
    SetAccessed {
        /// 1 to 5.
        level: u8,
        /// The entry.
        gpa: Gpa,
        /// Its value before.
        old: Num,
        /// Its value after.
        new: Num,
    },
    /// D was set in a leaf entry.
    SetDirty {
        /// 1 to 3.
        level: u8,
        /// The entry.
        gpa: Gpa,
        /// Its value before.
        old: Num,
        /// Its value after.
        new: Num,
    },
    /// The access succeeded.
    Translated {
        /// Linear address.
        va: Gva,
        /// Guest-physical address.
        gpa: Gpa,
        /// Host-physical address; equal on bare hardware.
        hpa: Hpa,
        /// Bytes of the page that the processor used; 0 without paging.
        page_size: u64,
    },
    /// The access raised an exception.
    Fault {
        /// `PF`, `GP` or `SS`.
        #[serde(serialize_with = "vector_name")]
        #[schemars(with = "String")]
        vector: Vector,
        /// Error code.
        err: Num,
        /// What CR2 got; only a page fault writes it.
        #[serde(skip_serializing_if = "Option::is_none")]
        cr2: Option<Gva>,
        /// The facts.
        why: FaultWhy,
    },
    /// The command was refused and changed nothing.
    Refused {
        /// The facts.
        why: RefusedWhy,
    },
    /// A control register changed, or was written with the value it had.
    Register {
        /// Which.
        name: RegisterName,
        /// Value before.
        old: Num,
        /// Value after.
        new: Num,
    },
    /// The PDPTE registers were loaded.
    PdpteLoad {
        /// Content before.
        #[serde(serialize_with = "four")]
        #[schemars(with = "[Num; 4]")]
        old: Pdptes,
        /// Content after.
        #[serde(serialize_with = "four")]
        #[schemars(with = "[Num; 4]")]
        new: Pdptes,
        /// What loaded them.
        cause: LoadCause,
    },
    /// A PDPTE in memory must not be loaded; the registers keep their content.
    PdpteReject {
        /// Which of the four.
        index: usize,
        /// Its reserved bits that are set.
        bits: Num,
        /// What tried to load them.
        cause: LoadCause,
    },
    /// The TLB answered.
    TlbHit {
        /// Linear address.
        va: Gva,
        /// First address of the page.
        page: Gva,
        /// First byte of its frame.
        frame: Num,
        /// Bytes of the page.
        page_size: u64,
    },
    /// A translation was cached.
    TlbFill {
        /// First linear address of the page.
        page: Gva,
        /// First byte of its frame.
        frame: Num,
        /// Bytes of the page.
        page_size: u64,
        /// It serves every PCID.
        global: bool,
    },
    /// Cached translations were removed.
    TlbFlush {
        /// Which.
        scope: FlushScope,
        /// By what.
        cause: FlushCause,
        /// How many TLB and structure-cache entries went.
        removed: usize,
    },
    /// A walk began below a cached prefix.
    PscHit {
        /// Level of the entry that was cached, 2 to 5.
        level: u8,
        /// The table it leads to.
        table: Gpa,
    },
    /// Data was stored.
    Store {
        /// Guest-physical address.
        gpa: Gpa,
        /// Bytes.
        size: u32,
        /// What was there.
        old: Num,
        /// What is there.
        new: Num,
        /// By whom.
        by: StoreBy,
    },
    /// Data was loaded.
    Load {
        /// Guest-physical address.
        gpa: Gpa,
        /// Bytes.
        size: u32,
        /// What was there.
        value: Num,
    },
    /// Userspace changed the memory slots.
    Memslot {
        /// Its first address.
        gpa: Gpa,
        /// What was done.
        action: super::command::SlotAction,
    },
    /// Userspace fetched a dirty bitmap.
    DirtyLog {
        /// The slot's first address.
        gpa: Gpa,
        /// The frames written since the last call.
        frames: Vec<Gfn>,
    },
    /// The hardware read a shadow entry.
    ShadowRead {
        /// 1 to 5.
        level: u8,
        /// Index in its table.
        index: usize,
        /// Where it lies in host memory.
        hpa: Hpa,
        /// The entry.
        value: Num,
    },
    /// The guest left for the hypervisor, which dealt with it. It is told once it is known what the exit ended in:
    /// behind what the hypervisor did to find that out.
    VmExit {
        /// What it ended in.
        reason: ExitReason,
    },
    /// The hypervisor handed an exception to the guest.
    Inject,
    /// A shadow page was made.
    ShadowNew {
        /// The frame that it shadows.
        gfn: Gfn,
        /// What it is.
        role: Role,
    },
    /// A shadow page was found again.
    ShadowHit {
        /// The frame that it shadows.
        gfn: Gfn,
        /// What it is.
        role: Role,
    },
    /// A shadow page was zapped.
    ShadowZap {
        /// The frame that it shadowed.
        gfn: Gfn,
        /// What it was.
        role: Role,
    },
    /// A shadow page became a root.
    ShadowPin {
        /// The frame that it shadows.
        gfn: Gfn,
        /// What it is.
        role: Role,
    },
    /// A shadow page is a root no more.
    ShadowUnpin {
        /// The frame that it shadows.
        gfn: Gfn,
        /// What it is.
        role: Role,
    },
    /// A shadow entry was set.
    SpteSet {
        /// Frame of its shadow page.
        gfn: Gfn,
        /// Level of its shadow page.
        level: u8,
        /// Its index.
        index: usize,
        /// Before.
        old: Num,
        /// After.
        new: Num,
        /// What for.
        why: SpteWhy,
    },
    /// A shadow entry was cleared.
    SpteClear {
        /// Frame of its shadow page.
        gfn: Gfn,
        /// Level of its shadow page.
        level: u8,
        /// Its index.
        index: usize,
        /// Before.
        old: Num,
        /// What for.
        why: SpteWhy,
    },
    /// A frame lost W in every mapping.
    WriteProtect {
        /// The frame.
        gfn: Gfn,
    },
    /// A frame is no page table any more.
    WriteUnprotect {
        /// The frame.
        gfn: Gfn,
    },
    /// A shadow entry joined the reverse map of a host frame.
    RmapAdd {
        /// The host frame.
        hfn: Hfn,
    },
    /// A shadow entry left the reverse map of a host frame.
    RmapRemove {
        /// The host frame.
        hfn: Hfn,
    },
    /// The hypervisor carries a store out.
    Emulate {
        /// Where.
        gpa: Gpa,
        /// Bytes.
        size: u32,
    },
    /// So many stores in a row that the frame is taken for data.
    Flood {
        /// The frame.
        gfn: Gfn,
    },
    /// The shadows of a leaf table are out of sync from now on.
    Unsync {
        /// The frame of the table.
        gfn: Gfn,
    },
    /// A shadow page is in sync again.
    Sync {
        /// The frame of the table.
        gfn: Gfn,
    },
    /// Room was made for shadow pages.
    Reclaim,
    /// The hardware read an entry of the second dimension.
    NestedRead {
        /// 1 to 5.
        level: u8,
        /// Index in its table.
        index: usize,
        /// The guest-physical address that is being translated.
        gpa: Gpa,
        /// Where the entry lies in host memory.
        hpa: Hpa,
        /// The entry.
        value: Num,
    },
    /// An invariant of the engine is broken.
    AuditFailed {
        /// `I1` to `I11`.
        invariant: String,
        /// What shows it.
        witness: String,
    },
}

fn vector_name<S: Serializer>(vector: &Vector, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(vector.name())
}

fn four<S: Serializer>(pdptes: &Pdptes, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(pdptes.map(Num))
}

impl Event {
    /// A fault with its facts.
    #[must_use]
    pub fn fault(fault: &Fault) -> Self {
        let cr2 = (fault.vector == Vector::PageFault).then_some(fault.gva);
        Self::Fault { vector: fault.vector, err: Num(u64::from(fault.code.bits())), cr2, why: fault.reason.into() }
    }

    /// The name under `cause`, for the events that have one.
    #[must_use]
    pub const fn cause(&self) -> Option<&'static str> {
        match self {
            Self::PdpteLoad { cause, .. } | Self::PdpteReject { cause, .. } => Some(cause.name()),
            Self::TlbFlush { cause, .. } => Some(cause.name()),
            _ => None,
        }
    }

    /// The name under `event`.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::WalkRead { .. } => "walk_read",
            Self::SetAccessed { .. } => "set_accessed",
            Self::SetDirty { .. } => "set_dirty",
            Self::Translated { .. } => "translated",
            Self::Fault { .. } => "fault",
            Self::Refused { .. } => "refused",
            Self::Register { .. } => "register",
            Self::PdpteLoad { .. } => "pdpte_load",
            Self::PdpteReject { .. } => "pdpte_reject",
            Self::TlbHit { .. } => "tlb_hit",
            Self::TlbFill { .. } => "tlb_fill",
            Self::TlbFlush { .. } => "tlb_flush",
            Self::PscHit { .. } => "psc_hit",
            Self::Store { .. } => "store",
            Self::Load { .. } => "load",
            Self::Memslot { .. } => "memslot",
            Self::DirtyLog { .. } => "dirty_log",
            Self::ShadowRead { .. } => "shadow_read",
            Self::VmExit { .. } => "vm_exit",
            Self::Inject => "inject",
            Self::ShadowNew { .. } => "shadow_new",
            Self::ShadowHit { .. } => "shadow_hit",
            Self::ShadowZap { .. } => "shadow_zap",
            Self::ShadowPin { .. } => "shadow_pin",
            Self::ShadowUnpin { .. } => "shadow_unpin",
            Self::SpteSet { .. } => "spte_set",
            Self::SpteClear { .. } => "spte_clear",
            Self::WriteProtect { .. } => "write_protect",
            Self::WriteUnprotect { .. } => "write_unprotect",
            Self::RmapAdd { .. } => "rmap_add",
            Self::RmapRemove { .. } => "rmap_remove",
            Self::Emulate { .. } => "emulate",
            Self::Flood { .. } => "flood",
            Self::Unsync { .. } => "unsync",
            Self::Sync { .. } => "sync",
            Self::Reclaim => "reclaim",
            Self::NestedRead { .. } => "nested_read",
            Self::AuditFailed { .. } => "audit_failed",
        }
    }
}
