//! Winograd convolution F(2×2,3×3): four outputs from 16 products instead of 36 (Lavin & Gray 2015, "Fast Algorithms for
//! Convolutional Neural Networks").
//!
//! With a 4×4 patch `d` of the input and a 3×3 filter `g`, the 2×2 outputs are `Aᵀ[(G g Gᵀ) ⊙ (Bᵀ d B)]A`; the sum over
//! channels of the elementwise products is, for each of the 16 places ("frequencies"), a matrix product. Patches are anchored
//! at even rows and columns of the picture, so a band that begins at an odd row computes the same bits.
//!
//! Order: block of patches → input transform of all frequencies, `V[frequency][patch][c]` → for each group of panels and each
//! frequency the product `M[frequency][patch][outputs]` → output transform with the epilogue. V, M and the panel in use fit
//! into L2. Called by [`conv_f32`](super::conv_f32).

use core::ops::Range;

use crate::device::simd::{LANES, Product, Runs, Simd, View, ViewMut, sum_tile};
use crate::device::tensor::Segment;

use super::super::band::{LaneFunction, PanelEpilogue, channel_lanes};
use super::super::params::ConvParams;
use super::block::{FETCHED_WEIGHTS, Split};
use super::{Band, ConvTask, Prologue, chain_terms};

/// Places of a patch.
const FREQUENCIES: usize = 16;
/// Patches of a block at most.
const MAX_PATCHES: usize = 96;
/// Elements of V, about: half of a 1 MB L2.
const V_LEN: usize = 128 * 1024;
/// Outputs that are transformed back at a time: the largest tile's.
const GROUP: usize = 2 * LANES;
/// Elements between the planes of two frequencies beyond their size, so that they do not compete for the same lines of L1.
const SKEW: usize = LANES;

/// `G g Gᵀ` of a filter in the order `ky, kx`: the weights of the 16 frequencies. Computed in f64 and rounded once.
pub fn winograd_2x2_transform(taps: &[f32; 9]) -> [f32; FREQUENCIES] {
    // Rows of G: (1, 0, 0), (½, ½, ½), (½, −½, ½), (0, 0, 1).
    let transform = |a: f64, b: f64, c: f64| [a, (a + b + c) / 2.0, (a - b + c) / 2.0, c];
    let g = taps.map(f64::from);
    let rows: [[f64; 3]; 4] = {
        let columns = [0, 1, 2].map(|x| transform(g[x], g[3 + x], g[6 + x]));
        [0, 1, 2, 3].map(|i| columns.map(|column| column[i]))
    };
    let places = rows.map(|[a, b, c]| transform(a, b, c));
    core::array::from_fn(|f| places[f / 4][f % 4] as f32)
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
    const fn of(params: &ConvParams) -> Self {
        let channels = (params.input.c as usize).next_multiple_of(LANES);
        let all =
            (params.output.h as usize).div_ceil(2).saturating_mul((params.output.w as usize).div_ceil(2));
        let mut patches = V_LEN / FREQUENCIES / if channels == 0 { 1 } else { channels };
        if patches < 12 {
            patches = 12;
        }
        if patches > MAX_PATCHES {
            patches = MAX_PATCHES;
        }
        if patches > all {
            patches = all;
        }
        let v_plane = patches.saturating_mul(channels).saturating_add(SKEW);
        Self { patches, channels, v_plane, m_plane: patches * GROUP + SKEW }
    }
}

/// Elements of scratch: V and M of one block.
pub(super) const fn scratch_len(params: &ConvParams) -> Option<u32> {
    if params.input.c > u32::MAX / 2 {
        return None;
    }
    let layout = Layout::of(params);
    let len = (layout.v_plane as u64 + layout.m_plane as u64) * FREQUENCIES as u64;
    if len > u32::MAX as u64 { None } else { Some(len as u32) }
}

