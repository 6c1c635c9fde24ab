//! The reverse map: for each host frame of guest memory, the shadow entries that map it
//! (KVM 2.6.20 mmu.c `rmap_add`, `rmap_remove`; in the kernel it hangs in `page->private`).
//!
//! 2.6.20 tracks entries that are present and writable; later kernels every present leaf.
//!
//! Nearly every frame has one entry, so frames have a number each, in chunks; chains stand apart.

use std::sync::Arc;

use super::page::{PageId, SpteRef};
use crate::arch::Hfn;
use crate::machine::blocks::Blocks;
use crate::machine::sparse::{Changes, Sparse};

/// Frames of a chunk.
const FRAMES: usize = 1024;
/// Frames that are compared at once.
const LINE: usize = 16;

/// No entry maps the frame.
const NONE: u32 = 0;
/// The entries are in a chain.
const CHAIN: u32 = u32::MAX;
/// Pages whose entries have a number of their own; those of others stand in chains of one.
const NUMBERED_PAGES: u32 = 1 << 22;

const fn number(at: SpteRef) -> u32 {
    if at.page.0 < NUMBERED_PAGES { (at.page.0 << 9 | at.index as u32) + 1 } else { CHAIN }
}

const fn numbered(number: u32) -> Option<SpteRef> {
    match number {
        NONE | CHAIN => None,
        _ => Some(SpteRef { page: PageId((number - 1) >> 9), index: (number - 1) as u16 & 511 }),
    }
}

#[derive(Clone, Debug)]
struct Chunk {
    numbers: [u32; FRAMES],
    used: u32,
}

static NO_CHUNK: Chunk = Chunk { numbers: [NONE; FRAMES], used: 0 };

impl Chunk {
    const fn set(&mut self, slot: usize, number: u32) {
        self.used += (number != NONE) as u32;
        self.used -= (self.numbers[slot] != NONE) as u32;
        self.numbers[slot] = number;
    }
}

/// One entry, or a chain, for each frame.
#[derive(Clone, Debug, Default)]
pub struct Rmap {
    chunks: Sparse<Arc<Chunk>>,
    chains: Sparse<Arc<Vec<SpteRef>>>,
}

/// What makes a newer reverse map of an older one.
#[derive(Clone, Debug, Default)]
pub struct RmapDelta {
    /// The numbers of frames that differ.
    near: Blocks<(u32, u32)>,
    /// The same for frames beyond 2^32.
    far: Blocks<(u64, u32)>,
    chains: Changes<Arc<Vec<SpteRef>>>,
}

fn chain_bytes(chain: &Arc<Vec<SpteRef>>) -> usize {
    5 * size_of::<usize>() + chain.capacity() * size_of::<SpteRef>()
}

impl RmapDelta {
    /// About how many bytes it takes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let chains = self.chains.bytes() + self.chains.values().map(chain_bytes).sum::<usize>();
        self.near.bytes() + self.far.bytes() + chains
    }
}

const fn split(frame: u64) -> (u64, usize) {
    (frame / FRAMES as u64, frame as usize % FRAMES)
}

impl Rmap {
    fn number_of(&self, frame: u64) -> u32 {
        let (chunk, slot) = split(frame);
        self.chunks.get(chunk).map_or(NONE, |chunk| chunk.numbers[slot])
    }

    fn set_number(&mut self, frame: u64, number: u32) {
        let (chunk, slot) = split(frame);
        let place = self.chunks.slot_mut(chunk);
        let chunk = Arc::make_mut(place.get_or_insert_with(|| Arc::new(NO_CHUNK.clone())));
        chunk.set(slot, number);
        self.drop_if_unused(frame);
    }

    /// Chunks without entries take no room.
    fn drop_if_unused(&mut self, frame: u64) {
        let (chunk, _) = split(frame);
        if self.chunks.get(chunk).is_some_and(|chunk| chunk.used == 0) {
            self.chunks.remove(chunk);
        }
    }

