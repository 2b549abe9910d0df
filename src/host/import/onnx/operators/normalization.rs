//! Normalisations: `BatchNormalization` (since 6, 7, 9, 14, 15) with constant statistics; `LayerNormalization` (17),
//! `InstanceNormalization` (6), `GroupNormalization` (18, 21) and `MeanVarianceNormalization` (9, 13) by the data's own.

use crate::device::kernel::params::BinaryKind;
use crate::device::tensor::Activation;
use crate::host::Result;
use crate::host::graph::{BatchNorm, Constant, Normalize, Op, Reshape, ValueId};
use crate::host::import::numbers::check_variance;

use super::super::Tensor;
use super::super::context::Context;
use super::super::layout::stored;
use super::super::model::Node;
use super::super::number::index;
use super::super::scope::shape_of;
use super::super::tensor::element_count;
use super::elementwise::apply;
use super::{Operand, Operator, axes_of, axis_of, count, invalid, unsupported};

pub(super) const OPERATORS: &[Operator] = &[
    Operator::new("BatchNormalization", batch_norm).checked(check),
    Operator::new("LayerNormalization", layer_norm).checked(check_layer_norm),
    Operator::new("InstanceNormalization", instance_norm),
    Operator::new("GroupNormalization", group_norm),
    Operator::new("MeanVarianceNormalization", mean_variance_norm),
];

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
    check_variance(cx.node.input(4).unwrap_or_default(), variance.data().as_f32().unwrap_or_default())?;
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

/// What `MeanVarianceNormalization` adds to the standard deviation is 10⁻⁹; this is its square, which is added to the variance.
const MEAN_VARIANCE_EPSILON: f32 = 1e-18;

fn check_layer_norm(node: &Node<'_>) -> Result<()> {
    if node.wants(1) || node.wants(2) {
        return Err(
            unsupported("its mean or deviation is read").remedy("export the model in evaluation mode")
        );
    }
    Ok(())
}

/// All axes from one on. Scale and bias broadcast to them.
fn layer_norm(cx: &mut Context<'_, '_>) -> Result<Vec<Operand>> {
    let x = cx.operand(0)?;
    let dims = cx.dims(&x);
    let axis = axis_of(cx.node.int("axis", -1)?, dims.len())?;
    let epsilon = cx.node.float("epsilon", 1e-5)?;
    let (scale, shift) = (cx.optional(1)?, cx.optional(2)?);
    let normal = match (whole(cx, &scale, &dims[axis..])?, whole(cx, &shift, &dims[axis..])?) {
        (Some(scale), Some(shift)) => return Ok(vec![last_axes(cx, &x, axis, [scale, shift], epsilon)?]),
        _ => last_axes(cx, &x, axis, [None, None], epsilon)?,
    };
    Ok(vec![scaled(cx, normal, scale, shift)?])
}

/// A constant expanded to these dimensions, `Some(None)` if there is no operand; `None` if it is no constant.
fn whole(
    cx: &mut Context<'_, '_>,
    operand: &Option<Operand>,
    dims: &[u32],
) -> Result<Option<Option<Tensor>>> {
    match operand {
        None => Ok(Some(None)),
        Some(Operand::Value(_) | Operand::Mask(_)) => Ok(None),
        Some(Operand::Constant(tensor)) => {
            cx.charge(dims)?;
            tensor.expanded(dims).map(|tensor| Some(Some(tensor)))
        }
    }
}

/// `x · scale + shift` with broadcast, where they are given.
fn scaled(
    cx: &mut Context<'_, '_>,
    x: Operand,
    scale: Option<Operand>,
    shift: Option<Operand>,
) -> Result<Operand> {
    let mut result = x;
    for (kind, operand) in [(BinaryKind::Mul, scale), (BinaryKind::Add, shift)] {
        if let Some(operand) = operand {
            result = apply(cx, kind, &result, &operand)?;
        }
    }
    Ok(result)
}

