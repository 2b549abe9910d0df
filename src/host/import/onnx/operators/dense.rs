//! `Gemm` (since 7, 9, 11, 13) and `MatMul` (since 1, 9, 13): with a constant matrix dense layers, else products of stacks of
//! matrices.

use crate::device::kernel::params::BinaryKind;
use crate::device::tensor::Activation;
use crate::host::Result;
use crate::host::graph::{Constant, Dense, MatMul, Op, ValueId};

use super::super::Tensor;
use super::super::context::Context;
use super::super::fold;
use super::super::tensor::element_count;
use super::elementwise::{apply, lifted};
use super::{Operand, Operator, invalid};

pub(super) const OPERATORS: &[Operator] = &[Operator::new("Gemm", gemm), Operator::new("MatMul", matmul)];

/// `alpha · A' · B' + beta · C`, where `'` may transpose. `alpha` goes into the weight, `beta` into the bias.
fn gemm(cx: &mut Context<'_, '_>) -> Result<Vec<Operand>> {
    let (a, b) = (cx.operand(0)?, cx.operand(1)?);
    let (&[_, _], &[_, _]) = (&*cx.dims(&a), &*cx.dims(&b)) else {
        let (a, b) = (cx.dims(&a), cx.dims(&b));
        return Err(invalid(format!("its factors are {a:?} and {b:?}, not matrices")));
    };
    let Operand::Constant(b) = b else { return gemm_of_activations(cx, &a, &b) };
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
    if factor == 1.0 {
        return Ok(tensor);
    }
    let Some(floats) = tensor.data().as_f32() else { return Ok(tensor) };
    cx.charge(tensor.dims())?;
    Tensor::new(tensor.dims(), Constant::f32(floats.iter().map(|x| x * factor).collect::<Vec<_>>()))
}

/// The same with a second factor that is no constant.
fn gemm_of_activations(cx: &mut Context<'_, '_>, a: &Operand, b: &Operand) -> Result<Vec<Operand>> {
    let mut factors = [a.clone(), b.clone()];
    for (factor, attribute) in factors.iter_mut().zip(["transA", "transB"]) {
        if cx.node.flag(attribute, false)? {
            *factor = cx.transpose(factor, &[1, 0])?;
        }
    }
    let [a, b] = factors;
    let mut result = stacked(cx, &a, &b)?;
    for (attribute, kind) in [("alpha", BinaryKind::Mul), ("beta", BinaryKind::Add)] {
        let factor = cx.node.float(attribute, 1.0)?;
        let number = Operand::Constant(Tensor::new([], Constant::f32([factor]))?);
        let operand = match (kind, cx.optional(2)?) {
            (BinaryKind::Mul, _) if factor != 1.0 => Some(number),
            (BinaryKind::Add, Some(c)) if factor != 1.0 => Some(apply(cx, BinaryKind::Mul, &c, &number)?),
            (BinaryKind::Add, c) => c,
            _ => None,
        };
        if let Some(operand) = operand {
            result = apply(cx, kind, &result, &operand)?;
        }
    }
    Ok(vec![result])
}

/// A product with a constant matrix: all axes of the other factor but one are rows. Else one of stacks of matrices.
fn matmul(cx: &mut Context<'_, '_>) -> Result<Vec<Operand>> {
    let (a, b) = (cx.operand(0)?, cx.operand(1)?);
    if let (Operand::Constant(a), Operand::Value(_), &[_, _]) = (&a, &b, &*cx.dims(&b))
        && a.dims().len() == 2
    {
        return constant_times_matrix(cx, a, &b);
    }
    let own = cx.dims(&b);
    let is_matrix = own.len() == 1 || own.iter().rev().skip(2).all(|dim| *dim == 1);
    match b {
        Operand::Constant(b) if is_matrix && own.len() <= cx.dims(&a).len().max(2) => {
            times_constant_matrix(cx, &a, &b)
        }
        b => product(cx, &a, &b),
    }
}

