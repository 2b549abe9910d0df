//! Depthwise convolution: one filter for each channel.
//!
//! Pixels outside, channels inside: a block of outputs of 16 channels stays in registers while its taps are summed
//! ([`Taps`]). Outputs at the border sum only the taps that lie on the input, in the same code. Where a prologue or several
//! segments stand before the input, or its rows lie in a ring, rows are packed with their padding first. Called by
//! [`conv_f32`](super::conv_f32).

use core::ops::Range;

use crate::device::simd::{LANES, Pixels, Simd, TapBlock, Taps, ViewMut, unrolled};
use crate::device::tensor::{Axis, Segment, Window};

use super::super::band::{LaneFunction, PanelEpilogue};
use super::super::params::ConvParams;
use super::pack::PackedRows;
use super::{Band, ConvTask};

/// Elements of scratch: packed rows of one block of output rows.
pub(super) const fn scratch_len(params: &ConvParams) -> Option<u32> {
    match PackedRows::of(params) {
        Some(packed) => Some(packed.len),
        None => None,
    }
}

/// Elements of scratch at least: none if the input can be read in place, else the packed rows of one output row.
pub(super) const fn least_scratch_len(params: &ConvParams, gathers: bool) -> Option<u32> {
    if !gathers {
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

/// The input's only segment, if it can be read in place: nothing is applied, and rows lie at even distances.
fn in_place<'a>(task: &ConvTask<'a>) -> Option<&'a Segment> {
    let segment = task.source.single()?;
    let whole = segment.rows.first_row == 0 && segment.rows.ring_rows >= task.params.input.h;
    (task.prologue.is_none() && whole).then_some(segment)
}

#[inline(always)]
fn conv_in_place<S: Simd>(s: S, task: &ConvTask<'_>, band: &Band, segment: &Segment) {
    let (input, rows) = (&task.params.input, &segment.rows);
    let memory = task.source.memory().from(rows.row_start(band.image, 0));
    let [row_stride, pixel_stride] = [rows.row_stride as usize, rows.pixel_stride as usize];
    let [y, x] = [[input.h as usize, row_stride], [input.w as usize, pixel_stride]];
    let taps =
        Taps::new(Pixels::new(memory, y, x, input.c as usize), &task.params.window, task.weights.f32());
    conv_rows(s, task, band, 0, &taps);
}

#[inline(always)]
fn conv_packed<S: Simd>(s: S, task: &ConvTask<'_>, band: &Band, scratch: ViewMut<'_, f32>) {
    let (window, channels) = (&task.params.window, task.params.input.c as usize);
    let Some(packed) = PackedRows::within(task.params, scratch.len()) else { return };
    let row_len = packed.columns * channels;
    // The window over packed rows: padding is among them.
    let y = Axis {
        stride: packed.output_step as u32,
        dilation: packed.tap_step as u32,
        ..Axis::new(window.y.kernel)
    };
    let x = Axis { pad_before: 0, pad_after: 0, ..window.x };
    let window = Window { y, x };
    let mut first = band.rows.start;
    while first < band.rows.end {
        let end = band.rows.end.min(first + packed.output_rows);
        let rows = packed.pack(s, task, band.image, first..end, scratch);
        let memory = scratch.as_view().range(0, rows * row_len);
        let pixels = Pixels::new(memory, [rows, row_len], [packed.columns, channels], channels);
        let taps = Taps::new(pixels, &window, task.weights.f32());
        conv_rows(s, task, &Band { rows: first..end, ..band.clone() }, first, &taps);
        first = end;
    }
}

/// Computes output rows, with the largest blocks whose sums stay in the level's registers. Row `first` is row 0 of `taps`.
#[inline(always)]
fn conv_rows<S: Simd>(s: S, task: &ConvTask<'_>, band: &Band, first: usize, taps: &Taps<'_>) {
    if const { S::TILE_ROWS >= 12 } {
        conv_blocks::<S, 2, 7>(s, task, band, first, taps);
    } else if const { S::TILE_ROWS >= 4 } {
        conv_blocks::<S, 1, 4>(s, task, band, first, taps);
    } else {
        conv_runs::<S, 1, 1, 1, 2, false>(s, task, band, first, taps);
    }
}

