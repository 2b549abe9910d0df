//! Drops operators that return their operand.

use crate::device::tensor::Shape;
use crate::host::Result;
use crate::host::graph::{Graph, Op, ValueId};

use super::rewrite::{bypass, rewrite_nodes};

/// Drops operators that return their operand as it is. One between an input (or a constant) and an output stays: a copy.
///
/// # Errors
/// If the graph contradicts itself.
pub fn drop_identities(graph: &mut Graph) -> Result<bool> {
    rewrite_nodes(graph, |graph, uses, id, op| {
        Ok(identity_of(graph, op).is_some_and(|input| bypass(graph, uses, id, input)))
    })
}

/// The operand that `op` returns unchanged, if it is an identity.
fn identity_of(graph: &Graph, op: &Op) -> Option<ValueId> {
    let shape = |id| graph.shape(id);
    let (input, is_identity) = match op {
        Op::Unary(op) => (op.input, op.activation.is_identity()),
        Op::Affine(op) => {
            let all = |id, x| graph.constant_f32(id).is_some_and(|data| data.iter().all(|&y| y == x));
            (op.input, op.activation.is_identity() && all(op.scale, 1.0) && all(op.shift, 0.0))
        }
        Op::Reshape(op) => (op.input, op.shape == shape(op.input)),
        Op::Transpose(op) => (op.input, op.perm.iter().copied().eq(0..op.perm.len())),
        Op::Slice(op) => {
            let whole = op.len == shape(op.input).dims() && op.start.iter().all(|&start| start == 0);
            (op.input, whole && op.step.iter().zip(&op.len).all(|(&step, &len)| step == 1 || len == 1))
        }
        Op::Pad(op) => (op.input, op.before.iter().chain(&op.after).all(|&count| count == 0)),
        Op::Concat(op) => (*op.inputs.first()?, op.inputs.len() == 1),
        Op::Pool(op) => (op.input, op.window.is_pointwise()),
        Op::GlobalPool(op) => (op.input, rows_and_columns(shape(op.input)) == Some((1, 1))),
        Op::Resize(op) => {
            let same = rows_and_columns(shape(op.input)) == Some((op.height, op.width));
            (op.input, same && op.scale == [1.0; 2] && op.offset == [0.0; 2])
        }
        Op::Conv(_) | Op::ConvTranspose(_) | Op::Dense(_) | Op::MatMul(_) | Op::BatchNorm(_) => return None,
        Op::Binary(_) | Op::Softmax(_) | Op::Normalize(_) | Op::Interpolate(_) => return None,
    };
    is_identity.then_some(input)
}

fn rows_and_columns(shape: Shape) -> Option<(u32, u32)> {
    if let [_, h, w, _] = *shape.dims() { Some((h, w)) } else { None }
}