/// Normalises all axes from `axis` on together; scale and shift have their dimensions.
fn last_axes(
    cx: &mut Context<'_, '_>,
    x: &Operand,
    axis: usize,
    [scale, shift]: [Option<Tensor>; 2],
    epsilon: f32,
) -> Result<Operand> {
    let dims = cx.dims(x);
    let rank = dims.len();
    // A picture's channels, rows and columns are normalised in the order in which they are stored.
    let as_stored = rank == 4 && axis == 1;
    let order: &[usize] = if as_stored { &[1, 2, 0] } else { &[] };
    let mut vector = |tensor: Option<Tensor>, role: &str| -> Result<Option<ValueId>> {
        let Some(tensor) = tensor else { return Ok(None) };
        let ordered = if order.is_empty() { tensor } else { tensor.transposed(order)? };
        let len = element_count(ordered.dims()).unwrap_or(0);
        cx.store_vector(&ordered, len, role).map(Some)
    };
    let (scale, shift) = (vector(scale, "scale")?, vector(shift, "shift")?);
    let activation = Activation::IDENTITY;
    let norm = |input, axis| Normalize { input, axis, groups: 1, scale, shift, epsilon, activation };
    if axis + 1 == rank && rank != 4 {
        let input = cx.value(x)?;
        return Ok(Operand::Value(cx.emit(Op::Normalize(norm(input, axis)))?));
    }
    if axis + 1 == rank {
        // Stored last, the model's last axis is that of the channels.
        let turned = cx.transpose(x, &[0, 3, 1, 2])?;
        let input = cx.value(&turned)?;
        let value = cx.emit(Op::Normalize(norm(input, 3)))?;
        return cx.transpose(&Operand::Value(value), &[0, 2, 3, 1]);
    }
    let [outer, len] = [product(&dims[..axis])?, product(&dims[axis..])?];
    if as_stored {
        let input = cx.value(x)?;
        let shape = cx.emit(Op::Reshape(Reshape { input, shape: shape_of(&[outer, len])? }))?;
        let value = cx.emit(Op::Normalize(norm(shape, 1)))?;
        let shape = shape_of(&stored(&dims))?;
        return Ok(Operand::Value(cx.emit(Op::Reshape(Reshape { input: value, shape }))?));
    }
    let rows = cx.reshape(x, &[outer, len])?;
    let input = cx.value(&rows)?;
    let value = cx.emit(Op::Normalize(norm(input, 1)))?;
    cx.reshape(&Operand::Value(value), &dims)
}

fn product(dims: &[u32]) -> Result<u32> {
    element_count(dims).ok_or_else(|| invalid(format!("{dims:?} has 2³² elements or more")))
}

/// Each channel of each picture; scale and bias have one element a channel.
fn instance_norm(cx: &mut Context<'_, '_>) -> Result<Vec<Operand>> {
    let x = cx.operand(0)?;
    let channels = channels(cx, &x)?;
    Ok(vec![grouped(cx, &x, channels)?])
}

/// Channels in groups. Scale and bias have one element a group in operator set 18, one a channel since 21.
fn group_norm(cx: &mut Context<'_, '_>) -> Result<Vec<Operand>> {
    let x = cx.operand(0)?;
    let (channels, groups) = (channels(cx, &x)?, count(cx.node.int("num_groups", 0)?, "num_groups")?);
    if groups == 0 || !channels.is_multiple_of(groups) {
        return Err(invalid(format!("{groups} groups do not divide {channels} channels")));
    }
    Ok(vec![grouped(cx, &x, groups)?])
}

fn channels(cx: &Context<'_, '_>, x: &Operand) -> Result<u32> {
    let dims = cx.dims(x);
    dims.get(1).copied().ok_or_else(|| invalid(format!("{dims:?} has no channels")))
}

