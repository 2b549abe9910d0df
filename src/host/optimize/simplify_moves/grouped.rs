//! A normalisation of rows that a transposition and a reshape have made computes the groups where they lie.

use alloc::vec::Vec;

use crate::host::Result;
use crate::host::graph::{Graph, NodeId, Normalize, Op, Reshape, Transpose, Uses, ValueId};

use super::super::rewrite::{exclusive_producer, set_op};
use super::sink::set_value;

/// `[n, …, c]` to `[n, c, …]`, to rows of whole channels, normalised: the same as groups of channels of `[n, …, c]`. The
/// transposition and the reshape come behind instead, where they meet their inverses. PyTorch writes group normalisation so.
pub(super) fn push_moves_behind(
    graph: &mut Graph,
    uses: &Uses,
    id: NodeId,
    norm: &Normalize,
) -> Result<bool> {
    let Some(found) = find(graph, uses, norm) else { return Ok(false) };
    let Some([transposed, reshaped]) = outputs(graph, [found.transpose, found.reshape]) else {
        return Ok(false);
    };
    let (perm, shape) = (found.perm, graph.shape(reshaped));
    let groups = Normalize { input: found.input, axis: 1, groups: found.groups, ..norm.clone() };
    set_value(graph, transposed, &Op::Normalize(groups.clone()))?;
    set_op(graph, found.transpose, Op::Normalize(groups));
    let turned = Op::Transpose(Transpose { input: transposed, perm });
    set_value(graph, reshaped, &turned)?;
    set_op(graph, found.reshape, turned);
    set_op(graph, id, Op::Reshape(Reshape { input: reshaped, shape }));
    Ok(true)
}

fn outputs(graph: &Graph, nodes: [NodeId; 2]) -> Option<[ValueId; 2]> {
    let [a, b] = nodes.map(|id| graph.node(id).map(|node| node.output));
    Some([a?, b?])
}

struct Found {
    transpose: NodeId,
    reshape: NodeId,
    /// What the transposition reads, `[n, …, c]`.
    input: ValueId,
    perm: Vec<usize>,
    groups: u32,
}

fn find(graph: &Graph, uses: &Uses, norm: &Normalize) -> Option<Found> {
    let rows = graph.shape(norm.input);
    let (&[_, len], 1, 1, None, None) = (rows.dims(), norm.axis, norm.groups, norm.scale, norm.shift) else {
        return None;
    };
    let reshape = exclusive_producer(graph, uses, norm.input)?;
    let Op::Reshape(op) = &graph.node(reshape)?.op else { return None };
    let transpose = exclusive_producer(graph, uses, op.input)?;
    let Op::Transpose(Transpose { input, perm }) = &graph.node(transpose)?.op else { return None };
    let shape = graph.shape(*input);
    let [_, spatial @ .., channels] = shape.dims() else { return None };
    let last = perm.len() - 1;
    let moves_channels = perm.iter().copied().eq([0, last].into_iter().chain(1..last));
    let pixels: u32 = spatial.iter().product();
    let inner = len / pixels;
    let whole = inner > 0 && len.is_multiple_of(pixels) && channels.is_multiple_of(inner);
    (moves_channels && whole).then(|| Found {
        transpose,
        reshape,
        input: *input,
        perm: perm.clone(),
        groups: channels / inner,
    })
}
