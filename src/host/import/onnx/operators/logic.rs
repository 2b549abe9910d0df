//! Comparisons and logic, of constants and of activations; remainders, bits and trigonometry of constants alone, with which
//! exporters compute shapes, masks and grids.

use std::cmp::Ordering;

use crate::device::kernel::params::BinaryKind;
use crate::device::tensor::{Activation, ActivationKind};
use crate::host::Result;
use crate::host::graph::Constant;

use super::super::Tensor;
use super::super::context::Context;
use super::super::fold;
use super::super::number::{index, narrow};
use super::elementwise::{aligned, apply, evaluated};
use super::{Operand, Operator, invalid, unsupported};

pub(super) const OPERATORS: &[Operator] = &[
    Operator::new("Equal", |cx| compare(cx, Ordering::is_eq, equal)),
    Operator::new("Less", |cx| compare(cx, Ordering::is_lt, less)),
    Operator::new("LessOrEqual", |cx| compare(cx, Ordering::is_le, less_or_equal)),
    Operator::new("Greater", |cx| compare(cx, Ordering::is_gt, |cx, a, b| less(cx, b, a))),
    Operator::new("GreaterOrEqual", |cx| compare(cx, Ordering::is_ge, |cx, a, b| less_or_equal(cx, b, a))),
    Operator::new("And", |cx| logic(cx, |a, b| a && b, |cx, a, b| apply(cx, BinaryKind::Mul, a, b))),
    Operator::new("Or", |cx| logic(cx, |a, b| a || b, |cx, a, b| apply(cx, BinaryKind::Max, a, b))),
    Operator::new("Xor", |cx| logic(cx, |a, b| a != b, differing)),
    Operator::new("Not", not),
    Operator::new("BitwiseAnd", |cx| integers(cx, |a, b| Some(a & b))),
    Operator::new("BitwiseOr", |cx| integers(cx, |a, b| Some(a | b))),
    Operator::new("BitwiseXor", |cx| integers(cx, |a, b| Some(a ^ b))),
    Operator::new("Mod", modulo),
    Operator::new("IsNaN", |cx| each_float(cx, |x| i64::from(x.is_nan()))),
    Operator::new("IsInf", infinite),
    Operator::new("Sin", |cx| trigonometric(cx, f64::sin)),
    Operator::new("Cos", |cx| trigonometric(cx, f64::cos)),
    Operator::new("Tan", |cx| trigonometric(cx, f64::tan)),
    Operator::new("Asin", |cx| trigonometric(cx, f64::asin)),
    Operator::new("Acos", |cx| trigonometric(cx, f64::acos)),
    Operator::new("Atan", |cx| trigonometric(cx, f64::atan)),
    Operator::new("Sinh", |cx| trigonometric(cx, f64::sinh)),
    Operator::new("Cosh", |cx| trigonometric(cx, f64::cosh)),
    Operator::new("Asinh", |cx| trigonometric(cx, f64::asinh)),
    Operator::new("Acosh", |cx| trigonometric(cx, f64::acosh)),
    Operator::new("Atanh", |cx| trigonometric(cx, f64::atanh)),
    Operator::new("Trilu", triangle),
];

/// Both operands, paid for as often as they and the result are made.
fn pair(cx: &mut Context<'_, '_>) -> Result<[Tensor; 2]> {
    let (a, b) = (cx.folded(0)?, cx.folded(1)?);
    let dims = fold::broadcast(a.dims(), b.dims())?;
    for _ in 0..3 {
        cx.charge(&dims)?;
    }
    Ok([a, b])
}

/// 1 where the comparison holds; nothing holds of NaN. `of_values` makes the mask where the operands are not both constant.
fn compare(
    cx: &mut Context<'_, '_>,
    holds: fn(Ordering) -> bool,
    of_values: fn(&mut Context<'_, '_>, &Operand, &Operand) -> Result<Operand>,
) -> Result<Vec<Operand>> {
    let (a, b) = (cx.operand(0)?, cx.operand(1)?);
    if let (Operand::Constant(_), Operand::Constant(_)) = (&a, &b) {
        let [a, b] = pair(cx)?;
        let compared = fold::compare(&a, &b, |order| order.is_some_and(holds))?;
        return Ok(vec![Operand::Constant(compared)]);
    }
    let b = aligned(cx, BinaryKind::Less, &a, b)?;
    for operand in [&a, &b] {
        if matches!(operand, Operand::Constant(tensor) if tensor.data().floats().is_none()) {
            return Err(invalid("a comparison of floats with integers"));
        }
    }
    Ok(vec![of_values(cx, &a, &b).and_then(mask)?])
}

