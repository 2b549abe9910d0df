//! Weights from files that PyTorch wrote, in all of its containers: the same numbers, and the same answers as PyTorch's.
//!
//! `tests/pytorch/make_weights.py` made the small files; `SALTO_TORCH=FOLDER` names a folder of torchvision's networks made by it.

#![allow(clippy::print_stdout, reason = "says what was skipped")]

use std::path::{Path, PathBuf};

use salto::Model;
use salto::device::kernel::params::PoolKind;
use salto::host::graph::zoo::{self, Network};
use salto::host::graph::{Builder, ConvLayer, Graph};
use salto::host::import::weights::Weights;
use salto::host::{ErrorKind, Result};

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/pytorch").join(name)
}

/// The network of `make_weights.py`.
fn small(weights: Weights) -> Result<Graph> {
    let mut net = Builder::new("small", weights).channels_first();
    let x = net.input("input", &[1, 6, 6, 2])?;
    let x = net.name("conv1").conv(x, ConvLayer::new(4, 3).without_bias())?;
    let x = net.name("bn1").batch_norm(x)?;
    let x = net.relu(x)?;
    let raised = net.name("up").conv_transpose(x, ConvLayer::new(2, 2).stride(2).padding(0))?;
    let x = net.global_pool(x, PoolKind::Average)?;
    let x = net.flatten(x)?;
    let scores = net.name("fc").dense(x, 3)?;
    net.output(raised);
    net.output(scores);
    net.finish()
}

/// The largest difference, by the largest expected value.
fn distance(got: &[f32], expected: &[f32]) -> f32 {
    assert_eq!(got.len(), expected.len());
    let largest = expected.iter().fold(0.0f32, |most, x| most.max(x.abs()));
    got.iter().zip(expected).fold(0.0f32, |most, (a, b)| most.max((a - b).abs())) / largest
}

#[test]
fn all_containers_give_pytorchs_answers() -> Result<()> {
    let run = Weights::load(file("small_run.safetensors"))?;
    let recorded = |name: &str| run.tensor(name).expect("a recorded tensor");
    for name in ["small.pth", "small_legacy.pth", "small.safetensors"] {
        let model = Model::from_graph(&small(Weights::load(file(name))?)?)?;
        let outputs = model.session()?.run(&[&recorded("input")])?;
        for (output, expected) in outputs.iter().zip(["raised", "scores"]) {
            let distance = distance(output, &recorded(expected));
            assert!(distance < 1e-6, "{name}: {expected} differs by {distance}");
        }
    }
    Ok(())
}

#[test]
fn every_element_type_and_every_view_is_read() -> Result<()> {
    let expected = Weights::load(file("strange.safetensors"))?;
    for name in ["strange.pth", "strange_legacy.pth"] {
        let weights = Weights::load_key(file(name), "ema")?;
        assert_eq!(weights.names().collect::<Vec<_>>(), expected.names().collect::<Vec<_>>());
        for tensor in expected.names() {
            assert_eq!(weights.dims(tensor), expected.dims(tensor), "{name}: {tensor}");
            assert_eq!(weights.tensor(tensor), expected.tensor(tensor), "{name}: {tensor}");
        }
        // Two dictionaries of tensors, and none has a usual name.
        let error = Weights::load(file(name)).expect_err("no choice").to_string();
        assert!(error.contains("name one of 'weights_a', 'ema'"), "{error}");
        let error = Weights::load_key(file(name), "model").expect_err("no such key").to_string();
        assert!(error.contains("under 'model'"), "{error}");
    }
    Ok(())
}

