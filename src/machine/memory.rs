//! Guest-physical memory: sparse over 52 bits, shared between snapshots until written.
//!
//! Pages stand in a [`Sparse`] array by frame number: a walk finds a word below 16 GiB in five
//! loads, a clone is two reference counts, the first write to a page afterwards copies that page and
//! the way to it in the array.

use std::sync::Arc;

use xxhash_rust::xxh3::Xxh3;

use crate::arch::address::{MAX_PHYSICAL_WIDTH, PAGE_SIZE, bits};
use crate::arch::walk::TableMemory;
use crate::arch::{Gfn, Gpa};

use super::blocks::Blocks;
use super::sparse::{LEAF_SLOTS, Slots, Sparse};

const WORDS: usize = (PAGE_SIZE / 8) as usize;

/// One 4 KiB page, as 512 little-endian words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page([u64; WORDS]);

impl Page {
    const ZERO: Self = Self([0; WORDS]);

    /// The words of the page.
    #[must_use]
    pub const fn words(&self) -> &[u64; WORDS] {
        &self.0
    }

    fn is_zero(&self) -> bool {
        self.0.iter().all(|word| *word == 0)
    }
}

/// Sparse memory; every byte that was never written is zero.
#[derive(Clone, Debug, Default)]
pub struct Memory {
    pages: Sparse<Arc<Page>>,
    page_count: usize,
}

/// A word that differs between two memories.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WordDiff {
    /// Where it lies, a multiple of 8.
    pub gpa: Gpa,
    /// Its value in the first memory.
    pub old: u64,
    /// Its value in the second.
    pub new: u64,
}

/// What makes one memory of an older one: words of pages that both have, and pages that only it has.
#[derive(Clone, Debug, Default)]
pub(crate) struct Delta {
    /// Words of which only low bits differ, mostly A and D of an entry: the number of the word, and those bits.
    bits: Blocks<u64>,
    /// Other words.
    words: Blocks<(Gpa, u64)>,
    pages: Vec<(Gfn, Arc<Page>)>,
}

/// Low bits that [`Delta::bits`] has room for beside the number of the word.
const LOW_BITS: u32 = 24;

impl Delta {
    fn push(&mut self, gpa: Gpa, old: u64, new: u64) {
        let (number, bits) = (gpa.0 >> 3, old ^ new);
        if bits >> LOW_BITS == 0 && number >> (64 - LOW_BITS) == 0 {
            self.bits.push(number << LOW_BITS | bits);
        } else {
            self.words.push((gpa, new));
        }
    }

    /// How many words and pages there are.
    #[cfg(test)]
    fn len(&self) -> usize {
        self.bits.len() + self.words.len() + self.pages.len()
    }

    /// About how many bytes it takes beside another of the same older memory.
    pub(crate) fn bytes_beside(&self, other: Option<&Self>) -> usize {
        let known = |gfn: Gfn, page: &Arc<Page>| {
            let pages = other.map_or(&[][..], |other| &other.pages);
            let at = pages.binary_search_by_key(&gfn, |(gfn, _)| *gfn);
            at.is_ok_and(|at| Arc::ptr_eq(&pages[at].1, page))
        };
        let own = self.pages.iter().filter(|(gfn, page)| !known(*gfn, page)).count();
        let pages = size_of_val(&*self.pages) + own * (size_of::<Page>() + 2 * size_of::<usize>());
        self.bits.bytes() + self.words.bytes() + pages
    }
}

/// The place of a frame: no address has more than [`MAX_PHYSICAL_WIDTH`] bits.
const fn place(gfn: Gfn) -> u64 {
    gfn.0 & bits(0, MAX_PHYSICAL_WIDTH - 13)
}

impl TableMemory for Memory {
    #[inline]
    fn read_u64(&self, gpa: Gpa) -> u64 {
        match self.page(gpa.gfn()) {
            Some(page) => page.0[(gpa.0 >> 3) as usize & (WORDS - 1)],
            None => 0,
        }
    }
}

impl Memory {
    /// The page of a frame, unless nothing was ever written there.
    #[must_use]
    #[inline]
    pub fn page(&self, gfn: Gfn) -> Option<&Page> {
        self.pages.get(place(gfn)).map(|page| &**page)
    }

    fn page_mut(&mut self, gfn: Gfn) -> &mut Page {
        let page = self.pages.slot_mut(place(gfn));
        self.page_count += usize::from(page.is_none());
        Arc::make_mut(page.get_or_insert_with(|| Arc::new(Page::ZERO)))
    }

    /// Stores an aligned 8-byte word (the low three bits of `gpa` are ignored).
    #[inline]
    pub fn write_u64(&mut self, gpa: Gpa, value: u64) {
        if value == 0 && self.page(gpa.gfn()).is_none() {
            return;
        }
        self.page_mut(gpa.gfn()).0[(gpa.0 >> 3) as usize & (WORDS - 1)] = value;
    }