/// Computes output rows in blocks of `ROWS × COLUMNS`, and windows that networks have with all taps of a row at once. A row of five
/// taps leaves few registers to sums: where vectors are two of them, it goes over the channels by halves of vectors.
#[inline(always)]
fn conv_blocks<S: Simd, const ROWS: usize, const COLUMNS: usize>(
    s: S,
    task: &ConvTask<'_>,
    band: &Band,
    first: usize,
    taps: &Taps<'_>,
) {
    let Window { y, x } = &task.params.window;
    let is_square = y.kernel == x.kernel && y.stride == x.stride && y.dilation == 1 && x.dilation == 1;
    match (x.kernel, x.stride) {
        _ if !is_square => conv_runs::<S, 1, 1, ROWS, COLUMNS, false>(s, task, band, first, taps),
        (3, 1) => conv_runs::<S, 3, 1, ROWS, COLUMNS, false>(s, task, band, first, taps),
        (3, 2) => conv_runs::<S, 3, 2, ROWS, COLUMNS, false>(s, task, band, first, taps),
        (5, 1) if const { S::IN_HALVES } => conv_runs::<S, 5, 1, 1, 7, true>(s, task, band, first, taps),
        (5, 2) if const { S::IN_HALVES } => conv_runs::<S, 5, 2, 1, 7, true>(s, task, band, first, taps),
        (5, 1) => conv_runs::<S, 5, 1, ROWS, COLUMNS, false>(s, task, band, first, taps),
        (5, 2) => conv_runs::<S, 5, 2, ROWS, COLUMNS, false>(s, task, band, first, taps),
        _ => conv_runs::<S, 1, 1, ROWS, COLUMNS, false>(s, task, band, first, taps),
    }
}

/// Channels of a part: of a vector, or of its half.
const fn part_lanes(low: bool) -> usize {
    if low { LANES / 2 } else { LANES }
}

/// Computes output rows in blocks of `ROWS × COLUMNS`, all channels of a block one after the other: they are neighbours in memory.
fn conv_runs<
    S: Simd,
    const RUN: usize,
    const STEP: usize,
    const ROWS: usize,
    const COLUMNS: usize,
    const LOW: bool,
>(
    s: S,
    task: &ConvTask<'_>,
    band: &Band,
    first: usize,
    taps: &Taps<'_>,
) {
    let (width, channels) = (task.params.output.w as usize, task.params.output.c as usize);
    let (outputs, panels) = (Outputs::new(s, task), band.panels(channels));
    let parts_of = |panel: usize| (panel * LANES / part_lanes(LOW)).min(channels.div_ceil(part_lanes(LOW)));
    let parts = parts_of(panels.start)..parts_of(panels.end);
    for y in band.rows.clone().step_by(ROWS) {
        let rows = ROWS.min(band.rows.end - y);
        for x in (0..width).step_by(COLUMNS) {
            let size = [rows, COLUMNS.min(width - x)];
            let block = taps.block::<RUN, STEP, ROWS, COLUMNS>([y - first, x], size);
            let places = outputs.places([band.image, y, x], size);
            if const { ROWS * COLUMNS < 12 } {
                conv_parts::<S, RUN, STEP, ROWS, COLUMNS, LOW>(s, &block, &outputs, &places, parts.clone());
            } else {
                // One at a time, see there.
                for part in parts.clone() {
                    conv_parts::<S, RUN, STEP, ROWS, COLUMNS, LOW>(
                        s,
                        &block,
                        &outputs,
                        &places,
                        part..part + 1,
                    );
                }
            }
        }
    }
}

/// What happens to sums, and where they go.
struct Outputs<'a, S: Simd> {
    task: &'a ConvTask<'a>,
    residual: Option<&'a Segment>,
    steps: [usize; 2],
    function: LaneFunction<'a, S>,
}

