//! `Gemm` (since 7, 9, 11, 13) and `MatMul` (since 1, 9, 13) with a constant second factor: dense layers.

use crate::device::kernel::params::BinaryKind;
use crate::device::tensor::Activation;
use crate::host::Result;
use crate::host::graph::{Constant, Dense, Op, ValueId};

use super::super::Tensor;
use super::super::context::Context;
use super::super::tensor::element_count;
use super::elementwise::apply;
use super::{Operand, Operator, invalid, unsupported};

pub(super) const OPERATORS: &[Operator] = &[Operator::new("Gemm", gemm), Operator::new("MatMul", matmul)];

/// `alpha · A' · B' + beta · C`, where `'` may transpose. `alpha` goes into the weight, `beta` into the bias.
fn gemm(cx: &mut Context<'_, '_>) -> Result<Vec<Operand>> {
    let a = cx.operand(0)?;
    let b = cx.constant(1)?;
    let (&[_, _], &[_, _]) = (&*cx.dims(&a), b.dims()) else {
        return Err(invalid(format!("its factors are {:?} and {:?}, not matrices", cx.dims(&a), b.dims())));
    };
    let a = if cx.node.flag("transA", false)? { cx.transpose(&a, &[1, 0])? } else { a };
    let b = scaled(cx, b, "alpha")?;
    let order: &[usize] = if cx.node.flag("transB", false)? { &[] } else { &[1, 0] };
    let c = match cx.optional(2)? {
        Some(Operand::Constant(c)) => Some(Operand::Constant(scaled(cx, c, "beta")?)),
        Some(c) if cx.node.float("beta", 1.0)? != 1.0 => {
            let beta = Tensor::new([], Constant::f32([cx.node.float("beta", 1.0)?]))?;
            Some(apply(cx, BinaryKind::Mul, &c, &Operand::Constant(beta))?)
        }
        c => c,
    };
    let outputs = if order.is_empty() { b.dims()[0] } else { b.dims()[1] };
    let bias = match &c {
        Some(Operand::Constant(c)) => row(cx, c, outputs)?,
        _ => None,
    };
    let product = dense(cx, &a, &b, order, bias)?;
    match c {
        Some(c) if bias.is_none() => Ok(vec![apply(cx, BinaryKind::Add, &product, &c)?]),
        _ => Ok(vec![product]),
    }
}

/// The summand as a bias, if it is the same for every row.
fn row(cx: &mut Context<'_, '_>, c: &Tensor, outputs: u32) -> Result<Option<ValueId>> {
    let (rows, columns) = match *c.dims() {
        [] => (1, 1),
        [columns] => (1, columns),
        [rows, columns] => (rows, columns),
        ref dims => return Err(invalid(format!("its summand has the dimensions {dims:?}"))),
    };
    if rows != 1 || (columns != 1 && columns != outputs) {
        return Ok(None);
    }
    let whole = c.reshaped(&[columns])?;
    let whole = if columns == outputs {
        whole
    } else {
        cx.charge(&[outputs])?;
        whole.expanded(&[outputs])?
    };
    cx.store(&whole, &[], "bias").map(Some)
}

/// The tensor times a float attribute, whose default is 1.
fn scaled(cx: &mut Context<'_, '_>, tensor: Tensor, attribute: &str) -> Result<Tensor> {
    let factor = cx.node.float(attribute, 1.0)?;
    let Some(floats) = tensor.data().as_f32().filter(|_| factor != 1.0) else { return Ok(tensor) };
    cx.charge(tensor.dims())?;
    Tensor::new(tensor.dims(), Constant::f32(floats.iter().map(|x| x * factor).collect::<Vec<_>>()))
}

/// The product of a tensor's last axis with a constant matrix. All axes but the last are rows.
fn matmul(cx: &mut Context<'_, '_>) -> Result<Vec<Operand>> {
    let (a, b) = (cx.operand(0)?, cx.operand(1)?);
    if let (Operand::Constant(a), Operand::Value(_)) = (&a, &b) {
        return constant_times_matrix(cx, a, &b);
    }
    let b = cx.constant(1)?;
    let (matrix, drops_column) = match *b.dims() {
        [k] => (b.reshaped(&[k, 1])?, true),
        ref dims if dims.len() > 2 && dims[..dims.len() - 2].iter().all(|dim| *dim == 1) => {
            (b.reshaped(&dims[dims.len() - 2..])?, false)
        }
        [_, _] => (b, false),
        ref dims => return Err(unsupported(format!("its second factor is a stack of matrices, {dims:?}"))),
    };
    let dims = cx.dims(&a);
    let (Some((&k, outer)), Some(&columns)) = (dims.split_last(), matrix.dims().last()) else {
        return Err(invalid("a scalar has no columns"));
    };
    let rows = element_count(outer).ok_or_else(|| invalid(format!("{dims:?} has 2³² elements or more")))?;
    let flat = cx.reshape(&a, &[rows, k])?;
    let product = dense(cx, &flat, &matrix, &[1, 0], None)?;
    let mut dims = outer.to_vec();
    if !drops_column {
        dims.push(columns);
    }
    Ok(vec![cx.reshape(&product, &dims)?])
}

/// `A·B = (Bᵀ·Aᵀ)ᵀ` for a constant `A`.
fn constant_times_matrix(cx: &mut Context<'_, '_>, a: &Tensor, b: &Operand) -> Result<Vec<Operand>> {
    let (&[_, _], &[_, _]) = (a.dims(), &*cx.dims(b)) else {
        return Err(unsupported(format!("a constant {:?} times a tensor {:?}", a.dims(), cx.dims(b))));
    };
    let turned = cx.transpose(b, &[1, 0])?;
    let product = dense(cx, &turned, a, &[], None)?;
    Ok(vec![cx.transpose(&product, &[1, 0])?])
}

/// A dense layer whose weight is the matrix with its axes in this order, `[out, in]` then.
fn dense(
    cx: &mut Context<'_, '_>,
    input: &Operand,
    matrix: &Tensor,
    order: &[usize],
    bias: Option<ValueId>,
) -> Result<Operand> {
    let input = cx.value(input)?;
    let weight = cx.store(matrix, order, "weight")?;
    cx.emit(Op::Dense(Dense { input, weight, bias, activation: Activation::IDENTITY })).map(Operand::Value)
}
