//! Transposed convolution: `output = activation(conv_transpose(input) + bias + residual)`.
//!
//! Flows in: an input in segments, weights in panels, an epilogue; flows out: a band of output rows. Called by `engine`.
//!
//! Each output gathers what the input scatters to it. The outputs of one phase (row and column modulo the stride) lie on the
//! same taps, and neighbours in a phase read neighbouring pixels: so a tap is a matrix product over pixels where they lie, in
//! register tiles. A tap is left out for outputs where it lies outside the input, so nothing needs padding.
//!
//! **Order of summation**: taps ascend, and in each the segments; the channels of a segment are summed in chains of at most
//! [`CHAIN`] terms, each of which is added to the total.

use core::ops::Range;

use crate::device::simd::{
    Keep, LANES, Panels, Places, Product, Runs, Simd, Sums, TileRange, View, ViewMut, multiply_tile,
};
use crate::device::tensor::{Axis, Rows, Segment};

use super::band::TileEpilogue;
use super::overlap::{Reach, RowAxis, RowSeparation};
use super::params::ConvTransposeParams;
use super::{Band, Epilogue, Sink, Source};

/// Terms that are added up in one chain.
const CHAIN: usize = 256;
/// Rows of the largest register tile of any level.
const MAX_ROWS: usize = 12;
/// Panels of the largest register tile of any level.
const MAX_PANELS: usize = 2;
/// Elements from one row of a block's sums to the next.
const SUMS_STRIDE: usize = MAX_PANELS * LANES;

/// What one transposed convolution reads and writes.
#[derive(Clone, Copy, Debug)]
pub struct ConvTransposeTask<'a> {
    /// The geometry.
    pub params: &'a ConvTransposeParams,
    /// The input.
    pub source: Source<'a, f32>,
    /// `[group][panel of 16 outputs][ky][kx][input channel of the group][16]`, outputs padded with zeros to whole panels.
    pub weights: View<'a, f32>,
    /// Bias, residual, activation.
    pub epilogue: Epilogue<'a>,
    /// The output.
    pub sink: Sink<'a, f32>,
}

/// Elements of the weights: `groups · ⌈outputs of a group / 16⌉ · kh · kw · inputs of a group · 16`; `None` if the groups do
/// not divide the channels or the number does not fit 32 bits.
pub const fn conv_transpose_f32_weight_len(params: &ConvTransposeParams) -> Option<u32> {
    let (groups, inputs, outputs) = (params.groups, params.input.c, params.output.c);
    if groups == 0 || !inputs.is_multiple_of(groups) || !outputs.is_multiple_of(groups) {
        return None;
    }
    product(&[
        groups,
        (outputs / groups).div_ceil(LANES as u32),
        params.window.y.kernel,
        params.window.x.kernel,
        inputs / groups,
        LANES as u32,
    ])
}

/// Elements of scratch: none.
pub const fn conv_transpose_f32_scratch_len(_params: &ConvTransposeParams) -> Option<u32> {
    Some(0)
}

/// The channels that a band should begin at a multiple of, where it may have a part of them; `None` where every band computes
/// all. Results never depend on it.
pub const fn conv_transpose_f32_channel_multiple(params: &ConvTransposeParams) -> Option<u32> {
    if params.groups == 1 { Some(LANES as u32) } else { None }
}

/// Can [`conv_transpose_f32`] compute this? Groups divide the channels, both have the same batch, every number of the window
/// is in range; rows or columns that no tap reaches (output padding) are allowed.
pub const fn conv_transpose_f32_is_valid(params: &ConvTransposeParams) -> bool {
    let (input, output) = (&params.input, &params.output);
    input.n == output.n
        && input.checked_len().is_some()
        && output.checked_len().is_some()
        && conv_transpose_f32_weight_len(params).is_some()
        && params.activation.kind().is_some()
        && axis_is_valid(&params.window.y, input.h, output.h)
        && axis_is_valid(&params.window.x, input.w, output.w)
}

