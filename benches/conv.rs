//! Convolutions alone, each algorithm on layers of known networks, at every SIMD level: `cargo bench --bench conv [-- FILTER]`.
//!
//! Throughput counts multiplications with additions of the convolution's definition, so Winograd may pass what the machine's
//! fused multiply-add units can do. One thread, warm caches: inside a network kernels are slower.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    reason = "criterion's macros write undocumented functions; shapes here are valid"
)]

mod layer;

use core::hint::black_box;
use core::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use layer::with_layer;
use salto::device::kernel::params::{ConvAlgorithm, ConvParams};
use salto::device::simd::Level;
use salto::device::tensor::{Activation, Extent, Window};

fn conv(algorithm: ConvAlgorithm, size: u32, channels: [u32; 2], window: Window) -> ConvParams {
    rectangle(algorithm, [size, size], channels, window)
}

fn rectangle(algorithm: ConvAlgorithm, [h, w]: [u32; 2], channels: [u32; 2], window: Window) -> ConvParams {
    let (oh, ow) = window.output(h, w, false).unwrap();
    ConvParams {
        input: Extent::new(1, h, w, channels[0]),
        output: Extent::new(1, oh, ow, channels[1]),
        window,
        groups: if algorithm == ConvAlgorithm::Depthwise { channels[0] } else { 1 },
        algorithm: algorithm as u32,
        activation: Activation::RELU,
        prologue: Activation::IDENTITY,
    }
}

fn layers() -> Vec<(&'static str, ConvParams)> {
    use ConvAlgorithm::{Depthwise, Im2col, Pointwise, Winograd2x2, Winograd4x4};
    let same = Window::new(3, 3).with_padding(1);
    let (half, one) = (same.with_stride(2), Window::new(1, 1));
    let five = Window::new(5, 5).with_padding(2);
    let mut layers = vec![
        ("resnet18_stem", conv(Im2col, 224, [3, 64], Window::new(7, 7).with_stride(2).with_padding(3))),
        ("resnet18_3x3s2", conv(Im2col, 56, [64, 128], half)),
        ("resnet18_3x3s2", conv(Im2col, 28, [128, 256], half)),
        ("resnet18_3x3s2", conv(Im2col, 14, [256, 512], half)),
        ("resnet18_1x1s2", conv(Im2col, 56, [64, 128], one.with_stride(2))),
        ("pointwise", conv(Pointwise, 56, [64, 256], one)),
        ("pointwise", conv(Pointwise, 56, [256, 128], one)),
        ("pointwise", conv(Pointwise, 28, [512, 128], one)),
        ("pointwise", conv(Pointwise, 14, [1024, 128], one)),
        ("pointwise", conv(Pointwise, 7, [1024, 128], one)),
        ("dense", rectangle(Pointwise, [1, 1], [512, 1000], one)),
        ("depthwise", conv(Depthwise, 112, [96, 96], same)),
        ("depthwise", conv(Depthwise, 56, [144, 144], same)),
        ("depthwise_s2", conv(Depthwise, 112, [96, 96], half)),
        ("depthwise", conv(Depthwise, 14, [384, 384], same)),
        ("depthwise", conv(Depthwise, 112, [32, 32], same)),
        ("depthwise", conv(Depthwise, 28, [192, 192], same)),
        ("depthwise", conv(Depthwise, 7, [960, 960], same)),
        ("depthwise_s2", conv(Depthwise, 56, [144, 144], half)),
        ("depthwise_s2", conv(Depthwise, 14, [576, 576], half)),
        ("depthwise_5x5", conv(Depthwise, 28, [240, 240], five)),
        ("depthwise_5x5", conv(Depthwise, 7, [672, 672], five)),
        ("depthwise_5x5_s2", conv(Depthwise, 28, [240, 240], five.with_stride(2))),
        ("depthwise_5x5_s2", conv(Depthwise, 56, [72, 72], five.with_stride(2))),
        (
            "ds_cnn_first",
            rectangle(Im2col, [49, 10], [1, 64], Window::new(10, 4).with_stride(2).with_padding(1)),
        ),
        ("ds_cnn_depthwise", rectangle(Depthwise, [25, 5], [64, 64], same)),
        ("ds_cnn_pointwise", rectangle(Pointwise, [25, 5], [64, 64], one)),
        ("resnet8_stem", conv(Im2col, 32, [3, 16], same)),
        ("resnet8_3x3s2", conv(Im2col, 32, [16, 32], half)),
        ("resnet8_1x1s2", conv(Im2col, 32, [16, 32], one.with_stride(2))),
    ];
    for (size, channels) in [(56, 64), (28, 128), (14, 256), (7, 512)] {
        layers.push(("resnet18_3x3", conv(Im2col, size, [channels; 2], same)));
        layers.push(("resnet18_3x3_winograd_2x2", conv(Winograd2x2, size, [channels; 2], same)));
        layers.push(("resnet18_3x3_winograd_4x4", conv(Winograd4x4, size, [channels; 2], same)));
    }
    for (size, channels) in [(32, 16), (16, 32), (8, 64)] {
        layers.push(("resnet8_3x3", conv(Im2col, size, [channels; 2], same)));
        layers.push(("resnet8_3x3_winograd_2x2", conv(Winograd2x2, size, [channels; 2], same)));
        layers.push(("resnet8_3x3_winograd_4x4", conv(Winograd4x4, size, [channels; 2], same)));
    }
    layers
}

fn bench_layer(c: &mut Criterion, name: &str, params: &ConvParams) {
    let macs = u64::from(params.window.taps() * params.input.c / params.groups)
        * u64::from(params.output.checked_len().unwrap());
    let size = format!("{}x{}x{}-{}", params.output.h, params.output.w, params.input.c, params.output.c);
    let mut group = c.benchmark_group(format!("conv/{name}/{size}"));
    group.throughput(Throughput::Elements(macs));
    group
        .sample_size(20)
        .warm_up_time(Duration::from_millis(100))
        .measurement_time(Duration::from_millis(500));
    with_layer(params, |run| {
        for level in Level::NAMES.iter().filter_map(|name| Level::named(name)) {
            group.bench_function(BenchmarkId::from_parameter(level.name()), |b| {
                b.iter(|| run(black_box(level)));
            });
        }
    });
    group.finish();
}

fn convolutions(c: &mut Criterion) {
    for (name, params) in layers() {
        bench_layer(c, name, &params);
    }
}

criterion_group!(conv_layers, convolutions);
criterion_main!(conv_layers);
