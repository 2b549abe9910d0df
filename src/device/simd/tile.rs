//! The register tile: the inner loop of every convolution and matrix product.

use super::lanes::{LANES, Simd};
use super::view::{View, ViewMut, outside};

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

    /// Adds the products of `k` columns.
    ///
    /// # Safety
    /// Each row must be valid for reads of `k` elements, each panel for reads of `k·16`.
    #[inline(always)]
    unsafe fn accumulate<const AHEAD: bool>(
        &mut self,
        s: S,
        rows: &[*const f32; ROWS],
        panels: &[*const f32; PANELS],
        k: usize,
        ahead: Ahead,
    ) {
        let mut sums = self.sums;
        let mut next = ahead.next;
        for column in 0..k {
            let mut weights = [s.splat(0.0); PANELS];
            for p in 0..PANELS {
                // SAFETY: `column < k`, and panel `p` has `k·16` elements.
                let panel = unsafe { panels[p].add(column * LANES) };
                // SAFETY: as above: 16 elements from there on are inside the panel.
                weights[p] = unsafe { s.load_pointer(panel) };
            }
            if AHEAD {
                for panel in panels {
                    s.prefetch(panel.wrapping_add(next));
                }
                next = next.wrapping_add(ahead.step);
            }
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
}

/// Where the terms of a row lie: `outer × inner` runs of `len` consecutive elements, at
/// `outer_index · outer_stride + inner_index · inner_stride` from the row's start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Runs {
    /// Outer count (rows of a window).
    pub outer: usize,
    /// Elements from one outer index to the next.
    pub outer_stride: usize,
    /// Inner count (taps of a row, where they are no one run).
    pub inner: usize,
    /// Elements from one inner index to the next.
    pub inner_stride: usize,
    /// Elements of a run.
    pub len: usize,
}

impl Runs {
    /// One run.
    pub const fn one(len: usize) -> Self {
        Self { outer: 1, outer_stride: 0, inner: 1, inner_stride: 0, len }
    }

    /// Terms in all; saturated.
    const fn terms(&self) -> usize {
        self.outer.saturating_mul(self.inner).saturating_mul(self.len)
    }

    /// Elements from a row's start to the end of its last run; saturated.
    const fn reach(&self) -> usize {
        if self.terms() == 0 {
            return 0;
        }
        let outer = (self.outer - 1).saturating_mul(self.outer_stride);
        let inner = (self.inner - 1).saturating_mul(self.inner_stride);
        outer.saturating_add(inner).saturating_add(self.len)
    }
}

/// What is fetched into the cache while a tile is summed: from `next` elements behind its panels on, `step` for each
/// term; nothing if `step` is 0.
#[derive(Clone, Copy, Debug)]
struct Ahead {
    next: usize,
    step: usize,
}

/// A product of rows and packed weights, computed in tiles: `sums[r][p·16 + lane] = Σ_k rows[r][k] · panels[p][k][lane]`.
#[derive(Clone, Copy, Debug)]
pub struct Product<'a> {
    rows: View<'a, f32>,
    runs: Runs,
    chain: usize,
    weights: View<'a, f32>,
    panels: usize,
    panel_stride: usize,
    /// Elements from a row's start to its end, computed once.
    reach: usize,
    ahead: Ahead,
}

impl<'a> Product<'a> {
    /// Rows somewhere in `rows`, their terms at `runs`, by `panels` panels of `[k][16]` weights, `panel_stride` elements apart.
    ///
    /// After every `chain` terms (at least 1) the chain of additions is broken: the tile's sums are added to a total and begin
    /// again at 0. That bounds the rounding error of long sums.
    #[inline(always)]
    pub fn new(
        rows: View<'a, f32>,
        runs: Runs,
        chain: usize,
        weights: View<'a, f32>,
        panels: usize,
        panel_stride: usize,
    ) -> Self {
        let last_panel = panels.saturating_sub(1).saturating_mul(panel_stride);
        weights.range(last_panel, if panels == 0 { 0 } else { runs.terms().saturating_mul(LANES) });
        Self {
            rows,
            runs,
            chain: chain.max(1),
            weights,
            panels,
            panel_stride,
            reach: runs.reach(),
            ahead: Ahead { next: 0, step: LANES },
        }
    }

    /// From now on a tile brings share `part` of `parts` of the panels that lie `distance` elements behind its own into L2
    /// meanwhile; with distance 0 it brings nothing, as at first. Worth while where weights are not in L2 already.
    #[inline(always)]
    pub const fn fetch(&mut self, distance: usize, [part, parts]: [usize; 2]) {
        let step = if parts == 0 || distance == 0 { 0 } else { LANES.div_ceil(parts) };
        let share = part.wrapping_mul(step).wrapping_mul(self.runs.terms());
        self.ahead = Ahead { next: distance.wrapping_add(share), step };
    }

    /// Panels.
    #[inline(always)]
    pub const fn panels(&self) -> usize {
        self.panels
    }

    /// Elements from one panel to the next.
    #[inline(always)]
    pub const fn panel_stride(&self) -> usize {
        self.panel_stride
    }