/// Where a block's outputs and residuals begin in each row.
struct Places<const ROWS: usize> {
    size: [usize; 2],
    rows: [[usize; 2]; ROWS],
}

impl<'a, S: Simd> Outputs<'a, S> {
    #[inline(always)]
    fn new(s: S, task: &'a ConvTask<'a>) -> Self {
        let residual = task.epilogue.residual.and_then(|source| source.single());
        let residual_step = residual.map_or(0, |segment| segment.rows.pixel_stride as usize);
        let steps = [task.sink.pixel_stride(), residual_step];
        Self { task, residual, steps, function: LaneFunction::new(s, &task.epilogue.activation) }
    }

    #[inline(always)]
    fn places<const ROWS: usize>(&self, [image, y, x]: [usize; 3], size: [usize; 2]) -> Places<ROWS> {
        let mut rows = [[0; 2]; ROWS];
        for (r, [output, residual]) in rows.iter_mut().enumerate().take(size[0]) {
            *output = self.task.sink.rows().row_start(image, y + r) + x * self.steps[0];
            if let Some(segment) = self.residual {
                *residual = segment.rows.row_start(image, y + r) + x * self.steps[1];
            }
        }
        Places { size, rows }
    }
}

/// Computes some parts of the channels of a block of outputs. A function of its own, called for each part of a large block: within
/// a loop over parts, compilers keep the addresses of all pixels of the block on the stack instead of adding them up anew.
#[inline(never)]
fn conv_parts<
    S: Simd,
    const RUN: usize,
    const STEP: usize,
    const ROWS: usize,
    const COLUMNS: usize,
    const LOW: bool,
>(
    s: S,
    block: &TapBlock<'_, RUN, STEP, ROWS, COLUMNS>,
    outputs: &Outputs<'_, S>,
    places: &Places<ROWS>,
    parts: Range<usize>,
) {
    s.vectorize(
        #[inline(always)]
        || {
            if const { ROWS * COLUMNS < 12 } {
                for part in parts {
                    conv_part::<S, RUN, STEP, ROWS, COLUMNS, LOW>(s, block, outputs, places, part);
                }
            } else {
                conv_part::<S, RUN, STEP, ROWS, COLUMNS, LOW>(s, block, outputs, places, parts.start);
            }
        },
    );
}

/// Computes a part of the channels of a block of outputs.
#[inline(always)]
fn conv_part<
    S: Simd,
    const RUN: usize,
    const STEP: usize,
    const ROWS: usize,
    const COLUMNS: usize,
    const LOW: bool,
>(
    s: S,
    block: &TapBlock<'_, RUN, STEP, ROWS, COLUMNS>,
    outputs: &Outputs<'_, S>,
    places: &Places<ROWS>,
    part: usize,
) {
    let (task, sink) = (outputs.task, outputs.task.sink.memory());
    let lanes = part_lanes(LOW);
    let channel = part * lanes;
    let count = (task.params.output.c as usize - channel).min(lanes);
    let epilogue = PanelEpilogue::with(s, &task.epilogue, outputs.function, channel, count);
    macro_rules! store {
        ($sums:expr, $row:expr, $columns:expr) => {{
            let (places, steps) = (places.rows[$row], outputs.steps);
            if LOW {
                epilogue.store_row::<COLUMNS, { LANES / 2 }>(s, $sums, $columns, &sink, places, steps);
            } else {
                epilogue.store_row::<COLUMNS, LANES>(s, $sums, $columns, &sink, places, steps);
            }
        }};
    }
    if block.is_inside() && count == lanes {
        let sums = block.sums::<S, true, LOW>(s, part);
        unrolled!(R in [0 1]; ROWS => { store!(&sums[R], R, COLUMNS); });
    } else {
        let sums = block.sums::<S, false, LOW>(s, part);
        unrolled!(R in [0 1]; ROWS => {
            if R < places.size[0] {
                store!(&sums[R], R, places.size[1]);
            }
        });
    }
}
