use std::vec::Vec;

use proptest::prelude::*;

use crate::device::kernel::params::SoftmaxParams;
use crate::device::kernel::reference::{self, Random};
use crate::device::kernel::{softmax_f32, softmax_f32_is_valid};
use crate::device::simd::{Level, View, ViewMut};
use crate::dispatch;

/// One row at a time, the last first, or all at once.
fn run(level: Level, params: &SoftmaxParams, input: &[f32], cut: bool) -> Vec<f32> {
    let mut output = std::vec![f32::NAN; input.len()];
    let out = ViewMut::new(&mut output);
    let rows = params.outer as usize;
    let step = if cut { 1 } else { rows };
    for first in (0..rows).step_by(step).rev() {
        let rows = first..first + step;
        dispatch!(level, s => softmax_f32(s, params, View::new(input), out, rows));
    }
    output
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn softmax_is_its_definition(
        (outer, log, seed) in (1..4u32, 0..2u32, any::<u64>()),
        (axis, inner) in prop_oneof![(1..50u32, 1..40u32), (1..2500u32, Just(1u32)), (900..1100u32, 1..4u32)],
        scale in prop_oneof![Just(1.0f32), Just(30.0), Just(200.0)],
    ) {
        let params = SoftmaxParams { outer, axis, inner, log };
        let len = outer * axis * inner;
        prop_assert!(softmax_f32_is_valid(&params, len) && !softmax_f32_is_valid(&params, len + 1));
        let input: Vec<f32> = Random(seed).take(len as usize).iter().map(|x| x * scale).collect();
        let exact = reference::softmax(&params, &input);
        let mut fused: Option<Vec<f32>> = None;
        for level in reference::levels() {
            let output = run(level, &params, &input, false);
            prop_assert_eq!(&output, &run(level, &params, &input, true));
            for (&found, &want) in output.iter().zip(&exact) {
                // The difference x − max is rounded, which e^x turns into a relative error; chains are at most 64 + 64 long.
                let condition = f64::from(2.0 * scale);
                let size = if log == 1 { want.abs() + condition } else { want * (condition + 70.0) };
                let bound = 2.0 * f64::from(f32::EPSILON) * size + 1e-44;
                prop_assert!((f64::from(found) - want).abs() <= bound, "{found:e} is not {want:e}");
            }
            if reference::is_fused(level) {
                prop_assert_eq!(&*fused.get_or_insert_with(|| output.clone()), &output);
            }
        }
    }
}

#[test]
fn softmax_may_lie_over_its_input() {
    for (axis, inner) in [(33, 1), (5, 19)] {
        let params = SoftmaxParams { outer: 2, axis, inner, log: 0 };
        let input = Random(7).take((2 * axis * inner) as usize);
        for level in reference::levels() {
            let mut over = input.clone();
            let view = ViewMut::new(&mut over);
            dispatch!(level, s => softmax_f32(s, &params, view.as_view(), view, 0..2));
            assert_eq!(over, run(level, &params, &input, false));
        }
    }
}
