//! A list that is nearly always empty or of one: what hangs at a frame, a bucket or a shadow page.

use std::sync::Arc;

/// None, one, or a chain once there are more.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub enum Few<T> {
    /// None.
    #[default]
    None,
    /// One.
    One(T),
    /// More, in the order in which they came.
    Chain(Arc<Vec<T>>),
}

impl<T: Copy + PartialEq> Few<T> {
    /// All, in the order in which they came.
    #[must_use]
    #[inline]
    pub fn as_slice(&self) -> &[T] {
        match self {
            Self::None => &[],
            Self::One(one) => std::slice::from_ref(one),
            Self::Chain(all) => all,
        }
    }

    /// Adds one.
    pub fn add(&mut self, new: T) {
        match self {
            Self::None => *self = Self::One(new),
            Self::One(first) => *self = Self::Chain(Arc::new(vec![*first, new])),
            Self::Chain(all) => Arc::make_mut(all).push(new),
        }
    }

    /// Removes one; the last takes its place, as in the kernel's chains.
    pub fn remove(&mut self, old: T) {
        self.take_out(old, Vec::swap_remove);
    }

    /// Removes one; those behind it move up.
    pub fn remove_in_order(&mut self, old: T) {
        self.take_out(old, Vec::remove);
    }

    fn take_out(&mut self, old: T, take: impl FnOnce(&mut Vec<T>, usize) -> T) {
        match self {
            Self::One(one) if *one == old => *self = Self::None,
            Self::Chain(all) => {
                if let Some(at) = all.iter().position(|one| *one == old) {
                    take(Arc::make_mut(all), at);
                }
                if let [only] = all[..] {
                    *self = Self::One(only);
                }
            }
            Self::None | Self::One(_) => {}
        }
    }

    /// About how many bytes it takes beside its place.
    #[must_use]
    pub fn bytes_beside(&self, older: Option<&Self>) -> usize {
        match (self, older) {
            (Self::Chain(own), Some(Self::Chain(other))) if Arc::ptr_eq(own, other) => 0,
            (Self::Chain(own), _) => 5 * size_of::<usize>() + own.capacity() * size_of::<T>(),
            (Self::None | Self::One(_), _) => 0,
        }
    }
}
