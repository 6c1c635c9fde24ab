//! A list in blocks of one page. Long lists that come and go in any order then leave room behind that the
//! next one fits in, and grow without being copied.

/// Bytes of a block.
const BLOCK: usize = 4096;

/// The list.
#[derive(Clone, Debug)]
pub struct Blocks<T>(Vec<Vec<T>>);

impl<T> Default for Blocks<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> Blocks<T> {
    const ITEMS: usize = BLOCK / size_of::<T>();

    /// Adds an item at the end.
    #[inline]
    pub fn push(&mut self, item: T) {
        match self.0.last_mut() {
            Some(last) if last.len() < Self::ITEMS => last.push(item),
            // What is short stays small; what is not is allocated at once.
            Some(_) => {
                let mut block = Vec::with_capacity(Self::ITEMS);
                block.push(item);
                self.0.push(block);
            }
            None => self.0.push(vec![item]),
        }
    }

    /// The items, block by block.
    pub fn blocks(&self) -> impl Iterator<Item = &[T]> {
        self.0.iter().map(Vec::as_slice)
    }

    /// How many items there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.iter().map(Vec::len).sum()
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// About how many bytes it takes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let block = |block: &Vec<T>| size_of::<Vec<T>>() + block.capacity() * size_of::<T>();
        self.0.iter().map(block).sum()
    }
}

impl<T> Extend<T> for Blocks<T> {
    fn extend<I: IntoIterator<Item = T>>(&mut self, items: I) {
        items.into_iter().for_each(|item| self.push(item));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_stand_in_their_order() {
        let mut blocks = Blocks::default();
        assert!(blocks.is_empty());
        blocks.extend(0..2000u64);
        assert_eq!((blocks.len(), blocks.blocks().count()), (2000, 4));
        assert!(blocks.blocks().flatten().copied().eq(0..2000));
        assert!((2000 * 8..4 * BLOCK + 200).contains(&blocks.bytes()));
    }
}
