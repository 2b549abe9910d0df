//! Resize of rows and columns, nearest or bilinear.
//!
//! Flows in: an input in segments; flows out: a band of output rows. Called by `engine`.
//!
//! Places are computed in `f32` as `o · scale + offset`, each operation rounded, at every level; they are clamped to the
//! input, so scales and offsets of any size read inside. Bilinear is `(1 − f)·near + f·far` along the columns, then the rows.

use crate::device::simd::{LANES, Simd, View, ViewMut};
use crate::device::tensor::Segment;

use super::overlap::{Reach, RowAxis, RowSeparation};
use super::params::{ResizeKind, ResizeParams};
use super::resize_axis::ResizeAxis;
use super::{Band, Sink, Source};

/// What one resize reads and writes.
#[derive(Clone, Copy, Debug)]
pub struct ResizeTask<'a> {
    /// The geometry.
    pub params: &'a ResizeParams,
    /// The input.
    pub source: Source<'a, f32>,
    /// The output.
    pub sink: Sink<'a, f32>,
}

/// Can [`resize_f32`] compute this? Batch and channels are the same on both sides, the input has rows and columns where the
/// output has, and scales and offsets are finite. Places outside the input are clamped to its edge, so nothing more is needed.
pub const fn resize_f32_is_valid(params: &ResizeParams) -> bool {
    let (input, output) = (&params.input, &params.output);
    input.n == output.n
        && input.c == output.c
        && input.checked_len().is_some()
        && output.checked_len().is_some()
        && ((input.h > 0 && input.w > 0) || output.h == 0 || output.w == 0)
        && ResizeKind::from_code(params.kind).is_some()
        && params.scale_y.is_finite()
        && params.scale_x.is_finite()
        && params.offset_y.is_finite()
        && params.offset_x.is_finite()
}

/// How far apart a segment of the input and the output must begin, in elements, if bands are single rows in order; `None` if a row
/// may read rows before those of the row before it.
pub const fn resize_f32_separation(
    params: &ResizeParams,
    input: &Segment,
    output: &Segment,
) -> Option<RowSeparation> {
    let Some(kind) = ResizeKind::from_code(params.kind) else { return None };
    if params.scale_y < 0.0 {
        return None;
    }
    let axis = RowAxis::Resized(ResizeAxis::of_rows(kind, params));
    let reach = Reach { input: params.input, output: params.output, block: 1, axis };
    Some(reach.separation(input, output))
}

/// Computes a band of output rows.
pub fn resize_f32<S: Simd>(s: S, task: &ResizeTask<'_>, band: &Band) {
    let params = task.params;
    let Some(kind) = ResizeKind::from_code(params.kind) else { return };
    if params.output.w == 0 {
        return;
    }
    let columns = ResizeAxis { kind, scale: params.scale_x, offset: params.offset_x, len: params.input.w };
    let rows = ResizeAxis::of_rows(kind, params);
    s.vectorize(
        #[inline(always)]
        || {
            for y in band.rows.clone() {
                let taps = rows.taps(y);
                let out = task.sink.row(band.image, y);
                let mut first = 0;
                for segment in task.source.segments() {
                    let near = task.source.row(segment, band.image, taps.near);
                    let far = task.source.row(segment, band.image, taps.far);
                    let rows = Neighbours { near, far, share: taps.share };
                    row(s, task, segment, &columns, &rows, out.from(first));
                    first += segment.channels as usize;
                }
            }
        },
    );
}

/// Two input rows and the share of the second.
struct Neighbours<'a> {
    near: View<'a, f32>,
    far: View<'a, f32>,
    share: f32,
}

/// One output row of one segment; `out` begins at the segment's first channel.
#[inline(always)]
fn row<S: Simd>(
    s: S,
    task: &ResizeTask<'_>,
    segment: &Segment,
    columns: &ResizeAxis,
    rows: &Neighbours<'_>,
    out: ViewMut<'_, f32>,
) {
    let (stride, channels) = (segment.rows.pixel_stride as usize, segment.channels as usize);
    for x in 0..task.params.output.w as usize {
        let taps = columns.taps(x);
        let pixel = out.range(x * task.sink.pixel_stride(), channels);
        if columns.kind != ResizeKind::Bilinear {
            pixel.copy_from(rows.near.range(taps.near * stride, channels));
            continue;
        }
        let (near, far) = (taps.near * stride, taps.far * stride);
        let top = [rows.near.range(near, channels), rows.near.range(far, channels)];
        let bottom = [rows.far.range(near, channels), rows.far.range(far, channels)];
        for c in (0..channels).step_by(LANES) {
            let count = (channels - c).min(LANES);
            let top = mix(s, top[0].load_partial(s, c, count), top[1].load_partial(s, c, count), taps.share);
            let bottom =
                mix(s, bottom[0].load_partial(s, c, count), bottom[1].load_partial(s, c, count), taps.share);
            pixel.store_partial(s, c, mix(s, top, bottom, rows.share), count);
        }
    }
}

/// `(1 − share)·near + share·far`
#[inline(always)]
fn mix<S: Simd>(s: S, near: S::F32, far: S::F32, share: f32) -> S::F32 {
    s.mul_add(far, s.splat(share), s.mul(near, s.splat(1.0 - share)))
}