    /// The entries that map a frame, in the order in which they were added.
    pub fn of(&self, frame: Hfn) -> impl Iterator<Item = SpteRef> + '_ {
        let number = self.number_of(frame.0);
        let chain = if number == CHAIN { self.chains.get(frame.0) } else { None };
        numbered(number).into_iter().chain(chain.into_iter().flat_map(|chain| chain.iter().copied()))
    }

    /// Adds an entry.
    pub fn add(&mut self, frame: Hfn, at: SpteRef) {
        match (self.number_of(frame.0), number(at)) {
            (NONE, number) if number != CHAIN => self.set_number(frame.0, number),
            (CHAIN, _) => Arc::make_mut(self.chains.slot_mut(frame.0).get_or_insert_default()).push(at),
            (first, _) => {
                let all = numbered(first).into_iter().chain([at]).collect();
                self.chains.set(frame.0, Arc::new(all));
                self.set_number(frame.0, CHAIN);
            }
        }
    }

    /// Removes an entry; the last takes its place, as in the kernel's chains.
    pub fn remove(&mut self, frame: Hfn, at: SpteRef) {
        let known = self.number_of(frame.0);
        if known != CHAIN {
            if numbered(known) == Some(at) {
                self.set_number(frame.0, NONE);
            }
            return;
        }
        let Some(chain) = self.chains.slot_mut(frame.0) else { return };
        if let Some(place) = chain.iter().position(|one| *one == at) {
            Arc::make_mut(chain).swap_remove(place);
        }
        let left = match chain[..] {
            [] => NONE,
            [only] => number(only),
            _ => CHAIN,
        };
        if left != CHAIN {
            self.chains.remove(frame.0);
            self.set_number(frame.0, left);
        }
    }

    /// About how many bytes `self` takes in addition to `older`, with which it shares the rest.
    #[must_use]
    pub fn bytes_beside(&self, older: &Self) -> usize {
        let chains = self.chains.bytes_beside(&older.chains, |new, old| match old {
            Some(old) if Arc::ptr_eq(new, old) => 0,
            _ => chain_bytes(new),
        });
        self.chunks.shared_bytes_beside(&older.chunks) + chains
    }

    /// What makes `newer` of this map. What they share costs nothing.
    #[must_use]
    pub fn delta_to(&self, newer: &Self) -> RmapDelta {
        let (mut near, mut far) = (Blocks::default(), Blocks::default());
        for (index, old, new) in self.chunks.unshared_slots(&newer.chunks) {
            let of = |chunk: Option<&'_ Arc<Chunk>>| -> *const Chunk { chunk.map_or(&raw const NO_CHUNK, Arc::as_ptr) };
            if std::ptr::eq(of(old), of(new)) {
                continue;
            }
            let (old, new) = (old.map_or(&NO_CHUNK, |old| old), new.map_or(&NO_CHUNK, |new| new));
            let lines = old.numbers.chunks_exact(LINE).zip(new.numbers.chunks_exact(LINE)).enumerate();
            for (line, (old, new)) in lines.filter(|(_, (old, new))| old != new) {
                let first = index * FRAMES as u64 + (line * LINE) as u64;
                let changed = old.iter().zip(new).enumerate().filter(|(_, (old, new))| old != new);
                for (slot, (_, new)) in changed {
                    let frame = first + slot as u64;
                    match u32::try_from(frame) {
                        Ok(frame) => near.push((frame, *new)),
                        Err(_) => far.push((frame, *new)),
                    }
                }
            }
        }
        let equal = |old: &Arc<Vec<SpteRef>>, new: &Arc<Vec<SpteRef>>| Arc::ptr_eq(old, new) || old == new;
        RmapDelta { near, far, chains: self.chains.changes_to(&newer.chains, equal) }
    }

    /// Makes the newer map of the older one.
    pub fn apply(&mut self, delta: &RmapDelta) {
        for block in delta.near.blocks() {
            self.apply_sorted(block, |(frame, number)| (u64::from(*frame), *number));
        }
        for block in delta.far.blocks() {
            self.apply_sorted(block, |pair| *pair);
        }
        self.chains.apply(&delta.chains);
    }

    fn apply_sorted<T>(&mut self, pairs: &[T], pair: impl Fn(&T) -> (u64, u32)) {
        let chunk_of = |item: &T| split(pair(item).0).0;
        for of_chunk in pairs.chunk_by(|a, b| chunk_of(a) == chunk_of(b)) {
            let place = self.chunks.slot_mut(chunk_of(&of_chunk[0]));
            let chunk = Arc::make_mut(place.get_or_insert_with(|| Arc::new(NO_CHUNK.clone())));
            for (frame, number) in of_chunk.iter().map(&pair) {
                chunk.set(split(frame).1, number);
            }
            self.drop_if_unused(pair(&of_chunk[0]).0);
        }
    }

    /// Every frame that is mapped.
    pub fn frames(&self) -> impl Iterator<Item = Hfn> {
        self.chunks.iter().flat_map(|(index, chunk)| {
            let used = chunk.numbers.iter().enumerate().filter(|(_, number)| **number != NONE);
            used.map(move |(slot, _)| Hfn(index * FRAMES as u64 + slot as u64))
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    /// The map, its states by deltas, and plain chains tell the same, whatever comes and goes.
    #[test]
    fn it_holds_what_was_added() {
        let (mut rmap, mut plain, mut state) = (Rmap::default(), BTreeMap::<u64, Vec<SpteRef>>::new(), 1u64);
        let mut older = rmap.clone();
        for round in 0..20_000 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let (frame, index) = ((state >> 33) % 40 * 397 + (state >> 40) % 2 * (1 << 33), (state >> 50) as u16 % 5);
            let page = PageId(if state >> 60 == 0 { NUMBERED_PAGES } else { 3 });
            let at = SpteRef { page, index };
            let chain = plain.entry(frame).or_default();
            match chain.iter().position(|one| *one == at) {
                Some(place) => {
                    chain.swap_remove(place);
                    rmap.remove(Hfn(frame), at);
                }
                None => {
                    chain.push(at);
                    rmap.add(Hfn(frame), at);
                }
            }
            rmap.remove(Hfn(frame), SpteRef { page: PageId(9), index });
            if round % 1000 == 0 {
                let delta = older.delta_to(&rmap);
                older.apply(&delta);
                for (frame, chain) in &plain {
                    assert_eq!(rmap.of(Hfn(*frame)).collect::<Vec<_>>(), *chain);
                    assert_eq!(older.of(Hfn(*frame)).collect::<Vec<_>>(), *chain);
                }
                let used = plain.values().filter(|chain| !chain.is_empty()).count();
                assert_eq!((rmap.frames().count(), older.frames().count()), (used, used));
                older = rmap.clone();
                assert_eq!((rmap.bytes_beside(&older), older.delta_to(&rmap).bytes()), (0, 0));
            }
        }
    }
}
