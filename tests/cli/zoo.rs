//! Networks of the zoo by name, their weights from files, and the limit of memory.

use salto::Model;
use salto::host::graph::{Seeded, WeightRequest, WeightSource, zoo};

use super::front_door::write_npy;
use super::{DIGITS, GOLDEN_INPUT, answer, complaint, file, folder, json, npy, path};

/// A safetensors file with the weights that a network asks of a seed, in PyTorch's order; the last layer has 7 classes.
fn trained(name: &str) -> Vec<u8> {
    let (mut seeded, mut header, mut data) = (Seeded::new(3).perturbed(), Vec::new(), Vec::new());
    let record = |request: &WeightRequest<'_>| {
        let stored = seeded.weight(request)?;
        let start = data.len();
        let dims: Vec<usize> = request.shape.dims().iter().map(|dim| *dim as usize).collect();
        let dims = match *dims.as_slice() {
            [outputs, height, width, inputs] => {
                for output in 0..outputs {
                    for input in 0..inputs {
                        let taps =
                            (0..height * width).map(|tap| (output * height * width + tap) * inputs + input);
                        data.extend(taps.flat_map(|at| stored[at].to_le_bytes()));
                    }
                }
                vec![outputs, inputs, height, width]
            }
            _ => {
                data.extend(stored.iter().flat_map(|x| x.to_le_bytes()));
                dims
            }
        };
        let entry = serde_json::json!({"dtype": "F32", "shape": dims, "data_offsets": [start, data.len()]});
        header.push((request.name.to_string(), entry));
        Ok(stored)
    };
    let options = zoo::Options::default().classes(7);
    zoo::Network::find(name).expect("a network").build(&options, record).expect("a graph");
    let header = serde_json::Value::Object(header.into_iter().collect()).to_string();
    [&(header.len() as u64).to_le_bytes(), header.as_bytes(), &data].concat()
}

#[test]
fn a_network_of_the_zoo_runs_with_weights_from_a_file() {
    let folder = folder("zoo");
    let weights = file(&folder, "net.safetensors", &trained("resnet20"));
    let options = zoo::Options::default().classes(7);
    let graph =
        zoo::Network::find("resnet20").expect("a network").build(&options, Seeded::new(3).perturbed());
    let mut session =
        Model::from_graph(&graph.expect("a graph")).expect("a model").session().expect("a session");
    let picture: Vec<f32> = (0..3 * 32 * 32).map(|i| (i % 17) as f32 / 8.0 - 1.0).collect();
    let expected = session.run(&[&picture]).expect("an answer").swap_remove(0);
    let input = path(&folder, "input.npy");
    write_npy(&input, &[1, 3, 32, 32], &picture);
    let output = path(&folder, "output.npy");
    let network = ["resnet20", "--weights", &weights];
    answer(&[&["run"], &network[..], &["--input", &input, "--output", &output]].concat());
    assert_eq!(npy(&output), (vec![1, 7], expected));
    let program = path(&folder, "net.salto");
    answer(&[&["compile"], &network[..], &["-o", &program]].concat());
    answer(&["run", &program, "--input", &input]);
    // Another network's weights.
    let (line, status) = complaint(&["run", "resnet32", "--weights", &weights, "--input", &input]);
    assert!(status == 1 && line.contains("'layer1.3.conv1.weight' [16, 16, 3, 3]"), "{line}");
}

#[test]
fn plans_and_times_of_the_zoo_need_no_weights_but_answers_do() {
    let report = json(&["inspect", "resnet8", "--shape", "input=1,1,16,16"]);
    assert_eq!(report["inputs"][0]["shape"], serde_json::json!([1, 1, 16, 16]));
    let (line, status) = complaint(&["run", "resnet20", "--input", GOLDEN_INPUT]);
    assert!(status == 1 && line.contains("--weights FILE"), "{line}");
    let (line, _) = complaint(&["inspect", "resnet19", "--weights", "x.pth"]);
    assert!(line.contains("'resnet19'") && line.contains("resnet18, resnet34"), "{line}");
    let (line, _) = complaint(&["plan", "resnet19"]);
    assert!(line.contains("no file and no network is called 'resnet19'"), "{line}");
    let (line, _) = complaint(&["inspect", DIGITS, "--weights", "x.pth"]);
    assert!(line.contains("networks of the zoo"), "{line}");
    let (line, _) = complaint(&["inspect", "resnet20", "--weights", "no_such_file.pth"]);
    assert!(line.contains("no_such_file.pth: no such file"), "{line}");
}

#[test]
fn memory_is_limited_before_it_is_taken() {
    let (line, status) = complaint(&["run", DIGITS, "--input", GOLDEN_INPUT, "--max-memory", "200KiB"]);
    assert!(status == 1 && line.contains("204800") && line.contains("--max-memory"), "{line}");
    answer(&["run", DIGITS, "--input", GOLDEN_INPUT, "--max-memory", "64MiB"]);
    let program = path(&folder("limit"), "digits.salto");
    answer(&["compile", DIGITS, "-o", &program]);
    let (line, _) = complaint(&["inspect", &program, "--max-memory", "150000"]);
    assert!(line.contains("allowed are 150000") && line.contains(&program), "{line}");
    let (line, _) = complaint(&["plan", "unet", "--shape", "input=1,1,2048,2048", "--max-memory", "1GiB"]);
    assert!(line.contains("allowed are 1073741824"), "{line}");
}

/// A file of weights with these elements at the beginning of a tensor.
fn with_elements(bytes: &[u8], name: &str, elements: &[f32]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    let len = usize::try_from(u64::from_le_bytes(bytes[..8].try_into().expect("8 bytes"))).expect("small");
    let header: serde_json::Value = serde_json::from_slice(&bytes[8..8 + len]).expect("a header");
    let start = header[name]["data_offsets"][0].as_u64().expect("an offset");
    let start = 8 + len + usize::try_from(start).expect("small");
    for (i, element) in elements.iter().enumerate() {
        bytes[start + 4 * i..][..4].copy_from_slice(&element.to_le_bytes());
    }
    bytes
}

#[test]
fn weights_of_the_zoo_that_are_no_numbers_are_named() {
    let folder = folder("zoo_numbers");
    let whole = trained("resnet20");
    for (name, element, word) in [
        ("conv1.weight", f32::NAN, "'conv1.weight' holds 1 NaN among its 432 values"),
        ("conv1.weight", f32::INFINITY, "'conv1.weight' holds 1 infinite values"),
        ("bn1.running_var", -1.0, "'bn1.running_var' holds 1 negative variances among its 16 values"),
    ] {
        let weights = file(&folder, "w.safetensors", &with_elements(&whole, name, &[element]));
        let (line, status) = complaint(&["inspect", "resnet20", "--weights", &weights]);
        assert!(status == 1 && line.contains(word) && line.contains("w.safetensors"), "{line}");
    }
}