/// Do all places on one axis stay below 2³⁰, so that sums of a few of them fit every machine's integers?
const fn axis_is_valid(axis: &Axis, input: u32, output: u32) -> bool {
    const LIMIT: u64 = 1 << 30;
    axis.kernel > 0
        && axis.stride > 0
        && axis.dilation > 0
        && axis.span() < LIMIT
        && (axis.stride as u64) < LIMIT
        && (axis.dilation as u64) < LIMIT
        && (axis.pad_before as u64) < LIMIT
        && (output as u64) < LIMIT
        && (input as u64) < LIMIT
}

/// The product, if it fits 32 bits.
const fn product(factors: &[u32]) -> Option<u32> {
    let mut product = 1u32;
    let mut i = 0;
    while i < factors.len() {
        product = match product.checked_mul(factors[i]) {
            Some(product) => product,
            None => return None,
        };
        i += 1;
    }
    Some(product)
}

/// How far apart a segment of the input and the output must begin, in elements, if bands are single rows in order. Where stride and
/// dilation have a common factor, fewer rows are read than it counts.
pub const fn conv_transpose_f32_separation(
    params: &ConvTransposeParams,
    input: &Segment,
    output: &Segment,
) -> RowSeparation {
    let axis = RowAxis::Transposed(params.window.y);
    Reach { input: params.input, output: params.output, block: 1, axis }.separation(input, output)
}

/// Computes a band; scratch is not used.
pub fn conv_transpose_f32<S: Simd>(
    s: S,
    task: &ConvTransposeTask<'_>,
    band: &Band,
    _scratch: ViewMut<'_, f32>,
) {
    let (stride, width) = (task.params.window.x.stride as usize, task.params.output.w as usize);
    let outputs = (task.params.output.c / task.params.groups) as usize;
    // Only those of a single group are divided.
    let panels = if task.params.groups == 1 { band.panels(outputs) } else { 0..outputs.div_ceil(LANES) };
    s.vectorize(
        #[inline(always)]
        || {
            for y in band.rows.clone() {
                let rows = Taps::of(&task.params.window.y, y);
                for first in 0..stride.min(width) {
                    let columns = Taps::of(&task.params.window.x, first);
                    let len = (width - first).div_ceil(stride);
                    let panels = panels.clone();
                    Phase { task, image: band.image, panels, y, first, len, rows, columns }.compute(s);
                }
            }
        },
    );
}

/// The outputs of one row that lie on the same taps: columns `first`, `first + stride`, … (`len` of them).
struct Phase<'a> {
    task: &'a ConvTransposeTask<'a>,
    image: usize,
    /// Of each group.
    panels: Range<usize>,
    y: usize,
    first: usize,
    len: usize,
    rows: Taps,
    columns: Taps,
}

/// The taps of one output on one axis that fall on an element, and those elements, which may lie outside the input. For the
/// next output of the phase it is the next element under every tap.
#[derive(Clone, Copy)]
struct Taps {
    kernel: usize,
    first: usize,
    step: usize,
    element: isize,
    element_step: isize,
}

impl Taps {
    /// The taps `k` of output `o` where `(o + padding − k·dilation) / stride` is whole: every so many, so two of them tell all.
    #[inline(always)]
    fn of(axis: &Axis, o: usize) -> Self {
        let (kernel, stride) = (axis.kernel as usize, axis.stride as isize);
        let reached =
            |k: usize| (o + axis.pad_before as usize) as isize - (k * axis.dilation as usize) as isize;
        let next = |from: usize| (from..kernel).find(|&k| reached(k) % stride == 0).unwrap_or(kernel);
        let first = next(0);
        let second = next((first + 1).min(kernel));
        let element = reached(first) / stride;
        Self {
            kernel,
            first,
            step: second - first,
            element,
            element_step: element - reached(second) / stride,
        }
    }

