//! Operators that map elements to elements: shapes stay or broadcast.

use alloc::format;
use alloc::vec::Vec;

use crate::device::tensor::{MAX_RANK, Shape};
use crate::host::Result;

use super::super::{Affine, BatchNorm, Binary, Graph, Normalize, Softmax, Unary, ValueId};
use super::{check_activation, check_shape, floats, invalid, shape_of};

pub(super) fn batch_norm(graph: &Graph, op: &BatchNorm) -> Result<Shape> {
    let BatchNorm { scale, bias, mean, variance, epsilon, .. } = *op;
    let statistics =
        [(scale, "the scale"), (bias, "the bias"), (mean, "the mean"), (variance, "the variance")];
    let shape = per_channel(graph, op.input, &statistics)?;
    check_epsilon(epsilon)?;
    Ok(shape)
}

pub(super) fn affine(graph: &Graph, op: &Affine) -> Result<Shape> {
    check_activation(&op.activation)?;
    per_channel(graph, op.input, &[(op.scale, "the scale"), (op.shift, "the shift")])
}

pub(super) fn binary(graph: &Graph, op: &Binary) -> Result<Shape> {
    check_activation(&op.activation)?;
    let (a, b) = (floats(graph, op.a)?, floats(graph, op.b)?);
    broadcast(a, b).ok_or_else(|| invalid(format!("{a} and {b} do not broadcast")))
}

pub(super) fn unary(graph: &Graph, op: &Unary) -> Result<Shape> {
    check_activation(&op.activation)?;
    floats(graph, op.input)
}

pub(super) fn softmax(graph: &Graph, op: &Softmax) -> Result<Shape> {
    let shape = floats(graph, op.input)?;
    if op.axis < shape.rank() {
        return Ok(shape);
    }
    Err(invalid(format!("{shape} has no axis {}", op.axis)))
}

pub(super) fn normalize(graph: &Graph, op: &Normalize) -> Result<Shape> {
    check_activation(&op.activation)?;
    check_epsilon(op.epsilon)?;
    let vectors = [(op.scale, "the scale"), (op.shift, "the shift")];
    let vectors: Vec<(ValueId, &str)> =
        vectors.into_iter().filter_map(|(value, role)| Some((value?, role))).collect();
    let shape = per_channel(graph, op.input, &vectors)?;
    if op.axis >= shape.rank() {
        return Err(invalid(format!("{shape} has no axis {}", op.axis)));
    }
    let channels = shape.dims().last().copied().unwrap_or(0);
    if op.groups == 0 || !channels.is_multiple_of(op.groups) {
        return Err(invalid(format!("{} groups do not divide {channels} channels", op.groups)));
    }
    Ok(shape)
}

fn check_epsilon(epsilon: f32) -> Result<()> {
    let is_sound = epsilon.is_finite() && epsilon >= 0.0;
    if is_sound { Ok(()) } else { Err(invalid(format!("epsilon is {epsilon}"))) }
}

/// The shape of `input`, whose last axis each of `vectors` must match.
fn per_channel(graph: &Graph, input: ValueId, vectors: &[(ValueId, &str)]) -> Result<Shape> {
    let shape = floats(graph, input)?;
    let Some(&channels) = shape.dims().last() else { return Err(invalid("a scalar has no channels")) };
    for &(vector, role) in vectors {
        check_shape(graph, vector, role, Shape::vector(channels))?;
    }
    Ok(shape)
}

/// The shape of an element-wise function of `a` and `b`: dimensions aligned at the last axis, each pair equal or one of it 1.
fn broadcast(a: Shape, b: Shape) -> Option<Shape> {
    let rank = a.rank().max(b.rank());
    let mut dims = [1; MAX_RANK];
    for (axis, dim) in dims.iter_mut().enumerate().take(rank) {
        *dim = match (aligned(&a, axis, rank), aligned(&b, axis, rank)) {
            (x, y) if x == y => x,
            (x, 1) => x,
            (1, y) => y,
            _ => return None,
        };
    }
    shape_of(&dims[..rank]).ok()
}

/// The dimension of `shape` at `axis` of `rank`, if ones are put in front of it.
fn aligned(shape: &Shape, axis: usize, rank: usize) -> u32 {
    (axis + shape.rank()).checked_sub(rank).and_then(|axis| shape.dims().get(axis).copied()).unwrap_or(1)
}
