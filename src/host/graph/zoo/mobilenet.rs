//! `MobileNet`, version 1 (Howard et al. 2017) and 2 (Sandler et al. 2018).

use alloc::format;

use crate::device::kernel::params::PoolKind;
use crate::device::tensor::Activation;
use crate::host::Result;

use super::super::blocks::mobile;
use super::super::{Builder, ConvLayer, Graph, ValueId, WeightSource};
use super::Options;
use super::classifier::{classify, conv_norm_relu};

/// Outputs and stride of version 1's blocks.
const BLOCKS_1: [(u32, u32); 13] = [
    (64, 1),
    (128, 2),
    (128, 1),
    (256, 2),
    (256, 1),
    (512, 2),
    (512, 1),
    (512, 1),
    (512, 1),
    (512, 1),
    (512, 1),
    (1024, 2),
    (1024, 1),
];

/// Expansion, outputs, blocks and first stride of version 2's stages.
const STAGES_2: [(u32, u32, u32, u32); 7] = [
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
];

/// `MobileNetV1` over `[1, 224, 224, 3]`, 1000 classes, with ReLU and symmetric padding. Layers are named `conv1`, `bn1`,
/// `blocks.0.depthwise`, `blocks.0.bn1`, `blocks.0.pointwise`, `blocks.0.bn2`, …, `fc`.
///
/// # Errors
/// As [`resnet18`](super::resnet18).
pub fn mobilenet_v1(options: &Options, weights: impl WeightSource) -> Result<Graph> {
    let width = |channels: u32| ((channels as f32 * options.width_factor()) as u32).max(1);
    let mut net = Builder::new("mobilenet_v1", weights).channels_first();
    let x = options.picture(&mut net, [224, 224, 3])?;
    let mut x = conv_norm_relu(&mut net, x, ConvLayer::new(width(32), 3).stride(2), "conv1", "bn1")?;
    for (number, (outputs, stride)) in BLOCKS_1.into_iter().enumerate() {
        x =
            net.scope(&format!("blocks.{number}"), |net| mobile::separable(net, x, width(outputs), stride))?;
    }
    let x = classify(&mut net, x, "fc", options.classes_or(1000))?;
    net.output(x);
    net.finish()
}

/// `MobileNetV2` over `[1, 224, 224, 3]`, 1000 classes, with torchvision's layers and names.
///
/// # Errors
/// As [`resnet18`](super::resnet18).
pub fn mobilenet_v2(options: &Options, weights: impl WeightSource) -> Result<Graph> {
    let factor = options.width_factor();
    let mut net = Builder::new("mobilenet_v2", weights).channels_first();
    let x = options.picture(&mut net, [224, 224, 3])?;
    let mut x = conv_relu6(&mut net, x, 0, ConvLayer::new(divisible(32, factor), 3).stride(2))?;
    let mut number = 1;
    for (expansion, outputs, blocks, stride) in STAGES_2 {
        for block in 0..blocks {
            let stride = if block == 0 { stride } else { 1 };
            x = net.scope(&format!("features.{number}.conv"), |net| {
                mobile::inverted_residual(net, x, divisible(outputs, factor), stride, expansion)
            })?;
            number += 1;
        }
    }
    let x = conv_relu6(&mut net, x, number, ConvLayer::new(divisible(1280, factor.max(1.0)), 1))?;
    let x = net.global_pool(x, PoolKind::Average)?;
    let x = net.flatten(x)?;
    let x = net.name("classifier.1").dense(x, options.classes_or(1000))?;
    net.output(x);
    net.finish()
}

fn conv_relu6(net: &mut Builder<'_>, x: ValueId, number: u32, layer: ConvLayer) -> Result<ValueId> {
    let x = net.name(&format!("features.{number}.0")).conv(x, layer.without_bias())?;
    let x = net.name(&format!("features.{number}.1")).batch_norm(x)?;
    net.activate(x, Activation::RELU6)
}

/// The nearest multiple of 8 to `channels · factor`, but not less than nine tenths of it: torchvision's rule.
fn divisible(channels: u32, factor: f32) -> u32 {
    let wanted = channels as f32 * factor;
    let nearest = ((wanted + 4.0) as u32 / 8 * 8).max(8);
    if (nearest as f32) < 0.9 * wanted { nearest + 8 } else { nearest }
}
