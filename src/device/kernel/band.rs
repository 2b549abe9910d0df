//! What a band kernel reads and writes: sources, sinks, prologue and epilogue.

use core::ops::Range;

use bytemuck::Pod;

use crate::device::simd::{
    Finish, LANES, Places, Product, Simd, Sums, TileRange, View, ViewMut, Weight, multiply_tile,
};
use crate::device::tensor::{Activation, ActivationKind, Extent, Rows, Segment};

use super::activate;

/// A range of output rows, or of output channels, of one picture of the batch: the unit of work of every spatial kernel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Band {
    /// Which picture.
    pub image: usize,
    /// Which output rows.
    pub rows: Range<usize>,
    /// Which output channels, as far as there are so many. Only convolutions that say so
    /// ([`conv_f32_channel_multiple`](super::conv_f32_channel_multiple),
    /// [`conv_transpose_f32_channel_multiple`](super::conv_transpose_f32_channel_multiple)) compute a part of them; every other
    /// kernel computes all.
    pub channels: Range<usize>,
}

impl Band {
    /// All channels of the rows `rows` of picture `image`.
    pub const fn of_rows(image: usize, rows: Range<usize>) -> Self {
        Self { image, rows, channels: 0..usize::MAX }
    }

    /// The panels of 16 channels that the band has of `channels` channels.
    #[inline(always)]
    pub(super) fn panels(&self, channels: usize) -> Range<usize> {
        self.channels.start.min(channels) / LANES..self.channels.end.min(channels).div_ceil(LANES)
    }
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

    /// The memory that the segments' places count in.
    #[inline(always)]
    pub const fn memory(&self) -> View<'a, T> {
        self.memory
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

    /// The memory that the segment's places count in.
    #[inline(always)]
    pub const fn memory(&self) -> ViewMut<'a, T> {
        self.memory
    }

    /// Where the rows lie.
    #[inline(always)]
    pub const fn rows(&self) -> &'a Rows {
        &self.segment.rows
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

/// An element function as `min(max(x, low), high)`, and as itself where it is none.
struct Bounds<'a> {
    low: f32,
    high: f32,
    other: Option<&'a Activation>,
}

impl<'a> Bounds<'a> {
    #[inline(always)]
    fn new(activation: &'a Activation) -> Self {
        let none = Self { low: f32::NEG_INFINITY, high: f32::INFINITY, other: None };
        match activation.kind() {
            Some(ActivationKind::Identity) => none,
            Some(ActivationKind::Relu) => Self { low: 0.0, ..none },
            Some(ActivationKind::Clip) => Self { low: activation.a, high: activation.b, other: None },
            _ => Self { other: Some(activation), ..none },
        }
    }
}

/// An element function, made ready for a loop over lanes: `min(max(x, low), high)` covers identity, ReLU and clip with the
/// bits of [`activate`] and needs no choice inside the loop; any other function follows it.
#[derive(Clone, Copy, Debug)]
pub(super) struct LaneFunction<'a, S: Simd> {
    low: S::F32,
    high: S::F32,
    other: Option<&'a Activation>,
}

impl<'a, S: Simd> LaneFunction<'a, S> {
    #[inline(always)]
    pub(super) fn new(s: S, activation: &'a Activation) -> Self {
        let Bounds { low, high, other } = Bounds::new(activation);
        Self { low: s.splat(low), high: s.splat(high), other }
    }

    #[inline(always)]
    pub(super) fn apply(&self, s: S, x: S::F32) -> S::F32 {
        match self.other {
            None => self.clamp(s, x),
            Some(activation) => activate(s, activation, x),
        }
    }

    #[inline(always)]
    fn clamp(&self, s: S, x: S::F32) -> S::F32 {
        s.min(self.high, s.max(self.low, x))
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
        let (scale, shift) = (channel_lanes(s, &self.scale, channel), channel_lanes(s, &self.shift, channel));
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

impl Epilogue<'_> {
    /// No bias, no residual, no activation.
    pub const NONE: Self = Self { bias: None, residual: None, activation: Activation::IDENTITY };
}

/// An [`Epilogue`] made ready for the register tiles of a matrix product.
#[derive(Clone, Copy, Debug)]
pub(super) struct TileEpilogue<'a> {
    finish: Finish<'a>,
    /// A function that is no clamp is applied to what was written.
    other: Option<(&'a Activation, ViewMut<'a, f32>, Places<'a>)>,
    channels: [usize; 2],
}

impl<'a> TileEpilogue<'a> {
    /// The epilogue of channels `channels` of the pixels that begin at `outputs` of the sink's memory and at `residuals` of the
    /// residual's, which may be the same memory.
    #[inline(always)]
    pub(super) fn new(
        epilogue: &'a Epilogue<'a>,
        sink: ViewMut<'a, f32>,
        [outputs, residuals]: [Places<'a>; 2],
        channels: Range<usize>,
    ) -> Self {
        let bias = epilogue.bias.unwrap_or(View::empty());
        let residual = match epilogue.residual {
            Some(source) if source.single().is_some() => Some((source.memory(), residuals)),
            _ => None,
        };
        let Bounds { low, high, other } = Bounds::new(&epilogue.activation);
        Self {
            finish: Finish::new((sink, outputs), residual, channels.clone(), bias, [low, high]),
            other: other.map(|activation| (activation, sink, outputs)),
            channels: [channels.start, channels.end],
        }
    }

    /// Computes a tile of `product`, whose rows and columns are the epilogue's pixels and channels, and finishes it.
    #[inline(always)]
    pub(super) fn multiply<S: Simd, W: Weight>(
        &self,
        s: S,
        product: &Product<'_, W>,
        tile: TileRange,
        sums: Sums<'_>,
    ) {
        multiply_tile(s, product, tile, sums, &self.finish);
        let Some((activation, sink, outputs)) = self.other else { return };
        for pixel in tile.row..tile.row + tile.rows {
            let mut channel = self.channels[0] + tile.panel * LANES;
            let end = self.channels[1].min(channel + tile.panels * LANES);
            while channel < end {
                let (place, count) = (outputs.get(pixel) + channel, (end - channel).min(LANES));
                let x = sink.load_partial(s, place, count);
                sink.store_partial(s, place, activate(s, activation, x), count);
                channel += count;
            }
        }
    }
}

/// An [`Epilogue`] made ready for one panel of up to 16 channels.
#[derive(Clone, Copy, Debug)]
pub(super) struct PanelEpilogue<'a, S: Simd> {
    channel: usize,
    count: usize,
    bias: S::F32,
    residual: Option<View<'a, f32>>,
    function: LaneFunction<'a, S>,
}

impl<'a, S: Simd> PanelEpilogue<'a, S> {
    /// The epilogue of channels `channel..channel + count`.
    #[inline(always)]
    pub(super) fn new(s: S, epilogue: &'a Epilogue<'_>, channel: usize, count: usize) -> Self {
        Self::with(s, epilogue, LaneFunction::new(s, &epilogue.activation), channel, count)
    }

