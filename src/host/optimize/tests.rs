//! What each pass finds and leaves, on the networks of the four families.

use alloc::vec::Vec;

use super::*;
use crate::device::kernel::params::{Beyond, BinaryKind, PoolKind};
use crate::device::tensor::{Activation, ActivationKind, ModelLayout, Shape};
use crate::host::graph::{
    Affine, Binary, Builder, Constant, Conv, ConvLayer, Op, Pad, Seeded, Transpose, ValueId, zoo,
};

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
    let graph = optimized(zoo::resnet18(&zoo::Options::default(), Seeded::new(1).perturbed()).unwrap());
    let expected = [("Conv", 20), ("Dense", 1), ("GlobalPool", 1), ("Pool", 1), ("Reshape", 1)];
    assert_eq!(counts(&graph), expected);
    let with_residual = |op: &Op| matches!(op, Op::Conv(conv) if conv.residual.is_some());
    assert_eq!(graph.nodes().filter(|(_, node)| with_residual(&node.op)).count(), 8);
}

#[test]
fn a_dense_network_normalises_while_it_loads() {
    let graph = optimized(
        zoo::densenet(&zoo::DENSENET_121, &zoo::Options::default(), Seeded::new(1).perturbed()).unwrap(),
    );
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
    let graph =
        optimized(zoo::unet(&zoo::UNet::new(32, 4), &zoo::Options::default(), Seeded::new(1)).unwrap());
    assert_eq!(counts(&graph), [("Concat", 4), ("Conv", 19), ("ConvTranspose", 4), ("Pool", 4)]);
}

