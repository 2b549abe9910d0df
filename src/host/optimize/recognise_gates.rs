//! Recognises Highway's gate.

use alloc::format;

use crate::device::kernel::params::BinaryKind;
use crate::device::tensor::Activation;
use crate::host::Result;
use crate::host::graph::{Binary, Graph, NodeId, Op, Uses, ValueId};

use super::rewrite::{exclusive_producer, rewrite_nodes, set_op, uniform_affine};

/// `t · h + (1 − t) · x` becomes `x + t · (h − x)`: one operator and one tensor less. Nothing but this sum may read the products.
///
/// # Errors
/// If the graph contradicts itself.
pub fn recognise_gates(graph: &mut Graph) -> Result<bool> {
    rewrite_nodes(graph, |graph, uses, id, op| {
        let Op::Binary(sum) = op else { return Ok(false) };
        let Some(gate) = find(graph, uses, sum) else { return Ok(false) };
        replace(graph, id, sum, &gate)?;
        Ok(true)
    })
}

/// `t · h + (1 − t) · x`
struct Gate {
    t: ValueId,
    h: ValueId,
    x: ValueId,
}

fn find(graph: &Graph, uses: &Uses, sum: &Binary) -> Option<Gate> {
    if sum.kind != BinaryKind::Add {
        return None;
    }
    let (a, b) = (product(graph, uses, sum.a)?, product(graph, uses, sum.b)?);
    let orders = [(a, b), (b, a)]
        .into_iter()
        .flat_map(|([t, h], [u, x])| [(t, h, u, x), (h, t, u, x), (t, h, x, u), (h, t, x, u)]);
    let is_complement = |t: ValueId, u: ValueId| {
        exclusive_producer(graph, uses, u).is_some()
            && uniform_affine(graph, uses, u).is_some_and(|found| found == (-1.0, 1.0, t))
    };
    let shape = graph.shape(sum.a);
    let alike = |values: [ValueId; 3]| values.iter().all(|value| graph.shape(*value) == shape);
    let mut gates = orders.filter(|&(t, h, u, x)| is_complement(t, u) && alike([t, h, x]));
    gates.next().map(|(t, h, _, x)| Gate { t, h, x })
}

/// The factors of a product that nobody else reads.
fn product(graph: &Graph, uses: &Uses, value: ValueId) -> Option<[ValueId; 2]> {
    match &graph.node(exclusive_producer(graph, uses, value)?)?.op {
        Op::Binary(op) if op.kind == BinaryKind::Mul && op.activation.is_identity() => Some([op.a, op.b]),
        _ => None,
    }
}

fn replace(graph: &mut Graph, id: NodeId, sum: &Binary, gate: &Gate) -> Result<()> {
    let name = graph.node(id).map_or_else(Default::default, |node| node.name.clone());
    let binary = |a, b, kind| Op::Binary(Binary { a, b, kind, activation: Activation::IDENTITY });
    let difference = graph.add_node(format!("{name}.change"), binary(gate.h, gate.x, BinaryKind::Sub))?;
    let share = graph.add_node(format!("{name}.share"), binary(gate.t, difference, BinaryKind::Mul))?;
    set_op(graph, id, Op::Binary(Binary { a: gate.x, b: share, ..sum.clone() }));
    Ok(())
}
