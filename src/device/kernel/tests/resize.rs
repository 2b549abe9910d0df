use proptest::prelude::*;

use super::{check, segments};
use crate::device::kernel::params::ResizeParams;
use crate::device::kernel::reference::{self, Random, Tensor, bands};
use crate::device::kernel::{ResizeTask, resize_f32, resize_f32_is_valid};
use crate::device::tensor::Extent;
use crate::dispatch;

/// Scale and offset of ONNX's half pixel, align corners and asymmetric coordinates.
fn coordinates(rule: u32, input: u32, output: u32) -> (f32, f32) {
    let scale = input as f32 / output as f32;
    match rule {
        0 => (scale, scale / 2.0 - 0.5),
        1 if output > 1 => ((input - 1) as f32 / (output - 1) as f32, 0.0),
        _ => (scale, 0.0),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn resize_is_its_definition(
        (n, h, w) in (1..3u32, 1..8u32, 1..8u32),
        (out_h, out_w) in (1..17u32, 1..17u32),
        channels in segments(),
        (kind, rule, gap) in (0..5u32, 0..3u32, 0..3u32),
        seed in any::<u64>(),
    ) {
        let c = channels.iter().sum();
        let (input, output) = (Extent::new(n, h, w, c), Extent::new(n, out_h, out_w, c));
        let (scale_y, offset_y) = coordinates(rule, h, out_h);
        let (scale_x, offset_x) = coordinates(rule, w, out_w);
        let params = ResizeParams { input, output, kind, scale_y, scale_x, offset_y, offset_x };
        assert!(resize_f32_is_valid(&params));
        let tensor = Tensor::random(input, &channels, gap, &mut Random(seed));
        // The shares themselves are rounded, once for each axis.
        check(output, &reference::resize(&params, &tensor), 6, |level, band, sink| {
            let task = ResizeTask { params: &params, source: tensor.source(), sink };
            dispatch!(level, s => resize_f32(s, &task, band));
        });
    }

    #[test]
    fn any_finite_place_reads_inside(
        (scale, offset) in (prop::num::f32::ANY, prop::num::f32::ANY),
        kind in 0..5u32,
    ) {
        let (input, output) = (Extent::new(1, 3, 2, 5), Extent::new(1, 4, 5, 5));
        let params =
            ResizeParams { input, output, kind, scale_y: scale, scale_x: -scale, offset_y: offset, offset_x: offset };
        prop_assert_eq!(resize_f32_is_valid(&params), scale.is_finite() && offset.is_finite());
        let tensor = Tensor::random(input, &[5], 0, &mut Random(3));
        for level in reference::levels() {
            let mut out = Tensor::poison(output, &[5], 0);
            for band in bands(&output, false) {
                let task = ResizeTask { params: &params, source: tensor.source(), sink: out.sink() };
                dispatch!(level, s => resize_f32(s, &task, &band));
            }
            prop_assert!(out.values().iter().all(|x| x.abs() <= 1.001));
        }
    }
}
