//! The size of a picture-like tensor as kernels see it.

use bytemuck::{Pod, Zeroable};

use super::Shape;

/// The size of a tensor as kernels see it: `[n, h, w, c]`. Flat tensors of `len` elements are `[1, 1, 1, len]`, matrices
/// `[1, 1, rows, columns]`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct Extent {
    /// Pictures in the batch.
    pub n: u32,
    /// Rows.
    pub h: u32,
    /// Pixels in a row.
    pub w: u32,
    /// Channels of a pixel.
    pub c: u32,
}

impl Extent {
    /// The extent `[n, h, w, c]`.
    pub const fn new(n: u32, h: u32, w: u32, c: u32) -> Self {
        Self { n, h, w, c }
    }

    /// The extent `[1, 1, 1, len]`.
    pub const fn flat(len: u32) -> Self {
        Self::new(1, 1, 1, len)
    }

    /// The extent of a shape: rank 4 as it is, rank 2 as `[1, 1, rows, columns]`, every other rank flat.
    pub fn of(shape: &Shape) -> Self {
        match *shape.dims() {
            [n, h, w, c] => Self::new(n, h, w, c),
            [rows, columns] => Self::new(1, 1, rows, columns),
            _ => Self::flat(shape.len()),
        }
    }

    /// The same size with other channels.
    pub const fn with_channels(self, c: u32) -> Self {
        Self { c, ..self }
    }

    /// The number of pixels, `n·h·w`; `None` if it does not fit 32 bits.
    pub const fn pixels(&self) -> Option<u32> {
        match self.n.checked_mul(self.h) {
            Some(rows) => rows.checked_mul(self.w),
            None => None,
        }
    }

    /// The number of elements; `None` if it does not fit 32 bits.
    pub const fn checked_len(&self) -> Option<u32> {
        match self.pixels() {
            Some(pixels) => pixels.checked_mul(self.c),
            None => None,
        }
    }
}
