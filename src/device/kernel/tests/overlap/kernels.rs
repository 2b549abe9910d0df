//! Each kernel through the oracle, over small shapes of every kind.

use std::vec::Vec;

use super::{Kernel, Seen, segment};
use crate::device::kernel::params::{
    ConvAlgorithm, ConvParams, ConvTransposeParams, MapParams, PoolParams, ResizeParams,
};
use crate::device::kernel::reference::Random;
use crate::device::kernel::{
    Band, ConvTask, ConvTransposeTask, ConvWeights, Epilogue, MapTask, Operand, PoolTask, Prologue,
    ResizeTask, RowSeparation, Sink, Source, conv_f32, conv_f32_band_multiple, conv_f32_is_valid,
    conv_f32_least_scratch_len, conv_f32_scratch_len, conv_f32_separation, conv_f32_weight_len,
    conv_transpose_f32, conv_transpose_f32_is_valid, conv_transpose_f32_separation,
    conv_transpose_f32_weight_len, map_f32, map_f32_separation, pool_f32, pool_f32_is_valid,
    pool_f32_separation, resize_f32, resize_f32_is_valid, resize_f32_separation,
};
use crate::device::simd::{Level, View, ViewMut};
use crate::device::tensor::{Activation, Axis, Extent, Window};
use crate::dispatch;

/// The windows of one axis that tests go through.
fn axes(kernels: &[u32]) -> Vec<Axis> {
    let mut axes = Vec::new();
    for &kernel in kernels {
        for stride in 1..4 {
            for dilation in 1..3 {
                for (pad_before, pad_after) in [(0, 0), (1, 1), (0, 1), (2, 0), (3, 3)] {
                    if (kernel > 1 || dilation == 1) && pad_before < kernel + 1 {
                        axes.push(Axis { kernel, stride, dilation, pad_before, pad_after });
                    }
                }
            }
        }
    }
    axes
}

/// Sizes `[n, h, w]` that tests go through in turn.
const SIZES: [[u32; 3]; 6] = [[1, 9, 5], [2, 6, 4], [1, 1, 13], [3, 4, 3], [1, 14, 1], [2, 11, 9]];

fn conv_case(seen: &mut Seen, params: &ConvParams, gaps: [u32; 2], has_prologue: bool, seed: u64) {
    if !conv_f32_is_valid(params) {
        return;
    }
    let mut random = Random(seed);
    // Any numbers are weights: the kernel is compared with itself.
    let weights = random.take(conv_f32_weight_len(params).unwrap() as usize);
    let channels = |count: u32| count.next_multiple_of(16) as usize;
    let [scale, shift] = [random.take(channels(params.input.c)), random.take(channels(params.input.c))];
    let prologue = || {
        has_prologue.then_some(Prologue {
            scale: View::new(&scale),
            shift: View::new(&shift),
            activation: Activation::IDENTITY,
        })
    };
    let run = |level: Level, source: Source<'_, f32>, sink: Sink<'_, f32>, band: &Band| {
        // The least scratch and the fastest in turn.
        let gathers = has_prologue || source.single().is_none();
        let scratch_len = if seed.is_multiple_of(2) {
            conv_f32_scratch_len(params)
        } else {
            conv_f32_least_scratch_len(params, gathers)
        };
        let mut scratch = vec![f32::NAN; scratch_len.unwrap() as usize];
        let (weights, prologue) = (ConvWeights::F32(View::new(&weights)), prologue());
        let task = ConvTask { params, source, weights, prologue, epilogue: Epilogue::NONE, sink };
        dispatch!(level, s => conv_f32(s, &task, band, ViewMut::new(&mut scratch)));
    };
    let kernel = Kernel {
        input: params.input,
        output: params.output,
        block: conv_f32_band_multiple(params) as usize,
        separation: &|input, output| Some(conv_f32_separation(params, input, output)),
        run: &run,
    };
    seen.check(&kernel, &[params.input.c], gaps, seed);
    if params.input.c > 2 {
        seen.check(&kernel, &[1, params.input.c - 1], gaps, seed);
    }
}

