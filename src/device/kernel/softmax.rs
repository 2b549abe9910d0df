//! Softmax and its logarithm over the middle axis of `[outer, axis, inner]`.
//!
//! Flows in and out: one contiguous tensor each; they may be the same. Called by `engine`.

use core::ops::Range;

use crate::device::simd::{Simd, View, ViewMut};

use super::params::SoftmaxParams;

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

/// Elements of scratch: none.
pub const fn softmax_f32_scratch_len(_params: &SoftmaxParams) -> Option<u32> {
    Some(0)
}

/// Computes the rows `outer`; `input` and `output` are whole.
pub fn softmax_f32<S: Simd>(
    _s: S,
    params: &SoftmaxParams,
    input: View<'_, f32>,
    output: ViewMut<'_, f32>,
    outer: Range<usize>,
    _scratch: ViewMut<'_, f32>,
) {
    let (axis, inner) = (params.axis as usize, params.inner as usize);
    for row in outer {
        for i in 0..inner {
            let place = |k: usize| (row * axis + k) * inner + i;
            let max = (0..axis).fold(f32::NEG_INFINITY, |max, k| max.max(input.get(place(k))));
            let sum: f32 = (0..axis).map(|k| libm::expf(input.get(place(k)) - max)).sum();
            for k in 0..axis {
                let x = input.get(place(k)) - max;
                let result = if params.log == 1 { x - libm::logf(sum) } else { libm::expf(x) / sum };
                output.set(place(k), result);
            }
        }
    }
}