fn less(cx: &mut Context<'_, '_>, a: &Operand, b: &Operand) -> Result<Operand> {
    apply(cx, BinaryKind::Less, a, b)
}

fn less_or_equal(cx: &mut Context<'_, '_>, a: &Operand, b: &Operand) -> Result<Operand> {
    apply(cx, BinaryKind::LessOrEqual, a, b)
}

/// Two numbers are equal where neither is larger.
fn equal(cx: &mut Context<'_, '_>, a: &Operand, b: &Operand) -> Result<Operand> {
    let (up, down) = (less_or_equal(cx, a, b)?, less_or_equal(cx, b, a)?);
    apply(cx, BinaryKind::Mul, &up, &down)
}

/// What holds only zeros and ones, as a mask.
fn mask(operand: Operand) -> Result<Operand> {
    match operand {
        Operand::Value(value) | Operand::Mask(value) => Ok(Operand::Mask(value)),
        Operand::Constant(_) => Err(invalid("a mask of constants")),
    }
}

/// A function of two booleans: of constants, or of masks, of whose zeros and ones `of_masks` computes it.
fn logic(
    cx: &mut Context<'_, '_>,
    of_constants: fn(bool, bool) -> bool,
    of_masks: fn(&mut Context<'_, '_>, &Operand, &Operand) -> Result<Operand>,
) -> Result<Vec<Operand>> {
    let (a, b) = (cx.maskable(0)?, cx.maskable(1)?);
    if let (Operand::Constant(_), Operand::Constant(_)) = (&a, &b) {
        return integers(cx, |a, b| Some(i64::from(of_constants(a != 0, b != 0))));
    }
    let (a, b) = (ones(cx, a)?, ones(cx, b)?);
    let b = aligned(cx, BinaryKind::Mul, &a, b)?;
    Ok(vec![of_masks(cx, &a, &b).and_then(mask)?])
}

/// Booleans as zeros and ones.
fn ones(cx: &mut Context<'_, '_>, operand: Operand) -> Result<Operand> {
    match operand {
        Operand::Mask(value) => Ok(Operand::Value(value)),
        Operand::Constant(tensor) => {
            cx.charge(tensor.dims())?;
            let flags = tensor.data().as_i64().ok_or_else(|| invalid("its operands must be booleans"))?;
            let flags: Vec<f32> = flags.iter().map(|flag| f32::from(u8::from(*flag != 0))).collect();
            Tensor::new(tensor.dims(), Constant::f32(flags)).map(Operand::Constant)
        }
        Operand::Value(_) => Err(invalid("its operands must be booleans")),
    }
}

fn not(cx: &mut Context<'_, '_>) -> Result<Vec<Operand>> {
    match cx.maskable(0)? {
        Operand::Mask(value) => Ok(vec![negated(cx, &Operand::Value(value)).and_then(mask)?]),
        _ => each_integer(cx, |x| i64::from(x == 0)),
    }
}

/// Ones where a mask has zeros.
pub(super) fn negated(cx: &mut Context<'_, '_>, mask: &Operand) -> Result<Operand> {
    let one = Operand::Constant(Tensor::new([], Constant::f32([1.0]))?);
    apply(cx, BinaryKind::Sub, &one, mask)
}

/// Two truths differ where their difference is not 0.
fn differing(cx: &mut Context<'_, '_>, a: &Operand, b: &Operand) -> Result<Operand> {
    let difference = apply(cx, BinaryKind::Sub, a, b)?;
    evaluated(cx, &difference, Activation::plain(ActivationKind::Abs))
}

/// A function of two integers or booleans; `None` where it has no result.
fn integers(cx: &mut Context<'_, '_>, f: impl Fn(i64, i64) -> Option<i64>) -> Result<Vec<Operand>> {
    let [a, b] = pair(cx)?;
    fold::integers_of(&a, &b, f).map(|tensor| vec![Operand::Constant(tensor)])
}

