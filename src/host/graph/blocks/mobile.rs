//! Separable convolutions (Howard et al. 2017) and inverted residuals (Sandler et al. 2018).

use crate::device::tensor::Activation;
use crate::host::Result;

use super::super::{Builder, ConvLayer, ValueId};

/// A depthwise 3×3 convolution with the stride and a 1×1 convolution to `outputs` channels, each with normalisation and ReLU:
/// `depthwise`, `bn1`, `pointwise`, `bn2`.
///
/// # Errors
/// If the block does not fit `x`, or a weight is missing; so for all blocks.
pub fn separable(net: &mut Builder<'_>, x: ValueId, outputs: u32, stride: u32) -> Result<ValueId> {
    pair(net, x, outputs, stride, |layer| layer.without_bias())
}

/// The same, with biases before the normalisations.
///
/// # Errors
/// As [`separable`].
pub fn separable_with_biases(
    net: &mut Builder<'_>,
    x: ValueId,
    outputs: u32,
    stride: u32,
) -> Result<ValueId> {
    pair(net, x, outputs, stride, |layer| layer)
}

fn pair(
    net: &mut Builder<'_>,
    x: ValueId,
    outputs: u32,
    stride: u32,
    with: impl Fn(ConvLayer) -> ConvLayer,
) -> Result<ValueId> {
    let filter = with(depthwise(net.channels(x), stride));
    let x = net.name("depthwise").conv(x, filter)?;
    let x = net.name("bn1").batch_norm(x)?;
    let x = net.relu(x)?;
    let x = net.name("pointwise").conv(x, with(ConvLayer::new(outputs, 1)))?;
    let x = net.name("bn2").batch_norm(x)?;
    net.relu(x)
}

/// 1×1 to `expansion` times the channels (left out for 1), depthwise 3×3 with the stride, 1×1 to `outputs` channels, all with
/// normalisation, the first two with `ReLU6`; plus `x`, where the shape is the same. Layers are numbered as in torchvision's
/// `InvertedResidual.conv`: `0.0`, `0.1`, `1.0`, `1.1`, `2`, `3`.
///
/// # Errors
/// As [`separable`].
pub fn inverted_residual(
    net: &mut Builder<'_>,
    x: ValueId,
    outputs: u32,
    stride: u32,
    expansion: u32,
) -> Result<ValueId> {
    let inputs = net.channels(x);
    let (mut y, mut names) = (x, [["0.0", "0.1"], ["1", "2"]]);
    if expansion != 1 {
        y = norm_relu6(net, y, ConvLayer::new(inputs.saturating_mul(expansion), 1), ["0.0", "0.1"])?;
        names = [["1.0", "1.1"], ["2", "3"]];
    }
    let [depthwise_names, [project, norm]] = names;
    let filter = depthwise(net.channels(y), stride);
    y = norm_relu6(net, y, filter, depthwise_names)?;
    y = net.name(project).conv(y, ConvLayer::new(outputs, 1).without_bias())?;
    y = net.name(norm).batch_norm(y)?;
    if stride == 1 && inputs == outputs { net.plus(y, x) } else { Ok(y) }
}

fn norm_relu6(net: &mut Builder<'_>, x: ValueId, layer: ConvLayer, names: [&str; 2]) -> Result<ValueId> {
    let x = net.name(names[0]).conv(x, layer.without_bias())?;
    let x = net.name(names[1]).batch_norm(x)?;
    net.activate(x, Activation::RELU6)
}

/// One 3×3 filter a channel.
fn depthwise(channels: u32, stride: u32) -> ConvLayer {
    ConvLayer::new(channels, 3).stride(stride).groups(channels)
}
