//! Further networks of the benchmark MLPerf Tiny: words in sound, and machines that sound wrong.

use alloc::format;

use crate::device::kernel::params::PoolKind;
use crate::device::tensor::{Axis, Window};
use crate::host::{Error, ErrorKind, Result};

use super::super::blocks::mobile;
use super::super::{Builder, ConvLayer, Graph, ValueId, WeightSource};
use super::Options;

/// DS-CNN (Zhang et al. 2017) over `[1, 49, 10, 1]`, 12 probabilities: a 10×4 convolution with stride 2 and four separable blocks of
/// 64 channels. Layers are named `conv1`, `bn1`, `blocks.0.depthwise`, …, `fc`; convolutions have biases and normalisations.
///
/// # Errors
/// As [`resnet18`](super::resnet18).
pub fn ds_cnn(options: &Options, weights: impl WeightSource) -> Result<Graph> {
    let mut net = Builder::new("ds_cnn", weights).channels_first();
    let x = options.picture(&mut net, [49, 10, 1])?;
    let window = same_padding(&net, x, Window::new(10, 4).with_stride(2))?;
    let x = net.name("conv1").conv(x, ConvLayer::new(64, 1).window(window))?;
    let x = net.name("bn1").batch_norm(x)?;
    let mut x = net.relu(x)?;
    for number in 0..4 {
        x = net.scope(&format!("blocks.{number}"), |net| mobile::separable_with_biases(net, x, 64, 1))?;
    }
    let x = net.global_pool(x, PoolKind::Average)?;
    let x = net.flatten(x)?;
    let x = net.name("fc").dense(x, options.classes_or(12))?;
    let x = net.softmax(x)?;
    net.output(x);
    net.finish()
}

/// The autoencoder for anomalies over `[1, 640]`: four dense layers of 128, one of 8, four of 128, each with normalisation and
/// ReLU, and one as wide as the input. Layers are named `dense1`, `bn1`, …, `dense10`.
///
/// # Errors
/// As [`resnet18`](super::resnet18).
pub fn autoencoder(options: &Options, weights: impl WeightSource) -> Result<Graph> {
    let mut net = Builder::new("autoencoder", weights);
    let mut x = options.vector(&mut net, 640)?;
    let outputs = net.channels(x);
    for (number, width) in (1..).zip([128, 128, 128, 128, 8, 128, 128, 128, 128]) {
        x = net.name(&format!("dense{number}")).dense(x, width)?;
        x = net.name(&format!("bn{number}")).batch_norm(x)?;
        x = net.relu(x)?;
    }
    let x = net.name("dense10").dense(x, outputs)?;
    net.output(x);
    net.finish()
}

/// The window with as much padding as gives `⌈input / stride⌉` outputs, the odd row and column behind.
fn same_padding(net: &Builder<'_>, x: ValueId, window: Window) -> Result<Window> {
    let [_, height, width, _] = *net.shape(x).dims() else {
        return Err(Error::new(ErrorKind::Argument, "a picture has four dimensions"));
    };
    let padded = |axis: Axis, input: u32| {
        let last = input.div_ceil(axis.stride).saturating_sub(1).saturating_mul(axis.stride);
        let padding = last.saturating_add(axis.kernel).saturating_sub(input);
        Axis { pad_before: padding / 2, pad_after: padding - padding / 2, ..axis }
    };
    Ok(Window { y: padded(window.y, height), x: padded(window.x, width) })
}
