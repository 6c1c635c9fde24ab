//! The engines' names.

use serde::{Deserialize, Serialize};

/// The seven ways to run a guest.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum EngineName {
    /// Bare hardware.
    #[default]
    Native,
    /// KVM before the 33-patch series of January 2007.
    #[serde(rename = "kvm-2006")]
    Kvm2006,
    /// The series without patches 05 to 07: the PDPT shadowed as a table.
    KvmPdpt,
    /// Linux 2.6.20 and 2.6.21.
    #[serde(rename = "kvm-2007")]
    Kvm2007,
    /// Linux 6.x.
    KvmNow,
    /// Two-dimensional paging, Intel.
    Ept,
    /// Two-dimensional paging, AMD.
    Npt,
}

impl EngineName {
    /// Every engine, in the order of lists.
    pub const ALL: [Self; 7] =
        [Self::Native, Self::Kvm2006, Self::KvmPdpt, Self::Kvm2007, Self::KvmNow, Self::Ept, Self::Npt];

    /// The name in files and on the command line.
    #[must_use]
    pub const fn id(self) -> &'static str {
        match self {
            Self::Native => "native",
            Self::Kvm2006 => "kvm-2006",
            Self::KvmPdpt => "kvm-pdpt",
            Self::Kvm2007 => "kvm-2007",
            Self::KvmNow => "kvm-now",
            Self::Ept => "ept",
            Self::Npt => "npt",
        }
    }

    /// The engine of that name.
    #[must_use]
    pub fn by_id(id: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|engine| engine.id() == id)
    }

    /// Whether it reads PDPTEs from memory at each walk, by design, in place of the registers.
    #[must_use]
    pub const fn reads_pdptes_from_memory(self) -> bool {
        matches!(self, Self::Kvm2006 | Self::KvmPdpt | Self::Npt)
    }
}
