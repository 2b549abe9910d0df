//! What each operator demands of its operands.

use crate::device::kernel::params::{
    BinaryParams, ConvParams, ConvTransposeParams, InterpolateParams, MapParams, NormalizeParams, PoolParams,
    RearrangeParams, ResizeParams, SoftmaxParams,
};
use crate::device::kernel::{
    binary_f32_is_valid, conv_f32_is_valid, conv_f32_least_scratch_len, conv_f32_reads_f16,
    conv_f32_weight_len, conv_transpose_f32_is_valid, conv_transpose_f32_scratch_len,
    conv_transpose_f32_weight_len, interpolate_f32_is_valid, interpolate_f32_scratch_len,
    interpolate_f32_table_lens, map_f32_is_valid, normalize_f32_channels, normalize_f32_is_valid,
    normalize_f32_len, normalize_f32_scratch_len, pool_f32_is_valid, rearrange_f32_is_valid,
    rearrange_f32_output_len, resize_f32_is_valid, softmax_f32_is_valid, softmax_f32_len,
};
use crate::device::program::Params;
use crate::device::program::error::StepFault;
use crate::device::program::record::{Place, Space};
use crate::device::program::step::Record;
use crate::device::simd::LANES;
use crate::device::tensor::Extent;

/// A source that the step must have.
#[derive(Clone, Copy, Debug)]
pub(super) struct Source {
    /// Its size.
    pub(super) extent: Extent,
    /// May it have more than one segment?
    pub(super) in_segments: bool,
    /// May it be the output's own memory, element by element?
    pub(super) in_place: bool,
}

/// What a step must have. `None` is what it must not have.
#[derive(Clone, Copy, Debug)]
pub(super) struct Demand {
    /// The sources.
    pub(super) sources: [Option<Source>; 3],
    /// The output's size.
    pub(super) output: Extent,
    /// The least number of elements of each place.
    pub(super) places: [Option<u32>; 4],
    /// May the first place's elements be `f16`?
    pub(super) reads_f16: bool,
    /// The least number of elements of scratch.
    pub(super) scratch_len: u32,
}

impl Demand {
    /// The demand of a record, in which operands that may be left out are demanded if they are there.
    pub(super) fn of(record: &Record<'_>) -> Result<Self, StepFault> {
        match record.params {
            Params::Conv(params) => conv(record, params),
            Params::ConvTranspose(params) => conv_transpose(record, params),
            Params::Pool(params) => pool(params),
            Params::Binary(params) => binary(record, params),
            Params::Map(params) => map(record, params),
            Params::Rearrange(params) => rearrange(params),
            Params::Resize(params) => resize(params),
            Params::Softmax(params) => softmax(params),
            Params::Normalize(params) => normalize(record, params),
            Params::Interpolate(params) => interpolate(params),
        }
        .ok_or(StepFault::Params)
    }

    /// One source and an output, nothing else.
    fn plain(source: Source, output: Extent) -> Self {
        Self {
            sources: [Some(source), None, None],
            output,
            places: [None; 4],
            reads_f16: false,
            scratch_len: 0,
        }
    }
}

impl Source {
    /// A source in segments that is apart from the output.
    fn apart(extent: Extent) -> Self {
        Self { extent, in_segments: true, in_place: false }
    }

    /// A residual: one segment, which may be the output's own memory.
    fn residual(extent: Extent) -> Self {
        Self { extent, in_segments: false, in_place: true }
    }
}

/// Elements of a constant with one element for each channel, padded to whole vectors.
fn padded(channels: u32) -> Option<u32> {
    channels.checked_next_multiple_of(u32::try_from(LANES).ok()?)
}

fn has_source(record: &Record<'_>, i: usize) -> bool {
    record.operands.get(i).is_some_and(|segments| !segments.is_empty())
}

fn has_place(record: &Record<'_>, i: usize) -> bool {
    let absent = |place: &Place| Space::from_code(place.space) == Some(Space::Absent);
    record.places.get(i).is_some_and(|place| !absent(place))
}

fn conv(record: &Record<'_>, params: &ConvParams) -> Option<Demand> {
    let has_prologue = has_place(record, 2) || has_place(record, 3);
    if !conv_f32_is_valid(params) || (!has_prologue && !params.prologue.is_identity()) {
        return None;
    }
    let prologue = if has_prologue { Some(padded(params.input.c)?) } else { None };
    let bias = if has_place(record, 1) { Some(padded(params.output.c)?) } else { None };
    let gathers = has_prologue || record.operands.first().is_some_and(|segments| segments.len() > 1);
    Some(Demand {
        sources: [
            Some(Source::apart(params.input)),
            has_source(record, 1).then(|| Source::residual(params.output)),
            None,
        ],
        output: params.output,
        places: [Some(conv_f32_weight_len(params)?), bias, prologue, prologue],
        reads_f16: conv_f32_reads_f16(params),
        scratch_len: conv_f32_least_scratch_len(params, gathers)?,
    })
}

