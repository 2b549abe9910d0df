//! The command line as a user meets it: every command on the repository's own network, then bad input of every kind.
#![allow(clippy::expect_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use npyz::WriterBuilder as _;

#[path = "cli/files_read.rs"]
mod files_read;
#[path = "cli/front_door.rs"]
mod front_door;
#[path = "cli/measure.rs"]
mod measure;
#[path = "cli/plan.rs"]
mod plan;
#[path = "cli/zoo.rs"]
mod zoo;

const DIGITS: &str = "examples/digits/digits.onnx";
const LABELS: &str = "examples/digits/labels.txt";
const THREE: &str = "examples/digits/pictures/three.png";
const GOLDEN_INPUT: &str = "examples/digits/golden_input.npy";
const GOLDEN_OUTPUT: &str = "examples/digits/golden_output.npy";

fn salto(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_salto"));
    command.current_dir(env!("CARGO_MANIFEST_DIR")).args(arguments).output().expect("the binary starts")
}

/// What a command prints if it succeeds.
fn answer(arguments: &[&str]) -> String {
    let output = salto(arguments);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {stderr}");
    String::from_utf8(output.stdout).expect("UTF-8")
}

fn json(arguments: &[&str]) -> serde_json::Value {
    let text = answer(&[arguments, &["--json"]].concat());
    serde_json::from_str(&text).expect("JSON")
}

/// The one line that a command prints if it fails, and its exit status.
fn complaint(arguments: &[&str]) -> (String, i32) {
    let output = salto(arguments);
    let stderr = String::from_utf8(output.stderr).expect("UTF-8");
    let status = output.status.code().expect("no signal");
    assert!(output.stdout.is_empty(), "{arguments:?} printed an answer");
    assert_eq!(stderr.lines().count(), 1, "{arguments:?}: {stderr}");
    assert!(stderr.starts_with("error: ") && !stderr.contains("panicked"), "{stderr}");
    (stderr, status)
}

/// A fresh folder for one test.
fn folder(test: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("cli_{test}"));
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).expect("a folder");
    folder
}

fn path(folder: &Path, name: &str) -> String {
    folder.join(name).to_str().expect("UTF-8").into()
}

fn file(folder: &Path, name: &str, content: &[u8]) -> String {
    fs::write(folder.join(name), content).expect("a file");
    path(folder, name)
}

fn npy(path: &str) -> (Vec<u64>, Vec<f32>) {
    let bytes = fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).expect("a file");
    let file = npyz::NpyFile::new(&bytes[..]).expect("an array");
    (file.shape().to_vec(), file.into_vec().expect("floats"))
}

#[test]
fn run_names_the_likeliest_class_of_a_picture() {
    let text = answer(&["run", DIGITS, "--input", THREE, "--labels", LABELS]);
    let likeliest = text.lines().find(|line| line.starts_with("  ")).expect("a class");
    assert!(likeliest.ends_with("three"), "{text}");
    assert!(text.contains("RAM") && text.contains("ms a run"), "{text}");
    let report = json(&["run", DIGITS, "--input", THREE, "--labels", LABELS, "--top", "2", "--threads", "1"]);
    let top = &report["outputs"][0]["classes"][0]["top"];
    assert_eq!((top[0]["label"].as_str(), top.as_array().map(Vec::len)), (Some("three"), Some(2)));
    assert!(report["threads"] == 1 && report["arena_bytes"].as_u64() > Some(0));
}

#[test]
fn run_stacks_a_batch_and_writes_it_in_the_models_layout() {
    let folder = folder("stack");
    let out = path(&folder, "out.npy");
    answer(&["run", DIGITS, "--input", GOLDEN_INPUT, "--output", &out]);
    let ((shape, ours), (_, golden)) = (npy(&out), npy(GOLDEN_OUTPUT));
    assert_eq!(shape, [12, 10]);
    assert!(ours.iter().zip(&golden).all(|(ours, golden)| (ours - golden).abs() < 1e-4));
    assert_eq!(fs::read_dir(&folder).expect("the folder").count(), 1, "nothing but the output");
}