    /// The addresses of a tile's rows, all of them and the panels checked.
    #[inline(always)]
    fn pointers<const ROWS: usize, const PANELS: usize>(
        &self,
        starts: &[u32],
        panel: usize,
    ) -> ([*const f32; ROWS], [*const f32; PANELS]) {
        let last = starts.iter().fold(0, |last, &start| last.max(start));
        self.rows.range(last as usize, self.reach);
        let Some(starts) = starts.first_chunk::<ROWS>() else { outside() };
        if PANELS > self.panels || panel > self.panels - PANELS {
            outside();
        }
        let first = self.weights.from(panel * self.panel_stride).pointer();
        (
            starts.map(|start| self.rows.pointer().wrapping_add(start as usize)),
            core::array::from_fn(|p| first.wrapping_add(p * self.panel_stride)),
        )
    }
}

/// Writes the sums of one tile: the rows that begin at `starts` by `panels` panels from `panel` on. Row `r` is written at
/// `sums[r · sums_stride + p·16 ..]`. At most [`Simd::TILE_ROWS`] rows and [`Simd::TILE_PANELS`] panels.
#[inline(always)]
pub fn sum_tile<S: Simd>(
    s: S,
    product: &Product<'_>,
    starts: &[u32],
    [panel, panels]: [usize; 2],
    sums: ViewMut<'_, f32>,
    sums_stride: usize,
) {
    macro_rules! select {
        ($panels:literal: $($rows:literal)*) => {
            match starts.len() {
                $($rows => if const { $rows <= S::TILE_ROWS && $panels <= S::TILE_PANELS } {
                    if const { S::PREFETCHES } && product.ahead.step > 0 {
                        sum_rows::<S, $rows, $panels, true>(s, product, starts, panel, sums, sums_stride)
                    } else {
                        sum_rows::<S, $rows, $panels, false>(s, product, starts, panel, sums, sums_stride)
                    }
                } else {
                    outside()
                })*
                _ => outside(),
            }
        };
    }
    match panels {
        1 => select!(1: 1 2 3 4 5 6 7 8 9 10 11 12),
        2 => select!(2: 1 2 3 4 5 6 7 8 9 10 11 12),
        _ => outside(),
    }
}

/// [`sum_tile`] of a constant size.
fn sum_rows<S: Simd, const ROWS: usize, const PANELS: usize, const AHEAD: bool>(
    s: S,
    product: &Product<'_>,
    starts: &[u32],
    panel: usize,
    sums: ViewMut<'_, f32>,
    sums_stride: usize,
) {
    s.vectorize(
        #[inline(always)]
        || {
            let (rows, mut panels) = product.pointers::<ROWS, PANELS>(starts, panel);
            let runs = product.runs;
            let mut total = Total::<ROWS, PANELS>::new(sums, sums_stride);
            let mut tile = Tile::zero(s);
            let (mut left, mut ahead) = (product.chain, product.ahead);
            for outer in 0..runs.outer {
                for inner in 0..runs.inner {
                    let run = outer * runs.outer_stride + inner * runs.inner_stride;
                    let mut done = 0;
                    while done < runs.len {
                        let k = left.min(runs.len - done);
                        let rows = rows.map(|row| row.wrapping_add(run + done));
                        // SAFETY: `done + k <= len`: the terms lie inside a run, and `pointers` checked all runs of the
                        // farthest row; `Product::new` checked the panels for the terms of all runs, which advance them.
                        unsafe { tile.accumulate::<AHEAD>(s, &rows, &panels, k, ahead) };
                        panels = panels.map(|panel| panel.wrapping_add(k * LANES));
                        // Relative to the panels, which moved on.
                        ahead.next = ahead.next.wrapping_add(k * ahead.step).wrapping_sub(k * LANES);
                        done += k;
                        left -= k;
                        if left == 0 {
                            total.take(s, &mut tile);
                            left = product.chain;
                        }
                    }
                }
            }
            if left < product.chain || !total.begun {
                total.take(s, &mut tile);
            }
        },
    );
}

/// The totals of a tile's chains, in memory.
struct Total<'a, const ROWS: usize, const PANELS: usize> {
    sums: ViewMut<'a, f32>,
    stride: usize,
    begun: bool,
}

impl<'a, const ROWS: usize, const PANELS: usize> Total<'a, ROWS, PANELS> {
    /// Totals at `sums[r · stride + p·16 ..]`.
    #[inline(always)]
    fn new(sums: ViewMut<'a, f32>, stride: usize) -> Self {
        sums.range((ROWS - 1).saturating_mul(stride), PANELS * LANES);
        Self { sums, stride, begun: false }
    }

    /// Adds the sums of a chain, which begins again at 0.
    #[inline(always)]
    fn take<S: Simd>(&mut self, s: S, tile: &mut Tile<S, ROWS, PANELS>) {
        for r in 0..ROWS {
            for p in 0..PANELS {
                let place = self.sums.pointer().wrapping_add(r * self.stride + p * LANES);
                let mut sum = tile.sums[r][p];
                if self.begun {
                    // SAFETY: `new` checked 16 elements at the last panel of the last row, which is behind every other one.
                    sum = s.add(unsafe { s.load_pointer(place) }, sum);
                }
                // SAFETY: as above.
                unsafe { s.store_pointer(place, sum) };
            }
        }
        self.begun = true;
        *tile = Tile::zero(s);
    }
}
