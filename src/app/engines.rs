//! The engines as the window names them.

use crate::engine::EngineName;
use crate::language::Language;
use crate::tr;

/// One or two words, for chips and counters.
#[must_use]
pub fn label(engine: EngineName, language: Language) -> &'static str {
    match engine {
        EngineName::Native => tr!(language, "Hardware"),
        EngineName::Kvm2006 => "KVM 2006",
        EngineName::KvmPdpt => "KVM PDPT",
        EngineName::Kvm2007 => "KVM 2007",
        EngineName::KvmNow => tr!(language, "KVM now"),
        EngineName::Ept => "EPT",
        EngineName::Npt => "NPT",
    }
}

/// What it is, after "on".
#[must_use]
pub fn meaning(engine: EngineName, language: Language) -> &'static str {
    match engine {
        EngineName::Native => tr!(language, "bare hardware, without a hypervisor"),
        EngineName::Kvm2006 => tr!(language, "KVM's shadow MMU before January 2007"),
        EngineName::KvmPdpt => tr!(language, "KVM's shadow MMU with the PDPT shadowed as a table"),
        EngineName::Kvm2007 => tr!(language, "KVM's shadow MMU of Linux 2.6.20"),
        EngineName::KvmNow => tr!(language, "KVM's shadow MMU of Linux 6.x"),
        EngineName::Ept => tr!(language, "two-dimensional paging, Intel (EPT)"),
        EngineName::Npt => tr!(language, "two-dimensional paging, AMD (NPT)"),
    }
}