#[test]
fn run_takes_several_pictures_in_turn() {
    let one = "examples/digits/pictures/one.png";
    let report = json(&["run", DIGITS, "--input", THREE, "--input", one, "--labels", LABELS]);
    let classes = report["outputs"][0]["classes"].as_array().expect("a list");
    let likeliest: Vec<_> = classes.iter().map(|picture| picture["top"][0]["label"].as_str()).collect();
    assert_eq!(likeliest, [Some("three"), Some("one")]);
}

#[test]
fn a_compiled_program_gives_the_same_answer() {
    let folder = folder("compile");
    let (program, a, b) = (path(&folder, "d.salto"), path(&folder, "a.npy"), path(&folder, "b.npy"));
    let report = json(&["compile", DIGITS, "-o", &program]);
    assert_eq!(report["program_bytes"].as_u64(), fs::metadata(&program).ok().map(|file| file.len()));
    answer(&["run", DIGITS, "--input", GOLDEN_INPUT, "--output", &a]);
    answer(&["run", &program, "--input", GOLDEN_INPUT, "--output", &b]);
    assert_eq!(npy(&a), npy(&b));
    // A program does not say what the order of its steps has gained.
    let mut report = json(&["inspect", DIGITS]);
    report["memory"]["order"] = serde_json::Value::Null;
    assert_eq!(report, json(&["inspect", &program]));
}

#[test]
fn inspect_shows_layers_and_the_peak() {
    let report = json(&["inspect", DIGITS]);
    assert_eq!(report["inputs"][0]["shape"], serde_json::json!([1, 1, 8, 8]));
    let text = answer(&["inspect", DIGITS]);
    assert!(text.contains("1×1×8×8  [n, c, h, w]") && text.contains("output [n, h, w, c]"), "{text}");
    let layers = report["layers"].as_array().expect("layers");
    let macs: u64 = layers.iter().filter_map(|layer| layer["macs"].as_u64()).sum();
    assert_eq!(report["macs"].as_u64(), Some(macs));
    let memory = &report["memory"];
    let live: u64 = memory["peak"]["residents"]
        .as_array()
        .expect("residents")
        .iter()
        .filter_map(|r| r["bytes"].as_u64())
        .sum();
    assert_eq!(memory["peak"]["live_bytes"].as_u64(), Some(live));
    assert!(answer(&["inspect", DIGITS]).contains("and again by"), "a skip lives at the peak");
}

#[test]
fn plan_writes_csv_alone() {
    let folder = folder("plan");
    let problem = file(&folder, "p.csv", b"id,lower,upper,size\na,0,2,16\nb,1,3,8\nc,2,4,16\n");
    let text = answer(&["plan", &problem]);
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[0], "id,lower,upper,size,offset");
    assert!(lines.len() == 4 && lines[1].starts_with("a,0,2,16,"), "{text}");
    let report = json(&["plan", &problem]);
    assert_eq!((&report["arena_bytes"], &report["lower_bound"]), (&24.into(), &24.into()));
    assert_eq!(report["certificate"]["optimal"], "bound_reached");
    assert!(answer(&["plan", &problem, "--capacity", "24"]).starts_with("id,"));
    let (line, status) = complaint(&["plan", &problem, "--capacity", "23"]);
    assert!(status == 1 && line.contains("24"), "{line}");
    assert!(answer(&["plan", DIGITS]).contains("lower bound"));
    assert_eq!(complaint(&["plan", DIGITS, "--capacity", "1KiB"]).1, 1);
}

