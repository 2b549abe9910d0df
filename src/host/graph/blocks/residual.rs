//! Residual blocks: `y = relu(F(x) + shortcut(x))` (He et al. 2015) and their pre-activation form (He et al. 2016).

use alloc::format;

use crate::host::{Error, ErrorKind, Result};

use super::super::{Builder, ConvLayer, ValueId};

/// How the skip matches another size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shortcut {
    /// Option A: every `stride`-th pixel, new channels zero, half of them before and half behind. No weights.
    PadChannels,
    /// Option B: a 1×1 convolution with normalisation, `downsample.0` and `downsample.1`.
    Projection,
    /// Option B under another name than `downsample`.
    ProjectionNamed(&'static str),
}

/// Two 3×3 convolutions: `relu(bn(conv(relu(bn(conv(x))))) + shortcut(x))`; the first has the stride.
///
/// # Errors
/// If the block does not fit `x`, or a weight is missing; so for all blocks.
pub fn basic(
    net: &mut Builder<'_>,
    x: ValueId,
    outputs: u32,
    stride: u32,
    shortcut: Shortcut,
) -> Result<ValueId> {
    let y = conv_norm(net, x, "1", ConvLayer::new(outputs, 3).stride(stride))?;
    let y = net.relu(y)?;
    let y = conv_norm(net, y, "2", ConvLayer::new(outputs, 3))?;
    finish(net, x, y, stride, shortcut)
}

/// 1×1 to `width` channels, 3×3 with the stride, 1×1 to `outputs` channels, plus the shortcut.
///
/// # Errors
/// As [`basic`].
pub fn bottleneck(
    net: &mut Builder<'_>,
    x: ValueId,
    width: u32,
    outputs: u32,
    stride: u32,
    shortcut: Shortcut,
) -> Result<ValueId> {
    let y = conv_norm(net, x, "1", ConvLayer::new(width, 1))?;
    let y = net.relu(y)?;
    let y = conv_norm(net, y, "2", ConvLayer::new(width, 3).stride(stride))?;
    let y = net.relu(y)?;
    let y = conv_norm(net, y, "3", ConvLayer::new(outputs, 1))?;
    finish(net, x, y, stride, shortcut)
}

/// Pre-activation: `conv(relu(bn(conv(relu(bn(x)))))) + shortcut`; a projection reads the activated `x`, and nothing follows the
/// sum.
///
/// # Errors
/// As [`basic`].
pub fn pre_activation(net: &mut Builder<'_>, x: ValueId, outputs: u32, stride: u32) -> Result<ValueId> {
    let active = norm_relu(net, x, "1")?;
    let skip = if stride == 1 && net.channels(x) == outputs {
        x
    } else {
        net.name("shortcut.0").conv(active, ConvLayer::new(outputs, 1).stride(stride).without_bias())?
    };
    let y = net.name("conv1").conv(active, ConvLayer::new(outputs, 3).stride(stride).without_bias())?;
    let y = norm_relu(net, y, "2")?;
    let y = net.name("conv2").conv(y, ConvLayer::new(outputs, 3).without_bias())?;
    net.plus(y, skip)
}

/// The two convolutions of [`basic`] without a shortcut: `relu(bn(conv(relu(bn(conv(x))))))`.
///
/// # Errors
/// As [`basic`].
pub fn plain(net: &mut Builder<'_>, x: ValueId, outputs: u32, stride: u32) -> Result<ValueId> {
    let y = conv_norm(net, x, "1", ConvLayer::new(outputs, 3).stride(stride))?;
    let y = net.relu(y)?;
    let y = conv_norm(net, y, "2", ConvLayer::new(outputs, 3))?;
    net.relu(y)
}

/// A stage of blocks, named `0`, `1`, …; the first has the stride. `block` takes its input and its stride.
///
/// # Errors
/// Those of `block`.
pub fn stage(
    net: &mut Builder<'_>,
    x: ValueId,
    blocks: u32,
    stride: u32,
    block: impl Fn(&mut Builder<'_>, ValueId, u32) -> Result<ValueId>,
) -> Result<ValueId> {
    (0..blocks).try_fold(x, |x, index| {
        let stride = if index == 0 { stride } else { 1 };
        net.scope(&format!("{index}"), |net| block(net, x, stride))
    })
}

/// A [`stage`] of [`basic`] blocks.
///
/// # Errors
/// As [`basic`].
pub fn basic_stage(
    net: &mut Builder<'_>,
    x: ValueId,
    blocks: u32,
    outputs: u32,
    stride: u32,
    shortcut: Shortcut,
) -> Result<ValueId> {
    stage(net, x, blocks, stride, |net, x, stride| basic(net, x, outputs, stride, shortcut))
}

/// A [`stage`] of [`bottleneck`] blocks from `width` to `4 · width` channels, with projections.
///
/// # Errors
/// As [`basic`].
pub fn bottleneck_stage(
    net: &mut Builder<'_>,
    x: ValueId,
    blocks: u32,
    width: u32,
    stride: u32,
) -> Result<ValueId> {
    let outputs = width.saturating_mul(4);
    stage(net, x, blocks, stride, |net, x, stride| {
        bottleneck(net, x, width, outputs, stride, Shortcut::Projection)
    })
}

fn conv_norm(net: &mut Builder<'_>, x: ValueId, number: &str, layer: ConvLayer) -> Result<ValueId> {
    let y = net.name(&format!("conv{number}")).conv(x, layer.without_bias())?;
    net.name(&format!("bn{number}")).batch_norm(y)
}

fn norm_relu(net: &mut Builder<'_>, x: ValueId, number: &str) -> Result<ValueId> {
    let y = net.name(&format!("bn{number}")).batch_norm(x)?;
    net.relu(y)
}

/// `relu(y + shortcut(x))`
fn finish(net: &mut Builder<'_>, x: ValueId, y: ValueId, stride: u32, shortcut: Shortcut) -> Result<ValueId> {
    let (inputs, outputs) = (net.channels(x), net.channels(y));
    let skip = match shortcut {
        _ if stride == 1 && inputs == outputs => x,
        Shortcut::Projection => projection(net, x, outputs, stride, "downsample")?,
        Shortcut::ProjectionNamed(name) => projection(net, x, outputs, stride, name)?,
        Shortcut::PadChannels => {
            let more = outputs.checked_sub(inputs).ok_or_else(|| {
                let reason =
                    format!("a shortcut without weights cannot go from {inputs} to {outputs} channels");
                Error::new(ErrorKind::Argument, reason).remedy("use Shortcut::Projection")
            })?;
            let skip = net.subsample(x, stride)?;
            net.pad_channels(skip, more / 2, more - more / 2)?
        }
    };
    let sum = net.plus(y, skip)?;
    net.relu(sum)
}

/// A 1×1 convolution with the stride, and its normalisation.
fn projection(net: &mut Builder<'_>, x: ValueId, outputs: u32, stride: u32, name: &str) -> Result<ValueId> {
    let layer = ConvLayer::new(outputs, 1).stride(stride).without_bias();
    net.scope(name, |net| {
        let skip = net.name("0").conv(x, layer)?;
        net.name("1").batch_norm(skip)
    })
}
