use std::vec::Vec;

use proptest::prelude::*;

use super::{activation, axis, check, segments};
use crate::device::kernel::params::ConvTransposeParams;
use crate::device::kernel::reference::{self, Random, Tensor};
use crate::device::kernel::{
    Band, ConvTransposeTask, Epilogue, conv_transpose_f32, conv_transpose_f32_channel_multiple,
    conv_transpose_f32_is_valid, conv_transpose_f32_scratch_len, conv_transpose_f32_weight_len,
};
use crate::device::simd::{View, ViewMut};
use crate::device::tensor::{Extent, Window};
use crate::dispatch;

/// The panels of [`ConvTransposeTask::weights`] of weights by (output, input of the group, ky, kx).
fn packed(params: &ConvTransposeParams, weight: impl Fn(usize, usize, usize, usize) -> f32) -> Vec<f32> {
    let groups = params.groups as usize;
    let (inputs, outputs) = (params.input.c as usize / groups, params.output.c as usize / groups);
    let mut panels = Vec::new();
    for group in 0..groups {
        for panel in (0..outputs).step_by(16) {
            for ky in 0..params.window.y.kernel as usize {
                for kx in 0..params.window.x.kernel as usize {
                    for i in 0..inputs {
                        panels.extend(
                            (panel..panel + 16).map(|o| {
                                if o < outputs { weight(group * outputs + o, i, ky, kx) } else { 0.0 }
                            }),
                        );
                    }
                }
            }
        }
    }
    panels
}

/// Which parts of an epilogue there are.
#[derive(Clone, Copy, Debug)]
struct Parts {
    bias: bool,
    residual: bool,
    gap: u32,
}

fn check_conv_transpose(params: &ConvTransposeParams, channels: &[u32], parts: Parts, seed: u64) {
    assert!(conv_transpose_f32_is_valid(params));
    let mut random = Random(seed);
    let input = Tensor::random(params.input, channels, parts.gap, &mut random);
    let residual = Tensor::random(params.output, &[params.output.c], parts.gap, &mut random);
    let mut bias = random.take(params.output.c as usize);
    bias.resize(bias.len().next_multiple_of(16), 0.0);
    let (kh, kw) = (params.window.y.kernel as usize, params.window.x.kernel as usize);
    let inputs = (params.input.c / params.groups) as usize;
    let values = random.take(params.output.c as usize * inputs * kh * kw);
    let weight = |o: usize, i: usize, ky: usize, kx: usize| values[((o * inputs + i) * kh + ky) * kw + kx];
    let weights = packed(params, weight);
    assert_eq!(Some(weights.len() as u32), conv_transpose_f32_weight_len(params));
    let exact = reference::conv_transpose(
        params,
        &input,
        weight,
        parts.bias.then_some(&bias),
        parts.residual.then_some(&residual),
    );
    let scratch_len = conv_transpose_f32_scratch_len(params).unwrap() as usize;
    let terms = inputs * kh.div_ceil(params.window.y.stride as usize) * kw + 2;
    check(params.output, &exact, terms, |level, band, sink| {
        let mut scratch = std::vec![f32::NAN; scratch_len];
        let epilogue = Epilogue {
            bias: parts.bias.then_some(View::new(&bias)),
            residual: parts.residual.then_some(residual.source()),
            activation: params.activation,
        };
        let weights = View::new(&weights);
        let task = ConvTransposeTask { params, source: input.source(), weights, epilogue, sink };
        // Bands of some rows are cut into channels, too.
        let is_whole = band.rows.len() == params.output.h as usize;
        let cut = match conv_transpose_f32_channel_multiple(params) {
            Some(multiple) if !is_whole => multiple as usize,
            _ => usize::MAX,
        };
        for channels in [0..cut, cut..usize::MAX].into_iter().filter(|it| it.start < params.output.c as usize)
        {
            let band = Band { channels, ..band.clone() };
            dispatch!(level, s => conv_transpose_f32(s, &task, &band, ViewMut::new(&mut scratch)));
        }
    });
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn conv_transpose_is_its_definition(
        (n, h, w) in (1..3u32, 1..6u32, 1..12u32),
        (y, x) in (axis(), axis()),
        channels in segments(),
        (group_outputs, groups, extra) in (1..40u32, 1..4u32, 0..3u32),
        (bias, residual, gap) in (any::<bool>(), any::<bool>(), 0..3u32),
        activation in activation(),
        seed in any::<u64>(),
    ) {
        // Groups divide the channels: the last segment grows until they do.
        let mut channels = channels;
        while channels.iter().sum::<u32>() % groups != 0 {
            *channels.last_mut().unwrap() += 1;
        }
        let window = Window { y, x };
        let lens = (y.transposed_output_len(h, extra), x.transposed_output_len(w, extra));
        let (Some(out_h), Some(out_w)) = lens else { return Ok(()) };
        let input = Extent::new(n, h, w, channels.iter().sum());
        let output = Extent::new(n, out_h, out_w, group_outputs * groups);
        let params = ConvTransposeParams { input, output, window, groups, activation };
        check_conv_transpose(&params, &channels, Parts { bias, residual, gap }, seed);
    }
}

#[test]
fn checks_hold_for_any_numbers() {
    let extreme = [0, 1, 3, 1 << 29, 1 << 30, u32::MAX];
    for a in extreme {
        for b in extreme {
            let window = Window::new(a, b).with_stride(b).with_padding(a).with_dilation(b);
            let (input, output) = (Extent::new(1, a, b, a), Extent::new(1, b, a, b));
            let activation = crate::device::tensor::Activation::IDENTITY;
            let params = ConvTransposeParams { input, output, window, groups: a, activation };
            let _ = (conv_transpose_f32_is_valid(&params), conv_transpose_f32_scratch_len(&params));
        }
    }
}
