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
use super::block::Split;
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
        for (i, patch) in block.clone().enumerate() {
            let place = [patch / width * 2, patch % width * 2];
            transform_input(s, task, &layout, band.image, place, v.from(i * layout.channels));
        }
        let panels = (task.params.output.c as usize).div_ceil(LANES);
        let mut panel = 0;
        while panel < panels {
            let group = panel..panels.min(panel + GROUP / LANES);
            multiply(s, task, &layout, group.clone(), block.len(), [v, m]);
            for (i, patch) in block.clone().enumerate() {
                let place = [patch / width * 2, patch % width * 2];
                transform_output(s, task, &layout, band, place, group.clone(), m.from(i * GROUP));
            }
            panel = group.end;
        }
    }
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
            let product = Product::new(
                v.as_view().range(f * layout.v_plane, patches * layout.channels),
                Runs::one(channels),
                chain_terms(channels),
                task.weights.from(panel * panel_stride + f * channels * LANES),
                count,
                panel_stride,
            );
            let sums = m.from(f * layout.m_plane + (panel - panels.start) * LANES);
            for tile in 0..tiles.parts {
                let tile = tiles.bound(tile)..tiles.bound(tile + 1);
                sum_tile(
                    s,
                    &product,
                    &starts[tile.clone()],
                    [0, count],
                    sums.from(tile.start * GROUP),
                    GROUP,
                );
            }
        }
        panel += count;
    }
}

/// Writes `Bᵀ d B` of the patch whose first output is `place` to all planes of V.
#[inline(always)]
fn transform_input<S: Simd>(
    s: S,
    task: &ConvTask<'_>,
    layout: &Layout,
    image: usize,
    place: [usize; 2],
    v: ViewMut<'_, f32>,
) {
    let (input, window) = (&task.params.input, &task.params.window);
    let y = window.y.first_input(place[0]);
    let x = window.x.first_input(place[1]);
    let inside = |i: isize, len: u32| i >= 0 && i < len as isize;
    let whole = inside(y, input.h) && inside(y + 3, input.h) && inside(x, input.w) && inside(x + 3, input.w);
    let mut channel = 0;
    for segment in task.source.segments() {
        let pixel = segment.rows.pixel_stride as usize;
        // Patch row `i`, from column `x` on; where `x` is negative, from column 0 on.
        let rows: [Option<View<'_, f32>>; 4] = core::array::from_fn(|i| {
            let y = y + i as isize;
            inside(y, input.h)
                .then(|| task.source.row(segment, image, y as usize).from(x.max(0) as usize * pixel))
        });
        let columns =
            [0, 1, 2, 3].map(|j| inside(x + j, input.w).then(|| (x + j - x.max(0)) as usize * pixel));
        let patch =
            Patch { rows, columns, segment, first_channel: channel, prologue: task.prologue.as_ref() };
        if whole && task.prologue.is_none() {
            patch.transform::<S, true>(s, layout, v.from(channel));
        } else {
            patch.transform::<S, false>(s, layout, v.from(channel));
        }
        channel += segment.channels as usize;
    }
}

/// The 4×4 pixels of a patch in one segment; `None` is padding.
struct Patch<'a> {
    rows: [Option<View<'a, f32>>; 4],
    columns: [Option<usize>; 4],
    segment: &'a Segment,
    first_channel: usize,
    prologue: Option<&'a Prologue<'a>>,
}

