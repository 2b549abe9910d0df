//! Networks whose graphs are no chains of blocks: wired at random, searched, or nested. Not trained; made to be planned.
#![allow(unreachable_pub, reason = "a part of test binaries")]

use std::collections::BTreeSet;

use salto::device::kernel::params::{PoolKind, ResizeKind};
use salto::device::tensor::Window;
use salto::host::Result;
use salto::host::graph::{Builder, ConvLayer, Graph, Seeded, ValueId};

/// How large a network is.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    /// Rows and columns of the input.
    pub side: u32,
    /// Channels of the first stage.
    pub channels: u32,
}

/// Marsaglia's xorshift with 64 bits.
struct Random(u64);

impl Random {
    fn new(seed: u64) -> Self {
        let mut random = Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        (0..8).for_each(|_| _ = random.below(2));
        random
    }

    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % end as u64) as usize
    }
}

/// The predecessors of each node of a random graph by Watts & Strogatz (1998): a ring in which everyone knows 4 neighbours, each
/// edge rewired with probability 3/4, and directed from the smaller number to the larger.
fn small_world(random: &mut Random, nodes: usize) -> Vec<Vec<usize>> {
    let edge = |a: usize, b: usize| (a.min(b), a.max(b));
    let ring = |distance: usize| (0..nodes).map(move |node| (node, (node + distance) % nodes));
    let mut edges: BTreeSet<_> = (1..=2).flat_map(ring).map(|(a, b)| edge(a, b)).collect();
    for (node, other) in (1..=2).flat_map(ring) {
        let (rewire, to) = (random.below(4) < 3, random.below(nodes));
        if rewire && to != node && !edges.contains(&edge(node, to)) {
            edges.remove(&edge(node, other));
            edges.insert(edge(node, to));
        }
    }
    let mut predecessors = vec![Vec::new(); nodes];
    edges.into_iter().for_each(|(from, to)| predecessors[to].push(from));
    predecessors
}

fn sum(net: &mut Builder<'_>, list: &[ValueId]) -> Result<ValueId> {
    list[1..].iter().try_fold(list[0], |sum, &x| net.plus(sum, x))
}

/// ReLU, a depthwise convolution, a pointwise one.
fn separable(net: &mut Builder<'_>, x: ValueId, kernel: u32, stride: u32, outputs: u32) -> Result<ValueId> {
    let inputs = net.channels(x);
    let x = net.relu(x)?;
    let depthwise = ConvLayer::new(inputs, kernel).stride(stride).padding(kernel / 2).groups(inputs);
    let x = net.conv(x, depthwise.without_bias())?;
    net.conv(x, ConvLayer::new(outputs, 1))
}

/// The end of a classifier: its output has 10 numbers.
fn classified(mut net: Builder<'_>, x: ValueId) -> Result<Graph> {
    let x = net.relu(x)?;
    let x = net.global_pool(x, PoolKind::Average)?;
    let x = net.flatten(x)?;
    let x = net.dense(x, 10)?;
    net.output(x);
    net.finish()
}

/// Three stages of randomly wired nodes (Xie et al. 2019): a node sums its predecessors and is a separable convolution, the first
/// ones of a stage halve the picture.
pub fn randwire(seed: u64, nodes: usize, size: Size) -> Result<Graph> {
    let mut random = Random::new(seed);
    let mut net = Builder::new("randwire", Seeded::new(seed));
    let input = net.input("input", &[1, size.side, size.side, 3])?;
    let mut x = net.conv(input, ConvLayer::new(size.channels, 3).padding(1))?;
    for stage in 0..3 {
        let channels = size.channels << stage;
        let predecessors = small_world(&mut random, nodes);
        let mut made: Vec<ValueId> = Vec::new();
        for list in &predecessors {
            let operands: Vec<ValueId> = list.iter().map(|&node| made[node]).collect();
            made.push(if operands.is_empty() {
                separable(&mut net, x, 3, 2, channels)?
            } else {
                let sum = sum(&mut net, &operands)?;
                separable(&mut net, sum, 3, 1, channels)?
            });
        }
        let is_last = |node: &usize| !predecessors.iter().any(|list| list.contains(node));
        let last: Vec<ValueId> = (0..nodes).filter(is_last).map(|node| made[node]).collect();
        x = sum(&mut net, &last)?;
    }
    classified(net, x)
}