#[test]
fn another_networks_file_does_not_pass() -> Result<()> {
    let error =
        zoo::resnet18(&zoo::Options::default(), Weights::load(file("small.pth"))?).expect_err("small");
    let text = error.to_string();
    assert!(text.contains("'conv1.weight' is [4, 2, 3, 3], the network's is [64, 3, 7, 7]"), "{text}");
    let weights = || Weights::load(file("small.pth"));
    let part = |weights: Weights, layer: &str| {
        let mut net = Builder::new("part", weights);
        let x = net.input("input", &[1, 4, 4, 2])?;
        let x = net.name(layer).conv(x, ConvLayer::new(4, 3).without_bias())?;
        net.output(x);
        net.finish()
    };
    let text = part(weights()?, "conv1").expect_err("more tensors").to_string();
    assert!(text.contains("8 of its 9 tensors belong to no layer"), "{text}");
    part(weights()?.partial(), "conv1")?;
    let text = part(weights()?, "conv2").expect_err("no such layer").to_string();
    assert!(
        text.contains("no 'conv2.weight' [4, 2, 3, 3]") && text.contains("'conv1.weight' [4, 2, 3, 3]"),
        "{text}"
    );
    Ok(())
}

#[test]
fn code_is_refused_by_name() {
    // What `os.system("true")` would be.
    let pickle = b"\x80\x02cposix\nsystem\nX\x04\x00\x00\x00true\x85R.";
    let mut legacy = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.\x80\x02M\xe9\x03.".to_vec();
    legacy.extend(b"\x80\x02}X\x0d\x00\x00\x00little_endian\x88s.");
    legacy.extend(pickle);
    let error = Weights::from_bytes(legacy).expect_err("code");
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.to_string().contains("posix.system"), "{error}");
}

#[test]
fn cut_files_are_refused() -> Result<()> {
    for name in ["small.pth", "small_legacy.pth", "small.safetensors"] {
        let bytes = std::fs::read(file(name)).expect("a file of the repository");
        for len in (0..bytes.len()).step_by(7) {
            if let Ok(weights) = Weights::from_bytes(bytes[..len].to_vec()) {
                assert!(small(weights).is_err(), "{name} cut at {len}");
            }
        }
    }
    Ok(())
}

/// akamaster's weights in the older container, against the ONNX file that was made of them.
#[test]
fn resnet_20_equals_its_onnx_file() -> Result<()> {
    let shared = std::env::var("SALTO_SHARED").unwrap_or_else(|_| "../shared".into());
    let folder = Path::new(&shared).join("models/cifar_resnet_akamaster");
    if !folder.exists() {
        println!("skipped: there is no {}", folder.display());
        return Ok(());
    }
    let weights = Weights::load(folder.join("resnet20-12fca82f.th"))?;
    let graph = Network::find("resnet20")?.build(&zoo::Options::default(), weights)?;
    let input: Vec<f32> = (0..3 * 32 * 32).map(|i| ((i * 37 % 101) as f32 - 50.0) / 30.0).collect();
    let built = Model::from_graph(&graph)?.session()?.run(&[&input])?;
    let imported = Model::load(folder.join("resnet20.onnx"))?.session()?.run(&[&input])?;
    let distance = distance(&built[0], &imported[0]);
    println!("resnet20: {distance:e}, same bits: {}", built == imported);
    assert!(distance < 1e-6, "{distance}");
    Ok(())
}

#[test]
fn torchvisions_networks_give_torchs_answers() -> Result<()> {
    let Ok(folder) = std::env::var("SALTO_TORCH") else {
        println!("skipped: SALTO_TORCH names no folder made by tests/pytorch/make_weights.py");
        return Ok(());
    };
    for name in ["resnet18", "resnet34", "resnet50", "densenet121", "mobilenet_v2"] {
        let at = |suffix: &str| Path::new(&folder).join(format!("{name}{suffix}"));
        let run = Weights::load(at("_run.safetensors"))?;
        let recorded = |name: &str| run.tensor(name).expect("a recorded tensor");
        for suffix in [".pth", "_legacy.pth", ".safetensors"] {
            let graph = Network::find(name)?.build(&zoo::Options::default(), Weights::load(at(suffix))?)?;
            let output = Model::from_graph(&graph)?.session()?.run(&[&recorded("input")])?;
            let distance = distance(&output[0], &recorded("output"));
            println!("{name}{suffix}: {distance:e}");
            assert!(distance < 1e-5, "{name}{suffix}: {distance}");
        }
    }
    Ok(())
}
