//! Convolutions at every level against their twin, over generated geometries, memories and bands.

use std::ops::Range;
use std::vec;
use std::vec::Vec;

use proptest::prelude::*;

use super::super::params::{ConvAlgorithm, ConvParams};
use super::super::reference::{ConvOperands, conv as reference, conv_winograd_magnitudes, is_fused, levels};
use super::*;
use crate::device::simd::{LANES, Level};
use crate::device::tensor::{Activation, ActivationKind, Extent, Rows, Segment, Window};
use crate::dispatch;

/// Where operands lie, and how the output is cut.
#[derive(Clone, Debug)]
struct Setting {
    /// Channels of each segment of the input.
    segments: Vec<u32>,
    /// Elements between the pixels of every operand beyond their channels.
    gap: u32,
    /// Is the output written over the residual?
    over_residual: bool,
    /// Output rows at which the picture is cut into bands.
    cuts: Vec<usize>,
    /// Output channels at which it is cut further, where the kernel divides them.
    channel_cuts: Vec<usize>,
    /// Are weights stored as `f16`?
    f16: bool,
}

/// One memory with all activations, NaN wherever no operand lies.
struct Memory {
    elements: Vec<f32>,
    gap: u32,
}

impl Memory {
    /// Room for an operand.
    fn segment(&mut self, extent: Extent) -> Segment {
        let pixel_stride = extent.c + self.gap;
        let row_stride = extent.w * pixel_stride + 3 * self.gap;
        let image_stride = extent.h * row_stride + self.gap;
        let base = self.elements.len() as u32;
        self.elements.resize((base + extent.n * image_stride + 20) as usize, f32::NAN);
        let rows =
            Rows { base, image_stride, row_stride, pixel_stride, first_row: 0, ring_rows: extent.h.max(1) };
        Segment { rows, channels: extent.c, buffer: 0 }
    }

    /// Writes channels `first…` of dense values into a segment.
    fn write(&mut self, segment: &Segment, extent: Extent, first: u32, values: &[f32]) {
        for (place, pixel) in pixels(segment, extent).into_iter().zip(values.chunks(extent.c as usize)) {
            let channels = &pixel[first as usize..][..segment.channels as usize];
            self.elements[place..place + channels.len()].copy_from_slice(channels);
        }
    }
}

/// The places of a segment's pixels.
fn pixels(segment: &Segment, extent: Extent) -> Vec<usize> {
    let mut places = Vec::new();
    for n in 0..extent.n as usize {
        for y in 0..extent.h as usize {
            let row = segment.rows.row_start(n, y);
            places.extend((0..extent.w as usize).map(|x| row + x * segment.rows.pixel_stride as usize));
        }
    }
    places
}

/// A vector of channels, filled up with zeros.
fn channels(values: &[f32]) -> Vec<f32> {
    let mut padded = values.to_vec();
    padded.resize(values.len().next_multiple_of(16), 0.0);
    padded
}

/// The weights in the layout of the algorithm.
fn packed(operands: &ConvOperands) -> Vec<f32> {
    let params = &operands.params;
    let taps = params.window.taps() as usize;
    let inputs = (params.input.c / params.groups) as usize;
    let outputs = (params.output.c / params.groups) as usize;
    let mut packed = vec![0.0; conv_f32_weight_len(params).unwrap() as usize];
    let algorithm = ConvAlgorithm::from_code(params.algorithm).unwrap();
    for (o, filter) in operands.weights.chunks(taps * inputs).enumerate() {
        let panel = o / outputs * outputs.div_ceil(16) + o % outputs / 16;
        for (k, &weight) in filter.iter().enumerate() {
            match algorithm {
                ConvAlgorithm::Depthwise => packed[(o / 16 * taps + k) * 16 + o % 16] = weight,
                ConvAlgorithm::Winograd2x2 | ConvAlgorithm::Winograd4x4 if k < inputs => {
                    let taps = core::array::from_fn(|tap| [filter[tap * inputs + k]; LANES]);
                    let places = if algorithm == ConvAlgorithm::Winograd2x2 {
                        winograd_2x2_transform(Level::detect(), &taps).to_vec()
                    } else {
                        winograd_4x4_transform(Level::detect(), &taps).to_vec()
                    };
                    for (f, place) in places.iter().enumerate() {
                        packed[((panel * places.len() + f) * inputs + k) * 16 + o % 16] = place[o % LANES];
                    }
                }
                ConvAlgorithm::Winograd2x2 | ConvAlgorithm::Winograd4x4 => {}
                _ => packed[(panel * taps * inputs + k) * 16 + o % outputs % 16] = weight,
            }
        }
    }
    packed
}

