//! Convolutions of `f32`: `output = activation(conv(prologue(input)) + bias + residual)`, one [`Band`] at a time.
//!
//! What flows in: a [`ConvTask`] (geometry, input segments, packed weights, prologue, epilogue), a band and scratch of
//! [`conv_f32_scratch_len`] elements; what flows out: the band's rows in the sink. The engine calls [`conv_f32`]; the compiler
//! asks [`conv_f32_weight_len`] and packs the weights as said there.
//!
//! **Order of summation** (the same at every level, for every band): the terms of an output ascend in `ky, kx, c`; the chain
//! is broken about every 256 terms by a rule that only the parameters decide.

use crate::device::simd::{Portable, Simd, View, ViewMut};
use crate::device::tensor::Axis;

use super::params::{ConvAlgorithm, ConvParams};
use super::{Band, Epilogue, Prologue, Sink, Source};

/// Outputs of a weight panel: one vector.
const PANEL: usize = crate::device::simd::LANES;

/// One convolution.
#[derive(Clone, Copy, Debug)]
pub struct ConvTask<'a> {
    /// Geometry and algorithm.
    pub params: &'a ConvParams,
    /// The input, `[n, h, w, c]` in segments.
    pub source: Source<'a, f32>,
    /// Packed weights of [`conv_f32_weight_len`] elements.
    pub weights: View<'a, f32>,
    /// Applied to input elements before padding is supplied. Its function is the prologue's own; `params.prologue` repeats it.
    pub prologue: Option<Prologue<'a>>,
    /// Applied to the sums. Its residual has one segment, which may be the sink's own memory.
    pub epilogue: Epilogue<'a>,
    /// The output, `[n, h, w, c]`.
    pub sink: Sink<'a, f32>,
}

/// Elements of the packed weights; `None` if groups do not divide the channels or a number is out of range. The layouts, with
/// outputs (or channels) filled up with zeros to panels of 16:
///
/// | algorithm | layout |
/// |---|---|
/// | pointwise, im2col | `[group][panel][ky][kx][c of the group][16 outputs]` |
/// | depthwise | `[panel][ky][kx][16 channels]` |
/// | Winograd | `[panel][frequency 0…15][c][16 outputs]` |
pub const fn conv_f32_weight_len(params: &ConvParams) -> Option<u32> {
    let (panel, groups) = (PANEL as u64, params.groups);
    if groups == 0 || !params.input.c.is_multiple_of(groups) || !params.output.c.is_multiple_of(groups) {
        return None;
    }
    let taps = params.window.y.kernel as u64 * params.window.x.kernel as u64;
    let (inputs, outputs) = ((params.input.c / groups) as u64, (params.output.c / groups) as u64);
    let group_panels = groups as u64 * outputs.div_ceil(panel);
    let (factor, rows, panels) = match ConvAlgorithm::from_code(params.algorithm) {
        Some(ConvAlgorithm::Depthwise) => (1, taps, (params.output.c as u64).div_ceil(panel)),
        Some(ConvAlgorithm::Winograd2x2) => (16, inputs, group_panels),
        Some(ConvAlgorithm::Pointwise | ConvAlgorithm::Im2col) => (inputs, taps, group_panels),
        None => return None,
    };
    let Some(vectors) = rows.checked_mul(factor) else { return None };
    match vectors.checked_mul(panels) {
        Some(vectors) if vectors <= u32::MAX as u64 / panel => Some((vectors * panel) as u32),
        _ => None,
    }
}

/// Elements of scratch, enough at every SIMD level; `None` if they do not fit 32 bits.
pub const fn conv_f32_scratch_len(_params: &ConvParams) -> Option<u32> {
    Some(0)
}

/// The rows that a band should begin at a multiple of, for speed; results never depend on it.
pub const fn conv_f32_band_multiple(params: &ConvParams) -> u32 {
    match ConvAlgorithm::from_code(params.algorithm) {
        Some(ConvAlgorithm::Winograd2x2) => 2,
        _ => 1,
    }
}

/// Can [`conv_f32`] compute this? The output has the size that [`Axis::output_len`] gives, groups divide the channels, the
/// window suits the algorithm, and every number is in range.
pub const fn conv_f32_is_valid(params: &ConvParams) -> bool {
    let (input, output, window) = (&params.input, &params.output, &params.window);
    let suits = match ConvAlgorithm::from_code(params.algorithm) {
        Some(ConvAlgorithm::Pointwise) => window.is_pointwise() && params.groups == 1,
        Some(ConvAlgorithm::Im2col) => true,
        Some(ConvAlgorithm::Depthwise) => params.groups == input.c && params.groups == output.c,
        Some(ConvAlgorithm::Winograd2x2) => {
            params.groups == 1 && is_winograd(&window.y) && is_winograd(&window.x)
        }
        None => false,
    };
    suits
        && input.n == output.n
        && input.checked_len().is_some()
        && output.checked_len().is_some()
        && axis_is_valid(&window.y, input.h, output.h)
        && axis_is_valid(&window.x, input.w, output.w)
        && conv_f32_weight_len(params).is_some()
        && conv_f32_scratch_len(params).is_some()
        && params.activation.kind().is_some()
        && params.prologue.kind().is_some()
}

