//! Reductions over any axes (`Reduce…`), as global pools. Constants are reduced during import.

use crate::device::kernel::params::{BinaryKind, PoolKind};
use crate::device::tensor::{Activation, ActivationKind};
use crate::host::Result;
use crate::host::graph::{GlobalPool, Op, Reshape, ValueId};

use super::super::context::Context;
use super::super::fold;
use super::super::layout::{storage_axis, stored};
use super::super::scope::shape_of;
use super::super::tensor::element_count;
use super::elementwise::{apply, evaluated};
use super::{Operand, Operator, axes_of, invalid};

pub(super) const OPERATORS: &[Operator] = &[
    Operator::new("ReduceMean", |cx| reduce(cx, 18, mean)),
    Operator::new("ReduceMax", |cx| reduce(cx, 18, max)),
    Operator::new("ReduceMin", |cx| reduce(cx, 18, min)),
    Operator::new("ReduceSum", |cx| reduce(cx, 13, sum)),
    Operator::new("ReduceProd", |cx| reduce(cx, 18, product)),
    Operator::new("ReduceL1", |cx| reduce(cx, 18, l1)),
    Operator::new("ReduceL2", |cx| reduce(cx, 18, l2)),
    Operator::new("ReduceSumSquare", |cx| reduce(cx, 18, sum_square)),
    Operator::new("ReduceLogSum", |cx| reduce(cx, 18, log_sum)),
    Operator::new("ReduceLogSumExp", |cx| reduce(cx, 18, log_sum_exp)),
];

/// A reduction of the axes, which stay with length 1.
type Reduction = fn(&mut Context<'_, '_>, &Operand, &[usize]) -> Result<Operand>;

/// Reads axes and `keepdims`; the axes are an operand since operator set `since`. Without axes all are reduced, or none.
fn reduce(cx: &mut Context<'_, '_>, since: i64, reduction: Reduction) -> Result<Vec<Operand>> {
    let x = cx.operand(0)?;
    let dims = cx.dims(&x);
    let axes = cx.integers_since(since, 1, "axes")?.unwrap_or_default();
    let axes = match axes.is_empty() {
        true if cx.node.flag("noop_with_empty_axes", false)? => Vec::new(),
        true => (0..dims.len()).collect(),
        false => axes_of(&axes, dims.len())?,
    };
    let reduced = reduction(cx, &x, &axes)?;
    let keeps = cx.node.flag("keepdims", true)?;
    let kept = |axis: &usize| keeps || !axes.contains(axis);
    let target: Vec<u32> =
        (0..dims.len()).filter(kept).map(|axis| if axes.contains(&axis) { 1 } else { dims[axis] }).collect();
    Ok(vec![cx.reshape(&reduced, &target)?])
}

fn mean(cx: &mut Context<'_, '_>, x: &Operand, axes: &[usize]) -> Result<Operand> {
    pooled(cx, x, axes, PoolKind::Average)
}

fn max(cx: &mut Context<'_, '_>, x: &Operand, axes: &[usize]) -> Result<Operand> {
    pooled(cx, x, axes, PoolKind::Max)
}

/// `−max(−x)`, which is exact.
fn min(cx: &mut Context<'_, '_>, x: &Operand, axes: &[usize]) -> Result<Operand> {
    let negative = function(cx, x, ActivationKind::Neg)?;
    let greatest = pooled(cx, &negative, axes, PoolKind::Max)?;
    function(cx, &greatest, ActivationKind::Neg)
}

fn sum(cx: &mut Context<'_, '_>, x: &Operand, axes: &[usize]) -> Result<Operand> {
    pooled(cx, x, axes, PoolKind::Sum)
}

fn product(cx: &mut Context<'_, '_>, x: &Operand, axes: &[usize]) -> Result<Operand> {
    pooled(cx, x, axes, PoolKind::Product)
}

fn l1(cx: &mut Context<'_, '_>, x: &Operand, axes: &[usize]) -> Result<Operand> {
    let magnitudes = function(cx, x, ActivationKind::Abs)?;
    sum(cx, &magnitudes, axes)
}

