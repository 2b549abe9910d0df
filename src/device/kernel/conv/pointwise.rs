//! Pointwise convolution and dense layers: a matrix product that reads the input in place.
//!
//! Where a prologue or several segments stand between the input and the product, blocks of pixels are packed into scratch
//! first. Called by [`conv_f32`](super::conv_f32).

use core::ops::Range;

use crate::device::simd::{Runs, Simd, ViewMut};

use super::super::params::ConvParams;
use super::block::{BLOCK_PIXELS, Input, InputRows, multiply};
use super::pack::pack_pixels;
use super::{Band, ConvTask};

/// Elements of a packed block, about: a quarter of a small L2.
const PACKED_LEN: u32 = 24 * 1024;

/// Pixels of a packed block at least: the rows of the largest register tile.
const LEAST_PIXELS: u32 = 12;

/// Pixels of a packed block.
const fn packed_pixels(params: &ConvParams) -> u32 {
    let channels = if params.input.c == 0 { 1 } else { params.input.c };
    let pixels = PACKED_LEN / channels;
    if pixels < LEAST_PIXELS {
        LEAST_PIXELS
    } else if pixels > BLOCK_PIXELS as u32 {
        BLOCK_PIXELS as u32
    } else {
        pixels
    }
}

/// Elements of scratch: one packed block.
pub(super) const fn scratch_len(params: &ConvParams) -> Option<u32> {
    packed_pixels(params).checked_mul(params.input.c)
}

/// Elements of scratch at least: none if the input can be read in place, else so many pixels as a register tile has rows at most.
pub(super) const fn least_scratch_len(params: &ConvParams, gathers: bool) -> Option<u32> {
    if gathers { params.input.c.checked_mul(LEAST_PIXELS) } else { Some(0) }
}

/// Computes the rows of a band.
#[inline(always)]
pub(super) fn conv<S: Simd>(s: S, task: &ConvTask<'_>, band: &Band, scratch: ViewMut<'_, f32>) {
    let (width, channels) = (task.params.output.w as usize, task.params.input.c as usize);
    let runs = Runs::one(channels);
    let pixels = band.rows.start * width..band.rows.end * width;
    if let (Some(segment), None) = (task.source.single(), &task.prologue) {
        let input = Input {
            memory: task.source.memory(),
            rows: InputRows::Picture { rows: &segment.rows, image: band.image, stride: 1 },
            pixel_step: segment.rows.pixel_stride as usize,
            runs,
        };
        return multiply(s, task, band, pixels, &input);
    }
    let block = (packed_pixels(task.params) as usize).min(scratch.len() / channels.max(1)).max(1);
    let mut first = pixels.start;
    while first < pixels.end {
        let count = block.min(pixels.end - first);
        pack(s, task, band.image, first..first + count, scratch);
        let input = Input {
            memory: scratch.as_view().range(0, count * channels),
            rows: InputRows::Even { first: 0usize.wrapping_sub(first * channels), step: width * channels },
            pixel_step: channels,
            runs,
        };
        multiply(s, task, band, first..first + count, &input);
        first += count;
    }
}

/// Packs the pixels `pixels`, counted from the start of the picture along its rows.
#[inline(always)]
fn pack<S: Simd>(s: S, task: &ConvTask<'_>, image: usize, pixels: Range<usize>, target: ViewMut<'_, f32>) {
    let (width, channels) = (task.params.input.w as usize, task.params.input.c as usize);
    let mut packed = 0;
    while packed < pixels.len() {
        let (y, x) = ((pixels.start + packed) / width, (pixels.start + packed) % width);
        let count = (width - x).min(pixels.len() - packed);
        let row = target.range(packed * channels, count * channels);
        pack_pixels(s, task, image, y, x..x + count, row);
        packed += count;
    }
}