/// Three taps, stride and dilation 1?
const fn is_winograd(axis: &Axis) -> bool {
    axis.kernel == 3 && axis.stride == 1 && axis.dilation == 1
}

/// Does the output length follow from the input's, and does every place on the axis stay below 2³⁰, so that sums of a few of
/// them fit every machine's integers?
const fn axis_is_valid(axis: &Axis, input: u32, output: u32) -> bool {
    const LIMIT: u64 = 1 << 30;
    let Some(expected) = axis.output_len(input, false) else { return false };
    expected == output
        && input as u64 + axis.pad_before as u64 + (axis.pad_after as u64) < LIMIT
        && (output as u64 + 1) * (axis.stride as u64) + axis.span() < 2 * LIMIT
        && (axis.stride as u64) < LIMIT
        && (axis.dilation as u64) < LIMIT
}

/// Computes the rows of a band. `scratch` has at least [`conv_f32_scratch_len`] elements; what is in it does not matter.
pub fn conv_f32<S: Simd>(s: S, task: &ConvTask<'_>, band: &Band, _scratch: ViewMut<'_, f32>) {
    s.vectorize(
        #[inline(always)]
        || {
            for y in band.rows.clone() {
                row(s, task, band.image, y);
            }
        },
    );
}

/// One output row, element by element.
#[inline(always)]
fn row<S: Simd>(s: S, task: &ConvTask<'_>, image: usize, y: usize) {
    let params = task.params;
    let outputs = (params.output.c / params.groups) as usize;
    let out = task.sink.row(image, y);
    let epilogue = task.epilogue.row(image, y);
    for x in 0..params.output.w as usize {
        for group in 0..params.groups as usize {
            for first in (0..outputs).step_by(PANEL) {
                let count = (outputs - first).min(PANEL);
                let mut lanes = [0.0; PANEL];
                for (lane, sum) in lanes.iter_mut().enumerate().take(count) {
                    *sum = element(task, image, [y, x], group, first + lane);
                }
                let channel = group * outputs + first;
                let sums = epilogue.apply(s, s.lanes(lanes), x, channel, count);
                out.store_partial(s, x * task.sink.pixel_stride() + channel, sums, count);
            }
        }
    }
}

/// The sum of one output of a group.
fn element(task: &ConvTask<'_>, image: usize, place: [usize; 2], group: usize, output: usize) -> f32 {
    let (params, window) = (task.params, &task.params.window);
    let inputs = (params.input.c / params.groups) as usize;
    let panels = (params.output.c / params.groups).div_ceil(PANEL as u32) as usize;
    let depthwise = params.algorithm == ConvAlgorithm::Depthwise as u32;
    let panel = if depthwise { group / PANEL } else { group * panels + output / PANEL };
    let lane = if depthwise { group % PANEL } else { output % PANEL };
    let (kh, kw) = (window.y.kernel as usize, window.x.kernel as usize);
    let ([y0, y1], [x0, x1]) = (
        <[usize; 2]>::from(window.y.valid_taps(place[0], params.input.h as usize)),
        <[usize; 2]>::from(window.x.valid_taps(place[1], params.input.w as usize)),
    );
    let mut sum = 0.0;
    for ky in y0..y1 {
        let y = window.y.first_input(place[0]) + (ky * window.y.dilation as usize) as isize;
        for kx in x0..x1 {
            let x = window.x.first_input(place[1]) + (kx * window.x.dilation as usize) as isize;
            for c in 0..inputs {
                let k = (ky * kw + kx) * inputs + c;
                let weight = task.weights.get((panel * kh * kw * inputs + k) * PANEL + lane);
                sum += weight * input(task, image, [y as usize, x as usize], group * inputs + c);
            }
        }
    }
    sum
}

/// One input element, the prologue applied.
fn input(task: &ConvTask<'_>, image: usize, place: [usize; 2], channel: usize) -> f32 {
    let mut first = 0;
    for segment in task.source.segments() {
        if channel - first < segment.channels as usize {
            let row = task.source.row(segment, image, place[0]);
            let x = row.get(place[1] * segment.rows.pixel_stride as usize + channel - first);
            let Some(prologue) = &task.prologue else { return x };
            let lanes = prologue.apply(Portable, Portable.splat(x), channel / PANEL * PANEL);
            return Portable.to_array(lanes)[channel % PANEL];
        }
        first += segment.channels as usize;
    }
    0.0
}
