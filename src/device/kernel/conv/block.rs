//! The driver of all direct convolutions: blocks of pixels × panels of outputs × register tiles.
//!
//! What flows in: where each output pixel's terms lie (an [`Input`]); what flows out: finished pixels in the sink. A block has
//! about [`BLOCK_PIXELS`] pixels, so that a weight panel is read from memory once and then from L1 or L2 for all tiles of the
//! block. Called by `pointwise` and `im2col`.

use core::ops::Range;

use crate::device::simd::{
    LANES, Panels, Places, Product, Runs, Simd, Sums, TileRange, View, ViewMut, Weight,
};
use crate::device::tensor::Rows;

use super::super::band::TileEpilogue;
use super::super::params::ConvParams;
use super::{Band, ConvTask, ConvWeights, chain_terms, run_terms};

/// Pixels of a block at most. Blocks of 48 to 384 rows measured the same; 96 is a multiple of every tile.
pub(super) const BLOCK_PIXELS: usize = 96;

/// Elements of weights from which on the next panels are brought into L2 while one is multiplied: half of a 1 MB L2.
pub(super) const FETCHED_WEIGHTS: usize = 128 * 1024;

/// Elements of weights up to which all panels of a tile follow each other: half of a small L1. Then outputs are written pixel by
/// pixel, and rows are read once.
const NEAR_WEIGHTS: usize = 4 * 1024;

/// Elements of weights that a tile which is alone is ahead of itself.
const NEAR_DISTANCE: usize = 1024;

/// Rows and panels of the largest register tile of any level.
const MAX_TILE: [usize; 2] = [12, 2];

/// Elements from one row of a tile's sums to the next.
const SUMS_STRIDE: usize = MAX_TILE[1] * LANES;

/// Where the terms of output pixels lie: pixel `x` of output row `y` begins at `rows.start(y) + x · pixel_step` (wrapping) of
/// `memory`, its terms of group `g` another `g · inputs of a group` behind, at `runs`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Input<'a> {
    pub(super) memory: View<'a, f32>,
    pub(super) rows: InputRows<'a>,
    pub(super) pixel_step: usize,
    pub(super) runs: Runs,
}

/// Where the terms of an output row begin.
#[derive(Clone, Copy, Debug)]
pub(super) enum InputRows<'a> {
    /// At `first + y · step` (wrapping).
    Even {
        /// Place of output row 0.
        first: usize,
        /// Elements from one output row to the next.
        step: usize,
    },
    /// At row `y · stride` of a picture.
    Picture {
        /// Where the picture's rows lie.
        rows: &'a Rows,
        /// Which picture.
        image: usize,
        /// Input rows from one output row to the next.
        stride: usize,
    },
}

impl InputRows<'_> {
    #[inline(always)]
    fn start(&self, y: usize) -> usize {
        match self {
            Self::Even { first, step } => first.wrapping_add(y.wrapping_mul(*step)),
            Self::Picture { rows, image, stride } => rows.row_start(*image, y * stride),
        }
    }
}

/// Where the pixels of a block begin in each operand.
struct Pixels {
    input: [u32; BLOCK_PIXELS],
    residual: [u32; BLOCK_PIXELS],
    output: [u32; BLOCK_PIXELS],
}

/// Computes the pixels `pixels` of the band's picture, counted from the start of the picture along its rows, in the band's
/// channels.
#[inline(always)]
pub(super) fn multiply<S: Simd>(
    s: S,
    task: &ConvTask<'_>,
    band: &Band,
    pixels: Range<usize>,
    input: &Input<'_>,
) {
    match task.weights {
        ConvWeights::F32(weights) => multiply_by(s, task, weights, band, pixels, input),
        ConvWeights::F16(weights) => multiply_by(s, task, weights, band, pixels, input),
    }
}

/// [`multiply`] by the task's weights, as they are stored.
fn multiply_by<S: Simd, W: Weight>(
    s: S,
    task: &ConvTask<'_>,
    weights: View<'_, W>,
    band: &Band,
    pixels: Range<usize>,
    input: &Input<'_>,
) {
    s.vectorize(
        #[inline(always)]
        || {
            let mut table =
                Pixels { input: [0; BLOCK_PIXELS], residual: [0; BLOCK_PIXELS], output: [0; BLOCK_PIXELS] };
            let mut sums = [0.0; MAX_TILE[0] * SUMS_STRIDE];
            let sums = Sums { memory: ViewMut::new(&mut sums), stride: SUMS_STRIDE, begun: false };
            let tiles = Split::new(pixels.len(), pixels.len().div_ceil(S::TILE_ROWS));
            let blocks = Split::new(tiles.parts, tiles.parts.div_ceil(BLOCK_PIXELS / S::TILE_ROWS));
            for block in 0..blocks.parts {
                let block = blocks.bound(block)..blocks.bound(block + 1);
                let first = tiles.bound(block.start);
                let places = pixels.start + first..pixels.start + tiles.bound(block.end);
                let places = table.fill(task, band.image, places, input);
                for group in 0..task.params.groups as usize {
                    let channels = group_channels(task.params, band, group);
                    if !channels.is_empty() {
                        let parts = (&tiles, block.clone());
                        multiply_block(s, task, weights, channels, input, places, sums, parts);
                    }
                }
            }
        },
    );
}