    /// The same, with the epilogue's function made ready before.
    #[inline(always)]
    pub(super) fn with(
        s: S,
        epilogue: &Epilogue<'a>,
        function: LaneFunction<'a, S>,
        channel: usize,
        count: usize,
    ) -> Self {
        let bias = match &epilogue.bias {
            Some(bias) => channel_lanes(s, bias, channel),
            None => s.splat(0.0),
        };
        let residual = epilogue.residual.and_then(|source| source.single().map(|_| source.memory()));
        Self { channel, count, bias, residual, function }
    }

    /// Finishes the sums of a pixel and stores them. The pixel begins at `output` of the sink's memory and at `residual` of the
    /// residual's, whose lanes are read before any is stored: the two may be the same memory.
    #[inline(always)]
    pub(super) fn store(&self, s: S, sums: S::F32, sink: &ViewMut<'_, f32>, output: usize, residual: usize) {
        let mut x = s.add(sums, self.bias);
        if let Some(memory) = &self.residual {
            x = s.add(x, memory.load_partial(s, residual + self.channel, self.count));
        }
        sink.store_partial(s, output + self.channel, self.function.apply(s, x), self.count);
    }

    /// Are there 16 channels, and a function that needs no choice? Then [`PanelEpilogue::store_whole`] does, and sums stay in
    /// registers.
    #[inline(always)]
    pub(super) const fn is_whole(&self) -> bool {
        self.has(LANES)
    }

    /// Are there so many channels, and a function that needs no choice?
    #[inline(always)]
    const fn has(&self, channels: usize) -> bool {
        self.count == channels && self.function.other.is_none()
    }

    /// [`PanelEpilogue::store`] where it [is whole](Self::is_whole).
    #[inline(always)]
    pub(super) fn store_whole(
        &self,
        s: S,
        sums: S::F32,
        sink: &ViewMut<'_, f32>,
        output: usize,
        residual: usize,
    ) {
        let mut x = s.add(sums, self.bias);
        if let Some(memory) = &self.residual {
            x = s.add(x, memory.load(s, residual + self.channel));
        }
        sink.store(s, output + self.channel, self.function.clamp(s, x));
    }

    /// [`PanelEpilogue::store`] of the first `count` of some pixels of a row, `WIDTH` channels of each (16 or 8) at most. The first begins at `places[0]` of the sink's memory
    /// and at `places[1]` of the residual's, each further one `steps` elements behind.
    #[inline(always)]
    pub(super) fn store_row<const PIXELS: usize, const WIDTH: usize>(
        &self,
        s: S,
        sums: &[S::F32; PIXELS],
        count: usize,
        sink: &ViewMut<'_, f32>,
        places: [usize; 2],
        steps: [usize; 2],
    ) {
        if self.has(WIDTH) && self.residual.is_none() {
            let outputs = sink.vectors::<WIDTH>(places[0] + self.channel, steps[0], count);
            for (pixel, &sum) in sums.iter().enumerate() {
                if pixel < count {
                    outputs.store(s, pixel, self.function.clamp(s, s.add(sum, self.bias)));
                }
            }
            return;
        }
        // Through memory and a loop; the sums themselves stay in registers.
        let mut lanes = [[0.0; LANES]; PIXELS];
        for pixel in 0..PIXELS {
            lanes[pixel] = s.to_array(sums[pixel]);
        }
        for (pixel, lanes) in lanes.iter().enumerate().take(count) {
            let [output, residual] = [places[0] + pixel * steps[0], places[1] + pixel * steps[1]];
            self.store(s, s.lanes(*lanes), sink, output, residual);
        }
    }
}

/// Lanes `channel..channel + 16` of a vector of channels; lanes behind its end are 0.
#[inline(always)]
pub(super) fn channel_lanes<S: Simd>(s: S, channels: &View<'_, f32>, channel: usize) -> S::F32 {
    let count = channels.len().saturating_sub(channel).min(LANES);
    channels.load_partial(s, channel, count)
}
