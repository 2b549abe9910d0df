//! Builds a U-Net in Rust, shows where its RAM goes, runs it and keeps it as a program for `salto run` or for a device.

#![allow(clippy::print_stdout, reason = "an example shows what it finds")]

use std::error::Error;

use salto::Model;
use salto::host::graph::blocks::unet::{self, Upsampling};
use salto::host::graph::{Builder, ConvLayer, Seeded};

fn main() -> Result<(), Box<dyn Error>> {
    // Shapes are [n, h, w, c] in Rust; `channels_first` lets the network's user pass [n, c, h, w] as in PyTorch.
    let mut net = Builder::new("unet", Seeded::new(1)).channels_first();
    let x = net.input("image", &[1, 64, 64, 3])?;
    // 16 channels at the top, twice as many on each of 3 levels down; transposed convolutions on the way up
    // (or `Upsampling::Resize(ResizeKind::Bilinear)`, with `salto::host::graph::ResizeKind`). 64 is a multiple of 2³, as it must be.
    let x = unet::unet(&mut net, x, 16, 3, Upsampling::Transposed)?;
    let x = net.name("head").conv(x, ConvLayer::new(1, 1))?;
    let mask = net.sigmoid(x)?;
    net.output(mask);
    let model = Model::from_graph(&net.finish()?)?;
    println!("{}", model.summary());

    let grey = vec![0.5; model.input("image")?.len()];
    let outputs = model.session()?.run(&[&grey])?;
    let lit = outputs[0].iter().filter(|probability| **probability > 0.5).count();
    println!("{lit} of {} pixels are above one half, with weights that were never trained", outputs[0].len());

    let file = std::env::temp_dir().join("unet.salto");
    std::fs::write(&file, model.program_bytes())?;
    println!("written: {0}; try `salto run {0} PICTURE --overlay OUT.png`", file.display());
    Ok(())
}
