//! Packing: input pixels with all segments gathered and the prologue applied, for what cannot be read in place.
//!
//! Called by `pointwise` (blocks of pixels), `im2col` and `depthwise` (rows with their padding).

use core::ops::Range;

use crate::device::simd::{LANES, Simd, View, ViewMut};
use crate::device::tensor::Segment;

use super::super::band::{LaneFunction, channel_lanes};
use super::super::params::ConvParams;
use super::{ConvTask, Prologue};

/// Output pixels of a packed block, about.
const PACKED_PIXELS: u32 = 128;
/// Elements of a packed block at most, unless one output row needs more: half of a small L2.
const PACKED_LEN: u64 = 64 * 1024;

/// The packed rows of a block of output rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PackedRows {
    /// Output rows of a block.
    pub(super) output_rows: usize,
    /// Input columns that the windows of a row cover.
    pub(super) columns: usize,
    /// Packed rows from one output row to the next.
    pub(super) output_step: usize,
    /// Packed rows from one kernel row to the next.
    pub(super) tap_step: usize,
    /// Elements in all.
    pub(super) len: u32,
}

impl PackedRows {
    /// The rows for a convolution with these parameters; `None` if they do not fit 32 bits.
    pub(super) const fn of(params: &ConvParams) -> Option<Self> {
        Self::within(params, PACKED_LEN as usize)
    }

    /// The same in `limit` elements at most, unless one output row needs more. Fewer rows are packed more often; results stay.
    pub(super) const fn within(params: &ConvParams, limit: usize) -> Option<Self> {
        let limit = if (limit as u64) < PACKED_LEN { limit as u64 } else { PACKED_LEN };
        let (y, x, output) = (&params.window.y, &params.window.x, &params.output);
        if output.w == 0 || output.h == 0 || y.kernel == 0 || x.kernel == 0 {
            return Some(Self { output_rows: 1, columns: 0, output_step: 0, tap_step: 0, len: 0 });
        }
        let columns = (output.w as u64 - 1) * x.stride as u64 + x.span();
        let Some(row_len) = columns.checked_mul(params.input.c as u64) else { return None };
        let mut output_rows = PACKED_PIXELS.div_ceil(output.w);
        if output_rows > output.h {
            output_rows = output.h;
        }
        loop {
            // All rows between the first and the last, or `kernel` rows for each output row: whichever is less.
            let shared = (output_rows as u64 - 1) * y.stride as u64 + y.span();
            let apart = output_rows as u64 * y.kernel as u64;
            let (rows, output_step, tap_step) =
                if shared <= apart { (shared, y.stride, y.dilation) } else { (apart, y.kernel, 1) };
            let Some(len) = rows.checked_mul(row_len) else { return None };
            if len <= limit || output_rows == 1 {
                if len > u32::MAX as u64 || columns > u32::MAX as u64 {
                    return None;
                }
                return Some(Self {
                    output_rows: output_rows as usize,
                    columns: columns as usize,
                    output_step: output_step as usize,
                    tap_step: tap_step as usize,
                    len: len as u32,
                });
            }
            output_rows = output_rows.div_ceil(2);
        }
    }

    /// Packs the rows that output rows `outputs` (at least one) need, from the start of `scratch`; returns their number.
    #[inline(always)]
    pub(super) fn pack<S: Simd>(
        &self,
        s: S,
        task: &ConvTask<'_>,
        image: usize,
        outputs: Range<usize>,
        scratch: ViewMut<'_, f32>,
    ) -> usize {
        let (axis, params) = (&task.params.window.y, task.params);
        let row_len = self.columns * params.input.c as usize;
        let left = params.window.x.first_input(0);
        let kernel = axis.kernel as usize;
        let apart = self.output_step == kernel && self.tap_step == 1;
        let rows = if apart {
            outputs.len() * kernel
        } else {
            (outputs.len() - 1) * axis.stride as usize + axis.span() as usize
        };
        for row in 0..rows {
            let y = if apart {
                axis.first_input(outputs.start + row / kernel)
                    + (row % kernel * axis.dilation as usize) as isize
            } else {
                axis.first_input(outputs.start) + row as isize
            };
            pack_padded_row(s, task, image, [y, left], scratch.range(row * row_len, row_len));
        }
        rows
    }
}

