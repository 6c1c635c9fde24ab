//! What events say besides numbers: sources, reasons, scopes and causes.

use serde::{Serialize, Serializer, ser::SerializeSeq};

use crate::arch::address::Num;
use crate::arch::control::{Refusal, Rule};
use crate::arch::fault::FaultReason;
use crate::arch::invalidate::Scope;
use crate::arch::rights::Violations;
use crate::machine::mapper::MapError;
use crate::machine::slots::SlotError;

/// Where an entry came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum EntrySource {
    /// A read of guest memory.
    Memory,
    /// One of the four PDPTE registers.
    PdpteRegister,
}

/// Why an access faulted, as facts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, schemars::JsonSchema)]
#[serde(tag = "reason", rename_all = "snake_case")]
pub enum FaultWhy {
    /// The entry of this level has P = 0.
    NotPresent {
        /// 1 to 5; 3 under PAE paging is a PDPTE register.
        level: u8,
    },
    /// The entry of this level has reserved bits set.
    Reserved {
        /// 1 to 5.
        level: u8,
        /// Which.
        bits: Num,
    },
    /// The path does not allow the access.
    Rights {
        /// The rules it breaks.
        #[serde(serialize_with = "violation_names")]
        #[schemars(with = "Vec<String>")]
        broken: Violations,
    },
    /// Not canonical.
    NonCanonical {
        /// 48 or 57.
        width: u32,
    },
}

impl From<FaultReason> for FaultWhy {
    fn from(reason: FaultReason) -> Self {
        match reason {
            FaultReason::NotPresent { level } => Self::NotPresent { level: level.0 },
            FaultReason::Reserved { level, bits } => Self::Reserved { level: level.0, bits: Num(bits) },
            FaultReason::Rights { broken } => Self::Rights { broken },
            FaultReason::NonCanonical { width } => Self::NonCanonical { width },
        }
    }
}

fn violation_names<S: Serializer>(broken: &Violations, serializer: S) -> Result<S::Ok, S::Error> {
    let mut seq = serializer.serialize_seq(None)?;
    for name in broken.names() {
        seq.serialize_element(name)?;
    }
    seq.end()
}

/// Why a command was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, schemars::JsonSchema)]
#[serde(tag = "reason", rename_all = "snake_case")]
pub enum RefusedWhy {
    /// The processor refused it with #GP(0), or #UD for `Undefined`.
    Rule {
        /// G1 to G20.
        rule: Rule,
        /// The bits at fault.
        bits: Num,
    },
    /// Userspace asked for a slot that cannot be.
    Slot {
        /// What is wrong with it.
        #[serde(serialize_with = "as_text")]
        #[schemars(with = "String")]
        error: SlotError,
    },
    /// The mapping cannot be built.
    Map {
        /// What is in the way.
        #[serde(serialize_with = "as_text")]
        #[schemars(with = "String")]
        error: MapError,
    },
}

fn as_text<S: Serializer, T: std::fmt::Display>(value: &T, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(value)
}

impl From<Refusal> for RefusedWhy {
    fn from(refusal: Refusal) -> Self {
        Self::Rule { rule: refusal.rule, bits: Num(refusal.bits) }
    }
}

/// What a flush removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FlushScope {
    /// One page, and the structure caches of the PCID.
    Page,
    /// One page of one PCID, globals kept.
    PageOfPcid,
    /// One PCID, globals kept.
    Pcid,
    /// One PCID and globals.
    PcidAndGlobal,
    /// Every PCID, globals kept.
    AllPcids,
    /// Everything.
    Everything,
}

impl FlushScope {
    /// The name of a scope; none for [`Scope::Nothing`].
    #[must_use]
    pub const fn of(scope: Scope) -> Option<Self> {
        Some(match scope {
            Scope::Nothing => return None,
            Scope::Page { .. } => Self::Page,
            Scope::PageOfPcid { .. } => Self::PageOfPcid,
            Scope::Pcid(_) => Self::Pcid,
            Scope::PcidAndGlobal(_) => Self::PcidAndGlobal,
            Scope::AllPcids => Self::AllPcids,
            Scope::Everything => Self::Everything,
        })
    }
}

/// What made the processor drop cached translations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FlushCause {
    /// MOV to CR0.
    MovCr0,
    /// MOV to CR3.
    MovCr3,
    /// MOV to CR4.
    MovCr4,
    /// INVLPG.
    Invlpg,
    /// INVPCID.
    Invpcid,
    /// A page fault drops what is cached for its address.
    PageFault,
    /// Userspace set the registers.
    SetSregs,
    /// KVM took rights from shadow entries: a frame became a page table.
    WriteProtect,
    /// KVM zapped shadow entries.
    Zap,
    /// KVM brought shadow entries up to date.
    Sync,
    /// KVM took W away to see the next stores.
    DirtyLog,
    /// The hardware got another root.
    RootChange,
}

impl FlushCause {
    /// The name in files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::MovCr0 => "mov_cr0",
            Self::MovCr3 => "mov_cr3",
            Self::MovCr4 => "mov_cr4",
            Self::Invlpg => "invlpg",
            Self::Invpcid => "invpcid",
            Self::PageFault => "page_fault",
            Self::SetSregs => "set_sregs",
            Self::WriteProtect => "write_protect",
            Self::Zap => "zap",
            Self::Sync => "sync",
            Self::DirtyLog => "dirty_log",
            Self::RootChange => "root_change",
        }
    }
}

/// What an exit ended in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ExitReason {
    /// An entry was filled or repaired, or the fault was handed to the guest.
    PageFault,
    /// A store to a protected page was emulated.
    EmulatedWrite,
    /// MOV to CR or WRMSR.
    CrAccess,
    /// INVLPG or INVPCID.
    Invlpg,
    /// An access to an address without memory.
    Mmio,
}

/// Why a shadow entry changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SpteWhy {
    /// A table was linked.
    Table,
    /// A leaf was filled from the guest's.
    Fill,
    /// A write was granted, or the guest wrote the entry that it mirrors.
    Write,
    /// A read was granted after the trick for CR0.WP = 0.
    Read,
    /// The frame became a page table.
    WriteProtect,
    /// Its page was zapped.
    Zap,
    /// Another table belongs there.
    Replaced,
    /// It was brought up to date.
    Sync,
    /// It was filled with its neighbour.
    Prefetch,
    /// There is no memory behind it.
    Mmio,
    /// INVLPG.
    Invlpg,
    /// The dirty log was taken.
    DirtyLog,
}

/// A register that an instruction or userspace changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RegisterName {
    /// CR0.
    Cr0,
    /// CR3.
    Cr3,
    /// CR4.
    Cr4,
    /// IA32_EFER.
    Efer,
    /// PKRU.
    Pkru,
}

impl RegisterName {
    /// As the manual writes it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Cr0 => "CR0",
            Self::Cr3 => "CR3",
            Self::Cr4 => "CR4",
            Self::Efer => "EFER",
            Self::Pkru => "PKRU",
        }
    }
}

/// Who stored data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum StoreBy {
    /// Guest code.
    Guest,
    /// A device.
    Device,
}
