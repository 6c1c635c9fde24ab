//! What a run costs: the counters of the cost meter, with the keys that files and predicates use.

use super::event::ExitReason;
use serde::{Serialize, Serializer, ser::SerializeMap};

/// Exits by the reason that each ended in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Exits {
    /// An entry was filled or repaired, or the fault was handed to the guest.
    pub page_fault: u64,
    /// A store to a protected page was emulated.
    pub emulated_write: u64,
    /// MOV to CR or WRMSR.
    pub cr_access: u64,
    /// INVLPG or INVPCID.
    pub invlpg: u64,
    /// An access to an address without memory.
    pub mmio: u64,
}

impl Exits {
    /// Counts an exit under its reason.
    pub const fn count(&mut self, reason: ExitReason) {
        match reason {
            ExitReason::PageFault => self.page_fault += 1,
            ExitReason::EmulatedWrite => self.emulated_write += 1,
            ExitReason::CrAccess => self.cr_access += 1,
            ExitReason::Invlpg => self.invlpg += 1,
            ExitReason::Mmio => self.mmio += 1,
        }
    }

    /// Their sum.
    #[must_use]
    pub const fn total(&self) -> u64 {
        self.page_fault + self.emulated_write + self.cr_access + self.invlpg + self.mmio
    }
}

/// The counters of a run, from the start state on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Cost {
    /// Exits to the hypervisor.
    pub exits: Exits,
    /// Faults that the hypervisor handed to the guest.
    pub injected: u64,
    /// Table reads by the walker of the hardware that runs.
    pub memory_reads: u64,
    /// Those of the last access.
    pub memory_reads_last: u64,
    /// Shadow pages that exist.
    pub shadow_live: u64,
    /// Shadow pages made so far.
    pub shadow_new: u64,
    /// Shadow pages zapped so far.
    pub shadow_zapped: u64,
    /// Accesses that the TLB answered.
    pub tlb_hits: u64,
    /// Accesses that it did not.
    pub tlb_misses: u64,
    /// Operations that removed cached translations.
    pub tlb_flushes: u64,
}

impl Cost {
    /// Every counter with its key, in the order of output.
    #[must_use]
    pub const fn entries(&self) -> [(&'static str, u64); 15] {
        [
            ("exits.total", self.exits.total()),
            ("exits.page_fault", self.exits.page_fault),
            ("exits.emulated_write", self.exits.emulated_write),
            ("exits.cr_access", self.exits.cr_access),
            ("exits.invlpg", self.exits.invlpg),
            ("exits.mmio", self.exits.mmio),
            ("injected", self.injected),
            ("memory_reads", self.memory_reads),
            ("memory_reads.last", self.memory_reads_last),
            ("shadow_pages.live", self.shadow_live),
            ("shadow_pages.new", self.shadow_new),
            ("shadow_pages.zapped", self.shadow_zapped),
            ("tlb.hits", self.tlb_hits),
            ("tlb.misses", self.tlb_misses),
            ("tlb.flushes", self.tlb_flushes),
        ]
    }

    /// The counter of that key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<u64> {
        self.entries().into_iter().find(|(k, _)| *k == key).map(|(_, value)| value)
    }
}

impl Serialize for Cost {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let entries = self.entries();
        let mut map = serializer.serialize_map(Some(entries.len()))?;
        for (key, value) in entries {
            map.serialize_entry(key, &value)?;
        }
        map.end()
    }
}
