//! A sparse array whose copies share what neither has changed.
//!
//! Slots hang in leaves of 16, leaves in nodes of 64. Nodes of low indices stand in a vector, so that a
//! slot is four loads away; the others in a tree. All of it is behind `Arc`s: a clone is two reference
//! counts, the first change afterwards copies a leaf, its node and the vector. Leaves are small
//! because a replay from a snapshot copies each leaf that it touches, with a reference count for each slot.

use std::collections::BTreeMap;
use std::sync::Arc;

const LEAF_SHIFT: u32 = 4;
const NODE_SHIFT: u32 = 6;
/// Slots in a leaf.
pub const LEAF_SLOTS: usize = 1 << LEAF_SHIFT;
/// Leaves in a node.
const NODE_LEAVES: usize = 1 << NODE_SHIFT;
/// Nodes in the vector at most: 2^22 slots.
const LOW_NODES: u64 = 1 << (22 - NODE_SHIFT - LEAF_SHIFT);

/// The slots of a leaf.
pub type Slots<T> = [Option<T>; LEAF_SLOTS];
type Leaf<T> = Arc<Slots<T>>;
type Node<T> = Arc<[Option<Leaf<T>>; NODE_LEAVES]>;

/// The array. A slot that was never set is `None`.
#[derive(Clone, Debug)]
pub struct Sparse<T> {
    low: Arc<[Option<Node<T>>]>,
    high: Arc<BTreeMap<u64, Node<T>>>,
}

impl<T> Default for Sparse<T> {
    fn default() -> Self {
        Self { low: Arc::default(), high: Arc::default() }
    }
}

/// A leaf: the index of its first slot, and what each of two arrays has there.
pub type Unshared<'a, T> = (u64, Option<&'a Slots<T>>, Option<&'a Slots<T>>);

/// Node, leaf in it, slot in that.
const fn split(index: u64) -> (u64, usize, usize) {
    let leaf = (index >> LEAF_SHIFT) as usize & (NODE_LEAVES - 1);
    (index >> (LEAF_SHIFT + NODE_SHIFT), leaf, index as usize & (LEAF_SLOTS - 1))
}

/// The index of a leaf's first slot.
const fn first_of(node: u64, leaf: usize) -> u64 {
    (node << NODE_SHIFT | leaf as u64) << LEAF_SHIFT
}

impl<T> Sparse<T> {
    /// The slot of an index.
    #[must_use]
    #[inline]
    pub fn get(&self, index: u64) -> Option<&T> {
        let (node, leaf, slot) = split(index);
        self.node(node)?[leaf].as_ref()?[slot].as_ref()
    }

    #[inline]
    fn node(&self, node: u64) -> Option<&Node<T>> {
        match self.low.get(node as usize) {
            Some(node) => node.as_ref(),
            None => self.high_node(node),
        }
    }

    /// Out of line, so that it costs the low indices nothing.
    #[cold]
    fn high_node(&self, node: u64) -> Option<&Node<T>> {
        self.high.get(&node)
    }

    /// The slots that are set, by index.
    pub fn iter(&self) -> impl Iterator<Item = (u64, &T)> {
        let low = self.low.iter().enumerate().filter_map(|(i, node)| Some((i as u64, node.as_ref()?)));
        low.chain(self.high.iter().map(|(i, node)| (*i, node))).flat_map(|(index, node)| {
            let leaves = node.iter().enumerate().filter_map(|(i, leaf)| Some((i, leaf.as_ref()?)));
            leaves.flat_map(move |(i, leaf)| {
                let slots = leaf.iter().enumerate();
                slots.filter_map(move |(slot, value)| Some((first_of(index, i) + slot as u64, value.as_ref()?)))
            })
        })
    }