fn conv_transpose(record: &Record<'_>, params: &ConvTransposeParams) -> Option<Demand> {
    if !conv_transpose_f32_is_valid(params) {
        return None;
    }
    let bias = if has_place(record, 1) { Some(padded(params.output.c)?) } else { None };
    Some(Demand {
        sources: [
            Some(Source::apart(params.input)),
            has_source(record, 1).then(|| Source::residual(params.output)),
            None,
        ],
        output: params.output,
        places: [Some(conv_transpose_f32_weight_len(params)?), bias, None, None],
        reads_f16: false,
        scratch_len: conv_transpose_f32_scratch_len(params)?,
    })
}

fn pool(params: &PoolParams) -> Option<Demand> {
    pool_f32_is_valid(params).then(|| Demand::plain(Source::apart(params.input), params.output))
}

/// Each operand is a source or else a constant.
fn binary(record: &Record<'_>, params: &BinaryParams) -> Option<Demand> {
    if !binary_f32_is_valid(params) {
        return None;
    }
    let mut demand = Demand {
        sources: [None; 3],
        output: params.output,
        places: [None; 4],
        reads_f16: false,
        scratch_len: 0,
    };
    for (i, extent) in [params.a, params.b].into_iter().enumerate() {
        if has_source(record, i) {
            let source = Source { extent, in_segments: true, in_place: true };
            *demand.sources.get_mut(i)? = Some(source);
        } else {
            *demand.places.get_mut(i)? = Some(extent.checked_len()?);
        }
    }
    Some(demand)
}

/// Scale and shift come together or not at all. The operand is a source or else a constant.
fn map(record: &Record<'_>, params: &MapParams) -> Option<Demand> {
    if !map_f32_is_valid(params) {
        return None;
    }
    let has_affine = has_place(record, 0) || has_place(record, 1);
    let affine = if has_affine { Some(padded(params.extent.c)?) } else { None };
    let source = Source { extent: params.extent, in_segments: true, in_place: true };
    let demand = Demand::plain(source, params.extent);
    if has_source(record, 0) {
        return Some(Demand { places: [affine, affine, None, None], ..demand });
    }
    let places = [affine, affine, Some(params.extent.checked_len()?), None];
    Some(Demand { sources: [None; 3], places, ..demand })
}

fn rearrange(params: &RearrangeParams) -> Option<Demand> {
    let output_len = rearrange_f32_output_len(params)?;
    let source = Source { extent: Extent::flat(params.input_len), in_segments: false, in_place: false };
    rearrange_f32_is_valid(params, output_len).then(|| Demand::plain(source, Extent::flat(output_len)))
}

fn resize(params: &ResizeParams) -> Option<Demand> {
    resize_f32_is_valid(params).then(|| Demand::plain(Source::apart(params.input), params.output))
}

fn softmax(params: &SoftmaxParams) -> Option<Demand> {
    let extent = Extent::flat(softmax_f32_len(params)?);
    if !softmax_f32_is_valid(params, extent.c) {
        return None;
    }
    let source = Source { extent, in_segments: false, in_place: true };
    Some(Demand::plain(source, extent))
}

fn normalize(record: &Record<'_>, params: &NormalizeParams) -> Option<Demand> {
    let extent = Extent::flat(normalize_f32_len(params)?);
    if !normalize_f32_is_valid(params, extent.c) {
        return None;
    }
    let channels = padded(normalize_f32_channels(params)?)?;
    let optional = |i: usize| has_place(record, i).then_some(channels);
    let source = Source { extent, in_segments: false, in_place: true };
    Some(Demand {
        places: [optional(0), optional(1), None, None],
        scratch_len: normalize_f32_scratch_len(params)?,
        ..Demand::plain(source, extent)
    })
}

fn interpolate(params: &InterpolateParams) -> Option<Demand> {
    if !interpolate_f32_is_valid(params) {
        return None;
    }
    let (rows, columns) = interpolate_f32_table_lens(params)?;
    Some(Demand {
        places: [Some(rows), Some(columns), None, None],
        scratch_len: interpolate_f32_scratch_len(params)?,
        ..Demand::plain(Source::apart(params.input), params.output)
    })
}
