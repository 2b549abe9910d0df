//! Pooling.

use std::vec::Vec;

use super::{Exact, Tensor, activation};
use crate::device::kernel::params::{PoolKind, PoolParams};

/// Every output element, in the order of a contiguous tensor.
pub(crate) fn pool(params: &PoolParams, input: &Tensor) -> Vec<Exact> {
    Tensor::poison(params.output, &[params.output.c], 0)
        .places()
        .map(|place| element(params, input, place))
        .collect()
}

fn element(params: &PoolParams, input: &Tensor, [n, y, x, c]: [usize; 4]) -> Exact {
    let (wy, wx) = (&params.window.y, &params.window.x);
    let mut sum = Exact::default();
    let (mut max, mut product) = (f64::NEG_INFINITY, 1.0f64);
    let (mut inside, mut padded) = (0, 0);
    for ky in 0..i64::from(wy.kernel) {
        for kx in 0..i64::from(wx.kernel) {
            let iy = y as i64 * i64::from(wy.stride) + ky * i64::from(wy.dilation) - i64::from(wy.pad_before);
            let ix = x as i64 * i64::from(wx.stride) + kx * i64::from(wx.dilation) - i64::from(wx.pad_before);
            let (h, w) = (i64::from(params.input.h), i64::from(params.input.w));
            if iy < h + i64::from(wy.pad_after) && ix < w + i64::from(wx.pad_after) {
                padded += 1;
            }
            if (0..h).contains(&iy) && (0..w).contains(&ix) {
                let element = f64::from(input.at([n, iy as usize, ix as usize, c]));
                inside += 1;
                sum.add(element);
                max = max.max(element);
                product *= element;
            }
        }
    }
    let (value, magnitude) = match PoolKind::from_code(params.kind).unwrap() {
        PoolKind::Max => (max, 0.0),
        PoolKind::Average => (sum.value / f64::from(inside.max(1)), sum.magnitude / f64::from(inside.max(1))),
        PoolKind::AveragePadded => {
            (sum.value / f64::from(padded.max(1)), sum.magnitude / f64::from(padded.max(1)))
        }
        PoolKind::Sum => (sum.value, sum.magnitude),
        // Each factor rounds once, relative to the product.
        PoolKind::Product => (product, product.abs()),
    };
    Exact { value: activation(&params.activation, value), magnitude }
}
