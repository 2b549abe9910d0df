//! Loading a network takes memory for its program, and little beside it: the weights of a file are never whole in memory.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "hostile/memory.rs"]
mod memory;
#[path = "onnx_import/sketch.rs"]
#[allow(dead_code, reason = "the tests of the importer use more of it")]
mod sketch;

use std::fmt::Write;
use std::fs;
use std::path::PathBuf;
use std::sync::Mutex;

use salto::host::compile::CompileOptions;
use salto::host::import::onnx::{ImportOptions, import_file};
use salto::host::{ErrorKind, LoadOptions, Model};
use sketch::Sketch;
use sketch::Value::Ints;

/// The allocator's counters are the whole process's.
static TURN: Mutex<()> = Mutex::new(());

/// A chain of 3×3 convolutions with a batch normalisation each, and a dense layer behind a picture: 28 MB of weights.
fn model() -> Vec<u8> {
    let mut numbers: Vec<f32> = (0..512 * 512 * 9).map(|i| (i * 7 % 113) as f32 / 5000.0 - 0.01).collect();
    let ones = [1.0; 512];
    let mut sketch = Sketch::new(13, &[1, 512, 7, 7]).floats("one", &[512], &ones);
    let mut from = String::from("x");
    for layer in 0..2 {
        let weight = format!("w{layer}");
        sketch = sketch.raw(&weight, &[512, 512, 3, 3], &numbers);
        numbers.reverse();
        let conv = format!("c{layer}");
        sketch =
            sketch.node_with("Conv", &format!("{from} {weight}"), &conv, &[("pads", Ints(&[1, 1, 1, 1]))]);
        from.clear();
        write!(from, "b{layer}").unwrap();
        sketch = sketch.node("BatchNormalization", &format!("{conv} one one one one"), &from);
    }
    let sketch = sketch.raw("d", &[90, 512 * 49], &numbers[..90 * 512 * 49]);
    let gemm = [("transB", sketch::Value::Int(1))];
    sketch.node("Flatten", &from, "f").node_with("Gemm", "f d", "y", &gemm).bytes()
}

fn file(name: &str) -> PathBuf {
    let path = std::env::temp_dir().join(format!("salto_{name}_{}.onnx", std::process::id()));
    fs::write(&path, model()).unwrap();
    path
}

#[test]
fn loading_takes_the_program_and_a_few_rows_of_weights() {
    let _turn = TURN.lock();
    let path = file("load_memory");
    for winograd in [true, false] {
        let compile = CompileOptions::default().winograd(winograd);
        let options = LoadOptions { compile, ..LoadOptions::default() };
        let (model, peak) = memory::peak(|| Model::load_with(&path, &options).unwrap());
        let program = model.program_bytes().len();
        assert!(program > 27 << 20);
        // Linux gives memory for large programs without the allocator. A panel of the widest layer is 16 rows of 25088 terms.
        let counted = if cfg!(target_os = "linux") { 0 } else { program };
        let rest = peak - counted;
        assert!(rest < 5 << 20, "{rest} bytes beside a program of {program}");
    }
    fs::remove_file(path).unwrap();
}

#[test]
fn a_model_from_its_file_is_the_one_from_its_bytes() {
    let _turn = TURN.lock();
    let path = file("load_same");
    let from_file = Model::load(&path).unwrap();
    let from_bytes = Model::from_onnx(&fs::read(&path).unwrap()).unwrap();
    assert!(from_file.program_bytes() == from_bytes.program_bytes());
    fs::remove_file(path).unwrap();
}

#[test]
fn a_file_that_changes_before_its_weights_are_packed_is_an_error() {
    let _turn = TURN.lock();
    let path = file("load_changes");
    let graph = import_file(&path, &ImportOptions::default()).unwrap();
    assert!(Model::from_graph(&graph).is_ok());
    fs::write(&path, [0; 100]).unwrap();
    let error = Model::from_graph(&graph).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Io);
    assert!(error.to_string().contains("salto_load_changes"), "{error}");
    fs::remove_file(path).unwrap();
}