#[test]
fn bad_networks_are_refused_in_one_line() {
    let folder = folder("networks");
    let whole = fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join(DIGITS)).expect("the network");
    let empty = file(&folder, "empty.onnx", b"");
    let cut = file(&folder, "cut.onnx", &whole[..whole.len() / 2]);
    let noise = file(&folder, "noise.onnx", &[0xa5; 4096]);
    for (model, word) in [
        (empty.as_str(), "empty"),
        (&cut, "cut.onnx"),
        (&noise, "noise.onnx"),
        (THREE, "picture"),
        ("absent.onnx", "path"),
    ] {
        for command in ["inspect", "bench", "plan"] {
            let (line, status) = complaint(&[command, model]);
            assert!(status == 1 && line.contains(word), "{line}");
        }
    }
    let program = path(&folder, "d.salto");
    answer(&["compile", DIGITS, "-o", &program]);
    let bytes = fs::read(&program).expect("the program");
    for len in [1, 7, 63, bytes.len() / 2, bytes.len() - 1] {
        let cut = file(&folder, "cut.salto", &bytes[..len]);
        let (line, _) = complaint(&["inspect", &cut]);
        assert!(line.contains("cut.salto") && line.contains("program") && !line.contains("ONNX"), "{line}");
    }
}

#[test]
fn an_unknown_operator_is_named() {
    let folder = folder("operator");
    let model = file(&folder, "odd.onnx", &onnx_with_operator("Frobnicate", &[1, 4]));
    let (line, status) = complaint(&["inspect", &model]);
    assert!(status == 1 && line.contains("Frobnicate"), "{line}");
}

#[test]
fn free_dimensions_bind_from_a_flag_or_from_the_input() {
    let folder = folder("free");
    let model = file(&folder, "free.onnx", &onnx_with_operator("Relu", &[1, 0, 5]));
    let (line, status) = complaint(&["inspect", &model]);
    assert!(status == 1 && line.contains("--shape x="), "{line}");
    let report = json(&["inspect", &model, "--shape", "x=1,3,5"]);
    assert_eq!(report["outputs"][0]["shape"], serde_json::json!([1, 3, 5]));
    let (input, output) = (path(&folder, "in.npy"), path(&folder, "out.npy"));
    let data: Vec<f32> = (0..40).map(|i| i as f32 - 20.0).collect();
    let file = fs::File::create(&input).expect("a file");
    let options = npyz::WriteOptions::new().default_dtype().shape(&[2, 4, 5]).writer(file);
    let mut writer = options.begin_nd().expect("a header");
    writer.extend(data.iter().copied()).and_then(|()| writer.finish()).expect("an array");
    answer(&["run", &model, "--input", &input, "--output", &output]);
    assert_eq!(npy(&output), (vec![2, 4, 5], data.iter().map(|x| x.max(0.0)).collect()));
}

#[test]
fn bad_inputs_are_refused_in_one_line() {
    let folder = folder("inputs");
    let text = file(&folder, "text.png", b"this is no picture");
    let empty = file(&folder, "empty.npy", b"");
    let cut = file(&folder, "cut.npy", &fs::read(GOLDEN_INPUT).expect("an array")[..200]);
    for (input, word) in [
        (text.as_str(), "text.png"),
        (&empty, "empty"),
        (&cut, "cut.npy"),
        (GOLDEN_OUTPUT, "12×10"),
        ("absent.npy", "absent.npy"),
        (DIGITS, "digits.onnx"),
        ("other=examples/digits/golden_input.npy", "no input named 'other'"),
    ] {
        let (line, status) = complaint(&["run", DIGITS, "--input", input]);
        assert!(status == 1 && line.contains(word), "{line}");
    }
    let labels = file(&folder, "labels.txt", b"zero\none\n");
    let (line, _) = complaint(&["run", DIGITS, "--input", THREE, "--labels", &labels]);
    assert!(line.contains("labels"), "{line}");
    let (line, _) = complaint(&["run", DIGITS, "--input", THREE, "--mean", "1,2,3"]);
    assert!(line.contains("--mean"), "{line}");
}

