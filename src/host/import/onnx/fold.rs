//! Arithmetic on constants during import: what exporters write to compute shapes, scales and sizes.

use crate::device::kernel::params::{BinaryKind, PoolKind};
use crate::device::tensor::ActivationKind;
use crate::host::Result;
use crate::host::graph::Constant;

use super::Tensor;
use super::number::{index, narrow, wide};
use super::refusal::{invalid, unsupported};

/// The dimensions of an element-wise function of these two, aligned at the last axis.
pub(super) fn broadcast(a: &[u32], b: &[u32]) -> Result<Vec<u32>> {
    let rank = a.len().max(b.len());
    let dim = |dims: &[u32], axis: usize| (axis + dims.len()).checked_sub(rank).map_or(1, |axis| dims[axis]);
    let pairs = (0..rank).map(|axis| (dim(a, axis), dim(b, axis)));
    let joint = pairs.map(|pair| match pair {
        (x, y) if x == y || y == 1 => Some(x),
        (1, y) => Some(y),
        _ => None,
    });
    joint.collect::<Option<_>>().ok_or_else(|| invalid(format!("{a:?} and {b:?} do not broadcast")))
}

/// `f(a, b)` with broadcast; both are floats or both integers.
pub(super) fn binary(kind: BinaryKind, a: &Tensor, b: &Tensor) -> Result<Tensor> {
    match (a.data(), b.data()) {
        (Constant::F32(_), Constant::F32(_)) => floats_of(a, b, |a, b| floats(kind, a, b)),
        (Constant::I64(_), Constant::I64(_)) => integers_of(a, b, |a, b| integers(kind, a, b)),
        _ => Err(invalid("a function of floats and integers")),
    }
}

fn floats(kind: BinaryKind, a: f32, b: f32) -> f32 {
    match kind {
        BinaryKind::Add => a + b,
        BinaryKind::Sub => a - b,
        BinaryKind::Mul => a * b,
        BinaryKind::Div => a / b,
        BinaryKind::Min => a.min(b),
        BinaryKind::Max => a.max(b),
        BinaryKind::Pow => a.powf(b),
        BinaryKind::Prelu if a < 0.0 => a * b,
        BinaryKind::Prelu => a,
        BinaryKind::Keep if b.abs() > 0.0 => a,
        BinaryKind::Keep => 0.0,
        BinaryKind::Less => f32::from(u8::from(a < b)),
        BinaryKind::LessOrEqual => f32::from(u8::from(a <= b)),
    }
}

/// `None` on overflow and division by zero. Division rounds towards zero, as ONNX has it.
fn integers(kind: BinaryKind, a: i64, b: i64) -> Option<i64> {
    match kind {
        BinaryKind::Add => a.checked_add(b),
        BinaryKind::Sub => a.checked_sub(b),
        BinaryKind::Mul => a.checked_mul(b),
        BinaryKind::Div => a.checked_div(b),
        BinaryKind::Min => Some(a.min(b)),
        BinaryKind::Max => Some(a.max(b)),
        BinaryKind::Pow => a.checked_pow(u32::try_from(b).ok()?),
        BinaryKind::Prelu if a < 0 => a.checked_mul(b),
        BinaryKind::Prelu => Some(a),
        BinaryKind::Keep => Some(if b == 0 { 0 } else { a }),
        BinaryKind::Less => Some(i64::from(a < b)),
        BinaryKind::LessOrEqual => Some(i64::from(a <= b)),
    }
}

/// A function of two integers with broadcast; `None` where it has no result.
pub(super) fn integers_of(a: &Tensor, b: &Tensor, f: impl Fn(i64, i64) -> Option<i64>) -> Result<Tensor> {
    let dims = broadcast(a.dims(), b.dims())?;
    let (a, b) = (a.expanded(&dims)?, b.expanded(&dims)?);
    let (Some(a), Some(b)) = (a.data().as_i64(), b.data().as_i64()) else {
        return Err(invalid("its operands must be integers or booleans"));
    };
    let results: Option<Vec<i64>> = a.iter().zip(b).map(|(a, b)| f(*a, *b)).collect();
    let results = results.ok_or_else(|| invalid("integer arithmetic overflows or divides by zero"))?;
    Tensor::new(dims, Constant::i64(results))
}

/// A function of two floats with broadcast.
pub(super) fn floats_of(a: &Tensor, b: &Tensor, f: impl Fn(f32, f32) -> f32) -> Result<Tensor> {
    let dims = broadcast(a.dims(), b.dims())?;
    let (a, b) = (a.expanded(&dims)?, b.expanded(&dims)?);
    let (Some(a), Some(b)) = (a.data().as_f32(), b.data().as_f32()) else {
        return Err(invalid("its operands must be floats"));
    };
    Tensor::new(dims, Constant::f32(a.iter().zip(b).map(|(a, b)| f(*a, *b)).collect::<Vec<_>>()))
}

/// A comparison of two numbers of one type, 1 if it holds.
pub(super) fn compare(
    a: &Tensor,
    b: &Tensor,
    holds: impl Fn(Option<core::cmp::Ordering>) -> bool,
) -> Result<Tensor> {
    let dims = broadcast(a.dims(), b.dims())?;
    let (a, b) = (a.expanded(&dims)?, b.expanded(&dims)?);
    let results: Vec<i64> = match (a.data(), b.data()) {
        (Constant::F32(a), Constant::F32(b)) => {
            a.iter().zip(&**b).map(|(a, b)| i64::from(holds(a.partial_cmp(b)))).collect()
        }
        (Constant::I64(a), Constant::I64(b)) => {
            a.iter().zip(&**b).map(|(a, b)| i64::from(holds(a.partial_cmp(b)))).collect()
        }
        _ => return Err(invalid("a comparison of floats with integers")),
    };
    Tensor::new(dims, Constant::i64(results))
}

