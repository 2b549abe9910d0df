//! Sums of a window's taps, channel by channel: the inner loop of depthwise convolutions.

use crate::device::tensor::{Axis, Window};

use super::lanes::{LANES, Simd};
use super::view::{View, outside};

/// Pixels that lie at even distances, all of them inside a memory.
#[derive(Clone, Copy, Debug)]
pub struct Pixels<'a> {
    memory: View<'a, f32>,
    rows: usize,
    row_stride: usize,
    columns: usize,
    pixel_stride: usize,
    channels: usize,
}

impl<'a> Pixels<'a> {
    /// `rows × columns` pixels of `channels` channels from the start of `memory` on; strides count elements.
    #[inline(always)]
    pub fn new(
        memory: View<'a, f32>,
        [rows, row_stride]: [usize; 2],
        [columns, pixel_stride]: [usize; 2],
        channels: usize,
    ) -> Self {
        if rows > 0 && columns > 0 {
            let last_row = (rows - 1).saturating_mul(row_stride);
            let last_pixel = last_row.saturating_add((columns - 1).saturating_mul(pixel_stride));
            memory.range(last_pixel, channels);
        }
        Self { memory, rows, row_stride, columns, pixel_stride, channels }
    }
}

/// A window's taps over pixels: `sum[c] = Σ pixel(y·stride + ky·dilation − pad, …)[c] · weight[ky][kx][c]`, over the taps that
/// lie on a pixel.
#[derive(Clone, Copy, Debug)]
pub struct Taps<'a> {
    pixels: Pixels<'a>,
    window: &'a Window,
    weights: View<'a, f32>,
    weight_panel_stride: usize,
}

impl<'a> Taps<'a> {
    /// The taps of `window`; `weights` are `[panel][row][column][16]`, the channels of a panel side by side.
    #[inline(always)]
    pub fn new(pixels: Pixels<'a>, window: &'a Window, weights: View<'a, f32>) -> Self {
        let weight_panel_stride = (window.taps() as usize).saturating_mul(LANES);
        let weights = weights.range(0, pixels.channels.div_ceil(LANES).saturating_mul(weight_panel_stride));
        Self { pixels, window, weights, weight_panel_stride }
    }

    /// The taps of outputs in rows `first[0]..first[0] + size[0]` and columns `first[1]..first[1] + size[1]`: at least one, and
    /// at most `ROWS × COLUMNS` (`ROWS` at most 2, `COLUMNS` at most 7).
    ///
    /// `RUN × RUN` taps, `RUN` at most 5, are summed together, so that a pixel is loaded once for all taps and outputs that read it:
    /// the whole window with the stride `STEP` (at most 2) and dilation 1, or one tap, and `STEP` 1, of any window.
    #[inline(always)]
    pub fn block<const RUN: usize, const STEP: usize, const ROWS: usize, const COLUMNS: usize>(
        &self,
        first: [usize; 2],
        size: [usize; 2],
    ) -> TapBlock<'a, RUN, STEP, ROWS, COLUMNS> {
        const { assert!(RUN <= 5 && STEP <= 2 && ROWS <= 2 && COLUMNS <= 7) };
        let [y, x] = [&self.window.y, &self.window.x];
        let is_run =
            |axis: &Axis| axis.kernel as usize == RUN && axis.stride as usize == STEP && axis.dilation == 1;
        let fits = if RUN > 1 { is_run(y) && is_run(x) } else { STEP == 1 };
        if !fits || size[0].wrapping_sub(1) >= ROWS || size[1].wrapping_sub(1) >= COLUMNS {
            outside();
        }
        let is_inside = size == [ROWS, COLUMNS]
            && reaches_inside(y, first[0], ROWS, self.pixels.rows)
            && reaches_inside(x, first[1], COLUMNS, self.pixels.columns);
        let [row, column] = [y.first_input(first[0]), x.first_input(first[1])];
        let valid = [
            valid_pixels(row, (size[0] - 1) * STEP + RUN, self.pixels.rows),
            valid_pixels(column, (size[1] - 1) * STEP + RUN, self.pixels.columns),
        ];
        TapBlock { taps: *self, first: [row as usize, column as usize], size, valid, is_inside }
    }
}

/// Do all taps of `outputs` outputs from `first` on lie on one of `len` elements?
#[inline(always)]
fn reaches_inside(axis: &Axis, first: usize, outputs: usize, len: usize) -> bool {
    let first = axis.first_input(first);
    let reach = ((outputs - 1) * axis.stride as usize) as u64 + axis.span();
    first >= 0 && first as u64 + reach <= len as u64
}

/// Those of `count` rows or columns from `first` on, at most 17, that are pixels: bit `i` is `first + i`.
#[inline(always)]
fn valid_pixels(first: isize, count: usize, len: usize) -> u32 {
    let before = first.saturating_neg().clamp(0, 31) as u32;
    let end = (len as isize).saturating_sub(first).clamp(0, count as isize) as u32;
    ((1 << end) - 1) & (u32::MAX << before)
}

