//! Convolution by fused (virtual) im2col and matrix product: any window, any groups. No im2col matrix ever exists.
//!
//! A block of output rows needs some input rows. They are packed into scratch with their padding, segments gathered and the
//! prologue applied; then each kernel row of a pixel is one run of `kw · c` consecutive elements (or `kw` runs of the group's
//! channels, if there are groups or a dilation). Where nothing must be supplied or applied, the input is read in place.
//! Called by [`conv_f32`](super::conv_f32).

use crate::device::simd::{Runs, Simd, ViewMut};
use crate::device::tensor::Segment;

use super::super::params::ConvParams;
use super::block::{Input, InputRows, multiply};
use super::pack::PackedRows;
use super::{Band, ConvTask, taps_are_one_run};

/// Elements of scratch: the packed rows of one block.
pub(super) const fn scratch_len(params: &ConvParams) -> Option<u32> {
    match PackedRows::of(params) {
        Some(packed) => Some(packed.len),
        None => None,
    }
}

/// Elements of scratch at least: none if the input can be read in place, else the packed rows of one output row.
pub(super) const fn least_scratch_len(params: &ConvParams, gathers: bool) -> Option<u32> {
    if !gathers && params.window.has_no_padding() {
        return Some(0);
    }
    match PackedRows::within(params, 0) {
        Some(packed) => Some(packed.len),
        None => None,
    }
}

/// Computes the rows of a band.
#[inline(always)]
pub(super) fn conv<S: Simd>(s: S, task: &ConvTask<'_>, band: &Band, scratch: ViewMut<'_, f32>) {
    match in_place(task) {
        Some(segment) => conv_in_place(s, task, band, segment),
        None => conv_packed(s, task, band, scratch),
    }
}

/// The input's only segment, if it can be read in place: nothing is supplied or applied, and kernel rows lie at even distances.
fn in_place<'a>(task: &ConvTask<'a>) -> Option<&'a Segment> {
    let params = task.params;
    let segment = task.source.single()?;
    let whole = segment.rows.first_row == 0 && segment.rows.ring_rows >= params.input.h;
    let direct = task.prologue.is_none() && params.window.has_no_padding();
    (direct && (whole || params.window.y.kernel == 1)).then_some(segment)
}

#[inline(always)]
fn conv_in_place<S: Simd>(s: S, task: &ConvTask<'_>, band: &Band, segment: &Segment) {
    let (params, rows) = (task.params, &segment.rows);
    let (width, pixel) = (params.output.w as usize, rows.pixel_stride as usize);
    let input = Input {
        memory: task.source.memory(),
        rows: InputRows::Picture { rows, image: band.image, stride: params.window.y.stride as usize },
        pixel_step: params.window.x.stride as usize * pixel,
        runs: runs(params, params.window.y.dilation as usize * rows.row_stride as usize, pixel),
    };
    multiply(s, task, band, band.rows.start * width..band.rows.end * width, &input);
}

#[inline(always)]
fn conv_packed<S: Simd>(s: S, task: &ConvTask<'_>, band: &Band, scratch: ViewMut<'_, f32>) {
    let params = task.params;
    let Some(packed) = PackedRows::within(params, scratch.len()) else { return };
    let (width, channels) = (params.output.w as usize, params.input.c as usize);
    let row_len = packed.columns * channels;
    let mut first = band.rows.start;
    while first < band.rows.end {
        let end = band.rows.end.min(first + packed.output_rows);
        let rows = packed.pack(s, task, band.image, first..end, scratch);
        let step = packed.output_step * row_len;
        let input = Input {
            memory: scratch.as_view().range(0, rows * row_len),
            rows: InputRows::Even { first: 0usize.wrapping_sub(first * step), step },
            pixel_step: params.window.x.stride as usize * channels,
            runs: runs(params, packed.tap_step * row_len, channels),
        };
        multiply(s, task, band, first * width..end * width, &input);
        first = end;
    }
}

/// The runs of a pixel's terms, kernel rows and pixels being so far apart.
#[inline(always)]
fn runs(params: &ConvParams, row_step: usize, pixel: usize) -> Runs {
    let (kh, kw) = (params.window.y.kernel as usize, params.window.x.kernel as usize);
    let channels = (params.input.c / params.groups) as usize;
    let (inner, len) =
        if taps_are_one_run(params) && pixel == channels { (1, kw * channels) } else { (kw, channels) };
    let inner_stride = params.window.x.dilation as usize * pixel;
    Runs { outer: kh, outer_stride: row_step, inner, inner_stride, len }
}
