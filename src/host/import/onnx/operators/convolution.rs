//! `Conv` (since 1, 11, 22) and `ConvTranspose` (since 1, 11, 22).

use crate::device::tensor::{Activation, Window};
use crate::host::Result;
use crate::host::graph::{Conv, ConvTranspose, Op, ValueId};

use super::super::Tensor;
use super::super::context::Context;
use super::super::layout::TO_STORAGE;
use super::super::model::Node;
use super::window::{AutoPad, Sliding, pair, picture, unpicture};
use super::{Operand, Operator, count, invalid, unsupported};

pub(super) const OPERATORS: &[Operator] = &[
    Operator::new("Conv", conv).checked(check),
    Operator::new("ConvTranspose", conv_transpose).checked(check_transposed),
];

fn check(node: &Node<'_>) -> Result<()> {
    Sliding::check(node)?;
    count(node.int("group", 1)?, "group").map(drop)
}

fn check_transposed(node: &Node<'_>) -> Result<()> {
    check(node)?;
    pair(node, "output_padding", 0)?;
    output_shape(node).map(drop)
}

fn conv(cx: &mut Context<'_, '_>) -> Result<Vec<Operand>> {
    let operand = cx.operand(0)?;
    let (x, rank) = picture(cx, &operand)?;
    let weight = weight(cx, rank)?;
    let &[outputs, _, kh, kw] = weight.dims() else { return Err(invalid("the weight is no filter")) };
    let &[_, _, h, w] = &*cx.dims(&x) else { return Err(invalid("the input is no picture")) };
    let op = Conv {
        input: cx.value(&x)?,
        weight: cx.store(&weight, &TO_STORAGE, "weight")?,
        bias: bias(cx, outputs)?,
        residual: None,
        pre_activation: None,
        window: Sliding::of(cx.node)?.convolution([kh, kw], [h, w])?,
        groups: count(cx.node.int("group", 1)?, "group")?,
        activation: Activation::IDENTITY,
    };
    let value = cx.emit(Op::Conv(op))?;
    Ok(vec![unpicture(cx, Operand::Value(value), rank)?])
}

fn conv_transpose(cx: &mut Context<'_, '_>) -> Result<Vec<Operand>> {
    let operand = cx.operand(0)?;
    let (x, rank) = picture(cx, &operand)?;
    let weight = weight(cx, rank)?;
    let groups = count(cx.node.int("group", 1)?, "group")?;
    let &[_, depth, kh, kw] = weight.dims() else { return Err(invalid("the weight is no filter")) };
    let &[_, _, h, w] = &*cx.dims(&x) else { return Err(invalid("the input is no picture")) };
    let outputs = depth.checked_mul(groups).ok_or_else(|| invalid(format!("group is {groups}")))?;
    let (window, output_padding) = transposed_window(cx.node, [kh, kw], [h, w])?;
    let op = ConvTranspose {
        input: cx.value(&x)?,
        weight: cx.store(&weight, &TO_STORAGE, "weight")?,
        bias: bias(cx, outputs)?,
        residual: None,
        window,
        output_padding,
        groups,
        activation: Activation::IDENTITY,
    };
    let value = cx.emit(Op::ConvTranspose(op))?;
    Ok(vec![unpicture(cx, Operand::Value(value), rank)?])
}

/// The constant weight as filters over pictures.
fn weight(cx: &Context<'_, '_>, rank: usize) -> Result<Tensor> {
    let weight = cx.constant(1)?;
    match *weight.dims() {
        [outputs, depth, kw] if rank == 3 => weight.reshaped(&[outputs, depth, 1, kw]),
        [_, _, _, _] if rank == 4 => Ok(weight),
        ref dims => Err(invalid(format!("a weight of {dims:?} for an input of {rank} dimensions"))),
    }
}

fn bias(cx: &mut Context<'_, '_>, outputs: u32) -> Result<Option<ValueId>> {
    match cx.optional_constant(2)? {
        Some(bias) => cx.store_vector(&bias, outputs, "bias").map(Some),
        None => Ok(None),
    }
}

/// Window and output padding of a transposed convolution. Where `output_shape` or `auto_pad` fixes the output's size, padding
/// is what is too much of `stride·(input − 1) + span + output_padding`, an odd element before (behind for `SAME_UPPER`); if it
/// is too little, output padding makes it up.
fn transposed_window(node: &Node<'_>, taps: [u32; 2], input: [u32; 2]) -> Result<(Window, [u32; 2])> {
    let sliding = Sliding::of(node)?;
    let mut window = sliding.transposed(taps)?;
    let mut output_padding = pair(node, "output_padding", 0)?.unwrap_or_default();
    let output = output_shape(node)?;
    let axes = [&mut window.y, &mut window.x].into_iter().zip(&mut output_padding).zip(input).enumerate();
    for (k, ((axis, extra), input)) in axes {
        let wanted = match (output, sliding.auto_pad) {
            (Some(output), _) => i64::from(output[k]),
            (None, AutoPad::SameUpper | AutoPad::SameLower) => i64::from(input) * i64::from(axis.stride),
            (None, AutoPad::Valid) => {
                (axis.pad_before, axis.pad_after) = (0, 0);
                continue;
            }
            (None, AutoPad::Explicit) => continue,
        };
        let span = i64::try_from(axis.span()).unwrap_or(i64::MAX);
        let full = i64::from(axis.stride) * (i64::from(input) - 1) + span + i64::from(*extra);
        let total = count((full - wanted).max(0), "automatic padding")?;
        *extra += count((wanted - full).max(0), "automatic output padding")?;
        let half = total / 2;
        let before = if sliding.auto_pad == AutoPad::SameUpper { half } else { total - half };
        (axis.pad_before, axis.pad_after) = (before, total - before);
    }
    Ok((window, output_padding))
}

/// The attribute `output_shape`: rows and columns, which some writers put behind batch and channels.
fn output_shape(node: &Node<'_>) -> Result<Option<[u32; 2]>> {
    match node.ints("output_shape")? {
        Some(&[_, _, height, width]) => Ok(Some([count(height, "a size")?, count(width, "a size")?])),
        Some(&[_, _, _]) => Err(unsupported("output_shape has three numbers")),
        _ => pair(node, "output_shape", 1),
    }
}