/// Goes through all windows of an algorithm, with sizes, channels and gaps in turn.
fn convolutions(algorithm: ConvAlgorithm, axes: &[Axis], channels: &[[u32; 3]]) -> Seen {
    let mut seen = Seen::default();
    let mut seed = 0u64;
    for y in axes {
        for x in axes.iter().skip(seed as usize % 3).step_by(axes.len().div_ceil(4)) {
            for &[groups, inputs, outputs] in channels {
                let [n, h, w] = SIZES[seed as usize % SIZES.len()];
                let window = Window { y: *y, x: *x };
                let Some((oh, ow)) = window.output(h, w, false) else { continue };
                let params = ConvParams {
                    input: Extent::new(n, h, w, inputs),
                    output: Extent::new(n, oh, ow, outputs),
                    window,
                    groups,
                    algorithm: algorithm as u32,
                    activation: Activation::IDENTITY,
                    prologue: Activation::IDENTITY,
                };
                let gaps = [[0, 0], [3, 0], [0, 5]][seed as usize % 3];
                conv_case(&mut seen, &params, gaps, seed % 4 == 1, seed);
                seed += 1;
            }
        }
    }
    println!("{algorithm:?}: {seen:?}");
    // A row of an unusual window may have no influence; most separations are exact.
    assert!(seen.runs > 0 && seen.exact > 2 * seen.larger, "{algorithm:?}: {seen:?}");
    assert!(2 * seen.too_close[1] > seen.too_close[0], "{algorithm:?}: {seen:?}");
    seen
}

#[test]
fn direct_convolutions_overlap() {
    let ratios = [[1, 1, 1], [1, 3, 8], [1, 16, 5], [1, 5, 40], [2, 6, 4], [1, 40, 40]];
    let seen = convolutions(ConvAlgorithm::Im2col, &axes(&[1, 2, 3, 5]), &ratios);
    assert!(seen.inside_band[1] > 0, "several panels go over the same pixels: {seen:?}");
}

#[test]
fn pointwise_convolutions_overlap() {
    let ratios = [[1, 1, 1], [1, 3, 8], [1, 8, 3], [1, 16, 16], [1, 20, 40], [1, 40, 70], [1, 70, 9]];
    let seen = convolutions(ConvAlgorithm::Pointwise, &[Axis::new(1); 12], &ratios);
    assert!(seen.inside_band[1] > 0, "several panels go over the same pixels: {seen:?}");
}

#[test]
fn depthwise_convolutions_overlap() {
    let ratios = [[1, 1, 1], [5, 5, 5], [16, 16, 16], [40, 40, 40]];
    convolutions(ConvAlgorithm::Depthwise, &axes(&[1, 2, 3, 5]), &ratios);
}

#[test]
fn winograd_convolutions_overlap() {
    let windows: Vec<_> =
        axes(&[3]).into_iter().filter(|axis| axis.stride == 1 && axis.dilation == 1).collect();
    let ratios = [[1, 1, 1], [1, 3, 8], [1, 8, 3], [1, 16, 16], [1, 20, 40], [1, 40, 20]];
    for algorithm in [ConvAlgorithm::Winograd2x2, ConvAlgorithm::Winograd4x4] {
        convolutions(algorithm, &windows, &ratios);
    }
}