    /// Each tap and its element.
    #[inline(always)]
    fn iter(self) -> impl Iterator<Item = (usize, isize)> {
        let taps = (self.first..self.kernel).step_by(self.step.max(1)).enumerate();
        taps.map(move |(i, k)| (k, self.element - i as isize * self.element_step))
    }
}

/// Some neighbouring outputs of a phase and some panels of a group.
struct Block {
    outputs: Range<usize>,
    group: usize,
    panels: Range<usize>,
}

impl Block {
    /// The first `rows` rows of a product with the block's panels.
    const fn tile(&self, rows: usize) -> TileRange {
        TileRange { row: 0, rows, panel: 0, panels: self.panels.end - self.panels.start }
    }
}

/// Some terms of a block's sums: a tap's products with one segment's channels.
struct Piece {
    /// Terms of a row.
    terms: usize,
    /// Where the weights begin.
    weights: usize,
    /// The rows of the block that the tap serves.
    rows: Range<usize>,
    /// Where those rows' terms begin.
    starts: [u32; MAX_ROWS],
}

impl<'a> Phase<'a> {
    #[inline(always)]
    fn compute<S: Simd>(&self, s: S) {
        let params = self.task.params;
        let mut memory = [0.0; MAX_ROWS * SUMS_STRIDE];
        let sums = Sums { memory: ViewMut::new(&mut memory), stride: SUMS_STRIDE, begun: false };
        // Blocks differ by one output at most: a last block of one would waste most of the tile.
        let blocks = self.len.div_ceil(S::TILE_ROWS.min(MAX_ROWS));
        for group in 0..params.groups as usize {
            for panel in self.panels.clone().step_by(S::TILE_PANELS.min(MAX_PANELS)) {
                let panels = panel..(panel + S::TILE_PANELS.min(MAX_PANELS)).min(self.panels.end);
                for block in 0..blocks {
                    let outputs = self.len * block / blocks..self.len * (block + 1) / blocks;
                    self.sum(s, &Block { outputs, group, panels: panels.clone() }, sums);
                }
            }
        }
    }

    /// Adds up all taps of a block, each over the outputs that it serves. The last piece's sums do not leave the registers
    /// before they are finished, if it serves all outputs.
    #[inline(always)]
    fn sum<S: Simd>(&self, s: S, block: &Block, mut sums: Sums<'_>) {
        let input = &self.task.params.input;
        let mut last = None;
        for (ky, row) in self.rows.iter() {
            if row < 0 || row >= input.h as isize {
                continue;
            }
            for (kx, column) in self.columns.iter() {
                let begin = block.outputs.start.max((-column).max(0) as usize);
                let end = block.outputs.end.min((input.w as isize - column).max(0) as usize);
                if begin < end {
                    let tap = ky * self.columns.kernel + kx;
                    let pixel = (begin as isize + column) as usize;
                    let rows = begin - block.outputs.start..end - block.outputs.start;
                    let mut first = 0;
                    for segment in self.task.source.segments() {
                        let place = (tap, row as usize, pixel);
                        if let Some(piece) = self.piece(block, segment, first, place, rows.clone())
                            && let Some(piece) = last.replace(piece)
                        {
                            self.keep(s, block, &piece, &mut sums);
                        }
                        first += segment.channels as usize;
                    }
                }
            }
        }
        match last {
            Some(piece) if piece.rows.len() == block.outputs.len() => self.finish(s, block, &piece, sums),
            piece => {
                if let Some(piece) = piece {
                    self.keep(s, block, &piece, &mut sums);
                }
                let none =
                    Piece { terms: 0, weights: 0, rows: 0..block.outputs.len(), starts: [0; MAX_ROWS] };
                self.finish(s, block, &none, sums);
            }
        }
    }

