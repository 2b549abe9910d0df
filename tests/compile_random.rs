//! Random networks: every tensor kept (so that nothing shares memory and every concatenation is copied) against none kept (so
//! that results are written over dying operands, and concatenations, slices and reshapes move nothing). The bits must agree.
#![allow(clippy::expect_used, reason = "a test fails by panicking")]
#![cfg(feature = "alloc")]

use proptest::prelude::*;
use salto::device::kernel::params::{Beyond, BinaryKind, PoolKind};
use salto::device::tensor::{Activation, ActivationKind, Shape, Window};
use salto::host::compile::{CompileOptions, compile};
use salto::host::graph::{
    Builder, Concat, ConvLayer, Graph, MatMul, Normalize, Op, Pad, Reshape, Seeded, Slice, Softmax,
    Transpose, ValueId,
};
use salto::host::{Model, Result};

/// Small numbers from a seed.
struct Draw(u64);

impl Draw {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % end
    }

    fn of<T: Copy>(&mut self, list: &[T]) -> T {
        list[self.below(list.len())]
    }
}

/// A network of `len` random nodes; every value may be read by any later node.
fn random_net(seed: u64, len: usize) -> Result<Graph> {
    let mut draw = Draw(seed);
    let mut net = Builder::new("random", Seeded::new(seed).perturbed());
    let n = 1 + draw.below(2) as u32;
    let (h, w, c) = (2 + draw.below(4) as u32, 2 + draw.below(4) as u32, 1 + draw.below(20) as u32);
    let mut values = vec![net.input("input 0", &[n, h, w, c])?, net.input("input 1", &[n, h, w, 1 + c % 5])?];
    for _ in 0..len {
        // Late values are likelier, so that chains grow long.
        let recent = values.len() - values.len().min(4);
        let from = if draw.below(3) == 0 { 0 } else { recent };
        let x = values[from + draw.below(values.len() - from)];
        values.extend(random_node(&mut net, &mut draw, x, &values)?);
    }
    let last = values[values.len() - 1];
    net.output(last);
    net.finish()
}

fn random_node(
    net: &mut Builder<'_>,
    draw: &mut Draw,
    x: ValueId,
    all: &[ValueId],
) -> Result<Option<ValueId>> {
    let shape = net.shape(x);
    let alike: Vec<ValueId> = all.iter().copied().filter(|&y| net.shape(y) == shape).collect();
    if shape.rank() == 4 && draw.below(2) == 0 {
        return random_picture_node(net, draw, x, all).map(Some);
    }
    Ok(Some(match draw.below(9) {
        0 => {
            let kind = draw.of(&[ActivationKind::Relu, ActivationKind::Tanh, ActivationKind::HardSwish]);
            net.activate(x, Activation::plain(kind))?
        }
        1 | 2 => net.binary(
            draw.of(&[
                BinaryKind::Add,
                BinaryKind::Sub,
                BinaryKind::Max,
                BinaryKind::Keep,
                BinaryKind::LessOrEqual,
            ]),
            x,
            draw.of(&alike),
        )?,
        3 => {
            let axis = draw.below(shape.rank());
            let inputs = (0..2 + draw.below(2)).map(|_| draw.of(&alike)).collect();
            net.op(Op::Concat(Concat { inputs, axis }))?
        }
        4 => random_slice(net, draw, x)?,
        5 => match draw.below(3) {
            0 => random_transpose(net, draw, x)?,
            1 => random_pad(net, draw, x)?,
            _ => random_reshape(net, draw, x)?,
        },
        6 => random_norm(net, draw, x)?,
        7 => random_product(net, draw, x)?,
        _ => net.op(Op::Softmax(Softmax { input: x, axis: draw.below(shape.rank()), log: false }))?,
    }))
}

fn random_picture_node(
    net: &mut Builder<'_>,
    draw: &mut Draw,
    x: ValueId,
    all: &[ValueId],
) -> Result<ValueId> {
    let dims = net.shape(x).dims().to_vec();
    let is_neighbour = |y: &ValueId| net.shape(*y).rank() == 4 && net.shape(*y).dims()[..3] == dims[..3];
    let neighbours: Vec<ValueId> = all.iter().copied().filter(is_neighbour).collect();
    match draw.below(6) {
        0 => net.conv(x, ConvLayer::new(dims[3], 3)),
        1 => net.conv(x, ConvLayer::new(1 + draw.below(20) as u32, 1)),
        2 => {
            let y = net.conv(x, ConvLayer::new(dims[3], 3).groups(dims[3]))?;
            net.plus(y, x)
        }
        3 => net.pool(x, PoolKind::Max, Window::new(3, 3).with_padding(1), false),
        _ => {
            let parts: Vec<ValueId> = (0..1 + draw.below(3)).map(|_| draw.of(&neighbours)).collect();
            net.op(Op::Concat(Concat { inputs: [vec![x], parts].concat(), axis: 3 }))
        }
    }
}

