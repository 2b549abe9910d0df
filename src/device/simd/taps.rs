//! Sums of a window's taps, channel by channel: the inner loop of depthwise convolutions.

use super::lanes::{LANES, Simd};
use super::view::{View, outside};

/// A grid of `rows × columns` taps over pixels of `channels` channels.
#[derive(Clone, Copy, Debug)]
pub struct Taps<'a> {
    /// The memory of the pixels.
    pub pixels: View<'a, f32>,
    /// Rows of taps.
    pub rows: usize,
    /// Elements from one row of taps to the next.
    pub row_stride: usize,
    /// Columns of taps.
    pub columns: usize,
    /// Elements from one column of taps to the next.
    pub column_stride: usize,
    /// Channels.
    pub channels: usize,
    /// The weights of 16 channels at a time: `[panel][row][column][16]`, beginning at the grid's first tap.
    pub weights: View<'a, f32>,
    /// Elements from one row of weights to the next.
    pub weight_row_stride: usize,
    /// Elements from one panel of weights to the next.
    pub weight_panel_stride: usize,
}

impl<'a> Taps<'a> {
    /// The same taps at `OUTPUTS` places: tap (0, 0) of output `o` is the pixel that begins at `starts[o]`.
    #[inline(always)]
    pub fn at<const OUTPUTS: usize>(&self, starts: &[u32]) -> TapBlock<'a, OUTPUTS> {
        let Some(starts) = starts.first_chunk::<OUTPUTS>() else { outside() };
        let last = starts.iter().fold(0, |last, &start| last.max(start));
        let (rows, columns) = (self.rows.saturating_sub(1), self.columns.saturating_sub(1));
        let grid =
            rows.saturating_mul(self.row_stride).saturating_add(columns.saturating_mul(self.column_stride));
        if self.rows > 0 && self.columns > 0 {
            self.pixels.range(last as usize, grid.saturating_add(self.channels));
        }
        let panels = self.channels.div_ceil(LANES);
        let weights = rows
            .saturating_mul(self.weight_row_stride)
            .saturating_add(panels.saturating_sub(1).saturating_mul(self.weight_panel_stride))
            .saturating_add(columns.saturating_mul(LANES));
        self.weights.range(weights, LANES);
        TapBlock {
            taps: *self,
            pixels: starts.map(|start| self.pixels.pointer().wrapping_add(start as usize)),
        }
    }
}

/// [`Taps`] at several places, all of them checked.
#[derive(Clone, Copy, Debug)]
pub struct TapBlock<'a, const OUTPUTS: usize> {
    taps: Taps<'a>,
    pixels: [*const f32; OUTPUTS],
}

impl<const OUTPUTS: usize> TapBlock<'_, OUTPUTS> {
    /// The sums over all taps of channels `panel·16…` of each output. Each is one chain over rows, then columns of taps.
    #[inline(always)]
    pub fn sums<S: Simd>(&self, s: S, panel: usize) -> [S::F32; OUTPUTS] {
        let channel = panel * LANES;
        if channel >= self.taps.channels {
            outside();
        }
        if self.taps.channels - channel >= LANES {
            // SAFETY: 16 channels from `channel` on are inside a pixel, and `at` checked all channels of every tap.
            self.sum_lanes(s, panel, |pixel| unsafe { s.load_pointer(pixel) })
        } else {
            let count = self.taps.channels - channel;
            // SAFETY: as above, with `count` channels.
            self.sum_lanes(s, panel, |pixel| unsafe { s.load_pointer_partial(pixel, count) })
        }
    }

    #[inline(always)]
    fn sum_lanes<S: Simd>(
        &self,
        s: S,
        panel: usize,
        load: impl Fn(*const f32) -> S::F32,
    ) -> [S::F32; OUTPUTS] {
        let taps = &self.taps;
        let weights = taps.weights.pointer().wrapping_add(panel * taps.weight_panel_stride);
        let mut sums = [s.splat(0.0); OUTPUTS];
        for row in 0..taps.rows {
            for column in 0..taps.columns {
                let weight = weights.wrapping_add(row * taps.weight_row_stride + column * LANES);
                // SAFETY: `at` checked 16 weights at the last tap of the last panel, which is behind every other tap's.
                let weight = unsafe { s.load_pointer(weight) };
                let tap = panel * LANES + row * taps.row_stride + column * taps.column_stride;
                for (sum, pixel) in sums.iter_mut().zip(&self.pixels) {
                    *sum = s.mul_add(load(pixel.wrapping_add(tap)), weight, *sum);
                }
            }
        }
        sums
    }
}
