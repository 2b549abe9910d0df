//! Passes keep answers: random networks of all four families, compiled as they are and after each pass, run by the engine.

#![cfg(feature = "alloc")]

use std::collections::BTreeSet;

use proptest::prelude::*;
use salto::device::kernel::params::{Beyond, BinaryKind, PoolKind, ResizeKind};
use salto::device::tensor::{Activation, ActivationKind, Shape, Window};
use salto::host::compile::{CompileOptions, compile};
use salto::host::graph::blocks::residual::{self, Shortcut};
use salto::host::graph::blocks::unet::{self, Upsampling};
use salto::host::graph::blocks::{dense, highway};
use salto::host::graph::{Builder, ConvLayer, Graph, Op, Pad, Seeded, ValueId};
use salto::host::optimize::{STAGES, optimize};
use salto::host::{Model, Result};

/// What a network is made of: a kind of block and a number that chooses among its variants.
type Gene = (u8, u32);

/// Kinds of blocks that skip.
const SKIPPING: u8 = 8;
/// Kinds of blocks.
const KINDS: u8 = 19;

/// A network of one block a gene. Every constant is far from the identity, so that nothing folds away by chance.
fn network(genes: &[Gene], head: u32) -> Result<Graph> {
    let mut net = Builder::new("random", Seeded::new(u64::from(head)).perturbed()).channels_first();
    let mut x = net.input("x", &[1 + head % 2, 8, 8, 3 + head % 4])?;
    for (index, &gene) in genes.iter().enumerate() {
        x = net.scope(&format!("{index}"), |net| {
            if gene.0 < SKIPPING { skipping(net, x, gene) } else { plain(net, x, gene) }
        })?;
    }
    finish(&mut net, x, head)?;
    net.finish()
}

/// A block of one of the families that skip.
fn skipping(net: &mut Builder<'_>, x: ValueId, (kind, variant): Gene) -> Result<ValueId> {
    let channels = net.channels(x);
    let more = channels + variant % 5;
    match kind {
        0 => residual::basic(net, x, more, 1 + variant % 2, Shortcut::Projection),
        1 => residual::basic(net, x, more, 1 + variant % 2, Shortcut::PadChannels),
        2 => residual::bottleneck(net, x, 3, more, 1, Shortcut::Projection),
        3 => residual::pre_activation(net, x, more, 1 + variant % 2),
        4 => dense::block(net, x, 1 + variant % 3, 3, 2),
        5 => highway::conv_layer(net, x, 1 + 2 * (variant % 2)),
        6 if net.shape(x).dims()[1..3].contains(&1) => net.relu(x),
        6 => unet::unet(net, x, 4, 1, Upsampling::Resize(ResizeKind::Bilinear)),
        // The gate of a squeeze-and-excitation block.
        _ => {
            let pooled = net.global_pool(x, PoolKind::Average)?;
            let gate = net.conv(pooled, ConvLayer::new(channels, 1))?;
            let gate = net.sigmoid(gate)?;
            net.times(x, gate)
        }
    }
}

/// A chain of layers as exporters write them.
fn plain(net: &mut Builder<'_>, x: ValueId, (kind, variant): Gene) -> Result<ValueId> {
    let channels = net.channels(x);
    match kind - SKIPPING {
        0 => {
            let groups = if variant.is_multiple_of(2) { channels } else { 1 };
            let y = net.conv(x, ConvLayer::new(channels, 3).groups(groups).dilation(1).without_bias())?;
            let y = net.batch_norm(y)?;
            net.activate(y, Activation::RELU6)
        }
        1 => {
            let groups = if channels.is_multiple_of(2) { 2 } else { 1 };
            let layer = ConvLayer::new(2 + 2 * (variant % 3), 2).stride(2).padding(0).groups(groups);
            let y = net.conv_transpose(x, layer)?;
            let y = net.batch_norm(y)?;
            let y = net.relu(y)?;
            net.max_pool(y, Window::new(2, 2).with_stride(2))
        }
        // Arithmetic with constants, one for each channel or one for all.
        2 => {
            let factors: Vec<f32> = (0..channels).map(|c| 0.5 + c as f32 / 8.0).collect();
            let factors = net.constant(&[1, 1, channels], &factors)?;
            let offset = net.constant(&[1], &[0.3])?;
            let kinds = [BinaryKind::Mul, BinaryKind::Div, BinaryKind::Add];
            let y = net.binary(kinds[variant as usize % 3], x, factors)?;
            net.binary(BinaryKind::Sub, offset, y)
        }
        // A layer that works on [n, c, h, w].
        3 => {
            let y = net.transpose(x, &[0, 3, 1, 2])?;
            let y = net.relu(y)?;
            let limit = net.constant(&[1], &[1.5])?;
            let y = net.binary(BinaryKind::Min, y, limit)?;
            net.transpose(y, &[0, 2, 3, 1])
        }
        4 => {
            let gates = [ActivationKind::Sigmoid, ActivationKind::HardSigmoid];
            let gate = Activation::new(gates[variant as usize % 2], 1.0 / 6.0, 0.5);
            let y = net.activate(x, gate)?;
            net.times(y, x)
        }
        5 => {
            let y = net.conv(x, ConvLayer::new(3, 3))?;
            let inner = net.concat(&[y, x])?;
            let joined = net.concat(&[inner, y])?;
            net.relu(joined)
        }
        other => odd(net, x, other, variant),
    }
}

