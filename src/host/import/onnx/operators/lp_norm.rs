//! Norms of power `p`: `LpNormalization` (since 1, 22), `GlobalLpPool` (2, 22) and `LpPool` (2, 11, 18, 22).

use crate::device::kernel::params::{BinaryKind, PoolKind};
use crate::device::tensor::{Activation, ActivationKind};
use crate::host::Result;
use crate::host::graph::{Constant, Op, Pool};

use super::super::Tensor;
use super::super::context::Context;
use super::super::model::Node;
use super::super::number::float;
use super::elementwise::{apply, evaluated, power};
use super::reduce::pooled;
use super::window::{Sliding, picture, unpicture};
use super::{Operand, Operator, axis_of, invalid};

pub(super) const OPERATORS: &[Operator] = &[
    Operator::new("LpNormalization", normalize),
    Operator::new("GlobalLpPool", global_pool),
    Operator::new("LpPool", pool).checked(Sliding::check),
];

fn exponent(node: &Node<'_>) -> Result<f32> {
    match node.int("p", 2)? {
        p @ 1.. => Ok(float(p)),
        p => Err(invalid(format!("p is {p}"))),
    }
}

/// `|x|^p`
fn powers(cx: &mut Context<'_, '_>, x: &Operand, p: f32) -> Result<Operand> {
    if p == 2.0 {
        return power(cx, x, p);
    }
    let magnitude = evaluated(cx, x, Activation::plain(ActivationKind::Abs))?;
    power(cx, &magnitude, p)
}

/// The quotient by the norm along an axis; 0 where the norm is 0. The largest magnitude is divided out first, so that no power
/// overflows or underflows.
fn normalize(cx: &mut Context<'_, '_>) -> Result<Vec<Operand>> {
    let (x, p) = (cx.operand(0)?, exponent(cx.node)?);
    let axis = axis_of(cx.node.int("axis", -1)?, cx.dims(&x).len())?;
    let magnitudes = evaluated(cx, &x, Activation::plain(ActivationKind::Abs))?;
    let largest = pooled(cx, &magnitudes, &[axis], PoolKind::Max)?;
    // From the smallest positive number on, so that nothing is divided by 0.
    let range = Activation::new(ActivationKind::Clip, f32::from_bits(1), f32::MAX);
    let largest = evaluated(cx, &largest, range)?;
    let x = apply(cx, BinaryKind::Div, &x, &largest)?;
    let powers = powers(cx, &x, p)?;
    let sum = pooled(cx, &powers, &[axis], PoolKind::Sum)?;
    let norm = power(cx, &sum, p.recip())?;
    let least = Operand::Constant(Tensor::new([], Constant::f32([f32::MIN_POSITIVE]))?);
    let norm = apply(cx, BinaryKind::Max, &norm, &least)?;
    Ok(vec![apply(cx, BinaryKind::Div, &x, &norm)?])
}

fn global_pool(cx: &mut Context<'_, '_>) -> Result<Vec<Operand>> {
    let (x, p) = (cx.operand(0)?, exponent(cx.node)?);
    let axes: Vec<usize> = (2..cx.dims(&x).len()).collect();
    let powers = powers(cx, &x, p)?;
    let sum = pooled(cx, &powers, &axes, PoolKind::Sum)?;
    Ok(vec![power(cx, &sum, p.recip())?])
}

fn pool(cx: &mut Context<'_, '_>) -> Result<Vec<Operand>> {
    let (operand, p) = (cx.operand(0)?, exponent(cx.node)?);
    let (x, rank) = picture(cx, &operand)?;
    let &[_, _, h, w] = &*cx.dims(&x) else { return Err(invalid("the input is no picture")) };
    let window = Sliding::of(cx.node)?.pool([h, w])?;
    let ceil = cx.node.flag("ceil_mode", false)?;
    let powers = powers(cx, &x, p)?;
    let input = cx.value(&powers)?;
    let sum = cx.emit(Op::Pool(Pool { input, kind: PoolKind::Sum, window, ceil }))?;
    let norm = power(cx, &Operand::Value(sum), p.recip())?;
    Ok(vec![unpicture(cx, norm, rank)?])
}
