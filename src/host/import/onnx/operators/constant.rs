//! Constants, and operators that are supported on constants only: what exporters write to compute shapes and grids.

use crate::device::kernel::params::{Beyond, BinaryKind};
use crate::host::Result;
use crate::host::graph::Constant;

use super::super::Tensor;
use super::super::context::Context;
use super::super::fold;
use super::super::model::Node;
use super::super::number::{size, wide};
use super::elementwise::apply;
use super::logic::negated;
use super::{Operand, Operator, count, invalid, unsupported};

pub(super) const OPERATORS: &[Operator] = &[
    Operator::new("Constant", constant).checked(check_constant),
    Operator::new("ConstantOfShape", constant_of_shape),
    Operator::new("Range", range),
    Operator::new("Expand", expand),
    Operator::new("Where", choose),
];

const VALUES: [&str; 5] = ["value", "value_float", "value_floats", "value_int", "value_ints"];

fn check_constant(node: &Node<'_>) -> Result<()> {
    if VALUES.iter().any(|name| node.has(name)) {
        return Ok(());
    }
    Err(unsupported("its value is sparse or text"))
}

fn constant(cx: &mut Context<'_, '_>) -> Result<Vec<Operand>> {
    let node = cx.node;
    let len = |len: usize| u32::try_from(len).map_err(|_| invalid("too many elements"));
    let tensor = if let Some(proto) = node.tensor("value")? {
        cx.decode(proto)?
    } else if let Some(floats) = node.floats("value_floats")? {
        Tensor::new([len(floats.len())?], Constant::f32(floats))?
    } else if let Some(integers) = node.ints("value_ints")? {
        Tensor::vector(integers.into())?
    } else if node.has("value_int") {
        Tensor::new([], Constant::i64([node.int("value_int", 0)?]))?
    } else {
        Tensor::new([], Constant::f32([node.float("value_float", 0.0)?]))?
    };
    Ok(vec![Operand::Constant(tensor)])
}

/// The dimensions in operand `i`.
fn dimensions(cx: &Context<'_, '_>, i: usize) -> Result<Vec<u32>> {
    let dims = cx.integers(i)?.ok_or_else(|| invalid("the shape is missing"))?;
    dims.into_iter().map(|dim| count(dim, "a dimension")).collect()
}

fn constant_of_shape(cx: &mut Context<'_, '_>) -> Result<Vec<Operand>> {
    let dims = dimensions(cx, 0)?;
    let element = match cx.node.tensor("value")? {
        Some(proto) => cx.decode(proto)?.reshaped(&[])?,
        None => Tensor::new([], Constant::f32([0.0]))?,
    };
    cx.charge(&dims)?;
    Ok(vec![Operand::Constant(element.expanded(&dims)?)])
}

fn range(cx: &mut Context<'_, '_>) -> Result<Vec<Operand>> {
    let limits = [cx.constant(0)?, cx.constant(1)?, cx.constant(2)?];
    let integers =
        limits.each_ref().map(|limit| limit.data().as_i64().and_then(|data| data.first().copied()));
    let [Some(start), Some(end), Some(step)] = integers else { return Err(unsupported("a range of floats")) };
    if step == 0 {
        return Err(invalid("its step is 0"));
    }
    let len = size((wide(end.saturating_sub(start)) / wide(step)).ceil());
    cx.charge(&[len])?;
    let elements: Option<Vec<i64>> =
        (0..i64::from(len)).map(|k| k.checked_mul(step)?.checked_add(start)).collect();
    let elements = elements.ok_or_else(|| invalid("the range overflows"))?;
    Ok(vec![Operand::Constant(Tensor::vector(elements)?)])
}

/// Two-way broadcast to a shape: new axes in front, and axes of length 1 repeated.
fn expand(cx: &mut Context<'_, '_>) -> Result<Vec<Operand>> {
    let wanted = dimensions(cx, 1)?;
    let x = cx.operand(0)?;
    let own = cx.dims(&x);
    let dims = fold::broadcast(&own, &wanted)?;
    if let Operand::Constant(tensor) = &x {
        cx.charge(&dims)?;
        return Ok(vec![Operand::Constant(tensor.expanded(&dims)?)]);
    }
    if dims.contains(&0) {
        return Err(unsupported(format!("an empty result {dims:?}")));
    }
    let mut aligned = vec![1; dims.len() - own.len()];
    aligned.extend(&own);
    let after: Vec<u32> = dims.iter().zip(&aligned).map(|(wanted, own)| wanted - own).collect();
    let x = cx.reshape(&x, &aligned)?;
    Ok(vec![cx.pad(&x, &vec![0; dims.len()], &after, Beyond::Edge, 0.0)?])
}

