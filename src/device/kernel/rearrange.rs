//! A copy with other order: slices, transpositions, constant padding and expansion.
//!
//! Flows in and out: one contiguous tensor each. Called by `engine`.

use core::ops::Range;

use crate::device::simd::{Simd, View, ViewMut};
use crate::device::tensor::MAX_RANK;

use super::params::RearrangeParams;

/// Elements of the output; `None` if they do not fit 32 bits.
pub const fn rearrange_f32_output_len(params: &RearrangeParams) -> Option<u32> {
    match rearrange_f32_rows(params) {
        Some(rows) => rows.checked_mul(params.dims[MAX_RANK - 1]),
        None => None,
    }
}

/// Rows of the output: the product of all dimensions but the last. Bands may begin at every row. `None` if the number does
/// not fit 32 bits.
pub const fn rearrange_f32_rows(params: &RearrangeParams) -> Option<u32> {
    let mut rows = 1u32;
    let mut axis = 0;
    while axis < MAX_RANK - 1 {
        rows = match rows.checked_mul(params.dims[axis]) {
            Some(rows) => rows,
            None => return None,
        };
        axis += 1;
    }
    Some(rows)
}

/// Can [`rearrange_f32`] compute this into `output_len` elements? `low ≤ high ≤ dims` on every axis, the dimensions make
/// exactly `output_len` elements, and every input index that the formula reaches lies inside the input.
pub const fn rearrange_f32_is_valid(params: &RearrangeParams, output_len: u32) -> bool {
    match rearrange_f32_output_len(params) {
        Some(len) if len == output_len => {}
        _ => return false,
    }
    // The least and the greatest index; a sum that saturates is outside any input.
    let (mut least, mut greatest) = (params.base as i64, params.base as i64);
    let mut reads = true;
    let mut axis = 0;
    while axis < MAX_RANK {
        let (low, high) = (params.low[axis], params.high[axis]);
        if low > high || high > params.dims[axis] {
            return false;
        }
        if low == high {
            reads = false;
        } else {
            let last = (high - low - 1) as i64 * params.stride[axis] as i64;
            if last < 0 {
                least = least.saturating_add(last);
            } else {
                greatest = greatest.saturating_add(last);
            }
        }
        axis += 1;
    }
    !reads || (least >= 0 && greatest < params.input_len as i64)
}

/// Computes the output rows `rows` (see [`rearrange_f32_rows`]); `output` is the whole output.
pub fn rearrange_f32<S: Simd>(
    _s: S,
    params: &RearrangeParams,
    input: View<'_, f32>,
    output: ViewMut<'_, f32>,
    rows: Range<usize>,
) {
    let row_len = params.dims[MAX_RANK - 1] as usize;
    for row in rows {
        let mut rest = row;
        let mut index = [0usize; MAX_RANK];
        for axis in (0..MAX_RANK - 1).rev() {
            index[axis] = rest % params.dims[axis] as usize;
            rest /= params.dims[axis] as usize;
        }
        for x in 0..row_len {
            index[MAX_RANK - 1] = x;
            output.set(row * row_len + x, element(params, input, &index));
        }
    }
}

fn element(params: &RearrangeParams, input: View<'_, f32>, index: &[usize; MAX_RANK]) -> f32 {
    let mut place = i64::from(params.base);
    for axis in 0..MAX_RANK {
        let (low, high) = (params.low[axis] as usize, params.high[axis] as usize);
        if index[axis] < low || index[axis] >= high {
            return params.fill;
        }
        place += (index[axis] - low) as i64 * i64::from(params.stride[axis]);
    }
    input.get(place as usize)
}
