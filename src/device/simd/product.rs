//! What a register tile multiplies: rows wherever they lie, and packed weights.
//!
//! Called by `tile` and `finish`, which check places once and then read and write through addresses.

use half::f16;

use crate::device::tensor::Element;

use super::lanes::{LANES, Simd};
use super::view::{View, outside};

/// Places in some memory, none of them behind a known last one, which is all that has to be checked before they are used.
#[derive(Clone, Copy, Debug)]
pub struct Places<'a> {
    places: &'a [u32],
    last: u32,
}

impl<'a> Places<'a> {
    /// These places.
    #[inline(always)]
    pub fn new(places: &'a [u32]) -> Self {
        let mut last = 0;
        for &place in places {
            last = last.max(place);
        }
        Self { places, last }
    }

    /// How many.
    #[inline(always)]
    pub const fn len(&self) -> usize {
        self.places.len()
    }

    /// None?
    pub const fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// Place `i`.
    #[inline(always)]
    pub fn get(&self, i: usize) -> usize {
        match self.places.get(i) {
            Some(&place) => place as usize,
            None => outside(),
        }
    }

    /// No place is behind this one.
    #[inline(always)]
    pub(super) const fn last(&self) -> usize {
        self.last as usize
    }

    /// `N` of them from `first` on.
    #[inline(always)]
    pub(super) fn array<const N: usize>(&self, first: usize) -> &'a [u32; N] {
        match self.places.get(first..).and_then(|places| places.first_chunk()) {
            Some(places) => places,
            None => outside(),
        }
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

/// An element that weights are stored as.
pub trait Weight: Element {
    /// Reads 16 of them.
    ///
    /// # Safety
    /// `source` must be valid for reads of 16 elements; any alignment.
    unsafe fn load_pointer<S: Simd>(s: S, source: *const Self) -> S::F32;
}

impl Weight for f32 {
    #[inline(always)]
    unsafe fn load_pointer<S: Simd>(s: S, source: *const Self) -> S::F32 {
        // SAFETY: the caller's contract.
        unsafe { s.load_pointer(source) }
    }
}

impl Weight for f16 {
    #[inline(always)]
    unsafe fn load_pointer<S: Simd>(s: S, source: *const Self) -> S::F32 {
        // SAFETY: the caller's contract.
        unsafe { s.load_pointer_f16(source) }
    }
}

/// Packed weights: panels of `[k][16]`.
#[derive(Clone, Copy, Debug)]
pub struct Panels<'a, W = f32> {
    /// Their memory.
    pub weights: View<'a, W>,
    /// Panels.
    pub panels: usize,
    /// Elements from one panel to the next.
    pub stride: usize,
}

/// What is fetched into the cache while a tile is summed: from `next` elements behind its panels on, `step` for each
/// term; nothing if `step` is 0.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ahead {
    pub(super) next: usize,
    pub(super) step: usize,
}

/// A product of rows and packed weights, computed in tiles: `sums[r][p·16 + lane] = Σ_k rows[r][k] · panels[p][k][lane]`.
#[derive(Clone, Copy, Debug)]
pub struct Product<'a, W = f32> {
    rows: View<'a, f32>,
    places: Places<'a>,
    pub(super) runs: Runs,
    pub(super) chain: usize,
    weights: View<'a, W>,
    panels: usize,
    panel_stride: usize,
    pub(super) ahead: Ahead,
}

impl<'a, W: Weight> Product<'a, W> {
    /// Rows that begin at `places` of `rows`, their terms at `runs`, by panels of `[k][16]` weights. All of them are checked
    /// here, once for all tiles.
    ///
    /// After every `chain` terms (at least 1) the chain of additions is broken: the tile's sums are added to a total and begin
    /// again at 0. That bounds the rounding error of long sums.
    #[inline(always)]
    pub fn new(
        rows: View<'a, f32>,
        places: Places<'a>,
        runs: Runs,
        chain: usize,
        Panels { weights, panels, stride }: Panels<'a, W>,
    ) -> Self {
        let last_panel = panels.saturating_sub(1).saturating_mul(stride);
        weights.range(last_panel, if panels == 0 { 0 } else { runs.terms().saturating_mul(LANES) });
        if !places.is_empty() {
            rows.range(places.last(), runs.reach());
        }
        Self {
            rows,
            places,
            runs,
            chain: chain.max(1),
            weights,
            panels,
            panel_stride: stride,
            ahead: Ahead { next: 0, step: 0 },
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

    /// Rows.
    #[inline(always)]
    pub const fn rows(&self) -> usize {
        self.places.len()
    }

    /// The addresses of `ROWS` rows from `row` on, and of panel `panel`, the first of `PANELS`.
    #[inline(always)]
    pub(super) fn pointers<const ROWS: usize, const PANELS: usize>(
        &self,
        row: usize,
        panel: usize,
    ) -> ([*const f32; ROWS], *const W) {
        if PANELS > self.panels || panel > self.panels - PANELS {
            outside();
        }
        let places = self.places.array::<ROWS>(row);
        let mut rows = [self.rows.pointer(); ROWS];
        for r in 0..ROWS {
            rows[r] = rows[r].wrapping_add(places[r] as usize);
        }
        (rows, self.weights.pointer().wrapping_add(panel * self.panel_stride))
    }
}
