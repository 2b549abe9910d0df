//! Shape inference: the output of an operator from its operands, or the reason why there is none.
//!
//! One function an operator, by family: [`spatial`] slides windows over pictures, [`elementwise`] keeps or broadcasts shapes,
//! [`movement`] reorders elements. Output sizes come from the formulas of `device::tensor` alone, so that host and device
//! cannot disagree. Called by `Graph::add_node` and `Graph::validate`.

mod elementwise;
mod movement;
mod spatial;
#[cfg(test)]
mod tests;

use alloc::format;
use alloc::string::String;

use crate::device::tensor::{Activation, DType, Shape};
use crate::host::{Error, ErrorKind, Result};

use super::{Graph, Op, ValueId};

/// The element type and shape of what `op` makes.
///
/// Arithmetic takes `float32`; what only moves elements (concatenation, reshape, transposition, slice) takes any type.
///
/// # Errors
/// If an operand does not exist, or the operator cannot take its operands, or a tensor would have no element or 2³² or more.
pub fn infer(graph: &Graph, op: &Op) -> Result<(DType, Shape)> {
    for id in op.inputs() {
        check_operand(graph, id)?;
    }
    let shape = match op {
        Op::Conv(op) => spatial::conv(graph, op),
        Op::ConvTranspose(op) => spatial::conv_transpose(graph, op),
        Op::Dense(op) => spatial::dense(graph, op),
        Op::MatMul(op) => spatial::matmul(graph, op),
        Op::Pool(op) => spatial::pool(graph, op),
        Op::GlobalPool(op) => spatial::global_pool(graph, op),
        Op::Resize(op) => spatial::resize(graph, op),
        Op::Interpolate(op) => spatial::interpolate(graph, op),
        Op::BatchNorm(op) => elementwise::batch_norm(graph, op),
        Op::Affine(op) => elementwise::affine(graph, op),
        Op::Binary(op) => elementwise::binary(graph, op),
        Op::Unary(op) => elementwise::unary(graph, op),
        Op::Softmax(op) => elementwise::softmax(graph, op),
        Op::Normalize(op) => elementwise::normalize(graph, op),
        Op::Concat(op) => movement::concat(graph, op),
        Op::Reshape(op) => movement::reshape(graph, op),
        Op::Transpose(op) => movement::transpose(graph, op),
        Op::Slice(op) => movement::slice(graph, op),
        Op::Pad(op) => movement::pad(graph, op),
    }?;
    check_size(shape, || "its output".into())?;
    let dtype = op.inputs().first().map_or(DType::F32, |&input| graph.value(input).dtype);
    Ok((dtype, shape))
}

/// An operand must exist and hold a number of elements that can be counted.
fn check_operand(graph: &Graph, id: ValueId) -> Result<()> {
    if id.index() >= graph.values().len() {
        return Err(invalid(format!("operand {} is no value of this graph", id.index())));
    }
    let value = graph.value(id);
    check_size(value.shape, || format!("'{}'", value.name))
}

/// A tensor has at least one element and fewer than 2³².
fn check_size(shape: Shape, what: impl Fn() -> String) -> Result<()> {
    match shape.checked_len() {
        Some(0) => Err(invalid(format!("{} would be empty: {shape}", what()))),
        Some(_) => Ok(()),
        None => {
            let reason = format!("{} of {shape} has 2³² elements or more", what());
            Err(Error::new(ErrorKind::Limit, reason))
        }
    }
}

/// The shape of a `float32` operand.
fn floats(graph: &Graph, id: ValueId) -> Result<Shape> {
    let value = graph.value(id);
    if value.dtype == DType::F32 {
        return Ok(value.shape);
    }
    Err(invalid(format!("'{}' is {}, not float32", value.name, value.dtype.name())))
}

/// The dimensions of a `float32` operand of rank `N`.
fn ranked<const N: usize>(graph: &Graph, id: ValueId) -> Result<[u32; N]> {
    let shape = floats(graph, id)?;
    shape.dims().try_into().map_err(|_| {
        let name = &graph.value(id).name;
        invalid(format!("'{name}' has {} dimensions ({shape}), not {N}", shape.rank()))
    })
}

/// A `float32` operand must have just this shape.
fn check_shape(graph: &Graph, id: ValueId, role: &str, expected: Shape) -> Result<()> {
    let shape = floats(graph, id)?;
    if shape == expected {
        return Ok(());
    }
    Err(invalid(format!("{role} '{}' is {shape}, not {expected}", graph.value(id).name)))
}

/// An activation must be one that is known.
fn check_activation(activation: &Activation) -> Result<()> {
    match activation.kind() {
        Some(_) => Ok(()),
        None => Err(invalid(format!("activation number {} is unknown", activation.code))),
    }
}

/// A shape, if it has not too many dimensions.
fn shape_of(dims: &[u32]) -> Result<Shape> {
    Shape::new(dims).ok_or_else(|| invalid(format!("{} dimensions are too many", dims.len())))
}

fn invalid(reason: impl Into<String>) -> Error {
    Error::new(ErrorKind::Invalid, reason)
}
