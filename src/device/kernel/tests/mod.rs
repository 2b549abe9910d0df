//! Every kernel but convolution against its twin: generated geometries, every level that the CPU has, whole and in bands.

mod conv_transpose;
mod elementwise;
mod interpolate;
mod normalize;
mod overlap;
mod pool;
mod rearrange;
mod resize;
mod softmax;

use std::vec::Vec;

use proptest::prelude::*;

use super::reference::{Exact, Tensor, bands, is_fused, levels};
use super::{Band, Sink};
use crate::device::simd::Level;
use crate::device::tensor::{Activation, ActivationKind, Axis, Extent};

/// Runs `kernel` band by band at every level. The output must be `exact` but for the rounding of `terms` terms, nothing beside
/// it may be written, no cut into bands may change a bit, nor may the choice among levels with fused multiply-add.
#[track_caller]
fn check(output: Extent, exact: &[Exact], terms: usize, kernel: impl Fn(Level, &Band, Sink<'_, f32>)) {
    let run = |level: Level, cut: bool| {
        let mut tensor = Tensor::poison(output, &[output.c], 2);
        for band in bands(&output, cut) {
            kernel(level, &band, tensor.sink());
        }
        tensor.check_surroundings();
        tensor
    };
    let mut fused: Option<Vec<u32>> = None;
    for level in levels() {
        let tensor = run(level, false);
        for (exact, found) in exact.iter().zip(tensor.values()) {
            exact.check(found, terms);
        }
        assert_eq!(tensor.bits(), run(level, true).bits(), "bands change the result at {}", level.name());
        if is_fused(level) {
            let first = fused.get_or_insert_with(|| tensor.bits());
            assert_eq!(*first, tensor.bits(), "{} differs from other levels", level.name());
        }
    }
}

/// Channels of each of one to three segments.
fn segments() -> impl Strategy<Value = Vec<u32>> {
    let channels = prop_oneof![1..20u32, Just(16u32), Just(64u32), 64..90u32];
    prop::collection::vec(channels, 1..=3)
}

/// An axis of a window with any stride, dilation and padding.
fn axis() -> impl Strategy<Value = Axis> {
    (1..5u32, 1..4u32, 1..4u32, 0..4u32, 0..4u32).prop_map(
        |(kernel, stride, dilation, pad_before, pad_after)| Axis {
            kernel,
            stride,
            dilation,
            pad_before,
            pad_after,
        },
    )
}

/// A function whose slope is at most 1, so that it keeps the error of what it is applied to.
fn activation() -> impl Strategy<Value = Activation> {
    prop_oneof![
        Just(Activation::IDENTITY),
        Just(Activation::RELU),
        Just(Activation::RELU6),
        Just(Activation::new(ActivationKind::LeakyRelu, 0.1, 0.0)),
        Just(Activation::SIGMOID),
        Just(Activation::plain(ActivationKind::Tanh)),
    ]
}
