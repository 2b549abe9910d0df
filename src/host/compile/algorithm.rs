//! Which algorithm computes a convolution: the cheapest by a model of one core with 256-bit fused multiply-add, caches of 1 MB
//! (L2) and 32 MB (L3). Called by `lower`.
//!
//! The model counts cycles. A register tile of 6 × 16 sums takes a cycle for each row and term, and a few to begin and end.
//! Winograd adds its transforms, by vectors of 8 channels of a tile, and waits for its enlarged weights, which each block of
//! tiles reads anew. The constants are of an AMD Zen 4 at 3.7 GHz; what the choices bring is in `docs/performance.md`, and
//! `cargo bench --bench conv` measures the alternatives side by side.

use crate::device::kernel::params::ConvAlgorithm;
use crate::device::kernel::{conv_f32_suits, winograd_block};
use crate::device::tensor::{Extent, Window};

use super::CompileOptions;

/// Rows of a register tile.
const TILE_ROWS: u64 = 6;
/// Cycles that a register tile costs beyond its terms.
const TILE_CYCLES: f64 = 18.0;
/// The share of the peak that a product reaches whose weights take up to so many bytes.
const EFFICIENCIES: [(f64, f64); 3] = [(1e6, 0.975), (12e6, 0.95), (f64::INFINITY, 0.905)];
/// The share of the peak of a direct convolution.
const DIRECT_EFFICIENCY: f64 = 0.97;
/// Bytes a cycle at which weights of up to so many bytes come: out of L3; partly; by pages of 4 KiB, at 16 GB/s.
const READING: [(f64, f64); 3] = [(12e6, 25.7), (20e6, 12.0), (f64::INFINITY, 4.4)];
/// Bytes of activations, or of activations and weights, up to which they stay in L2 or near it between the phases of a layer.
const HOT: [f64; 2] = [0.5e6, 4.5e6];
/// Cycles to transform 8 channels of a tile of F(4×4,3×3), in and out, where the data are near.
const HOT_TRANSFORM: [f64; 2] = [140.0, 115.0];
/// The same where they are far: base, for each channel, at most; and the part of it that a transform back takes.
const COLD_TRANSFORM: [f64; 3] = [166.0, 1.85, 480.0];
const COLD_OUTPUT: f64 = 0.8;

/// The algorithm that the compiler takes for a convolution of `input` to `output`, `[n, h, w, c]`: the cheapest by the model that
/// suits and that the options allow. `cargo bench --bench selection` compares it with the clock.
///
/// ```
/// use salto::device::kernel::params::ConvAlgorithm;
/// use salto::device::tensor::{Extent, Window};
/// use salto::host::compile::{CompileOptions, conv_algorithm};
///
/// let picture = Extent::new(1, 56, 56, 64);
/// let window = Window::new(3, 3).with_padding(1);
/// let algorithm = |options| conv_algorithm(&window, 1, [picture, picture], &options);
/// assert_eq!(algorithm(CompileOptions::default()), ConvAlgorithm::Winograd4x4);
/// assert_eq!(algorithm(CompileOptions::default().exact(true)), ConvAlgorithm::Winograd2x2);
/// assert_eq!(algorithm(CompileOptions::default().winograd(false)), ConvAlgorithm::Im2col);
/// ```
pub fn conv_algorithm(
    window: &Window,
    groups: u32,
    [input, output]: [Extent; 2],
    options: &CompileOptions,
) -> ConvAlgorithm {
    let suits = |algorithm| conv_f32_suits(algorithm, window, groups, [input.c, output.c]);
    if groups > 1 && suits(ConvAlgorithm::Depthwise) {
        return ConvAlgorithm::Depthwise;
    }
    if suits(ConvAlgorithm::Pointwise) {
        return ConvAlgorithm::Pointwise;
    }
    let mut best = (ConvAlgorithm::Im2col, direct_cycles(input.c, output));
    for (algorithm, tile) in [(ConvAlgorithm::Winograd2x2, &TWO), (ConvAlgorithm::Winograd4x4, &FOUR)] {
        let is_allowed = options.winograd && !options.low_memory && (tile.is_exact || !options.exact);
        if is_allowed && suits(algorithm) {
            let cycles = tile.cycles(input, output);
            if cycles < best.1 {
                best = (algorithm, cycles);
            }
        }
    }
    best.0
}

/// Cycles of a matrix product of `rows` rows of `terms` terms by so many panels of 16 outputs.
fn product_cycles(rows: u64, terms: f64, panels: f64) -> f64 {
    let tiles = rows.div_ceil(TILE_ROWS).max(1);
    // Rows are divided evenly; fewer than four cannot hide the latency of their additions.
    let tile_rows = (rows as f64 / tiles as f64).max(4.0);
    tiles as f64 * panels * (terms * tile_rows + TILE_CYCLES)
}

