use std::vec::Vec;

use proptest::prelude::*;

use super::activation;
use crate::device::kernel::params::NormalizeParams;
use crate::device::kernel::reference::{self, Random};
use crate::device::kernel::{
    Band, NormalizeTask, normalize_f32, normalize_f32_is_valid, normalize_f32_rows, normalize_f32_scratch_len,
};
use crate::device::simd::{Level, View, ViewMut};
use crate::device::tensor::Activation;
use crate::dispatch;

/// Scale and shift of each channel.
type Affine<'a> = [Option<&'a [f32]>; 2];

/// Whole pictures, or one row at a time, the last first. With `over`, the output is the input's own memory.
fn run(
    level: Level,
    params: &NormalizeParams,
    input: &[f32],
    affine: Affine<'_>,
    [cut, over]: [bool; 2],
) -> Vec<f32> {
    let mut output = if over { input.to_vec() } else { std::vec![f32::NAN; input.len()] };
    let mut scratch = std::vec![f32::NAN; normalize_f32_scratch_len(params).unwrap() as usize];
    let out = ViewMut::new(&mut output);
    let from = if over { out.as_view() } else { View::new(input) };
    let scratch = ViewMut::new(&mut scratch);
    let [images, rows, _] = normalize_f32_rows(params);
    let step = if cut { 1 } else { rows };
    let [scale, shift] = affine.map(|list| list.map(View::new));
    let task = NormalizeTask { params, input: from, scale, shift, output: out };
    for image in 0..images {
        for first in (0..rows).step_by(step).rev() {
            let band = Band::of_rows(image, first..first + step);
            dispatch!(level, s => normalize_f32(s, &task, &band, scratch));
        }
    }
    output
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn normalization_is_its_definition(
        (outer, spatial, groups, inner) in prop_oneof![
            (1..3u32, 1..30u32, 1..6u32, 1..6u32),
            (1..3u32, 1..200u32, 1..40u32, Just(1u32)),
            (1..4u32, Just(1u32), 1..3u32, 1..300u32),
            (1..2u32, 2..5u32, 1..3u32, 30..70u32),
        ],
        (scaled, shifted, mean) in (any::<bool>(), any::<bool>(), prop_oneof![Just(0.0f32), Just(30.0)]),
        activation in activation(),
        seed in any::<u64>(),
    ) {
        let params = NormalizeParams { outer, spatial, groups, inner, epsilon: 1e-3, activation };
        let len = outer * spatial * groups * inner;
        prop_assert!(normalize_f32_is_valid(&params, len) && !normalize_f32_is_valid(&params, len + 1));
        let mut random = Random(seed);
        let input: Vec<f32> = random.take(len as usize).iter().map(|x| x + mean).collect();
        let constant = random.take((groups * inner).next_multiple_of(16) as usize);
        let affine = [scaled.then_some(&constant[..]), shifted.then_some(&constant[..])];
        let exact = reference::normalize(&params, &input, affine[0], affine[1]);
        let n = f64::from(spatial * inner);
        // Terms that an element of a sum passes through: chains of 64, their sums, lanes, channels.
        let depth = n.min(64.0) + n / 64.0 + 72.0;
        let mut fused: Option<Vec<f32>> = None;
        for level in reference::levels() {
            let output = run(level, &params, &input, affine, [false, false]);
            prop_assert_eq!(&output, &run(level, &params, &input, affine, [true, true]));
            for (&found, want) in output.iter().zip(&exact) {
                let unit = f64::from(f32::EPSILON) / 2.0;
                // The mean deviation is at most the standard one, and its own mean is off by the first mean's rounding.
                let mean = depth * (1.0 + depth * unit * want.mean);
                let z = want.z.abs() * (depth / 2.0 + 12.0);
                let bound = unit * (z + mean + 8.0 * (want.value.abs() + want.z.abs() + 1.0));
                let value = reference::activation(&activation, want.value);
                let error = (f64::from(found) - value).abs();
                prop_assert!(error <= bound, "{found:e} is not {value:e} ± {bound:e}");
            }
            if reference::is_fused(level) {
                prop_assert_eq!(&*fused.get_or_insert_with(|| output.clone()), &output);
            }
        }
    }
}

#[test]
fn what_is_all_alike_becomes_zero() {
    for (spatial, groups, inner) in [(1, 2, 37), (9, 3, 5), (50, 7, 1)] {
        let (epsilon, activation) = (1e-5, Activation::IDENTITY);
        let params = NormalizeParams { outer: 2, spatial, groups, inner, epsilon, activation };
        let input = std::vec![1234.567f32; (2 * spatial * groups * inner) as usize];
        for level in reference::levels() {
            let output = run(level, &params, &input, [None, None], [false, false]);
            assert!(output.iter().all(|x| x.abs() < 1e-2), "{output:?}");
        }
    }
}
