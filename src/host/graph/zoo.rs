//! Whole networks, made with the [`Builder`] and the [`blocks`](super::blocks).
//!
//! Inputs and outputs are `[n, c, h, w]` for the user, and layer names are those of the usual PyTorch models.

use alloc::format;

use crate::device::kernel::params::PoolKind;
use crate::device::tensor::Window;
use crate::host::Result;

use super::blocks::residual::Shortcut;
use super::blocks::unet::Upsampling;
use super::blocks::{dense, residual, unet};
use super::{Builder, ConvLayer, Graph, ValueId, WeightSource};

/// Blocks in the four stages of ResNet-18.
pub const RESNET_18: [u32; 4] = [2, 2, 2, 2];
/// Blocks in the four stages of ResNet-34.
pub const RESNET_34: [u32; 4] = [3, 4, 6, 3];
/// Layers in the four blocks of DenseNet-121.
pub const DENSENET_121: [u32; 4] = [6, 12, 24, 16];

/// ResNet of basic blocks over `[1, 224, 224, 3]`, 1000 classes (He et al. 2015).
///
/// # Errors
/// If the source lacks a weight; so for all networks.
pub fn resnet(blocks: &[u32; 4], weights: impl WeightSource) -> Result<Graph> {
    let mut net = Builder::new("resnet", weights).channels_first();
    let x = net.input("input", &[1, 224, 224, 3])?;
    let x = resnet_stages(&mut net, x, blocks)?;
    let x = classify(&mut net, x, "fc", 1000)?;
    net.output(x);
    net.finish()
}

/// The first five layers of ResNet-34 (stem, normalisation, pool and two stages) over `[1, 100, 100, 3]`: `[1, 13, 13, 128]`.
///
/// # Errors
/// As [`resnet`].
pub fn resnet34_front(weights: impl WeightSource) -> Result<Graph> {
    let mut net = Builder::new("resnet34_front", weights).channels_first();
    let x = net.input("input", &[1, 100, 100, 3])?;
    let x = resnet_stages(&mut net, x, &RESNET_34[..2])?;
    net.output(x);
    net.finish()
}

/// ResNet-8 of MLPerf Tiny over `[1, 32, 32, 3]`: three basic blocks of 16, 32 and 64 channels, 10 classes.
///
/// # Errors
/// As [`resnet`].
pub fn resnet8(weights: impl WeightSource) -> Result<Graph> {
    let mut net = Builder::new("resnet8", weights).channels_first();
    let x = net.input("input", &[1, 32, 32, 3])?;
    let mut x = conv_norm_relu(&mut net, x, ConvLayer::new(16, 3), "conv1", "bn1")?;
    for (stage, (outputs, stride)) in [(16, 1), (32, 2), (64, 2)].into_iter().enumerate() {
        x = net.scope(&format!("layer{}", stage + 1), |net| {
            residual::basic(net, x, outputs, stride, Shortcut::Projection)
        })?;
    }
    let x = classify(&mut net, x, "fc", 10)?;
    let x = net.softmax(x)?;
    net.output(x);
    net.finish()
}

/// DenseNet of growth 32 and `bn_size` 4 over `[1, 224, 224, 3]`, 1000 classes (Huang et al. 2017).
///
/// # Errors
/// As [`resnet`].
pub fn densenet(layers: &[u32; 4], weights: impl WeightSource) -> Result<Graph> {
    let mut net = Builder::new("densenet", weights).channels_first();
    let x = net.input("input", &[1, 224, 224, 3])?;
    let mut x = dense_stem(&mut net, x, 1)?;
    for (number, &layers) in (1..).zip(layers) {
        x = net.scope(&format!("denseblock{number}"), |net| dense::block(net, x, layers, 32, 4))?;
        if number < 4 {
            let outputs = net.channels(x) / 2;
            x = net.scope(&format!("transition{number}"), |net| dense::transition(net, x, outputs))?;
        }
    }
    let x = net.name("norm5").batch_norm(x)?;
    let x = net.relu(x)?;
    let x = classify(&mut net, x, "classifier", 1000)?;
    net.output(x);
    net.finish()
}

