//! The register tile: the inner loop of every convolution and matrix product.

use core::ops::Range;

use super::finish::{End, Sums, Total};
use super::lanes::{LANES, Simd};
use super::product::{Ahead, Product, Weight};
use super::view::outside;

/// `ROWS × PANELS·16` sums in registers: `tile[r][p] += Σ_k rows[r][k] · panels[p][k]`.
///
/// Each sum is one chain over `k` in ascending order, whatever the tile's size, so results do not depend on how an output is
/// cut into tiles.
#[derive(Clone, Copy, Debug)]
struct Tile<S: Simd, const ROWS: usize, const PANELS: usize> {
    /// The sums: 16 outputs of a panel for each row.
    sums: [[S::F32; PANELS]; ROWS],
}

impl<S: Simd, const ROWS: usize, const PANELS: usize> Tile<S, ROWS, PANELS> {
    /// All sums 0.
    #[inline(always)]
    fn zero(s: S) -> Self {
        Self { sums: [[s.splat(0.0); PANELS]; ROWS] }
    }

    /// Adds the products of some columns with the weights that begin at `weights`, panels `stride` elements apart; of the
    /// last panel's only the first 8 lanes, if `LOW`. What lies `ahead` is fetched meanwhile.
    ///
    /// # Safety
    /// Each row must be valid for reads of the columns, the weights of `columns.len()·16` elements for each panel.
    #[inline(always)]
    unsafe fn accumulate<W: Weight, const AHEAD: bool, const LOW: bool>(
        &mut self,
        s: S,
        rows: &[*const f32; ROWS],
        columns: Range<usize>,
        (mut weights, stride): (*const W, usize),
        mut ahead: Ahead,
    ) {
        let mut sums = self.sums;
        for column in columns {
            let mut panels = [s.splat(0.0); PANELS];
            for (p, panel) in panels.iter_mut().enumerate() {
                // SAFETY: 16 weights for each column of each panel are readable, and there is one step for each column.
                *panel = unsafe { W::load_pointer(s, weights.wrapping_add(p * stride)) };
            }
            if AHEAD {
                for p in 0..PANELS {
                    s.prefetch(weights.wrapping_add(p * stride + ahead.next).cast());
                }
                ahead.next = ahead.next.wrapping_add(ahead.step).wrapping_sub(LANES);
            }
            weights = weights.wrapping_add(LANES);
            for r in 0..ROWS {
                // SAFETY: each row has the column.
                let x = unsafe { rows[r].add(column) };
                // SAFETY: as above; views are aligned and readable.
                let x = s.splat(unsafe { x.read() });
                for p in 0..PANELS {
                    sums[r][p] = if LOW && p == PANELS - 1 {
                        s.mul_add_low(x, panels[p], sums[r][p])
                    } else {
                        s.mul_add(x, panels[p], sums[r][p])
                    };
                }
            }
        }
        self.sums = sums;
    }
}

/// Which part of a product: `rows` rows from `row` on by `panels` panels from `panel` on. At most [`Simd::TILE_ROWS`] rows and
/// [`Simd::TILE_PANELS`] panels, of a single row [`Simd::ROW_PANELS`].
#[derive(Clone, Copy, Debug)]
pub struct TileRange {
    /// The first row.
    pub row: usize,
    /// Rows.
    pub rows: usize,
    /// The first panel.
    pub panel: usize,
    /// Panels.
    pub panels: usize,
}

/// Computes one tile and gives its sums to `end`.
///
/// The totals of chains are kept in `sums` while others are summed; where `sums` has begun, what it holds is the total of terms
/// before the product's.
#[inline(always)]
pub fn multiply_tile<S: Simd, W: Weight, E: End>(
    s: S,
    product: &Product<'_, W>,
    tile: TileRange,
    sums: Sums<'_>,
    end: &E,
) {
    let ahead = const { S::PREFETCHES } && product.ahead.step > 0;
    let low = end.lanes(tile.panel + tile.panels) <= LANES / 2;
    macro_rules! select {
        ($panels:literal: $($rows:literal)*) => {
            match tile.rows {
                $($rows => if const { fits::<S>($rows, $panels) } {
                    if low {
                        sum_rows::<S, W, E, $rows, $panels, false, true>(s, product, tile, sums, end)
                    } else if ahead {
                        sum_rows::<S, W, E, $rows, $panels, true, false>(s, product, tile, sums, end)
                    } else {
                        sum_rows::<S, W, E, $rows, $panels, false, false>(s, product, tile, sums, end)
                    }
                } else {
                    outside()
                })*
                _ => outside(),
            }
        };
    }
    match tile.panels {
        1 => select!(1: 1 2 3 4 5 6 7 8 9 10 11 12),
        2 => select!(2: 1 2 3 4 5 6 7 8 9 10 11 12),
        3 => select!(3: 1),
        4 => select!(4: 1),
        _ => outside(),
    }
}

/// Is there a tile of so many rows and panels?
const fn fits<S: Simd>(rows: usize, panels: usize) -> bool {
    rows <= S::TILE_ROWS && panels <= if rows == 1 { S::ROW_PANELS } else { S::TILE_PANELS }
}

/// [`multiply_tile`] of a constant size.
fn sum_rows<
    S: Simd,
    W: Weight,
    E: End,
    const ROWS: usize,
    const PANELS: usize,
    const AHEAD: bool,
    const LOW: bool,
>(
    s: S,
    product: &Product<'_, W>,
    range: TileRange,
    sums: Sums<'_>,
    end: &E,
) {
    s.vectorize(
        #[inline(always)]
        || {
            let (rows, mut weights) = product.pointers::<ROWS, PANELS>(range.row, range.panel);
            let (runs, stride) = (product.runs, product.panel_stride());
            let mut total = Total::<ROWS, PANELS>::new(sums);
            let mut tile = Tile::zero(s);
            let (mut left, mut ahead) = (product.chain, product.ahead);
            for outer in 0..runs.outer {
                for inner in 0..runs.inner {
                    let mut column = outer * runs.outer_stride + inner * runs.inner_stride;
                    let end = column + runs.len;
                    while column < end {
                        if left == 0 {
                            total.add(s, &mut tile.sums);
                            total.keep(s, &tile.sums);
                            tile = Tile::zero(s);
                            left = product.chain;
                        }
                        let k = left.min(end - column);
                        // SAFETY: the columns lie inside a run, and `Product::new` checked all runs of the farthest row and
                        // the panels for the terms of all runs, which advance the weights.
                        unsafe {
                            tile.accumulate::<W, AHEAD, LOW>(
                                s,
                                &rows,
                                column..column + k,
                                (weights, stride),
                                ahead,
                            );
                        };
                        weights = weights.wrapping_add(k * LANES);
                        // Relative to the weights, which moved on.
                        ahead.next = ahead.next.wrapping_add(k * ahead.step).wrapping_sub(k * LANES);
                        column += k;
                        left -= k;
                    }
                }
            }
            // The last chain stays in registers.
            total.add(s, &mut tile.sums);
            end.end(s, [range.row, range.panel], &total, &mut tile.sums);
        },
    );
}
