//! Element-wise functions of one operand: `output = activation(x · scale[c] + shift[c])`.
//!
//! Flows in: an operand in segments, or a constant; flows out: a band of output rows, which may lie over the operand. Without scale and
//! activation this is the copy that makes a concatenation one tensor, or a constant one in the arena. Called by `engine`.

use crate::device::simd::{LANES, Simd, View, ViewMut};
use crate::device::tensor::{Activation, Axis, Extent, Segment};

use super::activation::evaluate;
use super::overlap::{Reach, RowAxis, RowSeparation};
use super::params::MapParams;
use super::{Band, Operand, Sink};

/// What one element-wise function reads and writes.
#[derive(Clone, Copy, Debug)]
pub struct MapTask<'a> {
    /// The geometry.
    pub params: &'a MapParams,
    /// The operand. Its memory may be the sink's, if its rows are.
    pub source: Operand<'a>,
    /// Factor of each channel; absent is 1.
    pub scale: Option<View<'a, f32>>,
    /// Summand of each channel; absent is 0.
    pub shift: Option<View<'a, f32>>,
    /// The output.
    pub sink: Sink<'a, f32>,
}

/// Can [`map_f32`] compute this?
pub const fn map_f32_is_valid(params: &MapParams) -> bool {
    params.extent.checked_len().is_some() && params.activation.kind().is_some()
}

/// How far apart a segment of the operand and the output must begin, in elements, if bands are single rows in order and the two have
/// not the same rows.
pub const fn map_f32_separation(params: &MapParams, input: &Segment, output: &Segment) -> RowSeparation {
    let axis = RowAxis::Window(Axis::new(1));
    Reach { input: params.extent, output: params.extent, block: 1, axis }.separation(input, output)
}

/// Computes a band of output rows.
pub fn map_f32<S: Simd>(s: S, task: &MapTask<'_>, band: &Band) {
    s.vectorize(
        #[inline(always)]
        || {
            for y in band.rows.clone() {
                row(s, task, band.image, y);
            }
        },
    );
}

/// One output row, segment after segment.
#[inline(always)]
fn row<S: Simd>(s: S, task: &MapTask<'_>, image: usize, y: usize) {
    let Extent { h, w, c, .. } = task.params.extent;
    let (h, w, c) = (h as usize, w as usize, c as usize);
    match task.source {
        Operand::Constant(view) => {
            let row = view.range((image * h + y) * w * c, w * c);
            run(s, task, &Run { row, pixel_stride: c, first: 0, channels: c }, image, y);
        }
        Operand::Source(source) => {
            let mut first = 0;
            for segment in source.segments() {
                let (row, channels) = (source.row(segment, image, y), segment.channels as usize);
                let pixel_stride = segment.rows.pixel_stride as usize;
                run(s, task, &Run { row, pixel_stride, first, channels }, image, y);
                first += channels;
            }
        }
    }
}

/// The channels of an operand's row that lie side by side.
struct Run<'a> {
    row: View<'a, f32>,
    pixel_stride: usize,
    /// The first channel.
    first: usize,
    channels: usize,
}

/// The part of an output row that one run of channels gives.
#[inline(always)]
fn run<S: Simd>(s: S, task: &MapTask<'_>, run: &Run<'_>, image: usize, y: usize) {
    let (out, width) = (task.sink.row(image, y), task.params.extent.w as usize);
    if task.is_gapless(run) {
        // Neither channels nor pixels make a difference.
        return elements(s, &task.params.activation, run.row, out, width * run.channels);
    }
    for x in 0..width {
        let source = run.row.range(x * run.pixel_stride, run.channels);
        let out = out.range(x * task.sink.pixel_stride() + run.first, run.channels);
        pixel(s, task, source, out, run.first);
    }
}

impl MapTask<'_> {
    /// Is a row one run of elements that are all treated alike, in the operand as in the sink?
    fn is_gapless(&self, run: &Run<'_>) -> bool {
        let channels = self.params.extent.c as usize;
        self.scale.is_none()
            && self.shift.is_none()
            && run.channels == channels
            && run.pixel_stride == channels
            && self.sink.pixel_stride() == channels
    }
}

/// `len` elements without scale and shift.
#[inline(always)]
fn elements<S: Simd>(
    s: S,
    activation: &Activation,
    source: View<'_, f32>,
    out: ViewMut<'_, f32>,
    len: usize,
) {
    if activation.is_identity() {
        return out.range(0, len).copy_from(source.range(0, len));
    }
    let whole = len - len % LANES;
    for i in (0..whole).step_by(LANES) {
        out.store(s, i, evaluate(s, activation, source.load(s, i)));
    }
    let rest = len - whole;
    if rest > 0 {
        out.store_partial(s, whole, evaluate(s, activation, source.load_partial(s, whole, rest)), rest);
    }
}

/// The channels of one pixel in one segment; `first` is the segment's first channel.
#[inline(always)]
fn pixel<S: Simd>(s: S, task: &MapTask<'_>, source: View<'_, f32>, out: ViewMut<'_, f32>, first: usize) {
    for c in (0..source.len()).step_by(LANES) {
        let count = (source.len() - c).min(LANES);
        let x = source.load_partial(s, c, count);
        let scaled = match (&task.scale, &task.shift) {
            (Some(scale), Some(shift)) => {
                s.mul_add(x, scale.load_partial(s, first + c, count), shift.load_partial(s, first + c, count))
            }
            (Some(scale), None) => s.mul(x, scale.load_partial(s, first + c, count)),
            (None, Some(shift)) => s.add(x, shift.load_partial(s, first + c, count)),
            (None, None) => x,
        };
        out.store_partial(s, c, evaluate(s, &task.params.activation, scaled), count);
    }
}