#[test]
fn an_unwritable_output_leaves_nothing_behind() {
    let folder = folder("unwritable");
    let occupied = file(&folder, "file", b"a file, not a folder");
    let inside = format!("{occupied}/out.npy");
    let absent = path(&folder, "absent/out.npy");
    let directory = folder.to_str().expect("UTF-8");
    for output in [inside.as_str(), &absent, directory] {
        assert_eq!(complaint(&["run", DIGITS, "--input", THREE, "--output", output]).1, 1);
        assert_eq!(complaint(&["compile", DIGITS, "-o", output]).1, 1);
    }
    assert_eq!(fs::read_dir(&folder).expect("the folder").count(), 1, "only the file from before");
}

#[test]
#[cfg(unix)]
fn a_pipe_is_written_through_and_a_link_stays() {
    let folder = folder("through");
    let (pipe, link, target) =
        (path(&folder, "pipe"), path(&folder, "link.npy"), path(&folder, "target.npy"));
    assert!(Command::new("mkfifo").arg(&pipe).status().expect("mkfifo").success());
    let reader = std::thread::spawn({
        let pipe = pipe.clone();
        move || fs::read(pipe).expect("the pipe")
    });
    answer(&["run", DIGITS, "--input", THREE, "--output", &pipe]);
    let piped = reader.join().expect("the reader");
    assert!(piped.starts_with(b"\x93NUMPY"));
    std::os::unix::fs::symlink("target.npy", &link).expect("a link");
    for round in ["the link dangles", "the link leads to a file"] {
        answer(&["run", DIGITS, "--input", THREE, "--output", &link]);
        assert_eq!(fs::read(&target).expect("the target"), piped, "{round}");
        assert!(fs::symlink_metadata(&link).expect("the link").is_symlink(), "{round}");
    }
    assert_eq!(fs::read_dir(&folder).expect("the folder").count(), 3, "no temporary file");
}

#[test]
fn outputs_replace_nothing_that_is_read() {
    let folder = folder("replace");
    let model = file(&folder, "d.onnx", &fs::read(DIGITS).expect("the network"));
    let input = file(&folder, "in.npy", &fs::read(GOLDEN_INPUT).expect("an array"));
    let other = format!("{}/../{}/in.npy", folder.display(), "cli_replace");
    let hard = path(&folder, "hard.npy");
    fs::hard_link(&input, &hard).expect("a link");
    for output in [&input, &other, &hard, &model, &path(&folder, "new.onnx"), &path(&folder, "new.salto")] {
        let (line, status) = complaint(&["run", &model, "--input", &input, "--output", output]);
        assert!(status == 1 && line.contains("name"), "{line}");
    }
    for output in [model.as_str(), &path(&folder, "new.onnx"), &path(&folder, "new.tflite")] {
        assert!(complaint(&["compile", &model, "-o", output]).0.contains("OUT.salto"));
    }
    let program = path(&folder, "d.salto");
    answer(&["compile", &model, "-o", &program]);
    assert!(complaint(&["compile", &program, "-o", &program]).0.contains("is read"));
    assert_eq!(fs::read(&model).expect("the network"), fs::read(DIGITS).expect("the network"));
    assert_eq!(fs::read_dir(&folder).expect("the folder").count(), 4, "nothing new but the program");
}

#[test]
fn misspelt_and_repeated_names_are_told() {
    let folder = folder("names");
    let (a, b) = (path(&folder, "a.npy"), path(&folder, "b.npy"));
    let (line, status) = complaint(&["run", DIGITS, "-i", THREE, "-o", "scores=x.npy"]);
    assert!(status == 1 && line.contains("no output named 'scores'; the outputs are "), "{line}");
    let (line, status) = complaint(&["run", DIGITS, "-i", THREE, "-o", &a, "-o", &b]);
    assert!(status == 1 && line.contains("one --output"), "{line}");
    assert_eq!(fs::read_dir(&folder).expect("the folder").count(), 0);
}

