//! Lets convolutions normalise and activate what they load (pre-activation).

use alloc::format;
use alloc::string::String;
use alloc::vec;

use crate::device::tensor::{Activation, Shape};
use crate::host::Result;
use crate::host::graph::{Constant, Conv, Graph, NodeId, Op, PreActivation, Uses, ValueId};

use super::rewrite::{producer_op, rewrite_nodes};

/// An affine function or activation that only convolutions (of one group) read moves into their loads, where its own
/// output would be one more tensor in memory: because its operand is a concatenation, or lives on for other readers.
/// Elsewhere it stays alone, written over its dying operand, and the convolution reads its result in place.
///
/// # Errors
/// If the graph contradicts itself.
pub fn fuse_pre_activation(graph: &mut Graph) -> Result<bool> {
    rewrite_nodes(graph, |graph, uses, id, op| {
        let input = match op {
            Op::Affine(op) => op.input,
            Op::Unary(op) => op.input,
            _ => return Ok(false),
        };
        let Some(output) = graph.node(id).map(|node| node.output) else { return Ok(false) };
        if !pays(graph, uses, input) || !only_convolutions_read(graph, uses, output) {
            return Ok(false);
        }
        let pre_activation = match op {
            Op::Affine(op) => PreActivation { scale: op.scale, shift: op.shift, activation: op.activation },
            Op::Unary(op) => plain(graph, id, input, op.activation)?,
            _ => return Ok(false),
        };
        for &reader in uses.consumers(output) {
            if let Some(Op::Conv(conv)) = graph.node_mut(reader).map(|node| &mut node.op) {
                conv.input = input;
                conv.pre_activation = Some(pre_activation.clone());
            }
        }
        graph.remove_node(id);
        Ok(true)
    })
}

/// Would the output be one more tensor beside the operand?
fn pays(graph: &Graph, uses: &Uses, input: ValueId) -> bool {
    let is_concat = matches!(producer_op(graph, uses, input), Some(Op::Concat(_)));
    is_concat || uses.consumers(input).len() > 1 || graph.is_output(input)
}

/// Is every reader a convolution of one group that reads it as its input and has no pre-activation yet?
fn only_convolutions_read(graph: &Graph, uses: &Uses, value: ValueId) -> bool {
    let reads_only = |conv: &Conv| {
        conv.input == value
            && conv.residual != Some(value)
            && conv.pre_activation.is_none()
            && conv.groups == 1
    };
    let takes = |&reader: &NodeId| matches!(graph.node(reader).map(|node| &node.op), Some(Op::Conv(conv)) if reads_only(conv));
    !graph.is_output(value) && uses.consumers(value).iter().all(takes)
}

/// An activation alone: `x · 1 + 0` before it.
fn plain(graph: &mut Graph, id: NodeId, input: ValueId, activation: Activation) -> Result<PreActivation> {
    let name = graph.node(id).map_or(String::new(), |node| node.name.clone());
    let channels = graph.shape(input).dims().last().copied().unwrap_or(1);
    let mut filled = |part: &str, x: f32| {
        let data = Constant::f32(vec![x; channels as usize]);
        graph.add_constant(format!("{name}.{part}"), Shape::vector(channels), data)
    };
    Ok(PreActivation { scale: filled("scale", 1.0)?, shift: filled("shift", 0.0)?, activation })
}
