//! Softmax and its logarithm over the middle axis of `[outer, axis, inner]`.
//!
//! Flows in and out: one contiguous tensor each; they may be the same. Called by `engine`.
//!
//! Sums run in chains ([`ChainedSum`]). Where the axis is contiguous, element `k` belongs to virtual lane `k mod 16`, and the
//! sixteen lanes are joined in pairs.

use core::ops::Range;

use crate::device::simd::{LANES, Simd, View, ViewMut};

use super::activation::{exp, log};
use super::lane_sum::{ChainedSum, joined, load_or};
use super::params::SoftmaxParams;

/// Vectors of neighbouring columns that go down the axis together, so that memory is read in longer pieces.
const BLOCK: usize = 4;

/// Elements of input and output; `None` if they do not fit 32 bits.
pub const fn softmax_f32_len(params: &SoftmaxParams) -> Option<u32> {
    match params.outer.checked_mul(params.axis) {
        Some(rows) => rows.checked_mul(params.inner),
        None => None,
    }
}

/// Can [`softmax_f32`] compute this into `output_len` elements?
pub const fn softmax_f32_is_valid(params: &SoftmaxParams, output_len: u32) -> bool {
    matches!(softmax_f32_len(params), Some(len) if len == output_len) && params.log <= 1
}

/// Computes the rows `outer`; `input` and `output` are whole. The output holds the exponentials until their sum is known, so there
/// is no scratch. NaN in a row makes all of the row NaN.
pub fn softmax_f32<S: Simd>(
    s: S,
    params: &SoftmaxParams,
    input: View<'_, f32>,
    output: ViewMut<'_, f32>,
    outer: Range<usize>,
) {
    let (axis, inner) = (params.axis as usize, params.inner as usize);
    let len = axis * inner;
    if len == 0 {
        return;
    }
    s.vectorize(
        #[inline(always)]
        || {
            for row in outer {
                let (x, out) = (input.range(row * len, len), output.range(row * len, len));
                if inner == 1 {
                    contiguous(s, x, out, params.log != 0);
                } else {
                    let mut first = 0;
                    while first < inner {
                        let count = inner - first;
                        let columns = Columns { axis, inner, first, count: count.min(LANES) };
                        if count >= BLOCK * LANES {
                            columns.softmax::<S, BLOCK>(s, x, out, params.log != 0);
                            first += BLOCK * LANES;
                        } else {
                            columns.softmax::<S, 1>(s, x, out, params.log != 0);
                            first += LANES;
                        }
                    }
                }
            }
        },
    );
}

/// One row whose axis is contiguous.
#[inline(always)]
fn contiguous<S: Simd>(s: S, x: View<'_, f32>, out: ViewMut<'_, f32>, is_log: bool) {
    let len = x.len();
    let mut largest = s.splat(f32::NEG_INFINITY);
    for i in (0..len).step_by(LANES) {
        let count = (len - i).min(LANES);
        largest = greater(s, largest, load_or(s, x, i, count, f32::NEG_INFINITY));
    }
    let max = s.splat(joined(s, largest, |a, b| if a >= b || a.is_nan() { a } else { b }));
    let mut sum = ChainedSum::new(s);
    for i in (0..len).step_by(LANES) {
        let count = (len - i).min(LANES);
        let power = exp(s, s.sub(load_or(s, x, i, count, f32::NEG_INFINITY), max));
        sum.add(s, power);
        if !is_log {
            out.store_partial(s, i, power, count);
        }
    }
    let sum = s.splat(joined(s, sum.finish(s), |a, b| a + b));
    let log_sum = if is_log { log(s, sum) } else { sum };
    for i in (0..len).step_by(LANES) {
        let count = (len - i).min(LANES);
        let result = if is_log {
            s.sub(s.sub(x.load_partial(s, i, count), max), log_sum)
        } else {
            s.div(out.load_partial(s, i, count), sum)
        };
        out.store_partial(s, i, result, count);
    }
}

/// Neighbouring columns: each lane goes down the axis for itself.
struct Columns {
    axis: usize,
    inner: usize,
    first: usize,
    /// Columns of one vector: fewer than sixteen only where there is just one.
    count: usize,
}

impl Columns {
    /// Vector `v` of element `k` of the axis.
    #[inline(always)]
    fn load<S: Simd>(&self, s: S, view: View<'_, f32>, k: usize, v: usize) -> S::F32 {
        view.load_partial(s, k * self.inner + self.first + v * LANES, self.count)
    }

    /// Computes `N` vectors of columns.
    #[inline(always)]
    fn softmax<S: Simd, const N: usize>(&self, s: S, x: View<'_, f32>, out: ViewMut<'_, f32>, is_log: bool) {
        let mut max = [s.splat(f32::NEG_INFINITY); N];
        for k in 0..self.axis {
            for (v, max) in max.iter_mut().enumerate() {
                *max = greater(s, *max, self.load(s, x, k, v));
            }
        }
        let mut sums = [ChainedSum::new(s); N];
        for k in 0..self.axis {
            for (v, sum) in sums.iter_mut().enumerate() {
                let power = exp(s, s.sub(self.load(s, x, k, v), max[v]));
                sum.add(s, power);
                if !is_log {
                    self.store(s, out, k, v, power);
                }
            }
        }
        let mut totals = [s.splat(0.0); N];
        for (total, sum) in totals.iter_mut().zip(sums) {
            *total = sum.finish(s);
            if is_log {
                *total = log(s, *total);
            }
        }
        for k in 0..self.axis {
            for (v, &total) in totals.iter().enumerate() {
                let result = if is_log {
                    s.sub(s.sub(self.load(s, x, k, v), max[v]), total)
                } else {
                    s.div(self.load(s, out.as_view(), k, v), total)
                };
                self.store(s, out, k, v, result);
            }
        }
    }

    #[inline(always)]
    fn store<S: Simd>(&self, s: S, out: ViewMut<'_, f32>, k: usize, v: usize, x: S::F32) {
        out.store_partial(s, k * self.inner + self.first + v * LANES, x, self.count);
    }
}

/// The greater of two, NaN if either is.
#[inline(always)]
fn greater<S: Simd>(s: S, so_far: S::F32, x: S::F32) -> S::F32 {
    s.select_nan(so_far, so_far, s.max(so_far, x))
}
