//! The operator tests of ONNX itself: every model that imports must compute what its test says.
//!
//! The first input stays an input, all others are bound as constants (weights, shapes, scales); the first too where it holds
//! integers or booleans, or where the operator takes constants only. The archive lies outside the
//! repository, in the folder that `SALTO_SHARED` names; without it, or without `tar`, the test prints `skipped`.
#![cfg(feature = "std")]
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use half::{bf16, f16};
use rten_onnx::onnx::{DataType, ModelProto, TensorProto, ValueInfoProto};
use rten_onnx::protobuf::{DecodeMessage, ValueReader};
use salto::host::graph::Constant;
use salto::host::import::onnx::{ImportOptions, Tensor, import};
use salto::host::optimize::optimize;
use salto::host::{ErrorKind, Model};

/// The table of what becomes of each test, one a line: name, `pass` or `out of scope`, reason.
const TABLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/onnx_conformance.tsv");

/// Where this variable is set, the table is written anew instead of compared.
const REWRITE: &str = "SALTO_REWRITE_CONFORMANCE";

/// How far an output may be from the expected one, in parts of the largest number: some tests give four digits. Outputs of half
/// floats are rounded to them, salto's are not.
fn tolerance(dtype: DataType) -> f32 {
    match dtype {
        DataType::FLOAT16 => 1e-3,
        DataType::BFLOAT16 => 8e-3,
        _ => 2e-4,
    }
}

/// Tests that onnxruntime and PyTorch contradict, as salto does.
const DISPUTED: [&str; 2] = [
    "test_resize_downsample_scales_cubic_align_corners",
    "test_resize_downsample_scales_linear_align_corners",
];

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
    let (mut found, mut wrong) = (BTreeMap::new(), Vec::new());
    for test in &tests {
        let name = test.strip_prefix(&folder).unwrap().display().to_string();
        let outcome = match outcome(test) {
            Outcome::Wrong(_) if DISPUTED.iter().any(|disputed| test.ends_with(disputed)) => {
                Outcome::Refused("onnxruntime and PyTorch contradict the test".into())
            }
            outcome => outcome,
        };
        let line = match outcome {
            Outcome::Passed => ("pass".into(), String::new()),
            Outcome::Refused(reason) => ("out of scope".into(), reason.replace(['\n', '\t'], " ")),
            Outcome::Wrong(reason) => {
                wrong.push(format!("wrong {name}: {reason}"));
                continue;
            }
        };
        found.insert(name, line);
    }
    let passed = found.values().filter(|(word, _)| word == "pass").count();
    println!("{passed} of {} pass, {} are wrong", tests.len(), wrong.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    if std::env::var_os(REWRITE).is_some() {
        write_table(&found);
    }
    let differences = differences(&read_table(), &found);
    assert!(
        differences.is_empty(),
        "not as tests/onnx_conformance.tsv says; {REWRITE}=1 writes it anew:\n{}",
        differences.join("\n")
    );
}

/// Name → `pass` or `out of scope`, and the reason.
type Table = BTreeMap<String, (String, String)>;

fn read_table() -> Table {
    let text = std::fs::read_to_string(TABLE).unwrap();
    let line = |line: &str| {
        let mut cells = line.split('\t').map(String::from);
        let mut cell = || cells.next().unwrap_or_default();
        (cell(), (cell(), cell()))
    };
    text.lines().map(line).collect()
}

fn write_table(table: &Table) {
    let lines = table.iter().map(|(name, (word, reason))| match reason.as_str() {
        "" => format!("{name}\t{word}\n"),
        reason => format!("{name}\t{word}\t{reason}\n"),
    });
    std::fs::write(TABLE, lines.collect::<String>()).unwrap();
}

