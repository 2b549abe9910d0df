//! What each pass finds and leaves, on the networks of the four families.

use alloc::vec::Vec;

use super::*;
use crate::host::graph::{Op, Seeded, zoo};

/// The number of nodes of each operator, in the order of their names.
fn counts(graph: &Graph) -> Vec<(&'static str, usize)> {
    let mut counts = alloc::collections::BTreeMap::new();
    for (_, node) in graph.nodes() {
        *counts.entry(node.op.name()).or_insert(0) += 1;
    }
    counts.into_iter().collect()
}

fn optimized(mut graph: Graph) -> Graph {
    optimize(&mut graph).unwrap();
    graph.validate().unwrap();
    graph
}

#[test]
fn a_residual_network_becomes_convolutions_alone() {
    let graph = optimized(zoo::resnet(&zoo::RESNET_18, Seeded::new(1).perturbed()).unwrap());
    let expected = [("Conv", 20), ("Dense", 1), ("GlobalPool", 1), ("Pool", 1), ("Reshape", 1)];
    assert_eq!(counts(&graph), expected);
    let with_residual = |op: &Op| matches!(op, Op::Conv(conv) if conv.residual.is_some());
    assert_eq!(graph.nodes().filter(|(_, node)| with_residual(&node.op)).count(), 8);
}

#[test]
fn a_dense_network_normalises_while_it_loads() {
    let graph = optimized(zoo::densenet(&zoo::DENSENET_121, Seeded::new(1).perturbed()).unwrap());
    let expected = [
        ("Affine", 1),
        ("Concat", 58),
        ("Conv", 120),
        ("Dense", 1),
        ("GlobalPool", 1),
        ("Pool", 4),
        ("Reshape", 1),
    ];
    assert_eq!(counts(&graph), expected);
    let pre_activated = |op: &Op| matches!(op, Op::Conv(conv) if conv.pre_activation.is_some());
    assert_eq!(graph.nodes().filter(|(_, node)| pre_activated(&node.op)).count(), 61);
}

#[test]
fn a_u_net_keeps_only_convolutions_pools_and_concatenations() {
    let graph = optimized(zoo::unet32(Seeded::new(1)).unwrap());
    assert_eq!(counts(&graph), [("Concat", 4), ("Conv", 19), ("ConvTranspose", 4), ("Pool", 4)]);
}
