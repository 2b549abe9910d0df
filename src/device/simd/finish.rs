//! The end of a register tile: what becomes of its sums, while they are still in registers.
//!
//! Called by `tile`. The passes over the sums are loops of constant length, one pass for each operation, so that what is not
//! asked for costs one branch.
#![allow(
    clippy::needless_range_loop,
    reason = "loops of constant length over rows and panels of registers; iterators may not be inlined into the level's code"
)]

use core::ops::Range;

use super::lanes::{LANES, Simd};
use super::product::Places;
use super::view::{View, ViewMut, outside};

/// The sums of a tile in memory: row `r`, panel `p` at `memory[r · stride + p·16 ..]`.
#[derive(Clone, Copy, Debug)]
pub struct Sums<'a> {
    /// The memory.
    pub memory: ViewMut<'a, f32>,
    /// Elements from one row to the next.
    pub stride: usize,
    /// Does the memory hold sums already, to which others are added?
    pub begun: bool,
}

/// The totals of a tile's chains.
#[derive(Debug)]
pub struct Total<'a, const ROWS: usize, const PANELS: usize> {
    sums: Sums<'a>,
}

impl<'a, const ROWS: usize, const PANELS: usize> Total<'a, ROWS, PANELS> {
    /// Totals at `sums`.
    #[inline(always)]
    pub(super) const fn new(sums: Sums<'a>) -> Self {
        Self { sums }
    }

    /// The address of the totals, all of which are checked, and the elements from row to row. The stride is hidden from the
    /// optimiser, which would compute all rows' places for every tile, though few chains are broken.
    #[inline(always)]
    fn place(&self) -> (*mut f32, usize) {
        let stride = core::hint::black_box(self.sums.stride);
        self.sums.memory.range((ROWS - 1).saturating_mul(stride), PANELS * LANES);
        (self.sums.memory.pointer(), stride)
    }

    /// `sums = totals + sums`, if there are totals.
    #[inline(always)]
    pub(super) fn add<S: Simd>(&self, s: S, sums: &mut [[S::F32; PANELS]; ROWS]) {
        if self.sums.begun {
            let (first, stride) = self.place();
            for r in 0..ROWS {
                for p in 0..PANELS {
                    let place = first.wrapping_add(r * stride + p * LANES);
                    // SAFETY: checked: 16 elements at the last panel of the last row, which is behind every other one.
                    sums[r][p] = s.add(unsafe { s.load_pointer(place) }, sums[r][p]);
                }
            }
        }
    }

    /// The totals are `sums` now.
    #[inline(always)]
    pub(super) fn keep<S: Simd>(&mut self, s: S, sums: &[[S::F32; PANELS]; ROWS]) {
        self.write(s, sums);
        self.sums.begun = true;
    }

    #[inline(always)]
    fn write<S: Simd>(&self, s: S, sums: &[[S::F32; PANELS]; ROWS]) {
        let (first, stride) = self.place();
        for r in 0..ROWS {
            for p in 0..PANELS {
                // SAFETY: as in `add`.
                unsafe { s.store_pointer(first.wrapping_add(r * stride + p * LANES), sums[r][p]) };
            }
        }
    }
}

/// What becomes of a tile's sums: [`Keep`] or [`Finish`].
pub trait End {
    /// Lanes that are wanted of the last of the product's first `panels` panels.
    fn lanes(&self, panels: usize) -> usize;

    /// Takes the sums of the tile whose first row and panel of the product are these.
    fn end<S: Simd, const ROWS: usize, const PANELS: usize>(
        &self,
        s: S,
        first: [usize; 2],
        total: &Total<'_, ROWS, PANELS>,
        sums: &mut [[S::F32; PANELS]; ROWS],
    );
}

/// The sums stay in memory, where their totals are.
#[derive(Clone, Copy, Debug)]
pub struct Keep;

impl End for Keep {
    #[inline(always)]
    fn lanes(&self, _panels: usize) -> usize {
        LANES
    }

    #[inline(always)]
    fn end<S: Simd, const ROWS: usize, const PANELS: usize>(
        &self,
        s: S,
        _first: [usize; 2],
        total: &Total<'_, ROWS, PANELS>,
        sums: &mut [[S::F32; PANELS]; ROWS],
    ) {
        total.write(s, sums);
    }
}

/// The sums become outputs: `min(max(sum + bias + residual, low), high)`.
///
/// A tile's residual is read before anything of it is written: its memory may be the target's.
#[derive(Clone, Copy, Debug)]
pub struct Finish<'a> {
    target: ViewMut<'a, f32>,
    outputs: Places<'a>,
    residual: Option<(View<'a, f32>, Places<'a>)>,
    /// The product's first channel in target and residual, and their number.
    channels: [usize; 2],
    bias: View<'a, f32>,
    bounds: [f32; 2],
}

