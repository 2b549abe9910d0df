//! Networks for pictures of 32×32 pixels: the residual ones of `6n + 2` layers and the plain ones beside them (He et al. 2015,
//! section 4.2). Names are those of akamaster's `pytorch_resnet_cifar10`.

use alloc::format;

use crate::host::{Error, ErrorKind, Result};

use super::super::blocks::residual::{self, Shortcut};
use super::super::{Builder, ConvLayer, Graph, ValueId, WeightSource};
use super::Options;
use super::classifier::{classify, conv_norm_relu};

/// Shortcut B under akamaster's names.
pub const PROJECTION: Shortcut = Shortcut::ProjectionNamed("shortcut");

/// A residual network of `depth` = 8, 14, 20, 32, 44, 56, 110, … layers over `[1, 32, 32, 3]`, 10 classes: option A is
/// [`Shortcut::PadChannels`] (as in the paper and in akamaster's weights), option B [`PROJECTION`].
///
/// # Errors
/// If `depth` is not `6n + 2`; else as [`resnet18`](super::resnet18).
pub fn cifar_resnet(
    depth: u32,
    shortcut: Shortcut,
    options: &Options,
    weights: impl WeightSource,
) -> Result<Graph> {
    whole(&format!("resnet{depth}"), depth, options, weights, |net, x, blocks, outputs, stride| {
        residual::basic_stage(net, x, blocks, outputs, stride, shortcut)
    })
}

/// The network of the same layers without shortcuts.
///
/// # Errors
/// As [`cifar_resnet`].
pub fn cifar_plain(depth: u32, options: &Options, weights: impl WeightSource) -> Result<Graph> {
    whole(&format!("plain{depth}"), depth, options, weights, |net, x, blocks, outputs, stride| {
        residual::stage(net, x, blocks, stride, |net, x, stride| residual::plain(net, x, outputs, stride))
    })
}

/// ResNet-8 of MLPerf Tiny over `[1, 32, 32, 3]`: three basic blocks of 16, 32 and 64 channels with projections, 10
/// probabilities.
///
/// # Errors
/// As [`resnet18`](super::resnet18).
pub fn resnet8(options: &Options, weights: impl WeightSource) -> Result<Graph> {
    let mut net = Builder::new("resnet8", weights).channels_first();
    let x = options.picture(&mut net, [32, 32, 3])?;
    let x = stages(&mut net, x, |net, x, outputs, stride| {
        residual::basic(net, x, outputs, stride, Shortcut::Projection)
    })?;
    let x = classify(&mut net, x, "fc", options.classes_or(10))?;
    let x = net.softmax(x)?;
    net.output(x);
    net.finish()
}

fn whole(
    name: &str,
    depth: u32,
    options: &Options,
    weights: impl WeightSource,
    stage: impl Fn(&mut Builder<'_>, ValueId, u32, u32, u32) -> Result<ValueId>,
) -> Result<Graph> {
    let blocks = match depth.checked_sub(2) {
        Some(layers) if layers > 0 && layers.is_multiple_of(6) => layers / 6,
        _ => {
            let reason = format!("there is no such network of {depth} layers");
            return Err(Error::new(ErrorKind::Argument, reason).remedy("they have 6n + 2: 8, 14, 20, 32, …"));
        }
    };
    let mut net = Builder::new(name, weights).channels_first();
    let x = options.picture(&mut net, [32, 32, 3])?;
    let x = stages(&mut net, x, |net, x, outputs, stride| stage(net, x, blocks, outputs, stride))?;
    let x = classify(&mut net, x, "linear", options.classes_or(10))?;
    net.output(x);
    net.finish()
}

/// The first layer and three stages of 16, 32 and 64 channels.
fn stages(
    net: &mut Builder<'_>,
    x: ValueId,
    stage: impl Fn(&mut Builder<'_>, ValueId, u32, u32) -> Result<ValueId>,
) -> Result<ValueId> {
    let mut x = conv_norm_relu(net, x, ConvLayer::new(16, 3), "conv1", "bn1")?;
    for (number, outputs, stride) in [(1, 16, 1), (2, 32, 2), (3, 64, 2)] {
        x = net.scope(&format!("layer{number}"), |net| stage(net, x, outputs, stride))?;
    }
    Ok(x)
}
