//! Historical behaviour and hypothetical slips that can be switched on for exhibits. All of it is
//! off by default.

use bitflags::bitflags;

use super::EngineName;

bitflags! {
    /// What is switched on.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
    pub struct Switches: u32 {
        /// Give an engine that reads PDPTEs from memory the registers instead (the seed patch).
        const PDPTE_REGISTERS = 1 << 0;
        /// Q7: access rights are no part of the role (before d28c6cfbbc5).
        const ROLE_WITHOUT_ACCESS = 1 << 1;
        /// Before patch 11: the page's base decides whether the target is a table.
        const LARGE_PAGE_BASE_GFN = 1 << 2;
        /// Q6: the write offset into a 4-byte directory is doubled once, and any quadrant is hit.
        const PDE_OFFSET_DOUBLED_ONCE = 1 << 3;
        /// Before patch 31: no TLB flush when rights shrink.
        const NO_FLUSH_ON_REDUCTION = 1 << 4;
        /// 0028425f647: install the new entry right after an emulated store.
        const INSTALL_AFTER_WRITE = 1 << 5;
        /// Before the seed patch: PDPTEs are read from memory at each walk.
        const PDPTES_FROM_MEMORY = 1 << 6;
        /// Q1: MOV CR4 with a bad PDPTE raises #GP, yet CR4 is written.
        const CR4_WRITTEN_DESPITE_GP = 1 << 7;
        /// Q2: bits 2:0 of CR3 outside long mode raise #GP.
        const CR3_LOW_BITS_GP = 1 << 8;
        /// Q3: CR3 pointing to no memory slot raises #GP (d21225ee2b6).
        const CR3_UNMAPPED_GP = 1 << 9;
        /// Q4: MOV CR0 and MOV CR4 load the PDPTE registers only where they turn PAE paging on.
        const PDPTES_ON_TRANSITIONS = 1 << 10;
        /// Q5: a PDPTE with P = 0 still gets a root (before 417726a3fbe).
        const ABSENT_PDPTE_ROOT = 1 << 11;
        /// Q8: the walk judges rights at each level on the way down, and sets A as it goes.
        const RIGHTS_AT_EACH_LEVEL = 1 << 12;
        /// Q9: CR0.WP and EFER.NXE are no part of the role, and WRMSR EFER resets nothing.
        const ROLE_WITHOUT_WP_NXE = 1 << 13;
        /// Q10: the repair of a read clears W but leaves the entry in the reverse map.
        const FIX_READ_KEEPS_RMAP = 1 << 14;
        /// Q11: reserved bits of CR0 raise #GP.
        const CR0_RESERVED_GP = 1 << 15;
        /// Q12: A and D set by the walker are missing from the dirty log (before bf3f8e86c2e).
        const WALKER_UNLOGGED = 1 << 16;
        /// Q13: the TLB is flushed before the entry changes (before 88a97f0b2fe).
        const FLUSH_BEFORE_CHANGE = 1 << 17;
        /// CVE-2021-38198: the rights of the leaf stand in the role of every table above it.
        const LEAF_ACCESS_IN_ROLE = 1 << 18;
        /// Two-dimensional paging maps 2 MiB at once where a slot holds them.
        const LARGE_NESTED_PAGES = 1 << 20;
        /// A slip that nobody made: an emulated store clears its mirror in the first shadow only.
        const FIRST_SHADOW_ONLY = 1 << 19;
    }
}

/// A switch as people see it.
#[derive(Clone, Copy, Debug)]
pub struct Switch {
    /// The bit.
    pub flag: Switches,
    /// Its name, behind the engine's and a plus sign.
    pub name: &'static str,
    /// What it does.
    pub meaning: &'static str,
    /// The engines that have it.
    pub engines: &'static [EngineName],
}

const BEFORE_SEED: &[EngineName] = &[EngineName::Kvm2006, EngineName::KvmPdpt, EngineName::Npt];
const SERIES: &[EngineName] = &[EngineName::KvmPdpt, EngineName::Kvm2007];
const OLD: &[EngineName] = &[EngineName::Kvm2006, EngineName::KvmPdpt, EngineName::Kvm2007];
const REGISTERS: &[EngineName] = &[EngineName::Kvm2007];
const CACHING: &[EngineName] = &[EngineName::KvmPdpt, EngineName::Kvm2007, EngineName::KvmNow];
const TWO_DIMENSIONS: &[EngineName] = &[EngineName::Ept, EngineName::Npt];
const SHADOW: &[EngineName] = &[EngineName::Kvm2006, EngineName::KvmPdpt, EngineName::Kvm2007, EngineName::KvmNow];

