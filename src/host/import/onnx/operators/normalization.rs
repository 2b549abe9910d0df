//! `BatchNormalization` (since 6, 7, 9, 14, 15), with constant statistics.

use crate::host::Result;
use crate::host::graph::{BatchNorm, Op};

use super::super::context::Context;
use super::super::model::Node;
use super::{Operand, Operator, invalid, unsupported};

pub(super) const OPERATORS: &[Operator] = &[Operator::new("BatchNormalization", batch_norm).checked(check)];

fn check(node: &Node<'_>) -> Result<()> {
    let remedy = "export the model in evaluation mode (PyTorch: model.eval())";
    let trains =
        if node.opset < 7 { !node.flag("is_test", false)? } else { node.flag("training_mode", false)? };
    if trains || (1..node.outputs().len()).any(|i| node.wants(i)) {
        return Err(unsupported("it is in training mode, or gives statistics").remedy(remedy));
    }
    if !node.flag("spatial", true)? {
        return Err(unsupported("statistics of each pixel (spatial is 0)"));
    }
    Ok(())
}

fn batch_norm(cx: &mut Context<'_, '_>) -> Result<Vec<Operand>> {
    let x = cx.operand(0)?;
    let dims = cx.dims(&x);
    let rank = dims.len();
    let Some(&channels) = dims.get(1) else { return Err(invalid("its input has no channels")) };
    // Channels are stored last for ranks 2 and 4; other ranks get them there and back.
    let moved = rank != 2 && rank != 4;
    let last: Vec<usize> = [0].into_iter().chain(2..rank).chain([1]).collect();
    let back: Vec<usize> = [0, rank - 1].into_iter().chain(1..rank - 1).collect();
    let x = if moved { cx.transpose(&x, &last)? } else { x };
    let [scale, bias, mean, variance] = [cx.constant(1)?, cx.constant(2)?, cx.constant(3)?, cx.constant(4)?];
    let op = BatchNorm {
        input: cx.value(&x)?,
        scale: cx.store_vector(&scale, channels, "scale")?,
        bias: cx.store_vector(&bias, channels, "bias")?,
        mean: cx.store_vector(&mean, channels, "mean")?,
        variance: cx.store_vector(&variance, channels, "variance")?,
        epsilon: cx.node.float("epsilon", 1e-5)?,
    };
    let normal = Operand::Value(cx.emit(Op::BatchNorm(op))?);
    Ok(vec![if moved { cx.transpose(&normal, &back)? } else { normal }])
}