fn each_integer(cx: &mut Context<'_, '_>, f: fn(i64) -> i64) -> Result<Vec<Operand>> {
    let tensor = cx.folded(0)?;
    cx.charge(tensor.dims())?;
    let list = tensor.data().as_i64().ok_or_else(|| invalid("its operand must be integers or booleans"))?;
    let list: Vec<i64> = list.iter().copied().map(f).collect();
    Ok(vec![Operand::Constant(Tensor::new(tensor.dims(), Constant::i64(list))?)])
}

/// 1 where an element is infinite, of the signs that are asked for.
fn infinite(cx: &mut Context<'_, '_>) -> Result<Vec<Operand>> {
    let (negative, positive) =
        (cx.node.flag("detect_negative", true)?, cx.node.flag("detect_positive", true)?);
    each_float(cx, |x| i64::from((negative && x == f32::NEG_INFINITY) || (positive && x == f32::INFINITY)))
}

fn each_float(cx: &mut Context<'_, '_>, f: impl Fn(f32) -> i64) -> Result<Vec<Operand>> {
    let tensor = cx.folded(0)?;
    cx.charge(tensor.dims())?;
    let list = tensor.data().as_f32().ok_or_else(|| invalid("its operand must be floats"))?;
    let list: Vec<i64> = list.iter().copied().map(f).collect();
    Ok(vec![Operand::Constant(Tensor::new(tensor.dims(), Constant::i64(list))?)])
}

/// Computed in `f64`, rounded once.
fn trigonometric(cx: &mut Context<'_, '_>, f: fn(f64) -> f64) -> Result<Vec<Operand>> {
    let tensor = cx.folded(0)?;
    cx.charge(tensor.dims())?;
    let result = fold::map(&tensor, |x| narrow(f(f64::from(x))), None)?;
    Ok(vec![Operand::Constant(result)])
}

/// The remainder: of the divisor's sign, or with `fmod` of the dividend's.
fn modulo(cx: &mut Context<'_, '_>) -> Result<Vec<Operand>> {
    let is_fmod = cx.node.flag("fmod", false)?;
    let [a, b] = pair(cx)?;
    if a.data().as_i64().is_some() {
        let remainder = move |a: i64, b: i64| {
            let rest = a.checked_rem(b)?;
            let turns = !is_fmod && rest != 0 && (rest < 0) != (b < 0);
            Some(if turns { rest + b } else { rest })
        };
        return fold::integers_of(&a, &b, remainder).map(|tensor| vec![Operand::Constant(tensor)]);
    }
    if !is_fmod {
        return Err(invalid("the remainder of floats needs fmod"));
    }
    fold::floats_of(&a, &b, |a, b| a % b).map(|tensor| vec![Operand::Constant(tensor)])
}

/// The upper or lower triangle of each matrix, from diagonal `k` on; 0 elsewhere.
fn triangle(cx: &mut Context<'_, '_>) -> Result<Vec<Operand>> {
    let x = cx.folded(0)?;
    let &[.., rows, columns] = x.dims() else { return Err(invalid("its operand is no matrix")) };
    let k = cx.integers(1)?.and_then(|k| k.first().copied()).unwrap_or(0);
    let upper = cx.node.flag("upper", true)?;
    for _ in 0..4 {
        cx.charge(x.dims())?;
    }
    let place = |i: usize| -> Option<bool> {
        let (row, column) =
            (i64::try_from(i / index(columns)).ok()?, i64::try_from(i % index(columns)).ok()?);
        let distance = column.checked_sub(row)?;
        Some(if upper { distance >= k } else { distance <= k })
    };
    let mask: Option<Vec<i64>> = (0..index(rows) * index(columns)).map(|i| place(i).map(i64::from)).collect();
    let mask = mask.ok_or_else(|| unsupported("a matrix of 2⁶³ elements or more"))?;
    let zero = match x.data() {
        Constant::F32(_) => Constant::f32([0.0]),
        Constant::I64(_) => Constant::i64([0]),
    };
    let mask = Tensor::new([rows, columns], Constant::i64(mask))?;
    Ok(vec![Operand::Constant(fold::choose(&mask, &x, &Tensor::new([], zero)?)?)])
}
