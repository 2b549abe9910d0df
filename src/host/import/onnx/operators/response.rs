//! `LRN` (since 1, 13): local response normalisation across channels, as `AlexNet` has it.

use crate::device::kernel::params::BinaryKind;
use crate::device::tensor::{Activation, Window};
use crate::host::Result;
use crate::host::graph::{Constant, Conv, Op};

use super::super::Tensor;
use super::super::context::Context;
use super::super::number::{index, narrow};
use super::super::tensor::element_count;
use super::elementwise::{apply, power};
use super::{Operand, Operator, count, invalid};

pub(super) const OPERATORS: &[Operator] = &[Operator::new("LRN", normalize)];

/// `x / (bias + alpha/size · Σ x²)^beta`, the sum over `size` neighbouring channels. The sum is a pointwise convolution of the
/// squares, whose weight is a band of equal numbers.
fn normalize(cx: &mut Context<'_, '_>) -> Result<Vec<Operand>> {
    let x = cx.operand(0)?;
    let dims = cx.dims(&x);
    let &[n, channels, ref rest @ ..] = &*dims else {
        return Err(invalid(format!("{dims:?} has no channels")));
    };
    let size = count(cx.node.int("size", 0)?, "size")?;
    if size == 0 {
        return Err(invalid("the size is missing"));
    }
    let (alpha, beta) = (cx.node.float("alpha", 1e-4)?, cx.node.float("beta", 0.75)?);
    let pixels = element_count(rest).ok_or_else(|| invalid("too many elements"))?;
    let picture = if dims.len() == 4 { x } else { cx.reshape(&x, &[n, channels, 1, pixels])? };
    let squares = apply(cx, BinaryKind::Mul, &picture, &picture)?;
    cx.charge(&[channels, channels])?;
    let band = band(channels, size, alpha)?;
    let bias = Tensor::new([channels], Constant::f32(vec![cx.node.float("bias", 1.0)?; index(channels)]))?;
    let sum = Conv {
        input: cx.value(&squares)?,
        weight: cx.store(&band, &[], "band")?,
        bias: Some(cx.store(&bias, &[], "bias")?),
        residual: None,
        pre_activation: None,
        window: Window::new(1, 1),
        groups: 1,
        activation: Activation::IDENTITY,
    };
    let sum = Operand::Value(cx.emit(Op::Conv(sum))?);
    let factor = power(cx, &sum, -beta)?;
    let result = apply(cx, BinaryKind::Mul, &picture, &factor)?;
    Ok(vec![cx.reshape(&result, &dims)?])
}

/// `[out, 1, 1, in]`: `alpha / size` for the `⌊(size − 1)/2⌋` channels before an output's own, itself and `⌈(size − 1)/2⌉` behind.
fn band(channels: u32, size: u32, alpha: f32) -> Result<Tensor> {
    let (before, after) = ((size - 1) / 2, size / 2);
    let weight = narrow(f64::from(alpha) / f64::from(size));
    let is_near =
        |out: u32, input: u32| input.saturating_add(before) >= out && input <= out.saturating_add(after);
    let row = |out: u32| (0..channels).map(move |input| if is_near(out, input) { weight } else { 0.0 });
    Tensor::new([channels, 1, 1, channels], Constant::f32((0..channels).flat_map(row).collect::<Vec<_>>()))
}