/// The scratch of a run; pictures that are cut into bands are computed with the least.
fn scratch(operands: &ConvOperands, setting: &Setting) -> Vec<f32> {
    let gathers = setting.segments.len() > 1 || operands.prologue.is_some();
    let len = if setting.cuts.is_empty() {
        conv_f32_scratch_len(&operands.params)
    } else {
        conv_f32_least_scratch_len(&operands.params, gathers)
    };
    vec![f32::NAN; len.unwrap() as usize]
}

/// Runs the kernel; gives the dense output. All memory but the output must stay as it was.
fn run(level: Level, operands: &ConvOperands, setting: &Setting) -> Vec<f32> {
    let params = &operands.params;
    let mut memory = Memory { elements: vec![f32::NAN; 5], gap: setting.gap };
    let mut first = 0;
    let mut segments = Vec::new();
    for &c in &setting.segments {
        let segment = memory.segment(params.input.with_channels(c));
        memory.write(&segment, params.input, first, &operands.input);
        segments.push(segment);
        first += c;
    }
    let residual = operands.residual.as_ref().map(|residual| {
        let segment = memory.segment(params.output);
        memory.write(&segment, params.output, 0, residual);
        [segment]
    });
    let output = match &residual {
        Some([segment]) if setting.over_residual => *segment,
        _ => memory.segment(params.output),
    };
    let before = memory.elements.clone();
    let weights = packed(operands);
    let halves = rounded(&weights);
    let [scale, shift] = operands.prologue.clone().unwrap_or_default().map(|values| channels(&values));
    let bias = operands.bias.as_deref().map(channels);
    let mut scratch = scratch(operands, setting);

    let view = ViewMut::new(&mut memory.elements);
    let (scale, shift) = (View::new(&scale), View::new(&shift));
    let task = ConvTask {
        params,
        source: Source::new(view.as_view(), &segments, params.input),
        weights: if setting.f16 {
            ConvWeights::F16(View::new(&halves))
        } else {
            ConvWeights::F32(View::new(&weights))
        },
        prologue: operands.prologue.is_some().then_some(Prologue {
            scale,
            shift,
            activation: params.prologue,
        }),
        epilogue: Epilogue {
            bias: bias.as_deref().map(View::new),
            residual: residual.as_ref().map(|r| Source::new(view.as_view(), r, params.output)),
            activation: params.activation,
        },
        sink: Sink::new(view, &output, params.output),
    };
    for image in 0..params.output.n as usize {
        for rows in bands(params.output.h as usize, &setting.cuts) {
            for channels in channel_bands(params, &setting.channel_cuts) {
                let (band, scratch) =
                    (Band { image, rows: rows.clone(), channels }, ViewMut::new(&mut scratch));
                dispatch!(level, s => conv_f32(s, &task, &band, scratch));
            }
        }
    }
    taken(&memory.elements, before, &output, params.output)
}

/// The rows `0..h`, cut.
fn bands(h: usize, cuts: &[usize]) -> Vec<Range<usize>> {
    let mut bounds: Vec<usize> = cuts.iter().map(|cut| cut % (h + 1)).chain([0, h]).collect();
    bounds.sort_unstable();
    bounds.windows(2).map(|pair| pair[0]..pair[1]).collect()
}

/// The output channels, cut at multiples of what the kernel asks for.
fn channel_bands(params: &ConvParams, cuts: &[usize]) -> Vec<Range<usize>> {
    let channels = params.output.c as usize;
    let Some(multiple) = conv_f32_channel_multiple(params) else {
        return core::iter::once(0..channels).collect();
    };
    let at_multiple = |cut: &usize| cut % (channels + 1) / multiple as usize * multiple as usize;
    bands(channels, &cuts.iter().map(at_multiple).collect::<Vec<_>>())
}