/// Cycles of a direct 3×3 convolution.
fn direct_cycles(inputs: u32, output: Extent) -> f64 {
    // Of a last panel of up to 8 outputs only half is multiplied.
    let panels = f64::from(output.c.div_ceil(8)) / 2.0;
    product_cycles(pixels(output), 9.0 * f64::from(inputs), panels) / DIRECT_EFFICIENCY
}

fn pixels(extent: Extent) -> u64 {
    u64::from(extent.n) * u64::from(extent.h) * u64::from(extent.w)
}

/// The entry of a table for so many bytes.
fn at(table: &[(f64, f64)], bytes: f64) -> f64 {
    table.iter().find(|(most, _)| bytes <= *most).map_or(1.0, |(_, value)| *value)
}

/// What the tiles of a Winograd algorithm cost.
struct Tile {
    /// Outputs in each dimension.
    outputs: u32,
    /// Cycles to transform in and out, in parts of those of F(4×4,3×3).
    transforms: [f64; 2],
    /// Does it round no worse than one chain of additions? ([`CompileOptions::exact`])
    is_exact: bool,
}

const TWO: Tile = Tile { outputs: 2, transforms: [0.3, 0.2], is_exact: true };
const FOUR: Tile = Tile { outputs: 4, transforms: [1.0, 1.0], is_exact: false };

impl Tile {
    fn cycles(&self, input: Extent, output: Extent) -> f64 {
        let frequencies = (self.outputs + 2) * (self.outputs + 2);
        let each = u64::from(output.h.div_ceil(self.outputs)) * u64::from(output.w.div_ceil(self.outputs));
        let (tiles, all) = (u64::from(output.n) * each, usize::try_from(each).unwrap_or(usize::MAX));
        let block = winograd_block(frequencies as usize, input.c, all).max(1) as u64;
        let blocks = tiles.div_ceil(block).max(1);
        let weights = f64::from(frequencies) * f64::from(input.c) * f64::from(output.c) * 4.0;
        let product = blocks as f64
            * f64::from(frequencies)
            * product_cycles(tiles.div_ceil(blocks), input.c.into(), output.c.div_ceil(16).into())
            / at(&EFFICIENCIES, weights);
        let reading = weights * blocks as f64 / at(&READING, weights);
        product.max(reading) + self.transform_cycles(tiles, input, output, weights)
    }

    /// Cycles of both transforms of all tiles.
    fn transform_cycles(&self, tiles: u64, input: Extent, output: Extent, weights: f64) -> f64 {
        let elements = |extent: Extent| pixels(extent) as f64 * f64::from(extent.c);
        let activations = (elements(input) + elements(output)) * 4.0;
        let [from, to] = if activations <= HOT[0] || activations + weights <= HOT[1] {
            HOT_TRANSFORM
        } else {
            let [base, channel, most] = COLD_TRANSFORM;
            let cold = |extent: Extent| (base + channel * f64::from(extent.c)).min(most);
            [cold(input), cold(output) * COLD_OUTPUT]
        };
        // Vectors have sixteen channels, filled or not.
        let [inputs, outputs] = [input.c, output.c].map(|c| f64::from(c.next_multiple_of(16)));
        tiles as f64 / 8.0 * (inputs * from * self.transforms[0] + outputs * to * self.transforms[1])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The algorithm for a 3×3 convolution that keeps the size.
    fn algorithm(size: u32, inputs: u32, outputs: u32) -> ConvAlgorithm {
        let extents = [inputs, outputs].map(|c| Extent::new(1, size, size, c));
        conv_algorithm(&Window::new(3, 3).with_padding(1), 1, extents, &CompileOptions::default())
    }

    #[test]
    fn large_pictures_take_large_tiles() {
        for (size, channels) in [(56, 64), (28, 128), (14, 256), (64, 128), (16, 32), (8, 64)] {
            assert_eq!(algorithm(size, channels, channels), ConvAlgorithm::Winograd4x4, "{size} {channels}");
        }
    }

    #[test]
    fn many_weights_for_few_pixels_take_small_tiles() {
        assert_eq!(algorithm(7, 512, 512), ConvAlgorithm::Winograd2x2);
    }

    #[test]
    fn few_outputs_are_computed_directly() {
        assert_eq!(algorithm(24, 20, 7), ConvAlgorithm::Im2col);
        assert_eq!(algorithm(24, 32, 30), ConvAlgorithm::Winograd4x4);
    }

    #[test]
    fn transforms_want_channels_on_both_sides() {
        assert_eq!(algorithm(224, 3, 64), ConvAlgorithm::Im2col);
        assert_eq!(algorithm(224, 1, 16), ConvAlgorithm::Im2col);
    }
}
