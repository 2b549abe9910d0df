//! Normalisation by the data's own mean and variance: layer, group and instance normalisation in one formula.
//!
//! Flows in and out: one contiguous tensor each, `[outer, spatial, groups, inner]`; they may be the same. Called by `engine`.
//!
//! Mean and variance are taken over `spatial` and `inner`, for each pair of `outer` and group. A first pass gives a mean `m`; a
//! second one sums the deviations `d = x − m` and their squares, so that the rounding of `m` is made good in both results:
//! `mean = m + Σd/n`, `variance = (Σd² − (Σd)²/n)/n` (the corrected two-pass algorithm; Chan, Golub and others 1983).
//!
//! Where `spatial` is 1, element `k` of a group belongs to virtual lane `k mod 16`. Else each channel has a sum of its own down
//! `spatial`, and the sums of a group's channels are added like the elements of a contiguous group. So no cut into bands changes
//! a sum.

use core::ops::Range;

use crate::device::simd::{LANES, Simd, View, ViewMut};

use super::Band;
use super::activation::activate;
use super::lane_sum::{ChainedSum, joined, load_or};
use super::params::NormalizeParams;

/// Numbers that scratch holds for each channel: mean, sum of deviations, sum of their squares.
const STATISTICS: usize = 3;

/// What one normalisation reads and writes.
#[derive(Clone, Copy, Debug)]
pub struct NormalizeTask<'a> {
    /// The geometry.
    pub params: &'a NormalizeParams,
    /// The input, whole.
    pub input: View<'a, f32>,
    /// Factor of each channel (`groups · inner`, filled up to a multiple of 16); absent is 1.
    pub scale: Option<View<'a, f32>>,
    /// Summand of each channel, as long as the scale; absent is 0.
    pub shift: Option<View<'a, f32>>,
    /// The output, whole; it may be the input.
    pub output: ViewMut<'a, f32>,
}

/// Elements of input and output; `None` if they do not fit 32 bits.
pub const fn normalize_f32_len(params: &NormalizeParams) -> Option<u32> {
    let (Some(rows), Some(channels)) =
        (params.outer.checked_mul(params.spatial), normalize_f32_channels(params))
    else {
        return None;
    };
    rows.checked_mul(channels)
}

/// Channels: `groups · inner`; `None` if they do not fit 32 bits.
pub const fn normalize_f32_channels(params: &NormalizeParams) -> Option<u32> {
    params.groups.checked_mul(params.inner)
}

/// Can [`normalize_f32`] compute this into `output_len` elements?
pub const fn normalize_f32_is_valid(params: &NormalizeParams, output_len: u32) -> bool {
    matches!(normalize_f32_len(params), Some(len) if len == output_len) && params.activation.kind().is_some()
}

/// Elements of scratch: three for each channel where `spatial` is more than 1. `None` if they do not fit 32 bits.
pub const fn normalize_f32_scratch_len(params: &NormalizeParams) -> Option<u32> {
    if params.spatial == 1 {
        return Some(0);
    }
    match normalize_f32_channels(params) {
        Some(channels) => channels.checked_mul(STATISTICS as u32),
        None => None,
    }
}

/// Pictures, rows of each, and the number of rows that a band should begin at a multiple of. A row is a group; where `spatial`
/// is 1, all groups of all `outer` are rows of one picture.
pub const fn normalize_f32_rows(params: &NormalizeParams) -> [usize; 3] {
    let (outer, groups) = (params.outer as usize, params.groups as usize);
    if params.spatial == 1 {
        return [1, outer * groups, 1];
    }
    let inner = if params.inner == 0 { 1 } else { params.inner as usize };
    [outer, groups, LANES.div_ceil(inner)]
}

/// Computes a band of rows (see [`normalize_f32_rows`]). `scratch` has at least [`normalize_f32_scratch_len`] elements.
pub fn normalize_f32<S: Simd>(s: S, task: &NormalizeTask<'_>, band: &Band, scratch: ViewMut<'_, f32>) {
    s.vectorize(
        #[inline(always)]
        || {
            if task.params.spatial == 1 {
                for row in band.rows.clone() {
                    contiguous(s, task, row);
                }
            } else {
                Columns::new(task, band, scratch).normalize(s, band.rows.clone());
            }
        },
    );
}

/// `1 / √(variance + ε)` of `n` deviations whose sum and sum of squares are given, and what their mean is off by.
#[inline(always)]
fn statistics<S: Simd>(s: S, n: f32, sum: f32, squares: f32, epsilon: f32) -> (f32, f32) {
    let offset = sum / n;
    // Rounding may leave the difference below 0; NaN stays.
    let variance = s.max(s.splat(0.0), s.splat((squares - sum * offset) / n));
    let deviation = s.sqrt(s.add(variance, s.splat(epsilon)));
    (s.to_array(s.div(s.splat(1.0), deviation))[0], offset)
}

/// The sum of all elements of a view, element `k` in lane `k mod 16`.
#[inline(always)]
fn sum<S: Simd>(s: S, x: View<'_, f32>) -> f32 {
    let mut lanes = ChainedSum::new(s);
    for i in (0..x.len()).step_by(LANES) {
        lanes.add(s, x.load_partial(s, i, (x.len() - i).min(LANES)));
    }
    joined(s, lanes.finish(s), |a, b| a + b)
}

