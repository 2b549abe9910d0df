//! Transpositions at the network's ports become the ports' layouts.

use crate::device::tensor::ModelLayout;
use crate::host::Result;
use crate::host::graph::{Graph, NodeId, Op, Transpose, Uses, ValueId};

/// Stored axis of each axis of the model, `[n, c, h, w]` stored as `[n, h, w, c]`.
const STORED_OF_MODEL: [usize; 4] = [0, 3, 1, 2];
/// Model axis of each stored axis.
const MODEL_OF_STORED: [usize; 4] = [0, 2, 3, 1];
/// The model's axes as they are.
const SAME: [usize; 4] = [0, 1, 2, 3];

/// Absorbs what transpositions it can.
pub(super) fn absorb(graph: &mut Graph) -> Result<bool> {
    graph.prune()?;
    let inputs = (0..graph.inputs.len()).fold(false, |changed, port| changed | absorb_input(graph, port));
    let outputs = (0..graph.outputs.len()).fold(false, |changed, port| changed | absorb_output(graph, port));
    Ok(inputs | outputs)
}

/// A transposition that alone reads an input: the input is stored as the transposition would make it.
fn absorb_input(graph: &mut Graph, port: usize) -> bool {
    let uses = graph.uses();
    let port_now = graph.inputs[port].clone();
    let &[reader] = uses.consumers(port_now.value) else { return false };
    let Some((perm, output)) = transposition(graph, reader) else { return false };
    if graph.is_output(port_now.value) || graph.is_output(output) {
        return false;
    }
    let model = match port_now.layout {
        ModelLayout::AsStored => perm,
        ModelLayout::ChannelsFirst => perm.map(|axis| MODEL_OF_STORED[axis]),
    };
    let layout = match model {
        SAME => ModelLayout::AsStored,
        MODEL_OF_STORED => ModelLayout::ChannelsFirst,
        _ => return false,
    };
    graph.value_mut(port_now.value).shape = graph.shape(output);
    graph.inputs[port].layout = layout;
    graph.replace_uses(output, port_now.value);
    graph.remove_node(reader);
    true
}

/// A transposition that only makes an output: the output is stored as it was before, under the same name.
fn absorb_output(graph: &mut Graph, port: usize) -> bool {
    let uses = graph.uses();
    let port_now = graph.outputs[port].clone();
    let Some(maker) = uses.producer(port_now.value) else { return false };
    let Some(Op::Transpose(Transpose { input, .. })) = graph.node(maker).map(|node| &node.op) else {
        return false;
    };
    let input = *input;
    let Some((perm, output)) = transposition(graph, maker) else { return false };
    if !is_only_an_output(graph, &uses, output) || graph.is_output(input) || uses.producer(input).is_none() {
        return false;
    }
    let before = match port_now.layout {
        ModelLayout::AsStored => perm,
        ModelLayout::ChannelsFirst => STORED_OF_MODEL.map(|axis| perm[axis]),
    };
    let layout = match before {
        SAME => ModelLayout::AsStored,
        STORED_OF_MODEL => ModelLayout::ChannelsFirst,
        _ => return false,
    };
    graph.value_mut(input).name = graph.value(output).name.clone();
    graph.outputs[port].value = input;
    graph.outputs[port].layout = layout;
    graph.remove_node(maker);
    true
}

/// The order of axes and the output of a four-dimensional transposition.
fn transposition(graph: &Graph, id: NodeId) -> Option<([usize; 4], ValueId)> {
    let node = graph.node(id)?;
    let Op::Transpose(op) = &node.op else { return None };
    Some((op.perm.as_slice().try_into().ok()?, node.output))
}

fn is_only_an_output(graph: &Graph, uses: &Uses, value: ValueId) -> bool {
    uses.consumers(value).is_empty() && graph.outputs.iter().filter(|port| port.value == value).count() == 1
}
