//! Memory for an engine, in static storage.

use core::ops::{Deref, DerefMut};

/// `N` bytes at a multiple of 64: an arena for a `static`, without heap.
///
/// ```
/// use salto::device::engine::AlignedArena;
///
/// let arena = AlignedArena::<4096>::new();
/// assert_eq!((arena.len(), arena.as_ptr().addr() % 64), (4096, 0));
/// ```
///
/// With [`program::arena_len`](crate::device::program::arena_len) `N` is what the program needs, known when the firmware is compiled.
#[derive(Clone, Debug)]
#[repr(C, align(64))]
pub struct AlignedArena<const N: usize>([u8; N]);

impl<const N: usize> AlignedArena<N> {
    /// An arena of zeros.
    pub const fn new() -> Self {
        Self([0; N])
    }
}

impl<const N: usize> Default for AlignedArena<N> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const N: usize> Deref for AlignedArena<N> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl<const N: usize> DerefMut for AlignedArena<N> {
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.0
    }
}
