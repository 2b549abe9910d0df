//! Resize of rows and columns by tables of weights: cubic, antialiased, cropped.
//!
//! Flows in: an input in segments, two tables; flows out: a band of output rows. Called by `engine`. Nearest and plain linear
//! resizes have a kernel of their own, which reads no tables (`resize`).
//!
//! Each output row is first summed up from its input rows, in the order of the taps, into a row of scratch as wide as the input;
//! from that the columns are summed up, in the same order. Each tap after the first is one multiply-add.

use crate::device::simd::{LANES, Simd, View, ViewMut};
use crate::device::tensor::Segment;

use super::params::InterpolateParams;
use super::{Band, Sink, Source};

/// What one resize by tables reads and writes.
#[derive(Clone, Copy, Debug)]
pub struct InterpolateTask<'a> {
    /// The geometry.
    pub params: &'a InterpolateParams,
    /// The input.
    pub source: Source<'a, f32>,
    /// Taps of every output row.
    pub rows: View<'a, f32>,
    /// Taps of every output column.
    pub columns: View<'a, f32>,
    /// The output.
    pub sink: Sink<'a, f32>,
}

/// Can [`interpolate_f32`] compute this? Batch and channels are the same on both sides, and every axis has at least as many
/// elements as taps, and at least one.
pub const fn interpolate_f32_is_valid(params: &InterpolateParams) -> bool {
    let (input, output) = (&params.input, &params.output);
    input.n == output.n
        && input.c == output.c
        && input.checked_len().is_some()
        && output.checked_len().is_some()
        && params.taps_y > 0
        && params.taps_x > 0
        && params.taps_y <= input.h
        && params.taps_x <= input.w
        // The tables hold first indices as `f32`, which counts without gaps up to here.
        && input.h <= LARGEST_INDEX
        && input.w <= LARGEST_INDEX
}

/// The largest whole number up to which `f32` holds every one.
const LARGEST_INDEX: u32 = 1 << f32::MANTISSA_DIGITS;

/// Elements of the tables of rows and of columns; `None` if they do not fit 32 bits.
pub const fn interpolate_f32_table_lens(params: &InterpolateParams) -> Option<(u32, u32)> {
    match (table_len(params.output.h, params.taps_y), table_len(params.output.w, params.taps_x)) {
        (Some(rows), Some(columns)) => Some((rows, columns)),
        _ => None,
    }
}

const fn table_len(outputs: u32, taps: u32) -> Option<u32> {
    match taps.checked_add(1) {
        Some(entry) => outputs.checked_mul(entry),
        None => None,
    }
}

/// Elements of scratch: a row of the input.
pub const fn interpolate_f32_scratch_len(params: &InterpolateParams) -> Option<u32> {
    params.input.w.checked_mul(params.input.c)
}

/// Computes a band of output rows.
pub fn interpolate_f32<S: Simd>(s: S, task: &InterpolateTask<'_>, band: &Band, scratch: ViewMut<'_, f32>) {
    let params = task.params;
    if params.output.w == 0 {
        return;
    }
    let rows = Table { entries: task.rows, taps: params.taps_y as usize, len: params.input.h };
    let columns = Table { entries: task.columns, taps: params.taps_x as usize, len: params.input.w };
    s.vectorize(
        #[inline(always)]
        || {
            for y in band.rows.clone() {
                let out = task.sink.row(band.image, y);
                let row = rows.entry(y);
                let mut channel = 0;
                for segment in task.source.segments() {
                    let out = out.from(channel);
                    match &row {
                        Some(row) => {
                            sum_rows(s, task, segment, band.image, row, scratch);
                            sum_columns(s, task, segment, &columns, scratch.as_view(), out);
                        }
                        None => fill(task, segment, out),
                    }
                    channel += segment.channels as usize;
                }
            }
        },
    );
}

/// The taps of every output index of an axis.
struct Table<'a> {
    entries: View<'a, f32>,
    taps: usize,
    /// Elements of the input.
    len: u32,
}

/// The taps of one output index.
struct Entry<'a> {
    first: usize,
    weights: View<'a, f32>,
}

impl Table<'_> {
    /// The taps of output index `o`; `None` if it reads nothing.
    #[inline(always)]
    fn entry(&self, o: usize) -> Option<Entry<'_>> {
        let entry = self.entries.range(o * (self.taps + 1), self.taps + 1);
        let first = entry.get(0);
        // A cast saturates, and whatever the table says, the last tap lies inside.
        let inside = (first as u32).min(self.len - self.taps as u32);
        let entry = Entry { first: inside as usize, weights: entry.from(1) };
        (first >= 0.0).then_some(entry)
    }
}

/// The weighted sum of a row's taps, into scratch `[w, channels]`.
#[inline(always)]
fn sum_rows<S: Simd>(
    s: S,
    task: &InterpolateTask<'_>,
    segment: &Segment,
    image: usize,
    row: &Entry<'_>,
    scratch: ViewMut<'_, f32>,
) {
    let (stride, channels) = (segment.rows.pixel_stride as usize, segment.channels as usize);
    let width = task.params.input.w as usize;
    // Where pixels touch, a row is one run.
    let (pixels, run) = if stride == channels { (1, width * channels) } else { (width, channels) };
    for pixel in 0..pixels {
        for c in (0..run).step_by(LANES) {
            let count = (run - c).min(LANES);
            let load = |tap: usize| {
                let row = task.source.row(segment, image, row.first + tap);
                row.load_partial(s, pixel * stride + c, count)
            };
            let mut sum = s.mul(load(0), s.splat(row.weights.get(0)));
            for tap in 1..row.weights.len() {
                sum = s.mul_add(load(tap), s.splat(row.weights.get(tap)), sum);
            }
            scratch.store_partial(s, pixel * channels + c, sum, count);
        }
    }
}

/// The weighted sums of every column's taps, from scratch.
#[inline(always)]
fn sum_columns<S: Simd>(
    s: S,
    task: &InterpolateTask<'_>,
    segment: &Segment,
    columns: &Table<'_>,
    row: View<'_, f32>,
    out: ViewMut<'_, f32>,
) {
    let channels = segment.channels as usize;
    for x in 0..task.params.output.w as usize {
        let pixel = out.range(x * task.sink.pixel_stride(), channels);
        let Some(column) = columns.entry(x) else {
            pixel.fill(task.params.fill);
            continue;
        };
        for c in (0..channels).step_by(LANES) {
            let count = (channels - c).min(LANES);
            let load = |tap: usize| row.load_partial(s, (column.first + tap) * channels + c, count);
            let mut sum = s.mul(load(0), s.splat(column.weights.get(0)));
            for tap in 1..column.weights.len() {
                sum = s.mul_add(load(tap), s.splat(column.weights.get(tap)), sum);
            }
            pixel.store_partial(s, c, sum, count);
        }
    }
}

/// A row of a segment that reads nothing.
#[inline(always)]
fn fill(task: &InterpolateTask<'_>, segment: &Segment, out: ViewMut<'_, f32>) {
    for x in 0..task.params.output.w as usize {
        out.range(x * task.sink.pixel_stride(), segment.channels as usize).fill(task.params.fill);
    }
}
