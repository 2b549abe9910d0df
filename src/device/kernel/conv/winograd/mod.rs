//! Winograd convolution: F(2×2,3×3), four outputs from 16 products instead of 36, and F(4×4,3×3), 16 outputs from 36 instead of
//! 144 (Lavin & Gray 2015, "Fast Algorithms for Convolutional Neural Networks").
//!
//! With a patch `d` of the input (4×4 or 6×6) and a 3×3 filter `g`, the outputs of a tile are `Aᵀ[(G g Gᵀ) ⊙ (Bᵀ d B)]A`; the
//! sum over channels of the elementwise products is, for each place of the patch ("frequency"), a matrix product. Patches are
//! anchored at rows and columns that the tile divides, so a band that begins elsewhere computes the same bits.
//!
//! Order: block of patches → input transform of all frequencies, `V[frequency][patch][c]` → for each group of panels and each
//! frequency the product `M[frequency][patch][outputs]` → output transform with the epilogue. V, M and the panel in use fit
//! into L2. The matrices are in [`tile`]. Called by [`conv_f32`](super::conv_f32).

mod tile;

use core::ops::Range;

use crate::device::simd::{LANES, Product, Runs, Simd, View, ViewMut, sum_tile};
use crate::device::tensor::Segment;

use super::super::band::{LaneFunction, PanelEpilogue, channel_lanes};
use super::super::params::ConvParams;
use super::block::{FETCHED_WEIGHTS, Split};
use super::{Band, ConvTask, Prologue};
use tile::{FourByFour, Tile, TwoByTwo};
pub use tile::{winograd_2x2_transform, winograd_4x4_transform};

/// Patches of a block at most.
const MAX_PATCHES: usize = 96;
/// Patches of a block at least, if there are so many: fewer would read the weights too often.
const MIN_PATCHES: usize = 12;
/// Elements of V, about: three fifths of a 1 MB L2.
const V_LEN: usize = 152 * 1024;
/// Outputs that are transformed back at a time: the largest tile's.
const GROUP: usize = 2 * LANES;
/// Elements between the planes of two frequencies beyond their size, so that they do not compete for the same lines of L1.
const SKEW: usize = LANES;

/// Patches of a block, where a picture has `all` of them: V takes about three fifths of L2. The compiler's cost model asks too.
pub const fn winograd_block(frequencies: usize, inputs: u32, all: usize) -> usize {
    let channels = (inputs as usize).next_multiple_of(LANES);
    let mut patches = V_LEN / frequencies / if channels == 0 { 1 } else { channels };
    if patches < MIN_PATCHES {
        patches = MIN_PATCHES;
    }
    if patches > MAX_PATCHES {
        patches = MAX_PATCHES;
    }
    if patches > all { all } else { patches }
}

/// The sizes of a block.
#[derive(Clone, Copy, Debug)]
struct Layout {
    /// Patches of a block at most.
    patches: usize,
    /// Elements from one patch to the next in V: the channels, filled up to whole vectors.
    channels: usize,
    /// Elements from one frequency to the next in V.
    v_plane: usize,
    /// Elements from one frequency to the next in M.
    m_plane: usize,
}

impl Layout {
    /// For tiles of `out` outputs of `patch` inputs in each dimension.
    const fn of(params: &ConvParams, [out, patch]: [usize; 2]) -> Self {
        let channels = (params.input.c as usize).next_multiple_of(LANES);
        let all =
            (params.output.h as usize).div_ceil(out).saturating_mul((params.output.w as usize).div_ceil(out));
        let patches = winograd_block(patch * patch, params.input.c, all);
        let v_plane = patches.saturating_mul(channels).saturating_add(SKEW);
        Self { patches, channels, v_plane, m_plane: patches * GROUP + SKEW }
    }
}

/// Elements of scratch: V and M of one block, for tiles of `out` outputs in each dimension.
pub(super) const fn scratch_len(params: &ConvParams, out: usize) -> Option<u32> {
    if params.input.c > u32::MAX / 2 {
        return None;
    }
    let patch = out + 2;
    let layout = Layout::of(params, [out, patch]);
    let len = (layout.v_plane as u64 + layout.m_plane as u64) * (patch * patch) as u64;
    if len > u32::MAX as u64 { None } else { Some(len as u32) }
}

/// Computes the rows of a band by F(2×2,3×3).
#[inline(always)]
pub(super) fn conv_2x2<S: Simd>(s: S, task: &ConvTask<'_>, band: &Band, scratch: ViewMut<'_, f32>) {
    conv::<S, TwoByTwo, 2, 4>(s, task, band, scratch);
}

