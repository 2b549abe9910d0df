//! Pools: maximum, average, sum or product of a window, which may be the whole picture.
//!
//! Flows in: an input in segments; flows out: a band of output rows. Called by `engine`.
//!
//! A window's elements are taken row by row. A maximum is NaN where an element is NaN. An average adds up each window row
//! in chains of at most [`CHAIN`] elements and adds the chains, so that a global pool stays accurate; the break points depend
//! only on the window's place. A window without any element (all padding) gives −∞ for a maximum, 1 for a product, else 0.

use crate::device::simd::{LANES, Simd, View, ViewMut};
use crate::device::tensor::{Axis, Segment};

use super::band::LaneFunction;
use super::overlap::{Reach, RowAxis, RowSeparation};
use super::params::{PoolKind, PoolParams};
use super::{Band, Sink, Source};

/// Vectors of channels that one pass over a window holds in registers.
const BLOCK: usize = 4;
/// Elements of a window row that are added up in one chain.
const CHAIN: usize = 256;

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
    (floor || ceil) && reach < LIMIT && (axis.stride as u64) < LIMIT && (axis.dilation as u64) < LIMIT
}

/// How far apart a segment of the input and the output must begin, in elements, if bands are single rows in order.
pub const fn pool_f32_separation(params: &PoolParams, input: &Segment, output: &Segment) -> RowSeparation {
    let axis = RowAxis::Window(params.window.y);
    Reach { input: params.input, output: params.output, block: 1, axis }.separation(input, output)
}

/// Computes a band of output rows.
pub fn pool_f32<S: Simd>(s: S, task: &PoolTask<'_>, band: &Band) {
    s.vectorize(
        #[inline(always)]
        || {
            for y in band.rows.clone() {
                let mut first = 0;
                for segment in task.source.segments() {
                    let out = task.sink.row(band.image, y);
                    row(s, task, segment, [band.image, y], out.from(first.min(out.len())));
                    first += segment.channels as usize;
                }
            }
        },
    );
}

/// The elements of one window that lie on the input.
struct Taps<'a> {
    task: &'a PoolTask<'a>,
    segment: &'a Segment,
    image: usize,
    /// Input row of the first tap, rows from one tap to the next, taps.
    y: [usize; 3],
    /// The same for columns.
    x: [usize; 3],
    /// What an average divides by.
    divisor: f32,
}

/// One output row of one segment; `out` begins at the segment's first channel.
#[inline(always)]
fn row<S: Simd>(s: S, task: &PoolTask<'_>, segment: &Segment, [image, y]: [usize; 2], out: ViewMut<'_, f32>) {
    let params = task.params;
    let channels = segment.channels as usize;
    let vertical = taps_inside(&params.window.y, y, params.input.h);
    for x in 0..params.output.w as usize {
        let horizontal = taps_inside(&params.window.x, x, params.input.w);
        let count = if params.kind == PoolKind::AveragePadded as u32 {
            padded_taps(&params.window.y, y, params.input.h)
                * padded_taps(&params.window.x, x, params.input.w)
        } else {
            vertical[2] * horizontal[2]
        };
        let taps = Taps { task, segment, image, y: vertical, x: horizontal, divisor: count.max(1) as f32 };
        let pixel = out.range(x * task.sink.pixel_stride(), channels);
        let mut c = 0;
        while c + BLOCK * LANES <= channels {
            taps.pool::<S, BLOCK>(s, pixel, c, BLOCK * LANES);
            c += BLOCK * LANES;
        }
        while c < channels {
            taps.pool::<S, 1>(s, pixel, c, (channels - c).min(LANES));
            c += LANES;
        }
    }
}

/// First input element, step and number of the taps of output `o` that lie on the input.
#[inline(always)]
fn taps_inside(axis: &Axis, o: usize, input: u32) -> [usize; 3] {
    let (begin, end) = axis.valid_taps(o, input as usize);
    let first = axis.first_input(o) + (begin * axis.dilation as usize) as isize;
    [first.max(0) as usize, axis.dilation as usize, end - begin]
}

