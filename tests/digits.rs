//! The repository's own network: what comes out of its pictures is what onnxruntime says.

use std::error::Error;
use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use salto::host::Model;
use salto::host::compile::{CompileOptions, compile};
use salto::host::import::onnx::{ImportOptions, import_file};

type Outcome = Result<(), Box<dyn Error>>;

/// How far a probability may lie from onnxruntime's: both round sums of at most 288 products, in an order of their own.
const BOUND: f32 = 1e-5;

fn digits(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/digits").join(file)
}

fn golden(file: &str) -> Result<Vec<f32>, Box<dyn Error>> {
    Ok(npyz::NpyFile::new(BufReader::new(File::open(digits(file))?))?.into_vec()?)
}

/// Runs all golden pictures; returns the largest difference from the golden probabilities.
fn largest_difference(model: &Model) -> Result<f32, Box<dyn Error>> {
    let (input, output) = (golden("golden_input.npy")?, golden("golden_output.npy")?);
    let mut session = model.session()?;
    let mut worst = 0.0f32;
    for (picture, expected) in input.chunks(64).zip(output.chunks(10)) {
        let probabilities = session.run(&[picture])?.swap_remove(0);
        assert_eq!(probabilities.len(), expected.len());
        for (a, b) in probabilities.iter().zip(expected) {
            assert!(a.is_finite());
            worst = worst.max((a - b).abs());
        }
    }
    Ok(worst)
}

#[test]
fn the_network_answers_as_onnxruntime_does() -> Outcome {
    let worst = largest_difference(&Model::load(digits("digits.onnx"))?)?;
    assert!(worst <= BOUND, "{worst}");
    Ok(())
}

#[test]
fn so_do_its_program_and_the_network_without_optimisation() -> Outcome {
    let compiled = Model::load(digits("digits.onnx"))?;
    let read_again = Model::from_program(compiled.program_bytes())?;
    let graph = import_file(digits("digits.onnx"), &ImportOptions::default())?;
    let plain = Model::from_compiled(compile(&graph, &CompileOptions::default().optimize(false))?);
    for model in [read_again, plain] {
        let worst = largest_difference(&model)?;
        assert!(worst <= BOUND, "{worst}");
    }
    Ok(())
}
