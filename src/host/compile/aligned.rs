//! Bytes that begin at a multiple of 64: what programs and arenas need.

use core::fmt;
use core::ops::{Deref, DerefMut};

use alloc::vec;
use alloc::vec::Vec;

use bytemuck::{Pod, Zeroable};

use crate::device::program::record::ALIGN;

/// Bytes that begin at a multiple of 64; the length is any.
#[derive(Clone, Default)]
pub struct AlignedBytes {
    blocks: Vec<Block>,
    len: usize,
}

/// A cache line.
#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C, align(64))]
struct Block([u8; ALIGN]);

impl AlignedBytes {
    /// `len` zeros.
    pub fn zeroed(len: usize) -> Self {
        Self { blocks: vec![Block([0; ALIGN]); len.div_ceil(ALIGN)], len }
    }

    /// Grows with zeros to `len`, or shrinks to it.
    pub fn resize(&mut self, len: usize) {
        if len < self.len {
            self[len..].fill(0);
        }
        self.blocks.resize(len.div_ceil(ALIGN), Block([0; ALIGN]));
        self.len = len;
    }

    /// Appends bytes.
    pub fn extend_from_slice(&mut self, bytes: &[u8]) {
        let start = self.len;
        self.resize(start + bytes.len());
        self[start..].copy_from_slice(bytes);
    }

    /// Appends zeros up to a multiple of 64.
    pub fn pad(&mut self) {
        self.resize(self.len.next_multiple_of(ALIGN));
    }
}

impl From<&[u8]> for AlignedBytes {
    fn from(bytes: &[u8]) -> Self {
        let mut aligned = Self::zeroed(bytes.len());
        aligned.copy_from_slice(bytes);
        aligned
    }
}

impl Deref for AlignedBytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &bytemuck::cast_slice(&self.blocks)[..self.len]
    }
}

impl DerefMut for AlignedBytes {
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut bytemuck::cast_slice_mut(&mut self.blocks)[..self.len]
    }
}

impl fmt::Debug for AlignedBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AlignedBytes({} bytes)", self.len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_stay_aligned_and_grow_with_zeros() {
        let mut bytes = AlignedBytes::default();
        bytes.extend_from_slice(&[1; 70]);
        bytes.pad();
        assert_eq!((bytes.len(), bytes.as_ptr() as usize % 64), (128, 0));
        bytes.resize(10);
        bytes.resize(80);
        assert_eq!((bytes[9], bytes[10], bytes[79]), (1, 0, 0));
    }
}