pub(super) fn l2(cx: &mut Context<'_, '_>, x: &Operand, axes: &[usize]) -> Result<Operand> {
    let squares = sum_square(cx, x, axes)?;
    function(cx, &squares, ActivationKind::Sqrt)
}

fn sum_square(cx: &mut Context<'_, '_>, x: &Operand, axes: &[usize]) -> Result<Operand> {
    let squares = apply(cx, BinaryKind::Mul, x, x)?;
    sum(cx, &squares, axes)
}

fn log_sum(cx: &mut Context<'_, '_>, x: &Operand, axes: &[usize]) -> Result<Operand> {
    let total = sum(cx, x, axes)?;
    function(cx, &total, ActivationKind::Log)
}

/// `m + ln Σ e^(x − m)` with the maximum `m`, so that no power overflows; a finite `m`, because `∞ − ∞` is no number.
fn log_sum_exp(cx: &mut Context<'_, '_>, x: &Operand, axes: &[usize]) -> Result<Operand> {
    let greatest = max(cx, x, axes)?;
    let greatest = evaluated(cx, &greatest, Activation::new(ActivationKind::Clip, f32::MIN, f32::MAX))?;
    let below = apply(cx, BinaryKind::Sub, x, &greatest)?;
    let powers = function(cx, &below, ActivationKind::Exp)?;
    let logarithm = log_sum(cx, &powers, axes)?;
    apply(cx, BinaryKind::Add, &logarithm, &greatest)
}

fn function(cx: &mut Context<'_, '_>, x: &Operand, kind: ActivationKind) -> Result<Operand> {
    evaluated(cx, x, Activation::plain(kind))
}

/// Pools over the axes, one run of neighbours as stored after the other; reduced axes stay with length 1.
pub(super) fn pooled(
    cx: &mut Context<'_, '_>,
    x: &Operand,
    axes: &[usize],
    kind: PoolKind,
) -> Result<Operand> {
    if let Operand::Constant(tensor) = x {
        cx.charge(tensor.dims())?;
        return fold::reduce(tensor, axes, kind).map(Operand::Constant);
    }
    let rank = cx.dims(x).len();
    let mut sizes = stored(&cx.dims(x));
    let is_reduced: Vec<bool> = (0..rank).map(|axis| axes.contains(&axis)).collect();
    let mut places: Vec<usize> = (0..rank).filter(|axis| is_reduced[*axis]).collect();
    places = places.into_iter().map(|axis| storage_axis(axis, rank)).collect();
    places.sort_unstable();
    let mut value = cx.value(x)?;
    for run in places.chunk_by(|a, b| a + 1 == *b) {
        let (Some(&first), Some(&last)) = (run.first(), run.last()) else { continue };
        value = pooled_run(cx, value, &mut sizes, first..last + 1, kind)?;
    }
    Ok(Operand::Value(value))
}

/// A pool over neighbouring axes: rows and columns of a picture as they are, else of `[outer, reduced, inner]`, which is a picture
/// of `reduced` rows and one column.
fn pooled_run(
    cx: &mut Context<'_, '_>,
    input: ValueId,
    sizes: &mut [u32],
    run: std::ops::Range<usize>,
    kind: PoolKind,
) -> Result<ValueId> {
    let is_picture = sizes.len() == 4 && run == (1..3);
    let product = |sizes: &[u32]| element_count(sizes).ok_or_else(|| invalid("too many elements"));
    let view = [product(&sizes[..run.start])?, product(&sizes[run.clone()])?, 1, product(&sizes[run.end..])?];
    sizes[run].fill(1);
    if is_picture {
        return cx.emit(Op::GlobalPool(GlobalPool { input, kind }));
    }
    let input = cx.emit(Op::Reshape(Reshape { input, shape: shape_of(&view)? }))?;
    let input = cx.emit(Op::GlobalPool(GlobalPool { input, kind }))?;
    cx.emit(Op::Reshape(Reshape { input, shape: shape_of(sizes)? }))
}
