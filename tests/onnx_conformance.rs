//! The operator tests of ONNX itself: every model that imports must compute what its test says.
//!
//! The first input stays an input, all others are bound as constants (weights, shapes, scales). The archive lies outside the
//! repository, in the folder that `SALTO_SHARED` names; without it, or without `tar`, the test prints `skipped`.
#![cfg(feature = "std")]
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};
use std::process::Command;

use rten_onnx::onnx::{DataType, ModelProto, TensorProto};
use rten_onnx::protobuf::{DecodeMessage, ValueReader};
use salto::host::graph::Constant;
use salto::host::import::onnx::{ImportOptions, Tensor, import};
use salto::host::optimize::optimize;
use salto::host::{ErrorKind, Model};

/// How many of the tests must pass at least.
const PASSES: usize = 306;

/// How far an output may be from the expected one, in parts of the largest number: some tests give four digits.
const TOLERANCE: f32 = 2e-4;

/// Tests that onnxruntime and PyTorch contradict, as salto does.
const DISPUTED: [&str; 1] = ["test_resize_downsample_scales_linear_align_corners"];

/// What became of one test.
#[derive(Debug, PartialEq)]
enum Outcome {
    Passed,
    Refused(String),
    Wrong(String),
}

#[test]
fn what_imports_computes_what_onnx_says() {
    let Some(folder) = unpacked() else {
        println!("skipped: no archive of operator tests, or no tar");
        return;
    };
    let mut tests = Vec::new();
    collect(&folder, &mut tests);
    tests.sort();
    let (mut passed, mut wrong) = (0, Vec::new());
    for test in &tests {
        let name = test.strip_prefix(&folder).unwrap().display();
        if DISPUTED.iter().any(|disputed| test.ends_with(disputed)) {
            continue;
        }
        match outcome(test) {
            Outcome::Passed => passed += 1,
            Outcome::Refused(reason) => println!("refused {name}: {reason}"),
            Outcome::Wrong(reason) => wrong.push(format!("wrong {name}: {reason}")),
        }
    }
    println!("{passed} of {} pass, {} are wrong", tests.len(), wrong.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(passed >= PASSES, "{passed} pass, {PASSES} did before");
}

/// The folder with the unpacked archive.
fn unpacked() -> Option<PathBuf> {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared");
    let shared = std::env::var_os("SALTO_SHARED").map_or_else(beside, PathBuf::from);
    let archive = shared.join("models/onnx_backend_tests/cnn_subset.tar.xz");
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("onnx_backend_tests");
    std::fs::create_dir_all(&folder).unwrap();
    let mut tar = Command::new("tar");
    tar.arg("xf").arg(&archive).arg("-C").arg(&folder);
    (archive.is_file() && tar.status().is_ok_and(|status| status.success())).then_some(folder)
}

/// All folders with a model.
fn collect(folder: &Path, tests: &mut Vec<PathBuf>) {
    if folder.join("model.onnx").is_file() {
        tests.push(folder.into());
    }
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.filter(|path| path.is_dir()).for_each(|path| collect(&path, tests));
}

/// Runs one test on all its data sets.
fn outcome(test: &Path) -> Outcome {
    let bytes = std::fs::read(test.join("model.onnx")).unwrap();
    let graph = ModelProto::parse_buf(&bytes).unwrap().graph.unwrap();
    let initialised =
        |name: &str| graph.initializer.iter().any(|tensor| tensor.name.as_deref() == Some(name));
    let names = graph.input.iter().map(|input| input.name.clone().unwrap());
    let names: Vec<String> = names.filter(|name| !initialised(name)).collect();
    for set in 0.. {
        let set = test.join(format!("test_data_set_{set}"));
        if !set.is_dir() {
            break;
        }
        let mut options = ImportOptions::default();
        let mut first = Vec::new();
        for (i, name) in names.iter().enumerate() {
            match read_tensor(&set.join(format!("input_{i}.pb"))) {
                Ok(tensor) if i == 0 => match tensor.data().as_f32() {
                    Some(floats) => {
                        first = floats.to_vec();
                        options = options.with_shape(name, tensor.dims());
                    }
                    None => return Outcome::Refused("its input holds integers".into()),
                },
                Ok(tensor) => options = options.with_constant(name, tensor),
                Err(reason) => return Outcome::Refused(reason),
            }
        }
        match run(&bytes, &options, &first) {
            Ok(outputs) => {
                if let Err(reason) = compare(&set, &outputs) {
                    return Outcome::Wrong(reason);
                }
            }
            Err(outcome) => return outcome,
        }
    }
    Outcome::Passed
}

/// Dimensions and elements of each output.
type Outputs = Vec<(Vec<u32>, Vec<f32>)>;

fn run(bytes: &[u8], options: &ImportOptions, input: &[f32]) -> Result<Outputs, Outcome> {
    let refused = |error: salto::host::Error| match error.kind() {
        ErrorKind::Unsupported | ErrorKind::Argument => Outcome::Refused(error.to_string()),
        _ => Outcome::Wrong(error.to_string()),
    };
    let mut graph = import(bytes, options).map_err(refused)?;
    graph.validate().map_err(refused)?;
    optimize(&mut graph).map_err(refused)?;
    let model = Model::from_graph(&graph).map_err(refused)?;
    let outputs = model.session().and_then(|mut session| session.run(&[input])).map_err(refused)?;
    Ok(model.outputs().iter().map(|port| port.model_dims()).zip(outputs).collect())
}

fn compare(set: &Path, outputs: &Outputs) -> Result<(), String> {
    for (i, (dims, found)) in outputs.iter().enumerate() {
        let expected = read_tensor(&set.join(format!("output_{i}.pb")))?;
        if expected.dims() != dims {
            return Err(format!("output {i} is {dims:?}, not {:?}", expected.dims()));
        }
        let expected = expected.data().as_f32().ok_or("integers are expected")?;
        let largest = expected.iter().fold(1e-30f32, |largest, x| largest.max(x.abs()));
        let pairs = found.iter().zip(expected).filter(|(a, b)| !(a.is_nan() && b.is_nan()) && a != b);
        let mut parts = pairs.map(|(a, b)| (a - b).abs() / largest);
        if let Some(part) = parts.find(|part| part.is_nan() || *part >= TOLERANCE) {
            return Err(format!(
                "output {i} differs by {part} of the largest: {:?}…",
                &found[..found.len().min(8)]
            ));
        }
    }
    Ok(())
}

/// Reads a tensor file of a data set.
fn read_tensor(path: &Path) -> Result<Tensor, String> {
    let bytes = std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let proto = TensorProto::decode(ValueReader::from_buf(&bytes[..])).map_err(|error| error.to_string())?;
    let dims: Vec<u32> = proto.dims.iter().map(|dim| u32::try_from(*dim).unwrap()).collect();
    let raw = proto.raw_data.as_ref().map(|raw| raw.borrow().clone()).unwrap_or_default();
    let data = match proto.data_type {
        Some(DataType::FLOAT) if raw.is_empty() => Constant::f32(proto.float_data),
        Some(DataType::FLOAT) => {
            Constant::f32(raw.as_chunks().0.iter().map(|b| f32::from_le_bytes(*b)).collect::<Vec<_>>())
        }
        Some(DataType::INT64) if raw.is_empty() => Constant::i64(proto.int64_data),
        Some(DataType::INT64) => {
            Constant::i64(raw.as_chunks().0.iter().map(|b| i64::from_le_bytes(*b)).collect::<Vec<_>>())
        }
        Some(DataType::DOUBLE) => {
            Constant::f32(raw.as_chunks().0.iter().map(|b| f64::from_le_bytes(*b) as f32).collect::<Vec<_>>())
        }
        Some(DataType::BOOL) => Constant::i64(raw.iter().map(|b| i64::from(*b)).collect::<Vec<_>>()),
        other => return Err(format!("a tensor of type {other:?}")),
    };
    Tensor::new(dims, data).map_err(|error| error.to_string())
}
