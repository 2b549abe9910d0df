//! Lets element-wise operators read what was repeated only for them.

use crate::device::kernel::params::Beyond;
use crate::host::Result;
use crate::host::graph::{Binary, Graph, Op, Pad, Uses, ValueId, infer};

use super::rewrite::{producer_op, rewrite_nodes, set_op};

/// An operand repeated along axes of length 1, then a function of two operands: the function broadcasts by itself. Gates of
/// squeeze-and-excitation blocks are written so (`x * gate.expand_as(x)`).
///
/// # Errors
/// If the graph contradicts itself.
pub fn drop_expansions(graph: &mut Graph) -> Result<bool> {
    rewrite_nodes(graph, |graph, uses, id, op| {
        let Op::Binary(binary) = op else { return Ok(false) };
        let (a, b) = (unexpanded(graph, uses, binary.a), unexpanded(graph, uses, binary.b));
        // Both may have been repeated: then one of them must stay as long as the result.
        let pairs = [(a, b), (a, None), (None, b)].into_iter().filter(|pair| *pair != (None, None));
        for (a, b) in pairs {
            let (a, b) = (a.unwrap_or(binary.a), b.unwrap_or(binary.b));
            let read = Op::Binary(Binary { a, b, ..binary.clone() });
            if infer(graph, &read)? == infer(graph, op)? {
                set_op(graph, id, read);
                return Ok(true);
            }
        }
        Ok(false)
    })
}

/// What a value repeats, if it does nothing else.
fn unexpanded(graph: &Graph, uses: &Uses, value: ValueId) -> Option<ValueId> {
    let Op::Pad(Pad { input, before, after, beyond, .. }) = producer_op(graph, uses, value)? else {
        return None;
    };
    let dims = graph.shape(*input);
    let repeats = |(dim, (before, after)): (&u32, (&u32, &u32))| *dim == 1 || (*before, *after) == (0, 0);
    let only_repeats = dims.dims().iter().zip(before.iter().zip(after)).all(repeats);
    (*beyond != Beyond::Fill && only_repeats).then_some(*input)
}