/// Computes the rows of a band by F(4×4,3×3).
#[inline(always)]
pub(super) fn conv_4x4<S: Simd>(s: S, task: &ConvTask<'_>, band: &Band, scratch: ViewMut<'_, f32>) {
    conv::<S, FourByFour, 4, 6>(s, task, band, scratch);
}

#[inline(always)]
fn conv<S: Simd, T: Tile<OUT, PATCH>, const OUT: usize, const PATCH: usize>(
    s: S,
    task: &ConvTask<'_>,
    band: &Band,
    scratch: ViewMut<'_, f32>,
) {
    let layout = Layout::of(task.params, [OUT, PATCH]);
    if band.rows.is_empty() || layout.patches == 0 {
        return;
    }
    let frequencies = PATCH * PATCH;
    let width = (task.params.output.w as usize).div_ceil(OUT);
    let patches = band.rows.start / OUT * width..band.rows.end.div_ceil(OUT) * width;
    let blocks = Split::new(patches.len(), patches.len().div_ceil(layout.patches));
    let v = scratch.range(0, frequencies * layout.v_plane);
    let m = scratch.range(v.len(), frequencies * layout.m_plane);
    let sums = Sums { frequencies, chain: T::chain_terms(task.params.input.c as usize), v, m };
    for block in 0..blocks.parts {
        let block = patches.start + blocks.bound(block)..patches.start + blocks.bound(block + 1);
        for run in runs(block.clone(), width, OUT) {
            let v = v.from(run.first * layout.channels);
            transform_input::<S, T, OUT, PATCH>(s, task, &layout, band.image, &run, v);
        }
        let panels = (task.params.output.c as usize).div_ceil(LANES);
        let mut panel = 0;
        while panel < panels {
            let group = panel..panels.min(panel + GROUP / LANES);
            multiply(s, task, &layout, group.clone(), block.len(), &sums);
            for run in runs(block.clone(), width, OUT) {
                let m = m.as_view().from(run.first * GROUP);
                transform_output::<S, T, OUT, PATCH>(s, task, &layout, band, &run, group.clone(), m);
            }
            panel = group.end;
        }
    }
}

/// Patches of one row of patches.
#[derive(Clone, Debug)]
struct PatchRun {
    /// The first one's number within the block.
    first: usize,
    /// First output row.
    y: usize,
    /// First output column of the first patch; the next patch begins a tile further on.
    x: usize,
    /// Patches.
    count: usize,
}

/// The patches of a block, row by row; `width` patches of `out` outputs are a row of the picture.
fn runs(block: Range<usize>, width: usize, out: usize) -> impl Iterator<Item = PatchRun> {
    (block.start / width..block.end.div_ceil(width)).map(move |row| {
        let patches = block.start.max(row * width)..block.end.min((row + 1) * width);
        PatchRun {
            first: patches.start - block.start,
            y: row * out,
            x: (patches.start - row * width) * out,
            count: patches.len(),
        }
    })
}

/// The products of a block.
struct Sums<'a> {
    /// Places of a patch.
    frequencies: usize,
    /// Terms after which a sum is broken.
    chain: usize,
    v: ViewMut<'a, f32>,
    m: ViewMut<'a, f32>,
}

/// `M = V · weights` of some panels, frequency by frequency.
#[inline(always)]
fn multiply<S: Simd>(
    s: S,
    task: &ConvTask<'_>,
    layout: &Layout,
    panels: Range<usize>,
    patches: usize,
    &Sums { frequencies, chain, v, m }: &Sums<'_>,
) {
    let channels = task.params.input.c as usize;
    let panel_stride = frequencies * channels * LANES;
    let mut starts = [0; MAX_PATCHES];
    for (patch, start) in starts.iter_mut().enumerate() {
        *start = (patch * layout.channels) as u32;
    }
    let tiles = Split::new(patches, patches.div_ceil(S::TILE_ROWS));
    let mut panel = panels.start;
    while panel < panels.end {
        let count = (panels.end - panel).min(S::TILE_PANELS);
        for f in 0..frequencies {
            let mut product = Product::new(
                v.as_view().range(f * layout.v_plane, patches * layout.channels),
                Runs::one(channels),
                chain,
                task.weights.from(panel * panel_stride + f * channels * LANES),
                count,
                panel_stride,
            );
            let sums = m.from(f * layout.m_plane + (panel - panels.start) * LANES);
            // The panels of the next frequency, or of the next group of panels.
            let distance = if task.weights.len() < FETCHED_WEIGHTS {
                0
            } else if f + 1 < frequencies {
                channels * LANES
            } else if panel + count < (task.params.output.c as usize).div_ceil(LANES) {
                count * panel_stride - f * channels * LANES
            } else {
                0
            };
            for part in 0..tiles.parts {
                let tile = tiles.bound(part)..tiles.bound(part + 1);
                if distance > 0 {
                    product.fetch(distance, [part, tiles.parts]);
                }
                let sums = sums.from(tile.start * GROUP);
                sum_tile(s, &product, &starts[tile], [0, count], sums, GROUP);
            }
        }
        panel += count;
    }
}

