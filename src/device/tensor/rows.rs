//! Where a tensor's rows lie in memory.

use bytemuck::{Pod, Zeroable};

use super::Extent;

/// Where the rows of a tensor lie: the one address formula of all kernels. All numbers count elements.
///
/// Element `(n, y, x, c)` is at `base + n·image_stride + ((y − first_row) mod ring_rows)·row_stride + x·pixel_stride + c`.
/// A tensor that exists whole has `first_row = 0` and `ring_rows = h`; one that is streamed through a ring buffer has fewer.
/// A channel range of a wider tensor has a `pixel_stride` larger than its channels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct Rows {
    /// Place of element `(0, first_row, 0, 0)`.
    pub base: u32,
    /// Elements from one picture of the batch to the next.
    pub image_stride: u32,
    /// Elements from one row to the next.
    pub row_stride: u32,
    /// Elements from one pixel to the next.
    pub pixel_stride: u32,
    /// The first row that the memory holds.
    pub first_row: u32,
    /// Rows that the memory holds; at least 1.
    pub ring_rows: u32,
}

impl Rows {
    /// Rows of a tensor that lies contiguous from `base`; `None` if an address would not fit 32 bits.
    pub const fn contiguous(base: u32, extent: &Extent) -> Option<Self> {
        let Some(row_stride) = extent.w.checked_mul(extent.c) else { return None };
        let Some(image_stride) = row_stride.checked_mul(extent.h) else { return None };
        let Some(len) = image_stride.checked_mul(extent.n) else { return None };
        if base.checked_add(len).is_none() {
            return None;
        }
        let ring_rows = if extent.h == 0 { 1 } else { extent.h };
        Some(Self { base, image_stride, row_stride, pixel_stride: extent.c, first_row: 0, ring_rows })
    }

    /// The place of element `(n, y, 0, 0)`.
    #[inline(always)]
    pub const fn row_start(&self, n: usize, y: usize) -> usize {
        let row = y.wrapping_sub(self.first_row as usize);
        let row = if row < self.ring_rows as usize { row } else { row % self.ring_rows as usize };
        self.base as usize + n * self.image_stride as usize + row * self.row_stride as usize
    }

    /// Elements from the first to the end of the last of a row of `w` pixels with `channels` channels.
    #[inline(always)]
    pub const fn row_len(&self, w: usize, channels: usize) -> usize {
        if w == 0 { 0 } else { (w - 1) * self.pixel_stride as usize + channels }
    }

    /// The end (exclusive) of all that `extent` reaches; `None` if it does not fit 32 bits.
    pub const fn end(&self, extent: &Extent) -> Option<u32> {
        if extent.n == 0 || extent.h == 0 || extent.w == 0 || extent.c == 0 {
            return Some(self.base);
        }
        let rows = if extent.h < self.ring_rows { extent.h } else { self.ring_rows };
        // Each product fits 64 bits, their sum might not; what saturates is beyond 32 bits anyway.
        let last = (self.base as u64 + extent.c as u64)
            .saturating_add((extent.n as u64 - 1) * self.image_stride as u64)
            .saturating_add((rows as u64 - 1) * self.row_stride as u64)
            .saturating_add((extent.w as u64 - 1) * self.pixel_stride as u64);
        if last > u32::MAX as u64 { None } else { Some(last as u32) }
    }

    /// Do the rows exist whole, with every element at its own place? Channels lie inside a pixel, pixels inside a row, rows inside a
    /// picture. So an operand has no more elements than its memory, whatever its size says, and its rows share none.
    pub const fn is_whole(&self, extent: &Extent) -> bool {
        let Extent { n, h, w, c } = *extent;
        if n == 0 || h == 0 || w == 0 || c == 0 {
            return false;
        }
        let row_len = nested(w, self.pixel_stride, c as u64);
        let image_len = nested(h, self.row_stride, row_len);
        nested(n, self.image_stride, image_len) < u64::MAX && self.first_row == 0 && self.ring_rows >= h
    }

    /// Are the elements of `extent` one gapless run?
    pub const fn is_contiguous(&self, extent: &Extent) -> bool {
        self.pixel_stride == extent.c
            && (extent.h as u64 * extent.n as u64 <= 1
                || self.row_stride as u64 == extent.w as u64 * extent.c as u64)
            && (extent.n <= 1 || self.image_stride as u64 == self.row_stride as u64 * extent.h as u64)
            && (self.ring_rows >= extent.h && self.first_row == 0)
    }
}

/// The length of `count` things of length `len` that begin `stride` apart: `(count − 1)·stride + len`. [`u64::MAX`] where neighbours
/// share a place, or where things do already.
const fn nested(count: u32, stride: u32, len: u64) -> u64 {
    if len == u64::MAX || (count > 1 && (stride as u64) < len) {
        return u64::MAX;
    }
    ((count - 1) as u64 * stride as u64).saturating_add(len)
}

/// A channel range of an operand: a whole tensor, or one part of a concatenation.
///
/// A concatenation is not a tensor but a list of segments; a kernel that reads one loops over its segments.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct Segment {
    /// Where the rows lie.
    pub rows: Rows,
    /// Channels of this segment.
    pub channels: u32,
    /// The buffer of the memory plan that holds it. Only the program's check reads this; kernels do not.
    pub buffer: u32,
}
