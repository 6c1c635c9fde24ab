//! The 512 entries of a table that a hypervisor keeps.
//!
//! They lie in one piece: most states of a long history copy most of the tables, and a page is copied faster
//! than the many pieces that it could be kept in. A table without entries takes no room.

use std::ops::Index;
use std::sync::Arc;

/// Entries of a table.
pub const ENTRIES: usize = 512;
/// Entries that are compared at once.
const LINE: usize = 8;

type Words = [u64; ENTRIES];

static NO_WORDS: Words = [0; ENTRIES];

/// The entries of a table. Those that were never set are zero.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Entries {
    words: Option<Arc<Words>>,
    /// A bit for each entry that is not zero.
    set: [u64; ENTRIES / 64],
}

impl Index<usize> for Entries {
    type Output = u64;

    #[inline]
    fn index(&self, index: usize) -> &u64 {
        match &self.words {
            Some(words) => &words[index],
            None => &0,
        }
    }
}

impl Entries {
    /// Sets an entry.
    #[inline]
    pub fn set(&mut self, index: usize, value: u64) {
        let (word, bit) = (index / 64, 1 << (index % 64));
        if value != 0 {
            self.set[word] |= bit;
            Arc::make_mut(self.words.get_or_insert_with(|| Arc::new(NO_WORDS)))[index] = value;
        } else if self.set[word] & bit != 0 {
            self.set[word] &= !bit;
            match &mut self.words {
                Some(words) if self.set.iter().any(|word| *word != 0) => Arc::make_mut(words)[index] = 0,
                words => *words = None,
            }
        }
    }

    fn words(&self) -> &Words {
        self.words.as_deref().unwrap_or(&NO_WORDS)
    }

    /// All entries, in order.
    pub fn iter(&self) -> impl Iterator<Item = u64> + '_ {
        self.words().iter().copied()
    }

    /// The entries that are not zero, with their indices.
    pub fn iter_set(&self) -> impl Iterator<Item = (usize, u64)> + '_ {
        let words = self.set.iter().enumerate();
        let bits = |left: u64| std::iter::successors(Some(left), |left| Some(left & left.wrapping_sub(1)));
        let indices = words.flat_map(move |(at, word)| {
            bits(*word).take_while(|left| *left != 0).map(move |left| at * 64 + left.trailing_zeros() as usize)
        });
        indices.map(|index| (index, self[index]))
    }

    /// The entries in which `newer` differs, with its values. Nothing is compared where they share all.
    pub fn changes_to<'a>(&'a self, newer: &'a Self) -> impl Iterator<Item = (usize, u64)> + 'a {
        let shared = match (&self.words, &newer.words) {
            (Some(old), Some(new)) => Arc::ptr_eq(old, new),
            (old, new) => old.is_none() && new.is_none(),
        };
        let (old, new) = if shared { (&NO_WORDS, &NO_WORDS) } else { (self.words(), newer.words()) };
        let lines = if shared { 0 } else { ENTRIES / LINE };
        let line = |words: &'a Words, at: usize| &words[at * LINE..(at + 1) * LINE];
        let changed = (0..lines).filter(move |at| line(old, *at) != line(new, *at));
        let entries = changed.flat_map(|at| at * LINE..(at + 1) * LINE);
        entries.filter(move |index| old[*index] != new[*index]).map(move |index| (index, new[index]))
    }

    /// About how many bytes they take in addition to `older`, with which they share the rest.
    #[must_use]
    pub fn bytes_beside(&self, older: Option<&Self>) -> usize {
        let known = older.and_then(|older| older.words.as_ref());
        match &self.words {
            Some(words) if !known.is_some_and(|known| Arc::ptr_eq(words, known)) => {
                size_of::<Words>() + 2 * size_of::<usize>()
            }
            _ => 0,
        }
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
        let mut again = older.clone();
        older.changes_to(&entries).for_each(|(index, value)| again.set(index, value));
        assert_eq!((&again, again.changes_to(&entries).count()), (&entries, 0));
        (0..ENTRIES).for_each(|i| entries.set(i, 0));
        assert_eq!((&entries, entries.bytes_beside(None)), (&Entries::default(), 0));
    }
}
