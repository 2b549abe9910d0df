//! Dense blocks: every layer reads the outputs of all before it (Huang et al. 2017).

use alloc::format;
use alloc::vec;

use crate::device::tensor::Window;
use crate::host::Result;

use super::super::{Builder, ConvLayer, ValueId};

/// The `growth` new channels of one layer: 1×1 to `bn_size · growth` channels, then 3×3, each after normalisation and ReLU.
///
/// # Errors
/// If the layer does not fit `x`, or a weight is missing; so for all blocks.
pub fn layer(net: &mut Builder<'_>, x: ValueId, growth: u32, bn_size: u32) -> Result<ValueId> {
    let y = net.name("norm1").batch_norm(x)?;
    let y = net.relu(y)?;
    let y = net.name("conv1").conv(y, ConvLayer::new(bn_size.saturating_mul(growth), 1).without_bias())?;
    let y = net.name("norm2").batch_norm(y)?;
    let y = net.relu(y)?;
    net.name("conv2").conv(y, ConvLayer::new(growth, 3).without_bias())
}

/// `layers` layers, named `denselayer1`, …, each of which reads the concatenation of `x` and all before it: `c` channels
/// become `c + layers · growth`.
///
/// # Errors
/// As [`layer`].
pub fn block(net: &mut Builder<'_>, x: ValueId, layers: u32, growth: u32, bn_size: u32) -> Result<ValueId> {
    let mut features = vec![x];
    let mut joined = x;
    for index in 1..=layers {
        features.push(net.scope(&format!("denselayer{index}"), |net| layer(net, joined, growth, bn_size))?);
        joined = net.concat(&features)?;
    }
    Ok(joined)
}

/// Between two blocks: normalisation, ReLU, 1×1 convolution to `outputs` channels, average pool 2×2.
///
/// # Errors
/// As [`layer`].
pub fn transition(net: &mut Builder<'_>, x: ValueId, outputs: u32) -> Result<ValueId> {
    let y = net.name("norm").batch_norm(x)?;
    let y = net.relu(y)?;
    let y = net.name("conv").conv(y, ConvLayer::new(outputs, 1).without_bias())?;
    net.average_pool(y, Window::new(2, 2).with_stride(2))
}
