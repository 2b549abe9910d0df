//! The ends that classifiers have in common: first layers and last ones.

use crate::device::kernel::params::PoolKind;
use crate::host::Result;

use super::super::{Builder, ConvLayer, ValueId};

/// A convolution without bias, its normalisation and ReLU, under these names.
pub(super) fn conv_norm_relu(
    net: &mut Builder<'_>,
    x: ValueId,
    layer: ConvLayer,
    conv: &str,
    norm: &str,
) -> Result<ValueId> {
    let x = net.name(conv).conv(x, layer.without_bias())?;
    let x = net.name(norm).batch_norm(x)?;
    net.relu(x)
}

/// Global average pool and a dense layer: `[n, h, w, c]` to `[n, classes]`, before softmax.
pub(super) fn classify(net: &mut Builder<'_>, x: ValueId, name: &str, classes: u32) -> Result<ValueId> {
    let x = net.global_pool(x, PoolKind::Average)?;
    let x = net.flatten(x)?;
    net.name(name).dense(x, classes)
}
