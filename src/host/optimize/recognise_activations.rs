//! Recognises activations that a model spells out in several operators.

use crate::device::kernel::params::BinaryKind;
use crate::device::tensor::{Activation, ActivationKind};
use crate::host::Result;
use crate::host::graph::{Affine, Binary, Graph, Op, Unary, Uses, ValueId};

use super::rewrite::{producer_op, rewrite_nodes, set_op, uniform_affine};

/// `k · x · gate(x)` is one of the activations that gate themselves:
///
/// | function | gate, up to a factor |
/// |---|---|
/// | `Silu` | `sigmoid(x)` |
/// | `HardSwish` | hard sigmoid with slope 1/6 and offset 1/2, or `clip(x + 3, 0, 6) / 6` |
/// | `Mish` | `tanh(softplus(x))` |
/// | `Gelu` | `(1 + erf(x/√2)) / 2` |
/// | `GeluTanh` | `(1 + tanh(√(2/π) · (x + 0.044715·x³))) / 2` |
///
/// `max` and `min` with one constant are clips, a PReLU with one slope is a leaky ReLU.
///
/// # Errors
/// If the graph contradicts itself.
pub fn recognise_activations(graph: &mut Graph) -> Result<bool> {
    rewrite_nodes(graph, |graph, uses, id, op| {
        let found = match op {
            Op::Binary(op) if op.activation.is_identity() => {
                gated(graph, uses, op, 1.0).or_else(|| with_one_constant(graph, op))
            }
            Op::Affine(op) if op.activation.is_identity() => scaled(graph, uses, op),
            _ => None,
        };
        let Some((input, activation)) = found else { return Ok(false) };
        set_op(graph, id, Op::Unary(Unary { input, activation }));
        Ok(true)
    })
}

/// `k · (x · gate(x))`
fn scaled(graph: &Graph, uses: &Uses, op: &Affine) -> Option<(ValueId, Activation)> {
    let is_zero = |data: &[f32]| data.iter().all(|x| *x == 0.0);
    let factor = super::rewrite::uniform(graph, op.scale)
        .filter(|_| graph.constant_f32(op.shift).is_some_and(is_zero))?;
    match producer_op(graph, uses, op.input)? {
        Op::Binary(product) if product.activation.is_identity() => gated(graph, uses, product, factor),
        _ => None,
    }
}

/// `factor · x · gate(x)`, where `x` and the gate may bring factors of their own.
fn gated(graph: &Graph, uses: &Uses, product: &Binary, factor: f32) -> Option<(ValueId, Activation)> {
    if product.kind != BinaryKind::Mul {
        return None;
    }
    let orders = [(product.a, product.b), (product.b, product.a)];
    orders.into_iter().find_map(|(x, gate)| {
        let whole = [Some((1.0, 0.0, x)), uniform_affine(graph, uses, x)];
        whole.into_iter().flatten().filter(|(_, shift, _)| *shift == 0.0).find_map(|(scale, _, x)| {
            let kind = self_gate(graph, uses, x, gate, factor * scale)?;
            Some((x, Activation::plain(kind)))
        })
    })
}

/// The activation that `factor · x · gate` is.
fn self_gate(graph: &Graph, uses: &Uses, x: ValueId, gate: ValueId, factor: f32) -> Option<ActivationKind> {
    let (scale, shift, inner) = uniform_affine(graph, uses, gate).unwrap_or((1.0, 0.0, gate));
    let Op::Unary(inner) = producer_op(graph, uses, inner)? else { return None };
    let Activation { a, b, .. } = inner.activation;
    let gate = |scale_wanted: f32, shift_wanted: f32| {
        near(scale * factor, scale_wanted) && near(shift * factor, shift_wanted)
    };
    let of_x = |wanted: f32, summand: f32, input: ValueId| {
        let found = uniform_affine(graph, uses, input);
        found.is_some_and(|(scale, shift, base)| base == x && near(scale, wanted) && near(shift, summand))
    };
    let is_x = inner.input == x;
    match inner.activation.kind()? {
        ActivationKind::Sigmoid if is_x && gate(1.0, 0.0) => Some(ActivationKind::Silu),
        ActivationKind::HardSigmoid if is_x && gate(1.0, 0.0) && near(a, 1.0 / 6.0) && b == 0.5 => {
            Some(ActivationKind::HardSwish)
        }
        ActivationKind::Clip
            if (a, b) == (0.0, 6.0) && gate(1.0 / 6.0, 0.0) && of_x(1.0, 3.0, inner.input) =>
        {
            Some(ActivationKind::HardSwish)
        }
        ActivationKind::Erf if gate(0.5, 0.5) && of_x(core::f32::consts::FRAC_1_SQRT_2, 0.0, inner.input) => {
            Some(ActivationKind::Gelu)
        }
        ActivationKind::Tanh if gate(1.0, 0.0) && is_softplus(graph, uses, inner.input, x) => {
            Some(ActivationKind::Mish)
        }
        ActivationKind::Tanh if gate(0.5, 0.5) && is_cubic(graph, uses, inner.input, x) => {
            Some(ActivationKind::GeluTanh)
        }
        _ => None,
    }
}