    /// The products of a tap with the channels that a group has in a segment, the first of whose channels is `first`; the first
    /// of the rows `rows` reads pixel `pixel` of input row `row`.
    #[inline(always)]
    fn piece(
        &self,
        block: &Block,
        segment: &Segment,
        first: usize,
        (tap, row, pixel): (usize, usize, usize),
        rows: Range<usize>,
    ) -> Option<Piece> {
        let params = self.task.params;
        let inputs = (params.input.c / params.groups) as usize;
        let taps = params.window.taps() as usize;
        let group_panels = (params.output.c / params.groups).div_ceil(LANES as u32) as usize;
        let weights = ((block.group * group_panels + block.panels.start) * taps + tap) * inputs;
        let channels = block.group * inputs..(block.group + 1) * inputs;
        let begin = channels.start.max(first);
        let end = channels.end.min(first + segment.channels as usize);
        if begin >= end {
            return None;
        }
        let stride = segment.rows.pixel_stride as usize;
        let start = segment.rows.row_start(self.image, row) + pixel * stride + begin - first;
        let weights = (weights + begin - channels.start) * LANES;
        Some(Piece { terms: end - begin, weights, rows, starts: places(start, stride) })
    }

    /// The products of a piece.
    #[inline(always)]
    fn product<'p>(&self, block: &Block, piece: &'p Piece) -> Product<'p>
    where
        'a: 'p,
    {
        let params = self.task.params;
        let inputs = (params.input.c / params.groups) as usize;
        Product::new(
            self.task.source.memory(),
            Places::new(&piece.starts[..piece.rows.len()]),
            Runs::one(piece.terms),
            CHAIN,
            Panels {
                weights: self.task.weights.from(piece.weights),
                panels: block.panels.len(),
                stride: params.window.taps() as usize * inputs * LANES,
            },
        )
    }

    /// Adds a piece to the sums of a block. They begin with the first piece's where it serves all outputs, else with 0; both
    /// give the same bits.
    #[inline(always)]
    fn keep<S: Simd>(&self, s: S, block: &Block, piece: &Piece, sums: &mut Sums<'_>) {
        if !sums.begun && piece.rows.len() < block.outputs.len() {
            sums.memory.fill(0.0);
            sums.begun = true;
        }
        let rows = Sums { memory: sums.memory.from(piece.rows.start * sums.stride), ..*sums };
        multiply_tile(s, &self.product(block, piece), block.tile(piece.rows.len()), rows, &Keep);
        sums.begun = true;
    }

    /// Adds the last piece of a block, which serves all of its outputs, and finishes and stores them.
    #[inline(always)]
    fn finish<S: Simd>(&self, s: S, block: &Block, piece: &Piece, sums: Sums<'_>) {
        let (params, task) = (self.task.params, self.task);
        let count = block.outputs.len();
        let x = self.first + block.outputs.start * params.window.x.stride as usize;
        let place = |rows: &Rows| {
            let pixel = rows.pixel_stride as usize;
            let start = rows.row_start(self.image, self.y) + x * pixel;
            places(start, params.window.x.stride as usize * pixel)
        };
        let outputs = place(task.sink.rows());
        let residual = task.epilogue.residual.and_then(|source| source.single());
        let residuals = residual.map_or([0; MAX_ROWS], |segment| place(&segment.rows));
        let places = [&outputs, &residuals].map(|places| Places::new(&places[..count]));
        let group_outputs = (params.output.c / params.groups) as usize;
        let first = block.group * group_outputs;
        let channels =
            first + block.panels.start * LANES..first + group_outputs.min(block.panels.end * LANES);
        let epilogue = TileEpilogue::new(&task.epilogue, task.sink.memory(), places, channels);
        epilogue.multiply(s, &self.product(block, piece), block.tile(count), sums);
    }
}

/// Places at `first`, `first + step`, …
#[inline(always)]
fn places(first: usize, step: usize) -> [u32; MAX_ROWS] {
    let mut places = [0; MAX_ROWS];
    for (i, place) in places.iter_mut().enumerate() {
        *place = first.wrapping_add(i.wrapping_mul(step)) as u32;
    }
    places
}
