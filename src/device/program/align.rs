//! Bytes at a multiple of 64, for programs in flash and arenas in static memory.

use core::ops::{Deref, DerefMut};

/// A value at a multiple of [`ALIGN`](super::record::ALIGN) bytes: how a program is embedded.
///
/// ```ignore
/// static NET: &Aligned<[u8]> = &Aligned(*include_bytes!("net.salto"));
/// let program = Program::from_bytes(NET)?;
/// ```
#[derive(Clone, Copy, Debug)]
#[repr(C, align(64))]
pub struct Aligned<T: ?Sized>(
    /// The value.
    pub T,
);

impl<T: ?Sized> Deref for Aligned<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T: ?Sized> DerefMut for Aligned<T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.0
    }
}
