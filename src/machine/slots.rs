//! Memory slots: which guest frames exist and which host frames back them
//! (KVM_SET_USER_MEMORY_REGION, KVM_GET_DIRTY_LOG).

use std::collections::BTreeSet;
use std::sync::Arc;

use xxhash_rust::xxh3::Xxh3;

use crate::arch::address::{PAGE_SHIFT, PAGE_SIZE};
use crate::arch::{Gfn, Gpa, Hfn};
use crate::language::Language;
use crate::tr;

/// Where the host keeps the first frame of the first slot.
const FIRST_HOST_FRAME: u64 = 0x10c00;
/// Frames of the host: 51 address bits, so that bit 51 of an entry is free to mark MMIO.
const HOST_FRAMES: u64 = 1 << 39;

/// One slot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slot {
    /// Its first frame.
    pub base: Gfn,
    /// Its length in frames.
    pub frames: u64,
    /// The host frame behind the first one.
    pub host: Hfn,
    /// The frames written since the log was last read; absent while logging is off.
    pub dirty: Option<BTreeSet<Gfn>>,
}

impl Slot {
    /// Whether a frame lies in this slot.
    #[must_use]
    pub const fn contains(&self, gfn: Gfn) -> bool {
        gfn.0 >= self.base.0 && gfn.0 - self.base.0 < self.frames
    }
}

/// Why a slot cannot be changed as asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[error("{}", self.say(Language::En))]
pub enum SlotError {
    /// A slot begins and ends on a page boundary and has at least one page.
    Unaligned,
    /// It would overlap the slot at this frame.
    Overlap(Gfn),
    /// No slot begins there.
    Missing,
}

impl SlotError {
    /// In words.
    #[must_use]
    pub fn say(self, language: Language) -> String {
        match self {
            Self::Unaligned => {
                tr!(language, "a memory slot begins and ends on a 4 KiB boundary and is not empty").to_owned()
            }
            Self::Overlap(gfn) => {
                tr!(language, "it overlaps the slot at {place}", place = format!("{:#x}", gfn.base().0))
            }
            Self::Missing => tr!(language, "no memory slot begins there").to_owned(),
        }
    }
}

/// All slots, by first frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slots {
    slots: Arc<Vec<Slot>>,
    next_host: Hfn,
}

impl Slots {
    /// One slot of `ram` bytes (a multiple of 4096) from address 0.
    #[must_use]
    pub fn with_ram(ram: u64) -> Self {
        let mut slots = Self { slots: Arc::default(), next_host: Hfn(FIRST_HOST_FRAME) };
        if ram > 0 {
            slots.push(Gfn(0), ram >> PAGE_SHIFT);
        }
        slots
    }

    fn push(&mut self, base: Gfn, frames: u64) {
        let slots = Arc::make_mut(&mut self.slots);
        let at = slots.partition_point(|slot| slot.base < base);
        slots.insert(at, Slot { base, frames, host: self.next_host, dirty: None });
        self.next_host = Hfn(self.next_host.0.saturating_add(frames));
    }

    /// The slots, by first frame.
    #[must_use]
    pub fn all(&self) -> &[Slot] {
        &self.slots
    }

    /// The slot of a frame.
    #[must_use]
    pub fn find(&self, gfn: Gfn) -> Option<&Slot> {
        let after = self.slots.partition_point(|slot| slot.base <= gfn);
        self.slots[..after].last().filter(|slot| slot.contains(gfn))
    }

    /// The first frame at or above this one that lies in a slot.
    #[must_use]
    pub fn first_from(&self, gfn: Gfn) -> Option<Gfn> {
        let next = || self.slots.iter().map(|slot| slot.base).find(|base| *base > gfn);
        self.find(gfn).map(|_| gfn).or_else(next)
    }

    /// The host frame behind a guest frame. What a slot has beyond the host's own memory has none:
    /// there a hypervisor carries accesses out by itself.
    #[must_use]
    pub fn host_frame(&self, gfn: Gfn) -> Option<Hfn> {
        let frame = self.find(gfn).map(|slot| Hfn(slot.host.0.saturating_add(gfn.0 - slot.base.0)));
        frame.filter(|frame| frame.0 < HOST_FRAMES)
    }

    /// The guest frame that a host frame stands behind.
    #[must_use]
    pub fn guest_frame(&self, hfn: Hfn) -> Option<Gfn> {
        let behind = |slot: &&Slot| hfn.0.wrapping_sub(slot.host.0) < slot.frames;
        self.slots.iter().find(behind).map(|slot| Gfn(slot.base.0 + (hfn.0 - slot.host.0)))
    }

    /// How many bytes of memory the guest has, from the lowest slot to the end of the highest.
    #[must_use]
    pub fn end(&self) -> Gpa {
        self.slots.last().map_or(Gpa(0), |slot| Gfn(slot.base.0 + slot.frames).base())
    }