    /// Whether the two share everything.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.low, &other.low) && Arc::ptr_eq(&self.high, &other.high)
    }

    /// Where the two may differ: the leaves that they do not share.
    pub fn unshared<'a>(&'a self, other: &'a Self) -> impl Iterator<Item = Unshared<'a, T>> {
        let mut nodes: Vec<u64> = Vec::new();
        if !Arc::ptr_eq(&self.low, &other.low) {
            nodes.extend(0..self.low.len().max(other.low.len()) as u64);
        }
        if !Arc::ptr_eq(&self.high, &other.high) {
            nodes.extend(self.high.keys().chain(other.high.keys()).copied());
            nodes.sort_unstable();
            nodes.dedup();
        }
        let nodes = nodes.into_iter().filter_map(|index| match (self.node(index), other.node(index)) {
            (None, None) => None,
            (Some(a), Some(b)) if Arc::ptr_eq(a, b) => None,
            (a, b) => Some((index, a, b)),
        });
        nodes.flat_map(|(index, a, b)| {
            (0..NODE_LEAVES).filter_map(move |leaf| {
                let a = a.and_then(|node| node[leaf].as_ref());
                let b = b.and_then(|node| node[leaf].as_ref());
                match (a, b) {
                    (None, None) => None,
                    (Some(a), Some(b)) if Arc::ptr_eq(a, b) => None,
                    (a, b) => Some((first_of(index, leaf), a.map(|a| &**a), b.map(|b| &**b))),
                }
            })
        })
    }

    /// The slots of those leaves, with their indices.
    pub fn unshared_slots<'a>(&'a self, other: &'a Self) -> impl Iterator<Item = (u64, Option<&'a T>, Option<&'a T>)> {
        self.unshared(other).flat_map(|(first, a, b)| {
            let slots = (0..LEAF_SLOTS).map(move |slot| {
                let of = |leaf: Option<&'a Slots<T>>| leaf.and_then(|leaf| leaf[slot].as_ref());
                (first + slot as u64, of(a), of(b))
            });
            slots.filter(|(_, a, b)| a.is_some() || b.is_some())
        })
    }

    /// About how many bytes `self` takes in addition to `older`, with which it shares the rest;
    /// `of` says it of a slot that both may have.
    pub fn bytes_beside(&self, older: &Self, of: impl Fn(&T, Option<&T>) -> usize) -> usize {
        let mut bytes = if Arc::ptr_eq(&self.low, &older.low) { 0 } else { size_of_val(&*self.low) };
        bytes += if Arc::ptr_eq(&self.high, &older.high) { 0 } else { self.high.len() * 2 * size_of::<u64>() };
        let mut last = None;
        for (first, own, other) in self.unshared(older) {
            let Some(own) = own else { continue };
            let (node, _, _) = split(first);
            if last.replace(node) != Some(node) {
                bytes += COUNTS + size_of::<[Option<Leaf<T>>; NODE_LEAVES]>();
            }
            let slots = own.iter().enumerate().filter_map(|(slot, value)| Some((slot, value.as_ref()?)));
            let slots = slots.map(|(slot, value)| of(value, other.and_then(|other| other[slot].as_ref())));
            bytes += COUNTS + size_of_val(own) + slots.sum::<usize>();
        }
        bytes
    }
}

/// What an `Arc` takes beside its content.
const COUNTS: usize = 2 * size_of::<usize>();

/// What makes one array of an older one: the slots that differ, by index.
#[derive(Clone, Debug)]
pub struct Changes<T>(Vec<(u64, Option<T>)>);

impl<T> Default for Changes<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> Changes<T> {
    /// How many slots differ.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether none does.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What the slots hold in the newer array.
    pub fn values(&self) -> impl Iterator<Item = &T> {
        self.0.iter().filter_map(|(_, value)| value.as_ref())
    }

    /// The same, to change it.
    pub fn values_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.0.iter_mut().filter_map(|(_, value)| value.as_mut())
    }

    /// About how many bytes it takes, what its values own apart.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        size_of_val(self.0.as_slice())
    }
}

impl<T> Sparse<Arc<T>> {
    /// As [`Sparse::bytes_beside`], of slots that are shared themselves and own nothing else.
    #[must_use]
    pub fn shared_bytes_beside(&self, older: &Self) -> usize {
        self.bytes_beside(older, |new, old| match old {
            Some(old) if Arc::ptr_eq(new, old) => 0,
            _ => COUNTS + size_of::<T>(),
        })
    }
}

