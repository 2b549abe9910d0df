//! Lets operators apply the activation that follows them.

use crate::device::tensor::Activation;
use crate::host::Result;
use crate::host::graph::{Graph, Op};

use super::rewrite::{exclusive_producer, rewrite_nodes, take_over};

/// An activation that alone reads a convolution, a dense layer, an affine, a normalisation or an element-wise function of two operands becomes
/// that operator's own, if it has none yet.
///
/// # Errors
/// If the graph contradicts itself.
pub fn fuse_activation(graph: &mut Graph) -> Result<bool> {
    rewrite_nodes(graph, |graph, uses, id, op| {
        let Op::Unary(unary) = op else { return Ok(false) };
        let Some(producer) = exclusive_producer(graph, uses, unary.input) else { return Ok(false) };
        let Some(mut op) = graph.node(producer).map(|node| node.op.clone()) else { return Ok(false) };
        match own_activation(&mut op) {
            Some(own) if own.is_identity() => *own = unary.activation,
            _ => return Ok(false),
        }
        take_over(graph, producer, id, op);
        Ok(true)
    })
}

/// The activation that an operator applies last, if it can apply one.
fn own_activation(op: &mut Op) -> Option<&mut Activation> {
    match op {
        Op::Conv(op) => Some(&mut op.activation),
        Op::ConvTranspose(op) => Some(&mut op.activation),
        Op::Dense(op) => Some(&mut op.activation),
        Op::MatMul(op) => Some(&mut op.activation),
        Op::Affine(op) => Some(&mut op.activation),
        Op::Binary(op) => Some(&mut op.activation),
        Op::Normalize(op) => Some(&mut op.activation),
        _ => None,
    }
}