fn mean_of_channels(net: &mut Builder<'_>, x: ValueId) -> Result<ValueId> {
    let dims = net.shape(x).dims().to_vec();
    let (pixels, channels) = (dims[..3].iter().product(), dims[3]);
    let shape = |dims: &[u32]| Shape::new(dims).unwrap_or(Shape::vector(0));
    let rows = net.reshape(x, shape(&[pixels, channels, 1, 1]))?;
    let mean = net.global_pool(rows, PoolKind::Average)?;
    net.reshape(mean, shape(&[dims[0], dims[1], dims[2], 1]))
}

/// What an optimiser should see through.
fn odd(net: &mut Builder<'_>, x: ValueId, kind: u8, variant: u32) -> Result<ValueId> {
    let channels = net.channels(x);
    match kind {
        // What does nothing.
        6 => {
            let y = net.subsample(x, 1)?;
            let y = net.pad_channels(y, 0, 0)?;
            let same = net.shape(y);
            let y = net.reshape(y, same)?;
            net.activate(y, Activation::IDENTITY)
        }
        // A gate that is repeated over the picture before it is multiplied.
        9 => {
            let gate = net.global_pool(x, PoolKind::Average)?;
            let gate = net.sigmoid(gate)?;
            let [n, h, w, c] = *net.shape(x).dims() else { return Ok(x) };
            let (before, after) = (vec![0; 4], vec![0, h - 1, w - 1, 0]);
            let gate =
                net.op(Op::Pad(Pad { input: gate, before, after, beyond: Beyond::Edge, value: 0.0 }))?;
            assert_eq!(net.shape(gate).dims(), [n, h, w, c]);
            net.times(gate, x)
        }
        // Padding of its own, unlike on all sides.
        7 => {
            let (before, after) = (vec![0, 1, 2 + variant % 3, 0], vec![0, 2, 1, 0]);
            let y = net.op(Op::Pad(Pad { input: x, before, after, beyond: Beyond::Fill, value: 0.0 }))?;
            let y = net.conv(y, ConvLayer::new(channels, 3).padding(variant % 2))?;
            net.average_pool(y, Window::new(2, 2))
        }
        // A normalisation of the channels in many operators.
        8 => {
            let centred = {
                let mean = mean_of_channels(net, x)?;
                net.binary(BinaryKind::Sub, x, mean)?
            };
            let squares = net.times(centred, centred)?;
            let variance = mean_of_channels(net, squares)?;
            let epsilon = net.constant(&[1], &[0.01])?;
            let variance = net.plus(variance, epsilon)?;
            let deviation = net.activate(variance, Activation::plain(ActivationKind::Sqrt))?;
            net.binary(BinaryKind::Div, centred, deviation)
        }
        // Constants that depend on constants alone.
        _ => {
            let two = net.constant(&[1], &[2.0])?;
            let row = net.constant(&[channels, 1], &vec![0.25; channels as usize])?;
            let row = net.binary(BinaryKind::Mul, row, two)?;
            let row = net.transpose(row, &[1, 0])?;
            let row = net.reshape(row, Shape::vector(channels))?;
            net.plus(x, row)
        }
    }
}

/// The end of the network: a picture, or classes from it in one of two orders.
fn finish(net: &mut Builder<'_>, x: ValueId, head: u32) -> Result<()> {
    let y = match head % 4 {
        0 => net.transpose(x, &[0, 3, 1, 2])?,
        1 => {
            let y = net.transpose(x, &[0, 3, 1, 2])?;
            let y = net.flatten(y)?;
            let y = net.relu(y)?;
            let y = net.dense(y, 7)?;
            net.softmax(y)?
        }
        2 => {
            let y = net.global_pool(x, PoolKind::Average)?;
            let y = net.transpose(y, &[0, 3, 1, 2])?;
            let y = net.flatten(y)?;
            let y = net.dense(y, 5)?;
            net.batch_norm(y)?
        }
        _ => x,
    };
    net.name("last").relu(y).map(|y| net.output(y))
}

