//! Operators that move elements and compute none.

use alloc::format;
use alloc::vec::Vec;

use crate::device::tensor::Shape;
use crate::host::{Error, Result};

use super::super::{Concat, Graph, Pad, Reshape, Slice, Transpose};
use super::{floats, invalid, shape_of};

pub(super) fn concat(graph: &Graph, op: &Concat) -> Result<Shape> {
    let Some((&first, rest)) = op.inputs.split_first() else { return Err(invalid("it has no operand")) };
    let head = graph.value(first);
    let mut dims = head.shape.dims().to_vec();
    if op.axis >= dims.len() {
        return Err(invalid(format!("{} has no axis {}", head.shape, op.axis)));
    }
    for &part in rest {
        let part = graph.value(part);
        let mut expected = head.shape.dims().to_vec();
        let len = part.shape.dims().get(op.axis).copied().unwrap_or(0);
        expected[op.axis] = len;
        if part.dtype != head.dtype || part.shape.dims() != expected {
            return Err(invalid(format!(
                "'{}' ({} {}) does not continue '{}' ({} {}) along axis {}",
                part.name,
                part.dtype.name(),
                part.shape,
                head.name,
                head.dtype.name(),
                head.shape,
                op.axis
            )));
        }
        dims[op.axis] = dims[op.axis]
            .checked_add(len)
            .ok_or_else(|| invalid(format!("axis {} would not fit 32 bits", op.axis)))?;
    }
    shape_of(&dims)
}

pub(super) fn reshape(graph: &Graph, op: &Reshape) -> Result<Shape> {
    let input = graph.value(op.input).shape;
    if op.shape.checked_len() == input.checked_len() {
        return Ok(op.shape);
    }
    Err(invalid(format!("{input} and {} have not the same number of elements", op.shape)))
}

pub(super) fn transpose(graph: &Graph, op: &Transpose) -> Result<Shape> {
    let input = graph.value(op.input).shape;
    let mut axes = op.perm.clone();
    axes.sort_unstable();
    if !axes.iter().copied().eq(0..input.rank()) {
        return Err(invalid(format!("{:?} is no order of the axes of {input}", op.perm)));
    }
    let dims: Vec<u32> = op.perm.iter().map(|&axis| input.dims()[axis]).collect();
    shape_of(&dims)
}

pub(super) fn slice(graph: &Graph, op: &Slice) -> Result<Shape> {
    let input = graph.value(op.input).shape;
    let rank = input.rank();
    if [op.start.len(), op.len.len(), op.step.len()] != [rank; 3] {
        return Err(rank_error(input));
    }
    for (axis, &dim) in input.dims().iter().enumerate() {
        let (start, len, step) = (op.start[axis], op.len[axis], op.step[axis]);
        let last = i64::from(start) + (i64::from(len) - 1) * i64::from(step);
        if len == 0 || step == 0 || start >= dim || !(0..i64::from(dim)).contains(&last) {
            let reason =
                format!("axis {axis}: {len} elements from {start} in steps of {step} leave 0..{dim}");
            return Err(invalid(reason));
        }
    }
    shape_of(&op.len)
}

pub(super) fn pad(graph: &Graph, op: &Pad) -> Result<Shape> {
    let input = floats(graph, op.input)?;
    if [op.before.len(), op.after.len()] != [input.rank(); 2] {
        return Err(rank_error(input));
    }
    let sums = input.dims().iter().zip(op.before.iter().zip(&op.after));
    let dims: Option<Vec<u32>> =
        sums.map(|(dim, (before, after))| dim.checked_add(*before)?.checked_add(*after)).collect();
    shape_of(&dims.ok_or_else(|| invalid("a padded axis would not fit 32 bits"))?)
}

fn rank_error(input: Shape) -> Error {
    invalid(format!("it does not describe the {} axes of {input}", input.rank()))
}
