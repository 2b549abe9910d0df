//! Element-wise functions of one operand: `output = activation(x · scale[c] + shift[c])`.
//!
//! Flows in: an operand in segments; flows out: a band of output rows, which may lie over the operand. Without scale and
//! activation this is the copy that makes a concatenation one tensor. Called by `engine`.

use crate::device::simd::{LANES, Simd, View};

use super::params::MapParams;
use super::{Band, Sink, Source, activate};

/// What one element-wise function reads and writes.
#[derive(Clone, Copy, Debug)]
pub struct MapTask<'a> {
    /// The geometry.
    pub params: &'a MapParams,
    /// The operand.
    pub source: Source<'a, f32>,
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

/// Bands may begin at every row.
pub const fn map_f32_band_multiple(_params: &MapParams) -> u32 {
    1
}

/// Computes a band of output rows.
pub fn map_f32<S: Simd>(s: S, task: &MapTask<'_>, band: &Band) {
    s.vectorize(
        #[inline(always)]
        || {
            let mut first = 0;
            for segment in task.source.segments() {
                let channels = segment.channels as usize;
                for y in band.rows.clone() {
                    let source = task.source.row(segment, band.image, y);
                    let out = task.sink.row(band.image, y);
                    for x in 0..task.params.extent.w as usize {
                        for c in (0..channels).step_by(LANES) {
                            let count = (channels - c).min(LANES);
                            let place = x * segment.rows.pixel_stride as usize + c;
                            let mut lanes = source.load_partial(s, place, count);
                            if let Some(scale) = &task.scale {
                                lanes = s.mul(lanes, scale.load_partial(s, first + c, count));
                            }
                            if let Some(shift) = &task.shift {
                                lanes = s.add(lanes, shift.load_partial(s, first + c, count));
                            }
                            let result = activate(s, &task.params.activation, lanes);
                            out.store_partial(s, x * task.sink.pixel_stride() + first + c, result, count);
                        }
                    }
                }
                first += channels;
            }
        },
    );
}