/// Writes the columns `first..first + len / c` of input row `y`, zeros outside the input, `c` channels a pixel without gaps.
#[inline(always)]
fn pack_padded_row<S: Simd>(
    s: S,
    task: &ConvTask<'_>,
    image: usize,
    [y, first]: [isize; 2],
    target: ViewMut<'_, f32>,
) {
    let (input, channels) = (&task.params.input, task.params.input.c as usize);
    if y < 0 || y >= input.h as isize || channels == 0 {
        return target.fill(0.0);
    }
    let columns = target.len() / channels;
    // The columns of the target that lie on the input.
    let begin = ((-first).max(0) as usize).min(columns);
    let end = ((input.w as isize - first).max(0) as usize).clamp(begin, columns);
    target.range(0, begin * channels).fill(0.0);
    if begin < end {
        let x = (begin as isize + first) as usize;
        let pixels = target.range(begin * channels, (end - begin) * channels);
        pack_pixels(s, task, image, y as usize, x..x + (end - begin), pixels);
    }
    target.from(end * channels).fill(0.0);
}

/// Writes pixels `columns` of input row `y`, `c` channels a pixel without gaps.
#[inline(always)]
pub(super) fn pack_pixels<S: Simd>(
    s: S,
    task: &ConvTask<'_>,
    image: usize,
    y: usize,
    columns: Range<usize>,
    target: ViewMut<'_, f32>,
) {
    let mut channel = 0;
    for segment in task.source.segments() {
        let row = task.source.row(segment, image, y).from(columns.start * segment.rows.pixel_stride as usize);
        match &task.prologue {
            None => copy_segment(s, task, segment, columns.len(), row, target.from(channel)),
            Some(prologue) => {
                let function = LaneFunction::new(s, &prologue.activation);
                let place = [channel, columns.len()];
                apply_segment(s, task, segment, place, (prologue, function), row, target.from(channel));
            }
        }
        channel += segment.channels as usize;
    }
}

/// Copies a segment's channels of `pixels` pixels.
#[inline(always)]
fn copy_segment<S: Simd>(
    s: S,
    task: &ConvTask<'_>,
    segment: &Segment,
    pixels: usize,
    row: View<'_, f32>,
    target: ViewMut<'_, f32>,
) {
    let (channels, target_stride) = (segment.channels as usize, task.params.input.c as usize);
    let stride = segment.rows.pixel_stride as usize;
    if stride == channels && target_stride == channels {
        return target.range(0, pixels * channels).copy_from(row.range(0, pixels * channels));
    }
    for x in 0..pixels {
        let mut c = 0;
        while c < channels {
            let count = (channels - c).min(LANES);
            let lanes = row.load_partial(s, x * stride + c, count);
            target.store_partial(s, x * target_stride + c, lanes, count);
            c += count;
        }
    }
}

/// Applies the prologue to a segment's channels, the first of which is `channel`, of `pixels` pixels.
#[inline(always)]
fn apply_segment<S: Simd>(
    s: S,
    task: &ConvTask<'_>,
    segment: &Segment,
    [channel, pixels]: [usize; 2],
    (prologue, function): (&Prologue<'_>, LaneFunction<'_, S>),
    row: View<'_, f32>,
    target: ViewMut<'_, f32>,
) {
    let (channels, target_stride) = (segment.channels as usize, task.params.input.c as usize);
    let stride = segment.rows.pixel_stride as usize;
    let mut c = 0;
    while c < channels {
        let count = (channels - c).min(LANES);
        let scale = channel_lanes(s, &prologue.scale, channel + c);
        let shift = channel_lanes(s, &prologue.shift, channel + c);
        for x in 0..pixels {
            let lanes = s.mul_add(row.load_partial(s, x * stride + c, count), scale, shift);
            target.store_partial(s, x * target_stride + c, function.apply(s, lanes), count);
        }
        c += count;
    }
}
