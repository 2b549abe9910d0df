//! Reshapes that only drop or add axes of length 1 change places with transpositions, so that transpositions of one tensor's rank
//! stand side by side: one-dimensional convolutions are pictures of one row, everything between them is not.

use alloc::vec::Vec;

use crate::device::tensor::Shape;
use crate::host::Result;
use crate::host::graph::{Graph, NodeId, Op, Reshape, Transpose, Uses};

use super::super::rewrite::{exclusive_producer, set_op};
use super::sink::set_value;

/// A transposition, then a reshape that drops axes of length 1: the reshape comes first.
pub(super) fn drop_first(graph: &mut Graph, uses: &Uses, id: NodeId, op: &Reshape) -> Result<bool> {
    let Some(producer) = exclusive_producer(graph, uses, op.input) else { return Ok(false) };
    let Some(Op::Transpose(inner)) = graph.node(producer).map(|node| node.op.clone()) else {
        return Ok(false);
    };
    let Some(kept) = kept_axes(graph.shape(op.input), op.shape) else { return Ok(false) };
    // The axes of the input that stay, in the input's order, and in the output's.
    let turned: Vec<usize> = kept.iter().map(|&axis| inner.perm[axis]).collect();
    let mut straight = turned.clone();
    straight.sort_unstable();
    let dims: Vec<u32> = straight.iter().map(|&axis| graph.shape(inner.input).dims()[axis]).collect();
    let place = |axis: &usize| straight.iter().position(|other| other == axis);
    let (Some(shape), Some(perm)) = (Shape::new(&dims), turned.iter().map(place).collect()) else {
        return Ok(false);
    };
    let first = Op::Reshape(Reshape { input: inner.input, shape });
    set_value(graph, op.input, &first)?;
    set_op(graph, producer, first);
    set_op(graph, id, Op::Transpose(Transpose { input: op.input, perm }));
    Ok(true)
}

/// A reshape that adds axes of length 1, then a transposition: the transposition comes first.
pub(super) fn add_last(graph: &mut Graph, uses: &Uses, id: NodeId, op: &Transpose) -> Result<bool> {
    let Some(producer) = exclusive_producer(graph, uses, op.input) else { return Ok(false) };
    let Some(Op::Reshape(inner)) = graph.node(producer).map(|node| node.op.clone()) else {
        return Ok(false);
    };
    let Some(old) = kept_axes(inner.shape, graph.shape(inner.input)) else { return Ok(false) };
    // The old axes in the order in which the transposition leaves them.
    let place = |axis: &usize| old.iter().position(|other| other == axis);
    let perm: Vec<usize> = op.perm.iter().filter_map(place).collect();
    let Some(output) = graph.node(id).map(|node| graph.shape(node.output)) else { return Ok(false) };
    let first = Op::Transpose(Transpose { input: inner.input, perm });
    set_value(graph, op.input, &first)?;
    set_op(graph, producer, first);
    set_op(graph, id, Op::Reshape(Reshape { input: op.input, shape: output }));
    Ok(true)
}

/// The axes of `more` that are `fewer`'s, if all others are 1 and there are others.
fn kept_axes(more: Shape, fewer: Shape) -> Option<Vec<usize>> {
    let mut kept = Vec::new();
    let mut wanted = fewer.dims().iter().peekable();
    for (axis, dim) in more.dims().iter().enumerate() {
        match wanted.peek() {
            Some(&want) if want == dim => {
                kept.push(axis);
                wanted.next();
            }
            _ if *dim == 1 => {}
            _ => return None,
        }
    }
    (wanted.peek().is_none() && kept.len() < more.rank()).then_some(kept)
}