/// The output, taken out of the memory; nothing else may have changed.
fn taken(after: &[f32], mut before: Vec<f32>, output: &Segment, extent: Extent) -> Vec<f32> {
    let mut values = Vec::new();
    for place in pixels(output, extent) {
        let pixel = place..place + extent.c as usize;
        values.extend_from_slice(&after[pixel.clone()]);
        before[pixel.clone()].copy_from_slice(&after[pixel]);
    }
    assert_eq!(bits(after), bits(&before), "wrote outside its output");
    values
}

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|value| value.to_bits()).collect()
}

/// Compares every level with the twin, and every cut and fused level with each other.
fn check(operands: &ConvOperands, setting: &Setting) {
    let params = &operands.params;
    assert!(conv_f32_is_valid(params));
    let expected = reference(operands);
    let magnitudes = match ConvAlgorithm::from_code(params.algorithm).unwrap() {
        ConvAlgorithm::Winograd2x2 => conv_winograd_magnitudes(operands, &[0.0, 1.0, -1.0]),
        ConvAlgorithm::Winograd4x4 => conv_winograd_magnitudes(operands, &[0.0, 0.625, -0.625, 1.5, -1.5]),
        _ => vec![0.0; expected.len()],
    };
    // Additions that one term goes through: a chain, the chains of a sum, and bias, residual, prologue, transforms.
    let terms = params.window.taps() * params.input.c / params.groups;
    let depth = f64::from(terms.min(256) + terms / 64 + 16);
    let mut fused: Option<Vec<f32>> = None;
    for level in levels() {
        let whole = run(level, operands, &Setting { cuts: vec![], channel_cuts: vec![], ..setting.clone() });
        for (i, (&value, expected)) in whole.iter().zip(&expected).enumerate() {
            // Two roundings a term where multiplication and addition are apart; an activation adds a few ulp of its value.
            let bound = (2.0 * depth * expected.magnitude.max(magnitudes[i]) + 8.0 * expected.value.abs())
                * f64::from(f32::EPSILON / 2.0);
            let error = (f64::from(value) - expected.value).abs();
            assert!(error <= bound, "{} output {i}: {value} not {expected:?}, bound {bound}", level.name());
        }
        assert_eq!(bits(&run(level, operands, setting)), bits(&whole), "{}: bands differ", level.name());
        if is_fused(level) {
            let first = fused.get_or_insert_with(|| whole.clone());
            assert_eq!(bits(first), bits(&whole), "{}: levels differ", level.name());
        }
    }
    if conv_f32_reads_f16(params) {
        check_f16(operands, setting);
    }
}

/// Weights that are stored as `f16` must give the bits of the same weights stored as `f32`, at every level.
fn check_f16(operands: &ConvOperands, setting: &Setting) {
    let weights = rounded(&operands.weights).into_iter().map(f16::to_f32).collect();
    let operands = ConvOperands { weights, ..operands.clone() };
    for level in levels() {
        let [whole, half] =
            [false, true].map(|f16| run(level, &operands, &Setting { f16, ..setting.clone() }));
        assert_eq!(bits(&half), bits(&whole), "{}: f16 differs", level.name());
    }
}

/// Elements as `f16`.
fn rounded(elements: &[f32]) -> Vec<f16> {
    elements.iter().copied().map(f16::from_f32).collect()
}

/// `len` values of a generator, about as wide as the filters of a trained network.
fn values(seed: &mut u64, len: u32) -> Vec<f32> {
    let mut value = || {
        *seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (*seed >> 40) as f32 / (1 << 23) as f32 - 1.0
    };
    (0..len).map(|_| value()).collect()
}

/// Random operands for a geometry; `parts`: prologue, bias, residual.
fn operands(params: ConvParams, parts: [bool; 3], seed: u64) -> ConvOperands {
    let mut seed = seed;
    let (input, output) = (params.input, params.output);
    let mut values = |len| values(&mut seed, len);
    ConvOperands {
        params,
        input: values(input.checked_len().unwrap()),
        weights: values(output.c * params.window.taps() * (input.c / params.groups)),
        prologue: parts[0].then(|| [values(input.c), values(input.c)]),
        bias: parts[1].then(|| values(output.c)),
        residual: parts[2].then(|| values(output.checked_len().unwrap())),
    }
}

