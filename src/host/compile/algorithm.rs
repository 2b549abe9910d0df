//! Which algorithm computes a convolution.

use crate::device::kernel::params::ConvAlgorithm;
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

/// Three by three taps that touch.
fn is_winograd_window(window: &Window) -> bool {
    [window.y, window.x].iter().all(|axis| axis.kernel == 3 && axis.stride == 1 && axis.dilation == 1)
}