impl<'a> Finish<'a> {
    /// Row `r` of the product is written to `channels` of the pixel that begins at `outputs[r]` of the target, and the same
    /// channels of the residual's pixels are added. `bias` has a summand for each channel, those behind its end are 0. No
    /// output is less than the first of `bounds` or greater than the second. All places are checked here, for all tiles.
    #[inline(always)]
    pub fn new(
        (target, outputs): (ViewMut<'a, f32>, Places<'a>),
        residual: Option<(View<'a, f32>, Places<'a>)>,
        channels: Range<usize>,
        bias: View<'a, f32>,
        bounds: [f32; 2],
    ) -> Self {
        if !outputs.is_empty() {
            target.range(outputs.last(), channels.end);
        }
        if let Some((memory, places)) = &residual
            && !places.is_empty()
        {
            memory.range(places.last(), channels.end);
        }
        Self { target, outputs, residual, channels: [channels.start, channels.len()], bias, bounds }
    }

    /// `sums += bias`
    #[inline(always)]
    fn add_bias<S: Simd, const ROWS: usize, const PANELS: usize>(
        &self,
        s: S,
        channel: usize,
        sums: &mut [[S::F32; PANELS]; ROWS],
    ) {
        for p in 0..PANELS {
            let channel = channel + p * LANES;
            let count = self.bias.len().saturating_sub(channel).min(LANES);
            let bias = if count == 0 { s.splat(0.0) } else { self.bias.load_partial(s, channel, count) };
            for r in 0..ROWS {
                sums[r][p] = s.add(sums[r][p], bias);
            }
        }
    }

    /// `sums += residual`; of the last panel `lanes` lanes.
    #[inline(always)]
    fn add_residual<S: Simd, const ROWS: usize, const PANELS: usize>(
        &self,
        s: S,
        [row, channel]: [usize; 2],
        lanes: usize,
        sums: &mut [[S::F32; PANELS]; ROWS],
    ) {
        let Some((memory, places)) = self.residual else { return };
        let (first, places) = (memory.pointer().wrapping_add(channel), places.array::<ROWS>(row));
        for r in 0..ROWS {
            for p in 0..PANELS {
                let place = first.wrapping_add(places[r] as usize + p * LANES);
                let x = if p == PANELS - 1 && lanes < LANES {
                    // SAFETY: `lanes` elements from here on are channels of a pixel whose place is not behind the last one,
                    // for which `new` checked all channels.
                    unsafe { s.load_pointer_partial(place, lanes) }
                } else {
                    // SAFETY: as above: a panel that is wanted whole, or stands before another one.
                    unsafe { s.load_pointer(place) }
                };
                sums[r][p] = s.add(sums[r][p], x);
            }
        }
    }

    /// `sums = min(high, max(low, sums))`, with the bits of both even where one is not needed.
    #[inline(always)]
    fn clamp<S: Simd, const ROWS: usize, const PANELS: usize>(
        &self,
        s: S,
        sums: &mut [[S::F32; PANELS]; ROWS],
    ) {
        let [low, high] = self.bounds;
        if low != f32::NEG_INFINITY {
            let low = s.splat(low);
            for r in 0..ROWS {
                for p in 0..PANELS {
                    sums[r][p] = s.max(low, sums[r][p]);
                }
            }
        }
        if high != f32::INFINITY {
            let high = s.splat(high);
            for r in 0..ROWS {
                for p in 0..PANELS {
                    sums[r][p] = s.min(high, sums[r][p]);
                }
            }
        }
    }

    /// Writes the sums; of the last panel `lanes` lanes.
    #[inline(always)]
    fn write<S: Simd, const ROWS: usize, const PANELS: usize>(
        &self,
        s: S,
        [row, channel]: [usize; 2],
        lanes: usize,
        sums: &[[S::F32; PANELS]; ROWS],
    ) {
        let (first, places) = (self.target.pointer().wrapping_add(channel), self.outputs.array::<ROWS>(row));
        for r in 0..ROWS {
            for p in 0..PANELS {
                let place = first.wrapping_add(places[r] as usize + p * LANES);
                if p == PANELS - 1 && lanes < LANES {
                    // SAFETY: as in `add_residual`, of the target.
                    unsafe { s.store_pointer_partial(place, sums[r][p], lanes) };
                } else {
                    // SAFETY: as above.
                    unsafe { s.store_pointer(place, sums[r][p]) };
                }
            }
        }
    }
}

impl End for Finish<'_> {
    #[inline(always)]
    fn lanes(&self, panels: usize) -> usize {
        let before = panels.saturating_sub(1) * LANES;
        if before >= self.channels[1] {
            outside();
        }
        (self.channels[1] - before).min(LANES)
    }

    #[inline(always)]
    fn end<S: Simd, const ROWS: usize, const PANELS: usize>(
        &self,
        s: S,
        [row, panel]: [usize; 2],
        _total: &Total<'_, ROWS, PANELS>,
        sums: &mut [[S::F32; PANELS]; ROWS],
    ) {
        let (lanes, channel) = (self.lanes(panel + PANELS), self.channels[0] + panel * LANES);
        self.add_bias(s, channel, sums);
        self.add_residual(s, [row, channel], lanes, sums);
        self.clamp(s, sums);
        self.write(s, [row, channel], lanes, sums);
    }
}
