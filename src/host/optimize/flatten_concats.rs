//! Makes a concatenation of concatenations one.

use alloc::vec::Vec;

use crate::host::Result;
use crate::host::graph::{Concat, Graph, Op, Uses, ValueId};

use super::rewrite::{producer_op, rewrite_nodes, set_op};

/// Parts of one concatenation at most. A chain that doubles at each link would else have 2ⁿ.
const MOST_PARTS: usize = 1024;

/// Replaces a part of a concatenation that is itself one along the same axis by its parts. Dense blocks then read the layers'
/// outputs directly, as segments. A part that is an output of the network stays: it exists in memory anyway.
///
/// # Errors
/// If the graph contradicts itself.
pub fn flatten_concats(graph: &mut Graph) -> Result<bool> {
    rewrite_nodes(graph, |graph, uses, id, op| {
        let Op::Concat(concat) = op else { return Ok(false) };
        let parts =
            |&input: &ValueId| parts(graph, uses, input, concat.axis).unwrap_or_else(|| [input].into());
        let inputs: Vec<ValueId> = concat.inputs.iter().flat_map(parts).collect();
        let changed = inputs.len() != concat.inputs.len() && inputs.len() <= MOST_PARTS;
        if changed {
            set_op(graph, id, Op::Concat(Concat { inputs, axis: concat.axis }));
        }
        Ok(changed)
    })
}

/// The parts of `value`, if it is a concatenation along `axis` of at least two that nobody outside reads.
fn parts(graph: &Graph, uses: &Uses, value: ValueId, axis: usize) -> Option<Vec<ValueId>> {
    match producer_op(graph, uses, value)? {
        Op::Concat(inner) if inner.axis == axis && inner.inputs.len() > 1 && !graph.is_output(value) => {
            Some(inner.inputs.clone())
        }
        _ => None,
    }
}
