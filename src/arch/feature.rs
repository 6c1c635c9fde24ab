//! What a processor model has: its physical-address width, vendor rules and paging features
//! (SDM 4.1.4; CPUID leaves named at each flag).

use bitflags::bitflags;
use serde::{Deserialize, Serialize};

bitflags! {
    /// Paging features. A CR4 or EFER bit of an absent feature is reserved.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub struct Features: u32 {
        /// EFER.NXE and bit 63 of 8-byte entries (CPUID.80000001H:EDX.NX).
        const NX = 1 << 0;
        /// 4 MiB pages of 32-bit paging (CPUID.01H:EDX.PSE).
        const PSE = 1 << 1;
        /// 40-bit addresses in 4 MiB pages (CPUID.01H:EDX.PSE-36).
        const PSE36 = 1 << 2;
        /// Global pages (CPUID.01H:EDX.PGE).
        const PGE = 1 << 3;
        /// Process-context identifiers and INVPCID (CPUID.01H:ECX.PCID).
        const PCID = 1 << 4;
        /// Supervisor-mode execution prevention (CPUID.07H:EBX.SMEP).
        const SMEP = 1 << 5;
        /// Supervisor-mode access prevention (CPUID.07H:EBX.SMAP).
        const SMAP = 1 << 6;
        /// Protection keys for user pages (CPUID.07H:ECX.PKU).
        const PKU = 1 << 7;
        /// 5-level paging (CPUID.07H:ECX.LA57).
        const LA57 = 1 << 8;
        /// 1 GiB pages (CPUID.80000001H:EDX.Page1GB).
        const GB_PAGES = 1 << 9;
        /// Control-flow enforcement (CPUID.07H:ECX.CET_SS). Only its legality rules are modelled
        /// (G10, G15), so it is not among the defaults.
        const CET = 1 << 10;
    }
}

impl Features {
    /// Each feature with its name in files.
    pub const NAMES: [(&'static str, Features); 11] = [
        ("nx", Self::NX),
        ("pse", Self::PSE),
        ("pse36", Self::PSE36),
        ("pge", Self::PGE),
        ("pcid", Self::PCID),
        ("smep", Self::SMEP),
        ("smap", Self::SMAP),
        ("pku", Self::PKU),
        ("la57", Self::LA57),
        ("1gb", Self::GB_PAGES),
        ("cet", Self::CET),
    ];

    /// The feature of that name, if there is one.
    #[must_use]
    pub fn by_name(name: &str) -> Option<Self> {
        Self::NAMES.iter().find(|(n, _)| *n == name).map(|(_, f)| *f)
    }

    /// The names of the features in this set, in the order of [`Self::NAMES`].
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        Self::NAMES.into_iter().filter(move |(_, f)| self.contains(*f)).map(|(n, _)| n)
    }
}

/// Whose rules hold where the vendors differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Vendor {
    /// Intel: bit 8 of a non-leaf entry is ignored.
    #[default]
    Intel,
    /// AMD: bit 8 of a PML4E or PML5E is reserved.
    Amd,
}

/// A processor model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CpuModel {
    /// MAXPHYADDR: physical-address bits, 32 to 52.
    pub maxphyaddr: u8,
    /// Whose rules hold.
    pub vendor: Vendor,
    /// What it has.
    pub features: Features,
}

impl CpuModel {
    /// The narrowest physical address this model can have, in bits.
    pub const MIN_WIDTH: u8 = 32;
    /// The widest, in bits.
    pub const MAX_WIDTH: u8 = 52;

    /// Whether the model has a feature.
    #[must_use]
    pub const fn has(&self, feature: Features) -> bool {
        self.features.contains(feature)
    }

    /// The bits of a 64-bit value that are above the physical address.
    #[must_use]
    pub const fn above_physical(&self) -> u64 {
        !0 << self.maxphyaddr
    }
}

impl Default for CpuModel {
    /// MAXPHYADDR 40, every paging feature, Intel's rules.
    fn default() -> Self {
        Self { maxphyaddr: 40, vendor: Vendor::Intel, features: Features::all().difference(Features::CET) }
    }
}
