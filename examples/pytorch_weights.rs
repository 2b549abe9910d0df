//! Weights that PyTorch saved, in a network that is built in Rust.
//!
//! ```sh
//! cargo run --release --example pytorch_weights                           # a small file of the repository's tests
//! cargo run --release --example pytorch_weights -- resnet18 resnet18.pth  # torchvision's own, or any network of the zoo
//! ```

#![allow(clippy::print_stdout, reason = "an example shows what it finds")]

use salto::Model;
use salto::host::Result;
use salto::host::graph::zoo::{Network, Options};
use salto::host::graph::{Builder, ConvLayer, Graph};
use salto::host::import::weights::Weights;

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let graph = match (arguments.next(), arguments.next()) {
        // All networks of the zoo, by name. In a program: zoo::resnet18(&Options::default(), Weights::load(…)?)
        (Some(name), Some(file)) => Network::find(&name)?.build(&Options::default(), Weights::load(file)?)?,
        _ => small(Weights::load("tests/pytorch/small_legacy.pth")?)?,
    };
    let model = Model::from_graph(&graph)?;
    let input = vec![0.5; model.inputs()[0].len()];
    for (port, output) in model.outputs().iter().zip(model.session()?.run(&[&input])?) {
        println!("'{}' {:?}: {:.3?} …", port.name, port.model_dims(), &output[..output.len().min(5)]);
    }
    Ok(())
}

/// The layers have the names that they have in PyTorch: so the builder asks for `conv1.weight`, `bn1.running_mean`, …
fn small(weights: Weights) -> Result<Graph> {
    println!("the file has {}", weights.names().collect::<Vec<_>>().join(", "));
    // Two of its layers are enough here; without `partial` the rest would be an error.
    let mut net = Builder::new("small", weights.partial()).channels_first();
    let x = net.input("image", &[1, 6, 6, 2])?;
    let x = net.name("conv1").conv(x, ConvLayer::new(4, 3).without_bias())?;
    let x = net.name("bn1").batch_norm(x)?;
    let x = net.relu(x)?;
    net.output(x);
    net.finish()
}
