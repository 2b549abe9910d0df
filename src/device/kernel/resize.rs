//! Resize of rows and columns, nearest or bilinear.
//!
//! Flows in: an input in segments; flows out: a band of output rows. Called by `engine`.

use crate::device::simd::{LANES, Simd};

use super::params::{ResizeKind, ResizeParams};
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

/// Bands may begin at every row.
pub const fn resize_f32_band_multiple(_params: &ResizeParams) -> u32 {
    1
}

/// Two neighbours on one axis and the share of the second.
struct Taps {
    near: usize,
    far: usize,
    share: f32,
}

/// Where output index `o` lies on an axis of `len` elements.
fn taps(kind: ResizeKind, o: usize, scale: f32, offset: f32, len: u32) -> Taps {
    let last = len.saturating_sub(1) as f32;
    let place = o as f32 * scale + offset;
    let place = if place >= 0.0 { place.min(last) } else { 0.0 };
    let floor = libm::floorf(place);
    let nearest = match kind {
        ResizeKind::NearestPreferFloor => libm::ceilf(place - 0.5),
        ResizeKind::NearestPreferCeil => libm::floorf(place + 0.5),
        ResizeKind::NearestCeil => libm::ceilf(place),
        ResizeKind::NearestFloor | ResizeKind::Bilinear => floor,
    };
    let at = |place: f32| (place.max(0.0) as usize).min(len.saturating_sub(1) as usize);
    Taps { near: at(nearest), far: at(nearest + 1.0), share: place - floor }
}

/// Computes a band of output rows.
pub fn resize_f32<S: Simd>(s: S, task: &ResizeTask<'_>, band: &Band) {
    s.vectorize(
        #[inline(always)]
        || {
            let p = task.params;
            let Some(kind) = ResizeKind::from_code(p.kind) else { return };
            let mut first = 0;
            for segment in task.source.segments() {
                let stride = segment.rows.pixel_stride as usize;
                for y in band.rows.clone() {
                    let ty = taps(kind, y, p.scale_y, p.offset_y, p.input.h);
                    let near = task.source.row(segment, band.image, ty.near);
                    let far = task.source.row(segment, band.image, ty.far);
                    let out = task.sink.row(band.image, y);
                    for x in 0..p.output.w as usize {
                        let tx = taps(kind, x, p.scale_x, p.offset_x, p.input.w);
                        for c in (0..segment.channels as usize).step_by(LANES) {
                            let count = (segment.channels as usize - c).min(LANES);
                            let mut lanes = near.load_partial(s, tx.near * stride + c, count);
                            if kind == ResizeKind::Bilinear {
                                let mix = |a, b, share| {
                                    s.mul_add(b, s.splat(share), s.mul(a, s.splat(1.0 - share)))
                                };
                                let top =
                                    mix(lanes, near.load_partial(s, tx.far * stride + c, count), tx.share);
                                let bottom = mix(
                                    far.load_partial(s, tx.near * stride + c, count),
                                    far.load_partial(s, tx.far * stride + c, count),
                                    tx.share,
                                );
                                lanes = mix(top, bottom, ty.share);
                            }
                            out.store_partial(s, x * task.sink.pixel_stride() + first + c, lanes, count);
                        }
                    }
                }
                first += segment.channels as usize;
            }
        },
    );
}