/// A network of one input `[1, 6, 6, 4]`, built by `layers`.
fn network(layers: impl FnOnce(&mut Builder<'_>, ValueId) -> Result<ValueId>) -> Graph {
    let mut net = Builder::new("net", Seeded::new(1).perturbed()).channels_first();
    let x = net.input("x", &[1, 6, 6, 4]).unwrap();
    let y = layers(&mut net, x).unwrap();
    net.output(y);
    net.finish().unwrap()
}

/// The only node, if there is just one.
fn only_op(graph: &Graph) -> &Op {
    let mut nodes = graph.nodes();
    let (Some((_, node)), None) = (nodes.next(), nodes.next()) else { panic!("{:?}", counts(graph)) };
    &node.op
}

#[test]
fn an_identity_between_input_and_output_stays_a_copy() {
    let copy = network(|net, x| net.activate(x, Activation::IDENTITY));
    assert_eq!(counts(&optimized(copy)), [("Unary", 1)]);
}

#[test]
fn outputs_keep_their_names() {
    let graph = network(|net, x| {
        let y = net.conv(x, ConvLayer::new(4, 1))?;
        let y = net.batch_norm(y)?;
        let y = net.pad_channels(y, 0, 0)?;
        net.name("probabilities").sigmoid(y)
    });
    let graph = optimized(graph);
    assert_eq!(graph.value(graph.outputs[0].value).name, "probabilities");
    assert!(matches!(only_op(&graph), Op::Conv(conv) if conv.activation == Activation::SIGMOID));
}

#[test]
fn legalisation_expresses_what_has_no_kernel_and_nothing_else() {
    let mut graph = network(|net, x| {
        let y = net.conv(x, ConvLayer::new(4, 1))?;
        let y = net.batch_norm(y)?;
        let one = net.constant(&[1], &[1.0])?;
        net.plus(y, one)
    });
    assert!(legalize(&mut graph).unwrap());
    assert!(!legalize(&mut graph).unwrap());
    assert_eq!(counts(&graph), [("Affine", 1), ("Binary", 1), ("Conv", 1)]);
}

#[test]
fn a_tensor_that_the_user_sees_is_fused_into_nothing() {
    let mut graph = network(|net, x| {
        let y = net.name("seen").conv(x, ConvLayer::new(4, 1))?;
        net.relu(y)
    });
    let seen = graph.find_value("seen").unwrap();
    graph.add_output(seen, ModelLayout::AsStored);
    assert_eq!(counts(&optimized(graph)), [("Conv", 1), ("Unary", 1)]);
}

#[test]
fn weights_that_two_layers_share_are_folded_apart() {
    let mut graph = network(|net, x| {
        let y = net.conv(x, ConvLayer::new(4, 1))?;
        let y = net.batch_norm(y)?;
        net.plus(y, x)
    });
    // A second convolution with the same weight, without normalisation.
    let weight = graph.find_value("conv_1.weight").unwrap();
    let before = graph.constant_f32(weight).unwrap().to_vec();
    let Op::Conv(first) = graph.nodes().next().unwrap().1.op.clone() else { panic!() };
    let sum = graph.outputs[0].value;
    let second = graph.add_node("second", Op::Conv(Conv { input: sum, ..first })).unwrap();
    graph.outputs[0].value = second;
    let graph = optimized(graph);
    let weights: Vec<&[f32]> = graph
        .nodes()
        .filter_map(
            |(_, node)| if let Op::Conv(conv) = &node.op { graph.constant_f32(conv.weight) } else { None },
        )
        .collect();
    assert_eq!(weights.len(), 2);
    assert!(weights.contains(&before.as_slice()) && weights[0] != weights[1]);
}

#[test]
fn arithmetic_that_widens_its_operand_is_no_affine() {
    let widened = network(|net, x| {
        let x = net.global_pool(x, PoolKind::Average)?;
        let row = net.constant(&[3, 1, 1], &[1.0, 2.0, 3.0])?;
        net.plus(x, row)
    });
    assert_eq!(counts(&optimized(widened)), [("Binary", 1), ("GlobalPool", 1)]);
    let by_zero = network(|net, x| {
        let zero = net.constant(&[1], &[0.0])?;
        net.binary(BinaryKind::Div, x, zero)
    });
    assert!(matches!(only_op(&optimized(by_zero)), Op::Binary(_)));
}

#[test]
fn two_affines_become_one_and_the_identity_disappears() {
    let inverse = network(|net, x| {
        let (half, two) = (net.constant(&[1], &[0.5])?, net.constant(&[1], &[2.0])?);
        let y = net.times(x, half)?;
        let y = net.times(y, two)?;
        net.relu(y)
    });
    assert!(matches!(only_op(&optimized(inverse)), Op::Unary(_)));
    let lines = network(|net, x| {
        let (three, five) = (net.constant(&[1], &[3.0])?, net.constant(&[1], &[5.0])?);
        let y = net.binary(BinaryKind::Sub, three, x)?;
        net.times(y, five)
    });
    let lines = optimized(lines);
    let Op::Affine(Affine { scale, shift, .. }) = only_op(&lines) else { panic!() };
    assert_eq!(
        (lines.constant_f32(*scale).unwrap(), lines.constant_f32(*shift).unwrap()),
        (&[-5.0; 4][..], &[15.0; 4][..])
    );
}

#[test]
fn the_longer_branch_takes_the_shorter_as_its_residual() {
    let graph = network(|net, x| {
        let skip = net.name("projection").conv(x, ConvLayer::new(8, 1))?;
        let y = net.conv(x, ConvLayer::new(8, 3))?;
        let y = net.relu(y)?;
        let y = net.name("main").conv(y, ConvLayer::new(8, 3))?;
        let sum = net.plus(skip, y)?;
        net.relu(sum)
    });
    let graph = optimized(graph);
    let main = graph.nodes().find(|(_, node)| node.name == "main").unwrap().1;
    assert!(matches!(&main.op, Op::Conv(conv)
        if conv.residual == graph.find_value("projection") && conv.activation == Activation::RELU));
}

#[test]
fn a_concatenation_or_a_constant_is_no_residual() {
    let graph = network(|net, x| {
        let joined = net.concat(&[x, x])?;
        let y = net.conv(x, ConvLayer::new(8, 3))?;
        let picture = net.constant(&[1, 6, 6, 8], &[0.5; 288])?;
        let y = net.plus(y, joined)?;
        let z = net.conv(y, ConvLayer::new(8, 3))?;
        net.plus(z, picture)
    });
    assert_eq!(counts(&optimized(graph)), [("Binary", 2), ("Concat", 1), ("Conv", 2)]);
}

#[test]
fn pre_activation_moves_only_where_its_operand_lives_on() {
    let alone = |groups: u32, skip: bool| {
        network(|net, x| {
            let y = net.batch_norm(x)?;
            let y = net.relu(y)?;
            let y = net.conv(y, ConvLayer::new(4, 3).groups(groups))?;
            if skip { net.plus(y, x) } else { Ok(y) }
        })
    };
    assert_eq!(counts(&optimized(alone(1, true))), [("Conv", 1)]);
    assert_eq!(counts(&optimized(alone(1, false))), [("Affine", 1), ("Conv", 1)]);
    assert_eq!(counts(&optimized(alone(2, true))), [("Affine", 1), ("Conv", 1)]);
}

#[test]
fn transpositions_at_the_ports_become_layouts() {
    // A model that takes and gives [n, h, w, c] through an importer that takes everything for [n, c, h, w].
    let graph = network(|net, x| {
        let y = net.transpose(x, &[0, 3, 1, 2])?;
        let y = net.conv(y, ConvLayer::new(5, 1))?;
        net.name("out").transpose(y, &[0, 2, 3, 1])
    });
    let graph = optimized(graph);
    assert!(matches!(only_op(&graph), Op::Conv(_)));
    let (input, output) = (&graph.inputs[0], &graph.outputs[0]);
    assert_eq!((input.layout, output.layout), (ModelLayout::AsStored, ModelLayout::AsStored));
    assert_eq!(graph.shape(input.value), Shape::nhwc(1, 4, 6, 6));
    assert_eq!(graph.value(output.value).name, "out");
}

#[test]
fn a_transposition_of_unit_axes_is_a_reshape_and_chains_merge() {
    let graph = network(|net, x| {
        let y = net.global_pool(x, PoolKind::Max)?;
        let y = net.transpose(y, &[0, 3, 1, 2])?;
        let y = net.flatten(y)?;
        net.reshape(y, Shape::vector(4))
    });
    assert_eq!(counts(&optimized(graph)), [("GlobalPool", 1), ("Reshape", 1)]);
    let kept = network(|net, x| net.transpose(x, &[0, 2, 1, 3]));
    assert!(matches!(only_op(&optimized(kept)), Op::Transpose(Transpose { .. })));
}

#[test]
fn constants_are_computed_once_and_moves_of_indices_too() {
    let mut graph = network(|net, x| net.relu(x));
    let indices =
        graph.add_constant("indices", Shape::matrix(2, 3), Constant::i64([1, 2, 3, 4, 5, 6])).unwrap();
    let moved =
        graph.add_node("moved", Op::Transpose(Transpose { input: indices, perm: [1, 0].into() })).unwrap();
    let a = graph.add_constant("a", Shape::vector(2), Constant::f32([9.0, 4.0])).unwrap();
    let root = Activation::plain(ActivationKind::Sqrt);
    let sum = Op::Binary(Binary { a, b: a, kind: BinaryKind::Mul, activation: root });
    let same = graph.add_node("same", sum).unwrap();
    // Readers keep the two alive.
    for input in [moved, same] {
        let reader = Op::Transpose(reader_of(&graph, input));
        let output = graph.add_node("reader", reader).unwrap();
        graph.add_output(output, ModelLayout::AsStored);
    }
    assert!(fold_constants(&mut graph).unwrap());
    assert_eq!(graph.value(moved).constant, Some(Constant::i64([1, 4, 2, 5, 3, 6])));
    assert_eq!(graph.constant_f32(same).unwrap(), [9.0, 4.0]);
}

/// A transposition that changes nothing.
fn reader_of(graph: &Graph, input: ValueId) -> Transpose {
    Transpose { input, perm: (0..graph.shape(input).rank()).collect() }
}

#[test]
fn padding_with_zeros_becomes_the_convolution_s_own() {
    let padded = |value: f32| {
        network(|net, x| {
            let pad = Pad {
                input: x,
                before: [0, 0, 1, 0].into(),
                after: [0, 1, 0, 0].into(),
                beyond: Beyond::Fill,
                value,
            };
            let y = net.op(Op::Pad(pad))?;
            net.conv(y, ConvLayer::new(4, 3))
        })
    };
    let graph = optimized(padded(0.0));
    let Op::Conv(Conv { window, .. }) = only_op(&graph) else { panic!() };
    let [y, x] = [window.y, window.x].map(|axis| (axis.pad_before, axis.pad_after));
    assert_eq!((y, x), ((1, 2), (2, 1)));
    assert_eq!(counts(&optimized(padded(1.0))), [("Conv", 1), ("Pad", 1)]);
}

#[test]
fn small_models_stay_small() {
    // Each concatenation joins the one before with itself: 2²⁰ parts, if all were flattened.
    let doubled = network(|net, x| (0..20).try_fold(x, |x, _| net.concat(&[x, x])));
    let parts = |op: &Op| op.inputs().len();
    assert!(optimized(doubled).nodes().all(|(_, node)| parts(&node.op) <= 1024));
    let outer = network(|net, x| {
        let (column, row) = (net.constant(&[300, 1], &[0.5; 300])?, net.constant(&[300], &[0.5; 300])?);
        let product = net.times(column, row)?;
        let part = net.reshape(product, Shape::nhwc(1, 150, 150, 4))?;
        let pooled = net.global_pool(part, PoolKind::Max)?;
        net.plus(x, pooled)
    });
    assert!(
        optimized(outer)
            .values()
            .all(|(_, value)| value.constant.as_ref().is_none_or(|data| data.len() <= 300))
    );
}
