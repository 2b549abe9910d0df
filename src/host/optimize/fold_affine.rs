//! Folds affine functions into the weights before them.

use alloc::format;
use alloc::vec::Vec;

use crate::device::tensor::Shape;
use crate::host::Result;
use crate::host::graph::{Affine, Constant, Floats, Graph, NodeId, Normalize, Op, Uses, ValueId};

use super::rewrite::{exclusive_producer, revise_constant, rewrite_nodes, take_over};

/// An affine function that alone reads a convolution, a dense layer, a normalisation or another affine function becomes part of it:
/// `(W·x + b) · s + t = (s·W)·x + (s·b + t)`. Its activation goes along. A producer with a residual or an activation of its own
/// stays as it is.
///
/// # Errors
/// If the graph contradicts itself.
pub fn fold_affine(graph: &mut Graph) -> Result<bool> {
    rewrite_nodes(graph, |graph, uses, id, op| {
        let Op::Affine(affine) = op else { return Ok(false) };
        let Some(producer) = exclusive_producer(graph, uses, affine.input) else { return Ok(false) };
        let Some(folded) = fold(graph, uses, producer, affine)? else { return Ok(false) };
        take_over(graph, producer, id, folded);
        Ok(true)
    })
}

/// What `producer` must compute so that the affine function is part of it.
fn fold(graph: &mut Graph, uses: &Uses, producer: NodeId, affine: &Affine) -> Result<Option<Op>> {
    let Some(mut op) = graph.node(producer).map(|node| node.op.clone()) else { return Ok(None) };
    let parts = match &mut op {
        Op::Conv(op) if op.residual.is_none() => {
            (&mut op.weight, &mut op.bias, &mut op.activation, Outputs::First)
        }
        Op::Dense(op) => (&mut op.weight, &mut op.bias, &mut op.activation, Outputs::First),
        Op::ConvTranspose(op) if op.residual.is_none() => {
            (&mut op.weight, &mut op.bias, &mut op.activation, Outputs::Last { groups: op.groups as usize })
        }
        Op::Affine(inner) if inner.activation.is_identity() => return merge(graph, uses, inner, affine),
        Op::Normalize(inner) if inner.activation.is_identity() => return scaled(graph, inner, affine),
        _ => return Ok(None),
    };
    let (weight, bias, activation, outputs) = parts;
    if !activation.is_identity() {
        return Ok(None);
    }
    let Some(scaled) = scaled_weight(graph, *weight, affine, outputs) else { return Ok(None) };
    let Some(shifted) = shifted_bias(graph, *bias, affine) else { return Ok(None) };
    *activation = affine.activation;
    *weight = revise_constant(graph, uses, *weight, scaled)?;
    *bias = Some(match *bias {
        Some(bias) => revise_constant(graph, uses, bias, shifted.into())?,
        None => add_bias(graph, *weight, shifted)?,
    });
    Ok(Some(op))
}

/// Where the weight's output channels are.
#[derive(Clone, Copy)]
enum Outputs {
    /// The first axis: `[out, …]`.
    First,
    /// The last axis and, outermost in the first one, the group: `[in, kh, kw, out/groups]`.
    Last { groups: usize },
}

/// `s·W`
fn scaled_weight(graph: &Graph, weight: ValueId, affine: &Affine, outputs: Outputs) -> Option<Floats> {
    let (floats, scale) = (graph.floats(weight)?, graph.constant_f32(affine.scale)?);
    let in_file = || floats.scaled_in_file(scale);
    if let Some(scaled) = matches!(outputs, Outputs::First).then(in_file).flatten() {
        return Some(scaled);
    }
    let data: &[f32] = floats;
    let scaled: Vec<f32> = match outputs {
        Outputs::First => {
            let filter = data.len() / scale.len();
            data.iter().enumerate().map(|(i, w)| w * scale[i / filter]).collect()
        }
        Outputs::Last { groups } => {
            let (group_len, depth) = (data.len() / groups, scale.len() / groups);
            let channel = |i: usize| i / group_len * depth + i % depth;
            data.iter().enumerate().map(|(i, w)| w * scale[channel(i)]).collect()
        }
    };
    Some(scaled.into())
}

/// `s·b + t`
fn shifted_bias(graph: &Graph, bias: Option<ValueId>, affine: &Affine) -> Option<Vec<f32>> {
    let (scale, shift) = (graph.constant_f32(affine.scale)?, graph.constant_f32(affine.shift)?);
    let Some(bias) = bias else { return Some(shift.to_vec()) };
    let bias = graph.constant_f32(bias)?;
    Some(compose(scale, bias, shift))
}

/// `scale · x + shift`, in `f64`.
fn compose(scale: &[f32], x: &[f32], shift: &[f32]) -> Vec<f32> {
    let terms = scale.iter().zip(x).zip(shift);
    terms.map(|((&s, &x), &t)| (f64::from(s) * f64::from(x) + f64::from(t)) as f32).collect()
}

/// `(x·s₁ + t₁)·s₂ + t₂ = x·(s₁s₂) + (t₁s₂ + t₂)`
fn merge(graph: &mut Graph, uses: &Uses, inner: &Affine, outer: &Affine) -> Result<Option<Op>> {
    let data = |id| graph.constant_f32(id);
    let constants = (data(inner.scale), data(inner.shift), data(outer.scale), data(outer.shift));
    let (Some(s1), Some(t1), Some(s2), Some(t2)) = constants else { return Ok(None) };
    let product: Vec<f32> = s1.iter().zip(s2).map(|(a, b)| a * b).collect();
    let sum = compose(s2, t1, t2);
    let scale = revise_constant(graph, uses, inner.scale, product.into())?;
    let shift = revise_constant(graph, uses, inner.shift, sum.into())?;
    Ok(Some(Op::Affine(Affine { input: inner.input, scale, shift, activation: outer.activation })))
}

/// `(z·s₁ + t₁)·s₂ + t₂` of a normalised `z`, where `s₁` and `t₁` may be absent.
fn scaled(graph: &mut Graph, inner: &Normalize, outer: &Affine) -> Result<Option<Op>> {
    let (Some(s2), Some(t2)) = (graph.constant_f32(outer.scale), graph.constant_f32(outer.shift)) else {
        return Ok(None);
    };
    let shape = Shape::vector(s2.len() as u32);
    let own = |value: Option<ValueId>| value.map(|value| graph.constant_f32(value));
    let (product, sum) = match (own(inner.scale), own(inner.shift)) {
        (Some(None), _) | (_, Some(None)) => return Ok(None),
        (s1, t1) => {
            let product = s1.flatten().map(|s1| s1.iter().zip(s2).map(|(a, b)| a * b).collect());
            (product, t1.flatten().map(|t1| compose(s2, t1, t2)))
        }
    };
    let mut constant = |data: Option<Vec<f32>>, other: ValueId, part: &str| match data {
        Some(data) => {
            let name = format!("{}.{part}", graph.value(other).name);
            graph.add_constant(name, shape, Constant::f32(data))
        }
        None => Ok(other),
    };
    let scale = Some(constant(product, outer.scale, "scale")?);
    let shift = Some(constant(sum, outer.shift, "shift")?);
    Ok(Some(Op::Normalize(Normalize { scale, shift, activation: outer.activation, ..inner.clone() })))
}

fn add_bias(graph: &mut Graph, weight: ValueId, bias: Vec<f32>) -> Result<ValueId> {
    let name = format!("{}.bias", graph.value(weight).name);
    graph.add_constant(name, Shape::vector(bias.len() as u32), Constant::f32(bias))
}
