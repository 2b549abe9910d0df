//! All kernels but convolutions (`conv.rs`) alone, on shapes of the networks that salto is made for: `cargo bench --bench kernels [-- FILTER]`.
//!
//! Each benchmark's name says operator, shape and SIMD level. Throughput counts multiplications with additions for
//! convolutions, output elements for the others. One thread, warm caches: inside a network kernels are slower.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    reason = "criterion's macros write undocumented functions; shapes here are valid"
)]

use core::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use salto::device::kernel::params::{
    BinaryKind, BinaryParams, ConvTransposeParams, InterpolateParams, MapParams, PoolKind, PoolParams,
    RearrangeParams, ResizeKind, ResizeParams, SoftmaxParams,
};
use salto::device::kernel::{
    Band, BinaryTask, ConvTransposeTask, Epilogue, InterpolateTask, MapTask, Operand, PoolTask, ResizeTask,
    Sink, Source, binary_f32, conv_transpose_f32, conv_transpose_f32_scratch_len,
    conv_transpose_f32_weight_len, interpolate_f32, interpolate_f32_scratch_len, map_f32, pool_f32,
    rearrange_f32, rearrange_f32_rows, resize_f32, softmax_f32,
};
use salto::device::simd::{Level, View, ViewMut};
use salto::device::tensor::{Activation, ActivationKind, Extent, Rows, Segment, Window};
use salto::dispatch;

/// A contiguous tensor.
struct Tensor {
    extent: Extent,
    segment: [Segment; 1],
    memory: Vec<f32>,
}

impl Tensor {
    fn new(extent: Extent) -> Self {
        let rows = Rows::contiguous(0, &extent).unwrap();
        let segment = [Segment { rows, channels: extent.c, buffer: 0 }];
        Self { extent, segment, memory: numbers(extent.checked_len()) }
    }

    fn source(&self) -> Source<'_, f32> {
        Source::new(View::new(&self.memory), &self.segment, self.extent)
    }

    fn sink(&mut self) -> Sink<'_, f32> {
        Sink::new(ViewMut::new(&mut self.memory), &self.segment[0], self.extent)
    }
}

/// Numbers in −1…1.
fn numbers(len: Option<u32>) -> Vec<f32> {
    (0..len.unwrap()).map(|i| (i.wrapping_mul(2_654_435_769) >> 8) as f32 / 8_388_608.0 - 1.0).collect()
}

fn levels() -> impl Iterator<Item = Level> {
    Level::NAMES.iter().filter_map(|name| Level::named(name))
}

/// All rows of the one picture.
fn whole(output: &Extent) -> Band {
    Band::of_rows(0, 0..output.h as usize)
}

/// Runs `kernel` at every level.
fn bench(c: &mut Criterion, name: &str, elements: u64, mut kernel: impl FnMut(Level)) {
    let mut group = c.benchmark_group(name);
    group.throughput(Throughput::Elements(elements));
    for level in levels() {
        group.bench_function(level.name(), |b| b.iter(|| kernel(black_box(level))));
    }
    group.finish();
}

fn bench_conv_transpose(c: &mut Criterion, name: &str, input: Extent, outputs: u32, window: Window) {
    let h = window.y.transposed_output_len(input.h, 0).unwrap();
    let w = window.x.transposed_output_len(input.w, 0).unwrap();
    let output = Extent::new(1, h, w, outputs);
    let params = ConvTransposeParams { input, output, window, groups: 1, activation: Activation::IDENTITY };
    let (source, mut target) = (Tensor::new(input), Tensor::new(output));
    let weights = numbers(conv_transpose_f32_weight_len(&params));
    let mut scratch = numbers(conv_transpose_f32_scratch_len(&params));
    let macs = u64::from(input.h * input.w * window.taps()) * u64::from(input.c) * u64::from(outputs);
    bench(c, &format!("conv_transpose/{name}"), macs, |level| {
        let (weights, epilogue) = (View::new(&weights), Epilogue::NONE);
        let sink = target.sink();
        let task = ConvTransposeTask { params: &params, source: source.source(), weights, epilogue, sink };
        let scratch = ViewMut::new(&mut scratch);
        dispatch!(level, s => conv_transpose_f32(s, &task, &whole(&output), scratch));
    });
}

fn transposed_convolutions(c: &mut Criterion) {
    let double = Window::new(2, 2).with_stride(2);
    bench_conv_transpose(c, "512-256_16x16_2x2s2", Extent::new(1, 16, 16, 512), 256, double);
    bench_conv_transpose(c, "64-32_128x128_2x2s2", Extent::new(1, 128, 128, 64), 32, double);
    let overlapping = Window::new(4, 4).with_stride(2).with_padding(1);
    bench_conv_transpose(c, "64-64_32x32_4x4s2", Extent::new(1, 32, 32, 64), 64, overlapping);
}

fn bench_pool(c: &mut Criterion, name: &str, input: Extent, window: Window, kind: PoolKind) {
    let (h, w) = window.output(input.h, input.w, false).unwrap();
    let output = Extent::new(1, h, w, input.c);
    let params = PoolParams { input, output, window, kind: kind as u32, activation: Activation::IDENTITY };
    let (source, mut target) = (Tensor::new(input), Tensor::new(output));
    bench(c, &format!("pool/{name}"), u64::from(output.checked_len().unwrap()), |level| {
        let task = PoolTask { params: &params, source: source.source(), sink: target.sink() };
        dispatch!(level, s => pool_f32(s, &task, &whole(&output)));
    });
}

