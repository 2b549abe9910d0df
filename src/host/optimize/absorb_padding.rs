//! Lets convolutions supply the zeros that a padding before them adds.

use crate::device::kernel::params::Beyond;
use crate::device::tensor::Axis;
use crate::host::Result;
use crate::host::graph::{Conv, Graph, Op, Pad, Uses};

use super::rewrite::{producer_op, rewrite_nodes, set_op};

/// Zero padding of rows and columns, then a convolution without pre-activation: the convolution's own padding grows by it.
/// Models from TensorFlow pad like this where the sides differ.
///
/// # Errors
/// If the graph contradicts itself.
pub fn absorb_padding(graph: &mut Graph) -> Result<bool> {
    rewrite_nodes(graph, |graph, uses, id, op| {
        let Op::Conv(conv) = op else { return Ok(false) };
        let Some(padded) = with_padding(graph, uses, conv) else { return Ok(false) };
        set_op(graph, id, Op::Conv(padded));
        Ok(true)
    })
}

/// The convolution over what the padding reads, if the padding is one that a window can have.
fn with_padding(graph: &Graph, uses: &Uses, conv: &Conv) -> Option<Conv> {
    let Op::Pad(Pad { input, before, after, beyond: Beyond::Fill, value }) =
        producer_op(graph, uses, conv.input)?
    else {
        return None;
    };
    let (&[0, top, left, 0], &[0, bottom, right, 0]) = (before.as_slice(), after.as_slice()) else {
        return None;
    };
    if *value != 0.0 || conv.pre_activation.is_some() {
        return None;
    }
    let mut window = conv.window;
    grow(&mut window.y, top, bottom)?;
    grow(&mut window.x, left, right)?;
    Some(Conv { input: *input, window, ..conv.clone() })
}

fn grow(axis: &mut Axis, before: u32, after: u32) -> Option<()> {
    axis.pad_before = axis.pad_before.checked_add(before)?;
    axis.pad_after = axis.pad_after.checked_add(after)?;
    Some(())
}
