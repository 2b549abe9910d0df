//! Recognises activations that a model spells out in several operators.

use crate::device::kernel::params::BinaryKind;
use crate::device::tensor::{Activation, ActivationKind};
use crate::host::Result;
use crate::host::graph::{Binary, Graph, Op, Unary, Uses, ValueId};

use super::rewrite::{producer_op, rewrite_nodes, set_op};

/// `x · sigmoid(x)` is swish (`Silu`), `x · hard_sigmoid(x)` with slope 1/6 and offset 1/2 is hard swish, `max` and `min` with one
/// constant are clips, a PReLU with one slope is a leaky ReLU.
///
/// # Errors
/// If the graph contradicts itself.
pub fn recognise_activations(graph: &mut Graph) -> Result<bool> {
    rewrite_nodes(graph, |graph, uses, id, op| {
        let Op::Binary(binary) = op else { return Ok(false) };
        if !binary.activation.is_identity() {
            return Ok(false);
        }
        let found = gated(graph, uses, binary).or_else(|| with_one_constant(graph, binary));
        let Some((input, activation)) = found else { return Ok(false) };
        set_op(graph, id, Op::Unary(Unary { input, activation }));
        Ok(true)
    })
}

/// `x · gate(x)`
fn gated(graph: &Graph, uses: &Uses, binary: &Binary) -> Option<(ValueId, Activation)> {
    if binary.kind != BinaryKind::Mul {
        return None;
    }
    [(binary.a, binary.b), (binary.b, binary.a)].into_iter().find_map(|(input, gate)| {
        let Op::Unary(gate) = producer_op(graph, uses, gate)? else { return None };
        let Activation { a, b, .. } = gate.activation;
        let kind = match gate.activation.kind()? {
            ActivationKind::Sigmoid => ActivationKind::Silu,
            ActivationKind::HardSigmoid if (a - 1.0 / 6.0).abs() < 1e-6 && b == 0.5 => {
                ActivationKind::HardSwish
            }
            _ => return None,
        };
        (gate.input == input).then(|| (input, Activation::plain(kind)))
    })
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