/// `condition ? a : b` for a constant condition. Activations are chosen by a mask of ones and zeros: `keep(a, mask) +
/// keep(b, 1 − mask)`, where an infinite or NaN element that is not chosen leaves nothing (a product would make it NaN).
fn choose(cx: &mut Context<'_, '_>) -> Result<Vec<Operand>> {
    let (condition, a, b) = (cx.maskable(0)?, cx.operand(1)?, cx.operand(2)?);
    let condition = match condition {
        Operand::Constant(condition) => condition,
        Operand::Mask(mask) => return Ok(vec![chosen_by_mask(cx, &Operand::Value(mask), &a, &b)?]),
        Operand::Value(_) => return Err(invalid("the condition must be booleans")),
    };
    if let (Operand::Constant(a), Operand::Constant(b)) = (&a, &b) {
        return Ok(vec![Operand::Constant(chosen(cx, &condition, a, b)?)]);
    }
    let chosen_a = masked(cx, &condition, &a, true)?;
    let chosen_b = masked(cx, &condition, &b, false)?;
    Ok(vec![match (chosen_a, chosen_b) {
        (Some(a), Some(b)) => apply(cx, BinaryKind::Add, &a, &b)?,
        (a, b) => a.or(b).ok_or_else(|| invalid("there is nothing to choose from"))?,
    }])
}

/// The same for a condition that depends on the input.
fn chosen_by_mask(cx: &mut Context<'_, '_>, mask: &Operand, a: &Operand, b: &Operand) -> Result<Operand> {
    let rank = cx.dims(mask).len();
    for operand in [a, b] {
        if matches!(operand, Operand::Constant(tensor) if tensor.data().floats().is_none()) {
            return Err(unsupported("a choice of integers that depends on the input"));
        }
    }
    // One zero for all adds nothing, and no dimension.
    let is_nothing = |operand: &Operand| match operand {
        Operand::Constant(tensor) => {
            tensor.dims().len() <= rank
                && tensor.data().len() == 1
                && matches!(tensor.data().as_f32(), Some([zero]) if *zero == 0.0)
        }
        Operand::Value(_) | Operand::Mask(_) => false,
    };
    if is_nothing(b) {
        return apply(cx, BinaryKind::Keep, a, mask);
    }
    let others = negated(cx, mask)?;
    let kept = apply(cx, BinaryKind::Keep, b, &others)?;
    if is_nothing(a) {
        return Ok(kept);
    }
    let chosen = apply(cx, BinaryKind::Keep, a, mask)?;
    apply(cx, BinaryKind::Add, &chosen, &kept)
}

/// The operand where the condition says so, and 0 elsewhere; `None` if that is 0 everywhere and has no more elements than the
/// other choice.
fn masked(
    cx: &mut Context<'_, '_>,
    condition: &Tensor,
    operand: &Operand,
    where_true: bool,
) -> Result<Option<Operand>> {
    let number = |x: f32| Tensor::new([], Constant::f32([x]));
    let own = if let Operand::Constant(tensor) = operand { tensor.clone() } else { number(1.0)? };
    let (a, b) = if where_true { (own, number(0.0)?) } else { (number(0.0)?, own) };
    let mask = chosen(cx, condition, &a, &b)?;
    match operand {
        Operand::Value(_) | Operand::Mask(_) => {
            apply(cx, BinaryKind::Keep, operand, &Operand::Constant(mask)).map(Some)
        }
        Operand::Constant(tensor) => {
            let is_zero = tensor.dims().is_empty()
                && mask.data().as_f32().is_some_and(|data| data.iter().all(|x| *x == 0.0));
            Ok((!is_zero).then_some(Operand::Constant(mask)))
        }
    }
}

fn chosen(cx: &mut Context<'_, '_>, condition: &Tensor, a: &Tensor, b: &Tensor) -> Result<Tensor> {
    let dims = fold::broadcast(&fold::broadcast(condition.dims(), a.dims())?, b.dims())?;
    for _ in 0..4 {
        cx.charge(&dims)?;
    }
    fold::choose(condition, a, b)
}
