//! Does the compiler pick the fastest algorithm? `cargo bench --bench selection [-- FILTER]`
//!
//! For each shape every algorithm that suits is timed, at the best SIMD level: the minimum of many short runs on one thread, in
//! turn, with warm caches. A line shows the pick of the cost model ([`conv_algorithm`]), the fastest, and `BEHIND` where the pick
//! takes over 5 % longer. Shapes are those of known networks and others; channels that are no multiple of 16 and pictures that
//! are not square among them.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "shapes here are valid; the table is the result"
)]

mod layer;

use core::hint::black_box;
use std::time::{Duration, Instant};

use layer::with_layer;
use salto::device::kernel::conv_f32_is_valid;
use salto::device::kernel::params::{ConvAlgorithm, ConvParams};
use salto::device::simd::Level;
use salto::device::tensor::{Activation, Extent, Window};
use salto::host::compile::{CompileOptions, conv_algorithm};

/// Height, width, inputs and outputs of 3×3 convolutions with padding 1 and stride 1.
const SAME: [[u32; 4]; 34] = [
    // ResNet-18 and -34
    [56, 56, 64, 64],
    [28, 28, 128, 128],
    [14, 14, 256, 256],
    [7, 7, 512, 512],
    // ResNet-8
    [32, 32, 3, 16],
    [32, 32, 16, 16],
    [16, 16, 32, 32],
    [8, 8, 64, 64],
    // DenseNet-121
    [56, 56, 128, 32],
    [28, 28, 128, 32],
    [14, 14, 128, 32],
    [7, 7, 128, 32],
    // U-Net
    [256, 256, 1, 32],
    [256, 256, 32, 32],
    [128, 128, 32, 64],
    [128, 128, 64, 64],
    [64, 64, 128, 128],
    [32, 32, 256, 256],
    [16, 16, 512, 512],
    [32, 32, 768, 256],
    [256, 256, 96, 32],
    // others
    [5, 10, 64, 64],
    [96, 96, 48, 48],
    [40, 40, 96, 96],
    [20, 20, 160, 160],
    [13, 13, 384, 384],
    [10, 10, 320, 320],
    [48, 48, 64, 192],
    [36, 36, 80, 112],
    [112, 112, 32, 32],
    [80, 80, 256, 64],
    [33, 17, 20, 7],
    [24, 24, 5, 30],
    [224, 224, 3, 64],
];

/// The same of 1×1 convolutions: the size alone decides.
const POINTWISE: [[u32; 4]; 3] = [[56, 56, 64, 256], [14, 14, 1024, 128], [1, 1, 1280, 1000]];

const ALGORITHMS: [(ConvAlgorithm, &str); 5] = [
    (ConvAlgorithm::Pointwise, "pointwise"),
    (ConvAlgorithm::Im2col, "im2col"),
    (ConvAlgorithm::Depthwise, "depthwise"),
    (ConvAlgorithm::Winograd2x2, "winograd 2×2"),
    (ConvAlgorithm::Winograd4x4, "winograd 4×4"),
];

/// A shape: its name and its parameters, all but the algorithm.
fn shapes() -> Vec<(String, ConvParams)> {
    let (same, one) = (Window::new(3, 3).with_padding(1), Window::new(1, 1));
    let mut shapes = Vec::new();
    let mut push = |kind: &str, [h, w, inputs, outputs]: [u32; 4], window: Window, groups: u32| {
        let (oh, ow) = window.output(h, w, false).unwrap();
        let params = ConvParams {
            input: Extent::new(1, h, w, inputs),
            output: Extent::new(1, oh, ow, outputs),
            window,
            groups,
            algorithm: 0,
            activation: Activation::RELU,
            prologue: Activation::IDENTITY,
        };
        shapes.push((format!("{kind} {h}x{w} {inputs}-{outputs}"), params));
    };
    SAME.iter().for_each(|&shape| push("3x3", shape, same, 1));
    POINTWISE.iter().for_each(|&shape| push("1x1", shape, one, 1));
    push("3x3/2", [56, 56, 64, 128], same.with_stride(2), 1);
    push("depthwise 3x3", [112, 112, 96, 96], same, 96);
    push("depthwise 3x3", [25, 5, 64, 64], same, 64);
    shapes
}

/// Seconds of one run: the least in so much time.
fn seconds(params: &ConvParams, budget: Duration) -> f64 {
    let level = black_box(Level::detect());
    with_layer(params, |run| {
        let mut once = || {
            let start = Instant::now();
            run(level);
            start.elapsed().as_secs_f64()
        };
        let (start, mut least) = (Instant::now(), once());
        while start.elapsed() < budget {
            least = least.min(once());
        }
        least
    })
}

/// Prints a shape's line; is the pick behind?
fn compare(name: &str, shape: &ConvParams, budget: Duration, rounds: usize) -> bool {
    let picked =
        conv_algorithm(&shape.window, shape.groups, [shape.input, shape.output], &CompileOptions::default());
    let with = |algorithm| ConvParams { algorithm: algorithm as u32, ..*shape };
    let mut times: Vec<_> = ALGORITHMS
        .iter()
        .filter(|(algorithm, _)| conv_f32_is_valid(&with(*algorithm)))
        .map(|&(algorithm, name)| (algorithm, name, f64::INFINITY))
        .collect();
    for _ in 0..rounds {
        for (algorithm, _, least) in &mut times {
            *least = least.min(seconds(&with(*algorithm), budget));
        }
    }
    let best = times.iter().map(|time| time.2).fold(f64::INFINITY, f64::min);
    let pick = times.iter().find(|time| time.0 == picked).unwrap();
    let behind = pick.2 > 1.05 * best;
    let list: Vec<_> = times.iter().map(|time| format!("{} {:.1}", time.1, time.2 * 1e6)).collect();
    let mark =
        if behind { format!("  BEHIND by {:.0} %", (pick.2 / best - 1.0) * 100.0) } else { String::new() };
    println!("{name:<26} picks {:<13} µs: {}{mark}", pick.1, list.join(", "));
    behind
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let is_test = !arguments.iter().any(|argument| argument == "--bench");
    let filter = arguments.iter().find(|argument| !argument.starts_with("--"));
    let (budget, rounds) = if is_test { (Duration::ZERO, 1) } else { (Duration::from_millis(60), 5) };
    let shapes: Vec<_> = shapes()
        .into_iter()
        .filter(|(name, params)| {
            // As a test it is to be quick without optimisation, too.
            filter.is_none_or(|filter| name.contains(filter.as_str()))
                && (!is_test
                    || params.output.h * params.output.w * params.input.c * params.output.c <= 1 << 20)
        })
        .collect();
    let behind = shapes.iter().filter(|(name, params)| compare(name, params, budget, rounds)).count();
    println!("{behind} of {} picks are over 5 % behind the fastest", shapes.len());
}
