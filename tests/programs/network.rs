//! A network that uses every operator, every kind of operand and every kind of buffer.

use salto::device::kernel::params::{
    Beyond, BinaryKind, BinaryParams, ConvAlgorithm, ConvParams, ConvTransposeParams, InterpolateParams,
    MapParams, NormalizeParams, PoolKind, PoolParams, RearrangeParams, ResizeKind, ResizeParams,
    SoftmaxParams,
};
use salto::device::kernel::{
    conv_f32_scratch_len, conv_f32_weight_len, conv_transpose_f32_scratch_len, conv_transpose_f32_weight_len,
    interpolate_f32_scratch_len, normalize_f32_scratch_len,
};
use salto::device::program::record::{OpCode, Place};
use salto::device::tensor::{Activation, Extent, Window};

use super::writer::{Tensor, Writer};

const BATCH: u32 = 2;

/// The program of the network: input `[2, size, size, 3]`, `channels` (even) channels inside, two outputs.
///
/// A stem, a residual block whose sum lies over the dying skip, two branches that a grouped convolution with pre-activation
/// reads as one, element-wise steps in place, two ways up, a long skip, and two heads.
pub fn network(size: u32, channels: u32) -> Vec<u8> {
    assert!(size.is_multiple_of(2) && channels.is_multiple_of(2));
    let mut w = Writer::default();
    let input = w.input("input", Extent::new(BATCH, size, size, 3));
    let stem = conv(&mut w, ConvAlgorithm::Im2col, &[input], channels, Window::new(3, 3).with_padding(1));
    let inner =
        conv(&mut w, ConvAlgorithm::Winograd2x2, &[stem], channels, Window::new(3, 3).with_padding(1));
    let sum = add_over(&mut w, inner, stem);
    let left = depthwise(&mut w, sum);
    let right = max_pool(&mut w, sum);
    let gate = grouped(&mut w, &[left, right], 4);
    element_wise(&mut w, gate);
    let up = conv_transpose(&mut w, &[left, gate], 4);
    let wide = resize(&mut w, gate, size);
    add(&mut w, up, wide);
    let all = copy(&mut w, &[up, sum]);
    let turned = interpolate(&mut w, all);
    heads(&mut w, turned);
    w.finish()
}

/// The parameters of a convolution over all `sources`.
fn conv_params(algorithm: ConvAlgorithm, sources: &[Tensor], outputs: u32, window: Window) -> ConvParams {
    let channels = sources.iter().map(|source| source.extent.c).sum();
    let input = sources[0].extent.with_channels(channels);
    let (h, w) = window.output(input.h, input.w, false).unwrap();
    ConvParams {
        input,
        output: Extent::new(input.n, h, w, outputs),
        window,
        groups: 1,
        algorithm: algorithm as u32,
        activation: Activation::RELU,
        prologue: Activation::IDENTITY,
    }
}

pub(super) fn weights(w: &mut Writer, params: &ConvParams) -> [Place; 2] {
    let len = conv_f32_weight_len(params).unwrap();
    [w.constant(len, len), w.channels(params.output.c)]
}

fn conv(
    w: &mut Writer,
    algorithm: ConvAlgorithm,
    sources: &[Tensor],
    outputs: u32,
    window: Window,
) -> Tensor {
    let params = conv_params(algorithm, sources, outputs, window);
    let places = weights(w, &params);
    w.step(OpCode::Conv, params, &[sources], params.output, &places, conv_f32_scratch_len(&params))
}

/// `relu(conv(source) + skip)`, written over the skip, by weights of `f16`.
fn add_over(w: &mut Writer, source: Tensor, skip: Tensor) -> Tensor {
    let params = conv_params(ConvAlgorithm::Pointwise, &[source], skip.extent.c, Window::new(1, 1));
    let len = conv_f32_weight_len(&params).unwrap();
    let places = [w.constant_f16(len), w.channels(params.output.c)];
    let scratch_len = conv_f32_scratch_len(&params);
    w.step_into(OpCode::Conv, params, &[&[source], &[skip]], skip, &places, scratch_len)
}

