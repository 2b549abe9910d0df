//! Lets convolutions add the skip that joins them.

use crate::device::kernel::params::BinaryKind;
use crate::device::tensor::Activation;
use crate::host::Result;
use crate::host::graph::{Binary, Graph, NodeId, Op, Uses, ValueId};

use super::rewrite::{exclusive_producer, producer_op, rewrite_nodes, take_over};

/// `conv(x) + skip`, nobody else reading the convolution, becomes a convolution with residual; the sum's activation goes along.
/// The compiler then writes the sum over the dying skip.
///
/// If both summands are such convolutions, the one at the end of the longer chain (the block's main path) takes the other (its
/// projection) as its residual. A constant or a concatenation is no residual, because it is no tensor of its own.
///
/// # Errors
/// If the graph contradicts itself.
pub fn fuse_residual(graph: &mut Graph) -> Result<bool> {
    rewrite_nodes(graph, |graph, uses, id, op| {
        let Op::Binary(sum) = op else { return Ok(false) };
        if sum.kind != BinaryKind::Add || graph.shape(sum.a) != graph.shape(sum.b) {
            return Ok(false);
        }
        let candidates = [(sum.a, sum.b), (sum.b, sum.a)].map(|(conv, skip)| {
            candidate(graph, uses, sum, conv, skip).map(|op| (chain_len(graph, uses, conv), op))
        });
        let [first, second] = candidates;
        let later = match (first, second) {
            (Some(first), Some(second)) => Some(if second.0 > first.0 { second.1 } else { first.1 }),
            (first, second) => first.or(second).map(|(_, op)| op),
        };
        let Some((producer, op)) = later else { return Ok(false) };
        take_over(graph, producer, id, op);
        Ok(true)
    })
}

/// The node that makes `conv` and what it must compute to take `skip` as its residual, if it can.
fn candidate(graph: &Graph, uses: &Uses, sum: &Binary, conv: ValueId, skip: ValueId) -> Option<(NodeId, Op)> {
    let producer = exclusive_producer(graph, uses, conv)?;
    if graph.value(skip).constant.is_some() || matches!(producer_op(graph, uses, skip), Some(Op::Concat(_))) {
        return None;
    }
    let mut op = graph.node(producer)?.op.clone();
    let (residual, activation): (&mut Option<ValueId>, &mut Activation) = match &mut op {
        Op::Conv(op) => (&mut op.residual, &mut op.activation),
        Op::ConvTranspose(op) => (&mut op.residual, &mut op.activation),
        _ => return None,
    };
    if residual.is_some() || !activation.is_identity() {
        return None;
    }
    (*residual, *activation) = (Some(skip), sum.activation);
    Some((producer, op))
}

/// Nodes in a row that make `value`, each the only reader of the one before.
fn chain_len(graph: &Graph, uses: &Uses, value: ValueId) -> usize {
    let mut value = value;
    let mut len = 0;
    while let Some(id) = exclusive_producer(graph, uses, value) {
        let Some(&input) = graph.node(id).and_then(|node| node.op.inputs().first().copied()).as_ref() else {
            break;
        };
        value = input;
        len += 1;
    }
    len
}
