//! Which algorithm computes a convolution.

use crate::device::kernel::conv_f32_suits;
use crate::device::kernel::params::ConvAlgorithm;
use crate::host::graph::Conv;

use super::CompileOptions;

/// Winograd saves work in proportion to `inputs · outputs` and spends it on transforms in proportion to `inputs + outputs`. From
/// this quotient of the two on, it was faster than im2col in every layer of ResNet-18, DenseNet-121 and U-Net-32 that was
/// measured (64 → 64: 4 to 17 %, 256 → 256: 60 %; below, 128 → 32 lost 9 %, 16 → 16 took 2.7 times as long).
const WINOGRAD_FROM: u32 = 32;

/// The algorithm for a convolution with these input and output channels.
pub(super) fn of_conv(op: &Conv, inputs: u32, outputs: u32, options: &CompileOptions) -> ConvAlgorithm {
    let suits = |algorithm| conv_f32_suits(algorithm, &op.window, op.groups, [inputs, outputs]);
    let may_winograd = options.winograd && is_winograd_worth_it(inputs, outputs);
    if op.groups > 1 && suits(ConvAlgorithm::Depthwise) {
        ConvAlgorithm::Depthwise
    } else if suits(ConvAlgorithm::Pointwise) {
        ConvAlgorithm::Pointwise
    } else if may_winograd && suits(ConvAlgorithm::Winograd2x2) {
        ConvAlgorithm::Winograd2x2
    } else {
        ConvAlgorithm::Im2col
    }
}

/// Are there channels enough to pay for the transforms?
const fn is_winograd_worth_it(inputs: u32, outputs: u32) -> bool {
    let (inputs, outputs) = (inputs as u64, outputs as u64);
    inputs * outputs >= WINOGRAD_FROM as u64 * (inputs + outputs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn winograd_wants_many_channels_on_both_sides() {
        assert!(is_winograd_worth_it(64, 64) && is_winograd_worth_it(192, 64));
        assert!(
            !is_winograd_worth_it(128, 32) && !is_winograd_worth_it(3, 512) && !is_winograd_worth_it(32, 64)
        );
    }
}
