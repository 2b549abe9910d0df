//! Computes on the host what depends on constants alone.

mod arithmetic;
mod movement;

use crate::host::Result;
use crate::host::graph::{Constant, Graph, Op, ValueId};

use super::rewrite::rewrite_nodes;

/// Elements that a result may have beyond those of its operands: broadcasts and paddings that grow further stay operators, so
/// that a small model cannot become a large program.
const MOST_GROWTH: u64 = 4096;

/// An operator whose operands are all constant becomes a constant: element-wise arithmetic by the device's own kernels (portable
/// level, so that every host makes the same program), and all moves of elements. Others stay.
///
/// # Errors
/// If the graph contradicts itself.
pub fn fold_constants(graph: &mut Graph) -> Result<bool> {
    rewrite_nodes(graph, |graph, _, id, op| {
        let Some(output) = graph.node(id).map(|node| node.output) else { return Ok(false) };
        let Some(data) = evaluate(graph, op, output).filter(|_| !graph.is_output(output)) else {
            return Ok(false);
        };
        graph.fold_node(id, data);
        Ok(true)
    })
}

/// What a node makes, if it can be computed here.
fn evaluate(graph: &Graph, op: &Op, output: ValueId) -> Option<Constant> {
    let inputs = op.inputs();
    let elements: u64 = inputs.iter().map(|&input| u64::from(graph.shape(input).len())).sum();
    let all_constant = inputs.iter().all(|&input| graph.value(input).constant.is_some());
    if !all_constant || u64::from(graph.shape(output).len()) > elements + MOST_GROWTH {
        return None;
    }
    if !graph.may_fold(graph.shape(output).len()) {
        return None;
    }
    let constant = match op {
        Op::Binary(op) => Constant::f32(arithmetic::binary(graph, op, graph.shape(output))?),
        Op::Unary(op) => Constant::f32(arithmetic::unary(graph, op)?),
        Op::Reshape(op) => graph.value(op.input).constant.clone()?,
        Op::Concat(op) => movement::concat(graph, op)?,
        Op::Transpose(_) | Op::Slice(_) | Op::Pad(_) => movement::rearrange(graph, op, graph.shape(output))?,
        _ => return None,
    };
    (constant.len() == graph.shape(output).len() as usize).then_some(constant)
}
