//! Dense layers of one row, whose time is that of reading their weights: `cargo bench --bench dense [-- FILTER]`.
//!
//! Each layer is repeated with other weights until all of them together are larger than any cache (1.5 GiB, or as much as
//! `SALTO_WEIGHTS_MIB` says: a small number measures a cache), so each run reads its weights from memory. Beside it stands a plain
//! read of the same bytes at the same level. Throughput is bytes of weights.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    reason = "criterion's macros write undocumented functions; shapes here are valid"
)]

use core::hint::black_box;
use core::time::Duration;

use bytemuck::cast_slice;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use half::f16;
use salto::device::kernel::params::{ConvAlgorithm, ConvParams};
use salto::device::kernel::{
    Band, ConvTask, ConvWeights, Epilogue, Sink, Source, conv_f32, conv_f32_weight_len,
};
use salto::device::simd::{LANES, Level, Simd, View, ViewMut};
use salto::device::tensor::{Activation, Extent, Rows, Segment, Window};
use salto::dispatch;
use salto::host::compile::AlignedBytes;

/// A dense layer of one row.
fn dense(inputs: u32, outputs: u32) -> ConvParams {
    ConvParams {
        input: Extent::new(1, 1, 1, inputs),
        output: Extent::new(1, 1, 1, outputs),
        window: Window::new(1, 1),
        groups: 1,
        algorithm: ConvAlgorithm::Pointwise as u32,
        activation: Activation::RELU,
        prologue: Activation::IDENTITY,
    }
}

/// The sum of all elements, read line by line as fast as they come.
#[inline(never)]
fn read<S: Simd>(s: S, elements: &[f32]) -> f32 {
    s.vectorize(
        #[inline(always)]
        || {
            let view = View::new(elements);
            let mut sums = [s.splat(0.0); 4];
            for first in (0..elements.len() / (4 * LANES) * (4 * LANES)).step_by(4 * LANES) {
                for (i, sum) in sums.iter_mut().enumerate() {
                    *sum = s.add(*sum, view.load(s, first + i * LANES));
                }
            }
            let [a, b, c, d] = sums;
            s.to_array(s.add(s.add(a, b), s.add(c, d))).iter().sum()
        },
    )
}

/// Runs the layer once.
fn run(level: Level, params: &ConvParams, input: &[f32], weights: ConvWeights<'_>, output: &mut [f32]) {
    let contiguous = |extent: &Extent| Segment {
        rows: Rows::contiguous(0, extent).unwrap(),
        channels: extent.c,
        buffer: 0,
    };
    let (from, to) = ([contiguous(&params.input)], contiguous(&params.output));
    let task = ConvTask {
        params,
        source: Source::new(View::new(input), &from, params.input),
        weights,
        prologue: None,
        epilogue: Epilogue { activation: params.activation, ..Epilogue::NONE },
        sink: Sink::new(ViewMut::new(output), &to, params.output),
    };
    dispatch!(level, s => conv_f32(s, &task, &Band::of_rows(0, 0..1), ViewMut::empty()));
}

fn bench_layer(c: &mut Criterion, memory: &AlignedBytes, params: &ConvParams) {
    let (input, mut output) = (vec![1.0; params.input.c as usize], vec![0.0; params.output.c as usize]);
    let len = conv_f32_weight_len(params).unwrap() as usize;
    let name = format!("dense/{}-{}", params.input.c, params.output.c);
    for (form, bytes) in [("f32", len * size_of::<f32>()), ("f16", len * size_of::<f16>())] {
        let mut group = c.benchmark_group(format!("{name}/{form}"));
        group.throughput(Throughput::Bytes(bytes as u64));
        group
            .sample_size(10)
            .warm_up_time(Duration::from_millis(200))
            .measurement_time(Duration::from_millis(1000));
        let mut copies = memory.chunks_exact(bytes).cycle();
        for level in Level::NAMES.iter().filter_map(|name| Level::named(name)) {
            group.bench_function(level.name(), |b| {
                b.iter(|| {
                    let weights = copies.next().unwrap();
                    let weights = match form {
                        "f32" => ConvWeights::F32(View::new(cast_slice(weights))),
                        _ => ConvWeights::F16(View::new(cast_slice(weights))),
                    };
                    run(black_box(level), params, &input, weights, &mut output);
                });
            });
            group.bench_function(format!("read/{}", level.name()), |b| {
                b.iter(|| {
                    let weights = cast_slice(copies.next().unwrap());
                    dispatch!(black_box(level), s => black_box(read(s, weights)));
                });
            });
        }
        group.finish();
    }
}

fn layers(c: &mut Criterion) {
    let mib = std::env::var("SALTO_WEIGHTS_MIB").ok().and_then(|mib| mib.parse().ok()).unwrap_or(1536);
    let mut memory = AlignedBytes::zeroed(mib << 20);
    // Pages that were never written are all the same zeros.
    memory.fill(0);
    for [inputs, outputs] in [[25088, 4096], [4096, 4096], [2048, 1000], [512, 1000]] {
        bench_layer(c, &memory, &dense(inputs, outputs));
    }
}

criterion_group!(dense_layers, layers);
criterion_main!(dense_layers);
