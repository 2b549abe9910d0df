//! U-Net: an encoder whose levels skip to a decoder (Ronneberger et al. 2015), with padded convolutions.

use alloc::format;
use alloc::vec::Vec;

use crate::device::kernel::params::ResizeKind;
use crate::device::tensor::Window;
use crate::host::{Error, ErrorKind, Result};

use super::super::{Builder, ConvLayer, ValueId};

/// How the decoder doubles rows and columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Upsampling {
    /// A 2×2 transposed convolution with stride 2.
    Transposed,
    /// A resize, then a 3×3 convolution.
    Resize(ResizeKind),
}

/// Two 3×3 convolutions with ReLU.
///
/// # Errors
/// If the block does not fit `x`, or a weight is missing; so for all blocks.
pub fn double_conv(net: &mut Builder<'_>, x: ValueId, outputs: u32) -> Result<ValueId> {
    let y = net.name("conv1").conv(x, ConvLayer::new(outputs, 3))?;
    let y = net.relu(y)?;
    let y = net.name("conv2").conv(y, ConvLayer::new(outputs, 3))?;
    net.relu(y)
}

/// One level down: the skip and its maximum pool 2×2.
///
/// # Errors
/// As [`double_conv`].
pub fn down(net: &mut Builder<'_>, x: ValueId, outputs: u32) -> Result<(ValueId, ValueId)> {
    let skip = double_conv(net, x, outputs)?;
    let pooled = net.max_pool(skip, Window::new(2, 2).with_stride(2))?;
    Ok((skip, pooled))
}

/// One level up: `double_conv(concat(skip, upsample(x)))`.
///
/// # Errors
/// As [`double_conv`].
pub fn up(
    net: &mut Builder<'_>,
    x: ValueId,
    skip: ValueId,
    outputs: u32,
    upsampling: Upsampling,
) -> Result<ValueId> {
    let raised = match upsampling {
        Upsampling::Transposed => {
            let layer = ConvLayer::new(outputs, 2).stride(2).padding(0);
            net.name("up").conv_transpose(x, layer)?
        }
        Upsampling::Resize(kind) => {
            let [_, height, width, _] = *net.shape(skip).dims() else {
                return Err(Error::new(ErrorKind::Argument, "a skip of a U-Net has four dimensions"));
            };
            let larger = net.resize(x, kind, height, width)?;
            net.name("up").conv(larger, ConvLayer::new(outputs, 3))?
        }
    };
    let joined = net.concat(&[skip, raised])?;
    double_conv(net, joined, outputs)
}

/// Refuses rows and columns that are not doubled again to what they were.
fn check_size(net: &Builder<'_>, x: ValueId, depth: u32, upsampling: Upsampling) -> Result<()> {
    let [_, height, width, _] = *net.shape(x).dims() else {
        return Err(Error::new(ErrorKind::Argument, "the input of a U-Net has four dimensions"));
    };
    let Some(factor) = 1u32.checked_shl(depth) else {
        return Err(Error::new(ErrorKind::Argument, format!("a U-Net of depth {depth} is too deep")));
    };
    let fits = height.is_multiple_of(factor) && width.is_multiple_of(factor);
    if fits || upsampling != Upsampling::Transposed {
        return Ok(());
    }
    let reason = format!("a U-Net of depth {depth} halves {height}×{width} pixels {depth} times");
    let remedy = format!("take multiples of {factor} for rows and columns, or Upsampling::Resize");
    Err(Error::new(ErrorKind::Argument, reason).remedy(remedy))
}

/// `depth` levels down from `base` channels, doubled at each, the bottom, and `depth` levels up.
///
/// # Errors
/// As [`double_conv`], and if rows or columns are no multiples of `2^depth` and convolutions are transposed: a resize takes the
/// size of its skip, a transposed convolution doubles what it gets.
pub fn unet(
    net: &mut Builder<'_>,
    x: ValueId,
    base: u32,
    depth: u32,
    upsampling: Upsampling,
) -> Result<ValueId> {
    let width = |level: u32| {
        let too_wide = || Error::new(ErrorKind::Argument, format!("a U-Net of depth {depth} is too wide"));
        1u32.checked_shl(level).and_then(|factor| base.checked_mul(factor)).ok_or_else(too_wide)
    };
    check_size(net, x, depth, upsampling)?;
    let mut x = x;
    let mut skips = Vec::new();
    for level in 0..depth {
        let outputs = width(level)?;
        let (skip, pooled) = net.scope(&format!("down{level}"), |net| down(net, x, outputs))?;
        skips.push(skip);
        x = pooled;
    }
    let outputs = width(depth)?;
    x = net.scope("bottom", |net| double_conv(net, x, outputs))?;
    for (level, skip) in (0..depth).zip(skips).rev() {
        let outputs = width(level)?;
        x = net.scope(&format!("up{level}"), |net| up(net, x, skip, outputs, upsampling))?;
    }
    Ok(x)
}
