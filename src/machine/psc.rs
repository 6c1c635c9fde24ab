//! The paging-structure caches (SDM 4.10.3): non-leaf results by linear-address prefix.
//!
//! Sizes follow what has been measured on recent Intel cores: 32 entries for PDEs, 4 for PDPTEs,
//! 2 for PML4Es and PML5Es; each cache evicts its oldest entry. Under PAE paging only PDEs are
//! cached: the PDPTE registers are no cache and obey [`crate::arch::pdpte`].

use xxhash_rust::xxh3::Xxh3;

use crate::arch::invalidate::Scope;
use crate::arch::mode::Mode;
use crate::arch::walk::Start;
use crate::arch::{Gpa, Gva, Level};

/// Entries for PDEs, PDPTEs, PML4Es and PML5Es.
const CAPACITY: [usize; 4] = [32, 4, 2, 2];

/// A cached prefix: the table that the entries above lead to, with what they grant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PscEntry {
    /// The PCID that made it.
    pub pcid: u16,
    /// The level of the entry that is cached, 2 (PDE) to 5 (PML5E).
    pub level: u8,
    /// The linear-address bits down to that level's index.
    pub prefix: u64,
    /// The table that the entry points to.
    pub table: Gpa,
    /// AND of the entries down to this one.
    pub and: u64,
    /// OR of the entries down to this one.
    pub or: u64,
}

impl PscEntry {
    /// Where a walk that uses this entry begins.
    #[must_use]
    pub const fn start(&self) -> Start {
        Start { level: self.level - 1, table: self.table, and: self.and, or: self.or }
    }
}

/// The caches, one for each level of non-leaf entries.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Psc {
    /// Index 0 holds PDEs; oldest first.
    caches: [Vec<PscEntry>; CAPACITY.len()],
}

impl Psc {
    /// The key of an address at a level.
    #[must_use]
    pub const fn prefix(mode: Mode, level: u8, gva: Gva) -> u64 {
        gva.0 >> mode.index_shift(Level(level))
    }

    /// The deepest entry that matches an address.
    #[must_use]
    pub fn lookup(&self, mode: Mode, gva: Gva, pcid: u16) -> Option<PscEntry> {
        self.caches.iter().flatten().find(|e| e.pcid == pcid && e.prefix == Self::prefix(mode, e.level, gva)).copied()
    }

    /// Adds an entry, in place of an equal one or of the oldest of a full cache.
    pub fn insert(&mut self, entry: PscEntry) {
        let index = usize::from(entry.level - 2);
        let cache = &mut self.caches[index];
        if let Some(old) = cache.iter_mut().find(|e| e.pcid == entry.pcid && e.prefix == entry.prefix) {
            *old = entry;
            return;
        }
        if cache.len() == CAPACITY[index] {
            cache.remove(0);
        }
        cache.push(entry);
    }

    /// Removes what a scope names; returns how many entries went. INVLPG of any address removes
    /// all entries of the current PCID.
    pub fn invalidate(&mut self, mode: Mode, scope: Scope) -> usize {
        let kept = |entry: &PscEntry| match scope {
            Scope::Nothing => true,
            Scope::Page { pcid, .. } | Scope::Pcid(pcid) | Scope::PcidAndGlobal(pcid) => entry.pcid != pcid,
            Scope::PageOfPcid { gva, pcid } => {
                entry.pcid != pcid || entry.prefix != Self::prefix(mode, entry.level, gva)
            }
            Scope::AllPcids | Scope::Everything => false,
        };
        let before = self.len();
        for cache in &mut self.caches {
            cache.retain(kept);
        }
        before - self.len()
    }

    /// How many entries there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.caches.iter().map(Vec::len).sum()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.caches.iter().all(Vec::is_empty)
    }

    /// The entries, PDEs first, oldest first.
    pub fn entries(&self) -> impl Iterator<Item = &PscEntry> {
        self.caches.iter().flatten()
    }

    pub(crate) fn hash_into(&self, hasher: &mut Xxh3) {
        for entry in self.entries() {
            let words =
                [u64::from(entry.pcid), u64::from(entry.level), entry.prefix, entry.table.0, entry.and, entry.or];
            for word in words {
                hasher.update(&word.to_le_bytes());
            }
        }
    }
}