/// The taps of output `o` that lie on the input or its padding.
fn padded_taps(axis: &Axis, o: usize, input: u32) -> usize {
    let padded = input as usize + axis.pad_before as usize + axis.pad_after as usize;
    let room = padded.saturating_sub(o * axis.stride as usize);
    room.div_ceil(axis.dilation as usize).min(axis.kernel as usize)
}

impl Taps<'_> {
    /// Pools `count` channels from `c` on: `N` vectors, which are whole if there are several.
    #[inline(always)]
    fn pool<S: Simd, const N: usize>(&self, s: S, out: ViewMut<'_, f32>, c: usize, count: usize) {
        let kind = PoolKind::from_code(self.task.params.kind);
        let results = match kind {
            Some(PoolKind::Max) => self.joined::<S, N>(s, f32::NEG_INFINITY, c, count, largest),
            Some(PoolKind::Product) => self.joined::<S, N>(s, 1.0, c, count, S::mul),
            _ => self.sum::<S, N>(s, c, count),
        };
        let is_average = matches!(kind, Some(PoolKind::Average | PoolKind::AveragePadded));
        let (divisor, function) = (s.splat(self.divisor), LaneFunction::new(s, &self.task.params.activation));
        for (v, result) in results.into_iter().enumerate() {
            // A division takes as long as some taps.
            let result = if is_average { s.div(result, divisor) } else { result };
            let lanes = (count - v * LANES).min(LANES);
            out.store_partial(s, c + v * LANES, function.apply(s, result), lanes);
        }
    }

    /// All taps, joined one after the other with what is there before the first.
    #[inline(always)]
    fn joined<S: Simd, const N: usize>(
        &self,
        s: S,
        before: f32,
        c: usize,
        count: usize,
        join: impl Fn(S, S::F32, S::F32) -> S::F32,
    ) -> [S::F32; N] {
        let mut total = [s.splat(before); N];
        for ky in 0..self.y[2] {
            let row = self.row(ky);
            for kx in 0..self.x[2] {
                let x = self.load::<S, N>(s, row, kx, c, count);
                for v in 0..N {
                    total[v] = join(s, total[v], x[v]);
                }
            }
        }
        total
    }

    #[inline(always)]
    fn sum<S: Simd, const N: usize>(&self, s: S, c: usize, count: usize) -> [S::F32; N] {
        let mut total = [s.splat(0.0); N];
        for ky in 0..self.y[2] {
            let row = self.row(ky);
            for begin in (0..self.x[2]).step_by(CHAIN) {
                let mut chain = [s.splat(0.0); N];
                for kx in begin..(begin + CHAIN).min(self.x[2]) {
                    let x = self.load::<S, N>(s, row, kx, c, count);
                    for v in 0..N {
                        chain[v] = s.add(chain[v], x[v]);
                    }
                }
                for v in 0..N {
                    total[v] = s.add(total[v], chain[v]);
                }
            }
        }
        total
    }

    /// The input row under the window's row `ky`.
    #[inline(always)]
    fn row(&self, ky: usize) -> View<'_, f32> {
        self.task.source.row(self.segment, self.image, self.y[0] + ky * self.y[1])
    }

    /// `count` channels from `c` on of the pixel under the window's column `kx`.
    #[inline(always)]
    fn load<S: Simd, const N: usize>(
        &self,
        s: S,
        row: View<'_, f32>,
        kx: usize,
        c: usize,
        count: usize,
    ) -> [S::F32; N] {
        let place = (self.x[0] + kx * self.x[1]) * self.segment.rows.pixel_stride as usize + c;
        if N == 1 {
            return [row.load_partial(s, place, count); N];
        }
        let pixel = row.range(place, N * LANES);
        let mut lanes = [s.splat(0.0); N];
        for (v, lanes) in lanes.iter_mut().enumerate() {
            *lanes = pixel.load(s, v * LANES);
        }
        lanes
    }
}

/// The greater of two, NaN if either is: `max` gives `x` where one is NaN, so only a NaN from before needs a choice.
#[inline(always)]
fn largest<S: Simd>(s: S, so_far: S::F32, x: S::F32) -> S::F32 {
    s.select_nan(so_far, so_far, s.max(so_far, x))
}