/// Writes `Bᵀ d B` of the patches of a run to all planes of V.
#[inline(always)]
fn transform_input<S: Simd, T: Tile<OUT, PATCH>, const OUT: usize, const PATCH: usize>(
    s: S,
    task: &ConvTask<'_>,
    layout: &Layout,
    image: usize,
    run: &PatchRun,
    v: ViewMut<'_, f32>,
) {
    let (input, window) = (&task.params.input, &task.params.window);
    let first_y = window.y.first_input(run.y);
    let mut channel = 0;
    for segment in task.source.segments() {
        let mut rows = [None; PATCH];
        for (i, row) in rows.iter_mut().enumerate() {
            let y = first_y + i as isize;
            if y >= 0 && y < input.h as isize {
                *row = Some(task.source.row(segment, image, y as usize));
            }
        }
        let patches = Patches { rows, segment, channel, width: input.w as isize, prologue: task.prologue };
        for patch in 0..run.count {
            let x = window.x.first_input(run.x + OUT * patch);
            patches.transform::<S, T, OUT>(s, layout, x, v.from(patch * layout.channels + channel));
        }
        channel += segment.channels as usize;
    }
}

/// The patches of a run in one segment.
struct Patches<'a, const PATCH: usize> {
    /// The input rows; `None` is padding.
    rows: [Option<View<'a, f32>>; PATCH],
    segment: &'a Segment,
    /// The segment's first channel.
    channel: usize,
    /// Pixels of a row.
    width: isize,
    prologue: Option<Prologue<'a>>,
}

impl<const PATCH: usize> Patches<'_, PATCH> {
    /// Transforms all channels of the patch that begins at input column `x`.
    #[inline(always)]
    fn transform<S: Simd, T: Tile<OUT, PATCH>, const OUT: usize>(
        &self,
        s: S,
        layout: &Layout,
        x: isize,
        v: ViewMut<'_, f32>,
    ) {
        let channels = self.segment.channels as usize;
        let whole = x >= 0 && x + PATCH as isize <= self.width && self.prologue.is_none();
        let whole = if whole { self.whole_rows() } else { None };
        let mut c = 0;
        while c < channels {
            let count = (channels - c).min(LANES);
            let patch = match &whole {
                Some(rows) if count == LANES => self.load_whole(s, rows, x as usize, c),
                _ => self.load(s, x, c, count),
            };
            transform_patch::<S, T, OUT, PATCH>(s, &patch, layout.v_plane, v.from(c), count);
            c += count;
        }
    }

    /// The rows, if none is padding.
    #[inline(always)]
    fn whole_rows(&self) -> Option<[View<'_, f32>; PATCH]> {
        let first = self.rows[0]?;
        let mut rows = [first; PATCH];
        for (whole, row) in rows.iter_mut().zip(&self.rows) {
            *whole = (*row)?;
        }
        Some(rows)
    }

    /// Channels `c..c + 16` of a patch without padding and prologue.
    #[inline(always)]
    fn load_whole<S: Simd>(
        &self,
        s: S,
        rows: &[View<'_, f32>; PATCH],
        x: usize,
        c: usize,
    ) -> [[S::F32; PATCH]; PATCH] {
        let pixel = self.segment.rows.pixel_stride as usize;
        let mut patch = [[s.splat(0.0); PATCH]; PATCH];
        for (row, view) in patch.iter_mut().zip(rows) {
            for (j, d) in row.iter_mut().enumerate() {
                *d = view.load(s, (x + j) * pixel + c);
            }
        }
        patch
    }

    /// Channels `c..c + count` of a patch, the prologue applied; 0 in the padding.
    #[inline(always)]
    fn load<S: Simd>(&self, s: S, x: isize, c: usize, count: usize) -> [[S::F32; PATCH]; PATCH] {
        let pixel = self.segment.rows.pixel_stride as usize;
        let mut patch = [[s.splat(0.0); PATCH]; PATCH];
        for (row, view) in patch.iter_mut().zip(&self.rows) {
            let Some(view) = view else { continue };
            for (j, d) in row.iter_mut().enumerate() {
                let x = x + j as isize;
                if x >= 0 && x < self.width {
                    *d = self.apply(s, view.load_partial(s, x as usize * pixel + c, count), c);
                }
            }
        }
        patch
    }

    /// Applies the prologue, if there is one, to channels from `c` on.
    #[inline(always)]
    fn apply<S: Simd>(&self, s: S, x: S::F32, c: usize) -> S::F32 {
        let Some(prologue) = &self.prologue else { return x };
        let scale = channel_lanes(s, &prologue.scale, self.channel + c);
        let shift = channel_lanes(s, &prologue.shift, self.channel + c);
        LaneFunction::new(s, &prologue.activation).apply(s, s.mul_add(x, scale, shift))
    }
}

