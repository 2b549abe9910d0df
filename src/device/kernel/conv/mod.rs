//! Convolutions of `f32`: `output = activation(conv(prologue(input)) + bias + residual)`, one [`Band`] at a time.
//!
//! What flows in: a [`ConvTask`] (geometry, input segments, packed weights, prologue, epilogue), a band and scratch of
//! [`conv_f32_scratch_len`] elements; what flows out: the band's rows in the sink. The engine calls [`conv_f32`]; the compiler
//! asks [`conv_f32_weight_len`] and packs the weights as said there.
//!
//! **Order of summation** (the same at every level, for every band): the terms of an output ascend in `ky, kx, c`; the chain
//! is broken about every 256 terms by a rule that only the parameters decide.

mod block;
mod depthwise;
mod im2col;
mod pack;
mod pointwise;
#[cfg(test)]
mod tests;
mod winograd;

use half::f16;

use crate::device::simd::{Simd, View, ViewMut};
use crate::device::tensor::{Axis, Segment, Window};

use super::overlap::{Reach, RowAxis, RowSeparation};
use super::params::{ConvAlgorithm, ConvParams};
use super::{Band, Epilogue, Prologue, Sink, Source};
pub use winograd::{winograd_2x2_transform, winograd_4x4_transform, winograd_block};

/// Outputs of a weight panel: one vector.
const PANEL: usize = crate::device::simd::LANES;

/// Packed weights, as they are stored.
#[derive(Clone, Copy, Debug)]
pub enum ConvWeights<'a> {
    /// As they are multiplied.
    F32(View<'a, f32>),
    /// In half of the room, where [`conv_f32_reads_f16`]: each becomes the `f32` of its value when it is read.
    F16(View<'a, f16>),
}

impl<'a> ConvWeights<'a> {
    /// Those of an algorithm that reads `f32` alone; none if they are stored otherwise.
    #[inline(always)]
    const fn f32(&self) -> View<'a, f32> {
        match self {
            Self::F32(weights) => *weights,
            Self::F16(_) => View::empty(),
        }
    }
}

/// One convolution.
#[derive(Clone, Copy, Debug)]
pub struct ConvTask<'a> {
    /// Geometry and algorithm.
    pub params: &'a ConvParams,
    /// The input, `[n, h, w, c]` in segments.
    pub source: Source<'a, f32>,
    /// Packed weights of [`conv_f32_weight_len`] elements.
    pub weights: ConvWeights<'a>,
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
/// | Winograd | `[panel][frequency][c][16 outputs]`, 16 frequencies of F(2×2,3×3) or 36 of F(4×4,3×3) |
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
        Some(ConvAlgorithm::Winograd4x4) => (36, inputs, group_panels),
        Some(ConvAlgorithm::Pointwise | ConvAlgorithm::Im2col) => (inputs, taps, group_panels),
        None => return None,
    };
    let Some(vectors) = rows.checked_mul(factor) else { return None };
    match vectors.checked_mul(panels) {
        Some(vectors) if vectors <= u32::MAX as u64 / panel => Some((vectors * panel) as u32),
        _ => None,
    }
}

/// May the weights be stored as `f16`? Those that are transformed or few are not: Winograd's and depthwise ones.
pub const fn conv_f32_reads_f16(params: &ConvParams) -> bool {
    matches!(
        ConvAlgorithm::from_code(params.algorithm),
        Some(ConvAlgorithm::Pointwise | ConvAlgorithm::Im2col)
    )
}

/// Elements of scratch with which [`conv_f32`] is fastest, at every SIMD level; `None` if the parameters are out of range or it does not fit 32 bits.
pub const fn conv_f32_scratch_len(params: &ConvParams) -> Option<u32> {
    if !geometry_is_valid(params) {
        return None;
    }
    match ConvAlgorithm::from_code(params.algorithm) {
        Some(ConvAlgorithm::Pointwise) => pointwise::scratch_len(params),
        Some(ConvAlgorithm::Im2col) => im2col::scratch_len(params),
        Some(ConvAlgorithm::Depthwise) => depthwise::scratch_len(params),
        Some(ConvAlgorithm::Winograd2x2) => winograd::scratch_len(params, 2),
        Some(ConvAlgorithm::Winograd4x4) => winograd::scratch_len(params, 4),
        None => None,
    }
}

/// Elements of scratch without which [`conv_f32`] cannot do; `gathers` says whether the input has several segments or a prologue. With
/// more, up to [`conv_f32_scratch_len`], it packs more of the input at a time. Results do not depend on it.
pub const fn conv_f32_least_scratch_len(params: &ConvParams, gathers: bool) -> Option<u32> {
    if !geometry_is_valid(params) {
        return None;
    }
    match ConvAlgorithm::from_code(params.algorithm) {
        Some(ConvAlgorithm::Pointwise) => pointwise::least_scratch_len(params, gathers),
        Some(ConvAlgorithm::Im2col) => im2col::least_scratch_len(params, gathers),
        Some(ConvAlgorithm::Depthwise) => depthwise::least_scratch_len(params, gathers),
        _ => conv_f32_scratch_len(params),
    }
}