fn times_constant_matrix(cx: &mut Context<'_, '_>, a: &Operand, b: &Tensor) -> Result<Vec<Operand>> {
    let (matrix, drops_column) = match *b.dims() {
        [k] => (b.reshaped(&[k, 1])?, true),
        [.., k, columns] => (b.reshaped(&[k, columns])?, false),
        [] => return Err(invalid("a scalar has no rows")),
    };
    let dims = cx.dims(a);
    let (Some((&k, outer)), Some(&columns)) = (dims.split_last(), matrix.dims().last()) else {
        return Err(invalid("a scalar has no columns"));
    };
    let flat = cx.reshape(a, &[count(outer)?, k])?;
    let product = dense(cx, &flat, &matrix, &[1, 0], None)?;
    let mut dims = outer.to_vec();
    if !drops_column {
        dims.push(columns);
    }
    Ok(vec![cx.reshape(&product, &dims)?])
}

fn count(dims: &[u32]) -> Result<u32> {
    element_count(dims).ok_or_else(|| invalid(format!("{dims:?} has 2³² elements or more")))
}

/// A product of any two tensors: vectors become matrices of one row or column, whose axis the result lacks.
fn product(cx: &mut Context<'_, '_>, a: &Operand, b: &Operand) -> Result<Vec<Operand>> {
    let (dims_a, dims_b) = (cx.dims(a), cx.dims(b));
    let a = if let [k] = *dims_a { cx.reshape(a, &[1, k])? } else { a.clone() };
    let b = if let [k] = *dims_b { cx.reshape(b, &[k, 1])? } else { b.clone() };
    let result = stacked(cx, &a, &b)?;
    let mut dims = cx.dims(&result);
    if dims_b.len() == 1 {
        dims.pop();
    }
    if dims_a.len() == 1 {
        dims.remove(dims.len() - 2 + usize::from(dims_b.len() == 1));
    }
    Ok(vec![cx.reshape(&result, &dims)?])
}

/// The product of stacks of matrices, whose outer axes broadcast.
fn stacked(cx: &mut Context<'_, '_>, a: &Operand, b: &Operand) -> Result<Operand> {
    let (dims_a, dims_b) = (cx.dims(a), cx.dims(b));
    let ([outer_a @ .., rows, k], [outer_b @ .., k_b, columns]) = (&*dims_a, &*dims_b) else {
        return Err(invalid(format!("{dims_a:?} and {dims_b:?} are no matrices")));
    };
    if k != k_b {
        return Err(invalid(format!("{dims_a:?} and {dims_b:?} do not multiply")));
    }
    let outer = fold::broadcast(outer_a, outer_b)?;
    let a = stack(cx, a, &outer, [*rows, *k])?;
    let b = stack(cx, b, &outer, [*k, *columns])?;
    let (a, b) = (cx.value(&a)?, cx.value(&b)?);
    let product = cx.emit(Op::MatMul(MatMul { a, b, activation: Activation::IDENTITY }))?;
    let dims = [&outer[..], &[*rows, *columns]].concat();
    cx.reshape(&Operand::Value(product), &dims)
}

/// A factor as one stack of matrices, as long as `outer` or 1.
fn stack(cx: &mut Context<'_, '_>, x: &Operand, outer: &[u32], matrix: [u32; 2]) -> Result<Operand> {
    let dims = cx.dims(x);
    let own = &dims[..dims.len() - 2];
    let (len, whole) = (count(own)?, count(outer)?);
    let x = if len == 1 || len == whole {
        x.clone()
    } else {
        // Adding −0 changes no number.
        let dims = [outer, &matrix].concat();
        cx.charge(&dims)?;
        let zeros = Tensor::new([], Constant::f32([-0.0]))?.expanded(&dims)?;
        let x = lifted(cx, x, dims.len())?;
        apply(cx, BinaryKind::Add, &x, &Operand::Constant(zeros))?
    };
    let len = if len == 1 { 1 } else { whole };
    cx.reshape(&x, &[len, matrix[0], matrix[1]])
}

/// `A·B = (Bᵀ·Aᵀ)ᵀ` for a constant `A`.
fn constant_times_matrix(cx: &mut Context<'_, '_>, a: &Tensor, b: &Operand) -> Result<Vec<Operand>> {
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
