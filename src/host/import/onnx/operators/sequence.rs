//! Sequences of tensors, as exporters write `split` and `chunk`: `SplitToSequence` (since 11, 24), `SequenceConstruct`,
//! `SequenceAt`, `ConcatFromSequence`, `SequenceLength` (all since 11). A sequence exists during import only.

use crate::host::Result;
use crate::host::graph::Constant;

use super::super::Tensor;
use super::super::context::Context;
use super::select::parts;
use super::{Operand, Operator, axis_of, count, invalid, unsupported};

pub(super) const OPERATORS: &[Operator] = &[
    Operator::new("SplitToSequence", split),
    Operator::new("SequenceConstruct", construct),
    Operator::new("SequenceAt", at),
    Operator::new("ConcatFromSequence", concat),
    Operator::new("SequenceLength", length),
];

/// More parts than any network takes one by one; each becomes a node.
const MAX_PARTS: usize = 4096;

/// Parts of given lengths, or of one length (the last may be shorter). Without lengths each is 1, and `keepdims` says whether the
/// axis stays.
fn split(cx: &mut Context<'_, '_>) -> Result<Vec<Operand>> {
    let x = cx.operand(0)?;
    let dims = cx.dims(&x);
    let axis = axis_of(cx.node.int("axis", 0)?, dims.len())?;
    let given = cx.optional_constant(1)?;
    let keeps = given.is_some() || cx.node.flag("keepdims", true)?;
    let lens = match &given {
        None => equal(dims[axis], 1)?,
        Some(lens) => {
            let list = lens.data().as_i64().ok_or_else(|| invalid("the lengths are no integers"))?;
            let list: Vec<u32> = list.iter().map(|len| count(*len, "a part")).collect::<Result<_>>()?;
            if lens.dims().is_empty() { equal(dims[axis], list[0])? } else { list }
        }
    };
    let mut parts = parts(cx, &x, axis, &lens)?;
    if !keeps {
        let rest = [&dims[..axis], &dims[axis + 1..]].concat();
        parts = parts.iter().map(|part| cx.reshape(part, &rest)).collect::<Result<_>>()?;
    }
    cx.add_sequence(parts);
    Ok(Vec::new())
}

/// Parts of this length, the last one shorter.
fn equal(whole: u32, part: u32) -> Result<Vec<u32>> {
    let parts = whole.checked_div_euclid(part).ok_or_else(|| invalid("parts of length 0"))?;
    if usize::try_from(parts).map_or(true, |parts| parts >= MAX_PARTS) {
        return Err(unsupported(format!("{parts} parts; at most {MAX_PARTS}")));
    }
    Ok((0..whole.div_ceil(part)).map(|k| part.min(whole - k * part)).collect())
}

fn construct(cx: &mut Context<'_, '_>) -> Result<Vec<Operand>> {
    let parts = cx.operands()?;
    cx.add_sequence(parts);
    Ok(Vec::new())
}

fn at(cx: &mut Context<'_, '_>) -> Result<Vec<Operand>> {
    let parts = cx.sequence(0)?;
    let place = cx.integers(1)?.and_then(|place| place.first().copied());
    let place = place.ok_or_else(|| invalid("the place is missing"))?;
    let found = axis_of(place, parts.len());
    let place =
        found.map_err(|_| invalid(format!("place {place} of a sequence of {} tensors", parts.len())))?;
    Ok(vec![parts[place].clone()])
}

/// The parts along an axis, or (`new_axis`) along a new one.
fn concat(cx: &mut Context<'_, '_>) -> Result<Vec<Operand>> {
    let mut parts = cx.sequence(0)?;
    let new_axis = cx.node.flag("new_axis", false)?;
    let Some(first) = parts.first() else { return Err(unsupported("the sequence is empty")) };
    let dims = cx.dims(first);
    let axis = axis_of(cx.node.int("axis", 0)?, dims.len() + usize::from(new_axis))?;
    if new_axis {
        let wider = [&dims[..axis], &[1], &dims[axis..]].concat();
        parts = parts.iter().map(|part| cx.reshape(part, &wider)).collect::<Result<_>>()?;
    }
    Ok(vec![cx.concat(&parts, axis)?])
}

fn length(cx: &mut Context<'_, '_>) -> Result<Vec<Operand>> {
    let len = i64::try_from(cx.sequence(0)?.len()).unwrap_or(i64::MAX);
    Ok(vec![Operand::Constant(Tensor::new([], Constant::i64([len]))?)])
}
