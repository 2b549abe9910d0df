//! ResNet for photographs (He et al. 2015), with torchvision's layers and names; in the deep form the stride is on the 3×3
//! convolution, as torchvision has it.

use alloc::format;

use crate::device::tensor::Window;
use crate::host::Result;

use super::super::blocks::residual::{self, Shortcut};
use super::super::{Builder, ConvLayer, Graph, ValueId, WeightSource};
use super::Options;
use super::classifier::{classify, conv_norm_relu};

/// Blocks in the four stages of ResNet-34, and of ResNet-50.
const STAGES_OF_34: [u32; 4] = [3, 4, 6, 3];

/// A block of a stage: two 3×3 convolutions, or three that end in four times the channels.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Block {
    Basic,
    Bottleneck,
}

/// ResNet-18 over `[1, 224, 224, 3]`, 1000 classes.
///
/// # Errors
/// If the source lacks a weight or has another network's, or the sizes do not fit; so for all networks.
pub fn resnet18(options: &Options, weights: impl WeightSource) -> Result<Graph> {
    whole("resnet18", &[2; 4], Block::Basic, options, weights)
}

/// ResNet-34 over `[1, 224, 224, 3]`, 1000 classes.
///
/// # Errors
/// As [`resnet18`].
pub fn resnet34(options: &Options, weights: impl WeightSource) -> Result<Graph> {
    whole("resnet34", &STAGES_OF_34, Block::Basic, options, weights)
}

/// ResNet-50 over `[1, 224, 224, 3]`, 1000 classes.
///
/// # Errors
/// As [`resnet18`].
pub fn resnet50(options: &Options, weights: impl WeightSource) -> Result<Graph> {
    whole("resnet50", &STAGES_OF_34, Block::Bottleneck, options, weights)
}

/// The first five layers of ResNet-34 (stem, normalisation, pool and two stages) over `[1, 100, 100, 3]`: `[1, 13, 13, 128]`.
///
/// # Errors
/// As [`resnet18`].
pub fn resnet34_front(weights: impl WeightSource) -> Result<Graph> {
    let mut net = Builder::new("resnet34_front", weights).channels_first();
    let x = net.input("input", &[1, 100, 100, 3])?;
    let x = stages(&mut net, x, &STAGES_OF_34[..2], Block::Basic)?;
    net.output(x);
    net.finish()
}

fn whole(
    name: &str,
    blocks: &[u32],
    block: Block,
    options: &Options,
    weights: impl WeightSource,
) -> Result<Graph> {
    let mut net = Builder::new(name, weights).channels_first();
    let x = options.picture(&mut net, [224, 224, 3])?;
    let x = stages(&mut net, x, blocks, block)?;
    let x = classify(&mut net, x, "fc", options.classes_or(1000))?;
    net.output(x);
    net.finish()
}

/// The stem, its pool and as many stages as there are counts of blocks.
fn stages(net: &mut Builder<'_>, x: ValueId, blocks: &[u32], block: Block) -> Result<ValueId> {
    let x = conv_norm_relu(net, x, ConvLayer::new(64, 7).stride(2), "conv1", "bn1")?;
    let mut x = net.max_pool(x, Window::new(3, 3).with_stride(2).with_padding(1))?;
    for (stage, &blocks) in blocks.iter().enumerate() {
        let (width, stride) = (64 << stage, if stage == 0 { 1 } else { 2 });
        x = net.scope(&format!("layer{}", stage + 1), |net| match block {
            Block::Basic => residual::basic_stage(net, x, blocks, width, stride, Shortcut::Projection),
            Block::Bottleneck => residual::bottleneck_stage(net, x, blocks, width, stride),
        })?;
    }
    Ok(x)
}