fn depthwise(w: &mut Writer, source: Tensor) -> Tensor {
    let c = source.extent.c;
    let window = Window::new(3, 3).with_padding(1).with_stride(2);
    let params = ConvParams { groups: c, ..conv_params(ConvAlgorithm::Depthwise, &[source], c, window) };
    let places = weights(w, &params);
    w.step(OpCode::Conv, params, &[&[source]], params.output, &places, conv_f32_scratch_len(&params))
}

fn max_pool(w: &mut Writer, source: Tensor) -> Tensor {
    let window = Window::new(2, 2).with_stride(2);
    let Extent { n, h, w: width, c } = source.extent;
    let params = PoolParams {
        input: source.extent,
        output: Extent::new(n, h / 2, width / 2, c),
        window,
        kind: PoolKind::Max as u32,
        activation: Activation::IDENTITY,
    };
    w.step(OpCode::Pool, params, &[&[source]], params.output, &[], None)
}

/// A convolution in two groups, with pre-activation.
fn grouped(w: &mut Writer, sources: &[Tensor], outputs: u32) -> Tensor {
    let window = Window::new(3, 1).with_padding(1);
    let window = Window { x: Window::new(1, 1).x, ..window };
    let params = ConvParams {
        groups: 2,
        prologue: Activation::RELU,
        ..conv_params(ConvAlgorithm::Im2col, sources, outputs, window)
    };
    let [weights, bias] = weights(w, &params);
    let places = [weights, bias, w.channels(params.input.c), w.channels(params.input.c)];
    w.step(OpCode::Conv, params, &[sources], params.output, &places, conv_f32_scratch_len(&params))
}

/// A sigmoid of an affine map, then a product with a constant; both in place.
fn element_wise(w: &mut Writer, tensor: Tensor) {
    let extent = tensor.extent;
    let places = [w.channels(extent.c), w.channels(extent.c)];
    let params = MapParams { extent, activation: Activation::SIGMOID };
    w.step_into(OpCode::Map, params, &[&[tensor]], tensor, &places, None);
    let b = Extent::new(1, 1, 1, extent.c);
    let params = BinaryParams {
        a: extent,
        b,
        output: extent,
        kind: BinaryKind::Mul as u32,
        activation: Activation::IDENTITY,
    };
    let places = [Place::ABSENT, w.channels(extent.c)];
    w.step_into(OpCode::Binary, params, &[&[tensor]], tensor, &places, None);
}

fn conv_transpose(w: &mut Writer, sources: &[Tensor], outputs: u32) -> Tensor {
    let channels = sources.iter().map(|source| source.extent.c).sum();
    let input = sources[0].extent.with_channels(channels);
    let params = ConvTransposeParams {
        input,
        output: Extent::new(input.n, input.h * 2, input.w * 2, outputs),
        window: Window::new(2, 2).with_stride(2),
        groups: 1,
        activation: Activation::IDENTITY,
    };
    let len = conv_transpose_f32_weight_len(&params).unwrap();
    let places = [w.constant(len, len), w.channels(outputs)];
    let scratch_len = conv_transpose_f32_scratch_len(&params);
    w.step(OpCode::ConvTranspose, params, &[sources], params.output, &places, scratch_len)
}

fn resize(w: &mut Writer, source: Tensor, size: u32) -> Tensor {
    let input = source.extent;
    let (scale_y, scale_x) = (input.h as f32 / size as f32, input.w as f32 / size as f32);
    let params = ResizeParams {
        input,
        output: Extent::new(input.n, size, size, input.c),
        kind: ResizeKind::Bilinear as u32,
        scale_y,
        scale_x,
        offset_y: scale_y / 2.0 - 0.5,
        offset_x: scale_x / 2.0 - 0.5,
    };
    w.step(OpCode::Resize, params, &[&[source]], params.output, &[], None)
}

