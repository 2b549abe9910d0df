//! Orders of the nodes: several are tried, the one that needs the least memory is kept.

use alloc::vec;
use alloc::vec::Vec;
use core::cmp::Reverse;

use crate::host::Result;
use crate::host::graph::{Graph, Node, NodeId};

/// Orders worth a try, each once. All compute the same; they differ in which tensors wait for which.
pub(super) fn candidates(graph: &Graph) -> Result<Vec<Vec<NodeId>>> {
    let outputs = || graph.outputs.iter().map(|port| port.value);
    let first = graph.order()?;
    let needs = needs(graph, &first);
    let by_need = |node: &Node| {
        let mut operands = node.op.inputs();
        // What needs much memory on the way and leaves little goes first (Sethi & Ullman 1970, by bytes).
        operands.sort_by_key(|value| Reverse(needs[value.index()].beyond_result()));
        operands
    };
    let reversed = |node: &Node| node.op.inputs().into_iter().rev().collect();
    let mut as_written: Vec<NodeId> = first.clone();
    as_written.sort();
    let as_written = as_written.iter().filter_map(|&id| Some(graph.node(id)?.output));

    let mut orders = vec![first];
    for order in [
        graph.order_by(outputs(), by_need)?,
        graph.order_by(as_written, |node| node.op.inputs())?,
        graph.order_by(outputs(), reversed)?,
    ] {
        if !orders.contains(&order) {
            orders.push(order);
        }
    }
    Ok(orders)
}

/// What it takes to compute a value, as if the graph were a tree.
#[derive(Clone, Copy, Debug, Default)]
struct Need {
    /// Elements of the value.
    result: u64,
    /// Elements alive at the worst moment on the way to it.
    peak: u64,
}

impl Need {
    const fn beyond_result(&self) -> u64 {
        self.peak.saturating_sub(self.result)
    }
}

/// The need of every value; 0 for constants and inputs, which exist anyway.
fn needs(graph: &Graph, order: &[NodeId]) -> Vec<Need> {
    let mut needs = vec![Need::default(); graph.values().len()];
    for node in order.iter().filter_map(|&id| graph.node(id)) {
        let mut operands: Vec<Need> =
            node.op.inputs().into_iter().map(|value| needs[value.index()]).collect();
        operands.sort_by_key(|need| Reverse(need.beyond_result()));
        let (mut peak, mut waiting) = (0, 0u64);
        for operand in operands {
            peak = peak.max(waiting.saturating_add(operand.peak));
            waiting = waiting.saturating_add(operand.result);
        }
        let result = u64::from(graph.shape(node.output).len());
        needs[node.output.index()] = Need { result, peak: peak.max(waiting.saturating_add(result)) };
    }
    needs
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::tensor::{Activation, DType, ModelLayout, Shape};
    use crate::host::graph::{Concat, Op, Slice, Unary, ValueId};

    fn position(order: &[NodeId], graph: &Graph, name: &str) -> usize {
        order.iter().position(|&id| graph.node(id).unwrap().name == name).unwrap()
    }

    #[test]
    fn the_branch_that_needs_much_and_leaves_little_can_go_first() {
        let mut graph = Graph::new("branches");
        let input = graph.add_value("input", DType::F32, Shape::vector(100));
        graph.inputs.push(crate::host::graph::Port { value: input, layout: ModelLayout::AsStored });
        let unary = |graph: &mut Graph, name: &str, input: ValueId| {
            graph.add_node(name, Op::Unary(Unary { input, activation: Activation::RELU })).unwrap()
        };
        let part = |graph: &mut Graph, name: &str, input: ValueId, len: u32| {
            let slice = Slice { input, start: vec![0], len: vec![len], step: vec![1] };
            graph.add_node(name, Op::Slice(slice)).unwrap()
        };
        let keeps_much = part(&mut graph, "keeps_much", input, 50);
        let wide = unary(&mut graph, "wide", input);
        let leaves_little = part(&mut graph, "leaves_little", wide, 1);
        let concat = Concat { inputs: vec![keeps_much, leaves_little], axis: 0 };
        let output = graph.add_node("concat", Op::Concat(concat)).unwrap();
        graph.add_output(output, ModelLayout::AsStored);
        let orders = candidates(&graph).unwrap();
        assert!(orders.iter().all(|order| order.len() == 4));
        let wide_first = |order: &Vec<NodeId>| {
            position(order, &graph, "leaves_little") < position(order, &graph, "keeps_much")
        };
        assert!(!wide_first(&orders[0]) && wide_first(&orders[1]));
    }
}
