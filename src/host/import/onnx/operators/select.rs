//! Operators that take parts of tensors, or put tensors together.

use crate::device::kernel::params::Beyond;
use crate::host::Result;

use super::super::context::Context;
use super::super::model::Node;
use super::{Operand, Operator, axes_of, axis_of, count, invalid, unsupported};

pub(super) const OPERATORS: &[Operator] = &[
    Operator::new("Concat", concat),
    Operator::new("Slice", slice),
    Operator::new("Split", split),
    Operator::new("Pad", pad).checked(|node| beyond(node).map(drop)),
    Operator::new("Tile", tile),
];

fn concat(cx: &mut Context<'_, '_>) -> Result<Vec<Operand>> {
    let parts = cx.operands()?;
    let rank = parts.first().map_or(0, |part| cx.dims(part).len());
    let axis = axis_of(cx.node.int("axis", 1)?, rank)?;
    Ok(vec![cx.concat(&parts, axis)?])
}

/// Start, end and step of axes as Python has them; operands since 10, attributes before.
fn slice(cx: &mut Context<'_, '_>) -> Result<Vec<Operand>> {
    let x = cx.operand(0)?;
    let dims = cx.dims(&x);
    let missing = || invalid("starts or ends are missing");
    let starts = cx.integers_since(10, 1, "starts")?.ok_or_else(missing)?;
    let ends = cx.integers_since(10, 2, "ends")?.ok_or_else(missing)?;
    let axes = match cx.integers_since(10, 3, "axes")? {
        Some(axes) => axes_of(&axes, dims.len())?,
        None => (0..starts.len().min(dims.len())).collect(),
    };
    let steps = match cx.node.opset {
        ..10 => None,
        _ => cx.integers(4)?,
    };
    let steps = steps.unwrap_or_else(|| vec![1; axes.len()]);
    if [starts.len(), ends.len(), steps.len()] != [axes.len(); 3] {
        return Err(invalid("starts, ends, axes and steps have not the same length"));
    }
    let (mut first, mut len, mut step) = (vec![0; dims.len()], dims.clone(), vec![1; dims.len()]);
    for (k, &axis) in axes.iter().enumerate() {
        (first[axis], len[axis], step[axis]) = range(starts[k], ends[k], steps[k], dims[axis])?;
    }
    if len.contains(&0) && matches!(x, Operand::Value(_)) {
        return Err(unsupported(format!("an empty part of {dims:?}")));
    }
    Ok(vec![cx.slice(&x, &first, &len, &step)?])
}

/// First index, length and step of `start..end` by `step` on an axis of this length: negative numbers count from the end, and
/// both are clamped to the axis.
fn range(start: i64, end: i64, step: i64, dim: u32) -> Result<(u32, u32, i32)> {
    let len = i64::from(dim);
    // A step beyond the axis takes one element, whatever its size.
    let step = step.clamp(-len.max(1), len.max(1));
    let from_front = |i: i64| if i < 0 { i.saturating_add(len) } else { i };
    let (start, end) = (from_front(start), from_front(end));
    let (start, distance) = match step {
        1.. => {
            let start = start.clamp(0, len);
            (start, end.clamp(0, len) - start)
        }
        ..=-1 => {
            let start = start.clamp(0, (len - 1).max(0));
            (start, start - end.clamp(-1, len - 1))
        }
        0 => return Err(invalid("a step is 0")),
    };
    let taken = (u64::try_from(distance).unwrap_or(0)).div_ceil(step.unsigned_abs());
    let taken = u32::try_from(taken).map_err(|_| invalid(format!("{taken} elements")))?;
    let first = if taken == 0 { 0 } else { count(start, "a start")? };
    let step = i32::try_from(step).map_err(|_| unsupported(format!("a step of {step}")))?;
    Ok((first, taken, step))
}

/// Parts of given lengths (an operand since 13), of equal lengths, or as many as there are results (the last one shorter).
fn split(cx: &mut Context<'_, '_>) -> Result<Vec<Operand>> {
    let x = cx.operand(0)?;
    let dims = cx.dims(&x);
    let axis = axis_of(cx.node.int("axis", 0)?, dims.len())?;
    let results = cx.node.outputs().len();
    let lens: Vec<u32> = match cx.integers_since(13, 1, "split")? {
        Some(lens) => lens.into_iter().map(|len| count(len, "a part")).collect::<Result<_>>()?,
        None => equal_parts(dims[axis], results)?,
    };
    if lens.len() != results {
        return Err(invalid(format!("axis {axis} of {dims:?} does not split into {results} parts {lens:?}")));
    }
    parts(cx, &x, axis, &lens)
}

