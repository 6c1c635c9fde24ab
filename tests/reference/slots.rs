//! Memory slots as userspace sees them: which frames exist, and what the dirty log must name.

use std::collections::BTreeSet;

/// One slot.
#[derive(Clone, Debug)]
struct Slot {
    base: u64,
    size: u64,
    /// Frames that the guest wrote since the log was read; none while it is off.
    written: Option<BTreeSet<u64>>,
}

impl Slot {
    fn holds(&self, at: u64) -> bool {
        at >= self.base && at - self.base < self.size
    }
}

/// All slots.
#[derive(Clone, Debug, Default)]
pub struct Slots(Vec<Slot>);

impl Slots {
    /// One slot from address 0.
    pub fn with_ram(size: u64) -> Self {
        Self(vec![Slot { base: 0, size, written: None }])
    }

    /// Whether a frame is backed by memory.
    pub fn holds(&self, at: u64) -> bool {
        self.0.iter().any(|slot| slot.holds(at))
    }

    /// Adds one; `false` where it may not be.
    pub fn add(&mut self, base: u64, size: u64) -> bool {
        let overlaps = |slot: &Slot| slot.base < base + size && base < slot.base + slot.size;
        if size == 0 || !(base | size).is_multiple_of(4096) || self.0.iter().any(overlaps) {
            return false;
        }
        self.0.push(Slot { base, size, written: None });
        true
    }

    /// Removes the one that begins there; `false` where none does.
    pub fn remove(&mut self, base: u64) -> bool {
        let before = self.0.len();
        self.0.retain(|slot| slot.base != base);
        self.0.len() < before
    }

    /// Switches the log of one on; `false` where none begins there.
    pub fn log(&mut self, base: u64) -> bool {
        match self.0.iter_mut().find(|slot| slot.base == base) {
            Some(slot) => {
                slot.written.get_or_insert_default();
                true
            }
            None => false,
        }
    }

    /// The guest wrote a byte there.
    pub fn wrote(&mut self, at: u64) {
        let slot = self.0.iter_mut().find(|slot| slot.holds(at));
        if let Some(written) = slot.and_then(|slot| slot.written.as_mut()) {
            written.insert(at >> 12);
        }
    }

    /// Judges what the log of the slot at `base` returned, and begins it anew. `None` is a refusal.
    ///
    /// # Errors
    /// The log names a frame of another slot, names any while it is off, or leaves one out.
    pub fn read_log(&mut self, base: u64, got: Option<&[u64]>) -> Result<(), String> {
        let slot = self.0.iter_mut().find(|slot| slot.base == base);
        let (slot, frames) = match (slot, got) {
            (None, None) => return Ok(()),
            (Some(slot), Some(frames)) => (slot, frames),
            (slot, _) => return Err(format!("there is a slot at {base:#x}: {}; its log: {got:x?}", slot.is_some())),
        };
        if let Some(frame) = frames.iter().find(|frame| !slot.holds(**frame << 12)) {
            return Err(format!("the log of the slot at {base:#x} names frame {frame:#x}"));
        }
        let Some(written) = &mut slot.written else {
            let silent = frames.is_empty();
            return if silent { Ok(()) } else { Err(format!("a log that is off names {frames:x?}")) };
        };
        match std::mem::take(written).into_iter().find(|frame| !frames.contains(frame)) {
            Some(frame) => Err(format!("frame {frame:#x} was written, the log names only {frames:x?}")),
            None => Ok(()),
        }
    }
}