#[test]
fn low_memory_takes_less_and_is_the_remedy_for_a_small_capacity() {
    let folder = folder("low_memory");
    let arena = |report: &serde_json::Value| report["memory"]["arena_bytes"].as_u64().expect("bytes");
    let model = &file(&folder, "conv.onnx", &onnx_with_conv(64, 24, 0.01, 0.01));
    let (fast, low) = (json(&["inspect", model]), json(&["inspect", model, "--low-memory"]));
    assert!(arena(&low) < arena(&fast));
    let capacity = arena(&low).to_string();
    assert!(answer(&["plan", model, "--low-memory", "--capacity", &capacity]).contains("lower bound"));
    assert!(answer(&["inspect", model]).contains("With --low-memory"));
    assert!(!answer(&["inspect", model, "--low-memory"]).contains("With --low-memory"));
    let (line, status) = complaint(&["plan", model, "--capacity", &capacity]);
    assert!(status == 1 && line.contains(&format!("with --low-memory {capacity} are enough")), "{line}");
    let program = path(&folder, "d.salto");
    answer(&["compile", model, "--low-memory", "-o", &program]);
    assert_eq!(arena(&json(&["inspect", &program])), arena(&low));
    for flag in [["--low-memory", "--json"], ["--exact", "--json"], ["--shape", "x=1,1,8,8"]] {
        let (line, status) = complaint(&["inspect", &program, flag[0], flag[1]]);
        assert!(status == 1 && line.contains(flag[0]), "{line}");
    }
}

#[test]
fn exact_leaves_out_the_large_tiles_alone() {
    let folder = folder("exact");
    let model = &file(&folder, "conv.onnx", &onnx_with_conv(64, 24, 0.01, 0.01));
    let algorithm = |flags: &[&str]| {
        let report = json(&[&["inspect", model], flags].concat());
        report["layers"][0]["algorithm"].as_str().expect("an algorithm").to_string()
    };
    assert_eq!(algorithm(&[]), "winograd 4×4");
    assert_eq!(algorithm(&["--exact"]), "winograd 2×2");
    assert_eq!(algorithm(&["--exact", "--low-memory"]), "im2col");
}

#[test]
fn f16_halves_weights_and_refuses_what_it_cannot_hold() {
    let folder = folder("f16");
    let model = &file(&folder, "conv.onnx", &onnx_with_conv(64, 24, 0.01, 0.01));
    let bytes = |flags: &[&str]| {
        let report = json(&[&["inspect", model], flags].concat());
        report["layers"][0]["weight_bytes"].as_u64().expect("bytes")
    };
    let biases = 2 * 64 * 4;
    assert!(bytes(&["--low-memory", "--f16"]) * 2 <= bytes(&["--low-memory"]) + biases);
    // Transformed weights stay as they are.
    assert_eq!(bytes(&["--f16"]), bytes(&[]));
    let program = path(&folder, "d.salto");
    answer(&["compile", model, "--low-memory", "--f16", "-o", &program]);
    assert!(answer(&["inspect", &program]).contains("f16 weights"));
    let (line, status) = complaint(&["inspect", &program, "--f16"]);
    assert!(status == 1 && line.contains("--f16"), "{line}");
    let large = &file(&folder, "large.onnx", &onnx_with_conv(64, 24, 1e5, 0.01));
    let (line, status) = complaint(&["inspect", large, "--low-memory", "--f16"]);
    assert!(status == 1 && line.contains("ends at ±65504") && line.contains("without f16"), "{line}");
}

