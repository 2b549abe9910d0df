//! Lets a dense layer read pictures in storage order.

use alloc::vec;
use alloc::vec::Vec;

use crate::device::tensor::{MAX_RANK, Shape};
use crate::host::Result;
use crate::host::graph::{Dense, Floats, Graph, NodeId, Op, Reshape, Transpose, Uses, ValueId};

use super::rewrite::{exclusive_producer, revise_constant, rewrite_nodes, set_op};

/// Transposition (of all axes but the first), reshape to rows, dense layer: the weight's columns change places instead, and the
/// transposition disappears. Models that store `[n, c, h, w]` flatten like this.
///
/// # Errors
/// If the graph contradicts itself.
pub fn permute_dense_columns(graph: &mut Graph) -> Result<bool> {
    rewrite_nodes(graph, |graph, uses, id, op| {
        let Op::Dense(dense) = op else { return Ok(false) };
        let Some(found) = find(graph, uses, dense) else { return Ok(false) };
        let Some(weight) = permuted(graph, dense.weight, &found) else { return Ok(false) };
        let weight = revise_constant(graph, uses, dense.weight, weight)?;
        set_op(
            graph,
            found.reshape,
            Op::Reshape(Reshape { input: found.input, shape: graph.shape(dense.input) }),
        );
        set_op(graph, id, Op::Dense(Dense { weight, ..dense.clone() }));
        Ok(true)
    })
}

/// A reshape whose operand is a transposition.
struct Found {
    reshape: NodeId,
    /// What the transposition reads.
    input: ValueId,
    shape: Shape,
    perm: Vec<usize>,
}

fn find(graph: &Graph, uses: &Uses, dense: &Dense) -> Option<Found> {
    let reshape = exclusive_producer(graph, uses, dense.input)?;
    let Op::Reshape(op) = &graph.node(reshape)?.op else { return None };
    let transpose = uses.producer(op.input)?;
    let Op::Transpose(Transpose { input, perm }) = &graph.node(transpose)?.op else { return None };
    let shape = graph.shape(*input);
    let keeps_rows =
        perm.first() == Some(&0) && shape.dims().first() == graph.shape(dense.input).dims().first();
    keeps_rows.then(|| Found { reshape, input: *input, shape, perm: perm.clone() })
}

/// The weight whose column of each element is that of the element's place before the transposition.
fn permuted(graph: &Graph, weight: ValueId, found: &Found) -> Option<Floats> {
    let data = graph.floats(weight)?;
    if let Some(permuted) = permuted_in_file(data, graph.shape(weight), found) {
        return Some(permuted);
    }
    let places = places_before(&found.shape.dims()[1..], &found.perm[1..]);
    let mut columns = vec![0.0; data.len()];
    for (old, new) in data.chunks_exact(places.len()).zip(columns.chunks_exact_mut(places.len())) {
        for (w, &place) in old.iter().zip(&places) {
            new[place] = *w;
        }
    }
    Some(columns.into())
}

/// The same for a weight that can stay in its file.
fn permuted_in_file(data: &Floats, shape: Shape, found: &Found) -> Option<Floats> {
    let outputs = *shape.dims().first()?;
    let axes = &found.perm[1..];
    let dims: Vec<u32> = axes.iter().map(|&axis| found.shape.dims()[axis]).collect();
    let inverse = (1..=axes.len()).map(|axis| axes.iter().position(|&own| own == axis));
    let perm: Option<Vec<usize>> = inverse.map(|place| place.map(|place| place + 1)).collect();
    data.transposed_in_file(&[&[outputs], dims.as_slice()].concat(), &[&[0], perm?.as_slice()].concat())
}

/// For each element of the transposed tensor, in order, its place in the tensor before; axis numbers count from 1.
fn places_before(dims: &[u32], perm: &[usize]) -> Vec<usize> {
    let mut strides = [1usize; MAX_RANK];
    for axis in (1..dims.len()).rev() {
        strides[axis - 1] = strides[axis] * dims[axis] as usize;
    }
    perm.iter().fold(vec![0], |places, &axis| {
        let axis = axis - 1;
        let along = |place: usize| (0..dims[axis] as usize).map(move |i| place + i * strides[axis]);
        places.into_iter().flat_map(along).collect()
    })
}
