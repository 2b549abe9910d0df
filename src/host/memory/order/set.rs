//! Sets of tasks.

use alloc::boxed::Box;
use alloc::vec;

/// A set of tasks, one bit each.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Set(Box<[u64]>);

/// The words that a set of `count` tasks takes.
pub(super) const fn words(count: usize) -> usize {
    count.div_ceil(64)
}

impl Set {
    pub(super) fn empty(words: usize) -> Self {
        Self(vec![0; words].into())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.iter().all(|word| *word == 0)
    }

    pub(super) fn insert(&mut self, task: usize) {
        self.0[task / 64] |= 1 << (task % 64);
    }

    pub(super) fn with(&self, task: usize) -> Self {
        let mut set = self.clone();
        set.insert(task);
        set
    }

    pub(super) fn contains(&self, task: usize) -> bool {
        self.0[task / 64] >> (task % 64) & 1 == 1
    }

    pub(super) fn add(&mut self, other: &Self) {
        self.0.iter_mut().zip(&other.0).for_each(|(word, other)| *word |= other);
    }

    pub(super) fn len(&self) -> usize {
        self.0.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// Is one of these in `other`?
    pub(super) fn meets(&self, other: &Self) -> bool {
        self.0.iter().zip(&other.0).any(|(word, other)| word & other != 0)
    }

    /// Are all of these in `other`?
    pub(super) fn is_within(&self, other: &Self) -> bool {
        self.0.iter().zip(&other.0).all(|(word, other)| word & !other == 0)
    }

    /// Are all of these, but for `task`, in `other`?
    pub(super) fn is_within_but(&self, other: &Self, task: usize) -> bool {
        let mut words = self.0.iter().zip(&other.0).enumerate();
        words.all(|(place, (word, other))| {
            let rest = word & !other;
            rest == 0 || (place == task / 64 && rest == 1 << (task % 64))
        })
    }
}
