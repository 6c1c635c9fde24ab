//! The 512 entries of a table that a hypervisor keeps, in parts of 32.
//!
//! Such tables are mostly empty, and a replay from a snapshot touches few entries of many of them: a part
//! without entries takes no room, and the first change after a copy copies one part.

use std::ops::Index;
use std::sync::Arc;

/// Entries of a table.
pub const ENTRIES: usize = 512;
const PART: usize = 32;

type Part = Arc<[u64; PART]>;

/// The entries of a table. Those that were never set are zero.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Entries([Option<Part>; ENTRIES / PART]);

impl Index<usize> for Entries {
    type Output = u64;

    #[inline]
    fn index(&self, index: usize) -> &u64 {
        match &self.0[index / PART] {
            Some(part) => &part[index % PART],
            None => &0,
        }
    }
}

impl Entries {
    /// Sets an entry.
    #[inline]
    pub fn set(&mut self, index: usize, value: u64) {
        let part = &mut self.0[index / PART];
        match part {
            Some(entries) if value != 0 => Arc::make_mut(entries)[index % PART] = value,
            Some(entries) => {
                let others = entries.iter().enumerate().any(|(i, entry)| i != index % PART && *entry != 0);
                if others {
                    Arc::make_mut(entries)[index % PART] = 0;
                } else {
                    *part = None;
                }
            }
            None if value != 0 => {
                let mut entries = [0; PART];
                entries[index % PART] = value;
                *part = Some(Arc::new(entries));
            }
            None => {}
        }
    }

    /// All entries, in order.
    pub fn iter(&self) -> impl Iterator<Item = u64> + '_ {
        self.0.iter().flat_map(|part| (0..PART).map(move |i| part.as_ref().map_or(0, |entries| entries[i])))
    }

    /// The entries that are not zero, with their indices.
    pub fn iter_set(&self) -> impl Iterator<Item = (usize, u64)> + '_ {
        let parts = self.0.iter().enumerate().filter_map(|(at, part)| Some((at, part.as_ref()?)));
        parts.flat_map(|(at, entries)| {
            let all = entries.iter().enumerate().map(move |(i, entry)| (at * PART + i, *entry));
            all.filter(|(_, entry)| *entry != 0)
        })
    }

    /// About how many bytes its parts take in addition to those of `older`, with which it shares the rest.
    #[must_use]
    pub fn bytes_beside(&self, older: Option<&Self>) -> usize {
        let shared = |at: usize, part: &Part| {
            older.and_then(|older| older.0[at].as_ref()).is_some_and(|other| Arc::ptr_eq(part, other))
        };
        let own = self.0.iter().enumerate().filter(|(at, part)| part.as_ref().is_some_and(|part| !shared(*at, part)));
        own.count() * (size_of::<[u64; PART]>() + 2 * size_of::<usize>())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_what_was_set() {
        let (mut entries, mut plain, mut state) = (Entries::default(), [0u64; ENTRIES], 1u64);
        let mut older = entries.clone();
        for round in 0..20_000 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let (index, value) = ((state >> 33) as usize % 90 * 5, state >> 60 & 3);
            entries.set(index, value);
            plain[index] = value;
            if round % 1000 == 0 {
                older = entries.clone();
            }
        }
        assert_eq!(entries.iter().collect::<Vec<_>>(), plain);
        let set: Vec<_> = plain.iter().copied().enumerate().filter(|(_, value)| *value != 0).collect();
        assert_eq!(entries.iter_set().collect::<Vec<_>>(), set);
        assert!((0..ENTRIES).all(|i| entries[i] == plain[i]));
        assert_eq!(entries.clone().bytes_beside(Some(&entries)), 0);
        assert!(entries.bytes_beside(Some(&older)) > 0);
        (0..ENTRIES).for_each(|i| entries.set(i, 0));
        assert_eq!((&entries, entries.bytes_beside(None)), (&Entries::default(), 0));
    }
}
