//! What has state: processor, memory, memory slots and cached translations; commands in, events out.
//!
//! A [`Machine`] is a value. Cloning it is cheap (pages are shared until written), which is what
//! stepping back, predicates tried on a copy and snapshots rest on.

pub mod blocks;
pub mod command;
pub mod cost;
pub mod cpu;
pub mod event;
pub mod mapper;
pub mod memory;
pub mod psc;
pub mod role;
pub mod rule;
pub mod slots;
pub mod sparse;
pub mod table;
pub mod tlb;

use std::sync::Arc;

use crate::arch::address::{PAGE_SHIFT, PAGE_SIZE};
use crate::arch::entry::A;
use crate::arch::invalidate::Scope;
use crate::arch::mode::Mode;
use crate::arch::walk::{Start, TableMemory, Walk};
use crate::arch::{CpuModel, Gpa, Gva, Hpa};

pub use command::Command;
pub use cost::Cost;
pub use cpu::Cpu;
pub use event::Event;
pub use memory::Memory;
pub use psc::{Psc, PscEntry};
pub use slots::Slots;
pub use tlb::{Tlb, TlbEntry};

/// Which translation caches the processor has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Caches {
    /// The translation lookaside buffer.
    pub tlb: bool,
    /// The paging-structure caches.
    pub structures: bool,
}

impl Default for Caches {
    /// Both on.
    fn default() -> Self {
        Self { tlb: true, structures: true }
    }
}

/// A guest's processor and memory, and the translation caches of the processor that runs it.
#[derive(Clone, Debug)]
pub struct Machine {
    /// The processor.
    pub cpu: Cpu,
    /// Guest-physical memory.
    pub memory: Memory,
    /// The memory slots that userspace has registered.
    pub slots: Slots,
    /// Which caches there are.
    pub caches: Caches,
    /// The TLB.
    pub tlb: Arc<Tlb>,
    /// The paging-structure caches.
    pub psc: Arc<Psc>,
    /// What the run has cost so far.
    pub cost: Cost,
}

impl Machine {
    /// A machine with empty memory of `ram` bytes in one slot, paging off.
    #[must_use]
    pub fn new(model: CpuModel, ram: u64) -> Self {
        Self {
            cpu: Cpu::new(model),
            memory: Memory::default(),
            slots: Slots::with_ram(ram.next_multiple_of(PAGE_SIZE)),
            caches: Caches::default(),
            tlb: Arc::default(),
            psc: Arc::default(),
            cost: Cost::default(),
        }
    }

    /// Looks a linear address up in the TLB.
    #[must_use]
    #[inline]
    pub fn tlb_lookup(&self, gva: Gva) -> Option<&TlbEntry> {
        if self.caches.tlb { self.tlb.lookup(gva, self.cpu.pcid()) } else { None }
    }

    /// The deepest cached prefix of a linear address.
    #[must_use]
    pub fn psc_lookup(&self, gva: Gva) -> Option<PscEntry> {
        if !self.caches.structures {
            return None;
        }
        self.psc.lookup(self.cpu.mode(), gva, self.cpu.pcid())
    }

    /// Stores a finished walk in the TLB; `dirty` says whether the leaf has D set by now. Under
    /// two-dimensional paging `host` is where `gva` ended, and the entry covers 4 KiB.
    pub fn tlb_fill(&mut self, gva: Gva, walk: &Walk, dirty: bool, host: Option<Hpa>) -> Option<TlbEntry> {
        if !self.caches.tlb {
            return None;
        }
        let global = self.cpu.paging.globals && walk.leaf().value & crate::arch::entry::G != 0;
        let (shift, frame) = match host {
            Some(hpa) => (PAGE_SHIFT, hpa.hfn().base().0),
            None => (walk.page_shift, walk.page.0),
        };
        let entry = TlbEntry {
            pcid: self.cpu.pcid(),
            page: Gva(gva.0 >> shift << shift),
            shift: shift as u8,
            span: walk.page_shift as u8,
            frame,
            rights: walk.rights,
            dirty,
            global,
        };
        Arc::make_mut(&mut self.tlb).insert(entry);
        Some(entry)
    }