/// Computes the rows of a band.
#[inline(always)]
pub(super) fn conv<S: Simd>(s: S, task: &ConvTask<'_>, band: &Band, scratch: ViewMut<'_, f32>) {
    let layout = Layout::of(task.params);
    if band.rows.is_empty() || layout.patches == 0 {
        return;
    }
    let width = (task.params.output.w as usize).div_ceil(2);
    let patches = band.rows.start / 2 * width..band.rows.end.div_ceil(2) * width;
    let blocks = Split::new(patches.len(), patches.len().div_ceil(layout.patches));
    let v = scratch.range(0, FREQUENCIES * layout.v_plane);
    let m = scratch.range(v.len(), FREQUENCIES * layout.m_plane);
    for block in 0..blocks.parts {
        let block = patches.start + blocks.bound(block)..patches.start + blocks.bound(block + 1);
        for run in runs(block.clone(), width) {
            transform_input(s, task, &layout, band.image, &run, v.from(run.first * layout.channels));
        }
        let panels = (task.params.output.c as usize).div_ceil(LANES);
        let mut panel = 0;
        while panel < panels {
            let group = panel..panels.min(panel + GROUP / LANES);
            multiply(s, task, &layout, group.clone(), block.len(), [v, m]);
            for run in runs(block.clone(), width) {
                transform_output(s, task, &layout, band, &run, group.clone(), m.from(run.first * GROUP));
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
    /// First output column of the first patch; the next patch begins two columns on.
    x: usize,
    /// Patches.
    count: usize,
}

/// The patches of a block, row by row; `width` patches are a row of the picture.
fn runs(block: Range<usize>, width: usize) -> impl Iterator<Item = PatchRun> {
    (block.start / width..block.end.div_ceil(width)).map(move |row| {
        let patches = block.start.max(row * width)..block.end.min((row + 1) * width);
        PatchRun {
            first: patches.start - block.start,
            y: row * 2,
            x: (patches.start - row * width) * 2,
            count: patches.len(),
        }
    })
}

/// `M = V · weights` of some panels, frequency by frequency.
#[inline(always)]
fn multiply<S: Simd>(
    s: S,
    task: &ConvTask<'_>,
    layout: &Layout,
    panels: Range<usize>,
    patches: usize,
    [v, m]: [ViewMut<'_, f32>; 2],
) {
    let channels = task.params.input.c as usize;
    let panel_stride = FREQUENCIES * channels * LANES;
    let mut starts = [0; MAX_PATCHES];
    for (patch, start) in starts.iter_mut().enumerate() {
        *start = (patch * layout.channels) as u32;
    }
    let tiles = Split::new(patches, patches.div_ceil(S::TILE_ROWS));
    let mut panel = panels.start;
    while panel < panels.end {
        let count = (panels.end - panel).min(S::TILE_PANELS);
        for f in 0..FREQUENCIES {
            let mut product = Product::new(
                v.as_view().range(f * layout.v_plane, patches * layout.channels),
                Runs::one(channels),
                chain_terms(channels),
                task.weights.from(panel * panel_stride + f * channels * LANES),
                count,
                panel_stride,
            );
            let sums = m.from(f * layout.m_plane + (panel - panels.start) * LANES);
            // The panels of the next frequency, or of the next group of panels.
            let distance = if task.weights.len() < FETCHED_WEIGHTS {
                0
            } else if f + 1 < FREQUENCIES {
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
fn transform_input<S: Simd>(
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
        let mut rows = [None; 4];
        for (i, row) in rows.iter_mut().enumerate() {
            let y = first_y + i as isize;
            if y >= 0 && y < input.h as isize {
                *row = Some(task.source.row(segment, image, y as usize));
            }
        }
        let patches = Patches { rows, segment, channel, width: input.w as isize, prologue: task.prologue };
        for patch in 0..run.count {
            let x = window.x.first_input(run.x + 2 * patch);
            patches.transform(s, layout, x, v.from(patch * layout.channels + channel));
        }
        channel += segment.channels as usize;
    }
}

/// The patches of a run in one segment.
struct Patches<'a> {
    /// The four input rows; `None` is padding.
    rows: [Option<View<'a, f32>>; 4],
    segment: &'a Segment,
    /// The segment's first channel.
    channel: usize,
    /// Pixels of a row.
    width: isize,
    prologue: Option<Prologue<'a>>,
}

impl Patches<'_> {
    /// Transforms all channels of the patch that begins at input column `x`.
    #[inline(always)]
    fn transform<S: Simd>(&self, s: S, layout: &Layout, x: isize, v: ViewMut<'_, f32>) {
        let channels = self.segment.channels as usize;
        let whole = x >= 0 && x + 4 <= self.width;
        let mut c = 0;
        while c < channels {
            let count = (channels - c).min(LANES);
            let patch = match &self.rows {
                [Some(a), Some(b), Some(d), Some(e)]
                    if whole && self.prologue.is_none() && count == LANES =>
                {
                    self.load_whole(s, [a, b, d, e], x as usize, c)
                }
                _ => self.load(s, x, c, count),
            };
            transform_patch(s, &patch, layout.v_plane, v.from(c), count);
            c += count;
        }
    }

    /// Channels `c..c + 16` of a patch without padding and prologue.
    #[inline(always)]
    fn load_whole<S: Simd>(&self, s: S, rows: [&View<'_, f32>; 4], x: usize, c: usize) -> [[S::F32; 4]; 4] {
        let pixel = self.segment.rows.pixel_stride as usize;
        let mut patch = [[s.splat(0.0); 4]; 4];
        for (row, view) in patch.iter_mut().zip(rows) {
            for (j, d) in row.iter_mut().enumerate() {
                *d = view.load(s, (x + j) * pixel + c);
            }
        }
        patch
    }

    /// Channels `c..c + count` of a patch, the prologue applied; 0 in the padding.
    #[inline(always)]
    fn load<S: Simd>(&self, s: S, x: isize, c: usize, count: usize) -> [[S::F32; 4]; 4] {
        let pixel = self.segment.rows.pixel_stride as usize;
        let mut patch = [[s.splat(0.0); 4]; 4];
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

/// Writes `Bᵀ d B`, by the rows `(1, 0, −1, 0)`, `(0, 1, 1, 0)`, `(0, −1, 1, 0)`, `(0, 1, 0, −1)` of `Bᵀ`; the first `count`
/// lanes of each frequency.
#[inline(always)]
fn transform_patch<S: Simd>(s: S, d: &[[S::F32; 4]; 4], plane: usize, v: ViewMut<'_, f32>, count: usize) {
    let mut rows = [[s.splat(0.0); 4]; 4];
    for (row, d) in rows.iter_mut().zip(d) {
        *row = [s.sub(d[0], d[2]), s.add(d[1], d[2]), s.sub(d[2], d[1]), s.sub(d[1], d[3])];
    }
    let [r0, r1, r2, r3] = rows;
    for j in [0, 1, 2, 3] {
        let d = [r0[j], r1[j], r2[j], r3[j]];
        let places = [s.sub(d[0], d[2]), s.add(d[1], d[2]), s.sub(d[2], d[1]), s.sub(d[1], d[3])];
        for (i, place) in places.into_iter().enumerate() {
            v.store_partial(s, (4 * i + j) * plane, place, count);
        }
    }
}

/// Finishes the outputs `Aᵀ M A` of the patches of a run, those that lie in the band and the picture.
#[inline(always)]
fn transform_output<S: Simd>(
    s: S,
    task: &ConvTask<'_>,
    layout: &Layout,
    band: &Band,
    run: &PatchRun,
    panels: Range<usize>,
    m: ViewMut<'_, f32>,
) {
    let (output, pixel) = (&task.params.output, task.sink.pixel_stride());
    let residual = task.epilogue.residual.and_then(|source| source.single());
    let residual_pixel = residual.map_or(0, |segment| segment.rows.pixel_stride as usize);
    let sink = task.sink.memory();
    for panel in panels.clone() {
        let channel = panel * LANES;
        let count = (output.c as usize - channel).min(LANES);
        let epilogue = PanelEpilogue::new(s, &task.epilogue, channel, count);
        let m = m.as_view().from((panel - panels.start) * LANES);
        // Row by row of the 2×2 outputs, so that a patch's sums are few enough for registers.
        for i in [0, 1] {
            let y = run.y + i;
            if !band.rows.contains(&y) {
                continue;
            }
            let start = task.sink.rows().row_start(band.image, y);
            let residual = residual.map_or(0, |segment| segment.rows.row_start(band.image, y));
            for patch in 0..run.count {
                let x = run.x + 2 * patch;
                let m = m.from(patch * GROUP);
                let [left, right] =
                    if i == 0 { output_row::<S, 0>(s, layout, m) } else { output_row::<S, 1>(s, layout, m) };
                epilogue.store(s, left, &sink, start + x * pixel, residual + x * residual_pixel);
                if x + 1 < output.w as usize {
                    let (x, sums) = (x + 1, right);
                    epilogue.store(s, sums, &sink, start + x * pixel, residual + x * residual_pixel);
                }
            }
        }
    }
}

/// Row `ROW` of `Aᵀ M A` of one patch and panel, by the rows `(1, 1, 1, 0)` and `(0, 1, −1, −1)` of `Aᵀ`.
#[inline(always)]
fn output_row<S: Simd, const ROW: usize>(s: S, layout: &Layout, m: View<'_, f32>) -> [S::F32; 2] {
    let mut columns = [s.splat(0.0); 4];
    for (j, column) in columns.iter_mut().enumerate() {
        let m1 = m.load(s, (4 + j) * layout.m_plane);
        let m2 = m.load(s, (8 + j) * layout.m_plane);
        *column = if ROW == 0 {
            s.add(s.add(m.load(s, j * layout.m_plane), m1), m2)
        } else {
            s.sub(s.sub(m1, m2), m.load(s, (12 + j) * layout.m_plane))
        };
    }
    let [c0, c1, c2, c3] = columns;
    [s.add(s.add(c0, c1), c2), s.sub(s.sub(c1, c2), c3)]
}