impl<T: Clone> Sparse<T> {
    /// What makes `newer` of this array. What they share costs nothing.
    #[must_use]
    pub fn changes_to(&self, newer: &Self, equal: impl Fn(&T, &T) -> bool) -> Changes<T> {
        let same = |old: Option<&T>, new: Option<&T>| match (old, new) {
            (Some(old), Some(new)) => equal(old, new),
            (old, new) => old.is_none() && new.is_none(),
        };
        let slots = self.unshared_slots(newer).filter(|(_, old, new)| !same(*old, *new));
        let mut changes: Vec<_> = slots.map(|(index, _, new)| (index, new.cloned())).collect();
        changes.shrink_to_fit();
        Changes(changes)
    }

    /// Makes the newer array of the older one.
    pub fn apply(&mut self, changes: &Changes<T>) {
        for (index, value) in &changes.0 {
            match value {
                Some(value) => self.set(*index, value.clone()),
                None => {
                    self.remove(*index);
                }
            }
        }
    }

    /// The slot of an index, to change it.
    pub fn slot_mut(&mut self, index: u64) -> &mut Option<T> {
        let (node, leaf, slot) = split(index);
        let no_leaves = || Arc::new([const { None }; NODE_LEAVES]);
        let node = if node < LOW_NODES {
            let node = node as usize;
            if self.low.len() <= node {
                let mut longer = self.low.to_vec();
                longer.resize((node + 1).next_power_of_two(), None);
                self.low = longer.into();
            }
            Arc::make_mut(&mut self.low)[node].get_or_insert_with(no_leaves)
        } else {
            Arc::make_mut(&mut self.high).entry(node).or_insert_with(no_leaves)
        };
        let leaf = Arc::make_mut(node)[leaf].get_or_insert_with(|| Arc::new([const { None }; LEAF_SLOTS]));
        &mut Arc::make_mut(leaf)[slot]
    }

    /// Sets a slot.
    pub fn set(&mut self, index: u64, value: T) {
        *self.slot_mut(index) = Some(value);
    }

    /// Empties a slot; returns what it held. A leaf without slots goes, so that what is empty takes no room.
    pub fn remove(&mut self, index: u64) -> Option<T> {
        self.get(index)?;
        let (node, leaf, slot) = split(index);
        let node = if node < LOW_NODES {
            Arc::make_mut(&mut self.low)[node as usize].as_mut()
        } else {
            Arc::make_mut(&mut self.high).get_mut(&node)
        };
        let place = &mut Arc::make_mut(node?)[leaf];
        let slots = place.as_mut()?;
        if slots.iter().enumerate().all(|(i, other)| i == slot || other.is_none()) {
            // A leaf that is shared is left to the others without being copied.
            let last = place.take()?;
            return match Arc::try_unwrap(last) {
                Ok(mut slots) => slots[slot].take(),
                Err(shared) => shared[slot].clone(),
            };
        }
        Arc::make_mut(slots)[slot].take()
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
        assert_eq!((a.remove(1 << 40), a.remove(1 << 40), a.remove(7)), (Some(1 << 40), None, None));
        assert_eq!((a.get(256), b.get(256)), (Some(&7), Some(&256)));
        assert_eq!((a.get(1 << 40), b.get(1 << 40)), (None, Some(&(1 << 40))));
        let unshared: Vec<u64> = a.unshared(&b).map(|(first, _, _)| first).collect();
        assert_eq!(unshared, [256, 1 << 40]);
        assert_eq!(b.iter().map(|(i, _)| i).collect::<Vec<_>>(), [0, 255, 256, 1 << 19, 1 << 40]);
    }

    #[test]
    fn changes_make_the_newer_array() {
        let mut old = Sparse::default();
        (0..100u64).for_each(|i| old.set(i * i, i));
        let mut new = old.clone();
        for index in [4, 9, 81, 1 << 41] {
            new.set(index, 1000 + index);
        }
        for index in [0, 16, 99 * 99] {
            new.remove(index);
        }
        new.set(25, 5);
        let changes = old.changes_to(&new, u64::eq);
        assert_eq!((changes.len(), changes.values().count()), (7, 4));
        old.apply(&changes);
        assert_eq!(old.iter().collect::<Vec<_>>(), new.iter().collect::<Vec<_>>());
        assert!(old.changes_to(&new, u64::eq).is_empty());
    }
}
