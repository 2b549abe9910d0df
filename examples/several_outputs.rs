//! Keeps tensors from inside a network as further outputs: for looking at features, comparing layers, cutting a network short.

#![allow(clippy::print_stdout, reason = "an example shows what it finds")]

use std::error::Error;

use salto::host::Model;
use salto::host::compile::{CompileOptions, compile};
use salto::host::import::onnx::{ImportOptions, import_file};

fn main() -> Result<(), Box<dyn Error>> {
    let graph = import_file("examples/digits/digits.onnx", &ImportOptions::default())?;

    // Names are the model's own; `salto inspect --tensors` lists them, and `salto run --keep NAME` keeps one too.
    let options = CompileOptions::default().keep(&["stem.relu", "block2.relu2", "classifier.flat"]);
    let model = Model::from_compiled(compile(&graph, &options)?);

    let stroke: Vec<f32> = (0..64).map(|i| if i % 8 == 4 { 1.0 } else { 0.0 }).collect();
    let outputs = model.session()?.run(&[&stroke])?;
    for (port, output) in model.outputs().iter().zip(&outputs) {
        let mean = output.iter().sum::<f32>() / output.len() as f32;
        println!("{:>16} {:>16}  mean {mean:.4}", port.name, format!("{:?}", port.model_dims()));
    }
    Ok(())
}
