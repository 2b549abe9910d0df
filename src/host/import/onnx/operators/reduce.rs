//! Reductions over axes, as global pools: `ReduceMean`, `ReduceMax`, `ReduceSum`; of constants also `ReduceProd`.

use crate::device::kernel::params::{BinaryKind, PoolKind};
use crate::host::Result;
use crate::host::graph::{Constant, GlobalPool, Op, Reshape};

use super::super::Tensor;
use super::super::context::Context;
use super::super::layout::{storage_axis, stored};
use super::super::number::{float, index};
use super::super::scope::shape_of;
use super::super::tensor::element_count;
use super::elementwise::apply;
use super::{Operand, Operator, axes_of, invalid, unsupported};

pub(super) const OPERATORS: &[Operator] = &[
    Operator::new("ReduceMean", |cx| reduce(cx, PoolKind::Average)),
    Operator::new("ReduceMax", |cx| reduce(cx, PoolKind::Max)),
    Operator::new("ReduceSum", sum),
    Operator::new("ReduceProd", product),
];

/// The axes that a node reduces; `None` if it is the identity. They are an operand since 18 (13 for sums).
fn axes(cx: &Context<'_, '_>, dims: &[u32], since: i64) -> Result<Option<Vec<usize>>> {
    let axes = cx.integers_since(since, 1, "axes")?.unwrap_or_default();
    match axes.is_empty() {
        true if cx.node.flag("noop_with_empty_axes", false)? => Ok(None),
        true => Ok(Some((0..dims.len()).collect())),
        false => axes_of(&axes, dims.len()).map(Some),
    }
}

/// The dimensions of the result.
fn target(cx: &Context<'_, '_>, dims: &[u32], axes: &[usize]) -> Result<Vec<u32>> {
    let keeps = cx.node.flag("keepdims", true)?;
    let pairs = dims.iter().enumerate();
    Ok(pairs
        .filter(|(axis, _)| keeps || !axes.contains(axis))
        .map(|(axis, dim)| if axes.contains(&axis) { 1 } else { *dim })
        .collect())
}

fn reduce(cx: &mut Context<'_, '_>, kind: PoolKind) -> Result<Vec<Operand>> {
    let x = cx.operand(0)?;
    let dims = cx.dims(&x);
    let Some(axes) = axes(cx, &dims, 18)? else { return Ok(vec![x]) };
    let target = target(cx, &dims, &axes)?;
    Ok(vec![pooled(cx, &x, &axes, kind, &target)?])
}

/// The mean times the number of elements.
fn sum(cx: &mut Context<'_, '_>) -> Result<Vec<Operand>> {
    let x = cx.operand(0)?;
    let dims = cx.dims(&x);
    let Some(axes) = axes(cx, &dims, 13)? else { return Ok(vec![x]) };
    let target = target(cx, &dims, &axes)?;
    let reduced: Vec<u32> = axes.iter().map(|axis| dims[*axis]).collect();
    let len = element_count(&reduced).ok_or_else(|| invalid(format!("{dims:?} has 2³² elements or more")))?;
    let mean = pooled(cx, &x, &axes, PoolKind::Average, &target)?;
    let factor = Tensor::new([], Constant::f32([float(i64::from(len))]))?;
    Ok(vec![apply(cx, BinaryKind::Mul, &mean, &Operand::Constant(factor))?])
}

/// A pool over axes that are neighbours as stored: of `[outer, reduced, inner]`, which is a picture of `reduced` rows and one
/// column. Rows and columns of a picture are pooled as they are.
fn pooled(
    cx: &mut Context<'_, '_>,
    x: &Operand,
    axes: &[usize],
    kind: PoolKind,
    target: &[u32],
) -> Result<Operand> {
    let dims = cx.dims(x);
    let rank = dims.len();
    let input = cx.value(x)?;
    let mut places: Vec<usize> = axes.iter().map(|axis| storage_axis(*axis, rank)).collect();
    places.sort_unstable();
    let kept: Vec<u32> = (0..rank).map(|axis| if axes.contains(&axis) { 1 } else { dims[axis] }).collect();
    if rank == 4 && places == [1, 2] {
        let value = cx.emit(Op::GlobalPool(GlobalPool { input, kind }))?;
        return cx.reshape(&Operand::Value(value), target);
    }
    let (Some(&first), Some(&last)) = (places.first(), places.last()) else { return Ok(x.clone()) };
    if last - first + 1 != places.len() {
        return Err(unsupported(format!(
            "a reduction of the axes {axes:?} of {dims:?}, which are not stored together"
        )));
    }
    let sizes = stored(&dims);
    let product = |sizes: &[u32]| element_count(sizes).ok_or_else(|| invalid("too many elements"));
    let view = [product(&sizes[..first])?, product(&sizes[first..=last])?, 1, product(&sizes[last + 1..])?];
    let input = cx.emit(Op::Reshape(Reshape { input, shape: shape_of(&view)? }))?;
    let value = cx.emit(Op::GlobalPool(GlobalPool { input, kind }))?;
    let value = cx.emit(Op::Reshape(Reshape { input: value, shape: shape_of(&stored(&kept))? }))?;
    cx.reshape(&Operand::Value(value), target)
}

/// The product of all elements of a constant vector, as exporters compute the length of a flattened axis.
fn product(cx: &mut Context<'_, '_>) -> Result<Vec<Operand>> {
    let tensor = cx.constant(0)?;
    let (&[len], Some(integers)) = (tensor.dims(), tensor.data().as_i64()) else {
        return Err(unsupported("a product of anything but a vector of integers"));
    };
    let product = integers.iter().take(index(len)).try_fold(1i64, |product, x| product.checked_mul(*x));
    let product = product.ok_or_else(|| invalid("the product overflows"))?;
    let dims = if cx.node.flag("keepdims", true)? { vec![1] } else { vec![] };
    Ok(vec![Operand::Constant(Tensor::new(dims, Constant::i64([product]))?)])
}
