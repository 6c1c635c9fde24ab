//! How the four shadow engines differ.

use crate::engine::{EngineName, Switches};

/// Where a walk under PAE paging takes the PDPTE from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pdpt {
    /// The four registers; the root is the fixed `pae_root` (patches 05 to 07).
    Registers,
    /// Memory, at each walk; the PDPT has a shadow page of level 3.
    Memory,
}

/// A kind of shadow MMU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Its name.
    pub name: EngineName,
    /// Shadow pages at most.
    pub pages: u32,
    /// Hash buckets.
    pub buckets: u64,
    /// Pages survive MOV CR3 and are found again by frame and role (patch 09); the tables they
    /// shadow are write-protected (patch 10).
    pub caches_pages: bool,
    /// Where PDPTEs are read.
    pub pdpt: Pdpt,
    /// INVLPG leads to the hypervisor.
    pub invlpg_exits: bool,
    /// Leaf tables may go out of sync (4731d4c7a07).
    pub unsync: bool,
    /// A user store to a table means that it is none any more (patch 27).
    pub user_write_unprotects: bool,
    /// Neighbours filled with a leaf: an aligned window of so many entries (0: none).
    pub prefetch: u16,
    /// Marks of addresses without memory carry the generation of the memory slots; a root without
    /// memory is a dummy.
    pub mmio_generations: bool,
    /// Old roots kept for a switch back.
    pub prev_roots: usize,
    /// Historical behaviour that is switched on.
    pub switches: Switches,
}

/// Pages and buckets of 2.6.20 (`KVM_NUM_MMU_PAGES`).
const PAGES_2007: u32 = 256;

impl Policy {
    /// Linux 2.6.20 and 2.6.21, after the series.
    #[must_use]
    pub const fn kvm_2007(switches: Switches) -> Self {
        Self {
            name: EngineName::Kvm2007,
            pages: PAGES_2007,
            buckets: 256,
            caches_pages: true,
            pdpt: Pdpt::Registers,
            invlpg_exits: false,
            unsync: false,
            user_write_unprotects: true,
            prefetch: 0,
            mmio_generations: false,
            prev_roots: 0,
            switches,
        }
    }

    /// Before the series: nothing is kept over MOV CR3, nothing is write-protected.
    #[must_use]
    pub const fn kvm_2006(switches: Switches) -> Self {
        let after = Self::kvm_2007(switches);
        Self { name: EngineName::Kvm2006, caches_pages: false, pdpt: Pdpt::Memory, invlpg_exits: true, ..after }
    }

    /// The counterfactual: the series without patches 05 to 07.
    #[must_use]
    pub const fn kvm_pdpt(switches: Switches) -> Self {
        Self { name: EngineName::KvmPdpt, pdpt: Pdpt::Memory, ..Self::kvm_2007(switches) }
    }

    /// Linux 6.x.
    #[must_use]
    pub const fn kvm_now(switches: Switches) -> Self {
        Self {
            name: EngineName::KvmNow,
            pages: 4096,
            buckets: 4096,
            invlpg_exits: true,
            unsync: true,
            user_write_unprotects: false,
            prefetch: 8,
            mmio_generations: true,
            prev_roots: 3,
            ..Self::kvm_2007(switches)
        }
    }

    /// Whether PDPTEs come from the registers.
    #[must_use]
    pub const fn uses_pdpte_registers(&self) -> bool {
        match self.pdpt {
            Pdpt::Registers => !self.switches.contains(Switches::PDPTES_FROM_MEMORY),
            Pdpt::Memory => self.switches.contains(Switches::PDPTE_REGISTERS),
        }
    }
}