/// The same, `stride` apart.
#[inline(always)]
fn valid_taps(first: usize, stride: usize, count: usize, len: usize) -> u32 {
    let mut valid = 0;
    for i in 0..count {
        valid |= u32::from(first.wrapping_add(i * stride) < len) << i;
    }
    valid
}

/// [`Taps`] of a block of outputs.
#[derive(Clone, Copy, Debug)]
pub struct TapBlock<'a, const RUN: usize, const STEP: usize, const ROWS: usize, const COLUMNS: usize> {
    taps: Taps<'a>,
    /// Row and column of the first output's first tap; those before the first pixel are wrapped.
    first: [usize; 2],
    size: [usize; 2],
    /// Rows and columns of the patch under the block that are pixels, a bit each; with one tap a run they differ from tap to tap.
    valid: [u32; 2],
    is_inside: bool,
}

impl<const RUN: usize, const STEP: usize, const ROWS: usize, const COLUMNS: usize>
    TapBlock<'_, RUN, STEP, ROWS, COLUMNS>
{
    /// Is it a full block, all taps of which lie on pixels?
    #[inline(always)]
    pub const fn is_inside(&self) -> bool {
        self.is_inside
    }

    /// The sums of part `part` of the channels, 16 each, or 8 in the first lanes if `LOW`; those of outputs beyond the block are
    /// arbitrary. Each is one chain over rows, then columns of taps, whatever the block. `INSIDE` says that the block is inside
    /// and the part whole.
    #[inline(always)]
    pub fn sums<S: Simd, const INSIDE: bool, const LOW: bool>(
        &self,
        s: S,
        part: usize,
    ) -> [[S::F32; COLUMNS]; ROWS] {
        let lanes = const { if LOW { LANES / 2 } else { LANES } };
        let (pixels, channel) = (&self.taps.pixels, part * lanes);
        if channel >= pixels.channels || (INSIDE && !(self.is_inside && pixels.channels - channel >= lanes)) {
            outside();
        }
        let count = pixels.channels - channel;
        if INSIDE || count >= lanes {
            // SAFETY: so many channels from `channel` on are inside a pixel, and `sum` reads pixels alone.
            self.sum::<S, INSIDE, LOW>(s, channel, |pixel| unsafe { load::<S, LOW>(s, pixel) })
        } else {
            // SAFETY: as above, with `count` channels.
            self.sum::<S, INSIDE, LOW>(s, channel, |pixel| unsafe { s.load_pointer_partial(pixel, count) })
        }
    }

    /// [`TapBlock::sums`]; `load` is called for channels `channel…` of pixels alone.
    #[inline(always)]
    fn sum<S: Simd, const INSIDE: bool, const LOW: bool>(
        &self,
        s: S,
        channel: usize,
        load: impl Fn(*const f32) -> S::F32,
    ) -> [[S::F32; COLUMNS]; ROWS] {
        let window = self.taps.window;
        // The compiler has to see that a whole window is one patch.
        let [rows, columns] = if RUN > 1 { [1; 2] } else { [window.y.kernel, window.x.kernel] };
        let [panel, lane] = [channel / LANES, channel % LANES];
        let weights = self.taps.weights.pointer().wrapping_add(panel * self.taps.weight_panel_stride);
        let mut weights = weights.wrapping_add(lane);
        let mut sums = [[s.splat(0.0); COLUMNS]; ROWS];
        for y in 0..rows as usize {
            for x in 0..columns as usize {
                let patch = self.patch::<INSIDE>(channel, y, x);
                self.add_patch::<S, INSIDE, LOW>(s, &mut sums, &patch, weights, &load);
                weights = weights.wrapping_add(RUN * RUN * LANES);
            }
        }
        sums
    }

    /// The pixels under the block's runs whose first tap is `(y, x)`.
    #[inline(always)]
    fn patch<const INSIDE: bool>(&self, channel: usize, y: usize, x: usize) -> Patch {
        let (pixels, window) = (&self.taps.pixels, self.taps.window);
        let row = self.first[0].wrapping_add(y * window.y.dilation as usize);
        let column = self.first[1].wrapping_add(x * window.x.dilation as usize);
        let place =
            row.wrapping_mul(pixels.row_stride).wrapping_add(column.wrapping_mul(pixels.pixel_stride));
        let first = pixels.memory.pointer().wrapping_add(place.wrapping_add(channel));
        if RUN > 1 {
            let strides = [pixels.row_stride, pixels.pixel_stride];
            return Patch { first, strides, valid: self.valid };
        }
        let [step_y, step_x] = [window.y.stride as usize, window.x.stride as usize];
        let valid = if INSIDE {
            self.valid
        } else {
            [
                valid_taps(row, step_y, self.size[0], pixels.rows),
                valid_taps(column, step_x, self.size[1], pixels.columns),
            ]
        };
        Patch { first, strides: [step_y * pixels.row_stride, step_x * pixels.pixel_stride], valid }
    }

    /// Adds the products of a patch and `RUN × RUN` weights.
    #[inline(always)]
    fn add_patch<S: Simd, const INSIDE: bool, const LOW: bool>(
        &self,
        s: S,
        sums: &mut [[S::F32; COLUMNS]; ROWS],
        patch: &Patch,
        weights: *const f32,
        load: &impl Fn(*const f32) -> S::F32,
    ) {
        macro_rules! add_row {
            ($row:expr, $place:expr, $weight:ident) => {
                let pixels = patch.first.wrapping_add($place * patch.strides[0]);
                unrolled!(C in [0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16]; (COLUMNS - 1) * STEP + RUN => {
                    if INSIDE || patch.valid[1] & 1 << C != 0 {
                        let pixel = load(pixels.wrapping_add(C * patch.strides[1]));
                        add_pixel::<S, RUN, STEP, ROWS, COLUMNS, LOW>(s, sums, &$weight, pixel, [$row, C]);
                    }
                });
            };
        }
        let mut weight = [[s.splat(0.0); RUN]; RUN];
        if ROWS == 1 && !INSIDE {
            // Few registers: one row of weights at a time is all that they hold.
            let rows = if RUN > 1 { self.taps.window.y.kernel as usize } else { 1 };
            for row in 0..rows {
                // SAFETY: a patch's weights are inside those that `Taps::new` checked.
                weight[0] = unsafe { load_row::<S, RUN, LOW>(s, weights.wrapping_add(row * RUN * LANES)) };
                if patch.valid[0] & 1 << row != 0 {
                    add_row!(0, row, weight);
                }
            }
            return;
        }
        unrolled!(ROW in [0 1 2 3 4 5 6]; (ROWS - 1) * STEP + RUN => {
            if ROW < RUN {
                // SAFETY: as above.
                weight[ROW % RUN] = unsafe { load_row::<S, RUN, LOW>(s, weights.wrapping_add(ROW * RUN * LANES)) };
            }
            if INSIDE || patch.valid[0] & 1 << ROW != 0 {
                add_row!(ROW, ROW, weight);
            }
        });
    }
}