/// The parts of these lengths along an axis, which they fill.
pub(super) fn parts(
    cx: &mut Context<'_, '_>,
    x: &Operand,
    axis: usize,
    lens: &[u32],
) -> Result<Vec<Operand>> {
    let dims = cx.dims(x);
    let total: u64 = lens.iter().copied().map(u64::from).sum();
    if total != u64::from(dims[axis]) {
        return Err(invalid(format!("axis {axis} of {dims:?} does not split into parts {lens:?}")));
    }
    let mut parts = Vec::new();
    let (mut first, mut len, step) = (vec![0; dims.len()], dims.clone(), vec![1; dims.len()]);
    for (i, &part) in lens.iter().enumerate() {
        len[axis] = part;
        if part == 0 && matches!(x, Operand::Value(_)) {
            return Err(unsupported(format!("part {i} is empty")));
        }
        parts.push(cx.slice(x, &first, &len, &step)?);
        first[axis] += part;
    }
    Ok(parts)
}

fn equal_parts(len: u32, parts: usize) -> Result<Vec<u32>> {
    let parts = u32::try_from(parts).map_err(|_| invalid("too many parts"))?;
    let part = len.div_ceil(parts.max(1));
    Ok((0..parts).map(|k| len.saturating_sub(k.saturating_mul(part)).min(part)).collect())
}

/// What lies beyond an axis.
fn beyond(node: &Node<'_>) -> Result<Beyond> {
    match node.text("mode", "constant")? {
        "constant" => Ok(Beyond::Fill),
        "edge" => Ok(Beyond::Edge),
        "reflect" => Ok(Beyond::Reflect),
        "wrap" => Ok(Beyond::Wrap),
        mode => Err(unsupported(format!("mode is '{mode}'")).remedy("pad with a mode that ONNX has")),
    }
}

/// Padding; negative numbers cut off. Pads and value are operands since 11, axes since 18.
fn pad(cx: &mut Context<'_, '_>) -> Result<Vec<Operand>> {
    let x = cx.operand(0)?;
    let dims = cx.dims(&x);
    let rank = dims.len();
    let pads = cx.integers_since(11, 1, "pads")?.ok_or_else(|| invalid("the pads are missing"))?;
    let value = match cx.node.opset {
        ..11 => cx.node.float("value", 0.0)?,
        _ => cx.floats(2)?.and_then(|value| value.first().copied()).unwrap_or(0.0),
    };
    let axes = match cx.integers(3)? {
        Some(axes) => axes_of(&axes, rank)?,
        None => (0..rank).collect(),
    };
    if pads.len() != 2 * axes.len() {
        return Err(invalid(format!("{} pads for {} axes", pads.len(), axes.len())));
    }
    let (mut before, mut after) = (vec![0; rank], vec![0; rank]);
    let (mut start, mut len) = (vec![0; rank], dims.clone());
    for (k, &axis) in axes.iter().enumerate() {
        let (front, back) = (pads[k], pads[k + axes.len()]);
        before[axis] = count(front.max(0), "a pad")?;
        after[axis] = count(back.max(0), "a pad")?;
        start[axis] = count(front.min(0).saturating_neg(), "a pad")?;
        let cut = i64::from(start[axis]).saturating_add(back.min(0).saturating_neg());
        len[axis] = u32::try_from(i64::from(dims[axis]) - cut.min(i64::from(u32::MAX)))
            .ok()
            .filter(|len| *len > 0)
            .ok_or_else(|| unsupported(format!("axis {axis} of {dims:?} is cut off as a whole")))?;
    }
    let part = cx.slice(&x, &start, &len, &vec![1; rank])?;
    let beyond = beyond(cx.node)?;
    Ok(vec![cx.pad(&part, &before, &after, beyond, value)?])
}

/// The tensor side by side with itself, as often as the operand says for each axis.
fn tile(cx: &mut Context<'_, '_>) -> Result<Vec<Operand>> {
    let x = cx.operand(0)?;
    let dims = cx.dims(&x);
    let repeats = cx.integers(1)?.ok_or_else(|| invalid("the repeats are missing"))?;
    if repeats.len() != dims.len() {
        return Err(invalid(format!("{} repeats for {dims:?}", repeats.len())));
    }
    let mut after = Vec::new();
    for (&dim, repeats) in dims.iter().zip(repeats) {
        let repeats = count(repeats, "a repeat")?;
        let Some(more) = repeats.checked_sub(1) else {
            return Err(unsupported(format!("an axis of {dims:?} repeated 0 times, which leaves nothing")));
        };
        let added = more.checked_mul(dim);
        after.push(added.ok_or_else(|| invalid(format!("{repeats} times {dim} elements")))?);
    }
    Ok(vec![cx.pad(&x, &vec![0; dims.len()], &after, Beyond::Wrap, 0.0)?])
}