#[test]
fn transposed_convolutions_overlap() {
    let mut seen = Seen::default();
    let mut seed = 0u64;
    let axes = axes(&[1, 2, 3, 4]);
    for y in &axes {
        for x in axes.iter().skip(seed as usize % 3).step_by(axes.len().div_ceil(3)) {
            for [groups, inputs, outputs] in [[1, 1, 1], [1, 5, 20], [1, 20, 5], [2, 4, 6]] {
                let [n, h, w] = SIZES[seed as usize % SIZES.len()];
                let (oh, ow) = (y.transposed_output_len(h, 0), x.transposed_output_len(w, seed as u32 % 2));
                let (Some(oh), Some(ow)) = (oh, ow) else { continue };
                let params = ConvTransposeParams {
                    input: Extent::new(n, h, w, inputs),
                    output: Extent::new(n, oh, ow, outputs),
                    window: Window { y: *y, x: *x },
                    groups,
                    activation: Activation::IDENTITY,
                };
                if !conv_transpose_f32_is_valid(&params) {
                    continue;
                }
                let weights = Random(seed).take(conv_transpose_f32_weight_len(&params).unwrap() as usize);
                let run = |level: Level, source: Source<'_, f32>, sink: Sink<'_, f32>, band: &Band| {
                    let (params, weights) = (&params, View::new(&weights));
                    let task = ConvTransposeTask { params, source, weights, epilogue: Epilogue::NONE, sink };
                    dispatch!(level, s => conv_transpose_f32(s, &task, band, ViewMut::empty()));
                };
                let kernel = Kernel {
                    input: params.input,
                    output: params.output,
                    block: 1,
                    separation: &|input, output| Some(conv_transpose_f32_separation(&params, input, output)),
                    run: &run,
                };
                let gaps = [[0, 0], [3, 0], [0, 5]][seed as usize % 3];
                seen.check(&kernel, &[inputs], gaps, seed);
                if groups == 1 && inputs > 1 {
                    seen.check(&kernel, &[1, inputs - 1], gaps, seed);
                }
                seed += 1;
            }
        }
    }
    println!("{seen:?}");
    assert!(seen.exact > seen.larger && 2 * seen.too_close[1] > seen.too_close[0], "{seen:?}");
}

#[test]
fn pools_overlap() {
    let mut seen = Seen::default();
    let mut seed = 0u64;
    let axes = axes(&[1, 2, 3]);
    for y in &axes {
        for x in axes.iter().skip(seed as usize % 3).step_by(axes.len().div_ceil(4)) {
            for channels in [&[1][..], &[70], &[3, 20]] {
                let [n, h, w] = SIZES[seed as usize % SIZES.len()];
                let window = Window { y: *y, x: *x };
                let Some((oh, ow)) = window.output(h, w, seed % 2 == 1) else { continue };
                let c = channels.iter().sum();
                let params = PoolParams {
                    input: Extent::new(n, h, w, c),
                    output: Extent::new(n, oh, ow, c),
                    window,
                    kind: seed as u32 % 4,
                    activation: Activation::IDENTITY,
                };
                if !pool_f32_is_valid(&params) {
                    continue;
                }
                let run = |level: Level, source: Source<'_, f32>, sink: Sink<'_, f32>, band: &Band| {
                    dispatch!(level, s => pool_f32(s, &PoolTask { params: &params, source, sink }, band));
                };
                let kernel = Kernel {
                    input: params.input,
                    output: params.output,
                    block: 1,
                    separation: &|input, output| Some(pool_f32_separation(&params, input, output)),
                    run: &run,
                };
                seen.check(&kernel, channels, [[0, 0], [3, 0], [0, 5]][seed as usize % 3], seed);
                seed += 1;
            }
        }
    }
    println!("{seen:?}");
    assert!(seen.exact > 2 * seen.larger && 2 * seen.too_close[1] > seen.too_close[0], "{seen:?}");
}