/// Pixels under a block for `RUN × RUN` taps: rows and columns at even distances, of which some are pixels (a bit each).
struct Patch {
    first: *const f32,
    strides: [usize; 2],
    valid: [u32; 2],
}

/// Loads 16 channels, or 8 if `LOW`.
///
/// # Safety
/// `source` must be valid for reads of so many elements.
#[inline(always)]
unsafe fn load<S: Simd, const LOW: bool>(s: S, source: *const f32) -> S::F32 {
    // SAFETY: the caller's contract.
    if LOW { unsafe { s.load_pointer_low(source) } } else { unsafe { s.load_pointer(source) } }
}

/// Loads a row of weights.
///
/// # Safety
/// `weights` must be valid for reads of 16 elements (8 if `LOW`) at each of `RUN` places, 16 apart.
#[inline(always)]
unsafe fn load_row<S: Simd, const RUN: usize, const LOW: bool>(s: S, weights: *const f32) -> [S::F32; RUN] {
    let mut row = [s.splat(0.0); RUN];
    for (k, weight) in row.iter_mut().enumerate() {
        // SAFETY: `k < RUN`, and the caller's contract.
        *weight = unsafe { load::<S, LOW>(s, weights.wrapping_add(k * LANES)) };
    }
    row
}

/// Adds the products of the pixel at `[row, column]` of a patch to all sums whose windows lie on it.
#[inline(always)]
#[allow(clippy::needless_range_loop, reason = "the indices decide which of the sums they are for")]
fn add_pixel<
    S: Simd,
    const RUN: usize,
    const STEP: usize,
    const ROWS: usize,
    const COLUMNS: usize,
    const LOW: bool,
>(
    s: S,
    sums: &mut [[S::F32; COLUMNS]; ROWS],
    weight: &[[S::F32; RUN]; RUN],
    pixel: S::F32,
    [row, column]: [usize; 2],
) {
    for r in 0..ROWS {
        for kx in 0..RUN {
            let is_under =
                row >= r * STEP && row < r * STEP + RUN && column >= kx && (column - kx) % STEP == 0;
            if is_under && (column - kx) / STEP < COLUMNS {
                let o = (column - kx) / STEP;
                let weight = weight[row - r * STEP][kx];
                sums[r][o] = if LOW {
                    s.mul_add_low(pixel, weight, sums[r][o])
                } else {
                    s.mul_add(pixel, weight, sums[r][o])
                };
            }
        }
    }
}
