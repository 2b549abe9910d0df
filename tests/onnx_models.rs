//! Trained networks of others, from their ONNX files to their outputs, against what onnxruntime computes.
//!
//! The models lie outside the repository, in the folder that `SALTO_SHARED` names; without it the tests print `skipped`.
#![cfg(feature = "std")]
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "a test fails by panicking")]

use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use salto::host::import::onnx::{ImportOptions, import_file};
use salto::host::optimize::optimize;
use salto::host::{Model, SessionOptions};

/// How far an output may be from onnxruntime's, in parts of the largest output.
const TOLERANCE: f32 = 1e-4;

fn models() -> Option<PathBuf> {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared");
    let folder = std::env::var_os("SALTO_SHARED").map_or_else(beside, PathBuf::from).join("models");
    folder.is_dir().then_some(folder)
}

fn read_npy<T: npyz::Deserialize>(path: &Path) -> (Vec<u64>, Vec<T>) {
    let file = BufReader::new(File::open(path).unwrap_or_else(|error| panic!("{}: {error}", path.display())));
    let array = npyz::NpyFile::new(file).unwrap();
    (array.shape().to_vec(), array.into_vec().unwrap())
}

/// The largest difference, in parts of the largest expected number; NaN if there is one.
fn difference(found: &[f32], expected: &[f32]) -> f32 {
    assert_eq!(found.len(), expected.len());
    let largest = expected.iter().fold(0.0f32, |largest, x| largest.max(x.abs()));
    let parts = found.iter().zip(expected).map(|(a, b)| (a - b).abs() / largest);
    parts.fold(0.0, |most, part| if part > most || part.is_nan() { part } else { most })
}

/// Runs `<name>.onnx` on each recorded input and compares with each recorded output.
fn agrees(folder: &str, name: &str) {
    let Some(models) = models() else {
        println!("skipped: no shared models");
        return;
    };
    let folder = models.join(folder);
    let mut graph = import_file(folder.join(format!("{name}.onnx")), &ImportOptions::default()).unwrap();
    optimize(&mut graph).unwrap();
    let model = Model::from_graph(&graph).unwrap();
    for kind in ["seed1234", "img"] {
        let recorded = |part: &str| read_npy::<f32>(&folder.join(format!("{name}__{kind}_{part}.npy")));
        let ((dims, input), (_, expected)) = (recorded("in0"), recorded("out0_ort"));
        let own_dims: Vec<u64> = model.inputs()[0].model_dims().into_iter().map(u64::from).collect();
        assert_eq!(own_dims, dims);
        let outputs = model.session().unwrap().run(&[&input]).unwrap();
        let difference = difference(&outputs[0], &expected);
        println!("{name} {kind}: {difference:.1e} of the largest output");
        assert!(difference < TOLERANCE, "{name} on {kind}: {difference}");
    }
}

#[test]
fn resnet20_of_pytorch_agrees() {
    agrees("cifar_resnet_akamaster", "resnet20");
}

#[test]
fn resnet8_of_keras_agrees() {
    agrees("mlperf_tiny_resnet8", "pretrainedResnet_nchw");
}

/// 200 pictures of CIFAR-10, values from 0 to 255.
#[test]
fn resnet8_agrees_on_200_pictures() {
    let Some(models) = models() else {
        println!("skipped: no shared models");
        return;
    };
    let folder = models.join("mlperf_tiny_resnet8");
    let (dims, pictures) = read_npy::<u8>(&folder.join("ic01_200_x_uint8_JPEGSOURCE.npy"));
    let (_, expected) = read_npy::<f32>(&folder.join("pretrainedResnet_onnx_ic01_200_out_ort.npy"));
    assert_eq!(dims, [200, 32, 32, 3]);
    let model = Model::load(folder.join("pretrainedResnet_nchw.onnx")).unwrap();
    let as_stored = SessionOptions { as_stored: true, ..SessionOptions::default() };
    let mut session = model.session_with(&as_stored).unwrap();
    let mut found = Vec::new();
    for picture in pictures.chunks_exact(32 * 32 * 3) {
        let picture: Vec<f32> = picture.iter().map(|&value| value.into()).collect();
        found.extend(session.run(&[&picture]).unwrap().remove(0));
    }
    let difference = difference(&found, &expected);
    println!("resnet8 on 200 pictures: {difference:.1e} of the largest output");
    assert!(difference < TOLERANCE, "{difference}");
}

#[test]
fn mobilenet_of_keras_agrees() {
    agrees("mlperf_tiny_vww", "vww_96_float_nchw");
}

#[test]
fn portrait_unet_agrees() {
    agrees("portrait_unet", "prisma_nchw");
}
