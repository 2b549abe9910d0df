//! Keeps tensors from inside a network as further outputs: for looking at features, comparing layers, cutting a network short.

#![allow(clippy::print_stdout, reason = "an example shows what it finds")]

use salto::host::compile::CompileOptions;
use salto::{Error, LoadOptions, Model};

fn main() -> Result<(), Error> {
    // Names are the model's own; `salto inspect --tensors` lists them, and `salto run --keep NAME` keeps one too.
    let compile = CompileOptions::default().keep(&["stem.relu", "block2.relu2", "classifier.flat"]);
    let options = LoadOptions { compile, ..LoadOptions::default() };
    let model = Model::load_with("examples/digits/digits.onnx", &options)?;

    let stroke: Vec<f32> = (0..64).map(|i| if i % 8 == 4 { 1.0 } else { 0.0 }).collect();
    let outputs = model.session()?.run_named(&[("input", &stroke)])?;
    for port in model.outputs() {
        let output = &outputs[&port.name];
        let mean = output.iter().sum::<f32>() / output.len() as f32;
        println!("{:>16} {:>16}  mean {mean:.4}", port.name, format!("{:?}", port.model_dims()));
    }
    Ok(())
}
