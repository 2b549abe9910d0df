//! What passes are made of: a walk over the nodes, and the edits that keep the names of outputs.

use crate::host::Result;
use crate::host::graph::{Constant, Floats, Graph, NodeId, Op, Uses, ValueId};

/// Offers every node, operands before readers, to `rewrite`, which says whether it changed the graph. Nodes that no output
/// needs are removed first, so that they count as nobody's readers.
pub(super) fn rewrite_nodes(
    graph: &mut Graph,
    mut rewrite: impl FnMut(&mut Graph, &Uses, NodeId, &Op) -> Result<bool>,
) -> Result<bool> {
    graph.prune()?;
    let mut changed = false;
    let mut uses = graph.uses();
    for id in graph.order()? {
        let Some(op) = graph.node(id).map(|node| node.op.clone()) else { continue };
        if rewrite(graph, &uses, id, &op)? {
            changed = true;
            uses = graph.uses();
        }
    }
    Ok(changed)
}

/// Is a value read just once, and by a node of the graph?
pub(super) fn has_one_reader(graph: &Graph, uses: &Uses, value: ValueId) -> bool {
    uses.consumers(value).len() == 1 && !graph.is_output(value)
}

/// The node that makes `value`, if nobody else than the one node that asks reads it.
pub(super) fn exclusive_producer(graph: &Graph, uses: &Uses, value: ValueId) -> Option<NodeId> {
    uses.producer(value).filter(|_| has_one_reader(graph, uses, value))
}

/// The operator that makes a value.
pub(super) fn producer_op<'g>(graph: &'g Graph, uses: &Uses, value: ValueId) -> Option<&'g Op> {
    graph.node(uses.producer(value)?).map(|node| &node.op)
}

/// `(scale, shift, x)`, if the value is `x · scale + shift` with one factor and one summand for all elements.
pub(super) fn uniform_affine(graph: &Graph, uses: &Uses, value: ValueId) -> Option<(f32, f32, ValueId)> {
    match producer_op(graph, uses, value)? {
        Op::Affine(op) if op.activation.is_identity() => {
            let (scale, shift) = (uniform(graph, op.scale)?, uniform(graph, op.shift)?);
            Some((scale, shift, op.input))
        }
        _ => None,
    }
}

/// The number that all elements of a constant are.
pub(super) fn uniform(graph: &Graph, constant: ValueId) -> Option<f32> {
    let (first, rest) = graph.constant_f32(constant)?.split_first()?;
    rest.iter().all(|x| x == first).then_some(*first)
}

/// `producer`, now computing `op`, makes what `consumer` made; `consumer` disappears.
pub(super) fn take_over(graph: &mut Graph, producer: NodeId, consumer: NodeId, op: Op) {
    let Some(output) = graph.node(consumer).map(|node| node.output) else { return };
    graph.remove_node(consumer);
    if let Some(node) = graph.node_mut(producer) {
        node.op = op;
        node.output = output;
    }
}

/// Replaces what a node computes.
pub(super) fn set_op(graph: &mut Graph, id: NodeId, op: Op) {
    if let Some(node) = graph.node_mut(id) {
        node.op = op;
    }
}

/// Makes all readers of a node's output read `input`, its equal, and removes the node. `false`, and nothing is changed, if the
/// output belongs to the network and `input` cannot stand in for it: an input, a constant, or another output.
pub(super) fn bypass(graph: &mut Graph, uses: &Uses, id: NodeId, input: ValueId) -> bool {
    let Some(output) = graph.node(id).map(|node| node.output) else { return false };
    if !graph.is_output(output) {
        graph.replace_uses(output, input);
    } else {
        // The operand's maker makes the output itself, so that its name stays.
        let Some(producer) = uses.producer(input).filter(|_| !graph.is_output(input)) else { return false };
        graph.replace_uses(input, output);
        if let Some(node) = graph.node_mut(producer) {
            node.output = output;
        }
    }
    graph.remove_node(id);
    true
}

/// A constant of the same name and shape as `old` with other data; takes the place of `old` if nobody else reads it.
pub(super) fn revise_constant(graph: &mut Graph, uses: &Uses, old: ValueId, data: Floats) -> Result<ValueId> {
    if has_one_reader(graph, uses, old) && graph.value(old).shape.len() as usize == data.len() {
        graph.value_mut(old).constant = Some(Constant::F32(data));
        return Ok(old);
    }
    let value = graph.value(old);
    let (name, shape) = (value.name.clone(), value.shape);
    graph.add_constant(name, shape, Constant::F32(data))
}
