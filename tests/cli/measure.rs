//! `bench` and `profile`: figures that hang together, files written whole; never how fast anything is.

use std::fs;

use super::{DIGITS, GOLDEN_INPUT, answer, complaint, folder, json, npy, path};

#[test]
fn bench_measures() {
    let report = json(&["bench", DIGITS, "--threads", "1", "--reps", "3"]);
    let (min, median) = (report["min_seconds"].as_f64(), report["median_seconds"].as_f64());
    assert!(min > Some(0.0) && median >= min);
    assert!(report["max_seconds"].as_f64() >= median);
    let steps = report["steps"].as_array().expect("steps");
    assert_eq!(steps.len(), json(&["inspect", DIGITS])["layers"].as_array().map_or(0, Vec::len));
    let shares: f64 = steps.iter().filter_map(|step| step["share"].as_f64()).sum();
    assert!((shares - 1.0).abs() < 1e-9);
    assert!(
        steps[0]["median_seconds"].as_f64() > Some(0.0) && steps[0]["gflop_per_second"].as_f64() > Some(0.0)
    );
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    assert_eq!(
        json(&["bench", DIGITS, "--threads", "0", "--reps", "1"])["threads"].as_u64(),
        Some(cores as u64)
    );
    let text = answer(&["bench", DIGITS, "--reps", "1"]);
    assert!(
        text.contains("GFLOP/s") && text.contains("share") && text.contains(" ms max of 1 run"),
        "{text}"
    );
}

#[test]
fn bench_times_what_it_is_given_and_writes_what_came_out() {
    let folder = folder("bench");
    let (timed, run) = (path(&folder, "timed.npy"), path(&folder, "run.npy"));
    let report = json(&["bench", DIGITS, "--reps", "4", "-i", GOLDEN_INPUT, "-o", &timed]);
    assert_eq!(report["wall_ms"].as_array().map(Vec::len), Some(4));
    assert_eq!(report["cpu_ms"].as_array().map(Vec::len), Some(4));
    answer(&["run", DIGITS, "-i", GOLDEN_INPUT, "-o", &run]);
    let ((shape, first), (_, all)) = (npy(&timed), npy(&run));
    assert_eq!(shape, [1, 10]);
    assert_eq!(first, all[..10], "the first picture of the file");
    let (line, status) = complaint(&["bench", DIGITS, "-o", "missing/out.npy"]);
    assert!(line.contains("missing/out.npy") && status == 1, "{line}");
}

#[test]
fn profile_shows_every_layer_and_draws_it() {
    let folder = folder("profile");
    let picture = path(&folder, "bars.svg");
    let report = json(&["profile", DIGITS, "--threads", "1", "--reps", "3", "--svg", &picture]);
    let layers = report["layers"].as_array().expect("layers");
    assert_eq!(layers.len(), json(&["inspect", DIGITS])["layers"].as_array().map_or(0, Vec::len));
    let peak = report["peak_gflop_per_second"].as_f64().expect("a peak");
    for layer in layers {
        let of_peak = layer["gflop_per_second"].as_f64().map(|speed| speed / peak);
        let told = layer["share_of_peak"].as_f64();
        assert_eq!(told.is_some(), layer["macs"].as_u64() > Some(0));
        assert!(told.zip(of_peak).is_none_or(|(told, expected)| (told - expected).abs() < 1e-9), "{layer}");
        assert!(
            layer["moved_bytes"].as_u64() > Some(0)
                && layer["min_seconds"].as_f64() <= layer["median_seconds"].as_f64()
        );
    }
    // The stem reads 8×8 pixels of one channel, and writes 16 channels; its weights are 9 terms of a panel of 16, and a bias.
    assert_eq!(layers[0]["moved_bytes"].as_u64(), Some(4 * (64 + 64 * 16 + 9 * 16 + 16)));
    let kinds = report["kinds"].as_array().expect("kinds");
    let steps: u64 = kinds.iter().filter_map(|kind| kind["steps"].as_u64()).sum();
    assert_eq!(steps, layers.len() as u64);
    let drawn = fs::read_to_string(&picture).expect("a picture");
    assert!(drawn.starts_with("<svg") && drawn.contains("probabilities"), "{drawn}");
    // The ground, a sample of each colour in the legend, and a bar a layer.
    assert_eq!(drawn.matches("<rect").count(), 1 + 6 + layers.len());
    let text = answer(&["profile", DIGITS, "--reps", "1"]);
    assert!(text.contains("of peak") && text.contains("GB/s") && text.contains("winograd"), "{text}");
}

#[test]
fn a_profile_replaces_no_network_and_leaves_no_part_behind() {
    let folder = folder("profile_refused");
    let (line, status) = complaint(&["profile", DIGITS, "--svg", &path(&folder, "net.onnx")]);
    assert!(line.contains("OUT.svg") && status == 1, "{line}");
    let (line, _) = complaint(&["profile", "missing.onnx", "--svg", &path(&folder, "bars.svg")]);
    assert!(line.contains("missing.onnx"), "{line}");
    assert_eq!(fs::read_dir(&folder).expect("the folder").count(), 0);
}
