//! Which algorithm computes a convolution.

use crate::device::kernel::params::ConvAlgorithm;
use crate::device::tensor::Window;
use crate::host::graph::Conv;

use super::CompileOptions;

/// Winograd saves work in proportion to `inputs · outputs` and spends it on transforms in proportion to `inputs + outputs`. From
/// this quotient of the two on, it was faster than im2col in every layer of ResNet-18, DenseNet-121 and U-Net-32 that was
/// measured (64 → 64: 4 to 17 %, 256 → 256: 60 %; below, 128 → 32 lost 9 %, 16 → 16 took 2.7 times as long).
const WINOGRAD_FROM: u32 = 32;

/// The algorithm for a convolution with these input and output channels.
pub(super) fn of_conv(op: &Conv, inputs: u32, outputs: u32, options: &CompileOptions) -> ConvAlgorithm {
    if op.groups == inputs && op.groups == outputs && op.groups > 1 {
        ConvAlgorithm::Depthwise
    } else if op.window.is_pointwise() && op.groups == 1 {
        ConvAlgorithm::Pointwise
    } else if options.winograd
        && op.groups == 1
        && is_winograd_window(&op.window)
        && is_winograd_worth_it(inputs, outputs)
    {
        ConvAlgorithm::Winograd2x2
    } else {
        ConvAlgorithm::Im2col
    }
}

/// Three by three taps that touch.
fn is_winograd_window(window: &Window) -> bool {
    [window.y, window.x].iter().all(|axis| axis.kernel == 3 && axis.stride == 1 && axis.dilation == 1)
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