#[test]
fn resizes_overlap() {
    let mut seen = Seen::default();
    let mut seed = 0u64;
    for kind in 0..5 {
        for scale in [0.3, 0.5, 0.77, 1.0, 1.9, 3.0] {
            for offset in [0.0, -0.25, 0.5, 40.0] {
                for channels in [&[1][..], &[21], &[3, 17]] {
                    let [n, h, w] = SIZES[seed as usize % SIZES.len()];
                    let c = channels.iter().sum();
                    let size = |len: u32| ((len as f32 / scale) as u32).max(1);
                    let params = ResizeParams {
                        input: Extent::new(n, h, w, c),
                        output: Extent::new(n, size(h), size(w), c),
                        kind,
                        scale_y: scale,
                        scale_x: scale,
                        offset_y: offset,
                        offset_x: offset,
                    };
                    assert!(resize_f32_is_valid(&params));
                    let run = |level: Level, source: Source<'_, f32>, sink: Sink<'_, f32>, band: &Band| {
                        let task = ResizeTask { params: &params, source, sink };
                        dispatch!(level, s => resize_f32(s, &task, band));
                    };
                    let kernel = Kernel {
                        input: params.input,
                        output: params.output,
                        block: 1,
                        separation: &|input, output| resize_f32_separation(&params, input, output),
                        run: &run,
                    };
                    seen.check(&kernel, channels, [[0, 0], [3, 0], [0, 5]][seed as usize % 3], seed);
                    seed += 1;
                }
            }
        }
    }
    println!("{seen:?}");
    assert!(seen.exact > 2 * seen.larger && 2 * seen.too_close[1] > seen.too_close[0], "{seen:?}");
}

#[test]
fn copies_overlap() {
    let mut seen = Seen::default();
    for (i, [n, h, w]) in SIZES.into_iter().enumerate() {
        for channels in [&[1][..], &[21], &[3, 17], &[5, 1, 18]] {
            let params = MapParams {
                extent: Extent::new(n, h, w, channels.iter().sum()),
                activation: Activation::RELU,
            };
            let run = |level: Level, source: Source<'_, f32>, sink: Sink<'_, f32>, band: &Band| {
                let source = Operand::Source(source);
                let task = MapTask { params: &params, source, scale: None, shift: None, sink };
                dispatch!(level, s => map_f32(s, &task, band));
            };
            let kernel = Kernel {
                input: params.extent,
                output: params.extent,
                block: 1,
                separation: &|input, output| Some(map_f32_separation(&params, input, output)),
                run: &run,
            };
            for gaps in [[0, 0], [3, 0], [0, 5]] {
                seen.check(&kernel, channels, gaps, i as u64);
            }
        }
    }
    assert!(seen.runs > 0 && seen.larger == 0, "{seen:?}");
}

/// The figures of the design, from the geometry alone.
#[test]
fn separations_of_known_layers() {
    let conv = |input: Extent, output: Extent, window: Window, algorithm: ConvAlgorithm| {
        let params = ConvParams {
            input,
            output,
            window,
            groups: if algorithm == ConvAlgorithm::Depthwise { input.c } else { 1 },
            algorithm: algorithm as u32,
            activation: Activation::IDENTITY,
            prologue: Activation::IDENTITY,
        };
        let [source, sink] = [input, output].map(|extent| segment(extent, extent.c, 0));
        conv_f32_separation(&params, &source, &sink)
    };
    // MobileNetV1-0.25's first pointwise layer: 48·48·8 to 48·48·16, one input row more than the output.
    let small = Extent::new(1, 48, 48, 8);
    let pointwise = conv(small, small.with_channels(16), Window::new(1, 1), ConvAlgorithm::Pointwise);
    assert_eq!(pointwise, RowSeparation { forward: 48 * 48 * 8 + 48 * 8, backward: 48 * 8 });
    // A 3×3 layer that keeps its size: two rows; Winograd's rows of patches of four: five rows.
    let picture = Extent::new(1, 64, 64, 32);
    let window = Window::new(3, 3).with_padding(1);
    for (algorithm, rows) in
        [(ConvAlgorithm::Im2col, 2), (ConvAlgorithm::Winograd2x2, 3), (ConvAlgorithm::Winograd4x4, 5)]
    {
        let separation = conv(picture, picture, window, algorithm);
        assert_eq!(separation, RowSeparation { forward: rows * 64 * 32, backward: rows * 64 * 32 });
    }
    // Two pictures of which the output has half the rows: the second begins far below its input.
    let half = Extent::new(2, 32, 32, 32);
    let down = conv(Extent { n: 2, ..picture }, half, window.with_stride(2), ConvAlgorithm::Im2col);
    assert_eq!(down.forward, 32 * 32);
}
