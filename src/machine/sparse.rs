//! A sparse array whose copies share what neither has changed.
//!
//! Slots hang in leaves of 256. Leaves of low indices stand in a vector, so that a slot is three
//! loads away; the others in a tree. All of it is behind `Arc`s: a clone is two reference counts,
//! the first change afterwards copies one leaf and the vector of leaves.

use std::collections::BTreeMap;
use std::sync::Arc;

const LEAF_SHIFT: u32 = 8;
const LEAF_SLOTS: usize = 1 << LEAF_SHIFT;
/// Leaves in the vector: 2^20 slots.
const LOW_LEAVES: u64 = 1 << (20 - LEAF_SHIFT);

type Leaf<T> = Arc<[Option<T>; LEAF_SLOTS]>;

/// The array. A slot that was never set is `None`.
#[derive(Clone, Debug)]
pub struct Sparse<T> {
    low: Arc<[Option<Leaf<T>>]>,
    high: Arc<BTreeMap<u64, Leaf<T>>>,
}

impl<T> Default for Sparse<T> {
    fn default() -> Self {
        Self { low: Arc::default(), high: Arc::default() }
    }
}

const fn split(index: u64) -> (u64, usize) {
    (index >> LEAF_SHIFT, index as usize & (LEAF_SLOTS - 1))
}

impl<T> Sparse<T> {
    /// The slot of an index.
    #[must_use]
    #[inline]
    pub fn get(&self, index: u64) -> Option<&T> {
        let (leaf, slot) = split(index);
        self.leaf(leaf)?[slot].as_ref()
    }

    #[inline]
    fn leaf(&self, leaf: u64) -> Option<&Leaf<T>> {
        match self.low.get(leaf as usize) {
            Some(leaf) => leaf.as_ref(),
            None => self.high_leaf(leaf),
        }
    }

    /// Out of line, so that it costs the low indices nothing.
    #[cold]
    fn high_leaf(&self, leaf: u64) -> Option<&Leaf<T>> {
        self.high.get(&leaf)
    }

    /// The slots that are set, by index.
    pub fn iter(&self) -> impl Iterator<Item = (u64, &T)> {
        let low = self.low.iter().enumerate().filter_map(|(i, leaf)| Some((i as u64, leaf.as_ref()?)));
        low.chain(self.high.iter().map(|(i, leaf)| (*i, leaf))).flat_map(|(index, leaf)| {
            let slots = leaf.iter().enumerate();
            slots.filter_map(move |(slot, value)| Some((index << LEAF_SHIFT | slot as u64, value.as_ref()?)))
        })
    }

    /// The indices at which the two may differ, by whole leaves: those that they do not share.
    pub fn unshared<'a>(&'a self, other: &'a Self) -> impl Iterator<Item = u64> + 'a {
        let same = Arc::ptr_eq(&self.low, &other.low) && Arc::ptr_eq(&self.high, &other.high);
        let mut leaves: Vec<u64> = if same { Vec::new() } else { self.leaves().chain(other.leaves()).collect() };
        leaves.sort_unstable();
        leaves.dedup();
        leaves.retain(|leaf| match (self.leaf(*leaf), other.leaf(*leaf)) {
            (Some(a), Some(b)) => !Arc::ptr_eq(a, b),
            _ => true,
        });
        leaves.into_iter().flat_map(|leaf| (0..LEAF_SLOTS as u64).map(move |slot| leaf << LEAF_SHIFT | slot))
    }

    /// About how many bytes `self` takes in addition to `older`, with which it shares the rest;
    /// `of` says it of a slot that both may have.
    pub fn bytes_beside(&self, older: &Self, of: impl Fn(&T, Option<&T>) -> usize) -> usize {
        let low = if Arc::ptr_eq(&self.low, &older.low) { 0 } else { size_of_val(&*self.low) };
        let high = if Arc::ptr_eq(&self.high, &older.high) { 0 } else { self.high.len() * size_of::<(u64, usize)>() };
        if low + high == 0 {
            return 0;
        }
        let leaves = self.leaves().filter_map(|index| Some((self.leaf(index)?, older.leaf(index))));
        let own =
            leaves.filter(|(leaf, other)| other.is_none_or(|other| !Arc::ptr_eq(leaf, other))).map(|(leaf, other)| {
                let slots = leaf.iter().enumerate().filter_map(|(slot, value)| Some((slot, value.as_ref()?)));
                let slots = slots.map(|(slot, value)| of(value, other.and_then(|other| other[slot].as_ref())));
                size_of_val(&**leaf) + slots.sum::<usize>()
            });
        low + high + own.sum::<usize>()
    }

    fn leaves(&self) -> impl Iterator<Item = u64> {
        let low = self.low.iter().enumerate().filter_map(|(i, leaf)| leaf.as_ref().map(|_| i as u64));
        low.chain(self.high.keys().copied())
    }
}

impl<T> Sparse<Arc<T>> {
    /// As [`Sparse::bytes_beside`], of slots that are shared themselves and own nothing else.
    #[must_use]
    pub fn shared_bytes_beside(&self, older: &Self) -> usize {
        self.bytes_beside(older, |new, old| match old {
            Some(old) if Arc::ptr_eq(new, old) => 0,
            _ => size_of::<T>(),
        })
    }
}

impl<T: Clone> Sparse<T> {
    /// The slot of an index, to change it.
    pub fn slot_mut(&mut self, index: u64) -> &mut Option<T> {
        let (leaf, slot) = split(index);
        let empty = || Arc::new([const { None }; LEAF_SLOTS]);
        let leaf = if leaf < LOW_LEAVES {
            let leaf = leaf as usize;
            if self.low.len() <= leaf {
                let mut longer = self.low.to_vec();
                longer.resize(leaf + 1, None);
                self.low = longer.into();
            }
            Arc::make_mut(&mut self.low)[leaf].get_or_insert_with(empty)
        } else {
            Arc::make_mut(&mut self.high).entry(leaf).or_insert_with(empty)
        };
        &mut Arc::make_mut(leaf)[slot]
    }

    /// Sets a slot.
    pub fn set(&mut self, index: u64, value: T) {
        *self.slot_mut(index) = Some(value);
    }

    /// Empties a slot; returns what it held.
    pub fn remove(&mut self, index: u64) -> Option<T> {
        self.get(index)?;
        self.slot_mut(index).take()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_share_and_part() {
        let mut a = Sparse::default();
        for index in [0, 255, 256, 1 << 19, 1 << 40] {
            a.set(index, index);
        }
        let b = a.clone();
        assert_eq!(a.unshared(&b).count(), 0);
        *a.slot_mut(256) = Some(7);
        assert_eq!(a.remove(1 << 40), Some(1 << 40));
        assert_eq!((a.get(256), b.get(256)), (Some(&7), Some(&256)));
        assert_eq!((a.get(1 << 40), b.get(1 << 40)), (None, Some(&(1 << 40))));
        let unshared: Vec<u64> = a.unshared(&b).collect();
        assert!(unshared.contains(&256) && unshared.contains(&(1 << 40)) && !unshared.contains(&0));
        assert_eq!(b.iter().map(|(i, _)| i).collect::<Vec<_>>(), [0, 255, 256, 1 << 19, 1 << 40]);
    }
}