/// The rows that a band should begin at a multiple of, for speed; results never depend on it. Winograd reads the whole patch of
/// every tile that a band touches, as far as it lies in the picture.
pub const fn conv_f32_band_multiple(params: &ConvParams) -> u32 {
    match ConvAlgorithm::from_code(params.algorithm) {
        Some(ConvAlgorithm::Winograd2x2) => 2,
        Some(ConvAlgorithm::Winograd4x4) => 4,
        _ => 1,
    }
}

/// How far apart a segment of the input and the output must begin, in elements, if bands of [`conv_f32_band_multiple`] rows and all
/// channels are computed in order. Winograd's read whole patches, with rows of padding below the last output row.
pub const fn conv_f32_separation(params: &ConvParams, input: &Segment, output: &Segment) -> RowSeparation {
    let (block, axis) = (conv_f32_band_multiple(params), RowAxis::Window(params.window.y));
    Reach { input: params.input, output: params.output, block, axis }.separation(input, output)
}

/// The channels that a band should begin at a multiple of, where it may have a part of them; `None` where every band computes
/// all. Results never depend on it.
pub const fn conv_f32_channel_multiple(params: &ConvParams) -> Option<u32> {
    match ConvAlgorithm::from_code(params.algorithm) {
        None => None,
        Some(ConvAlgorithm::Depthwise) => Some(PANEL as u32),
        _ if params.groups != 1 => None,
        _ => Some(PANEL as u32),
    }
}

/// Can an algorithm compute a convolution of this window, with these groups and input and output channels?
pub const fn conv_f32_suits(
    algorithm: ConvAlgorithm,
    window: &Window,
    groups: u32,
    [inputs, outputs]: [u32; 2],
) -> bool {
    match algorithm {
        ConvAlgorithm::Pointwise => window.is_pointwise() && groups == 1,
        ConvAlgorithm::Im2col => true,
        ConvAlgorithm::Depthwise => groups == inputs && groups == outputs,
        ConvAlgorithm::Winograd2x2 | ConvAlgorithm::Winograd4x4 => {
            groups == 1 && is_winograd(&window.y) && is_winograd(&window.x)
        }
    }
}

/// Can [`conv_f32`] compute this? The output has the size that [`Axis::output_len`] gives, groups divide the channels, the
/// window suits the algorithm, and every number is in range.
pub const fn conv_f32_is_valid(params: &ConvParams) -> bool {
    let (input, output) = (&params.input, &params.output);
    let suits = match ConvAlgorithm::from_code(params.algorithm) {
        Some(algorithm) => conv_f32_suits(algorithm, &params.window, params.groups, [input.c, output.c]),
        None => false,
    };
    suits
        && input.n == output.n
        && input.checked_len().is_some()
        && output.checked_len().is_some()
        && geometry_is_valid(params)
        && conv_f32_weight_len(params).is_some()
        && conv_f32_scratch_len(params).is_some()
        && params.activation.kind().is_some()
        && params.prologue.kind().is_some()
}

/// Are rows and columns in range (see [`axis_is_valid`])?
const fn geometry_is_valid(params: &ConvParams) -> bool {
    axis_is_valid(&params.window.y, params.input.h, params.output.h)
        && axis_is_valid(&params.window.x, params.input.w, params.output.w)
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

/// Do the taps of a kernel row follow each other without gaps, so that they are one run of terms?
const fn taps_are_one_run(params: &ConvParams) -> bool {
    params.groups == 1 && (params.window.x.dilation == 1 || params.window.x.kernel == 1)
}

/// Terms of a direct convolution that belong together: a kernel row's, or a tap's if taps are no one run.
fn run_terms(params: &ConvParams) -> usize {
    let taps = if taps_are_one_run(params) { params.window.x.kernel as usize } else { 1 };
    ((params.input.c / params.groups) as usize).saturating_mul(taps)
}

/// Terms after which the chain of an output's sum is broken, where `run` terms belong together.
const fn chain_terms(run: usize) -> usize {
    broken_every(256, run)
}

/// The length of a chain of about `terms` terms, where `run` of them belong together: as many wholes as `terms` hold, or an even
/// part of a longer one, if there is one of at least half of `terms`.
const fn broken_every(terms: usize, run: usize) -> usize {
    if run == 0 {
        return 1;
    }
    if run < terms {
        return terms / run * run;
    }
    let least = run.div_ceil(terms);
    let mut pieces = least;
    while pieces <= 2 * least {
        if run.is_multiple_of(pieces) {
            return run / pieces;
        }
        pieces += 1;
    }
    run.div_ceil(least)
}

/// Computes a band. `scratch` has at least [`conv_f32_least_scratch_len`] elements; what is in it does not matter.
pub fn conv_f32<S: Simd>(s: S, task: &ConvTask<'_>, band: &Band, scratch: ViewMut<'_, f32>) {
    s.vectorize(
        #[inline(always)]
        || match ConvAlgorithm::from_code(task.params.algorithm) {
            Some(ConvAlgorithm::Pointwise) => pointwise::conv(s, task, band, scratch),
            Some(ConvAlgorithm::Im2col) => im2col::conv(s, task, band, scratch),
            Some(ConvAlgorithm::Depthwise) => depthwise::conv(s, task, band, scratch),
            Some(ConvAlgorithm::Winograd2x2) => winograd::conv_2x2(s, task, band, scratch),
            Some(ConvAlgorithm::Winograd4x4) => winograd::conv_4x4(s, task, band, scratch),
            None => {}
        },
    );
}
