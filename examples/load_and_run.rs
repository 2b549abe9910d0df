//! Loads an ONNX file and runs it: the library in its fewest words.
//!
//! `cargo run --release --example load_and_run`

#![allow(clippy::print_stdout, reason = "an example shows what it finds")]

use std::error::Error;

use salto::Model;

fn main() -> Result<(), Box<dyn Error>> {
    let model = Model::load("examples/digits/digits.onnx")?;
    for port in model.inputs() {
        println!("input {}: {:?} {}", port.name, port.model_dims(), port.dtype.name());
    }

    // The network wants one channel of grey, 0 (black) to 1 (white).
    let picture = image::open("examples/digits/pictures/seven.png")?.to_luma32f().into_raw();
    let mut session = model.session()?;
    let outputs = session.run(&[&picture])?;

    let labels = std::fs::read_to_string("examples/digits/labels.txt")?;
    for (label, probability) in labels.lines().zip(&outputs[0]) {
        println!("{label:>6} {:5.1} %", 100.0 * probability);
    }
    Ok(())
}