/// Groups of channels (axis 1), each with all that is behind them; operands 1 and 2 are scale and bias.
fn grouped(cx: &mut Context<'_, '_>, x: &Operand, groups: u32) -> Result<Operand> {
    let dims = cx.dims(x);
    let channels = channels(cx, x)?;
    let epsilon = cx.node.float("epsilon", 1e-5)?;
    let (scale, shift) = (each_channel(cx, 1, channels, 1.0)?, each_channel(cx, 2, channels, 0.0)?);
    let activation = Activation::IDENTITY;
    if dims.len() == 2 || dims.len() == 4 {
        let mut store = |tensor: Option<Tensor>, role: &str| {
            tensor.map(|tensor| cx.store_vector(&tensor, channels, role)).transpose()
        };
        let (scale, shift) = (store(scale, "scale")?, store(shift, "shift")?);
        let input = cx.value(x)?;
        let op = Normalize { input, axis: 1, groups, scale, shift, epsilon, activation };
        return Ok(Operand::Value(cx.emit(Op::Normalize(op))?));
    }
    let rows = dims.first().copied().unwrap_or(1).checked_mul(groups);
    let rows = rows.filter(|rows| *rows > 0).ok_or_else(|| invalid("too many groups"))?;
    let rows = cx.reshape(x, &[rows, product(&dims)? / rows])?;
    let input = cx.value(&rows)?;
    let op = Normalize { input, axis: 1, groups: 1, scale: None, shift: None, epsilon, activation };
    let value = cx.emit(Op::Normalize(op))?;
    let normal = cx.reshape(&Operand::Value(value), &dims)?;
    let mut along = vec![1; dims.len()];
    along[1] = channels;
    let operand = |tensor: Option<Tensor>| -> Result<Option<Operand>> {
        tensor.map(|tensor| tensor.reshaped(&along).map(Operand::Constant)).transpose()
    };
    scaled(cx, normal, operand(scale)?, operand(shift)?)
}

/// A constant operand with one element a channel, or one for each of some equal groups of them; `None` if it is `neutral`
/// throughout.
fn each_channel(cx: &mut Context<'_, '_>, i: usize, channels: u32, neutral: f32) -> Result<Option<Tensor>> {
    let Some(floats) = cx.floats(i)? else { return Ok(None) };
    if floats.iter().all(|x| *x == neutral) {
        return Ok(None);
    }
    let len = u32::try_from(floats.len()).unwrap_or(u32::MAX);
    if len == 0 || !channels.is_multiple_of(len) {
        return Err(invalid(format!("operand {i} has {len} elements for {channels} channels")));
    }
    if len == channels {
        return cx.constant(i).map(Some);
    }
    cx.charge(&[channels])?;
    let each = index(channels / len);
    let data: Vec<f32> = floats.iter().flat_map(|x| std::iter::repeat_n(*x, each)).collect();
    Tensor::new([channels], Constant::f32(data)).map(Some)
}

/// Any axes, `[0, 2, 3]` unless said otherwise; without scale and bias.
fn mean_variance_norm(cx: &mut Context<'_, '_>) -> Result<Vec<Operand>> {
    let x = cx.operand(0)?;
    let dims = cx.dims(&x);
    let rank = dims.len();
    let axes = axes_of(cx.node.ints("axes")?.unwrap_or(&[0, 2, 3]), rank)?;
    let kept: Vec<usize> = (0..rank).filter(|axis| !axes.contains(axis)).collect();
    let (epsilon, activation) = (MEAN_VARIANCE_EPSILON, Activation::IDENTITY);
    if rank == 4 && (kept == [1] || kept == [0, 1]) {
        let input = cx.value(&x)?;
        let (axis, groups) = (kept.len() - 1, dims[1]);
        let op = Normalize { input, axis, groups, scale: None, shift: None, epsilon, activation };
        return Ok(vec![Operand::Value(cx.emit(Op::Normalize(op))?)]);
    }
    let perm: Vec<usize> = kept.iter().copied().chain((0..rank).filter(|axis| axes.contains(axis))).collect();
    let mut back = vec![0; rank];
    for (place, axis) in perm.iter().enumerate() {
        back[*axis] = place;
    }
    let turned = cx.transpose(&x, &perm)?;
    let normal = last_axes(cx, &turned, kept.len(), [None, None], epsilon)?;
    Ok(vec![cx.transpose(&normal, &back)?])
}