fn axis(algorithm: ConvAlgorithm) -> BoxedStrategy<Axis> {
    let pads = (0u32..3, 0u32..3);
    match algorithm {
        ConvAlgorithm::Pointwise => Just(Axis::new(1)).boxed(),
        ConvAlgorithm::Winograd2x2 | ConvAlgorithm::Winograd4x4 => {
            pads.prop_map(|(pad_before, pad_after)| Axis { pad_before, pad_after, ..Axis::new(3) }).boxed()
        }
        _ => (1u32..5, 1u32..4, 1u32..4, pads)
            .prop_map(|(kernel, stride, dilation, (pad_before, pad_after))| {
                // Half of all axes without padding: only those may be read in place.
                let on = u32::from(pad_after != 2);
                Axis { kernel, stride, dilation, pad_before: on * pad_before, pad_after: on * pad_after }
            })
            .boxed(),
    }
}

fn function() -> impl Strategy<Value = Activation> {
    prop_oneof![
        Just(Activation::IDENTITY),
        Just(Activation::RELU),
        Just(Activation::new(ActivationKind::Clip, -0.5, 0.75)),
        Just(Activation::SIGMOID),
    ]
}

/// Geometries that an algorithm can compute.
fn params(algorithm: ConvAlgorithm) -> impl Strategy<Value = ConvParams> {
    let groups = if algorithm == ConvAlgorithm::Im2col { 1u32..4 } else { 1..2 };
    let channels = prop_oneof![Just(1u32), 1u32..20, Just(16u32), Just(32u32), 20u32..40];
    let size = (1u32..3, 1u32..10, prop_oneof![1u32..12, 12u32..25]);
    let window = (axis(algorithm), axis(algorithm));
    (size, channels.clone(), channels, groups, window, [function(), function()]).prop_filter_map(
        "the window fits",
        move |((n, h, w), inputs, outputs, groups, (y, x), [activation, prologue])| {
            let window = Window { y, x };
            let depthwise = algorithm == ConvAlgorithm::Depthwise;
            let groups = if depthwise { inputs } else { groups };
            let (inputs, outputs) = if depthwise { (1, 1) } else { (inputs, outputs) };
            let (oh, ow) = window.output(h, w, false)?;
            let input = Extent::new(n, h, w, inputs * groups);
            let output = Extent::new(n, oh, ow, outputs * groups);
            let algorithm = algorithm as u32;
            Some(ConvParams { input, output, window, groups, algorithm, activation, prologue })
        },
    )
}

/// Depthwise geometries whose window is one patch: square, whole rows and columns of blocks, and pictures smaller than one.
fn square_depthwise() -> impl Strategy<Value = ConvParams> {
    let channels = prop_oneof![1u32..20, Just(16u32), Just(48u32), 30u32..50];
    let size = (1u32..3, prop_oneof![1u32..5, 5u32..14], prop_oneof![1u32..8, 8u32..33]);
    let axis = (prop_oneof![Just(3u32), Just(5u32)], 1u32..3);
    (size, channels, axis, [0u32..5, 0u32..5, 0u32..5, 0u32..5], function()).prop_filter_map(
        "the window fits",
        |((n, h, w), c, (kernel, stride), pads, activation)| {
            let axis = |pad: &[u32]| Axis {
                stride,
                pad_before: pad[0].min(kernel - 1),
                pad_after: pad[1].min(kernel - 1),
                ..Axis::new(kernel)
            };
            let window = Window { y: axis(&pads[..2]), x: axis(&pads[2..]) };
            let (oh, ow) = window.output(h, w, false)?;
            Some(ConvParams {
                input: Extent::new(n, h, w, c),
                output: Extent::new(n, oh, ow, c),
                window,
                groups: c,
                algorithm: ConvAlgorithm::Depthwise as u32,
                activation,
                prologue: Activation::IDENTITY,
            })
        },
    )
}

/// Settings for an input of some channels.
fn setting(channels: u32) -> impl Strategy<Value = Setting> {
    let cuts = || prop::collection::vec(any::<usize>(), 0..4);
    (prop::collection::vec(0..=channels, 0..3), 0u32..3, any::<bool>(), [cuts(), cuts()]).prop_map(
        move |(mut bounds, gap, over_residual, [cuts, channel_cuts])| {
            bounds.extend([0, channels]);
            bounds.sort_unstable();
            let segments = bounds.windows(2).map(|pair| pair[1] - pair[0]).filter(|&c| c > 0).collect();
            Setting { segments, gap, over_residual, cuts, channel_cuts, f16: false }
        },
    )
}