    /// Stores a translation that somebody else's walk found.
    pub fn tlb_insert(&mut self, entry: TlbEntry) {
        if self.caches.tlb {
            Arc::make_mut(&mut self.tlb).insert(entry);
        }
    }

    /// Stores the non-leaf entries that a walk read in the paging-structure caches (SDM 4.10.3).
    /// By now all of them have A set.
    pub fn psc_fill(&mut self, gva: Gva, start: &Start, walk: &Walk) {
        if !self.caches.structures || walk.depth() < 2 {
            return;
        }
        let (mode, pcid) = (self.cpu.mode(), self.cpu.pcid());
        let psc = Arc::make_mut(&mut self.psc);
        let (mut and, mut or) = (start.and, start.or);
        for (above, below) in walk.path().zip(walk.path().skip(1)) {
            and &= above.value | A;
            or |= above.value;
            let table = Gpa(below.gpa.0 & !(PAGE_SIZE - 1));
            psc.insert(PscEntry {
                pcid,
                level: above.level,
                prefix: Psc::prefix(mode, above.level, gva),
                table,
                and,
                or,
            });
        }
    }

    /// Removes cached translations; returns how many there were.
    pub fn invalidate(&mut self, scope: Scope) -> usize {
        if scope == Scope::Nothing {
            return 0;
        }
        let mode = self.cpu.mode();
        let tlb = if self.tlb.is_empty() { 0 } else { Arc::make_mut(&mut self.tlb).invalidate(scope) };
        let psc = if self.psc.is_empty() { 0 } else { Arc::make_mut(&mut self.psc).invalidate(mode, scope) };
        tlb + psc
    }

    /// Removes what is cached for the address of a page fault (SDM 4.10.4.1); returns how many
    /// entries went.
    pub fn drop_for_fault(&mut self, gva: Gva) -> usize {
        let (mode, pcid) = (self.cpu.mode(), self.cpu.pcid());
        let tlb = if self.tlb.has_piece_of(gva, pcid) {
            Arc::make_mut(&mut self.tlb).invalidate(Scope::Page { gva, pcid })
        } else {
            0
        };
        let psc = if self.psc.lookup(mode, gva, pcid).is_none() {
            0
        } else {
            Arc::make_mut(&mut self.psc).invalidate(mode, Scope::PageOfPcid { gva, pcid })
        };
        tlb + psc
    }

    /// The four PDPTEs as they lie in memory at CR3 now.
    #[must_use]
    pub fn pdptes_in_memory(&self) -> crate::arch::pdpte::Pdptes {
        let root = Mode::Pae.root(self.cpu.regs.cr3, self.cpu.model.maxphyaddr);
        std::array::from_fn(|i| self.memory.read_u64(crate::arch::pdpte::address(root, i)))
    }

    /// Whether PAE paging is on and register `index` differs from memory.
    #[must_use]
    pub fn pdpte_is_stale(&self, index: usize) -> bool {
        self.cpu.mode() == Mode::Pae && self.cpu.pdptes[index] != self.pdptes_in_memory()[index]
    }

    /// About how many bytes `self` takes in addition to `older`, with which it shares the rest, memory apart.
    #[must_use]
    pub fn bytes_beside(&self, older: &Self) -> usize {
        let tlb = if Arc::ptr_eq(&self.tlb, &older.tlb) { 0 } else { size_of::<Tlb>() };
        let psc = if Arc::ptr_eq(&self.psc, &older.psc) { 0 } else { self.psc.len() * size_of::<PscEntry>() };
        self.slots.bytes_beside(&older.slots) + tlb + psc
    }

    /// A hash of everything that decides how the machine goes on: registers, PDPTE registers,
    /// memory (zero pages do not count), slots and cached translations.
    #[must_use]
    pub fn state_hash(&self) -> u64 {
        let mut hasher = xxhash_rust::xxh3::Xxh3::new();
        self.cpu.hash_into(&mut hasher);
        self.memory.hash_into(&mut hasher);
        self.slots.hash_into(&mut hasher);
        self.tlb.hash_into(&mut hasher);
        self.psc.hash_into(&mut hasher);
        hasher.digest()
    }
}