/// Stem, maximum pool (3, 2) without padding and a dense block of 6 layers over `[1, 100, 100, 3]`: `[1, 24, 24, 256]`.
///
/// # Errors
/// As [`resnet`].
pub fn densenet_front(weights: impl WeightSource) -> Result<Graph> {
    let mut net = Builder::new("densenet_front", weights).channels_first();
    let x = net.input("input", &[1, 100, 100, 3])?;
    let x = dense_stem(&mut net, x, 0)?;
    let x = net.scope("denseblock1", |net| dense::block(net, x, 6, 32, 4))?;
    net.output(x);
    net.finish()
}

/// U-Net of 32 to 512 channels over `[1, 256, 256, 1]`, one probability a pixel.
///
/// # Errors
/// As [`resnet`].
pub fn unet32(weights: impl WeightSource) -> Result<Graph> {
    let mut net = Builder::new("unet32", weights).channels_first();
    let x = net.input("input", &[1, 256, 256, 1])?;
    let x = unet::unet(&mut net, x, 32, 4, Upsampling::Transposed)?;
    let x = net.name("head").conv(x, ConvLayer::new(1, 1))?;
    let x = net.sigmoid(x)?;
    net.output(x);
    net.finish()
}

/// ResNet's stem, pool and the given number of its stages.
fn resnet_stages(net: &mut Builder<'_>, x: ValueId, blocks: &[u32]) -> Result<ValueId> {
    let x = conv_norm_relu(net, x, ConvLayer::new(64, 7).stride(2), "conv1", "bn1")?;
    let mut x = net.max_pool(x, Window::new(3, 3).with_stride(2).with_padding(1))?;
    for (stage, &blocks) in blocks.iter().enumerate() {
        let (outputs, stride) = (64 << stage, if stage == 0 { 1 } else { 2 });
        x = net.scope(&format!("layer{}", stage + 1), |net| {
            residual::basic_stage(net, x, blocks, outputs, stride, Shortcut::Projection)
        })?;
    }
    Ok(x)
}

/// DenseNet's stem: 7×7 convolution with stride 2, normalisation, ReLU, maximum pool (3, 2).
fn dense_stem(net: &mut Builder<'_>, x: ValueId, pool_padding: u32) -> Result<ValueId> {
    let x = conv_norm_relu(net, x, ConvLayer::new(64, 7).stride(2), "conv0", "norm0")?;
    net.max_pool(x, Window::new(3, 3).with_stride(2).with_padding(pool_padding))
}

fn conv_norm_relu(
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

/// Global average pool and a dense layer.
fn classify(net: &mut Builder<'_>, x: ValueId, name: &str, classes: u32) -> Result<ValueId> {
    let x = net.global_pool(x, PoolKind::Average)?;
    let x = net.flatten(x)?;
    net.name(name).dense(x, classes)
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::super::Seeded;
    use super::*;

    fn output(graph: &Graph) -> Vec<u32> {
        graph.shape(graph.outputs[0].value).dims().to_vec()
    }

    #[test]
    fn the_front_of_resnet_34_makes_13_by_13() {
        assert_eq!(output(&resnet34_front(Seeded::new(1)).unwrap()), [1, 13, 13, 128]);
    }

    #[test]
    fn the_front_of_densenet_makes_24_by_24() {
        assert_eq!(output(&densenet_front(Seeded::new(1)).unwrap()), [1, 24, 24, 256]);
    }

    #[test]
    fn whole_networks_have_their_published_parameters() {
        let parameters = |graph: &Graph| -> u32 {
            let trained = graph.values().filter(|(_, value)| !value.name.contains("running"));
            trained.filter(|(_, value)| value.constant.is_some()).map(|(_, value)| value.shape.len()).sum()
        };
        // The counts of torchvision's models.
        assert_eq!(parameters(&resnet(&RESNET_18, Seeded::new(1)).unwrap()), 11_689_512);
        assert_eq!(parameters(&densenet(&DENSENET_121, Seeded::new(1)).unwrap()), 7_978_856);
    }

    #[test]
    fn small_and_dense_outputs_have_their_shapes() {
        assert_eq!(output(&resnet8(Seeded::new(1)).unwrap()), [1, 10]);
        assert_eq!(output(&unet32(Seeded::new(1)).unwrap()), [1, 256, 256, 1]);
    }
}
