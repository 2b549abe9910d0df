//! Moves sink through element-wise operators.

use alloc::string::String;
use alloc::vec::Vec;

use crate::host::Result;
use crate::host::graph::{
    Binary, Concat, Graph, NodeId, Normalize, Op, Reshape, Softmax, Transpose, Unary, Uses, ValueId, infer,
};

use super::super::rewrite::{exclusive_producer, set_op};
use super::constants;

/// `f(move(x))` becomes `move(f(x))`, if nobody else reads the moved tensor.
pub(super) fn sink(graph: &mut Graph, uses: &Uses, id: NodeId, op: &Op) -> Result<bool> {
    let Some(&first) = op.inputs().first() else { return Ok(false) };
    // The operand that is moved: the first one, unless that is a constant.
    let moved = match op {
        Op::Binary(op) if graph.value(op.a).constant.is_some() => op.b,
        _ => first,
    };
    let Some(mover) = exclusive_producer(graph, uses, moved) else { return Ok(false) };
    let Some(before) = graph.node(mover).map(|node| node.op.clone()) else { return Ok(false) };
    let sunk = match &before {
        Op::Transpose(transpose) => through_transpose(graph, uses, op, transpose),
        Op::Reshape(reshape) => through_reshape(op, reshape),
        _ => None,
    };
    let sunk = match sunk {
        Some(sunk) => sunk,
        None => match constants::before_move(graph, id, op, &before)? {
            Some(sunk) => sunk,
            None => return Ok(false),
        },
    };
    exchange(graph, mover, id, sunk, before)?;
    Ok(true)
}

/// What to compute before the transposition instead of `op` behind it.
fn through_transpose(graph: &Graph, uses: &Uses, op: &Op, transpose: &Transpose) -> Option<Op> {
    let Transpose { input, perm } = transpose;
    let before = |value: ValueId| -> Option<ValueId> {
        match &graph.node(exclusive_producer(graph, uses, value)?)?.op {
            Op::Transpose(op) if op.perm == *perm => Some(op.input),
            _ => None,
        }
    };
    // A constant of one element is the same before and behind, if it does not add axes.
    let alike = |value: ValueId| {
        let other = graph.value(value);
        let single = other.constant.is_some() && other.shape.len() == 1 && other.shape.rank() <= perm.len();
        if single { Some(value) } else { before(value) }
    };
    Some(match op {
        Op::Unary(op) => Op::Unary(Unary { input: *input, ..op.clone() }),
        // Rows of channels stay what they are in any order.
        Op::Normalize(op) if op.axis + 1 == perm.len() && perm.last() == Some(&op.axis) => {
            Op::Normalize(Normalize { input: *input, ..op.clone() })
        }
        Op::Softmax(op) => Op::Softmax(Softmax { input: *input, axis: *perm.get(op.axis)?, log: op.log }),
        Op::Binary(op) => Op::Binary(Binary { a: alike(op.a)?, b: alike(op.b)?, ..op.clone() }),
        Op::Concat(op) => {
            let inputs = op.inputs.iter().map(|&part| before(part)).collect::<Option<Vec<_>>>()?;
            Op::Concat(Concat { inputs, axis: *perm.get(op.axis)? })
        }
        _ => return None,
    })
}

/// What to compute before the reshape instead of `op` behind it.
fn through_reshape(op: &Op, reshape: &Reshape) -> Option<Op> {
    match op {
        Op::Unary(op) => Some(Op::Unary(Unary { input: reshape.input, ..op.clone() })),
        _ => None,
    }
}

/// `mover` computes `sunk`, and the node behind it moves the result.
fn exchange(graph: &mut Graph, mover: NodeId, id: NodeId, sunk: Op, before: Op) -> Result<()> {
    let Some(between) = graph.node(mover).map(|node| node.output) else { return Ok(()) };
    set_value(graph, between, &sunk)?;
    set_op(graph, mover, sunk);
    let moved = match before {
        Op::Transpose(op) => Op::Transpose(Transpose { input: between, ..op }),
        Op::Reshape(op) => Op::Reshape(Reshape { input: between, ..op }),
        other => other,
    };
    set_op(graph, id, moved);
    if let (Some(first), Some(second)) = (graph.node(mover).map(|node| node.name.clone()), graph.node(id)) {
        let second = second.name.clone();
        rename(graph, mover, second);
        rename(graph, id, first);
    }
    Ok(())
}

/// Gives a value the type and shape that `op` makes.
pub(super) fn set_value(graph: &mut Graph, value: ValueId, op: &Op) -> Result<()> {
    let (dtype, shape) = infer(graph, op)?;
    let value = graph.value_mut(value);
    (value.dtype, value.shape) = (dtype, shape);
    Ok(())
}

fn rename(graph: &mut Graph, id: NodeId, name: String) {
    if let Some(node) = graph.node_mut(id) {
        node.name = name;
    }
}
