//! The translation lookaside buffer (SDM 4.10.2).
//!
//! Sized like the first-level data TLB of recent Intel cores: 64 entries for 4 KiB pages in 16 sets
//! of 4, 32 for 2 and 4 MiB pages in 8 sets of 4, and 4 for 1 GiB pages. A set evicts its oldest
//! entry, so that what the hardware remembers is a function of the commands alone.

use xxhash_rust::xxh3::Xxh3;

use crate::arch::invalidate::Scope;
use crate::arch::{Gva, Rights};

const WAYS: usize = 4;
const SMALL_SETS: usize = 16;
const LARGE_SETS: usize = 8;

/// One cached translation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TlbEntry {
    /// The PCID that made it; any PCID may use it if it is global.
    pub pcid: u16,
    /// The first linear address of the page.
    pub page: Gva,
    /// log2 of the page's size: 12, 21, 22 or 30.
    pub shift: u8,
    /// log2 of the guest's page of which this entry is a piece; `shift` where it is the whole page.
    /// INVLPG of any address in it removes every piece.
    pub span: u8,
    /// The first byte of the page, in the physical space of the hardware that runs.
    pub frame: u64,
    /// What the path granted.
    pub rights: Rights,
    /// The leaf had D set: the entry serves writes.
    pub dirty: bool,
    /// The leaf had G set while CR4.PGE was 1.
    pub global: bool,
}

impl TlbEntry {
    #[inline]
    fn serves(&self, gva: Gva, pcid: u16) -> bool {
        (self.page.0 ^ gva.0) >> self.shift == 0 && (self.pcid == pcid || self.global)
    }

    fn is_piece_of(&self, gva: Gva) -> bool {
        (self.page.0 ^ gva.0) >> self.span == 0
    }

    /// The physical address of `gva`, which the entry must cover.
    #[must_use]
    #[inline]
    pub const fn physical(&self, gva: Gva) -> u64 {
        self.frame | gva.0 & ((1 << self.shift) - 1)
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Default)]
struct Set {
    /// Oldest first.
    ways: [Option<TlbEntry>; WAYS],
}

impl Set {
    fn insert(&mut self, entry: TlbEntry) {
        let same = |old: &TlbEntry| old.page == entry.page && old.shift == entry.shift && old.pcid == entry.pcid;
        let replaced = self.ways.iter().position(|way| way.as_ref().is_some_and(same));
        let free = || self.ways.iter().position(Option::is_none);
        match replaced.or_else(free) {
            Some(way) => self.ways[way] = Some(entry),
            None => {
                self.ways.rotate_left(1);
                self.ways[WAYS - 1] = Some(entry);
            }
        }
    }

    fn remove_if(&mut self, gone: impl Fn(&TlbEntry) -> bool) -> usize {
        if !self.ways.iter().flatten().any(&gone) {
            return 0;
        }
        let before = self.len();
        let mut kept = self.ways.into_iter().flatten().filter(|entry| !gone(entry));
        self.ways = std::array::from_fn(|_| kept.next());
        before - self.len()
    }

    fn len(&self) -> usize {
        self.ways.iter().flatten().count()
    }
}

/// The buffer.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Tlb {
    small: [Set; SMALL_SETS],
    large: [Set; LARGE_SETS],
    huge: Set,
    len: usize,
    /// A piece of a larger guest page has been cached since the buffer was last empty: the entries
    /// of one page may then stand in any set.
    pieces: bool,
}

impl Tlb {
    fn set_of(&self, gva: Gva, shift: u32) -> &Set {
        match shift {
            12 => &self.small[(gva.0 >> 12) as usize % SMALL_SETS],
            30 => &self.huge,
            // 2 and 4 MiB pages share sets, chosen by a bit range that both have.
            _ => &self.large[(gva.0 >> 22) as usize % LARGE_SETS],
        }
    }

    fn set_of_mut(&mut self, gva: Gva, shift: u32) -> &mut Set {
        match shift {
            12 => &mut self.small[(gva.0 >> 12) as usize % SMALL_SETS],
            30 => &mut self.huge,
            _ => &mut self.large[(gva.0 >> 22) as usize % LARGE_SETS],
        }
    }

