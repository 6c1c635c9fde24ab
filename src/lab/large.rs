//! Large parts of the states that a lab keeps, guest memory and the tables of an engine. Few snapshots have
//! one as a whole, an anchor; the others have what makes it of an anchor.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::Arc;

use crate::engine::{Tables, TablesDelta};
use crate::machine::Memory;
use crate::machine::memory::Delta;

/// A part of a state whose copies share what neither has changed.
pub(super) trait Large: Clone + Debug {
    /// What makes a newer one of an older one.
    type Delta: Clone + Debug + Default;

    /// About how many bytes it takes in addition to an older one: so many has copied who made it of that.
    fn bytes_beside(&self, older: &Self) -> usize;

    fn delta_to(&self, newer: &Self) -> Self::Delta;

    fn apply(&mut self, delta: &Self::Delta);

    /// About how many bytes a delta takes beside another from the same older part.
    fn delta_bytes(delta: &Self::Delta, other: Option<&Self::Delta>) -> usize;
}

impl Large for Memory {
    type Delta = Delta;

    fn bytes_beside(&self, older: &Self) -> usize {
        self.bytes_beside(older)
    }

    fn delta_to(&self, newer: &Self) -> Delta {
        self.delta_to(newer)
    }

    fn apply(&mut self, delta: &Delta) {
        self.apply(delta);
    }

    fn delta_bytes(delta: &Delta, other: Option<&Delta>) -> usize {
        delta.bytes_beside(other)
    }
}

impl Large for Tables {
    type Delta = TablesDelta;

    fn bytes_beside(&self, older: &Self) -> usize {
        self.bytes_beside(older)
    }

    fn delta_to(&self, newer: &Self) -> TablesDelta {
        self.delta_to(newer)
    }

    fn apply(&mut self, delta: &TablesDelta) {
        self.apply(delta);
    }

    fn delta_bytes(delta: &TablesDelta, _: Option<&TablesDelta>) -> usize {
        delta.bytes()
    }
}

/// A part as a whole.
#[derive(Clone, Debug)]
struct Anchor<L> {
    whole: L,
    /// How many snapshots go by it.
    users: usize,
    /// What it takes beside the anchor before it.
    bytes: usize,
    /// What all deltas from it have taken.
    deltas: usize,
}

/// A part of a snapshot.
#[derive(Clone, Debug)]
pub(super) struct Part<L: Large> {
    anchor: u32,
    delta: Arc<L::Delta>,
    /// What it did not share with the anchor.
    apart: usize,
    /// What the delta takes beside that of the snapshot below.
    bytes: usize,
}

/// A part of all snapshots.
#[derive(Clone, Debug)]
pub(super) struct Anchors<L> {
    /// By age. The first is the start's.
    all: BTreeMap<u32, Anchor<L>>,
    bytes: usize,
}

impl<L: Large> Anchors<L> {
    pub(super) fn new(start: L) -> Self {
        Self { all: BTreeMap::from([(0, Anchor { whole: start, users: 1, bytes: 0, deltas: 0 })]), bytes: 0 }
    }

    /// About how many bytes anchors and deltas take.
    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Keeps a part, as what makes it of the anchor of the snapshot `under` it, unless that would copy more
    /// than `most` bytes to put it in place, or the deltas from that anchor take more than another one and
    /// than `few` bytes. Also says how many bytes a replay from `under` has copied.
    pub(super) fn keep(&mut self, now: &L, under: Option<&Part<L>>, most: usize, few: usize) -> (Part<L>, usize) {
        let (number, known) = under.map_or((0, 0), |under| (under.anchor, under.apart));
        let anchor = self.all.get_mut(&number);
        let apart = anchor.as_ref().map_or(usize::MAX, |anchor| now.bytes_beside(&anchor.whole));
        let copied = apart.saturating_sub(known);
        match anchor {
            Some(anchor) if apart <= most && anchor.deltas <= apart.max(few) => {
                let delta = anchor.whole.delta_to(now);
                let bytes = L::delta_bytes(&delta, under.map(|under| &*under.delta));
                anchor.deltas += bytes;
                anchor.users += 1;
                self.bytes += bytes;
                (Part { anchor: number, delta: Arc::new(delta), apart, bytes }, copied)
            }
            _ => {
                let anchor = self.all.last_key_value().map_or(0, |(last, _)| last + 1);
                self.all.insert(anchor, Anchor { whole: now.clone(), users: 1, bytes: 0, deltas: 0 });
                self.weigh(anchor);
                (Part { anchor, delta: Arc::default(), apart: 0, bytes: 0 }, copied)
            }
        }
    }

    /// Says what an anchor takes beside the one before it.
    fn weigh(&mut self, number: u32) {
        let before = self.all.range(..number).next_back().map(|(_, before)| before.whole.clone());
        if let (Some(before), Some(anchor)) = (before, self.all.get_mut(&number)) {
            let bytes = anchor.whole.bytes_beside(&before);
            self.bytes = self.bytes - anchor.bytes + bytes;
            anchor.bytes = bytes;
        }
    }

    /// The snapshot below that of a part is another one now.
    pub(super) fn stand_on(&mut self, part: &mut Part<L>, under: Option<&Part<L>>) {
        let known = under.filter(|under| under.anchor == part.anchor).map(|under| &*under.delta);
        let bytes = L::delta_bytes(&part.delta, known);
        self.bytes = self.bytes - part.bytes + bytes;
        part.bytes = bytes;
    }

    /// A snapshot goes.
    pub(super) fn leave(&mut self, part: &Part<L>) {
        self.bytes -= part.bytes;
        let Some(anchor) = self.all.get_mut(&part.anchor) else { return };
        anchor.users -= 1;
        anchor.deltas -= part.bytes.min(anchor.deltas);
        if anchor.users == 0 {
            self.bytes -= anchor.bytes;
            self.all.remove(&part.anchor);
            if let Some((next, _)) = self.all.range(part.anchor..).next() {
                self.weigh(*next);
            }
        }
    }

    /// A part as it was.
    pub(super) fn restore(&self, part: &Part<L>) -> Option<L> {
        let mut whole = self.all.get(&part.anchor)?.whole.clone();
        whole.apply(&part.delta);
        Some(whole)
    }
}
