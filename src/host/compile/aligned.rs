//! Bytes that begin at a multiple of 64: what programs and arenas need.

use core::fmt;
use core::ops::{Deref, DerefMut};

use alloc::vec;
use alloc::vec::Vec;

use bytemuck::{Pod, Zeroable};

use crate::device::program::record::ALIGN;

/// Bytes that begin at a multiple of 64; the length is any.
///
/// From 2 MiB on, Linux is asked to back them by huge pages, so that streaming through weights does not wait for the translation
/// of addresses.
#[derive(Clone, Default)]
pub struct AlignedBytes {
    blocks: Blocks,
    len: usize,
}

/// A cache line.
#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C, align(64))]
struct Block([u8; ALIGN]);

/// Cache lines, from the heap or from the system.
enum Blocks {
    Heap(Vec<Block>),
    #[cfg(all(feature = "std", target_os = "linux"))]
    Pages(Pages),
}

impl Blocks {
    /// As many zeros as `len` bytes take.
    fn zeroed(len: usize) -> Self {
        #[cfg(all(feature = "std", target_os = "linux"))]
        if let Some(pages) = Pages::zeroed(len) {
            return Self::Pages(pages);
        }
        Self::Heap(vec![Block([0; ALIGN]); len.div_ceil(ALIGN)])
    }
}

impl Deref for Blocks {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Heap(blocks) => bytemuck::cast_slice(blocks),
            #[cfg(all(feature = "std", target_os = "linux"))]
            Self::Pages(pages) => pages,
        }
    }
}

impl DerefMut for Blocks {
    fn deref_mut(&mut self) -> &mut [u8] {
        match self {
            Self::Heap(blocks) => bytemuck::cast_slice_mut(blocks),
            #[cfg(all(feature = "std", target_os = "linux"))]
            Self::Pages(pages) => pages,
        }
    }
}

impl Default for Blocks {
    fn default() -> Self {
        Self::Heap(Vec::new())
    }
}

impl Clone for Blocks {
    fn clone(&self) -> Self {
        let mut copy = Self::zeroed(self.len());
        copy.copy_from_slice(self);
        copy
    }
}

/// Memory that begins at a multiple of a huge page.
#[cfg(all(feature = "std", target_os = "linux"))]
struct Pages {
    map: memmap2::MmapMut,
    start: usize,
    len: usize,
}

#[cfg(all(feature = "std", target_os = "linux"))]
impl Pages {
    /// Bytes of a huge page where small ones have 4 KiB.
    const HUGE: usize = 2 << 20;

    /// Zeros for `len` bytes, in whole cache lines; `None` for too few, or if the system refuses.
    fn zeroed(len: usize) -> Option<Self> {
        let len = len.checked_next_multiple_of(ALIGN).filter(|len| *len >= Self::HUGE)?;
        let map = memmap2::MmapMut::map_anon(len.checked_add(Self::HUGE)?).ok()?;
        let address = map.as_ptr().addr();
        let start = address.next_multiple_of(Self::HUGE) - address;
        // A kernel without huge pages refuses: small ones hold the same.
        drop(map.advise_range(memmap2::Advice::HugePage, start, len));
        Some(Self { map, start, len })
    }
}

#[cfg(all(feature = "std", target_os = "linux"))]
impl Deref for Pages {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.map[self.start..][..self.len]
    }
}

#[cfg(all(feature = "std", target_os = "linux"))]
impl DerefMut for Pages {
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.map[self.start..][..self.len]
    }
}

impl AlignedBytes {
    /// `len` zeros.
    pub fn zeroed(len: usize) -> Self {
        Self { blocks: Blocks::zeroed(len), len }
    }

    /// Grows with zeros to `len`, or shrinks to it.
    pub fn resize(&mut self, len: usize) {
        if len < self.len {
            self[len..].fill(0);
        }
        if len > self.blocks.len() {
            // Twice as much, so that growing piece by piece does not copy all each time.
            let mut grown = Blocks::zeroed(len.max(self.blocks.len() * 2));
            grown[..self.len].copy_from_slice(self);
            self.blocks = grown;
        }
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
        &self.blocks[..self.len]
    }
}

impl DerefMut for AlignedBytes {
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.blocks[..self.len]
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

    #[test]
    fn many_bytes_are_as_few() {
        const LEN: usize = (5 << 20) + 3;
        let mut bytes = AlignedBytes::zeroed(LEN);
        assert!(bytes.iter().all(|byte| *byte == 0));
        assert_eq!((bytes.len(), bytes.as_ptr() as usize % 64), (LEN, 0));
        bytes[LEN - 1] = 7;
        bytes.extend_from_slice(&[8]);
        let copy = bytes.clone();
        assert_eq!((copy.len(), &copy[LEN - 1..]), (LEN + 1, &[7, 8][..]));
        bytes.resize(1);
        bytes.resize(LEN);
        assert_eq!(bytes[LEN - 1], 0);
    }
}