#[test]
fn every_command_tells_the_ram_of_its_threads() {
    let memory = &mut json(&["plan", DIGITS, "--threads", "2"]);
    memory.as_object_mut().expect("a report").remove("gains");
    let bytes = |name: &str| memory[name].as_u64().expect("bytes");
    assert_eq!(json(&["inspect", DIGITS, "--threads", "2"])["memory"], *memory);
    assert_eq!(
        json(&["run", DIGITS, "-i", THREE, "--threads", "2"])["arena_bytes"],
        memory["threads_arena_bytes"]
    );
    assert!(bytes("threads_arena_bytes") >= bytes("arena_bytes") + bytes("scratch_bytes"));
    for arguments in [["run", DIGITS, "-i", THREE].as_slice(), &["bench", DIGITS, "--reps", "1"]] {
        let text = answer(&[arguments, &["--threads", "2"]].concat());
        assert!(text.contains("on 1 thread, ") && text.contains("on 2"), "{text}");
    }
}

#[test]
fn weights_that_are_no_numbers_are_named() {
    let folder = folder("nan");
    for (name, bad, word) in [("nan.onnx", f32::NAN, "1 NaN"), ("inf.onnx", f32::INFINITY, "1 infinite")] {
        let model = file(&folder, name, &onnx_with_conv(4, 6, 0.1, bad));
        let (line, status) = complaint(&["inspect", &model]);
        assert!(status == 1 && line.contains("'stem.weight'") && line.contains(word), "{line}");
    }
    let model = file(&folder, "root.onnx", &onnx_with_operator("Sqrt", &[1, 4]));
    let input = path(&folder, "in.npy");
    let options = npyz::WriteOptions::new().default_dtype().shape(&[1, 4]);
    let mut writer = options.writer(fs::File::create(&input).expect("a file")).begin_nd().expect("a header");
    writer.extend([-1.0f32, 4.0, 9.0, -2.0]).and_then(|()| writer.finish()).expect("an array");
    let output = salto(&["run", &model, "-i", &input]);
    let (text, warning) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && text.contains("2 NaN, 2.000000 … 3.000000"), "{text}");
    assert!(warning.starts_with("warning: ") && warning.contains("2 of 4"), "{warning}");
    assert_eq!(json(&["run", &model, "-i", &input])["outputs"][0]["nan"], 2);
}

#[test]
fn tensors_are_listed_and_kept() {
    let folder = folder("keep");
    let listed = json(&["inspect", DIGITS, "--tensors"]);
    let stem = listed.as_array().expect("a list").iter().find(|tensor| tensor["name"] == "stem.relu");
    let out = path(&folder, "stem.npy");
    let output = format!("stem.relu={out}");
    answer(&["run", DIGITS, "-i", THREE, "--keep", "stem.relu", "-o", &output]);
    assert_eq!(serde_json::json!(npy(&out).0), stem.expect("the tensor")["shape"]);
    let (line, status) = complaint(&["run", DIGITS, "-i", THREE, "--keep", "nothing"]);
    assert!(status == 1 && line.contains("--tensors"), "{line}");
}

#[test]
fn wrong_arguments_are_told_in_one_line() {
    for (arguments, word) in [
        (vec!["run", DIGITS, "--input", THREE, "--threads", "999"], "256"),
        (vec!["inspect", DIGITS, "--threads", "0"], "1..=256"),
        (vec!["bench", DIGITS, "--threads", "-1"], "1..=256"),
        (vec!["run", DIGITS, "-i", THREE, "--scale", "nan"], "finite"),
        (vec!["run", DIGITS, "-i", THREE, "--mean", "0,inf"], "finite"),
        (vec!["run", DIGITS, "-i", THREE, "--std", "0"], "above 0"),
        (vec!["run", DIGITS, "-i", THREE, "--std", "-inf"], "above 0"),
        (vec!["run", DIGITS], "--input"),
        (vec!["inspect"], "MODEL"),
        (vec!["frobnicate"], "frobnicate"),
        (vec!["plan", DIGITS, "--capacity", "some"], "unit"),
        (vec!["inspect", DIGITS, "--shape", "1,1,8,8"], "NAME="),
    ] {
        let (line, status) = complaint(&arguments);
        assert!(status == 2 && line.contains(word), "{line}");
    }
    assert!(answer(&["--help"]).contains("inspect"));
    assert!(answer(&["--version"]).starts_with("salto "));
}