fn run(graph: &Graph) -> Result<Vec<f32>> {
    graph.validate()?;
    let compiled = compile(graph, &CompileOptions::default().optimize(false))?;
    let model = Model::from_compiled(compiled);
    let len = model.inputs()[0].len();
    let input: Vec<f32> = (0..len).map(|i| ((i * 37 % 101) as f32 / 50.0) - 1.0).collect();
    assert_eq!(model.outputs()[0].name, "last");
    Ok(model.session()?.run(&[&input])?.remove(0))
}

/// A layer whose constants are rounded anew changes each of its `k` products by 2⁻²³ at most; relative to a sum of `k` random
/// terms that is `√k · 2⁻²³`. The layers' errors add up. A factor of 4 covers sums that cancel more than random ones.
fn tolerance(graph: &Graph, answer: &[f32]) -> f32 {
    let layers = graph.nodes().count() as f32;
    let terms = |op: &Op| match op {
        Op::Conv(op) => graph.shape(op.weight).dims()[1..].iter().product(),
        Op::Dense(op) => graph.shape(op.weight).dims()[1],
        _ => 4,
    };
    let longest = graph.nodes().map(|(_, node)| terms(&node.op)).max().unwrap_or(1) as f32;
    let largest = answer.iter().fold(0.0f32, |most, x| most.max(x.abs()));
    4.0 * layers * f32::EPSILON * longest.sqrt() * largest
}

/// Checks that `after` is `before`, but for rounding unless `exact`.
fn check_answers(name: &str, graph: &Graph, before: &[f32], after: &[f32], exact: bool) {
    let bound = if exact { 0.0 } else { tolerance(graph, before) };
    assert_eq!(before.len(), after.len());
    for (i, (x, y)) in before.iter().zip(after).enumerate() {
        assert!((x - y).abs() <= bound, "{name}: element {i} was {x}, is {y} (allowed {bound})");
    }
}

/// Runs the network after each pass that changes it, in the order of [`optimize`]; the names of those passes.
fn check_each_pass(mut graph: Graph) -> Result<BTreeSet<&'static str>> {
    let mut answer = run(&graph)?;
    let mut at_work = BTreeSet::new();
    for stage in STAGES {
        loop {
            let mut changed = false;
            for &(name, pass) in *stage {
                if pass(&mut graph)? {
                    let next = run(&graph)?;
                    check_answers(name, &graph, &answer, &next, SAME_BITS.contains(&name));
                    (answer, changed) = (next, true);
                    at_work.insert(name);
                }
            }
            if !changed {
                break;
            }
        }
    }
    Ok(at_work)
}

/// Passes that promise the same bits.
const SAME_BITS: [&str; 7] = [
    "absorb_padding",
    "drop_identities",
    "simplify_moves",
    "flatten_concats",
    "fuse_activation",
    "fuse_residual",
    "merge_constants",
];

#[test]
fn every_pass_finds_work_in_some_network() -> Result<()> {
    let mut at_work = BTreeSet::new();
    for kind in 0..KINDS {
        for variant in 0..4 {
            at_work.extend(check_each_pass(network(&[(kind, variant), (kind, variant)], variant)?)?);
        }
    }
    let idle: Vec<_> = STAGES.iter().copied().flatten().filter(|(name, _)| !at_work.contains(name)).collect();
    assert!(idle.is_empty(), "{idle:?}");
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_pass_keeps_the_answers(
        genes in prop::collection::vec((0..KINDS, 0u32..60), 1..4),
        head in 0u32..64,
    ) {
        check_each_pass(network(&genes, head).unwrap()).unwrap();
    }

    #[test]
    fn all_passes_together_keep_the_answers(
        genes in prop::collection::vec((0..KINDS, 0u32..60), 1..7),
        head in 0u32..64,
    ) {
        let graph = network(&genes, head).unwrap();
        let mut changed = graph.clone();
        optimize(&mut changed).unwrap();
        check_answers("optimize", &graph, &run(&graph).unwrap(), &run(&changed).unwrap(), false);
    }

    #[test]
    fn a_second_run_changes_nothing(
        genes in prop::collection::vec((0..KINDS, 0u32..60), 1..7),
        head in 0u32..64,
    ) {
        let mut graph = network(&genes, head).unwrap();
        optimize(&mut graph).unwrap();
        let once = graph.clone();
        optimize(&mut graph).unwrap();
        prop_assert_eq!(once, graph);
    }
}