/// Equal, but for how a writer rounds constants.
fn near(a: f32, b: f32) -> bool {
    (a - b).abs() <= 1e-6 * b.abs()
}

fn is_softplus(graph: &Graph, uses: &Uses, value: ValueId, x: ValueId) -> bool {
    let softplus = Activation::plain(ActivationKind::Softplus);
    matches!(producer_op(graph, uses, value), Some(Op::Unary(op)) if op.input == x && op.activation == softplus)
}

/// `√(2/π) · (x + 0.044715·x³)`
fn is_cubic(graph: &Graph, uses: &Uses, value: ValueId, x: ValueId) -> bool {
    let Some((scale, 0.0, sum)) = uniform_affine(graph, uses, value) else { return false };
    let Some(Op::Binary(Binary { a, b, kind: BinaryKind::Add, activation })) = producer_op(graph, uses, sum)
    else {
        return false;
    };
    let cube = if *a == x { *b } else { *a };
    let Some((factor, 0.0, cube)) = uniform_affine(graph, uses, cube) else { return false };
    activation.is_identity()
        && (*a == x || *b == x)
        && near(scale, 0.797_884_6)
        && near(factor, 0.044_715)
        && is_cube(graph, uses, cube, x)
}

/// `x³`, as a power or as products.
fn is_cube(graph: &Graph, uses: &Uses, value: ValueId, x: ValueId) -> bool {
    let plain = |value: ValueId| match producer_op(graph, uses, value) {
        Some(Op::Binary(op)) if op.activation.is_identity() => Some(op),
        _ => None,
    };
    let Some(op) = plain(value) else { return false };
    let is_square =
        |value: ValueId| plain(value).is_some_and(|op| (op.a, op.b, op.kind) == (x, x, BinaryKind::Mul));
    match op.kind {
        BinaryKind::Pow => op.a == x && super::rewrite::uniform(graph, op.b) == Some(3.0),
        BinaryKind::Mul => (op.a == x && is_square(op.b)) || (op.b == x && is_square(op.a)),
        _ => false,
    }
}

/// `max(x, c)`, `min(x, c)`, PReLU with slope `c`
fn with_one_constant(graph: &Graph, binary: &Binary) -> Option<(ValueId, Activation)> {
    let single = |id| graph.constant_f32(id).filter(|data| data.len() == 1).map(|data| data[0]);
    let (input, constant, c) = match (single(binary.a), single(binary.b)) {
        (None, Some(c)) => (binary.a, binary.b, c),
        (Some(c), None) if binary.kind != BinaryKind::Prelu => (binary.b, binary.a, c),
        _ => return None,
    };
    let clip = |low, high| Activation::new(ActivationKind::Clip, low, high);
    let activation = match binary.kind {
        BinaryKind::Max if c == 0.0 => Activation::RELU,
        BinaryKind::Max => clip(c, f32::INFINITY),
        BinaryKind::Min => clip(f32::NEG_INFINITY, c),
        BinaryKind::Prelu => Activation::new(ActivationKind::LeakyRelu, c, 0.0),
        _ => return None,
    };
    let keeps_shape = graph.shape(constant).rank() <= graph.shape(input).rank();
    (keeps_shape && !c.is_nan()).then_some((input, activation))
}
