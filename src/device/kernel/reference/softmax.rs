//! Softmax.

use std::vec::Vec;

use crate::device::kernel::params::SoftmaxParams;

/// Every output element.
pub(crate) fn softmax(params: &SoftmaxParams, input: &[f32]) -> Vec<f64> {
    let (axis, inner) = (params.axis as usize, params.inner as usize);
    let element = |i: usize| {
        let (row, column) = (i / (axis * inner), i % inner);
        let at = |k: usize| f64::from(input[(row * axis + k) * inner + column]);
        let max = (0..axis).map(at).fold(f64::NEG_INFINITY, f64::max);
        let sum: f64 = (0..axis).map(|k| (at(k) - max).exp()).sum();
        let x = f64::from(input[i]) - max;
        if params.log == 1 { x - sum.ln() } else { x.exp() / sum }
    };
    (0..input.len()).map(element).collect()
}
