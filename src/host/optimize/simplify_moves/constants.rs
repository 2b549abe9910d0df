//! What operators with constants compute before a move instead of behind it: their constants move the other way.

use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use crate::device::tensor::Shape;
use crate::host::Result;
use crate::host::graph::{Affine, Binary, Constant, Graph, NodeId, Op, Reshape, Transpose, ValueId};

use super::super::rewrite::uniform;

/// What to compute before the transposition or reshape instead of `op` behind it, if the constants of `op` can be moved.
pub(super) fn before_move(graph: &mut Graph, id: NodeId, op: &Op, mover: &Op) -> Result<Option<Op>> {
    let name = graph.node(id).map_or(String::new(), |node| node.name.clone());
    match (op, mover) {
        (Op::Affine(op), Op::Transpose(Transpose { input, .. }) | Op::Reshape(Reshape { input, .. })) => {
            affine(graph, &name, op, *input, keeps_channels(graph, op, mover))
        }
        (Op::Binary(op), Op::Transpose(mover)) => binary(graph, &name, op, mover),
        _ => Ok(None),
    }
}

/// Has every element the same index on the last axis before the move as behind it?
fn keeps_channels(graph: &Graph, op: &Affine, mover: &Op) -> bool {
    match mover {
        Op::Transpose(mover) => mover.perm.last().is_some_and(|last| last + 1 == mover.perm.len()),
        Op::Reshape(mover) => graph.shape(mover.input).dims().last() == graph.shape(op.input).dims().last(),
        _ => false,
    }
}

/// One factor and one summand for all elements are the same before any move.
fn affine(graph: &mut Graph, name: &str, op: &Affine, input: ValueId, keeps: bool) -> Result<Option<Op>> {
    if keeps {
        return Ok(Some(Op::Affine(Affine { input, ..op.clone() })));
    }
    let (Some(scale), Some(shift)) = (uniform(graph, op.scale), uniform(graph, op.shift)) else {
        return Ok(None);
    };
    let Some(&channels) = graph.shape(input).dims().last() else { return Ok(None) };
    let mut filled = |part: &str, x: f32| {
        let data = Constant::f32(vec![x; channels as usize]);
        graph.add_constant(format!("{name}.{part}"), Shape::vector(channels), data)
    };
    let (scale, shift) = (filled("scale", scale)?, filled("shift", shift)?);
    Ok(Some(Op::Affine(Affine { input, scale, shift, activation: op.activation })))
}

/// The constant with its axes in the order before the transposition. It must not make the result larger.
fn binary(graph: &mut Graph, name: &str, op: &Binary, mover: &Transpose) -> Result<Option<Op>> {
    let is_first = graph.value(op.a).constant.is_some();
    let (constant, moved) = if is_first { (op.a, op.b) } else { (op.b, op.a) };
    let (shape, rank) = (graph.shape(constant), mover.perm.len());
    if graph.value(constant).constant.is_none() || shape.rank() > rank {
        return Ok(None);
    }
    let mut dims = vec![1; rank - shape.rank()];
    dims.extend(shape.dims());
    if dims.iter().zip(graph.shape(moved).dims()).any(|(own, moved)| *own != 1 && own != moved) {
        return Ok(None);
    }
    let Some(whole) = Shape::new(&dims) else { return Ok(None) };
    let mut perm: Vec<usize> = vec![0; rank];
    for (place, &axis) in mover.perm.iter().enumerate() {
        perm[axis] = place;
    }
    // Constants fold.
    let input =
        graph.add_node(format!("{name}.lifted"), Op::Reshape(Reshape { input: constant, shape: whole }))?;
    let turned = graph.add_node(format!("{name}.turned"), Op::Transpose(Transpose { input, perm }))?;
    let (a, b) = if is_first { (turned, mover.input) } else { (mover.input, turned) };
    Ok(Some(Op::Binary(Binary { a, b, ..op.clone() })))
}
