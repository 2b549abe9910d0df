use std::vec::Vec;

use proptest::prelude::*;

use crate::device::kernel::params::RearrangeParams;
use crate::device::kernel::reference::{self, Random};
use crate::device::kernel::{rearrange_f32, rearrange_f32_is_valid, rearrange_f32_rows};
use crate::device::simd::{Level, View, ViewMut};
use crate::device::tensor::MAX_RANK;
use crate::dispatch;

fn run(level: Level, params: &RearrangeParams, input: &[f32], cut: bool) -> Vec<f32> {
    let len: u32 = params.dims.iter().product();
    let mut output = std::vec![f32::NAN; len as usize];
    let out = ViewMut::new(&mut output);
    let rows = rearrange_f32_rows(params).unwrap() as usize;
    let step = if cut { 3 } else { rows.max(1) };
    for first in (0..rows).step_by(step).rev() {
        let rows = first..(first + step).min(rows);
        dispatch!(level, s => rearrange_f32(s, params, View::new(input), out, rows));
    }
    output
}

#[track_caller]
fn check(params: &RearrangeParams) {
    let len: u32 = params.dims.iter().product();
    assert!(rearrange_f32_is_valid(params, len));
    let input = Random(11).take(params.input_len as usize);
    let want = reference::rearrange(params, &input);
    for level in reference::levels() {
        assert_eq!(run(level, params, &input, false), want);
        assert_eq!(run(level, params, &input, true), want);
    }
}

/// The transposition of a contiguous tensor of these dimensions by a permutation, a part of each axis left out and another
/// padded.
fn transposition(
    dims: [u32; MAX_RANK],
    order: [usize; MAX_RANK],
    skip: [u32; MAX_RANK],
    pad: [u32; MAX_RANK],
) -> RearrangeParams {
    let mut strides = [1u32; MAX_RANK];
    for axis in (0..MAX_RANK - 1).rev() {
        strides[axis] = strides[axis + 1] * dims[axis + 1];
    }
    let skip: [u32; MAX_RANK] = core::array::from_fn(|axis| skip[axis].min(dims[axis] - 1));
    let kept = |axis: usize| dims[order[axis]] - skip[order[axis]];
    RearrangeParams {
        input_len: dims.iter().product(),
        base: (0..MAX_RANK).map(|axis| skip[axis] * strides[axis]).sum(),
        dims: core::array::from_fn(|axis| kept(axis) + 2 * pad[axis]),
        low: pad,
        high: core::array::from_fn(|axis| pad[axis] + kept(axis)),
        stride: core::array::from_fn(|axis| strides[order[axis]] as i32),
        beyond: [0; MAX_RANK],
        fill: 0.25,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]
    #[test]
    fn rearrange_is_its_definition(
        dims in prop::array::uniform6(prop_oneof![Just(1u32), 1..5u32]),
        (large, size) in (0..MAX_RANK, 1..40u32),
        order in Just([0usize, 1, 2, 3, 4, 5]).prop_shuffle(),
        skip in prop::array::uniform6(prop_oneof![4 => Just(0u32), 1 => 1..3u32]),
        pad in prop::array::uniform6(prop_oneof![6 => Just(0u32), 1 => 1..3u32]),
        beyond in prop::array::uniform6(0..4u32),
    ) {
        let mut dims = dims;
        dims[large] = size;
        check(&transposition(dims, order, skip, pad));
        check(&RearrangeParams { beyond, ..transposition(dims, order, skip, pad) });
    }

    #[test]
    fn what_is_valid_reads_inside(
        (input_len, base) in (0..30u32, 0..30u32),
        dims in prop::array::uniform6(0..3u32),
        low in prop::array::uniform6(0..2u32),
        high in prop::array::uniform6(0..3u32),
        stride in prop::array::uniform6(-9..9i32),
        beyond in prop::array::uniform6(prop_oneof![3 => Just(0u32), 1 => 1..5u32]),
    ) {
        let params = RearrangeParams { input_len, base, dims, low, high, stride, beyond, fill: 1.0 };
        if rearrange_f32_is_valid(&params, dims.iter().product()) {
            check(&params);
        }
    }
}

#[test]
fn plain_orders_are_their_definition() {
    let none = [0; MAX_RANK];
    // Channels first to last, matrices, a flip, an expansion.
    check(&transposition([1, 1, 2, 3, 37, 41], [0, 1, 2, 4, 5, 3], none, none));
    check(&transposition([1, 1, 1, 1, 50, 70], [0, 1, 2, 3, 5, 4], none, none));
    let plain = transposition([1, 1, 1, 1, 6, 7], [0, 1, 2, 3, 4, 5], none, none);
    check(&RearrangeParams { base: 6, stride: [0, 0, 0, 0, 7, -1], ..plain });
    check(&RearrangeParams { stride: [0, 0, 0, 0, 0, 1], ..plain });
    check(&RearrangeParams { stride: [0, 0, 0, 0, 7, 0], ..plain });
    check(&RearrangeParams { stride: [0, 0, 0, 0, 1, 6], ..plain });
}

#[test]
fn padded_pictures_are_their_definition() {
    // Rows and columns of [5, 6, 3] pictures, padded by more than they have.
    for beyond in 0..4 {
        for pad in [1, 7] {
            let pad = [0, 0, 0, pad, pad, 0];
            let picture = transposition([1, 1, 2, 5, 6, 3], [0, 1, 2, 3, 4, 5], [0; MAX_RANK], pad);
            check(&RearrangeParams { beyond: [beyond; MAX_RANK], ..picture });
        }
    }
}

#[test]
fn checks_hold_for_any_numbers() {
    let extreme = [0, 1, 0x8000_0000, u32::MAX];
    for a in extreme {
        for b in extreme {
            let params = RearrangeParams {
                input_len: a,
                base: b,
                dims: [1, a, 1, b, 1, a],
                low: [0; MAX_RANK],
                high: [1, a, 1, b, 1, a],
                stride: [a as i32; MAX_RANK],
                beyond: [b; MAX_RANK],
                fill: 0.0,
            };
            let _ = rearrange_f32_is_valid(&params, a);
        }
    }
}
