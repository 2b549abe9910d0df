//! What a band kernel reads and writes: sources, sinks, prologue and epilogue.

use core::ops::Range;

use bytemuck::Pod;

use crate::device::simd::{Simd, View, ViewMut};
use crate::device::tensor::{Activation, Extent, Segment};

use super::activate;

/// A range of output rows of one picture of the batch: the unit of work of every spatial kernel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Band {
    /// Which picture.
    pub image: usize,
    /// Which output rows.
    pub rows: Range<usize>,
}

/// A readable operand: channel segments, each with rows somewhere in one memory.
#[derive(Clone, Copy, Debug)]
pub struct Source<'a, T> {
    memory: View<'a, T>,
    segments: &'a [Segment],
    extent: Extent,
}

impl<'a, T: Pod> Source<'a, T> {
    /// An operand of size `extent` whose channels are those of `segments`, in order.
    pub const fn new(memory: View<'a, T>, segments: &'a [Segment], extent: Extent) -> Self {
        Self { memory, segments, extent }
    }

    /// The size; `extent.c` counts the channels of all segments.
    #[inline(always)]
    pub const fn extent(&self) -> &Extent {
        &self.extent
    }

    /// The segments.
    #[inline(always)]
    pub const fn segments(&self) -> &'a [Segment] {
        self.segments
    }

    /// The only segment, if there is just one.
    #[inline(always)]
    pub const fn single(&self) -> Option<&'a Segment> {
        if let [segment] = self.segments { Some(segment) } else { None }
    }

    /// Row `y` of picture `n` of a segment: pixel `x` begins at `x · segment.rows.pixel_stride`.
    #[inline(always)]
    pub fn row(&self, segment: &Segment, n: usize, y: usize) -> View<'a, T> {
        let len = segment.rows.row_len(self.extent.w as usize, segment.channels as usize);
        self.memory.range(segment.rows.row_start(n, y), len)
    }
}

/// A writable operand: one segment.
#[derive(Clone, Copy, Debug)]
pub struct Sink<'a, T> {
    memory: ViewMut<'a, T>,
    segment: &'a Segment,
    extent: Extent,
}

impl<'a, T: Pod> Sink<'a, T> {
    /// An operand of size `extent` at `segment`.
    pub const fn new(memory: ViewMut<'a, T>, segment: &'a Segment, extent: Extent) -> Self {
        Self { memory, segment, extent }
    }

    /// The size.
    #[inline(always)]
    pub const fn extent(&self) -> &Extent {
        &self.extent
    }

    /// Elements from one pixel to the next.
    #[inline(always)]
    pub const fn pixel_stride(&self) -> usize {
        self.segment.rows.pixel_stride as usize
    }

    /// Row `y` of picture `n`: pixel `x` begins at `x · pixel_stride()`.
    #[inline(always)]
    pub fn row(&self, n: usize, y: usize) -> ViewMut<'a, T> {
        let len = self.segment.rows.row_len(self.extent.w as usize, self.extent.c as usize);
        self.memory.range(self.segment.rows.row_start(n, y), len)
    }
}

/// What happens to an input element before padding is supplied: `activation(x · scale[c] + shift[c])` (pre-activation).
///
/// `scale` and `shift` have one element for each input channel, padded with zeros to a multiple of 16.
#[derive(Clone, Copy, Debug)]
pub struct Prologue<'a> {
    /// Factor of each channel.
    pub scale: View<'a, f32>,
    /// Summand of each channel.
    pub shift: View<'a, f32>,
    /// The function applied last.
    pub activation: Activation,
}

impl Prologue<'_> {
    /// Applies it to 16 channels from `channel` on.
    #[inline(always)]
    pub fn apply<S: Simd>(&self, s: S, x: S::F32, channel: usize) -> S::F32 {
        let count = self.scale.len().saturating_sub(channel).min(16);
        let scale = self.scale.load_partial(s, channel, count);
        let shift = self.shift.load_partial(s, channel, count);
        activate(s, &self.activation, s.mul_add(x, scale, shift))
    }
}

/// What happens to an accumulator before it is stored: `activation(sum + bias[c] + residual)`.
#[derive(Clone, Copy, Debug)]
pub struct Epilogue<'a> {
    /// One summand for each output channel, padded with zeros to a multiple of 16.
    pub bias: Option<View<'a, f32>>,
    /// A summand of the output's size; its memory may be the output's own (the sum over the dying skip).
    pub residual: Option<Source<'a, f32>>,
    /// The function applied last.
    pub activation: Activation,
}

impl<'a> Epilogue<'a> {
    /// No bias, no residual, no activation.
    pub const NONE: Self = Self { bias: None, residual: None, activation: Activation::IDENTITY };

    /// The epilogue of output row `y` of picture `n`. A residual has one segment (the compiler sees to it).
    #[inline(always)]
    pub fn row(&self, n: usize, y: usize) -> EpilogueRow<'a> {
        let residual = self.residual.and_then(|source| {
            let segment = source.single()?;
            Some((source.row(segment, n, y), segment.rows.pixel_stride as usize))
        });
        EpilogueRow { bias: self.bias, residual, activation: self.activation }
    }
}

/// An [`Epilogue`] at one output row.
#[derive(Clone, Copy, Debug)]
pub struct EpilogueRow<'a> {
    bias: Option<View<'a, f32>>,
    residual: Option<(View<'a, f32>, usize)>,
    activation: Activation,
}

impl EpilogueRow<'_> {
    /// Finishes the sums of channels `channel..channel + count` (at most 16) of pixel `x`; `channel` is a multiple of 16
    /// or the bias is absent.
    #[inline(always)]
    pub fn apply<S: Simd>(&self, s: S, sums: S::F32, x: usize, channel: usize, count: usize) -> S::F32 {
        let mut sums = sums;
        if let Some(bias) = &self.bias {
            sums = s.add(sums, bias.load_partial(s, channel, count));
        }
        if let Some((row, pixel_stride)) = &self.residual {
            sums = s.add(sums, row.load_partial(s, x * pixel_stride + channel, count));
        }
        activate(s, &self.activation, sums)
    }
}