/// `condition ? a : b` with broadcast.
pub(super) fn choose(condition: &Tensor, a: &Tensor, b: &Tensor) -> Result<Tensor> {
    let dims = broadcast(&broadcast(condition.dims(), a.dims())?, b.dims())?;
    let (condition, a, b) = (condition.expanded(&dims)?, a.expanded(&dims)?, b.expanded(&dims)?);
    let Some(chosen) = condition.data().as_i64() else {
        return Err(invalid("its condition holds floats; it must hold booleans"));
    };
    let data = match (a.data(), b.data()) {
        (Constant::F32(a), Constant::F32(b)) => Constant::f32(pick(chosen, a, b)),
        (Constant::I64(a), Constant::I64(b)) => Constant::i64(pick(chosen, a, b)),
        _ => return Err(invalid("a choice between floats and integers")),
    };
    Tensor::new(dims, data)
}

fn pick<T: Copy>(chosen: &[i64], a: &[T], b: &[T]) -> Vec<T> {
    chosen.iter().zip(a.iter().zip(b)).map(|(&chosen, (a, b))| if chosen != 0 { *a } else { *b }).collect()
}

/// `f` of each float, `g` of each integer; an integer function that is `None` is not supported.
pub(super) fn map(tensor: &Tensor, f: impl Fn(f32) -> f32, g: Option<fn(i64) -> i64>) -> Result<Tensor> {
    let data = match (tensor.data(), g) {
        (Constant::F32(data), _) => Constant::f32(data.iter().copied().map(f).collect::<Vec<_>>()),
        (Constant::I64(data), Some(g)) => Constant::i64(data.iter().copied().map(g).collect::<Vec<_>>()),
        (Constant::I64(_), None) => return Err(unsupported("its operand holds integers")),
    };
    Tensor::new(tensor.dims(), data)
}

/// A function of floats, and of integers where it has one.
type Folds = (fn(f32) -> f32, Option<fn(i64) -> i64>);

/// The exact functions without parameters: exporters compute shapes and scales with them. `None` for all others.
pub(super) fn function(tensor: &Tensor, kind: ActivationKind) -> Result<Option<Tensor>> {
    let (f, g): Folds = match kind {
        ActivationKind::Neg => (|x| -x, Some(i64::wrapping_neg)),
        ActivationKind::Abs => (f32::abs, Some(i64::wrapping_abs)),
        ActivationKind::Relu => (|x| x.max(0.0), Some(|x| x.max(0))),
        ActivationKind::Sign => (|x| if x == 0.0 { x } else { x.signum() }, Some(i64::signum)),
        ActivationKind::Round => (f32::round_ties_even, None),
        ActivationKind::Floor => (f32::floor, None),
        ActivationKind::Ceil => (f32::ceil, None),
        ActivationKind::Sqrt => (f32::sqrt, None),
        ActivationKind::Reciprocal => (f32::recip, None),
        _ => return Ok(None),
    };
    map(tensor, f, g).map(Some)
}

/// A reduction of these axes, which stay with length 1; in `f64`, or exact for integers, which have no average.
pub(super) fn reduce(tensor: &Tensor, axes: &[usize], kind: PoolKind) -> Result<Tensor> {
    let (dims, rank) = (tensor.dims(), tensor.dims().len());
    let kept: Vec<usize> = (0..rank).filter(|axis| !axes.contains(axis)).collect();
    let order: Vec<usize> = kept.iter().chain(axes).copied().collect();
    let ordered = tensor.transposed(&order)?;
    let target: Vec<u32> = (0..rank).map(|axis| if axes.contains(&axis) { 1 } else { dims[axis] }).collect();
    let run: usize = ordered.dims()[kept.len()..].iter().copied().map(index).product();
    if run == 0 {
        return Err(unsupported("a reduction of nothing"));
    }
    let data = match ordered.data() {
        Constant::F32(data) => {
            Constant::f32(data.chunks_exact(run).map(|row| float_of(row, kind)).collect::<Vec<_>>())
        }
        Constant::I64(data) => {
            let rows: Option<Vec<i64>> = data.chunks_exact(run).map(|row| integer_of(row, kind)).collect();
            Constant::i64(rows.ok_or_else(|| invalid("the reduction overflows, or averages integers"))?)
        }
    };
    Tensor::new(target, data)
}

fn float_of(row: &[f32], kind: PoolKind) -> f32 {
    let numbers = row.iter().copied().map(f64::from);
    narrow(match kind {
        PoolKind::Max => numbers.fold(f64::NEG_INFINITY, f64::max),
        PoolKind::Sum => numbers.sum(),
        PoolKind::Product => numbers.product(),
        PoolKind::Average | PoolKind::AveragePadded => {
            numbers.sum::<f64>() / wide(i64::try_from(row.len()).unwrap_or(i64::MAX))
        }
    })
}

fn integer_of(row: &[i64], kind: PoolKind) -> Option<i64> {
    match kind {
        PoolKind::Max => row.iter().copied().max(),
        PoolKind::Sum => row.iter().try_fold(0i64, |sum, x| sum.checked_add(*x)),
        PoolKind::Product => row.iter().try_fold(1i64, |product, x| product.checked_mul(*x)),
        PoolKind::Average | PoolKind::AveragePadded => None,
    }
}
