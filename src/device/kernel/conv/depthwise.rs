//! Depthwise convolution: one filter for each channel.
//!
//! Pixels outside, channels inside: a block of outputs of 16 channels stays in registers while its taps are summed. Outputs
//! at the border sum only the taps that lie on the input. Where a prologue or several segments stand before the input, or its
//! rows lie in a ring, rows are packed with their padding first. Called by [`conv_f32`](super::conv_f32).

use core::ops::Range;

use crate::device::simd::{LANES, Simd, Taps, View, ViewMut};
use crate::device::tensor::Segment;

use super::super::band::PanelEpilogue;
use super::super::params::ConvParams;
use super::block::Split;
use super::pack::PackedRows;
use super::{Band, ConvTask};

/// Outputs of a block at most, at any level.
const MAX_OUTPUTS: usize = 12;

/// Elements of scratch: packed rows of one block of output rows.
pub(super) const fn scratch_len(params: &ConvParams) -> Option<u32> {
    match PackedRows::of(params) {
        Some(packed) => Some(packed.len),
        None => None,
    }
}

/// Where input pixels lie: tap (0, 0) of output pixel `(y, x)` begins at `row_start(y) + x · pixel_step` (wrapping) of `memory`.
struct Plane<'a, R> {
    memory: View<'a, f32>,
    row_start: R,
    pixel_step: usize,
    /// Elements between taps of a column and of a row.
    tap_stride: [usize; 2],
    /// Does the memory hold the padding?
    padded: bool,
}

/// Computes the rows of a band.
#[inline(always)]
pub(super) fn conv<S: Simd>(s: S, task: &ConvTask<'_>, band: &Band, scratch: ViewMut<'_, f32>) {
    match in_place(task) {
        Some(segment) => conv_in_place(s, task, band, segment),
        None => conv_packed(s, task, band, scratch),
    }
}

/// The input's only segment, if it can be read in place: nothing is applied, and rows lie at even distances.
fn in_place<'a>(task: &ConvTask<'a>) -> Option<&'a Segment> {
    let segment = task.source.single()?;
    let whole = segment.rows.first_row == 0 && segment.rows.ring_rows >= task.params.input.h;
    (task.prologue.is_none() && whole).then_some(segment)
}

#[inline(always)]
fn conv_in_place<S: Simd>(s: S, task: &ConvTask<'_>, band: &Band, segment: &Segment) {
    let (window, rows) = (&task.params.window, &segment.rows);
    let (row_stride, pixel) = (rows.row_stride as usize, rows.pixel_stride as usize);
    let image = rows.row_start(band.image, 0).wrapping_add_signed(window.x.first_input(0) * pixel as isize);
    let plane = Plane {
        memory: task.source.memory(),
        row_start: |y| image.wrapping_add_signed(window.y.first_input(y) * row_stride as isize),
        pixel_step: window.x.stride as usize * pixel,
        tap_stride: [window.y.dilation as usize * row_stride, window.x.dilation as usize * pixel],
        padded: false,
    };
    conv_rows(s, task, band.image, band.rows.clone(), &plane);
}

#[inline(always)]
fn conv_packed<S: Simd>(s: S, task: &ConvTask<'_>, band: &Band, scratch: ViewMut<'_, f32>) {
    let (window, channels) = (&task.params.window, task.params.input.c as usize);
    let Some(packed) = PackedRows::of(task.params) else { return };
    let row_len = packed.columns * channels;
    let mut first = band.rows.start;
    while first < band.rows.end {
        let end = band.rows.end.min(first + packed.output_rows);
        let rows = packed.pack(s, task, band.image, first..end, scratch);
        let plane = Plane {
            memory: scratch.as_view().range(0, rows * row_len),
            row_start: |y: usize| (y - first) * packed.output_step * row_len,
            pixel_step: window.x.stride as usize * channels,
            tap_stride: [packed.tap_step * row_len, window.x.dilation as usize * channels],
            padded: true,
        };
        conv_rows(s, task, band.image, first..end, &plane);
        first = end;
    }
}