    /// Reads `size` bytes (1 to 8) at any address, little-endian; bytes past a page end come from
    /// the next frame.
    #[must_use]
    pub fn read(&self, gpa: Gpa, size: u32) -> u64 {
        let shift = (gpa.0 & 7) * 8;
        let first = self.read_u64(gpa) >> shift;
        let rest = if shift + u64::from(size) * 8 > 64 { self.read_u64(gpa.offset(8)) << (64 - shift) } else { 0 };
        (first | rest) & low_bytes(size)
    }

    /// Stores the low `size` bytes (1 to 8) of `value` at any address.
    pub fn write(&mut self, gpa: Gpa, size: u32, value: u64) {
        let shift = (gpa.0 & 7) * 8;
        let mask = low_bytes(size);
        let value = value & mask;
        let first = self.read_u64(gpa) & !(mask << shift) | value << shift;
        self.write_u64(gpa, first);
        if shift + u64::from(size) * 8 > 64 {
            let next = gpa.offset(8);
            let kept = self.read_u64(next) & !(mask >> (64 - shift));
            self.write_u64(next, kept | value >> (64 - shift));
        }
    }

    /// Stores bytes from `gpa` on: how a memory image comes in.
    pub fn write_bytes(&mut self, gpa: Gpa, bytes: &[u8]) {
        for (i, chunk) in bytes.chunks(8).enumerate() {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.write(gpa.offset(8 * i as u64), chunk.len() as u32, u64::from_le_bytes(word));
        }
    }

    /// The pages that were ever written, by frame number.
    pub fn pages(&self) -> impl Iterator<Item = (Gfn, &Page)> {
        self.pages.iter().map(|(gfn, page)| (Gfn(gfn), &**page))
    }

    /// How many pages were ever written.
    #[must_use]
    pub const fn page_count(&self) -> usize {
        self.page_count
    }

    /// About how many bytes `self` takes in addition to `older`, with which it shares the rest.
    #[must_use]
    pub fn bytes_beside(&self, older: &Self) -> usize {
        self.pages.shared_bytes_beside(&older.pages)
    }

    /// Whether the two share everything.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        self.pages.is_same(&other.pages)
    }

    /// The pages that the two do not share, those that only one has included.
    pub fn unshared<'a>(&'a self, newer: &'a Self) -> impl Iterator<Item = (Gfn, Option<&'a Page>, Option<&'a Page>)> {
        self.pages.unshared(&newer.pages).flat_map(|(first, old, new)| {
            let at = |slots: Option<&'a Slots<Arc<Page>>>, i: usize| slots.and_then(|slots| slots[i].as_deref());
            (0..LEAF_SLOTS).filter_map(move |i| match (at(old, i), at(new, i)) {
                (None, None) => None,
                (Some(a), Some(b)) if std::ptr::eq(a, b) => None,
                (old, new) => Some((Gfn(first + i as u64), old, new)),
            })
        })
    }

    /// The words in which `newer` differs from `self`, by address. Shared pages cost nothing.
    #[must_use]
    pub fn diff(&self, newer: &Self) -> Vec<WordDiff> {
        let mut found = Vec::new();
        for (gfn, old, new) in self.unshared(newer) {
            for i in 0..WORDS {
                let (old, new) = (old.map_or(0, |page| page.0[i]), new.map_or(0, |page| page.0[i]));
                if old != new {
                    found.push(WordDiff { gpa: gfn.base().offset(8 * i as u64), old, new });
                }
            }
        }
        found
    }

    /// What makes `newer` of this memory, from which it came.
    #[must_use]
    pub(crate) fn delta_to(&self, newer: &Self) -> Delta {
        let mut delta = Delta::default();
        for (first, old, new) in self.pages.unshared(&newer.pages) {
            for (slot, page) in new.into_iter().flatten().enumerate() {
                let (Some(page), gfn) = (page, Gfn(first + slot as u64)) else { continue };
                match old.and_then(|old| old[slot].as_ref()) {
                    None => delta.pages.push((gfn, Arc::clone(page))),
                    Some(old) if Arc::ptr_eq(old, page) => {}
                    Some(old) => {
                        // Lines of eight words are compared at once: most are equal.
                        let lines = old.0.as_chunks::<8>().0.iter().zip(page.0.as_chunks::<8>().0).enumerate();
                        for (line, (old, new)) in lines.filter(|(_, (old, new))| old != new) {
                            let changed = old.iter().zip(new).enumerate().filter(|(_, (old, new))| old != new);
                            let at = |i: usize| gfn.base().offset(8 * (8 * line + i) as u64);
                            changed.for_each(|(i, (old, new))| delta.push(at(i), *old, *new));
                        }
                    }
                }
            }
        }
        delta.pages.shrink_to_fit();
        delta
    }

    /// Makes the newer memory of the older one.
    pub(crate) fn apply(&mut self, delta: &Delta) {
        for (gfn, page) in &delta.pages {
            *self.pages.slot_mut(place(*gfn)) = Some(Arc::clone(page));
        }
        self.page_count += delta.pages.len();
        let words_of_page = WORDS.trailing_zeros() + LOW_BITS;
        for block in delta.bits.blocks() {
            for of_page in block.chunk_by(|a, b| a >> words_of_page == b >> words_of_page) {
                let page = self.page_mut(Gfn(of_page[0] >> words_of_page));
                for word in of_page {
                    page.0[(word >> LOW_BITS) as usize & (WORDS - 1)] ^= word & bits(0, LOW_BITS - 1);
                }
            }
        }
        for block in delta.words.blocks() {
            for of_page in block.chunk_by(|(a, _), (b, _)| a.gfn() == b.gfn()) {
                let page = self.page_mut(of_page[0].0.gfn());
                for (gpa, value) in of_page {
                    page.0[(gpa.0 >> 3) as usize & (WORDS - 1)] = *value;
                }
            }
        }
    }

    pub(crate) fn hash_into(&self, hasher: &mut Xxh3) {
        for (gfn, page) in self.pages().filter(|(_, page)| !page.is_zero()) {
            hasher.update(&gfn.0.to_le_bytes());
            let mut bytes = [0; PAGE_SIZE as usize];
            for (bytes, word) in bytes.chunks_exact_mut(8).zip(page.words()) {
                bytes.copy_from_slice(&word.to_le_bytes());
            }
            hasher.update(&bytes);
        }
    }
}