fn pools(c: &mut Criterion) {
    let stem = Window::new(3, 3).with_stride(2).with_padding(1);
    bench_pool(c, "max_64_112x112_3x3s2", Extent::new(1, 112, 112, 64), stem, PoolKind::Max);
    let half = Window::new(2, 2).with_stride(2);
    bench_pool(c, "average_256_56x56_2x2s2", Extent::new(1, 56, 56, 256), half, PoolKind::Average);
    bench_pool(c, "global_2048_7x7", Extent::new(1, 7, 7, 2048), Window::new(7, 7), PoolKind::Average);
}

fn elementwise(c: &mut Criterion) {
    let extent = Extent::new(1, 28, 28, 256);
    let len = u64::from(extent.checked_len().unwrap());
    let (a, b, mut out) = (Tensor::new(extent), Tensor::new(extent), Tensor::new(extent));
    let gate = numbers(Some(extent.c));
    for (name, b_extent) in [("add", extent), ("add_per_channel", Extent::flat(extent.c))] {
        let (kind, activation) = (BinaryKind::Add as u32, Activation::RELU);
        let params = BinaryParams { a: extent, b: b_extent, output: extent, kind, activation };
        bench(c, &format!("binary/{name}_256_28x28"), len, |level| {
            let is_whole = b_extent == extent;
            let b = if is_whole { Operand::Source(b.source()) } else { Operand::Constant(View::new(&gate)) };
            let task = BinaryTask { params: &params, a: Operand::Source(a.source()), b, sink: out.sink() };
            dispatch!(level, s => binary_f32(s, &task, &whole(&extent)));
        });
    }
    let kinds = [
        ActivationKind::Relu,
        ActivationKind::Exp,
        ActivationKind::Sigmoid,
        ActivationKind::Silu,
        ActivationKind::Gelu,
        ActivationKind::Softplus,
    ];
    for kind in kinds {
        let params = MapParams { extent, activation: Activation::plain(kind) };
        bench(c, &format!("map/{kind:?}_256_28x28"), len, |level| {
            let sink = out.sink();
            let source = Operand::Source(a.source());
            let task = MapTask { params: &params, source, scale: None, shift: None, sink };
            dispatch!(level, s => map_f32(s, &task, &whole(&extent)));
        });
    }
}

fn movements(c: &mut Criterion) {
    let (input, output) = (Extent::new(1, 64, 64, 64), Extent::new(1, 128, 128, 64));
    let (source, mut target) = (Tensor::new(input), Tensor::new(output));
    for (name, kind) in [("nearest", ResizeKind::NearestFloor), ("bilinear", ResizeKind::Bilinear)] {
        let (scale, offset) = (0.5, if kind == ResizeKind::Bilinear { -0.25 } else { 0.0 });
        let params = ResizeParams {
            input,
            output,
            kind: kind as u32,
            scale_y: scale,
            scale_x: scale,
            offset_y: offset,
            offset_x: offset,
        };
        bench(c, &format!("resize/{name}_64_64x64_x2"), u64::from(output.checked_len().unwrap()), |level| {
            let task = ResizeTask { params: &params, source: source.source(), sink: target.sink() };
            dispatch!(level, s => resize_f32(s, &task, &whole(&output)));
        });
    }
    let params = InterpolateParams { input, output, taps_y: 4, taps_x: 4, fill: 0.0 };
    let table: Vec<f32> =
        (0..128u16).flat_map(|o| [f32::from((o / 2).min(60)), -0.1, 0.6, 0.6, -0.1]).collect();
    let mut scratch = vec![0.0; interpolate_f32_scratch_len(&params).unwrap() as usize];
    bench(c, "interpolate/4x4_64_64x64_x2", u64::from(output.checked_len().unwrap()), |level| {
        let (rows, columns, sink) = (View::new(&table), View::new(&table), target.sink());
        let task = InterpolateTask { params: &params, source: source.source(), rows, columns, sink };
        dispatch!(level, s => interpolate_f32(s, &task, &whole(&output), ViewMut::new(&mut scratch)));
    });
    let dims = [1, 1, 1, 64, 64, 64];
    let len = 64 * 64 * 64;
    let params = RearrangeParams {
        input_len: len,
        base: 0,
        dims,
        low: [0; 6],
        high: dims,
        stride: [0, 0, 0, 64, 1, 64 * 64],
        beyond: [0; 6],
        fill: 0.0,
    };
    let rows = rearrange_f32_rows(&params).unwrap() as usize;
    bench(c, "rearrange/channels_last_64_64x64", u64::from(len), |level| {
        let (from, to) = (View::new(&source.memory), ViewMut::new(&mut target.memory));
        dispatch!(level, s => rearrange_f32(s, &params, from, to.range(0, len as usize), 0..rows));
    });
    for (outer, axis, inner) in [(64, 1000, 1), (1, 21, 64 * 64)] {
        let params = SoftmaxParams { outer, axis, inner, log: 0 };
        bench(c, &format!("softmax/{outer}x{axis}x{inner}"), u64::from(outer * axis * inner), |level| {
            let (from, to) = (View::new(&source.memory), ViewMut::new(&mut target.memory));
            dispatch!(level, s => softmax_f32(s, &params, from, to, 0..outer as usize));
        });
    }
}

criterion_group!(kernels, transposed_convolutions, pools, elementwise, movements);
criterion_main!(kernels);