/// Computes output rows: groups of rows that have the same taps, and in each the columns left of, in and right of the interior.
#[inline(always)]
fn conv_rows<S: Simd, R: Fn(usize) -> usize>(
    s: S,
    task: &ConvTask<'_>,
    image: usize,
    rows: Range<usize>,
    plane: &Plane<'_, R>,
) {
    let params = task.params;
    let (axis, width) = (&params.window.x, params.output.w as usize);
    let interior = if plane.padded { 0..width } else { axis.interior(width, params.input.w as usize) };
    // Three outputs a row and two or four rows: each input row is read for several output rows while it is in L1.
    let height = (S::TILE_ROWS / interior.len().clamp(1, 3)).max(1);
    let mut y = rows.start;
    while y < rows.end {
        let taps_y = taps(plane.padded, &params.window.y, y, params.input.h);
        let mut end = y + 1;
        while end < rows.end.min(y + height)
            && taps(plane.padded, &params.window.y, end, params.input.h) == taps_y
        {
            end += 1;
        }
        for x in 0..interior.start {
            conv_block(s, task, image, [y..end, x..x + 1], &taps_y, plane);
        }
        let columns = Split::new(interior.len(), interior.len().div_ceil((S::TILE_ROWS / (end - y)).max(1)));
        for part in 0..columns.parts {
            let x = interior.start + columns.bound(part)..interior.start + columns.bound(part + 1);
            conv_block(s, task, image, [y..end, x], &taps_y, plane);
        }
        for x in interior.end..width {
            conv_block(s, task, image, [y..end, x..x + 1], &taps_y, plane);
        }
        y = end;
    }
}

/// The taps of output `o` on an axis that lie on what the memory holds.
fn taps(padded: bool, axis: &crate::device::tensor::Axis, o: usize, input: u32) -> Range<usize> {
    if padded {
        return 0..axis.kernel as usize;
    }
    let (begin, end) = axis.valid_taps(o, input as usize);
    begin..end
}

/// The outputs of a block: where their first taps lie, where they go and where their residual lies.
struct Outputs {
    count: usize,
    input: [u32; MAX_OUTPUTS],
    residual: [u32; MAX_OUTPUTS],
    output: [u32; MAX_OUTPUTS],
}

/// Computes a block of outputs that all have the same taps.
#[inline(always)]
fn conv_block<S: Simd, R: Fn(usize) -> usize>(
    s: S,
    task: &ConvTask<'_>,
    image: usize,
    [rows, columns]: [Range<usize>; 2],
    taps_y: &Range<usize>,
    plane: &Plane<'_, R>,
) {
    let params = task.params;
    let taps_x = taps(plane.padded, &params.window.x, columns.start, params.input.w);
    let first_tap = taps_y.start * plane.tap_stride[0] + taps_x.start * plane.tap_stride[1];
    let residual = task.epilogue.residual.and_then(|source| source.single());
    let mut outputs =
        Outputs { count: 0, input: [0; MAX_OUTPUTS], residual: [0; MAX_OUTPUTS], output: [0; MAX_OUTPUTS] };
    for y in rows {
        let input = (plane.row_start)(y).wrapping_add(first_tap);
        let output = task.sink.rows().row_start(image, y);
        for x in columns.clone() {
            let o = outputs.count;
            outputs.input[o] = input.wrapping_add(x * plane.pixel_step) as u32;
            outputs.output[o] = (output + x * task.sink.pixel_stride()) as u32;
            if let Some(segment) = residual {
                let start = segment.rows.row_start(image, y);
                outputs.residual[o] = (start + x * segment.rows.pixel_stride as usize) as u32;
            }
            outputs.count += 1;
        }
    }
    let kernel_width = params.window.x.kernel as usize;
    let grid = Taps {
        pixels: plane.memory,
        rows: taps_y.len(),
        row_stride: plane.tap_stride[0],
        columns: taps_x.len(),
        column_stride: plane.tap_stride[1],
        channels: params.output.c as usize,
        weights: task.weights.from((taps_y.start * kernel_width + taps_x.start) * LANES),
        weight_row_stride: kernel_width * LANES,
        weight_panel_stride: params.window.taps() as usize * LANES,
    };
    macro_rules! select {
        ($($outputs:literal)*) => {
            $(if const { $outputs <= S::TILE_ROWS } && outputs.count == $outputs {
                return conv_outputs::<S, $outputs>(s, task, &grid, &outputs);
            })*
        };
    }
    select!(12 6 4 2 3 1 9 8 10 5 7 11);
}

/// Computes all channels of a block of outputs.
fn conv_outputs<S: Simd, const OUTPUTS: usize>(
    s: S,
    task: &ConvTask<'_>,
    grid: &Taps<'_>,
    outputs: &Outputs,
) {
    s.vectorize(
        #[inline(always)]
        || {
            let block = grid.at::<OUTPUTS>(&outputs.input);
            let sink = task.sink.memory();
            let mut places = [[0; OUTPUTS]; 2];
            places[0].copy_from_slice(&outputs.output[..OUTPUTS]);
            places[1].copy_from_slice(&outputs.residual[..OUTPUTS]);
            for panel in 0..grid.channels.div_ceil(LANES) {
                let channel = panel * LANES;
                let sums = block.sums(s, panel);
                let count = (grid.channels - channel).min(LANES);
                let epilogue = PanelEpilogue::new(s, &task.epilogue, channel, count);
                epilogue.store_all(s, &sums, &sink, &places[0], &places[1]);
            }
        },
    );
}
