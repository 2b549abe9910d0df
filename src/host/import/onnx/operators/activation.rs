//! Functions of one element.

use crate::device::kernel::params::BinaryKind;
use crate::device::tensor::{Activation, ActivationKind};
use crate::host::Result;
use crate::host::graph::{Constant, Op, Unary};

use super::super::Tensor;
use super::super::context::Context;
use super::super::model::Node;
use super::elementwise::{apply, evaluated};
use super::{Operand, Operator, invalid, unsupported};

pub(super) const OPERATORS: &[Operator] = &[
    Operator::new("Relu", unary),
    Operator::new("LeakyRelu", unary),
    Operator::new("Sigmoid", unary),
    Operator::new("Tanh", unary),
    Operator::new("HardSigmoid", unary),
    Operator::new("HardSwish", unary),
    Operator::new("Elu", unary),
    Operator::new("Celu", celu),
    Operator::new("Selu", unary),
    Operator::new("Gelu", unary).checked(|node| activation(node).map(drop)),
    Operator::new("Softplus", unary),
    Operator::new("Softsign", unary),
    Operator::new("Mish", unary),
    Operator::new("Swish", unary).checked(|node| activation(node).map(drop)),
    Operator::new("Erf", unary),
    Operator::new("Exp", unary),
    Operator::new("Log", unary),
    Operator::new("Sqrt", unary),
    Operator::new("Abs", unary),
    Operator::new("Neg", unary),
    Operator::new("Reciprocal", unary),
    Operator::new("Floor", unary),
    Operator::new("Ceil", unary),
    Operator::new("Sign", unary),
    Operator::new("Round", unary),
    Operator::new("ThresholdedRelu", unary),
    Operator::new("Shrink", unary),
    Operator::new("Clip", clip),
];

/// The function that a node computes of each element. Default parameters are ONNX's.
fn activation(node: &Node<'_>) -> Result<Activation> {
    use ActivationKind as Kind;
    let plain = |kind| Ok(Activation::plain(kind));
    match node.operator() {
        "Relu" => plain(Kind::Relu),
        "LeakyRelu" => Ok(Activation::new(Kind::LeakyRelu, node.float("alpha", 0.01)?, 0.0)),
        "Sigmoid" => plain(Kind::Sigmoid),
        "Tanh" => plain(Kind::Tanh),
        "HardSigmoid" => {
            Ok(Activation::new(Kind::HardSigmoid, node.float("alpha", 0.2)?, node.float("beta", 0.5)?))
        }
        "HardSwish" => plain(Kind::HardSwish),
        "Elu" => Ok(Activation::new(Kind::Elu, node.float("alpha", 1.0)?, 0.0)),
        "Selu" => {
            let (alpha, gamma) = (node.float("alpha", 1.673_263_2)?, node.float("gamma", 1.050_701)?);
            Ok(Activation::new(Kind::Selu, alpha, gamma))
        }
        "Gelu" => match node.text("approximate", "none")? {
            "none" => plain(Kind::Gelu),
            "tanh" => plain(Kind::GeluTanh),
            other => Err(unsupported(format!("approximate is '{other}'"))),
        },
        "Swish" if node.float("alpha", 1.0)? == 1.0 => plain(Kind::Silu),
        "Swish" => Err(unsupported("alpha is not 1")),
        "Softplus" => plain(Kind::Softplus),
        "Softsign" => plain(Kind::Softsign),
        "Mish" => plain(Kind::Mish),
        "Erf" => plain(Kind::Erf),
        "Exp" => plain(Kind::Exp),
        "Log" => plain(Kind::Log),
        "Sqrt" => plain(Kind::Sqrt),
        "Abs" => plain(Kind::Abs),
        "Neg" => plain(Kind::Neg),
        "Reciprocal" => plain(Kind::Reciprocal),
        "Floor" => plain(Kind::Floor),
        "Ceil" => plain(Kind::Ceil),
        "Sign" => plain(Kind::Sign),
        "Round" => plain(Kind::Round),
        "ThresholdedRelu" => Ok(Activation::new(Kind::ThresholdedRelu, node.float("alpha", 1.0)?, 0.0)),
        "Shrink" => Ok(Activation::new(Kind::Shrink, node.float("lambd", 0.5)?, node.float("bias", 0.0)?)),
        other => Err(unsupported(format!("the function {other} is not supported"))),
    }
}

fn unary(cx: &mut Context<'_, '_>) -> Result<Vec<Operand>> {
    let operand = cx.operand(0)?;
    let activation = activation(cx.node)?;
    Ok(vec![evaluated(cx, &operand, activation)?])
}

/// `max(x, 0) + min(α · (exp(x / α) − 1), 0)` is `α · elu(x / α)`.
fn celu(cx: &mut Context<'_, '_>) -> Result<Vec<Operand>> {
    let alpha = cx.node.float("alpha", 1.0)?;
    if alpha == 0.0 || !alpha.is_finite() {
        return Err(invalid(format!("alpha is {alpha}")));
    }
    let times = |cx: &mut Context<'_, '_>, x: &Operand, factor: f32| match factor {
        1.0 => Ok(x.clone()),
        _ => {
            let factor = Operand::Constant(Tensor::new([], Constant::f32([factor]))?);
            apply(cx, BinaryKind::Mul, x, &factor)
        }
    };
    let x = cx.operand(0)?;
    let x = times(cx, &x, alpha.recip())?;
    let input = cx.value(&x)?;
    let activation = Activation::new(ActivationKind::Elu, 1.0, 0.0);
    let y = Operand::Value(cx.emit(Op::Unary(Unary { input, activation }))?);
    Ok(vec![times(cx, &y, alpha)?])
}

/// `min(max(x, low), high)`: attributes before operator set 11, operands since; both may be missing.
fn clip(cx: &mut Context<'_, '_>) -> Result<Vec<Operand>> {
    let operand = cx.operand(0)?;
    if cx.node.opset < 11 {
        let (low, high) = (cx.node.float("min", f32::MIN)?, cx.node.float("max", f32::MAX)?);
        return clipped(cx, &operand, low, high);
    }
    if let (Some(Operand::Constant(_)) | None, Some(Operand::Constant(_)) | None, Operand::Value(_)) =
        (cx.optional(1)?, cx.optional(2)?, &operand)
    {
        let (low, high) = (limit(cx, 1)?.unwrap_or(f32::MIN), limit(cx, 2)?.unwrap_or(f32::MAX));
        return clipped(cx, &operand, low, high);
    }
    let mut result = operand;
    for (i, kind) in [(1, BinaryKind::Max), (2, BinaryKind::Min)] {
        if let Some(limit) = cx.optional(i)? {
            result = apply(cx, kind, &result, &limit)?;
        }
    }
    Ok(vec![result])
}

fn clipped(cx: &mut Context<'_, '_>, operand: &Operand, low: f32, high: f32) -> Result<Vec<Operand>> {
    let activation = Activation::new(ActivationKind::Clip, low, high);
    let input = cx.value(operand)?;
    Ok(vec![Operand::Value(cx.emit(Op::Unary(Unary { input, activation }))?)])
}

/// The one number of a limit.
fn limit(cx: &Context<'_, '_>, i: usize) -> Result<Option<f32>> {
    match cx.floats(i)?.as_deref() {
        None => Ok(None),
        Some(&[limit]) => Ok(Some(limit)),
        Some(other) => Err(invalid(format!("a limit of {} numbers", other.len()))),
    }
}
