//! U-Net (Ronneberger et al. 2015) as a whole: the block and a head of one value a class and pixel.

use crate::host::Result;

use super::super::blocks::unet::{self as block, Upsampling};
use super::super::{Builder, ConvLayer, Graph, WeightSource};
use super::Options;

/// What makes one U-Net another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UNet {
    /// Channels of the first level; each level below has twice as many.
    pub base: u32,
    /// Levels above the bottom.
    pub depth: u32,
    /// How the decoder doubles rows and columns.
    pub upsampling: Upsampling,
}

impl UNet {
    /// Of `base` channels and `depth` levels, with transposed convolutions.
    pub const fn new(base: u32, depth: u32) -> Self {
        Self { base, depth, upsampling: Upsampling::Transposed }
    }
}

/// A U-Net over `[1, 256, 256, 1]`, one class: a probability a pixel for one class (sigmoid), for more of them one each (softmax).
///
/// # Errors
/// As [`resnet18`](super::resnet18); rows and columns must be multiples of `2^depth` for transposed convolutions.
pub fn unet(design: &UNet, options: &Options, weights: impl WeightSource) -> Result<Graph> {
    let mut net = Builder::new("unet", weights).channels_first();
    let x = options.picture(&mut net, [256, 256, 1])?;
    let x = block::unet(&mut net, x, design.base, design.depth, design.upsampling)?;
    let classes = options.classes_or(1);
    let x = net.name("head").conv(x, ConvLayer::new(classes, 1))?;
    let x = if classes == 1 { net.sigmoid(x)? } else { net.softmax(x)? };
    net.output(x);
    net.finish()
}
