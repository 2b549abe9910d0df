//! The floats of a constant: in memory, or in a file until somebody looks at them.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::ops::{Deref, Range};

use super::finite::all_finite;
#[cfg(feature = "std")]
use super::stored::StoredFloats;
use crate::host::Result;

/// Floats of a constant, in storage order; cheap to clone.
///
/// They are a slice (`&*floats`). Floats that lie in a file are read when the slice is asked for, and stay in memory then;
/// [`Self::rows`] reads a few at a time and keeps none. A file that cannot be read gives zeros, and [`Self::check`] the error:
/// `import` and `compile` call it before they return.
#[derive(Clone, Debug)]
pub struct Floats(Held);

#[derive(Clone, Debug)]
enum Held {
    Memory(Arc<[f32]>),
    #[cfg(feature = "std")]
    File(StoredFloats),
}

#[cfg_attr(
    not(feature = "std"),
    allow(dead_code, unused_variables, reason = "without std there are no files")
)]
impl Floats {
    /// Floats that lie in a file.
    #[cfg(feature = "std")]
    pub(crate) const fn in_file(stored: StoredFloats) -> Self {
        Self(Held::File(stored))
    }

    /// How many.
    pub fn len(&self) -> usize {
        match &self.0 {
            Held::Memory(data) => data.len(),
            #[cfg(feature = "std")]
            Held::File(stored) => stored.len(),
        }
    }

    /// Are there none?
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Do they lie in a file, and only there?
    pub fn are_in_file(&self) -> bool {
        match &self.0 {
            Held::Memory(_) => false,
            #[cfg(feature = "std")]
            Held::File(stored) => !stored.is_loaded(),
        }
    }

    /// Some rows of `row_len` floats: a part of what is in memory, or read into `buffer`.
    #[cfg_attr(
        not(feature = "std"),
        allow(clippy::ptr_arg, reason = "only what is read from a file is kept in the buffer")
    )]
    pub fn rows<'a>(&'a self, rows: Range<usize>, row_len: usize, buffer: &'a mut Vec<f32>) -> &'a [f32] {
        match &self.0 {
            Held::Memory(data) => {
                data.get(rows.start * row_len..(rows.end * row_len).min(data.len())).unwrap_or_default()
            }
            #[cfg(feature = "std")]
            Held::File(stored) => stored.rows(rows, row_len, buffer),
        }
    }

    /// Are all of them finite? Reads a few at a time, and keeps none.
    pub fn are_finite(&self) -> bool {
        match &self.0 {
            Held::Memory(data) => all_finite(data),
            #[cfg(feature = "std")]
            Held::File(stored) => stored.are_finite(),
        }
    }

    /// Could all that was asked for be read, and does the file still have it?
    ///
    /// # Errors
    /// If a file could not be read, or has changed since it was opened; with its name.
    pub fn check(&self) -> Result<()> {
        match &self.0 {
            Held::Memory(_) => Ok(()),
            #[cfg(feature = "std")]
            Held::File(stored) => stored.check(),
        }
    }

    /// A number that equals another one's only if both have the same floats.
    pub(crate) fn address(&self) -> usize {
        match &self.0 {
            Held::Memory(data) => data.as_ptr().addr(),
            #[cfg(feature = "std")]
            Held::File(stored) => stored.address(),
        }
    }

    /// Floats of these dimensions with their axes in another order, `output.dims[i] = dims[perm[i]]`, if they can stay in their
    /// file for that.
    pub(crate) fn transposed_in_file(&self, dims: &[u32], perm: &[usize]) -> Option<Self> {
        match &self.0 {
            Held::Memory(_) => None,
            #[cfg(feature = "std")]
            Held::File(stored) => Some(Self::in_file(stored.transposed(dims, perm)?)),
        }
    }

    /// Floats times a factor for each of as many equal runs as there are factors, if they can stay in their file for that.
    pub(crate) fn scaled_in_file(&self, factors: &[f32]) -> Option<Self> {
        match &self.0 {
            Held::Memory(_) => None,
            #[cfg(feature = "std")]
            Held::File(stored) => Some(Self::in_file(stored.scaled(factors)?)),
        }
    }
}

impl Deref for Floats {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        match &self.0 {
            Held::Memory(data) => data,
            #[cfg(feature = "std")]
            Held::File(stored) => stored.loaded(),
        }
    }
}

impl From<Vec<f32>> for Floats {
    fn from(data: Vec<f32>) -> Self {
        Self(Held::Memory(data.into()))
    }
}

impl From<Arc<[f32]>> for Floats {
    fn from(data: Arc<[f32]>) -> Self {
        Self(Held::Memory(data))
    }
}

impl PartialEq for Floats {
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len() && **self == **other
    }
}
