//! Max, average and global pooling.
//!
//! Flows in: an input in segments; flows out: a band of output rows. Called by `engine`.

use crate::device::simd::{LANES, Simd, View};
use crate::device::tensor::{Axis, Segment};

use super::params::{PoolKind, PoolParams};
use super::{Band, Sink, Source, activate};

/// What one pool reads and writes.
#[derive(Clone, Copy, Debug)]
pub struct PoolTask<'a> {
    /// The geometry.
    pub params: &'a PoolParams,
    /// The input.
    pub source: Source<'a, f32>,
    /// The output.
    pub sink: Sink<'a, f32>,
}

/// Can [`pool_f32`] compute this? Batch and channels are the same on both sides, the output has the size of the window's
/// formula (with or without ceil), and every number is in range.
pub const fn pool_f32_is_valid(params: &PoolParams) -> bool {
    let (input, output) = (&params.input, &params.output);
    input.n == output.n
        && input.c == output.c
        && input.checked_len().is_some()
        && output.checked_len().is_some()
        && PoolKind::from_code(params.kind).is_some()
        && params.activation.kind().is_some()
        && axis_is_valid(&params.window.y, input.h, output.h)
        && axis_is_valid(&params.window.x, input.w, output.w)
}

/// Is `output` the number of windows over `input`, and do all places stay below 2³⁰?
const fn axis_is_valid(axis: &Axis, input: u32, output: u32) -> bool {
    const LIMIT: u64 = 1 << 30;
    let reach = axis.pad_before as u64 + input as u64 + axis.pad_after as u64;
    let floor = matches!(axis.output_len(input, false), Some(len) if len == output);
    let ceil = matches!(axis.output_len(input, true), Some(len) if len == output);
    (floor || ceil) && reach < LIMIT && (axis.stride as u64) < LIMIT
}

/// Bands may begin at every row.
pub const fn pool_f32_band_multiple(_params: &PoolParams) -> u32 {
    1
}

/// Computes a band of output rows.
pub fn pool_f32<S: Simd>(s: S, task: &PoolTask<'_>, band: &Band) {
    s.vectorize(
        #[inline(always)]
        || {
            let mut first = 0;
            for segment in task.source.segments() {
                for y in band.rows.clone() {
                    row(s, task, segment, first, [band.image, y]);
                }
                first += segment.channels as usize;
            }
        },
    );
}

#[inline(always)]
fn row<S: Simd>(s: S, task: &PoolTask<'_>, segment: &Segment, first: usize, [n, y]: [usize; 2]) {
    let params = task.params;
    let out = task.sink.row(n, y);
    for x in 0..params.output.w as usize {
        for c in (0..segment.channels as usize).step_by(LANES) {
            let count = (segment.channels as usize - c).min(LANES);
            let pooled = window(s, task, segment, [n, y, x, c], count);
            let result = activate(s, &params.activation, pooled);
            out.store_partial(s, x * task.sink.pixel_stride() + first + c, result, count);
        }
    }
}

#[inline(always)]
fn window<S: Simd>(
    s: S,
    task: &PoolTask<'_>,
    segment: &Segment,
    [n, y, x, c]: [usize; 4],
    count: usize,
) -> S::F32 {
    let params = task.params;
    let (wy, wx) = (&params.window.y, &params.window.x);
    let max = params.kind == PoolKind::Max as u32;
    let mut total = s.splat(if max { f32::NEG_INFINITY } else { 0.0 });
    let (ky, ky_end) = wy.valid_taps(y, params.input.h as usize);
    let (kx, kx_end) = wx.valid_taps(x, params.input.w as usize);
    for ky in ky..ky_end {
        let iy = wy.first_input(y) + (ky * wy.dilation as usize) as isize;
        let row: View<'_, f32> = task.source.row(segment, n, iy as usize);
        for kx in kx..kx_end {
            let ix = wx.first_input(x) + (kx * wx.dilation as usize) as isize;
            let lanes = row.load_partial(s, ix as usize * segment.rows.pixel_stride as usize + c, count);
            total = if max { s.max(total, lanes) } else { s.add(total, lanes) };
        }
    }
    if max {
        return total;
    }
    let taps = if params.kind == PoolKind::Average as u32 {
        (ky_end - ky) * (kx_end - kx)
    } else {
        padded_taps(wy, y, params.input.h) * padded_taps(wx, x, params.input.w)
    };
    s.div(total, s.splat(taps.max(1) as f32))
}

/// The taps of output `o` that lie on the input or its padding.
const fn padded_taps(axis: &Axis, o: usize, input: u32) -> usize {
    let room = input as usize + axis.pad_before as usize + axis.pad_after as usize - o * axis.stride as usize;
    let taps = room.div_ceil(axis.dilation as usize);
    if taps < axis.kernel as usize { taps } else { axis.kernel as usize }
}