/// A mask of the low `size` bytes, 1 to 8.
const fn low_bytes(size: u32) -> u64 {
    bits(0, size * 8 - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_far_apart() {
        let mut memory = Memory::default();
        let addresses = [0, 0x1008, 0xffff_fff8, 0x1_0000_0000, (1 << 52) - 8];
        for (i, address) in addresses.into_iter().enumerate() {
            memory.write_u64(Gpa(address), i as u64 + 1);
        }
        for (i, address) in addresses.into_iter().enumerate() {
            assert_eq!(memory.read_u64(Gpa(address)), i as u64 + 1);
        }
        assert_eq!(memory.page_count(), 5);
        assert_eq!(memory.read_u64(Gpa(0x2000)), 0);
    }

    #[test]
    fn bytes_across_words_and_pages() {
        let mut memory = Memory::default();
        memory.write(Gpa(0xffd), 8, 0x1122_3344_5566_7788);
        assert_eq!(memory.read(Gpa(0xffd), 8), 0x1122_3344_5566_7788);
        assert_eq!(memory.read(Gpa(0xfff), 1), 0x66);
        assert_eq!(memory.read(Gpa(0x1000), 2), 0x4455);
        memory.write(Gpa(0xffe), 2, 0);
        assert_eq!(memory.read(Gpa(0xffd), 8), 0x1122_3344_5500_0088);
    }

    #[test]
    fn a_snapshot_keeps_what_it_saw() {
        let mut memory = Memory::default();
        memory.write_u64(Gpa(0x3000), 1);
        let before = memory.clone();
        memory.write_u64(Gpa(0x3000), 2);
        memory.write_u64(Gpa(0x9_0000_0000), 3);
        assert_eq!(before.read_u64(Gpa(0x3000)), 1);
        let diff = before.diff(&memory);
        assert_eq!(diff.len(), 2);
        assert_eq!(diff[0], WordDiff { gpa: Gpa(0x3000), old: 1, new: 2 });
        assert!(memory.diff(&memory.clone()).is_empty());
    }

    #[test]
    fn a_delta_makes_the_newer_memory() {
        let mut old = Memory::default();
        (0..40).for_each(|i| old.write_u64(Gpa(i << 12 | 8), i));
        let mut new = old.clone();
        for (gpa, value) in
            [(0x3008, 7), (0x3ff8, 9), (0x5008, 0), (0x80_0000, 4), (0x9_0000_0010, 5), (0x7008, 7 | 1 << 40)]
        {
            new.write_u64(Gpa(gpa), value);
        }
        let delta = old.delta_to(&new);
        assert_eq!((delta.len(), delta.words.len()), (6, 1));
        assert!(delta.bytes_beside(Some(&delta)) < delta.bytes_beside(None));
        old.apply(&delta);
        assert!(old.diff(&new).is_empty());
        assert_eq!(old.page_count(), new.page_count());
    }

    #[test]
    fn images() {
        let mut memory = Memory::default();
        memory.write_bytes(Gpa(0x1ffc), &[1, 2, 3, 4, 5, 6, 7, 8, 9]);
        assert_eq!(memory.read(Gpa(0x1ffc), 8), 0x0807_0605_0403_0201);
        assert_eq!(memory.read(Gpa(0x2004), 8), 9);
    }
}
