//! Functions of two or more elements, with broadcast.

use crate::device::kernel::params::BinaryKind;
use crate::device::tensor::{Activation, ActivationKind};
use crate::host::Result;
use crate::host::graph::{Binary, Constant, Op, Unary};

use super::super::Tensor;
use super::super::context::Context;
use super::super::fold;
use super::super::number::float;
use super::{Operand, Operator, axis_of, invalid};

pub(super) const OPERATORS: &[Operator] = &[
    Operator::new("Add", |cx| binary(cx, BinaryKind::Add)),
    Operator::new("Sub", |cx| binary(cx, BinaryKind::Sub)),
    Operator::new("Mul", |cx| binary(cx, BinaryKind::Mul)),
    Operator::new("Div", |cx| binary(cx, BinaryKind::Div)),
    Operator::new("Pow", pow),
    Operator::new("PRelu", |cx| binary(cx, BinaryKind::Prelu)),
    Operator::new("Min", |cx| variadic(cx, BinaryKind::Min)),
    Operator::new("Max", |cx| variadic(cx, BinaryKind::Max)),
    Operator::new("Sum", |cx| variadic(cx, BinaryKind::Add)),
    Operator::new("Mean", mean),
];

fn binary(cx: &mut Context<'_, '_>, kind: BinaryKind) -> Result<Vec<Operand>> {
    let (a, b) = (cx.operand(0)?, cx.operand(1)?);
    let b = aligned(cx, kind, &a, b)?;
    Ok(vec![apply(cx, kind, &a, &b)?])
}

/// The second operand as broadcast wants it. Before operator set 7 it was aligned at an axis of the first (the channels, for
/// the slopes of `PRelu`), not at the last one.
pub(super) fn aligned(
    cx: &mut Context<'_, '_>,
    kind: BinaryKind,
    a: &Operand,
    b: Operand,
) -> Result<Operand> {
    let (own, rank) = (cx.dims(&b), cx.dims(a).len());
    if cx.node.opset >= 7 || own.len() >= rank || own.iter().all(|dim| *dim == 1) {
        return Ok(b);
    }
    let axis = match kind {
        BinaryKind::Prelu => 1,
        _ if cx.node.has("axis") => axis_of(cx.node.int("axis", 0)?, rank)?,
        _ => return Ok(b),
    };
    let mut dims = vec![1; rank];
    let Some(place) = dims.get_mut(axis..axis + own.len()) else {
        return Err(invalid(format!("{own:?} does not fit at axis {axis} of {rank}")));
    };
    place.copy_from_slice(&own);
    cx.reshape(&b, &dims)
}

/// One operand after another, from the left.
fn variadic(cx: &mut Context<'_, '_>, kind: BinaryKind) -> Result<Vec<Operand>> {
    let mut operands = cx.operands()?.into_iter();
    let mut result = operands.next().ok_or_else(|| invalid("it has no operand"))?;
    for operand in operands {
        result = apply(cx, kind, &result, &operand)?;
    }
    Ok(vec![result])
}

fn mean(cx: &mut Context<'_, '_>) -> Result<Vec<Operand>> {
    let count = i64::try_from(cx.node.inputs().len()).unwrap_or(i64::MAX);
    let sum = variadic(cx, BinaryKind::Add)?;
    let factor = Operand::Constant(Tensor::new([], Constant::f32([float(count).recip()]))?);
    sum.iter().map(|sum| apply(cx, BinaryKind::Mul, sum, &factor)).collect()
}

/// A power; of one exponent for all where that is constant.
fn pow(cx: &mut Context<'_, '_>) -> Result<Vec<Operand>> {
    let (base, exponent) = (cx.operand(0)?, cx.operand(1)?);
    let (Operand::Value(_), Operand::Constant(tensor)) = (&base, &exponent) else {
        return Ok(vec![apply(cx, BinaryKind::Pow, &base, &exponent)?]);
    };
    // The exponent's type may differ from the base's.
    let adds_axes = tensor.dims().len() > cx.dims(&base).len();
    let number = match tensor.data() {
        _ if adds_axes => None,
        Constant::F32(data) => {
            if let [number] = **data {
                Some(number)
            } else {
                None
            }
        }
        Constant::I64(data) => {
            if let [number] = **data {
                Some(float(number))
            } else {
                None
            }
        }
    };
    match number {
        Some(number) => Ok(vec![power(cx, &base, number)?]),
        None => Ok(vec![apply(cx, BinaryKind::Pow, &base, &exponent)?]),
    }
}

/// `base^exponent`. Squares and cubes are products, square roots and reciprocals functions of their own: quicker, and defined for
/// all that they should be.
pub(super) fn power(cx: &mut Context<'_, '_>, base: &Operand, exponent: f32) -> Result<Operand> {
    if exponent == 1.0 {
        return Ok(base.clone());
    }
    if exponent == 2.0 {
        return apply(cx, BinaryKind::Mul, base, base);
    }
    if exponent == 3.0 {
        let square = apply(cx, BinaryKind::Mul, base, base)?;
        return apply(cx, BinaryKind::Mul, &square, base);
    }
    if exponent == 0.5 {
        return evaluated(cx, base, Activation::plain(ActivationKind::Sqrt));
    }
    if exponent == -1.0 {
        return evaluated(cx, base, Activation::plain(ActivationKind::Reciprocal));
    }
    let exponent = Operand::Constant(Tensor::new([], Constant::f32([exponent]))?);
    apply(cx, BinaryKind::Pow, base, &exponent)
}

/// A function of each element: of a constant now, if it is exact, else as a node.
pub(super) fn evaluated(
    cx: &mut Context<'_, '_>,
    operand: &Operand,
    activation: Activation,
) -> Result<Operand> {
    if let (Operand::Constant(tensor), Some(kind)) = (operand, activation.kind()) {
        cx.charge(tensor.dims())?;
        if let Some(folded) = fold::function(tensor, kind)? {
            return Ok(Operand::Constant(folded));
        }
    }
    let input = cx.value(operand)?;
    cx.emit(Op::Unary(Unary { input, activation })).map(Operand::Value)
}

/// `f(a, b)` with broadcast: a constant of two constants, else a node.
pub(super) fn apply(cx: &mut Context<'_, '_>, kind: BinaryKind, a: &Operand, b: &Operand) -> Result<Operand> {
    let dims = fold::broadcast(&cx.dims(a), &cx.dims(b))?;
    if let (Operand::Constant(a), Operand::Constant(b)) = (a, b) {
        // The result, and both operands expanded.
        for _ in 0..3 {
            cx.charge(&dims)?;
        }
        return fold::binary(kind, a, b).map(Operand::Constant);
    }
    let (a, b) = (lifted(cx, a, dims.len())?, lifted(cx, b, dims.len())?);
    let (a, b) = (cx.value(&a)?, cx.value(&b)?);
    let op = Binary { a, b, kind, activation: Activation::IDENTITY };
    cx.emit(Op::Binary(op)).map(Operand::Value)
}

/// The operand with ones in front, until it has this rank: in the model's order that is what broadcast means.
pub(super) fn lifted(cx: &mut Context<'_, '_>, operand: &Operand, rank: usize) -> Result<Operand> {
    let mut dims = cx.dims(operand);
    while dims.len() < rank {
        dims.insert(0, 1);
    }
    cx.reshape(operand, &dims)
}
