//! Winograd convolution: F(2×2,3×3), four outputs from 16 products instead of 36, and F(4×4,3×3), 16 outputs from 36 instead of
//! 144 (Lavin & Gray 2015, "Fast Algorithms for Convolutional Neural Networks").
//!
//! With a patch `d` of the input (4×4 or 6×6) and a 3×3 filter `g`, the outputs of a tile are `Aᵀ[(G g Gᵀ) ⊙ (Bᵀ d B)]A`; the
//! sum over channels of the elementwise products is, for each place of the patch ("frequency"), a matrix product. Patches are
//! anchored at rows and columns that the tile divides, so a band that begins elsewhere computes the same bits.
//!
//! Order: block of patches → input transform of all frequencies, `V[frequency][patch][c]` → for each group of panels and each
//! frequency the product `M[frequency][patch][outputs]` → output transform with the epilogue. V, M and the panel in use fit
//! into L2. The matrices are in [`tile`], the transforms in [`filter`], [`input`] and [`output`]. Called by [`conv_f32`](super::conv_f32).

mod filter;
mod input;
mod output;
mod tile;

use core::ops::Range;

use crate::device::simd::{
    Keep, LANES, Panels, Places, Product, Runs, Simd, Sums as TileSums, TileRange, ViewMut, multiply_tile,
};

use super::super::params::ConvParams;
use super::block::{FETCHED_WEIGHTS, Split};
use super::{Band, ConvTask};
pub use filter::{winograd_2x2_transform, winograd_4x4_transform};
use input::transform_input;
use output::transform_output;
use tile::{FourByFour, Tile, TwoByTwo};

/// Vectors of one channel group in a block at most, patches times frequencies: more leave no room in L2 for the panels in use.
/// 24 patches of F(4×4,3×3) measured up to 14 % faster than 96, and never slower.
const MAX_PLACES: usize = 24 * 36;
/// Patches of a block at most.
const MAX_PATCHES: usize = MAX_PLACES / 16;
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
    if patches > MAX_PLACES / frequencies {
        patches = MAX_PLACES / frequencies;
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
    let panels = band.panels(task.params.output.c as usize);
    if band.rows.is_empty() || panels.is_empty() || layout.patches == 0 {
        return;
    }
    let frequencies = PATCH * PATCH;
    let width = (task.params.output.w as usize).div_ceil(OUT);
    let patches = band.rows.start / OUT * width..band.rows.end.div_ceil(OUT) * width;
    let blocks = Split::new(patches.len(), patches.len().div_ceil(layout.patches));
    let v = scratch.range(0, frequencies * layout.v_plane);
    let m = scratch.range(v.len(), frequencies * layout.m_plane);
    let chain = T::chain_terms(task.params.input.c as usize);
    let sums = Sums { frequencies, chain, last_panel: panels.end, v, m };
    for block in 0..blocks.parts {
        let block = patches.start + blocks.bound(block)..patches.start + blocks.bound(block + 1);
        for run in runs(block.clone(), width, OUT) {
            let v = v.from(run.first * layout.channels);
            transform_input::<S, T, OUT, PATCH>(s, task, &layout, band.image, &run, v);
        }
        let mut panel = panels.start;
        while panel < panels.end {
            let group = panel..panels.end.min(panel + GROUP / LANES);
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
    /// The end of the band's panels.
    last_panel: usize,
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
    &Sums { frequencies, chain, last_panel, v, m }: &Sums<'_>,
) {
    let channels = task.params.input.c as usize;
    let panel_stride = frequencies * channels * LANES;
    let mut starts = [0; MAX_PATCHES];
    for (patch, start) in starts.iter_mut().enumerate() {
        *start = (patch * layout.channels) as u32;
    }
    let starts = Places::new(&starts[..patches]);
    let tiles = Split::new(patches, patches.div_ceil(S::TILE_ROWS));
    let weights = task.weights.f32();
    let mut panel = panels.start;
    while panel < panels.end {
        let count = (panels.end - panel).min(S::TILE_PANELS);
        for f in 0..frequencies {
            let mut product = Product::new(
                v.as_view().range(f * layout.v_plane, patches * layout.channels),
                starts,
                Runs::one(channels),
                chain,
                Panels {
                    weights: weights.from(panel * panel_stride + f * channels * LANES),
                    panels: count,
                    stride: panel_stride,
                },
            );
            let sums = m.from(f * layout.m_plane + (panel - panels.start) * LANES);
            // The panels of the next frequency, or of the next group of panels.
            let distance = if weights.len() < FETCHED_WEIGHTS {
                0
            } else if f + 1 < frequencies {
                channels * LANES
            } else if panel + count < last_panel {
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
                let sums = TileSums { memory: sums, stride: GROUP, begun: false };
                let tile = TileRange { row: tile.start, rows: tile.len(), panel: 0, panels: count };
                multiply_tile(s, &product, tile, sums, &Keep);
            }
        }
        panel += count;
    }
}