/// Rows upside down, and columns of two taps each; the last one reads nothing.
fn interpolate(w: &mut Writer, source: Tensor) -> Tensor {
    let input = source.extent;
    let params = InterpolateParams { input, output: input, taps_y: 1, taps_x: 2, fill: 0.5 };
    let (h, width) = (input.h as i32, input.w as i32);
    let rows: Vec<f32> = (0..h).flat_map(|y| [(h - 1 - y) as f32, 1.0]).collect();
    let columns = (0..width).flat_map(|x| [(x % (width - 1)) as f32, 0.25, 0.75]);
    let columns: Vec<f32> = columns.take(3 * (width as usize - 1)).chain([-1.0, 0.0, 0.0]).collect();
    let places = [w.floats(&rows), w.floats(&columns)];
    let scratch_len = interpolate_f32_scratch_len(&params);
    w.step(OpCode::Interpolate, params, &[&[source]], params.output, &places, scratch_len)
}

/// `a + b`, over `a`.
fn add(w: &mut Writer, a: Tensor, b: Tensor) {
    let params = BinaryParams {
        a: a.extent,
        b: b.extent,
        output: a.extent,
        kind: BinaryKind::Add as u32,
        activation: Activation::RELU6,
    };
    w.step_into(OpCode::Binary, params, &[&[a], &[b]], a, &[], None);
}

/// The concatenation as one tensor.
fn copy(w: &mut Writer, sources: &[Tensor]) -> Tensor {
    let channels = sources.iter().map(|source| source.extent.c).sum();
    let params =
        MapParams { extent: sources[0].extent.with_channels(channels), activation: Activation::IDENTITY };
    w.step(OpCode::Map, params, &[sources], params.extent, &[], None)
}

/// A global average pool; then a softmax of its channels in reverse (the last but one twice), and a dense layer that is
/// normalised.
fn heads(w: &mut Writer, source: Tensor) {
    let Extent { n, h, w: width, c } = source.extent;
    let params = PoolParams {
        input: source.extent,
        output: Extent::new(n, 1, 1, c),
        window: Window::new(h, width),
        kind: PoolKind::Average as u32,
        activation: Activation::IDENTITY,
    };
    let pooled = w.step(OpCode::Pool, params, &[&[source]], params.output, &[], None);
    let flat = pooled.seen_as(Extent::flat(n * c));
    let params = RearrangeParams {
        input_len: n * c,
        base: c - 1,
        dims: [1, 1, 1, 1, n, c],
        low: [0; 6],
        high: [1, 1, 1, 1, n, c - 1],
        stride: [0, 0, 0, 0, c as i32, -1],
        beyond: [0, 0, 0, 0, 0, Beyond::Edge as u32],
        fill: 0.0,
    };
    let reversed = w.step(OpCode::Rearrange, params, &[&[flat]], flat.extent, &[], None);
    let params = SoftmaxParams { outer: n, axis: c, inner: 1, log: 0 };
    w.step_into(OpCode::Softmax, params, &[&[reversed]], reversed, &[], None);
    w.output("probabilities", reversed);
    let rows = pooled.seen_as(Extent::new(1, 1, n, c));
    let dense = conv(w, ConvAlgorithm::Pointwise, &[rows], 5, Window::new(1, 1));
    normalize(w, dense);
    w.output("scores", dense);
}

/// All rows together, in one group, in place.
fn normalize(w: &mut Writer, tensor: Tensor) {
    let Extent { n, h, w: width, c } = tensor.extent;
    let params = NormalizeParams {
        outer: n,
        spatial: h * width,
        groups: 1,
        inner: c,
        epsilon: 1e-5,
        activation: Activation::IDENTITY,
    };
    let flat = tensor.seen_as(Extent::flat(n * h * width * c));
    let places = [w.channels(c), w.channels(c)];
    w.step_into(OpCode::Normalize, params, &[&[flat]], flat, &places, normalize_f32_scratch_len(&params));
}