fn random_norm(net: &mut Builder<'_>, draw: &mut Draw, x: ValueId) -> Result<ValueId> {
    let channels = net.channels(x);
    let groups = draw.of(&[1, channels, if channels.is_multiple_of(2) { 2 } else { 1 }]);
    let (axis, activation) = (draw.below(net.shape(x).rank()), Activation::IDENTITY);
    let norm = Normalize { input: x, axis, groups, scale: None, shift: None, epsilon: 0.1, activation };
    net.op(Op::Normalize(norm))
}

/// The product of a stack of matrices with itself, one of the factors transposed, or with its own first matrix.
fn random_product(net: &mut Builder<'_>, draw: &mut Draw, x: ValueId) -> Result<ValueId> {
    let dims = net.shape(x).dims().to_vec();
    let (stack, last) = (if dims.len() > 1 { dims[0] } else { 1 }, dims[dims.len() - 1]);
    let rows = dims.iter().product::<u32>() / stack / last;
    let Some(shape) = Shape::new(&[stack, rows, last]) else { return Ok(x) };
    let a = net.reshape(x, shape)?;
    let turned = net.transpose(a, &[0, 2, 1])?;
    let b = if draw.below(2) == 0 {
        turned
    } else {
        let (start, len, step) = (vec![0; 3], vec![1, last, rows], vec![1; 3]);
        net.op(Op::Slice(Slice { input: turned, start, len, step }))?
    };
    net.op(Op::MatMul(MatMul { a, b, activation: Activation::IDENTITY }))
}

fn random_slice(net: &mut Builder<'_>, draw: &mut Draw, x: ValueId) -> Result<ValueId> {
    let dims = net.shape(x).dims().to_vec();
    let (mut start, mut len, mut step) = (vec![0; dims.len()], dims.clone(), vec![1; dims.len()]);
    for _ in 0..1 + draw.below(2) {
        let axis = draw.below(dims.len());
        step[axis] = draw.of(&[1i32, 1, 1, 2, -1]);
        let span = 1 + draw.below(dims[axis] as usize) as u32;
        len[axis] = span.div_ceil(step[axis].unsigned_abs());
        let first = draw.below((dims[axis] - span + 1) as usize) as u32;
        start[axis] = if step[axis] < 0 { first + span - 1 } else { first };
    }
    net.op(Op::Slice(Slice { input: x, start, len, step }))
}

fn random_transpose(net: &mut Builder<'_>, draw: &mut Draw, x: ValueId) -> Result<ValueId> {
    let mut perm: Vec<usize> = (0..net.shape(x).rank()).collect();
    for i in (1..perm.len()).rev() {
        perm.swap(i, draw.below(i + 1));
    }
    net.op(Op::Transpose(Transpose { input: x, perm }))
}

fn random_pad(net: &mut Builder<'_>, draw: &mut Draw, x: ValueId) -> Result<ValueId> {
    let rank = net.shape(x).rank();
    let mut some = || (0..rank).map(|_| draw.below(2) as u32).collect();
    let (before, after) = (some(), some());
    let beyond = draw.of(&[Beyond::Fill, Beyond::Fill, Beyond::Edge, Beyond::Reflect, Beyond::Wrap]);
    net.op(Op::Pad(Pad { input: x, before, after, beyond, value: draw.of(&[0.0, 0.0, 0.5]) }))
}

fn random_reshape(net: &mut Builder<'_>, draw: &mut Draw, x: ValueId) -> Result<ValueId> {
    let dims = net.shape(x).dims().to_vec();
    let len: u32 = dims.iter().product();
    let last = dims[dims.len() - 1];
    let shapes: [&[u32]; 5] = [
        &[len],
        &[len / last, last],
        &[1, 1, len / last, last],
        &[1, len / last, 1, last],
        &[last, 1, len / last],
    ];
    let Some(shape) = Shape::new(draw.of(&shapes)) else { return Ok(x) };
    net.op(Op::Reshape(Reshape { input: x, shape }))
}

/// Numbers between −1 and 1.
fn noise(seed: u64, len: usize) -> Vec<f32> {
    let mut draw = Draw(seed);
    (0..len).map(|_| draw.below(2001) as f32 / 1000.0 - 1.0).collect()
}

fn outputs(graph: &Graph, options: &CompileOptions) -> Result<Vec<Vec<f32>>> {
    let model = Model::from_compiled(compile(graph, options)?);
    let inputs: Vec<Vec<f32>> =
        (1..).zip(model.inputs()).map(|(seed, port)| noise(seed, port.len())).collect();
    let inputs: Vec<&[f32]> = inputs.iter().map(Vec::as_slice).collect();
    model.session()?.run(&inputs)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn sharing_memory_changes_no_bit(seed in any::<u64>(), len in 1usize..14) {
        let graph = random_net(seed, len).expect("a network");
        let options = CompileOptions::default().optimize(false);
        let names: Vec<String> = graph.nodes().map(|(_, node)| node.name.clone()).collect();
        let apart = outputs(&graph, &options.clone().keep(&names)).expect("every tensor kept");
        let shared = outputs(&graph, &options).expect("no tensor kept");
        let bits = |list: &[f32]| list.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
        prop_assert_eq!(bits(&apart[0]), bits(&shared[0]));
    }
}