/// Writes `Bᵀ d B`, the first `count` lanes of each frequency.
#[inline(always)]
fn transform_patch<S: Simd, T: Tile<OUT, PATCH>, const OUT: usize, const PATCH: usize>(
    s: S,
    d: &[[S::F32; PATCH]; PATCH],
    plane: usize,
    v: ViewMut<'_, f32>,
    count: usize,
) {
    // Columns first, then rows: what is done is a row of frequencies, whose planes follow each other. Loops without closures:
    // the methods of arrays are not inlined here, and without inlining there are no instructions of the level.
    let mut columns = [[s.splat(0.0); PATCH]; PATCH];
    for (j, column) in columns.iter_mut().enumerate() {
        *column = T::input(s, column_of(s, d, j));
    }
    for i in 0..PATCH {
        for (j, place) in T::input(s, column_of(s, &columns, i)).into_iter().enumerate() {
            v.store_partial(s, (PATCH * i + j) * plane, place, count);
        }
    }
}

/// Column `j` of a matrix.
#[inline(always)]
fn column_of<S: Simd, const ROWS: usize, const COLUMNS: usize>(
    s: S,
    matrix: &[[S::F32; COLUMNS]; ROWS],
    j: usize,
) -> [S::F32; ROWS] {
    let mut column = [s.splat(0.0); ROWS];
    for (element, row) in column.iter_mut().zip(matrix) {
        *element = row[j];
    }
    column
}

/// Finishes the outputs `Aᵀ M A` of the patches of a run, those that lie in the band and the picture.
#[inline(always)]
fn transform_output<S: Simd, T: Tile<OUT, PATCH>, const OUT: usize, const PATCH: usize>(
    s: S,
    task: &ConvTask<'_>,
    layout: &Layout,
    band: &Band,
    run: &PatchRun,
    panels: Range<usize>,
    m: View<'_, f32>,
) {
    let (output, pixel) = (&task.params.output, task.sink.pixel_stride());
    let residual = task.epilogue.residual.and_then(|source| source.single());
    let residual_pixel = residual.map_or(0, |segment| segment.rows.pixel_stride as usize);
    let sink = task.sink.memory();
    let mut starts = [None; OUT];
    for (i, start) in starts.iter_mut().enumerate() {
        let y = run.y + i;
        if band.rows.contains(&y) {
            let residual = residual.map_or(0, |segment| segment.rows.row_start(band.image, y));
            *start = Some((task.sink.rows().row_start(band.image, y), residual));
        }
    }
    for panel in panels.clone() {
        let channel = panel * LANES;
        let count = (output.c as usize - channel).min(LANES);
        let epilogue = PanelEpilogue::new(s, &task.epilogue, channel, count);
        let m = m.from((panel - panels.start) * LANES);
        for patch in 0..run.count {
            let first = run.x + OUT * patch;
            let tile = tile::<S, T, OUT, PATCH>(s, layout, m.from(patch * GROUP));
            let columns = OUT.min(output.w as usize - first);
            for (row, start) in tile.into_iter().zip(&starts) {
                let Some((start, residual)) = start else { continue };
                for (x, sums) in (first..).zip(row).take(columns) {
                    epilogue.store(s, sums, &sink, start + x * pixel, residual + x * residual_pixel);
                }
            }
        }
    }
}

/// `Aᵀ M A` of one patch and panel.
#[inline(always)]
fn tile<S: Simd, T: Tile<OUT, PATCH>, const OUT: usize, const PATCH: usize>(
    s: S,
    layout: &Layout,
    m: View<'_, f32>,
) -> [[S::F32; OUT]; OUT] {
    let mut columns = [[s.splat(0.0); OUT]; PATCH];
    for (j, column) in columns.iter_mut().enumerate() {
        let mut sums = [s.splat(0.0); PATCH];
        for (i, sum) in sums.iter_mut().enumerate() {
            *sum = m.load(s, (PATCH * i + j) * layout.m_plane);
        }
        *column = T::output(s, sums);
    }
    let mut tile = [[s.splat(0.0); OUT]; OUT];
    for (i, row) in tile.iter_mut().enumerate() {
        *row = T::output(s, column_of(s, &columns, i));
    }
    tile
}
