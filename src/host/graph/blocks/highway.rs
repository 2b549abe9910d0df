//! Highway layers: a gate decides how much is transformed and how much is carried (Srivastava et al. 2015).

use crate::device::kernel::params::BinaryKind;
use crate::host::Result;

use super::super::{Builder, ConvLayer, ValueId};

/// `y = h · t + x · (1 − t)`, the three of one shape.
///
/// # Errors
/// If they do not fit, or a weight is missing; so for all blocks.
pub fn gate(net: &mut Builder<'_>, x: ValueId, h: ValueId, t: ValueId) -> Result<ValueId> {
    let transformed = net.times(h, t)?;
    let one = net.constant(&[1], &[1.0])?;
    let carry = net.binary(BinaryKind::Sub, one, t)?;
    let carried = net.times(x, carry)?;
    net.plus(transformed, carried)
}

/// A gate over convolutions of `x`: `h = relu(conv(x))`, `t = sigmoid(conv(x))`, both `kernel × kernel` with `kernel` odd.
///
/// # Errors
/// As [`gate`].
pub fn conv_layer(net: &mut Builder<'_>, x: ValueId, kernel: u32) -> Result<ValueId> {
    let layer = ConvLayer::new(net.channels(x), kernel);
    let h = net.name("transform").conv(x, layer)?;
    let h = net.relu(h)?;
    let t = net.name("gate").conv(x, layer)?;
    let t = net.sigmoid(t)?;
    gate(net, x, h, t)
}

/// A gate over dense layers of `x` `[rows, in]`.
///
/// # Errors
/// As [`gate`].
pub fn dense_layer(net: &mut Builder<'_>, x: ValueId) -> Result<ValueId> {
    let width = net.channels(x);
    let h = net.name("transform").dense(x, width)?;
    let h = net.relu(h)?;
    let t = net.name("gate").dense(x, width)?;
    let t = net.sigmoid(t)?;
    gate(net, x, h, t)
}
