//! Recognises normalisations by the data's own statistics that a model spells out.

use alloc::format;
use alloc::vec::Vec;
use core::ops::Range;

use crate::device::kernel::params::{BinaryKind, PoolKind};
use crate::device::tensor::{Activation, ActivationKind};
use crate::host::Result;
use crate::host::graph::{Binary, Graph, NodeId, Normalize, Op, Transpose, Uses, ValueId};

use super::rewrite::{producer_op, rewrite_nodes, set_op, uniform_affine};

/// `(x − mean) / √(mean((x − mean)²) + ε)` over axes that are stored side by side becomes a normalisation; where they are not the
/// last ones, between transpositions. Exporters before operator set 17 write layer normalisation so.
///
/// # Errors
/// If the graph contradicts itself.
pub fn recognise_normalization(graph: &mut Graph) -> Result<bool> {
    rewrite_nodes(graph, |graph, uses, id, op| {
        let Op::Binary(op) = op else { return Ok(false) };
        let Some(found) = find(graph, uses, op) else { return Ok(false) };
        replace(graph, uses, id, &found)?;
        Ok(true)
    })
}

struct Found {
    x: ValueId,
    axes: Range<usize>,
    epsilon: f32,
}

fn find(graph: &Graph, uses: &Uses, op: &Binary) -> Option<Found> {
    if op.kind != BinaryKind::Div || !op.activation.is_identity() {
        return None;
    }
    let (x, axes) = difference(graph, uses, op.a)?;
    let Op::Unary(root) = producer_op(graph, uses, behind_reshapes(graph, uses, op.b))? else { return None };
    let (scale, epsilon, variance) = uniform_affine(graph, uses, behind_reshapes(graph, uses, root.input))?;
    let squares = pooled(graph, uses, variance)?;
    let Op::Binary(square) = producer_op(graph, uses, behind_reshapes(graph, uses, squares))? else {
        return None;
    };
    let is_difference = |value: ValueId| {
        value == op.a || difference(graph, uses, value).is_some_and(|found| found == (x, axes.clone()))
    };
    let sound = root.activation == Activation::plain(ActivationKind::Sqrt)
        && scale == 1.0
        && epsilon.is_finite()
        && epsilon >= 0.0
        && square.kind == BinaryKind::Mul
        && square.a == square.b
        && square.activation.is_identity()
        && is_difference(square.a)
        && mean_axes(graph, squares, op.a, op.b) == Some(axes.clone());
    sound.then_some(Found { x, axes, epsilon })
}

/// `x` and the axes of its mean, if the value is `x − mean(x)`.
fn difference(graph: &Graph, uses: &Uses, value: ValueId) -> Option<(ValueId, Range<usize>)> {
    let Op::Binary(op) = producer_op(graph, uses, value)? else { return None };
    let pooled = pooled(graph, uses, op.b)?;
    let is_sound = op.kind == BinaryKind::Sub
        && op.activation.is_identity()
        && behind_reshapes(graph, uses, pooled) == behind_reshapes(graph, uses, op.a);
    if !is_sound {
        return None;
    }
    Some((op.a, mean_axes(graph, pooled, op.a, op.b)?))
}

/// What the average reads that makes the value, reshapes aside.
fn pooled(graph: &Graph, uses: &Uses, value: ValueId) -> Option<ValueId> {
    match producer_op(graph, uses, behind_reshapes(graph, uses, value))? {
        Op::GlobalPool(op) if op.kind == PoolKind::Average => Some(op.input),
        _ => None,
    }
}

/// Which axes of `whole` the average of rows and columns of `picture` reduces, if the two are one tensor in two shapes and `mean`
/// has the shape of `whole` with these axes of length 1.
fn mean_axes(graph: &Graph, picture: ValueId, whole: ValueId, mean: ValueId) -> Option<Range<usize>> {
    let &[outer, height, width, inner] = graph.shape(picture).dims() else { return None };
    let shape = graph.shape(whole);
    let dims = shape.dims();
    let product = |dims: &[u32]| dims.iter().map(|dim| u64::from(*dim)).product::<u64>();
    let start = (0..dims.len()).find(|&axis| product(&dims[..axis]) == u64::from(outer))?;
    // The longest range: axes of length 1 behind it belong to it.
    let fits = |end: &usize| {
        let reduced = product(&dims[start..*end]);
        reduced == u64::from(height) * u64::from(width) && product(&dims[*end..]) == u64::from(inner)
    };
    let end = (start + 1..=dims.len()).rev().find(fits)?;
    let left = dims.iter().enumerate().map(|(axis, dim)| if (start..end).contains(&axis) { 1 } else { *dim });
    left.eq(graph.shape(mean).dims().iter().copied()).then_some(start..end)
}

fn behind_reshapes(graph: &Graph, uses: &Uses, value: ValueId) -> ValueId {
    let mut value = value;
    while let Some(Op::Reshape(op)) = producer_op(graph, uses, value) {
        value = op.input;
    }
    value
}

fn replace(graph: &mut Graph, uses: &Uses, id: NodeId, found: &Found) -> Result<()> {
    let Found { x, ref axes, epsilon } = *found;
    let (rank, activation) = (graph.shape(x).rank(), Activation::IDENTITY);
    let norm = |input, axis, groups| {
        Op::Normalize(Normalize { input, axis, groups, scale: None, shift: None, epsilon, activation })
    };
    if axes.end == rank {
        set_op(graph, id, norm(x, axes.start, 1));
        return Ok(());
    }
    if axes.start == 1 && axes.end + 1 == rank {
        let channels = graph.shape(x).dims().last().copied().unwrap_or(1);
        set_op(graph, id, norm(x, 1, channels));
        return Ok(());
    }
    let name = graph.node(id).map_or_else(Default::default, |node| node.name.clone());
    let (input, perm) = match producer_op(graph, uses, x) {
        Some(Op::Transpose(op))
            if axes.clone().zip(rank - axes.len()..).all(|(axis, last)| op.perm[axis] == last) =>
        {
            (op.input, op.perm.clone())
        }
        _ => {
            let perm: Vec<usize> =
                (0..rank).filter(|axis| !axes.contains(axis)).chain(axes.clone()).collect();
            let back =
                (0..rank).map(|axis| perm.iter().position(|own| *own == axis).unwrap_or(axis)).collect();
            (graph.add_node(format!("{name}.turned"), Op::Transpose(Transpose { input: x, perm }))?, back)
        }
    };
    let normal = graph.add_node(format!("{name}.normal"), norm(input, rank - axes.len(), 1))?;
    set_op(graph, id, Op::Transpose(Transpose { input: normal, perm }));
    Ok(())
}
