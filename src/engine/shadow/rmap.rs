//! The reverse map: for each host frame of guest memory, the shadow entries that map it
//! (KVM 2.6.20 mmu.c `rmap_add`, `rmap_remove`; in the kernel it hangs in `page->private`).
//!
//! 2.6.20 tracks entries that are present and writable; later kernels every present leaf.

use std::sync::Arc;

use super::page::{Parents, SpteRef};
use crate::arch::Hfn;
use crate::machine::sparse::Sparse;

/// One pointer, or a chain, for each frame.
#[derive(Clone, Debug, Default)]
pub struct Rmap(Sparse<Arc<Parents>>);

/// What a reverse map differs in from an older one: the frames with their entries.
#[derive(Clone, Debug)]
pub struct RmapDelta(Vec<(u64, Option<Arc<Parents>>)>);

impl RmapDelta {
    /// About how many bytes it takes.
    pub fn bytes(&self) -> usize {
        let own = |(_, parents): &(u64, Option<Arc<Parents>>)| match parents {
            Some(parents) => 16 + size_of::<Parents>() + size_of_val(parents.as_slice()),
            None => 0,
        };
        size_of_val(&*self.0) + self.0.iter().map(own).sum::<usize>()
    }
}

impl Rmap {
    /// Takes everything out; returns what it differs in from an older map.
    pub fn take_delta_from(&mut self, older: &Self) -> RmapDelta {
        let new = std::mem::take(&mut self.0);
        RmapDelta(new.changes_since(&older.0).map(|(frame, _, entries)| (frame, entries.cloned())).collect())
    }

    /// The opposite of [`Rmap::take_delta_from`].
    pub fn put_delta(&mut self, older: Self, delta: &RmapDelta) {
        self.0 = older.0;
        for (frame, entries) in &delta.0 {
            *self.0.slot_mut(*frame) = entries.clone();
        }
    }

    /// The entries that map a frame, in the order in which they were added.
    #[must_use]
    pub fn of(&self, frame: Hfn) -> &[SpteRef] {
        self.0.get(frame.0).map_or(&[], |entries| entries.as_slice())
    }

    /// Adds an entry.
    pub fn add(&mut self, frame: Hfn, at: SpteRef) {
        Arc::make_mut(self.0.slot_mut(frame.0).get_or_insert_default()).add(at);
    }

    /// Removes an entry.
    pub fn remove(&mut self, frame: Hfn, at: SpteRef) {
        if let Some(entries) = self.0.slot_mut(frame.0) {
            let entries = Arc::make_mut(entries);
            entries.remove(at);
            if *entries == Parents::None {
                self.0.remove(frame.0);
            }
        }
    }

    /// About how many bytes `self` takes in addition to `older`, with which it shares the rest.
    #[must_use]
    pub fn bytes_beside(&self, older: &Self) -> usize {
        self.0.shared_bytes_beside(&older.0)
    }

    /// Every frame with its entries.
    pub fn iter(&self) -> impl Iterator<Item = (Hfn, &[SpteRef])> {
        self.0.iter().map(|(frame, entries)| (Hfn(frame), entries.as_slice()))
    }
}
