//! Merges moves of elements, and pushes them towards the outputs, where they meet their inverses or the network's ports.

mod constants;
mod grouped;
mod ports;
mod sink;
mod unit_axes;

use alloc::vec::Vec;

use crate::host::Result;
use crate::host::graph::{Graph, NodeId, Op, Reshape, Transpose, Uses};

use super::rewrite::{producer_op, rewrite_nodes, set_op};

/// Transposition after transposition, and reshape after reshape, become one; a transposition that only moves axes of length 1
/// is a reshape; axes of length 1 go before a transposition and come behind one; both sink through element-wise operators and,
/// where rows are groups, through normalisations; and a transposition right behind an input or before an output becomes the
/// port's layout, if the port has a name for it.
///
/// # Errors
/// If the graph contradicts itself.
pub fn simplify_moves(graph: &mut Graph) -> Result<bool> {
    let merged = rewrite_nodes(graph, |graph, uses, id, op| {
        Ok(match op {
            Op::Transpose(op) => {
                merge_transpose(graph, uses, id, op) || unit_axes::add_last(graph, uses, id, op)?
            }
            Op::Reshape(op) => {
                merge_reshape(graph, uses, id, op) || unit_axes::drop_first(graph, uses, id, op)?
            }
            Op::Normalize(norm) if grouped::push_moves_behind(graph, uses, id, norm)? => true,
            _ => sink::sink(graph, uses, id, op)?,
        })
    })?;
    let absorbed = ports::absorb(graph)?;
    Ok(merged | absorbed)
}

fn merge_transpose(graph: &mut Graph, uses: &Uses, id: NodeId, op: &Transpose) -> bool {
    let input = graph.shape(op.input);
    let long = |axis: &&usize| input.dims()[**axis] > 1;
    let is_reshape = op.perm.iter().filter(long).is_sorted();
    let merged = match producer_op(graph, uses, op.input) {
        Some(Op::Transpose(inner)) => {
            // outer.dims[i] = middle.dims[perm[i]] = inner.dims[inner.perm[perm[i]]]
            let perm: Vec<usize> = op.perm.iter().map(|&axis| inner.perm[axis]).collect();
            Op::Transpose(Transpose { input: inner.input, perm })
        }
        _ if is_reshape && !op.perm.is_sorted() => {
            let Some(output) = graph.node(id).map(|node| node.output) else { return false };
            Op::Reshape(Reshape { input: op.input, shape: graph.shape(output) })
        }
        _ => return false,
    };
    set_op(graph, id, merged);
    true
}

fn merge_reshape(graph: &mut Graph, uses: &Uses, id: NodeId, op: &Reshape) -> bool {
    let Some(Op::Reshape(inner)) = producer_op(graph, uses, op.input) else { return false };
    let merged = Op::Reshape(Reshape { input: inner.input, shape: op.shape });
    set_op(graph, id, merged);
    true
}