#[test]
#[cfg(unix)]
fn a_reader_who_goes_away_is_no_error() {
    let script = format!("{} inspect {DIGITS} | head -n 1", env!("CARGO_BIN_EXE_salto"));
    let output = Command::new("sh")
        .args(["-c", &script])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("sh");
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// A model of one node, `y = operator(x)`, field by field in protobuf's encoding; a dimension of 0 is left free.
fn onnx_with_operator(operator: &str, dims: &[u8]) -> Vec<u8> {
    onnx_with_operands(operator, &["x"], dims)
}

/// A model of one node, `y = operator(x, …)`, all of one shape.
fn onnx_with_operands(operator: &str, operands: &[&str], dims: &[u8]) -> Vec<u8> {
    let dim = |size: &u8| field(1, &if *size == 0 { field(2, b"free") } else { vec![0x08, *size] });
    let shape = field(2, &dims.iter().flat_map(dim).collect::<Vec<u8>>());
    let tensor = field(1, &[vec![0x08, 1], shape].concat());
    let value = |name: &str| [field(1, name.as_bytes()), field(2, &tensor)].concat();
    let operand = |name: &&str| field(1, name.as_bytes());
    let ends = operands.iter().flat_map(operand).collect::<Vec<u8>>();
    let node = [ends, field(2, b"y"), field(3, b"odd"), field(4, operator.as_bytes())].concat();
    let inputs = operands.iter().flat_map(|name| field(11, &value(name))).collect::<Vec<u8>>();
    let graph = [field(1, &node), field(2, b"g"), inputs, field(12, &value("y"))].concat();
    let opset = field(8, &[0x10, 13]);
    [vec![0x08, 8], field(7, &graph), opset].concat()
}

/// A model of one 3×3 convolution from `channels` to as many, with this weight everywhere but once: `first` stands first.
fn onnx_with_conv(channels: u8, side: u8, weight: f32, first: f32) -> Vec<u8> {
    let dim = |size: u8| field(1, &[0x08, size]);
    let shape = field(2, &[dim(1), dim(channels), dim(side), dim(side)].concat());
    let value = |name: &str| {
        let tensor = field(1, &[vec![0x08, 1], shape.clone()].concat());
        [field(1, name.as_bytes()), field(2, &tensor)].concat()
    };
    let mut weights = vec![weight; usize::from(channels) * usize::from(channels) * 9];
    weights[0] = first;
    let data: Vec<u8> = weights.iter().flat_map(|weight| weight.to_le_bytes()).collect();
    let dims = [0x08, channels, 0x08, channels, 0x08, 3, 0x08, 3, 0x10, 1];
    let weights = [dims.to_vec(), field(8, b"stem.weight"), field(9, &data)].concat();
    let pads = [field(1, b"pads"), vec![0x40, 1, 0x40, 1, 0x40, 1, 0x40, 1, 0xa0, 0x01, 7]].concat();
    let ends =
        [field(1, b"x"), field(1, b"stem.weight"), field(2, b"y"), field(3, b"stem"), field(4, b"Conv")];
    let node = [ends.concat(), field(5, &pads)].concat();
    let graph =
        [field(1, &node), field(2, b"g"), field(5, &weights), field(11, &value("x")), field(12, &value("y"))];
    [vec![0x08, 8], field(7, &graph.concat()), field(8, &[0x10, 13])].concat()
}

/// A length-delimited field.
fn field(number: u8, content: &[u8]) -> Vec<u8> {
    let mut bytes = vec![number << 3 | 2];
    let mut len = content.len();
    while len >= 128 {
        bytes.push((len % 128) as u8 | 128);
        len /= 128;
    }
    bytes.push(len as u8);
    [&bytes, content].concat()
}