/// Normal cells of NASNet-A (Zoph et al. 2018), each of which reads the two before it.
pub fn nasnet(cells: usize, size: Size) -> Result<Graph> {
    let mut net = Builder::new("nasnet", Seeded::new(1));
    let input = net.input("input", &[1, size.side, size.side, 3])?;
    let stem = net.conv(input, ConvLayer::new(3 * size.channels, 3).padding(1))?;
    let [mut before, mut last] = [stem; 2];
    for _ in 0..cells {
        let adjusted = |net: &mut Builder<'_>, x: ValueId| {
            let x = net.relu(x)?;
            net.conv(x, ConvLayer::new(size.channels, 1))
        };
        let (p, h) = (adjusted(&mut net, before)?, adjusted(&mut net, last)?);
        let cell = nasnet_cell(&mut net, p, h)?;
        (before, last) = (last, cell);
    }
    classified(net, last)
}

fn nasnet_cell(net: &mut Builder<'_>, p: ValueId, h: ValueId) -> Result<ValueId> {
    let channels = net.channels(h);
    let twice = |net: &mut Builder<'_>, x: ValueId, kernel: u32| {
        let x = separable(net, x, kernel, 1, channels)?;
        separable(net, x, kernel, 1, channels)
    };
    let mean = |net: &mut Builder<'_>, x: ValueId| {
        net.pool(x, PoolKind::Average, Window::new(3, 3).with_padding(1), false)
    };
    let a = [twice(net, h, 3)?, h];
    let b = [twice(net, p, 3)?, twice(net, h, 5)?];
    let c = [mean(net, h)?, p];
    let d = [mean(net, p)?, mean(net, p)?];
    let e = [twice(net, p, 5)?, twice(net, p, 3)?];
    let mut parts = vec![p];
    for pair in [a, b, c, d, e] {
        parts.push(net.plus(pair[0], pair[1])?);
    }
    net.concat(&parts)
}

/// U-Net++ (Zhou et al. 2018): node `[i][j]` reads all nodes before it on its level and the enlarged one below.
pub fn unet_plus_plus(depth: usize, size: Size) -> Result<Graph> {
    let mut net = Builder::new("unet++", Seeded::new(1));
    let mut x = net.input("input", &[1, size.side, size.side, 3])?;
    let block = |net: &mut Builder<'_>, x: ValueId, level: usize| {
        let layer = ConvLayer::new(size.channels << level, 3).padding(1);
        let x = net.conv(x, layer)?;
        let x = net.relu(x)?;
        let x = net.conv(x, layer)?;
        net.relu(x)
    };
    let mut levels: Vec<Vec<ValueId>> = Vec::new();
    for level in 0..=depth {
        if level > 0 {
            x = net.max_pool(x, Window::new(2, 2).with_stride(2))?;
        }
        x = block(&mut net, x, level)?;
        levels.push(vec![x]);
    }
    for column in 1..=depth {
        for level in 0..=depth - column {
            let side = size.side >> level;
            let below = net.resize(levels[level + 1][column - 1], ResizeKind::NearestFloor, side, side)?;
            let mut parts = levels[level].clone();
            parts.push(below);
            let joined = net.concat(&parts)?;
            let made = block(&mut net, joined, level)?;
            levels[level].push(made);
        }
    }
    let output = net.conv(levels[0][depth], ConvLayer::new(1, 1))?;
    net.output(output);
    net.finish()
}
