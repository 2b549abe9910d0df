//! Builds a residual network in Rust and runs it: the same graph, compiler and engine that an ONNX file goes through.

#![allow(clippy::print_stdout, reason = "an example shows what it finds")]

use salto::host::graph::blocks::residual::{self, Shortcut};
use salto::host::graph::{Builder, ConvLayer, PoolKind, Seeded};
use salto::host::{Model, Result};

fn main() -> Result<()> {
    // Weights come from a source: here random ones from a seed; a closure or a file reader serves as well.
    let mut net = Builder::new("small_resnet", Seeded::new(1)).channels_first();
    let x = net.input("image", &[1, 32, 32, 3])?;
    let x = net.name("stem").conv(x, ConvLayer::new(16, 3))?;
    let x = net.relu(x)?;
    let x = net.scope("block1", |net| residual::basic(net, x, 16, 1, Shortcut::Projection))?;
    let x = net.scope("block2", |net| residual::basic(net, x, 32, 2, Shortcut::Projection))?;
    let x = net.global_pool(x, PoolKind::Average)?;
    let x = net.flatten(x)?;
    let x = net.dense(x, 10)?;
    let x = net.softmax(x)?;
    net.output(x);

    let model = Model::from_graph(&net.finish()?)?;
    println!("{}", model.summary());
    let output = model.session()?.run(&[&[0.5; 3 * 32 * 32]])?.swap_remove(0);
    println!("probabilities: {output:.3?}");
    Ok(())
}
