//! Functions of constants alone: comparisons, logic, remainders, bits, trigonometry. Exporters compute shapes, masks and grids with
//! them.

use std::cmp::Ordering;

use crate::host::Result;
use crate::host::graph::Constant;

use super::super::Tensor;
use super::super::context::Context;
use super::super::fold;
use super::super::number::{index, narrow};
use super::{Operand, Operator, invalid, unsupported};

pub(super) const OPERATORS: &[Operator] = &[
    Operator::new("Equal", |cx| compare(cx, Ordering::is_eq)),
    Operator::new("Less", |cx| compare(cx, Ordering::is_lt)),
    Operator::new("LessOrEqual", |cx| compare(cx, Ordering::is_le)),
    Operator::new("Greater", |cx| compare(cx, Ordering::is_gt)),
    Operator::new("GreaterOrEqual", |cx| compare(cx, Ordering::is_ge)),
    Operator::new("And", |cx| integers(cx, |a, b| Some(i64::from(a != 0 && b != 0)))),
    Operator::new("Or", |cx| integers(cx, |a, b| Some(i64::from(a != 0 || b != 0)))),
    Operator::new("Xor", |cx| integers(cx, |a, b| Some(i64::from((a != 0) != (b != 0))))),
    Operator::new("Not", |cx| each_integer(cx, |x| i64::from(x == 0))),
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
    let (a, b) = (cx.constant(0)?, cx.constant(1)?);
    let dims = fold::broadcast(a.dims(), b.dims())?;
    for _ in 0..3 {
        cx.charge(&dims)?;
    }
    Ok([a, b])
}

/// 1 where the comparison holds; nothing holds of NaN.
fn compare(cx: &mut Context<'_, '_>, holds: fn(Ordering) -> bool) -> Result<Vec<Operand>> {
    let [a, b] = pair(cx)?;
    let compared = fold::compare(&a, &b, |order| order.is_some_and(holds))?;
    Ok(vec![Operand::Constant(compared)])
}

/// A function of two integers or booleans; `None` where it has no result.
fn integers(cx: &mut Context<'_, '_>, f: impl Fn(i64, i64) -> Option<i64>) -> Result<Vec<Operand>> {
    let [a, b] = pair(cx)?;
    fold::integers_of(&a, &b, f).map(|tensor| vec![Operand::Constant(tensor)])
}

fn each_integer(cx: &mut Context<'_, '_>, f: fn(i64) -> i64) -> Result<Vec<Operand>> {
    let tensor = cx.constant(0)?;
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
    let tensor = cx.constant(0)?;
    cx.charge(tensor.dims())?;
    let list = tensor.data().as_f32().ok_or_else(|| invalid("its operand must be floats"))?;
    let list: Vec<i64> = list.iter().copied().map(f).collect();
    Ok(vec![Operand::Constant(Tensor::new(tensor.dims(), Constant::i64(list))?)])
}

/// Computed in `f64`, rounded once.
fn trigonometric(cx: &mut Context<'_, '_>, f: fn(f64) -> f64) -> Result<Vec<Operand>> {
    let tensor = cx.constant(0)?;
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
    let x = cx.constant(0)?;
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
