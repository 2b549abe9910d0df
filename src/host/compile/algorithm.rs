//! Which algorithm computes a convolution.

use crate::device::kernel::params::{ConvAlgorithm, ConvParams};
use crate::device::tensor::Window;
use crate::host::graph::Conv;

use super::CompileOptions;

/// Input and output channels from which on Winograd's saving outweighs its transforms.
const WINOGRAD_MIN_CHANNELS: u32 = 16;

/// The algorithm for a convolution with these input and output channels.
pub(super) fn of_conv(op: &Conv, inputs: u32, outputs: u32, options: &CompileOptions) -> ConvAlgorithm {
    if op.groups == inputs && op.groups == outputs && op.groups > 1 {
        ConvAlgorithm::Depthwise
    } else if op.window.is_pointwise() && op.groups == 1 {
        ConvAlgorithm::Pointwise
    } else if options.winograd
        && op.groups == 1
        && is_winograd_window(&op.window)
        && inputs.min(outputs) >= WINOGRAD_MIN_CHANNELS
    {
        ConvAlgorithm::Winograd2x2
    } else {
        ConvAlgorithm::Im2col
    }
}

/// The algorithm's name in reports.
pub(super) const fn name(algorithm: ConvAlgorithm) -> &'static str {
    match algorithm {
        ConvAlgorithm::Pointwise => "pointwise",
        ConvAlgorithm::Im2col => "im2col",
        ConvAlgorithm::Depthwise => "depthwise",
        ConvAlgorithm::Winograd2x2 => "winograd 2×2",
    }
}

/// Multiply-accumulates of the convolution's definition, whatever the algorithm.
pub(super) fn conv_macs(params: &ConvParams) -> u64 {
    let outputs = params.output.checked_len().map_or(u64::MAX, u64::from);
    let taps = u64::from(params.window.y.kernel) * u64::from(params.window.x.kernel);
    outputs.saturating_mul(taps).saturating_mul(u64::from(params.input.c / params.groups.max(1)))
}

/// Three by three taps that touch.
fn is_winograd_window(window: &Window) -> bool {
    [window.y, window.x].iter().all(|axis| axis.kernel == 3 && axis.stride == 1 && axis.dilation == 1)
}