/// The output channels of a group that the band has. Only those of a single group are divided.
#[inline(always)]
fn group_channels(params: &ConvParams, band: &Band, group: usize) -> Range<usize> {
    let outputs = (params.output.c / params.groups) as usize;
    if params.groups > 1 {
        return group * outputs..(group + 1) * outputs;
    }
    let panels = band.panels(outputs);
    panels.start * LANES..outputs.min(panels.end * LANES)
}

/// Computes the channels `channels`, which are of one group, for a block of tiles.
#[inline(always)]
fn multiply_block<S: Simd, W: Weight>(
    s: S,
    task: &ConvTask<'_>,
    weights: View<'_, W>,
    channels: Range<usize>,
    input: &Input<'_>,
    places: [Places<'_>; 3],
    sums: Sums<'_>,
    (tiles, block): (&Split, Range<usize>),
) {
    if channels.is_empty() {
        return;
    }
    let mut product = product(task, weights, &channels, input, places[0]);
    let epilogue = TileEpilogue::new(&task.epilogue, task.sink.memory(), [places[1], places[2]], channels);
    let (panels, stride) = (product.panels(), product.panel_stride());
    let ahead = panels * stride >= FETCHED_WEIGHTS;
    let first = tiles.bound(block.start);
    let width = if places[0].len() == 1 { S::ROW_PANELS } else { S::TILE_PANELS };
    let mut tile = |index: usize, panel: usize| {
        let row = tiles.bound(index) - first;
        let rows = tiles.bound(index + 1) - first - row;
        let count = (panels - panel).min(width);
        if ahead {
            let next = if panel + count < panels { count * stride } else { 0 };
            // A single tile reads its panels once: it fetches what it needs itself, soon.
            let distance = if block.len() == 1 { next.min(NEAR_DISTANCE) } else { next };
            product.fetch(distance, [index - block.start, block.len()]);
        }
        epilogue.multiply(s, &product, TileRange { row, rows, panel, panels: count }, sums);
    };
    if panels * stride <= NEAR_WEIGHTS {
        for index in block.clone() {
            for panel in (0..panels).step_by(width) {
                tile(index, panel);
            }
        }
    } else {
        for panel in (0..panels).step_by(width) {
            for index in block.clone() {
                tile(index, panel);
            }
        }
    }
}

/// The matrix product that gives the channels `channels`, which are of one group and begin at a panel.
#[inline(always)]
fn product<'a, W: Weight>(
    task: &ConvTask<'a>,
    weights: View<'a, W>,
    channels: &Range<usize>,
    input: &Input<'a>,
    places: Places<'a>,
) -> Product<'a, W> {
    let params = task.params;
    let [inputs, outputs] = [params.input.c, params.output.c].map(|c| (c / params.groups) as usize);
    let group = channels.start.checked_div(outputs).unwrap_or(0);
    let first = group * outputs.div_ceil(LANES) + (channels.start - group * outputs) / LANES;
    let panels = channels.len().div_ceil(LANES);
    let stride = params.window.taps() as usize * inputs * LANES;
    let weights = weights.range(first * stride, panels * stride);
    Product::new(
        input.memory.from(group * inputs),
        places,
        input.runs,
        chain_terms(run_terms(params)),
        Panels { weights, panels, stride },
    )
}

impl Pixels {
    /// The places of the pixels `pixels` in the input, the output and the residual.
    #[inline(always)]
    fn fill(
        &mut self,
        task: &ConvTask<'_>,
        image: usize,
        pixels: Range<usize>,
        input: &Input<'_>,
    ) -> [Places<'_>; 3] {
        let width = task.params.output.w as usize;
        let residual = task.epilogue.residual.and_then(|source| source.single());
        let mut filled = 0;
        while filled < pixels.len() {
            let (y, x) = ((pixels.start + filled) / width, (pixels.start + filled) % width);
            let count = (width - x).min(pixels.len() - filled);
            let place = filled..filled + count;
            write_places(&mut self.input[place.clone()], input.rows.start(y), input.pixel_step, x);
            if let Some(segment) = residual {
                let start = segment.rows.row_start(image, y);
                write_places(&mut self.residual[place.clone()], start, segment.rows.pixel_stride as usize, x);
            }
            let start = task.sink.rows().row_start(image, y);
            write_places(&mut self.output[place], start, task.sink.pixel_stride(), x);
            filled += count;
        }
        [&self.input, &self.output, &self.residual].map(|places| Places::new(&places[..filled]))
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
