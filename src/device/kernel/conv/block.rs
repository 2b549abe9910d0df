//! The driver of all direct convolutions: blocks of pixels × panels of outputs × register tiles.
//!
//! What flows in: where each output pixel's terms lie (an [`Input`]); what flows out: finished pixels in the sink. A block has
//! about [`BLOCK_PIXELS`] pixels, so that a weight panel is read from memory once and then from L1 or L2 for all tiles of the
//! block. Called by `pointwise` and `im2col`.

use core::ops::Range;

use crate::device::simd::{LANES, Product, Runs, Simd, View, ViewMut, sum_tile};

use super::super::band::PanelEpilogue;
use super::{ConvTask, chain_terms, run_terms};

/// Pixels of a block at most. Blocks of 48 to 384 rows measured the same; 96 is a multiple of every tile.
pub(super) const BLOCK_PIXELS: usize = 96;

/// Rows and panels of the largest register tile of any level.
const MAX_TILE: [usize; 2] = [12, 2];

/// Elements from one row of a tile's sums to the next.
const SUMS_STRIDE: usize = MAX_TILE[1] * LANES;

/// Where the terms of output pixels lie: pixel `x` of output row `y` begins at `row_start(y) + x · pixel_step` (wrapping) of
/// `memory`, its terms of group `g` another `g · inputs of a group` behind, at `runs`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Input<'a, R> {
    pub(super) memory: View<'a, f32>,
    pub(super) row_start: R,
    pub(super) pixel_step: usize,
    pub(super) runs: Runs,
}

/// Where the pixels of a block begin in each operand.
struct Pixels {
    input: [u32; BLOCK_PIXELS],
    residual: [u32; BLOCK_PIXELS],
    output: [u32; BLOCK_PIXELS],
}

/// Computes the pixels `pixels` of picture `image`, counted from the start of the picture along its rows.
#[inline(always)]
pub(super) fn multiply<S: Simd, R: Fn(usize) -> usize>(
    s: S,
    task: &ConvTask<'_>,
    image: usize,
    pixels: Range<usize>,
    input: &Input<'_, R>,
) {
    let mut table =
        Pixels { input: [0; BLOCK_PIXELS], residual: [0; BLOCK_PIXELS], output: [0; BLOCK_PIXELS] };
    let mut sums = [0.0; MAX_TILE[0] * SUMS_STRIDE];
    let sums = ViewMut::new(&mut sums);
    let tiles = Split::new(pixels.len(), pixels.len().div_ceil(S::TILE_ROWS));
    let blocks = Split::new(tiles.parts, tiles.parts.div_ceil(BLOCK_PIXELS / S::TILE_ROWS));
    for block in 0..blocks.parts {
        let block = blocks.bound(block)..blocks.bound(block + 1);
        let first = tiles.bound(block.start);
        table.fill(task, image, pixels.start + first..pixels.start + tiles.bound(block.end), input);
        for group in 0..task.params.groups as usize {
            let product = group_product(task, group, input);
            let mut panel = 0;
            while panel < product.panels() {
                let panels = (product.panels() - panel).min(S::TILE_PANELS);
                for tile in block.clone() {
                    let tile = tiles.bound(tile) - first..tiles.bound(tile + 1) - first;
                    sum_tile(s, &product, &table.input[tile.clone()], [panel, panels], sums, SUMS_STRIDE);
                    for p in panel..panel + panels {
                        finish(s, task, &table, tile.clone(), [group, p], sums.from((p - panel) * LANES));
                    }
                }
                panel += panels;
            }
        }
    }
}

/// The matrix product of one group.
#[inline(always)]
fn group_product<'a, R>(task: &ConvTask<'a>, group: usize, input: &Input<'a, R>) -> Product<'a> {
    let params = task.params;
    let inputs = (params.input.c / params.groups) as usize;
    let panels = (params.output.c / params.groups).div_ceil(LANES as u32) as usize;
    let panel_stride = params.window.taps() as usize * inputs * LANES;
    let weights = task.weights.range(group * panels * panel_stride, panels * panel_stride);
    Product::new(
        input.memory.from(group * inputs),
        input.runs,
        chain_terms(run_terms(params)),
        weights,
        panels,
        panel_stride,
    )
}

impl Pixels {
    /// Fills in the places of the pixels `pixels`.
    #[inline(always)]
    fn fill<R: Fn(usize) -> usize>(
        &mut self,
        task: &ConvTask<'_>,
        image: usize,
        pixels: Range<usize>,
        input: &Input<'_, R>,
    ) {
        let width = task.params.output.w as usize;
        let residual = task.epilogue.residual.and_then(|source| source.single());
        let mut filled = 0;
        while filled < pixels.len() {
            let (y, x) = ((pixels.start + filled) / width, (pixels.start + filled) % width);
            let count = (width - x).min(pixels.len() - filled);
            let place = filled..filled + count;
            write_places(&mut self.input[place.clone()], (input.row_start)(y), input.pixel_step, x);
            if let Some(segment) = residual {
                let start = segment.rows.row_start(image, y);
                write_places(&mut self.residual[place.clone()], start, segment.rows.pixel_stride as usize, x);
            }
            let start = task.sink.rows().row_start(image, y);
            write_places(&mut self.output[place], start, task.sink.pixel_stride(), x);
            filled += count;
        }
    }
}

/// Writes the places of pixels `x…` of a row.
#[inline(always)]
fn write_places(places: &mut [u32], row_start: usize, pixel_step: usize, x: usize) {
    let mut place = (row_start as u32).wrapping_add((x as u32).wrapping_mul(pixel_step as u32));
    for p in places {
        *p = place;
        place = place.wrapping_add(pixel_step as u32);
    }
}

/// Finishes one panel of a tile's sums and stores it.
#[inline(always)]
fn finish<S: Simd>(
    s: S,
    task: &ConvTask<'_>,
    table: &Pixels,
    tile: Range<usize>,
    [group, panel]: [usize; 2],
    sums: ViewMut<'_, f32>,
) {
    let outputs = (task.params.output.c / task.params.groups) as usize;
    let channel = group * outputs + panel * LANES;
    let epilogue = PanelEpilogue::new(s, &task.epilogue, channel, (outputs - panel * LANES).min(LANES));
    let sink = task.sink.memory();
    for (r, pixel) in tile.enumerate() {
        let (output, residual) = (table.output[pixel] as usize, table.residual[pixel] as usize);
        epilogue.store(s, sums.load(s, r * SUMS_STRIDE), &sink, output, residual);
    }
}

/// A number of things, split into parts that differ by one at most.
#[derive(Clone, Copy, Debug)]
pub(super) struct Split {
    /// Parts in all.
    pub(super) parts: usize,
    /// Things of a smaller part.
    base: usize,
    /// The first so many parts have one more.
    larger: usize,
}

impl Split {
    pub(super) const fn new(things: usize, parts: usize) -> Self {
        if parts == 0 {
            return Self { parts: 0, base: 0, larger: 0 };
        }
        Self { parts, base: things / parts, larger: things % parts }
    }

    /// The first thing of a part.
    #[inline(always)]
    pub(super) const fn bound(&self, part: usize) -> usize {
        part * self.base + if part < self.larger { part } else { self.larger }
    }
}