/// Tests of which one table says another word than the other. (Reasons may be worded anew.)
fn differences(table: &Table, found: &Table) -> Vec<String> {
    let word = |table: &Table, name: &str| table.get(name).map_or("nothing".into(), |(word, _)| word.clone());
    let names: BTreeSet<&String> = table.keys().chain(found.keys()).collect();
    let differing = names.into_iter().filter(|name| word(table, name) != word(found, name));
    let told = |name: &String| {
        let reason = found.get(name).map_or("", |(_, reason)| reason);
        format!("{name}: {} in the table, now {} {reason}", word(table, name), word(found, name))
    };
    differing.map(told).collect()
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
    let mut bytes = std::fs::read(test.join("model.onnx")).unwrap();
    let mut model = ModelProto::parse_buf(&bytes).unwrap();
    if widen_moves(&mut model) {
        bytes = model.write_buf().unwrap();
    }
    let graph = model.graph.unwrap();
    let initialised =
        |name: &str| graph.initializer.iter().any(|tensor| tensor.name.as_deref() == Some(name));
    let names = graph.input.iter().map(|input| input.name.clone().unwrap());
    let names: Vec<String> = names.filter(|name| !initialised(name)).collect();
    let declared = |port: &ValueInfoProto| port.r#type.as_ref()?.tensor_type.as_ref()?.elem_type;
    let input_type =
        |name: &str| declared(graph.input.iter().find(|input| input.name.as_deref() == Some(name))?);
    let output_types: Vec<_> = graph.output.iter().map(declared).collect();
    for set in 0.. {
        let set = test.join(format!("test_data_set_{set}"));
        if !set.is_dir() {
            break;
        }
        let mut inputs = Vec::new();
        for (i, name) in names.iter().enumerate() {
            match read_tensor(&set.join(format!("input_{i}.pb")), input_type(name)) {
                Ok(tensor) => inputs.push((name.as_str(), tensor)),
                Err(reason) => return Outcome::Refused(reason),
            }
        }
        match run_bound(&bytes, &inputs) {
            Ok(outputs) => {
                if let Err(reason) = compare(&set, &outputs, &output_types) {
                    return Outcome::Wrong(reason);
                }
            }
            Err(outcome) => return outcome,
        }
    }
    Outcome::Passed
}

