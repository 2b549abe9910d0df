//! `DenseNet` (Huang et al. 2017), with torchvision's layers and names.

use alloc::format;

use crate::device::tensor::Window;
use crate::host::Result;

use super::super::blocks::dense;
use super::super::{Builder, ConvLayer, Graph, ValueId, WeightSource};
use super::Options;
use super::classifier::{classify, conv_norm_relu};

/// What makes one `DenseNet` another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DenseNet<'a> {
    /// Channels that each layer adds.
    pub growth: u32,
    /// Layers of each block.
    pub blocks: &'a [u32],
    /// A layer's 1×1 convolution makes `bn_size · growth` channels.
    pub bn_size: u32,
    /// Channels of the first convolution.
    pub stem: u32,
}

/// DenseNet-121.
pub const DENSENET_121: DenseNet<'static> = DenseNet::new(32, &[6, 12, 24, 16]);
/// DenseNet-169.
pub const DENSENET_169: DenseNet<'static> = DenseNet::new(32, &[6, 12, 32, 32]);
/// DenseNet-201.
pub const DENSENET_201: DenseNet<'static> = DenseNet::new(32, &[6, 12, 48, 32]);
/// DenseNet-161.
pub const DENSENET_161: DenseNet<'static> = DenseNet::new(48, &[6, 12, 36, 24]);

impl<'a> DenseNet<'a> {
    /// Of this growth and these blocks, with `bn_size` 4 and a first convolution of twice the growth.
    pub const fn new(growth: u32, blocks: &'a [u32]) -> Self {
        Self { growth, blocks, bn_size: 4, stem: growth.saturating_mul(2) }
    }
}

/// A `DenseNet` over `[1, 224, 224, 3]`, 1000 classes.
///
/// # Errors
/// As [`resnet18`](super::resnet18).
pub fn densenet(design: &DenseNet<'_>, options: &Options, weights: impl WeightSource) -> Result<Graph> {
    let mut net = Builder::new("densenet", weights).channels_first();
    let x = options.picture(&mut net, [224, 224, 3])?;
    let x = net.scope("features", |net| features(net, x, design))?;
    let x = net.relu(x)?;
    let x = classify(&mut net, x, "classifier", options.classes_or(1000))?;
    net.output(x);
    net.finish()
}

/// Stem, maximum pool (3, 2) without padding and a dense block of 6 layers over `[1, 100, 100, 3]`: `[1, 24, 24, 256]`.
///
/// # Errors
/// As [`resnet18`](super::resnet18).
pub fn densenet_front(weights: impl WeightSource) -> Result<Graph> {
    let mut net = Builder::new("densenet_front", weights).channels_first();
    let x = net.input("input", &[1, 100, 100, 3])?;
    let x = net.scope("features", |net| {
        let x = stem(net, x, 64, 0)?;
        net.scope("denseblock1", |net| dense::block(net, x, 6, 32, 4))
    })?;
    net.output(x);
    net.finish()
}

/// Everything up to the last normalisation.
fn features(net: &mut Builder<'_>, x: ValueId, design: &DenseNet<'_>) -> Result<ValueId> {
    let DenseNet { growth, blocks, bn_size, .. } = *design;
    let mut x = stem(net, x, design.stem, 1)?;
    for (index, &layers) in blocks.iter().enumerate() {
        let number = index + 1;
        x = net.scope(&format!("denseblock{number}"), |net| dense::block(net, x, layers, growth, bn_size))?;
        if number < blocks.len() {
            let outputs = net.channels(x) / 2;
            x = net.scope(&format!("transition{number}"), |net| dense::transition(net, x, outputs))?;
        }
    }
    net.name(&format!("norm{}", blocks.len() + 1)).batch_norm(x)
}

/// 7×7 convolution with stride 2, normalisation, ReLU, maximum pool (3, 2).
fn stem(net: &mut Builder<'_>, x: ValueId, outputs: u32, pool_padding: u32) -> Result<ValueId> {
    let x = conv_norm_relu(net, x, ConvLayer::new(outputs, 7).stride(2), "conv0", "norm0")?;
    net.max_pool(x, Window::new(3, 3).with_stride(2).with_padding(pool_padding))
}
