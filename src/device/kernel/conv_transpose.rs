//! Transposed convolution: `output = activation(conv_transpose(input) + bias + residual)`.
//!
//! Flows in: an input in segments, weights in panels, an epilogue; flows out: a band of output rows. Called by `engine`.

use crate::device::simd::{LANES, Simd, View, ViewMut};
use crate::device::tensor::Axis;

use super::params::ConvTransposeParams;
use super::{Band, Epilogue, Sink, Source};

/// What one transposed convolution reads and writes.
#[derive(Clone, Copy, Debug)]
pub struct ConvTransposeTask<'a> {
    /// The geometry.
    pub params: &'a ConvTransposeParams,
    /// The input.
    pub source: Source<'a, f32>,
    /// `[group][panel of 16 outputs][ky][kx][input channel of the group][16]`, outputs padded with zeros to whole panels.
    pub weights: View<'a, f32>,
    /// Bias, residual, activation.
    pub epilogue: Epilogue<'a>,
    /// The output.
    pub sink: Sink<'a, f32>,
}

/// Elements of the weights: `groups · ⌈outputs of a group / 16⌉ · kh · kw · inputs of a group · 16`; `None` if the groups do
/// not divide the channels or the number does not fit 32 bits.
pub const fn conv_transpose_f32_weight_len(params: &ConvTransposeParams) -> Option<u32> {
    let (groups, inputs, outputs) = (params.groups, params.input.c, params.output.c);
    if groups == 0 || !inputs.is_multiple_of(groups) || !outputs.is_multiple_of(groups) {
        return None;
    }
    product(&[
        groups,
        (outputs / groups).div_ceil(LANES as u32),
        params.window.y.kernel,
        params.window.x.kernel,
        inputs / groups,
        LANES as u32,
    ])
}

/// Elements of scratch: one pixel of zeros, read wherever a tap lies outside the input.
pub const fn conv_transpose_f32_scratch_len(params: &ConvTransposeParams) -> Option<u32> {
    Some(params.input.c)
}

/// Bands may begin at every row.
pub const fn conv_transpose_f32_band_multiple(_params: &ConvTransposeParams) -> u32 {
    1
}

/// Can [`conv_transpose_f32`] compute this? Groups divide the channels, both have the same batch, every number of the window
/// is in range; rows or columns that no tap reaches (output padding) are allowed.
pub const fn conv_transpose_f32_is_valid(params: &ConvTransposeParams) -> bool {
    let (input, output) = (&params.input, &params.output);
    input.n == output.n
        && input.checked_len().is_some()
        && output.checked_len().is_some()
        && conv_transpose_f32_weight_len(params).is_some()
        && params.activation.kind().is_some()
        && axis_is_valid(&params.window.y, input.h, output.h)
        && axis_is_valid(&params.window.x, input.w, output.w)
}

/// Do all places on one axis stay below 2³⁰, so that sums of a few of them fit every machine's integers?
const fn axis_is_valid(axis: &Axis, input: u32, output: u32) -> bool {
    const LIMIT: u64 = 1 << 30;
    axis.kernel > 0
        && axis.stride > 0
        && axis.dilation > 0
        && axis.span() < LIMIT
        && (axis.stride as u64) < LIMIT
        && (axis.pad_before as u64) < LIMIT
        && (output as u64) < LIMIT
        && (input as u64) < LIMIT
}

/// The product, if it fits 32 bits.
const fn product(factors: &[u32]) -> Option<u32> {
    let mut product = 1u32;
    let mut i = 0;
    while i < factors.len() {
        product = match product.checked_mul(factors[i]) {
            Some(product) => product,
            None => return None,
        };
        i += 1;
    }
    Some(product)
}

/// Computes a band of output rows; `scratch` has [`conv_transpose_f32_scratch_len`] elements.
pub fn conv_transpose_f32<S: Simd>(
    s: S,
    task: &ConvTransposeTask<'_>,
    band: &Band,
    _scratch: ViewMut<'_, f32>,
) {
    s.vectorize(
        #[inline(always)]
        || {
            for y in band.rows.clone() {
                row(s, task, band.image, y);
            }
        },
    );
}

#[inline(always)]
fn row<S: Simd>(s: S, task: &ConvTransposeTask<'_>, image: usize, y: usize) {
    let params = task.params;
    let out = task.sink.row(image, y);
    let epilogue = task.epilogue.row(image, y);
    let group_outputs = (params.output.c / params.groups) as usize;
    for x in 0..params.output.w as usize {
        for group in 0..params.groups as usize {
            for first in (0..group_outputs).step_by(LANES) {
                let count = (group_outputs - first).min(LANES);
                let mut lanes = [0.0; LANES];
                for (lane, sum) in lanes.iter_mut().enumerate().take(count) {
                    *sum = one(task, image, [y, x], group, first + lane);
                }
                let channel = group * group_outputs + first;
                let sums = epilogue.apply(s, s.lanes(lanes), x, channel, count);
                out.store_partial(s, x * task.sink.pixel_stride() + channel, sums, count);
            }
        }
    }
}

fn one(task: &ConvTransposeTask<'_>, image: usize, place: [usize; 2], group: usize, output: usize) -> f32 {
    let params = task.params;
    let (axes, sizes) = ([&params.window.y, &params.window.x], [params.input.h, params.input.w]);
    let inputs = (params.input.c / params.groups) as usize;
    let panels = (params.output.c / params.groups).div_ceil(LANES as u32) as usize;
    let mut sum = 0.0;
    for ky in 0..axes[0].kernel as usize {
        for kx in 0..axes[1].kernel as usize {
            let tap = [ky, kx];
            let at = |i: usize| {
                let reached = (place[i] + axes[i].pad_before as usize)
                    .checked_sub(tap[i] * axes[i].dilation as usize)?;
                let stride = axes[i].stride as usize;
                (reached.is_multiple_of(stride) && reached / stride < sizes[i] as usize)
                    .then_some(reached / stride)
            };
            let (Some(iy), Some(ix)) = (at(0), at(1)) else { continue };
            for c in 0..inputs {
                let panel = (group * panels + output / LANES) * (axes[0].kernel * axes[1].kernel) as usize
                    + ky * axes[1].kernel as usize
                    + kx;
                let weight = task.weights.get((panel * inputs + c) * LANES + output % LANES);
                sum += weight * element(&task.source, [image, iy, ix], group * inputs + c);
            }
        }
    }
    sum
}

fn element(source: &Source<'_, f32>, [n, y, x]: [usize; 3], channel: usize) -> f32 {
    let mut first = 0;
    for segment in source.segments() {
        let channels = segment.channels as usize;
        if channel < first + channels {
            return source.row(segment, n, y).get(x * segment.rows.pixel_stride as usize + channel - first);
        }
        first += channels;
    }
    0.0
}