    /// The entry that serves an address in a PCID; the smallest page first.
    #[must_use]
    #[inline]
    pub fn lookup(&self, gva: Gva, pcid: u16) -> Option<&TlbEntry> {
        if self.len == 0 {
            return None;
        }
        let find = |set: &'_ Set| -> Option<usize> {
            set.ways.iter().position(|way| way.as_ref().is_some_and(|entry| entry.serves(gva, pcid)))
        };
        for shift in [12, 21, 30] {
            let set = self.set_of(gva, shift);
            if let Some(way) = find(set) {
                return set.ways[way].as_ref();
            }
        }
        None
    }

    /// Whether any entry stands for (a piece of) the page of an address, usable in a PCID.
    #[must_use]
    pub fn has_piece_of(&self, gva: Gva, pcid: u16) -> bool {
        if !self.pieces {
            return self.lookup(gva, pcid).is_some();
        }
        self.entries().any(|entry| entry.is_piece_of(gva) && (entry.pcid == pcid || entry.global))
    }

    /// Adds an entry, in place of an equal one or of the oldest of a full set.
    pub fn insert(&mut self, entry: TlbEntry) {
        self.pieces |= entry.span != entry.shift;
        let set = self.set_of_mut(entry.page, u32::from(entry.shift));
        let before = set.len();
        set.insert(entry);
        let grown = set.len() - before;
        self.len += grown;
    }

    /// Removes what a scope names; returns how many entries went.
    pub fn invalidate(&mut self, scope: Scope) -> usize {
        let gone = |entry: &TlbEntry| match scope {
            Scope::Nothing => false,
            Scope::Page { gva, pcid } => entry.is_piece_of(gva) && (entry.pcid == pcid || entry.global),
            Scope::PageOfPcid { gva, pcid } => entry.is_piece_of(gva) && entry.pcid == pcid && !entry.global,
            Scope::Pcid(pcid) => entry.pcid == pcid && !entry.global,
            Scope::PcidAndGlobal(pcid) => entry.pcid == pcid || entry.global,
            Scope::AllPcids => !entry.global,
            Scope::Everything => true,
        };
        let removed = match scope {
            Scope::Page { gva, .. } | Scope::PageOfPcid { gva, .. } if !self.pieces => {
                [12, 21, 30].into_iter().map(|shift| self.set_of_mut(gva, shift).remove_if(gone)).sum()
            }
            _ => {
                let sets = self.small.iter_mut().chain(&mut self.large).chain(std::iter::once(&mut self.huge));
                sets.map(|set| set.remove_if(gone)).sum::<usize>()
            }
        };
        self.len -= removed;
        self.pieces &= self.len > 0;
        removed
    }

    /// How many entries there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The entries, 4 KiB pages first, by set, oldest first.
    pub fn entries(&self) -> impl Iterator<Item = &TlbEntry> {
        let sets = self.small.iter().chain(&self.large).chain(std::iter::once(&self.huge));
        sets.flat_map(|set| set.ways.iter().flatten())
    }

    pub(crate) fn hash_into(&self, hasher: &mut Xxh3) {
        for entry in self.entries() {
            let Rights { rw, us, xd, key } = entry.rights;
            let flags = [rw, us, xd, entry.dirty, entry.global].map(u8::from);
            hasher.update(&entry.pcid.to_le_bytes());
            hasher.update(&entry.page.0.to_le_bytes());
            hasher.update(&entry.frame.to_le_bytes());
            hasher.update(&[entry.shift, entry.span, key]);
            hasher.update(&flags);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(page: u64, shift: u8, pcid: u16, global: bool) -> TlbEntry {
        let rights = Rights { rw: true, us: true, xd: false, key: 0 };
        TlbEntry {
            pcid,
            page: Gva(page),
            shift,
            span: shift,
            frame: page ^ 0x100_0000_0000,
            rights,
            dirty: true,
            global,
        }
    }

    #[test]
    fn a_set_evicts_its_oldest() {
        let mut tlb = Tlb::default();
        for i in 0..5u64 {
            tlb.insert(entry(i << 16, 12, 0, false));
        }
        assert_eq!(tlb.len(), 4);
        assert!(tlb.lookup(Gva(0), 0).is_none());
        assert!(tlb.lookup(Gva(4 << 16 | 0xabc), 0).is_some());
    }

    #[test]
    fn each_scope() {
        let filled = || {
            let mut tlb = Tlb::default();
            tlb.insert(entry(0x1000, 12, 1, false));
            tlb.insert(entry(0x2000, 12, 2, false));
            tlb.insert(entry(0x3000, 12, 1, true));
            tlb.insert(entry(0x4000_0000, 21, 1, false));
            tlb
        };
        let left = |scope| {
            let mut tlb = filled();
            let removed = tlb.invalidate(scope);
            assert_eq!(tlb.len(), 4 - removed);
            assert_eq!(tlb.entries().count(), tlb.len());
            tlb.entries().map(|e| e.page.0).collect::<Vec<_>>()
        };
        assert_eq!(left(Scope::Nothing).len(), 4);
        assert_eq!(left(Scope::Page { gva: Gva(0x3abc), pcid: 7 }), [0x1000, 0x2000, 0x4000_0000]);
        assert_eq!(left(Scope::Page { gva: Gva(0x4000_1234), pcid: 1 }), [0x1000, 0x2000, 0x3000]);
        assert_eq!(left(Scope::PageOfPcid { gva: Gva(0x3abc), pcid: 1 }).len(), 4);
        assert_eq!(left(Scope::Pcid(1)), [0x2000, 0x3000]);
        assert_eq!(left(Scope::PcidAndGlobal(2)), [0x1000, 0x4000_0000]);
        assert_eq!(left(Scope::AllPcids), [0x3000]);
        assert!(left(Scope::Everything).is_empty());
    }

    #[test]
    fn every_piece_of_a_page_goes_with_it() {
        let mut tlb = Tlb::default();
        let piece = |page| TlbEntry { span: 21, ..entry(page, 12, 0, false) };
        tlb.insert(piece(0x20_1000));
        tlb.insert(piece(0x20_2000));
        tlb.insert(entry(0x40_1000, 12, 0, false));
        assert!(tlb.has_piece_of(Gva(0x20_5000), 0));
        assert_eq!(tlb.invalidate(Scope::Page { gva: Gva(0x20_5000), pcid: 0 }), 2);
        assert_eq!(tlb.invalidate(Scope::Page { gva: Gva(0x40_5000), pcid: 0 }), 0);
        assert_eq!(tlb.invalidate(Scope::Page { gva: Gva(0x40_1fff), pcid: 0 }), 1);
        assert!(tlb.is_empty());
    }

    #[test]
    fn a_global_entry_serves_every_pcid() {
        let mut tlb = Tlb::default();
        tlb.insert(entry(0x3000, 12, 1, true));
        tlb.insert(entry(0x1000, 12, 1, false));
        assert!(tlb.lookup(Gva(0x3000), 9).is_some());
        assert!(tlb.lookup(Gva(0x1000), 9).is_none());
    }
}