/// Paddings of integers compute nothing: they run with the same numbers as floats.
fn widen_moves(model: &mut ModelProto) -> bool {
    let graph = model.graph.as_mut().unwrap();
    if graph.node.iter().any(|node| node.op_type.as_deref() != Some("Pad")) {
        return false;
    }
    let tensors = graph.input.iter_mut().filter_map(|input| input.r#type.as_mut()?.tensor_type.as_mut());
    let mut is_widened = false;
    for tensor in tensors.filter(|tensor| tensor.elem_type == Some(DataType::INT32)) {
        tensor.elem_type = Some(DataType::FLOAT);
        is_widened = true;
    }
    is_widened
}

/// Runs with the first input as an input if it holds floats and the operator takes it, else with all of them as constants.
fn run_bound(bytes: &[u8], inputs: &[(&str, Tensor)]) -> Result<Outputs, Outcome> {
    let bound = |inputs: &[(&str, Tensor)]| {
        let bind = |options: ImportOptions, (name, tensor): &(&str, Tensor)| {
            options.with_constant(*name, tensor.clone())
        };
        inputs.iter().fold(ImportOptions::default(), bind)
    };
    let Some(((name, first), others)) = inputs.split_first() else {
        return run(bytes, &ImportOptions::default(), &[]);
    };
    if let Some(floats) = first.data().as_f32() {
        let options = bound(others).with_shape(*name, first.dims());
        match run(bytes, &options, &[floats]) {
            Err(Outcome::Refused(reason)) if reason.contains("is not constant") => {}
            result => return result,
        }
    }
    run(bytes, &bound(inputs), &[])
}

/// Dimensions and elements of each output.
type Outputs = Vec<(Vec<u32>, Vec<f32>)>;

fn run(bytes: &[u8], options: &ImportOptions, inputs: &[&[f32]]) -> Result<Outputs, Outcome> {
    let refused = |error: salto::host::Error| match error.kind() {
        ErrorKind::Unsupported | ErrorKind::Argument => Outcome::Refused(error.to_string()),
        _ => Outcome::Wrong(error.to_string()),
    };
    let mut graph = import(bytes, options).map_err(refused)?;
    graph.validate().map_err(refused)?;
    optimize(&mut graph).map_err(refused)?;
    let model = Model::from_graph(&graph).map_err(refused)?;
    let outputs = model.session().and_then(|mut session| session.run(inputs)).map_err(refused)?;
    Ok(model.outputs().iter().map(|port| port.model_dims()).zip(outputs).collect())
}

fn compare(set: &Path, outputs: &Outputs, types: &[Option<DataType>]) -> Result<(), String> {
    for (i, (dims, found)) in outputs.iter().enumerate() {
        let dtype = types[i];
        let expected = read_tensor(&set.join(format!("output_{i}.pb")), dtype)?;
        let tolerance = tolerance(dtype.unwrap_or(DataType::FLOAT));
        if expected.dims() != dims {
            return Err(format!("output {i} is {dims:?}, not {:?}", expected.dims()));
        }
        let expected = match expected.data() {
            Constant::F32(floats) => floats.to_vec(),
            Constant::I64(integers) => integers.iter().map(|x| *x as f32).collect(),
        };
        let largest = expected.iter().fold(1e-30f32, |largest, x| largest.max(x.abs()));
        let pairs = found.iter().zip(&expected).filter(|(a, b)| !(a.is_nan() && b.is_nan()) && a != b);
        let mut parts = pairs.map(|(a, b)| (a - b).abs() / largest);
        if let Some(part) = parts.find(|part| part.is_nan() || *part >= tolerance) {
            return Err(format!(
                "output {i} differs by {part} of the largest: {:?}…",
                &found[..found.len().min(8)]
            ));
        }
    }
    Ok(())
}

/// Reads a tensor file of a data set. `declared` is what the model says of it: files have bits of `bfloat16` as `uint16`.
fn read_tensor(path: &Path, declared: Option<DataType>) -> Result<Tensor, String> {
    let bytes = std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let proto = TensorProto::decode(ValueReader::from_buf(&bytes[..]))
        .map_err(|_| "an input or output is no tensor".to_string())?;
    let dims: Vec<u32> = proto.dims.iter().map(|dim| u32::try_from(*dim).unwrap()).collect();
    let raw = proto.raw_data.as_ref().map(|raw| raw.borrow().clone()).unwrap_or_default();
    let halves = |decode: fn(u16) -> f32| {
        let fields = proto.int32_data.iter().map(|bits| u16::try_from(*bits).unwrap());
        let packed = raw.as_chunks().0.iter().map(|b| u16::from_le_bytes(*b));
        Constant::f32(fields.chain(packed).map(decode).collect::<Vec<_>>())
    };
    let stored = proto.data_type.unwrap_or(DataType(0));
    let data = match stored {
        DataType::UINT16 | DataType::BFLOAT16 if declared == Some(DataType::BFLOAT16) => {
            halves(|bits| bf16::from_bits(bits).to_f32())
        }
        DataType::FLOAT16 => halves(|bits| f16::from_bits(bits).to_f32()),
        DataType::FLOAT if raw.is_empty() => Constant::f32(proto.float_data),
        DataType::FLOAT => {
            Constant::f32(raw.as_chunks().0.iter().map(|b| f32::from_le_bytes(*b)).collect::<Vec<_>>())
        }
        DataType::INT64 if raw.is_empty() => Constant::i64(proto.int64_data),
        DataType::INT64 => {
            Constant::i64(raw.as_chunks().0.iter().map(|b| i64::from_le_bytes(*b)).collect::<Vec<_>>())
        }
        DataType::INT32 => {
            let packed = raw.as_chunks().0.iter().map(|b| i32::from_le_bytes(*b));
            let all = proto.int32_data.iter().copied().chain(packed);
            Constant::f32(all.map(|x| x as f32).collect::<Vec<_>>())
        }
        DataType::DOUBLE => {
            Constant::f32(raw.as_chunks().0.iter().map(|b| f64::from_le_bytes(*b) as f32).collect::<Vec<_>>())
        }
        DataType::BOOL => Constant::i64(raw.iter().map(|b| i64::from(*b)).collect::<Vec<_>>()),
        other => return Err(format!("an input or output holds {other}")),
    };
    Tensor::new(dims, data).map_err(|error| error.to_string())
}