    /// Adds a slot.
    ///
    /// # Errors
    /// [`SlotError::Unaligned`], [`SlotError::Overlap`].
    pub fn add(&mut self, gpa: Gpa, size: u64) -> Result<(), SlotError> {
        if !gpa.0.is_multiple_of(PAGE_SIZE) || !size.is_multiple_of(PAGE_SIZE) || size == 0 {
            return Err(SlotError::Unaligned);
        }
        let (base, frames) = (gpa.gfn(), size >> PAGE_SHIFT);
        let end = base.0.saturating_add(frames);
        let overlaps = |slot: &&Slot| slot.base.0 < end && base.0 < slot.base.0 + slot.frames;
        if let Some(slot) = self.slots.iter().find(overlaps) {
            return Err(SlotError::Overlap(slot.base));
        }
        self.push(base, frames);
        Ok(())
    }

    /// Removes the slot that begins at `gpa`.
    ///
    /// # Errors
    /// [`SlotError::Missing`].
    pub fn remove(&mut self, gpa: Gpa) -> Result<Slot, SlotError> {
        let at = self.position(gpa)?;
        Ok(Arc::make_mut(&mut self.slots).remove(at))
    }

    /// Switches dirty logging of a slot on.
    ///
    /// # Errors
    /// [`SlotError::Missing`].
    pub fn log(&mut self, gpa: Gpa) -> Result<(), SlotError> {
        let at = self.position(gpa)?;
        Arc::make_mut(&mut self.slots)[at].dirty.get_or_insert_default();
        Ok(())
    }

    /// Returns the frames written since the last call, and forgets them.
    ///
    /// # Errors
    /// [`SlotError::Missing`].
    pub fn take_dirty(&mut self, gpa: Gpa) -> Result<Vec<Gfn>, SlotError> {
        let at = self.position(gpa)?;
        match &mut Arc::make_mut(&mut self.slots)[at].dirty {
            Some(dirty) => Ok(std::mem::take(dirty).into_iter().collect()),
            None => Ok(Vec::new()),
        }
    }

    /// Notes that a frame was written, if its slot is being logged.
    pub fn mark_dirty(&mut self, gfn: Gfn) {
        let logged = |slot: &Slot| slot.dirty.as_ref().is_some_and(|dirty| !dirty.contains(&gfn));
        if self.find(gfn).is_some_and(logged) {
            let slots = Arc::make_mut(&mut self.slots);
            let after = slots.partition_point(|slot| slot.base <= gfn);
            if let Some(dirty) = slots[..after].last_mut().and_then(|slot| slot.dirty.as_mut()) {
                dirty.insert(gfn);
            }
        }
    }

    fn position(&self, gpa: Gpa) -> Result<usize, SlotError> {
        self.slots.iter().position(|slot| slot.base.base() == gpa).ok_or(SlotError::Missing)
    }

    /// About how many bytes `self` takes in addition to `older`, with which it shares the rest.
    #[must_use]
    pub fn bytes_beside(&self, older: &Self) -> usize {
        if Arc::ptr_eq(&self.slots, &older.slots) {
            return 0;
        }
        let dirty = self.slots.iter().map(|slot| slot.dirty.as_ref().map_or(0, BTreeSet::len));
        self.slots.len() * size_of::<Slot>() + dirty.sum::<usize>() * size_of::<Gfn>()
    }

    pub(crate) fn hash_into(&self, hasher: &mut Xxh3) {
        for slot in self.slots.iter() {
            for word in [slot.base.0, slot.frames, slot.host.0, u64::from(slot.dirty.is_some())] {
                hasher.update(&word.to_le_bytes());
            }
            for gfn in slot.dirty.iter().flatten() {
                hasher.update(&gfn.0.to_le_bytes());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_come_and_go() {
        let mut slots = Slots::with_ram(0x10000);
        assert_eq!(slots.host_frame(Gfn(0xf)), Some(Hfn(FIRST_HOST_FRAME + 0xf)));
        assert_eq!(slots.host_frame(Gfn(0x10)), None);
        assert_eq!(slots.add(Gpa(0xf000), 0x2000), Err(SlotError::Overlap(Gfn(0))));
        assert_eq!(slots.add(Gpa(0x10001), 0x1000), Err(SlotError::Unaligned));
        slots.add(Gpa(0x20000), 0x1000).expect("free");
        assert_eq!(slots.first_from(Gfn(0xf)), Some(Gfn(0xf)));
        assert_eq!(slots.first_from(Gfn(0x10)), Some(Gfn(0x20)));
        assert_eq!(slots.first_from(Gfn(0x21)), None);
        assert_eq!(slots.host_frame(Gfn(0x20)), Some(Hfn(FIRST_HOST_FRAME + 0x10)));
        slots.log(Gpa(0x20000)).expect("there");
        slots.mark_dirty(Gfn(0x20));
        slots.mark_dirty(Gfn(0x1));
        assert_eq!(slots.take_dirty(Gpa(0x20000)), Ok(vec![Gfn(0x20)]));
        assert_eq!(slots.take_dirty(Gpa(0x20000)), Ok(vec![]));
        slots.remove(Gpa(0)).expect("there");
        assert_eq!(slots.remove(Gpa(0)), Err(SlotError::Missing));
    }
}
