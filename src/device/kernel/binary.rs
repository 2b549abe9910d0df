//! Element-wise functions of two operands with broadcast: `output = activation(f(a, b))`.
//!
//! Flows in: two operands, each in segments or a contiguous constant; flows out: a band of output rows, which may lie over an
//! operand of the same rows. Called by `engine`.

use crate::device::simd::{LANES, Simd, View};
use crate::device::tensor::Extent;

use super::params::{BinaryKind, BinaryParams};
use super::{Band, Sink, Source, activate};

/// An operand of [`binary_f32`].
#[derive(Clone, Copy, Debug)]
pub enum Operand<'a> {
    /// A tensor in memory.
    Source(Source<'a, f32>),
    /// A constant, contiguous in the order of its extent.
    Constant(View<'a, f32>),
}

/// What one element-wise function of two operands reads and writes.
#[derive(Clone, Copy, Debug)]
pub struct BinaryTask<'a> {
    /// The geometry.
    pub params: &'a BinaryParams,
    /// The first operand.
    pub a: Operand<'a>,
    /// The second operand.
    pub b: Operand<'a>,
    /// The output.
    pub sink: Sink<'a, f32>,
}

/// Can [`binary_f32`] compute this? In each dimension both operands have the output's length or 1.
pub const fn binary_f32_is_valid(params: &BinaryParams) -> bool {
    broadcasts(&params.a, &params.output)
        && broadcasts(&params.b, &params.output)
        && params.output.checked_len().is_some()
        && BinaryKind::from_code(params.kind).is_some()
        && params.activation.kind().is_some()
}

const fn broadcasts(operand: &Extent, output: &Extent) -> bool {
    (operand.n == 1 || operand.n == output.n)
        && (operand.h == 1 || operand.h == output.h)
        && (operand.w == 1 || operand.w == output.w)
        && (operand.c == 1 || operand.c == output.c)
}

/// Bands may begin at every row.
pub const fn binary_f32_band_multiple(_params: &BinaryParams) -> u32 {
    1
}

/// Computes a band of output rows.
pub fn binary_f32<S: Simd>(s: S, task: &BinaryTask<'_>, band: &Band) {
    s.vectorize(
        #[inline(always)]
        || {
            let params = task.params;
            let Some(kind) = BinaryKind::from_code(params.kind) else { return };
            for y in band.rows.clone() {
                let out = task.sink.row(band.image, y);
                for x in 0..params.output.w as usize {
                    for c in (0..params.output.c as usize).step_by(LANES) {
                        let count = (params.output.c as usize - c).min(LANES);
                        let a = lanes(s, &task.a, &params.a, [band.image, y, x, c], count);
                        let b = lanes(s, &task.b, &params.b, [band.image, y, x, c], count);
                        let result = activate(s, &params.activation, apply(s, kind, a, b));
                        out.store_partial(s, x * task.sink.pixel_stride() + c, result, count);
                    }
                }
            }
        },
    );
}

#[inline(always)]
fn lanes<S: Simd>(s: S, operand: &Operand<'_>, extent: &Extent, place: [usize; 4], count: usize) -> S::F32 {
    let mut lanes = [0.0; LANES];
    for (lane, value) in lanes.iter_mut().enumerate().take(count) {
        let [n, y, x, c] = [place[0], place[1], place[2], place[3] + lane];
        let n = if extent.n == 1 { 0 } else { n };
        let y = if extent.h == 1 { 0 } else { y };
        let x = if extent.w == 1 { 0 } else { x };
        let c = if extent.c == 1 { 0 } else { c };
        *value = match operand {
            Operand::Constant(view) => {
                view.get(((n * extent.h as usize + y) * extent.w as usize + x) * extent.c as usize + c)
            }
            Operand::Source(source) => element(source, [n, y, x], c),
        };
    }
    s.lanes(lanes)
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

#[inline(always)]
fn apply<S: Simd>(s: S, kind: BinaryKind, a: S::F32, b: S::F32) -> S::F32 {
    match kind {
        BinaryKind::Add => s.add(a, b),
        BinaryKind::Sub => s.sub(a, b),
        BinaryKind::Mul => s.mul(a, b),
        BinaryKind::Div => s.div(a, b),
        BinaryKind::Min => s.min(b, a),
        BinaryKind::Max => s.max(b, a),
        BinaryKind::Prelu => s.select_less(a, s.splat(0.0), s.mul(a, b), a),
        BinaryKind::Pow => {
            let (a, b) = (s.to_array(a), s.to_array(b));
            s.lanes(core::array::from_fn(|lane| libm::powf(a[lane], b[lane])))
        }
    }
}
