//! The engines as the window names them.

use crate::engine::EngineName;

/// One or two words, for chips and counters.
#[must_use]
pub const fn label(engine: EngineName) -> &'static str {
    match engine {
        EngineName::Native => "Hardware",
        EngineName::Kvm2006 => "KVM 2006",
        EngineName::KvmPdpt => "KVM PDPT",
        EngineName::Kvm2007 => "KVM 2007",
        EngineName::KvmNow => "KVM now",
        EngineName::Ept => "EPT",
        EngineName::Npt => "NPT",
    }
}

/// What it is, after "on".
#[must_use]
pub const fn meaning(engine: EngineName) -> &'static str {
    match engine {
        EngineName::Native => "bare hardware, without a hypervisor",
        EngineName::Kvm2006 => "KVM's shadow MMU before January 2007",
        EngineName::KvmPdpt => "KVM's shadow MMU with the PDPT shadowed as a table",
        EngineName::Kvm2007 => "KVM's shadow MMU of Linux 2.6.20",
        EngineName::KvmNow => "KVM's shadow MMU of Linux 6.x",
        EngineName::Ept => "two-dimensional paging, Intel (EPT)",
        EngineName::Npt => "two-dimensional paging, AMD (NPT)",
    }
}
