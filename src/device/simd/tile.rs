//! The register tile: the inner loop of every convolution and matrix product.

use super::lanes::{LANES, Simd};
use super::view::View;

/// `ROWS × PANELS·16` sums in registers: `tile[r][p] += Σ_k rows[r][k] · panels[p][k]`.
///
/// Each sum is one chain over `k` in ascending order, whatever the tile's size, so results do not depend on how an output is
/// cut into tiles.
#[derive(Clone, Copy, Debug)]
pub struct Tile<S: Simd, const ROWS: usize, const PANELS: usize> {
    /// The sums: 16 outputs of a panel for each row.
    pub sums: [[S::F32; PANELS]; ROWS],
}

impl<S: Simd, const ROWS: usize, const PANELS: usize> Tile<S, ROWS, PANELS> {
    /// All sums 0.
    #[inline(always)]
    pub fn zero(s: S) -> Self {
        Self { sums: [[s.splat(0.0); PANELS]; ROWS] }
    }

    /// Adds the products of `k` columns. Row `r` is read at `rows[r][0..k]`, panel `p` at
    /// `panels[p·panel_stride ..][k·16 + lane]`.
    #[inline(always)]
    pub fn accumulate(
        &mut self,
        s: S,
        rows: &[View<'_, f32>; ROWS],
        panels: View<'_, f32>,
        panel_stride: usize,
        k: usize,
    ) {
        // One check for all: `range` refuses what is too short.
        let rows = rows.map(|row| row.range(0, k).pointer());
        let panels: [*const f32; PANELS] =
            core::array::from_fn(|p| panels.range(p * panel_stride, k * LANES).pointer());
        let mut sums = self.sums;
        for column in 0..k {
            let weights: [S::F32; PANELS] = core::array::from_fn(|p| {
                // SAFETY: `column < k`, and panel `p` has `k·16` elements.
                let weights = unsafe { panels[p].add(column * LANES) };
                // SAFETY: as above: 16 elements from there on are inside the panel.
                unsafe { s.load_pointer(weights) }
            });
            for r in 0..ROWS {
                // SAFETY: `column < k`, and each row has `k` elements.
                let x = unsafe { rows[r].add(column) };
                // SAFETY: as above; views are aligned and readable.
                let x = s.splat(unsafe { x.read() });
                for p in 0..PANELS {
                    sums[r][p] = s.mul_add(x, weights[p], sums[r][p]);
                }
            }
        }
        self.sums = sums;
    }

    /// Adds another tile.
    #[inline(always)]
    pub fn add(&mut self, s: S, other: &Self) {
        for (sums, others) in self.sums.iter_mut().zip(&other.sums) {
            for (sum, x) in sums.iter_mut().zip(others) {
                *sum = s.add(*sum, *x);
            }
        }
    }
}
