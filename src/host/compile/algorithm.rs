//! Which algorithm computes a convolution: the cheapest by a model of one core with 256-bit fused multiply-add, caches of 1 MB
//! (L2) and 32 MB (L3). Called by `lower`.
//!
//! The model counts cycles. A register tile of 6 × 16 sums takes a cycle for each row and term, and a few to begin and end.
//! Winograd adds its transforms, by vectors of 8 channels of a tile, and waits for its enlarged weights, which each block of
//! tiles reads anew. The constants were fitted to 25 layers and met nine others within 9 % (AMD Zen 4).

use crate::device::kernel::conv_f32_suits;
use crate::device::kernel::params::ConvAlgorithm;
use crate::device::tensor::{Extent, Window};

use super::CompileOptions;

/// Rows of a register tile.
const TILE_ROWS: u64 = 6;
/// Cycles that a register tile costs beyond its terms.
const TILE_CYCLES: f64 = 18.0;
/// Bytes of activations, or of activations and weights, up to which they stay in L2 or near it between the phases of a layer.
const HOT: [f64; 2] = [0.5e6, 4.5e6];

/// The algorithm for a convolution of `input` to `output`.
pub(super) fn of_conv(
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
        if options.winograd && suits(algorithm) {
            let cycles = tile.cycles(input, output);
            if cycles < best.1 {
                best = (algorithm, cycles);
            }
        }
    }
    best.0
}

/// Cycles of a matrix product of `rows` rows of `terms` terms by `outputs` outputs, done in blocks of `block` rows.
fn product_cycles(rows: u64, terms: f64, outputs: u32, block: u64) -> f64 {
    let blocks = rows.div_ceil(block.max(1)).max(1);
    let (rows, panels) = (rows.div_ceil(blocks), f64::from(outputs.div_ceil(16)));
    let tiles = rows.div_ceil(TILE_ROWS).max(1);
    // Rows are divided evenly; fewer than four cannot hide the latency of their additions.
    let tile_rows = (rows as f64 / tiles as f64).max(4.0);
    blocks as f64 * tiles as f64 * panels * (terms * tile_rows + TILE_CYCLES)
}

/// Cycles of a direct 3×3 convolution.
fn direct_cycles(inputs: u32, output: Extent) -> f64 {
    product_cycles(pixels(output), 9.0 * f64::from(inputs), output.c, 96) / 0.97
}

fn pixels(extent: Extent) -> u64 {
    u64::from(extent.n) * u64::from(extent.h) * u64::from(extent.w)
}

/// What the tiles of a Winograd algorithm cost.
struct Tile {
    /// Outputs in each dimension.
    outputs: u32,
    /// Cycles to transform a tile of 8 input channels, and of 8 output channels, in parts of those of F(4×4,3×3).
    transforms: [f64; 2],
}

const TWO: Tile = Tile { outputs: 2, transforms: [0.3, 0.2] };
const FOUR: Tile = Tile { outputs: 4, transforms: [1.0, 1.0] };

impl Tile {
    fn cycles(&self, input: Extent, output: Extent) -> f64 {
        let (inputs, outputs) = (f64::from(input.c), f64::from(output.c));
        let frequencies = f64::from((self.outputs + 2) * (self.outputs + 2));
        let each = u64::from(output.h.div_ceil(self.outputs)) * u64::from(output.w.div_ceil(self.outputs));
        let tiles = u64::from(output.n) * each;
        // As the kernel divides them: V takes about three fifths of L2.
        let block = ((152.0 * 1024.0 / frequencies / inputs) as u64).clamp(12, 96).min(each);
        let weights = frequencies * inputs * outputs * 4.0;
        let efficiency = match weights {
            w if w <= 1e6 => 0.975,
            w if w <= 12e6 => 0.95,
            _ => 0.905,
        };
        let product = frequencies * product_cycles(tiles, inputs, output.c, block) / efficiency;
        let bytes_per_cycle = match weights {
            w if w <= 12e6 => 25.7,
            // Pages of 4 KiB: what L3 does not hold comes at 16 GB/s.
            w if w <= 20e6 => 12.0,
            _ => 4.4,
        };
        let reading = weights * tiles.div_ceil(block.max(1)) as f64 / bytes_per_cycle;
        let activations = (pixels(input) as f64 * inputs + pixels(output) as f64 * outputs) * 4.0;
        let [from, to] = if activations <= HOT[0] || activations + weights <= HOT[1] {
            [140.0, 115.0]
        } else {
            [inputs, outputs].map(|channels| (166.0 + 1.85 * channels).min(480.0))
        };
        // Vectors have sixteen channels, filled or not.
        let [inputs, outputs] = [input.c, output.c].map(|c| f64::from(c.next_multiple_of(16)));
        let transforms = tiles as f64 / 8.0
            * (inputs * from * self.transforms[0] + outputs * to * 0.8 * self.transforms[1]);
        product.max(reading) + transforms
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The algorithm for a 3×3 convolution that keeps the size.
    fn algorithm(size: u32, inputs: u32, outputs: u32) -> ConvAlgorithm {
        let extents = [inputs, outputs].map(|c| Extent::new(1, size, size, c));
        of_conv(&Window::new(3, 3).with_padding(1), 1, extents, &CompileOptions::default())
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
    fn transforms_want_channels_on_both_sides() {
        assert_eq!(algorithm(224, 3, 64), ConvAlgorithm::Im2col);
        assert_eq!(algorithm(224, 1, 16), ConvAlgorithm::Im2col);
    }
}