fn cases(params: impl Strategy<Value = ConvParams>) -> impl Strategy<Value = (ConvOperands, Setting)> {
    (params, any::<[bool; 3]>(), any::<u64>()).prop_flat_map(|(mut params, parts, seed)| {
        if !parts[0] {
            params.prologue = Activation::IDENTITY;
        }
        (Just(operands(params, parts, seed)), setting(params.input.c))
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn pointwise_is_its_twin((operands, setting) in cases(params(ConvAlgorithm::Pointwise))) {
        check(&operands, &setting);
    }

    #[test]
    fn im2col_is_its_twin((operands, setting) in cases(params(ConvAlgorithm::Im2col))) {
        check(&operands, &setting);
    }

    #[test]
    fn depthwise_is_its_twin((operands, setting) in cases(params(ConvAlgorithm::Depthwise))) {
        check(&operands, &setting);
    }

    #[test]
    fn square_depthwise_is_its_twin((operands, setting) in cases(square_depthwise())) {
        check(&operands, &setting);
    }

    #[test]
    fn winograd_2x2_is_its_twin((operands, setting) in cases(params(ConvAlgorithm::Winograd2x2))) {
        check(&operands, &setting);
    }

    #[test]
    fn winograd_4x4_is_its_twin((operands, setting) in cases(params(ConvAlgorithm::Winograd4x4))) {
        check(&operands, &setting);
    }
}

/// A convolution of stride 1 over `[1, h, w, inputs]`.
fn geometry(algorithm: ConvAlgorithm, [h, w]: [u32; 2], channels: [u32; 2], window: Window) -> ConvParams {
    let (oh, ow) = window.output(h, w, false).unwrap();
    ConvParams {
        input: Extent::new(1, h, w, channels[0]),
        output: Extent::new(1, oh, ow, channels[1]),
        window,
        groups: 1,
        algorithm: algorithm as u32,
        activation: Activation::RELU,
        prologue: Activation::IDENTITY,
    }
}

fn whole(channels: u32) -> Setting {
    Setting {
        segments: vec![channels],
        gap: 0,
        over_residual: false,
        cuts: vec![1, 3],
        channel_cuts: vec![16],
        f16: false,
    }
}

#[test]
fn long_sums_are_broken_at_every_level_alike() {
    let same = Window::new(3, 3).with_padding(1);
    for (algorithm, size, window) in [
        (ConvAlgorithm::Pointwise, [3, 5], Window::new(1, 1)),
        (ConvAlgorithm::Im2col, [3, 5], same),
        (ConvAlgorithm::Im2col, [5, 5], same.with_padding(2).with_dilation(2)),
        (ConvAlgorithm::Winograd2x2, [3, 5], same),
        (ConvAlgorithm::Winograd4x4, [3, 5], same),
    ] {
        for inputs in [85, 256, 300, 521] {
            check(
                &operands(geometry(algorithm, size, [inputs, 20], window), [false, true, true], 7),
                &whole(inputs),
            );
        }
    }
}

#[test]
fn several_blocks_join_without_a_seam() {
    let same = Window::new(3, 3).with_padding(1);
    for (algorithm, window) in [
        (ConvAlgorithm::Pointwise, Window::new(1, 1)),
        (ConvAlgorithm::Im2col, Window::new(5, 3)),
        (ConvAlgorithm::Im2col, same.with_stride(2)),
        (ConvAlgorithm::Winograd2x2, same),
        (ConvAlgorithm::Winograd4x4, same),
    ] {
        check(&operands(geometry(algorithm, [29, 31], [7, 33], window), [true, true, false], 11), &whole(7));
    }
}

/// A source whose rows pass through a ring of `ring` rows: before each output row, the rows that it needs are written.
fn through_ring(level: Level, operands: &ConvOperands, ring: u32) -> Vec<f32> {
    let params = &operands.params;
    let (input, output) = (params.input, params.output);
    let row_len = (input.w * input.c) as usize;
    let mut from = [Segment { rows: Rows::contiguous(0, &input).unwrap(), channels: input.c, buffer: 0 }];
    from[0].rows.ring_rows = ring;
    let to = Segment { rows: Rows::contiguous(0, &output).unwrap(), channels: output.c, buffer: 0 };
    let (mut memory, mut result) =
        (vec![f32::NAN; ring as usize * row_len], vec![0.0; output.checked_len().unwrap() as usize]);
    let weights = packed(operands);
    let mut scratch = vec![f32::NAN; conv_f32_scratch_len(params).unwrap() as usize];
    for y in 0..output.h as usize {
        let (first, end) = params.window.y.valid_taps(y, input.h as usize);
        for tap in first..end {
            let row = (params.window.y.first_input(y) + (tap * params.window.y.dilation as usize) as isize)
                as usize;
            let place = from[0].rows.row_start(0, row);
            memory[place..place + row_len].copy_from_slice(&operands.input[row * row_len..][..row_len]);
        }
        let task = ConvTask {
            params,
            source: Source::new(View::new(&memory), &from, input),
            weights: ConvWeights::F32(View::new(&weights)),
            prologue: None,
            epilogue: Epilogue { activation: params.activation, ..Epilogue::NONE },
            sink: Sink::new(ViewMut::new(&mut result), &to, output),
        };
        let band = Band::of_rows(0, y..y + 1);
        dispatch!(level, s => conv_f32(s, &task, &band, ViewMut::new(&mut scratch)));
    }
    result
}

#[test]
fn rows_may_pass_through_a_ring() {
    let same = Window::new(3, 3).with_padding(1);
    for (algorithm, window, ring) in [
        (ConvAlgorithm::Pointwise, Window::new(1, 1), 1),
        (ConvAlgorithm::Im2col, Window::new(1, 1).with_stride(2), 1),
        (ConvAlgorithm::Im2col, Window::new(3, 3), 3),
        (ConvAlgorithm::Im2col, same.with_stride(2), 4),
        (ConvAlgorithm::Depthwise, same, 3),
        (ConvAlgorithm::Depthwise, same.with_stride(2), 4),
        (ConvAlgorithm::Depthwise, Window::new(5, 5).with_padding(2), 5),
        // A patch has four rows, but an output row only needs three of them. Of F(4×4)'s six rows it needs all.
        (ConvAlgorithm::Winograd2x2, same, 3),
    ] {
        let depthwise = algorithm == ConvAlgorithm::Depthwise;
        let params = geometry(algorithm, [9, 6], [5, 5], window);
        let params = ConvParams { groups: if depthwise { 5 } else { 1 }, ..params };
        let operands = operands(params, [false; 3], 3);
        for level in levels() {
            assert_eq!(bits(&through_ring(level, &operands, ring)), bits(&run(level, &operands, &whole(5))));
        }
    }
}

#[test]
fn chains_hold_whole_runs_or_even_parts() {
    assert_eq!([0, 1, 21, 192, 255].map(chain_terms), [1, 256, 252, 192, 255]);
    assert_eq!([256, 384, 512, 771, 4608].map(chain_terms), [256, 192, 256, 193, 256]);
}

#[test]
fn sizes_of_senseless_parameters_are_none() {
    let good = geometry(ConvAlgorithm::Im2col, [3, 3], [4, 4], Window::new(2, 2));
    assert!(conv_f32_is_valid(&good));
    let none = ConvParams { groups: 0, ..good };
    assert_eq!((conv_f32_weight_len(&none), conv_f32_is_valid(&none)), (None, false));
    let unknown = ConvParams { algorithm: 9, ..good };
    assert_eq!((conv_f32_weight_len(&unknown), conv_f32_scratch_len(&unknown)), (None, None));
    let huge = Extent::new(u32::MAX, u32::MAX, u32::MAX, u32::MAX);
    for code in 0..5 {
        let axis = Axis {
            kernel: u32::MAX,
            stride: u32::MAX,
            dilation: u32::MAX,
            pad_before: u32::MAX,
            pad_after: u32::MAX,
        };
        let params = ConvParams { input: huge, window: Window { y: axis, x: axis }, algorithm: code, ..good };
        for params in [params, ConvParams { output: huge, ..params }, ConvParams { input: huge, ..good }] {
            assert!(!conv_f32_is_valid(&params));
            assert_eq!(conv_f32_scratch_len(&params), None);
            conv_f32_weight_len(&params);
            conv_f32_band_multiple(&params);
            conv_f32_channel_multiple(&params);
        }
    }
}