const fn switch(flag: Switches, name: &'static str, engines: &'static [EngineName], meaning: &'static str) -> Switch {
    Switch { flag, name, meaning, engines }
}

impl Switches {
    /// Every switch.
    pub const ALL: [Switch; 21] = [
        switch(Self::PDPTE_REGISTERS, "pdpte-registers", BEFORE_SEED, "PDPTEs come from registers: the seed patch"),
        switch(
            Self::PDPTES_FROM_MEMORY,
            "pdptes-from-memory",
            REGISTERS,
            "PDPTEs are read at each walk: no seed patch",
        ),
        switch(
            Self::INSTALL_AFTER_WRITE,
            "install-after-write",
            SERIES,
            "the new entry is installed with an emulated store (0028425f647)",
        ),
        switch(
            Self::CR4_WRITTEN_DESPITE_GP,
            "cr4-written-despite-gp",
            OLD,
            "Q1: MOV CR4 with a bad PDPTE raises #GP and is carried out",
        ),
        switch(Self::CR3_LOW_BITS_GP, "cr3-low-bits-gp", OLD, "Q2: bits 2:0 of CR3 outside long mode raise #GP"),
        switch(Self::CR3_UNMAPPED_GP, "cr3-unmapped-gp", OLD, "Q3: CR3 pointing to no memory raises #GP"),
        switch(
            Self::PDPTES_ON_TRANSITIONS,
            "pdptes-on-transitions",
            OLD,
            "Q4: MOV CR0 and CR4 load PDPTEs only where they turn PAE paging on",
        ),
        switch(Self::ABSENT_PDPTE_ROOT, "absent-pdpte-root", REGISTERS, "Q5: a PDPTE with P = 0 still gets a root"),
        switch(
            Self::PDE_OFFSET_DOUBLED_ONCE,
            "pde-offset-doubled-once",
            CACHING,
            "Q6: a store to a 4-byte PDE clears the wrong shadow entry",
        ),
        switch(Self::ROLE_WITHOUT_ACCESS, "role-without-access", CACHING, "Q7: access rights are no part of the role"),
        switch(
            Self::RIGHTS_AT_EACH_LEVEL,
            "rights-at-each-level",
            OLD,
            "Q8: the guest walk judges rights at each level",
        ),
        switch(
            Self::ROLE_WITHOUT_WP_NXE,
            "role-without-wp-nxe",
            SERIES,
            "Q9: CR0.WP and EFER.NXE are no part of the role",
        ),
        switch(
            Self::FIX_READ_KEEPS_RMAP,
            "fix-read-keeps-rmap",
            OLD,
            "Q10: the repair of a read forgets the reverse map",
        ),
        switch(Self::CR0_RESERVED_GP, "cr0-reserved-gp", OLD, "Q11: reserved bits of CR0 raise #GP"),
        switch(
            Self::WALKER_UNLOGGED,
            "walker-unlogged",
            SHADOW,
            "Q12: A and D set by the walker are missing from the dirty log",
        ),
        switch(
            Self::FLUSH_BEFORE_CHANGE,
            "flush-before-change",
            CACHING,
            "Q13: the TLB is flushed before the entry changes",
        ),
        switch(
            Self::LARGE_PAGE_BASE_GFN,
            "large-page-base-gfn",
            CACHING,
            "before patch 11: a large page's base is asked whether it is a table",
        ),
        switch(
            Self::NO_FLUSH_ON_REDUCTION,
            "no-flush-on-reduction",
            CACHING,
            "before patch 31: no TLB flush when rights shrink",
        ),
        switch(
            Self::LEAF_ACCESS_IN_ROLE,
            "leaf-access-in-role",
            CACHING,
            "CVE-2021-38198: the leaf's rights stand in every role above it",
        ),
        switch(
            Self::LARGE_NESTED_PAGES,
            "large-nested-pages",
            TWO_DIMENSIONS,
            "the second dimension maps 2 MiB at once where a slot holds them",
        ),
        switch(
            Self::FIRST_SHADOW_ONLY,
            "first-shadow-only",
            CACHING,
            "a store to a table with two shadows clears one (nobody's bug)",
        ),
    ];

    /// The switches that are on.
    pub fn listed(self) -> impl Iterator<Item = &'static Switch> {
        const ALL: &[Switch] = &Switches::ALL;
        ALL.iter().filter(move |switch| self.contains(switch.flag))
    }

    /// The switches that an engine has.
    pub fn of(engine: EngineName) -> impl Iterator<Item = &'static Switch> + Clone {
        const ALL: &[Switch] = &Switches::ALL;
        ALL.iter().filter(move |switch| switch.engines.contains(&engine))
    }
}
