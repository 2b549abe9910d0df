//! Element-wise functions of two operands with broadcast: `output = activation(f(a, b))`.
//!
//! Flows in: two operands, each in segments or a contiguous constant; flows out: a band of output rows, which may lie over an
//! operand of the same rows. Called by `engine`. Minimum and maximum are NaN where either operand is.

use crate::device::simd::{LANES, Simd, View, ViewMut};
use crate::device::tensor::{Activation, Extent};

use super::params::{BinaryKind, BinaryParams};
use super::{Band, Sink, Source, activate};

/// An operand of an element-wise function.
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
    /// The first operand. Its memory may be the sink's, if its rows are.
    pub a: Operand<'a>,
    /// The second operand. Its memory may be the sink's, if its rows are.
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
        && operand.checked_len().is_some()
}

/// Computes a band of output rows.
pub fn binary_f32<S: Simd>(s: S, task: &BinaryTask<'_>, band: &Band) {
    let params = task.params;
    let Some(kind) = BinaryKind::from_code(params.kind) else { return };
    let function = Function { kind, activation: params.activation };
    s.vectorize(
        #[inline(always)]
        || {
            for y in band.rows.clone() {
                row(s, task, &function, [band.image, y]);
            }
        },
    );
}

/// What is computed of two elements.
struct Function {
    kind: BinaryKind,
    activation: Activation,
}

impl Function {
    #[inline(always)]
    fn apply<S: Simd>(&self, s: S, a: S::F32, b: S::F32) -> S::F32 {
        let result = match self.kind {
            BinaryKind::Add => s.add(a, b),
            BinaryKind::Sub => s.sub(a, b),
            BinaryKind::Mul => s.mul(a, b),
            BinaryKind::Div => s.div(a, b),
            // Both give `b` where one is NaN, so only a NaN in `a` needs a choice.
            BinaryKind::Min => s.select_nan(a, a, s.min(a, b)),
            BinaryKind::Max => s.select_nan(a, a, s.max(a, b)),
            BinaryKind::Prelu => s.select_less(a, s.splat(0.0), s.mul(a, b), a),
            BinaryKind::Pow => power(s, a, b),
            BinaryKind::Less => s.select_less(a, b, s.splat(1.0), s.splat(0.0)),
            BinaryKind::LessOrEqual => {
                let holds = s.select_less(b, a, s.splat(0.0), s.splat(1.0));
                s.select_nan(a, s.splat(0.0), s.select_nan(b, s.splat(0.0), holds))
            }
            BinaryKind::Keep => s.select_less(s.splat(0.0), s.abs(b), a, s.splat(0.0)),
        };
        activate(s, &self.activation, result)
    }
}

/// `a^b`, lane by lane: to be right it needs a logarithm of twice the precision, and it is rare.
#[inline(never)]
fn power<S: Simd>(s: S, a: S::F32, b: S::F32) -> S::F32 {
    let (a, b) = (s.to_array(a), s.to_array(b));
    s.lanes(core::array::from_fn(|lane| libm::powf(a[lane], b[lane])))
}

/// One row of an operand, from some channel on.
#[derive(Clone, Copy)]
struct Part<'a> {
    /// Begins at the channel, in pixel 0.
    row: View<'a, f32>,
    /// Elements from one pixel to the next; 0 if all pixels read the same.
    pixel_stride: usize,
    /// Do all channels read the same?
    is_splat: bool,
    /// Channels up to the end of the segment.
    channels: usize,
}

impl<'a> Operand<'a> {
    /// The part of an operand of size `extent` that output row `y` of picture `n` reads from `channel` on; `None` if no segment
    /// holds the channel.
    #[inline(always)]
    fn part(&self, extent: &Extent, [n, y]: [usize; 2], channel: usize) -> Option<Part<'a>> {
        let n = if extent.n == 1 { 0 } else { n };
        let y = if extent.h == 1 { 0 } else { y };
        let is_splat = extent.c == 1;
        let channel = if is_splat { 0 } else { channel };
        let (row, pixel_stride, channels) = match self {
            Operand::Constant(view) => {
                let (w, c) = (extent.w as usize, extent.c as usize);
                let row = view.range((n * extent.h as usize + y) * w * c, w * c);
                (row.from(channel), c, c - channel)
            }
            Operand::Source(source) => {
                let mut first = 0;
                let segment = source.segments().iter().find(|segment| {
                    let end = first + segment.channels as usize;
                    let found = channel < end;
                    if !found {
                        first = end;
                    }
                    found
                })?;
                let row = source.row(segment, n, y);
                let channels = segment.channels as usize - (channel - first);
                (row.from(channel - first), segment.rows.pixel_stride as usize, channels)
            }
        };
        let pixel_stride = if extent.w == 1 { 0 } else { pixel_stride };
        Some(Part { row, pixel_stride, is_splat, channels: if is_splat { usize::MAX } else { channels } })
    }
}

impl Part<'_> {
    /// `count` channels from `c` on of pixel `x`.
    #[inline(always)]
    fn load<S: Simd>(&self, s: S, x: usize, c: usize, count: usize) -> S::F32 {
        if self.is_splat {
            return s.splat(self.row.get(x * self.pixel_stride));
        }
        self.row.load_partial(s, x * self.pixel_stride + c, count)
    }

    /// The part as one pixel of `len` channels, if the row of pixels with `channels` channels is gapless or reads one element.
    #[inline(always)]
    fn flattened(self, channels: usize, len: usize) -> Option<Self> {
        let whole = self.channels >= channels;
        if whole && self.pixel_stride == 0 && (self.is_splat || channels == 1) {
            return Some(Self { is_splat: true, channels: usize::MAX, ..self });
        }
        let gapless = whole && self.pixel_stride == channels && (!self.is_splat || channels == 1);
        gapless.then_some(Self { is_splat: false, channels: len, ..self })
    }
}

/// One output row: runs of channels that both operands hold in one segment.
#[inline(always)]
fn row<S: Simd>(s: S, task: &BinaryTask<'_>, function: &Function, place: [usize; 2]) {
    let params = task.params;
    let (width, channels) = (params.output.w as usize, params.output.c as usize);
    let out = task.sink.row(place[0], place[1]);
    let mut channel = 0;
    while channel < channels {
        let Some(a) = task.a.part(&params.a, place, channel) else { return };
        let Some(b) = task.b.part(&params.b, place, channel) else { return };
        if task.sink.pixel_stride() == channels && channel == 0 {
            let len = width * channels;
            if let (Some(a), Some(b)) = (a.flattened(channels, len), b.flattened(channels, len)) {
                return run(s, function, [&a, &b], out, 0, len);
            }
        }
        let count = a.channels.min(b.channels).min(channels - channel);
        for x in 0..width {
            let pixel = out.range(x * task.sink.pixel_stride() + channel, count);
            run(s, function, [&a, &b], pixel, x, count);
        }
        channel += count;
    }
}

/// `count` channels of pixel `x`.
#[inline(always)]
fn run<S: Simd>(
    s: S,
    function: &Function,
    [a, b]: [&Part<'_>; 2],
    out: ViewMut<'_, f32>,
    x: usize,
    count: usize,
) {
    for c in (0..count).step_by(LANES) {
        let lanes = (count - c).min(LANES);
        let result = function.apply(s, a.load(s, x, c, lanes), b.load(s, x, c, lanes));
        out.store_partial(s, c, result, lanes);
    }
}
