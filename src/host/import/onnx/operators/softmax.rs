//! `Softmax` and `LogSoftmax` (since 1, 11, 13): along one axis since operator set 13; before, the tensor was a matrix whose
//! columns are all dimensions from the axis on.

use crate::host::Result;
use crate::host::graph::{Op, Softmax};

use super::super::context::Context;
use super::super::layout::storage_axis;
use super::{Operand, Operator, axis_of, invalid};

pub(super) const OPERATORS: &[Operator] =
    &[Operator::new("Softmax", |cx| softmax(cx, false)), Operator::new("LogSoftmax", |cx| softmax(cx, true))];

fn softmax(cx: &mut Context<'_, '_>, log: bool) -> Result<Vec<Operand>> {
    let x = cx.operand(0)?;
    let dims = cx.dims(&x);
    let flattens = cx.node.opset < 13;
    let axis = axis_of(cx.node.int("axis", if flattens { 1 } else { -1 })?, dims.len())?;
    let rest = &dims[axis + 1..];
    if !flattens || rest.iter().all(|dim| *dim == 1) {
        let input = cx.value(&x)?;
        let op = Softmax { input, axis: storage_axis(axis, dims.len()), log };
        return Ok(vec![Operand::Value(cx.emit(Op::Softmax(op))?)]);
    }
    let product = |dims: &[u32]| super::super::tensor::element_count(dims);
    let (Some(rows), Some(columns)) = (product(&dims[..axis]), product(&dims[axis..])) else {
        return Err(invalid(format!("{dims:?} has 2³² elements or more")));
    };
    let matrix = cx.reshape(&x, &[rows, columns])?;
    let input = cx.value(&matrix)?;
    let value = cx.emit(Op::Softmax(Softmax { input, axis: 1, log }))?;
    Ok(vec![cx.reshape(&Operand::Value(value), &dims)?])
}