/// One group whose elements are neighbours.
#[inline(always)]
fn contiguous<S: Simd>(s: S, task: &NormalizeTask<'_>, row: usize) {
    let (inner, groups) = (task.params.inner as usize, task.params.groups as usize);
    let (x, out) = (task.input.range(row * inner, inner), task.output.range(row * inner, inner));
    let n = inner as f32;
    let mean = sum(s, x) / n;
    let lanes = |i: usize| s.sub(load_or(s, x, i, (inner - i).min(LANES), mean), s.splat(mean));
    let (mut deviations, mut squares) = (ChainedSum::new(s), ChainedSum::new(s));
    for i in (0..inner).step_by(LANES) {
        let d = lanes(i);
        deviations.add(s, d);
        squares.add(s, s.mul(d, d));
    }
    let [deviations, squares] = [deviations, squares].map(|sum| joined(s, sum.finish(s), |a, b| a + b));
    let (factor, offset) = statistics(s, n, deviations, squares, task.params.epsilon);
    let channel = row % groups * inner;
    for i in (0..inner).step_by(LANES) {
        let count = (inner - i).min(LANES);
        let d = s.sub(lanes(i), s.splat(offset));
        out.store_partial(s, i, task.scaled(s, d, s.splat(factor), channel + i, count), count);
    }
}

impl NormalizeTask<'_> {
    /// `activation(d · factor · scale + shift)` of `count` channels from `channel` on.
    #[inline(always)]
    fn scaled<S: Simd>(&self, s: S, d: S::F32, factor: S::F32, channel: usize, count: usize) -> S::F32 {
        let factor = match &self.scale {
            Some(scale) => s.mul(factor, scale.load_partial(s, channel, count)),
            None => factor,
        };
        let x = match &self.shift {
            Some(shift) => s.mul_add(d, factor, shift.load_partial(s, channel, count)),
            None => s.mul(d, factor),
        };
        activate(s, &self.params.activation, x)
    }
}

/// Channels whose elements lie `stride` apart.
struct Columns<'a, 't> {
    task: &'t NormalizeTask<'a>,
    input: View<'a, f32>,
    output: ViewMut<'a, f32>,
    stride: usize,
    /// The band's channels.
    channels: Range<usize>,
    /// Mean; Σd, then what the mean is off by; Σd², then the factor. One number a channel of the band.
    scratch: [ViewMut<'t, f32>; STATISTICS],
}

impl<'a, 't> Columns<'a, 't> {
    fn new(task: &'t NormalizeTask<'a>, band: &Band, scratch: ViewMut<'t, f32>) -> Self {
        let (inner, groups) = (task.params.inner as usize, task.params.groups as usize);
        let (stride, spatial) = (groups * inner, task.params.spatial as usize);
        let picture = spatial * stride;
        let channels = band.rows.start * inner..band.rows.end * inner;
        Self {
            task,
            input: task.input.range(band.image * picture, picture),
            output: task.output.range(band.image * picture, picture),
            stride,
            scratch: core::array::from_fn(|i| scratch.range(i * channels.len(), channels.len())),
            channels,
        }
    }

    /// All groups of the band.
    #[inline(always)]
    fn normalize<S: Simd>(&self, s: S, groups: Range<usize>) {
        let inner = self.task.params.inner as usize;
        let n = self.task.params.spatial as f32 * inner as f32;
        let [means, sums, squares] = self.scratch;
        self.blocks(|c, count| self.sum(s, c, count));
        for group in 0..groups.len() {
            let own = means.range(group * inner, inner);
            own.fill(sum(s, own.as_view()) / n);
        }
        self.blocks(|c, count| self.deviations(s, c, count));
        for group in 0..groups.len() {
            let [sums, squares] = [sums, squares].map(|view| view.range(group * inner, inner));
            let (sum, square) = (sum(s, sums.as_view()), sum(s, squares.as_view()));
            let (factor, offset) = statistics(s, n, sum, square, self.task.params.epsilon);
            sums.fill(offset);
            squares.fill(factor);
        }
        self.blocks(|c, count| self.write(s, c, count));
    }

    /// Calls `f` for every vector of channels of the band: first channel (of the band's) and number.
    #[inline(always)]
    fn blocks(&self, f: impl Fn(usize, usize)) {
        for c in (0..self.channels.len()).step_by(LANES) {
            f(c, (self.channels.len() - c).min(LANES));
        }
    }

    /// Row `y` of `count` channels from the band's `c` on.
    #[inline(always)]
    fn load<S: Simd>(&self, s: S, y: usize, c: usize, count: usize) -> S::F32 {
        self.input.load_partial(s, y * self.stride + self.channels.start + c, count)
    }

    #[inline(always)]
    fn sum<S: Simd>(&self, s: S, c: usize, count: usize) {
        let mut sum = ChainedSum::new(s);
        for y in 0..self.task.params.spatial as usize {
            sum.add(s, self.load(s, y, c, count));
        }
        self.scratch[0].store_partial(s, c, sum.finish(s), count);
    }

    #[inline(always)]
    fn deviations<S: Simd>(&self, s: S, c: usize, count: usize) {
        let mean = self.scratch[0].load_partial(s, c, count);
        let (mut sum, mut squares) = (ChainedSum::new(s), ChainedSum::new(s));
        for y in 0..self.task.params.spatial as usize {
            let d = s.sub(self.load(s, y, c, count), mean);
            sum.add(s, d);
            squares.add(s, s.mul(d, d));
        }
        self.scratch[1].store_partial(s, c, sum.finish(s), count);
        self.scratch[2].store_partial(s, c, squares.finish(s), count);
    }

    #[inline(always)]
    fn write<S: Simd>(&self, s: S, c: usize, count: usize) {
        let [mean, offset, factor] = self.scratch.map(|view| view.load_partial(s, c, count));
        let channel = self.channels.start + c;
        for y in 0..self.task.params.spatial as usize {
            let d = s.sub(s.sub(self.load(s, y, c, count), mean), offset);
            let x = self.task.scaled(s, d, factor, channel, count);
            self.output.store_partial(s, y * self.stride + channel, x, count);
        }
    }
}
