//! The reverse map: for each host frame of guest memory, the shadow entries that map it
//! (KVM 2.6.20 mmu.c `rmap_add`, `rmap_remove`; in the kernel it hangs in `page->private`).
//!
//! 2.6.20 tracks entries that are present and writable; later kernels every present leaf.

use super::page::{Parents, SpteRef};
use crate::arch::Hfn;
use crate::machine::sparse::Sparse;

/// One pointer, or a chain, for each frame.
#[derive(Clone, Debug, Default)]
pub struct Rmap(Sparse<Parents>);

impl Rmap {
    /// The entries that map a frame, in the order in which they were added.
    #[must_use]
    pub fn of(&self, frame: Hfn) -> &[SpteRef] {
        self.0.get(frame.0).map_or(&[], Parents::as_slice)
    }

    /// Adds an entry.
    pub fn add(&mut self, frame: Hfn, at: SpteRef) {
        self.0.slot_mut(frame.0).get_or_insert_default().add(at);
    }

    /// Removes an entry.
    pub fn remove(&mut self, frame: Hfn, at: SpteRef) {
        match self.0.get(frame.0) {
            None => {}
            Some(Parents::One(one)) if *one == at => {
                self.0.remove(frame.0);
            }
            Some(_) => {
                if let Some(entries) = self.0.slot_mut(frame.0) {
                    entries.remove(at);
                }
            }
        }
    }

    /// About how many bytes `self` takes in addition to `older`, with which it shares the rest.
    #[must_use]
    pub fn bytes_beside(&self, older: &Self) -> usize {
        self.0.bytes_beside(&older.0, Parents::bytes_beside)
    }

    /// Every frame with its entries.
    pub fn iter(&self) -> impl Iterator<Item = (Hfn, &[SpteRef])> {
        self.0.iter().map(|(frame, entries)| (Hfn(frame), entries.as_slice()))
    }
}
