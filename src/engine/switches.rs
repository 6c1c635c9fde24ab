//! Historical behaviour that can be switched on for exhibits. All of it is off by default.

use bitflags::bitflags;

bitflags! {
    /// What is switched on.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
    pub struct Switches: u32 {
        /// Give an engine that reads PDPTEs from memory the registers instead (the seed patch).
        const PDPTE_REGISTERS = 1 << 0;
        /// Q7, CVE-2021-38198: upper rights are no part of the role.
        const ROLE_WITHOUT_ACCESS = 1 << 1;
        /// Before patch 11: the page's base decides whether the target is a table.
        const LARGE_PAGE_BASE_GFN = 1 << 2;
        /// Q6: the write offset into a 4-byte directory is doubled once, and any quadrant is hit.
        const PDE_OFFSET_DOUBLED_ONCE = 1 << 3;
        /// Before patch 31: no TLB flush when rights shrink.
        const NO_FLUSH_ON_REDUCTION = 1 << 4;
        /// 0028425f647: install the new entry right after an emulated store.
        const INSTALL_AFTER_WRITE = 1 << 5;
    }
}

impl Switches {
    /// Each switch with its name on the command line.
    pub const NAMES: [(&'static str, Switches); 6] = [
        ("pdpte-registers", Self::PDPTE_REGISTERS),
        ("role-without-access", Self::ROLE_WITHOUT_ACCESS),
        ("large-page-base-gfn", Self::LARGE_PAGE_BASE_GFN),
        ("pde-offset-doubled-once", Self::PDE_OFFSET_DOUBLED_ONCE),
        ("no-flush-on-reduction", Self::NO_FLUSH_ON_REDUCTION),
        ("install-after-write", Self::INSTALL_AFTER_WRITE),
    ];

    /// The switch of that name.
    #[must_use]
    pub fn by_name(name: &str) -> Option<Self> {
        Self::NAMES.iter().find(|(n, _)| *n == name).map(|(_, switch)| *switch)
    }
}
