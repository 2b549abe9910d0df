//! Expresses normalisations and arithmetic with one constant a channel as the affine function that they are.

use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use crate::device::kernel::params::BinaryKind;
use crate::device::tensor::{Activation, Shape};
use crate::host::Result;
use crate::host::graph::{Affine, BatchNorm, Binary, Constant, Graph, NodeId, Op, ValueId};

use super::rewrite::{rewrite_nodes, set_op};

/// Batch normalisation, `x + c`, `x − c`, `c − x`, `x · c` and `x / c` with a constant for each channel (or one for all)
/// become `x · scale + shift`.
///
/// # Errors
/// If the graph contradicts itself.
pub fn express_as_affine(graph: &mut Graph) -> Result<bool> {
    rewrite_nodes(graph, |graph, _, id, op| {
        let found = match op {
            Op::BatchNorm(norm) => normalisation(graph, norm),
            Op::Binary(binary) => arithmetic(graph, binary),
            _ => None,
        };
        let Some(found) = found else { return Ok(false) };
        replace(graph, id, found)?;
        Ok(true)
    })
}

/// Expresses batch normalisations alone, for which there is no kernel: compile runs this even if nothing is to be optimised.
/// One whose parameters are no constants stays.
///
/// # Errors
/// If the graph contradicts itself.
pub fn legalize(graph: &mut Graph) -> Result<bool> {
    rewrite_nodes(graph, |graph, _, id, op| {
        let Op::BatchNorm(norm) = op else { return Ok(false) };
        let Some(found) = normalisation(graph, norm) else { return Ok(false) };
        replace(graph, id, found)?;
        Ok(true)
    })
}

/// An affine function that a node of the graph amounts to.
struct Found {
    op: Affine,
    scale: Vec<f32>,
    shift: Vec<f32>,
}

/// `scale' = scale / √(variance + ε)` and `shift' = bias − mean · scale'`, in `f64`.
fn normalisation(graph: &Graph, norm: &BatchNorm) -> Option<Found> {
    let data = |id| graph.constant_f32(id);
    let factors: Vec<f64> = (data(norm.scale)?.iter().zip(data(norm.variance)?))
        .map(|(&scale, &variance)| {
            f64::from(scale) / libm::sqrt(f64::from(variance) + f64::from(norm.epsilon))
        })
        .collect();
    let terms = data(norm.bias)?.iter().zip(data(norm.mean)?);
    let shift =
        terms.zip(&factors).map(|((&bias, &mean), factor)| f64::from(bias) - f64::from(mean) * factor);
    let BatchNorm { input, scale, bias, .. } = *norm;
    let op = Affine { input, scale, shift: bias, activation: Activation::IDENTITY };
    let shift = shift.map(|x| x as f32).collect();
    Some(Found { op, scale: factors.into_iter().map(|x| x as f32).collect(), shift })
}

fn arithmetic(graph: &Graph, binary: &Binary) -> Option<Found> {
    let Binary { a, b, kind, activation } = *binary;
    let (input, constant, constant_is_first) = match (graph.constant_f32(a), graph.constant_f32(b)) {
        (None, Some(_)) => (a, b, false),
        (Some(_), None) => (b, a, true),
        _ => return None,
    };
    let factors = per_channel(graph, constant, graph.shape(input))?;
    let filled = |x: f32| vec![x; factors.len()];
    let (scale, shift) = match (kind, constant_is_first) {
        (BinaryKind::Add, _) => (filled(1.0), factors),
        (BinaryKind::Mul, _) => (factors.clone(), filled(0.0)),
        (BinaryKind::Sub, false) => (filled(1.0), factors.iter().map(|x| -x).collect()),
        (BinaryKind::Sub, true) => (filled(-1.0), factors),
        (BinaryKind::Div, false) => (reciprocals(&factors)?, filled(0.0)),
        _ => return None,
    };
    Some(Found { op: Affine { input, scale: constant, shift: constant, activation }, scale, shift })
}

/// The constant's element for each channel of `shape`, if it varies along no other axis and does not widen `shape`.
fn per_channel(graph: &Graph, constant: ValueId, shape: Shape) -> Option<Vec<f32>> {
    let data = graph.constant_f32(constant)?;
    let dims = graph.shape(constant);
    let channels = *shape.dims().last()? as usize;
    if dims.rank() > shape.rank() || !(data.len() == 1 || data.len() == channels) {
        return None;
    }
    let last = dims.dims().last().copied().unwrap_or(1) as usize;
    // All elements lie on the last axis, so every other one is 1.
    (last == data.len()).then(|| (0..channels).map(|c| data[c % data.len()]).collect())
}

/// `1 / x` of all, if no division is by zero and no result is subnormal (which would lose digits).
fn reciprocals(data: &[f32]) -> Option<Vec<f32>> {
    data.iter().map(|x| Some(1.0 / x).filter(|x| x.is_normal())).collect()
}

fn replace(graph: &mut Graph, id: NodeId, found: Found) -> Result<()> {
    let name = graph.node(id).map_or(String::new(), |node| node.name.clone());
    let shape = Shape::vector(found.scale.len() as u32);
    let scale = graph.add_constant(format!("{name}.scale"), shape, Constant::f32(found.scale))?;
    let shift = graph.add_constant(format!("{name}.shift"), shape, Constant::f32(found.shift))?;
    set_op(graph, id, Op::Affine(Affine { scale, shift, ..found.op }));
    Ok(())
}