impl Patch<'_> {
    /// Transforms all channels of the segment. `PLAIN`: no pixel is padding, and there is no prologue.
    #[inline(always)]
    fn transform<S: Simd, const PLAIN: bool>(&self, s: S, layout: &Layout, v: ViewMut<'_, f32>) {
        let channels = self.segment.channels as usize;
        let mut c = 0;
        while c < channels {
            let count = (channels - c).min(LANES);
            let mut rows = [[s.splat(0.0); 4]; 4];
            for (i, row) in rows.iter_mut().enumerate() {
                let mut d = [s.splat(0.0); 4];
                for (j, d) in d.iter_mut().enumerate() {
                    *d = self.load::<S, PLAIN>(s, [i, j], c, count);
                }
                *row = [s.sub(d[0], d[2]), s.add(d[1], d[2]), s.sub(d[2], d[1]), s.sub(d[1], d[3])];
            }
            let [r0, r1, r2, r3] = rows;
            for j in [0, 1, 2, 3] {
                let d = [r0[j], r1[j], r2[j], r3[j]];
                let places = [s.sub(d[0], d[2]), s.add(d[1], d[2]), s.sub(d[2], d[1]), s.sub(d[1], d[3])];
                for (i, place) in places.into_iter().enumerate() {
                    v.store_partial(s, (4 * i + j) * layout.v_plane + c, place, count);
                }
            }
            c += count;
        }
    }

    /// Channels `c..c + count` of a pixel, the prologue applied; 0 in the padding.
    #[inline(always)]
    fn load<S: Simd, const PLAIN: bool>(&self, s: S, [i, j]: [usize; 2], c: usize, count: usize) -> S::F32 {
        let (Some(row), Some(column)) = (&self.rows[i], self.columns[j]) else { return s.splat(0.0) };
        let x = row.load_partial(s, column + c, count);
        match self.prologue {
            Some(prologue) if !PLAIN => {
                let scale = channel_lanes(s, &prologue.scale, self.first_channel + c);
                let shift = channel_lanes(s, &prologue.shift, self.first_channel + c);
                LaneFunction::new(s, &prologue.activation).apply(s, s.mul_add(x, scale, shift))
            }
            _ => x,
        }
    }
}

/// Finishes the outputs `Aᵀ M A` of the patch whose first output is `place`, those that lie in the band and the picture.
#[inline(always)]
fn transform_output<S: Simd>(
    s: S,
    task: &ConvTask<'_>,
    layout: &Layout,
    band: &Band,
    place: [usize; 2],
    panels: Range<usize>,
    m: ViewMut<'_, f32>,
) {
    let output = &task.params.output;
    let sink = task.sink.memory();
    let residual = task.epilogue.residual.and_then(|source| source.single());
    for panel in panels.clone() {
        let channel = panel * LANES;
        let epilogue =
            PanelEpilogue::new(s, &task.epilogue, channel, (output.c as usize - channel).min(LANES));
        let pixels = output_patch(s, layout, m.as_view().from((panel - panels.start) * LANES));
        for (i, row) in pixels.iter().enumerate() {
            let y = place[0] + i;
            if !band.rows.contains(&y) {
                continue;
            }
            let start = task.sink.rows().row_start(band.image, y);
            for (j, &sums) in row.iter().enumerate() {
                let x = place[1] + j;
                if x < output.w as usize {
                    let from = residual.map_or(0, |segment| {
                        segment.rows.row_start(band.image, y) + x * segment.rows.pixel_stride as usize
                    });
                    epilogue.store(s, sums, &sink, start + x * task.sink.pixel_stride(), from);
                }
            }
        }
    }
}

/// `Aᵀ M A` of one patch and panel, by the rows `(1, 1, 1, 0)` and `(0, 1, −1, −1)` of `Aᵀ`.
#[inline(always)]
fn output_patch<S: Simd>(s: S, layout: &Layout, m: View<'_, f32>) -> [[S::F32; 2]; 2] {
    let mut columns = [[s.splat(0.0); 2]; 4];
    for (j, column) in columns.iter_mut().enumerate() {
        let mut d = [s.splat(0.0); 4];
        for (i, d) in d.iter_mut().enumerate() {
            *d = m.load(s, (4 * i + j) * layout.m_plane);
        }
        *column = [s.add(s.add(d[0], d[1]), d[2]), s.sub(s.sub(d[1], d[2]), d[3])];
    }
    let [c0, c1, c2, c3] = columns;
    let mut pixels = [[s.splat(0.0); 2]; 2];
    for (i, pixels) in pixels.iter_mut().enumerate() {
        *pixels = [s.add(s.add(c0[i], c1[i]), c2[i]), s.sub(s.sub(c1[i], c2[i]), c3[i])];
    }
    pixels
}
