//! The transforms of filters, `G g Gᵀ` (`tile` says what `G` is), several filters side by side.
//!
//! Flows in: the taps of sixteen filters; flows out: the weights of each frequency. Called when weights are packed, never while a
//! network runs.

use core::ops::{Add, Div, Mul, Sub};

use super::tile::{FourByFour, P, Q, TwoByTwo};
use crate::device::simd::{LANES, Level, Simd};
use crate::dispatch;

/// `G g Gᵀ` of sixteen filters, whose taps are in the order `ky, kx`: the weights of the 16 frequencies of F(2×2,3×3). Computed in
/// f64 and rounded once; the same bits at every level, as nothing is fused.
pub fn winograd_2x2_transform(level: Level, taps: &[[f32; LANES]; 9]) -> [[f32; LANES]; 16] {
    dispatch!(level, s => s.vectorize(#[inline(always)] || both_dimensions::<TwoByTwo, 4, 16>(taps)))
}

/// `G g Gᵀ` of sixteen filters, whose taps are in the order `ky, kx`: the weights of the 36 frequencies of F(4×4,3×3). Computed in
/// f64 and rounded once; the same bits at every level, as nothing is fused.
pub fn winograd_4x4_transform(level: Level, taps: &[[f32; LANES]; 9]) -> [[f32; LANES]; 36] {
    dispatch!(level, s => s.vectorize(#[inline(always)] || both_dimensions::<FourByFour, 6, 36>(taps)))
}

/// One size of output tile, as far as filters are concerned.
trait FilterTile<const PATCH: usize> {
    /// `G g`
    fn filter(g: [Filters; 3]) -> [Filters; PATCH];
}

impl FilterTile<4> for TwoByTwo {
    /// The signs of the first and the last row of `G` and `Bᵀ` are turned, which saves negations.
    #[inline(always)]
    fn filter([a, b, c]: [Filters; 3]) -> [Filters; 4] {
        [a, (a + b + c) / 2.0, (a - b + c) / 2.0, c]
    }
}

impl FilterTile<6> for FourByFour {
    #[inline(always)]
    fn filter([a, b, c]: [Filters; 3]) -> [Filters; 6] {
        let [p, q] = [f64::from(P[0]), f64::from(Q[0])];
        let [p_plus, p_minus] = at_points([a, b, c], p, q);
        let [q_plus, q_minus] = at_points([a, b, c], q, p);
        [a / (p * p * q * q), p_plus, p_minus, q_plus, q_minus, c]
    }
}

/// The rows of `G g` at the points `±x`, the others being `±other` and 0.
#[inline(always)]
fn at_points([a, b, c]: [Filters; 3], x: f64, other: f64) -> [Filters; 2] {
    let (even, odd) = (a + c * x * x, b * x);
    let divisor = 2.0 * x * x * (x * x - other * other);
    [(even + odd) / divisor, (even - odd) / divisor]
}

/// Columns, then rows of sixteen filters, transformed.
#[inline(always)]
fn both_dimensions<T: FilterTile<PATCH>, const PATCH: usize, const FREQUENCIES: usize>(
    taps: &[[f32; LANES]; 9],
) -> [[f32; LANES]; FREQUENCIES] {
    let mut frequencies = [[0.0; LANES]; FREQUENCIES];
    for part in 0..LANES / SIDE {
        let mut columns = [[Filters([0.0; SIDE]); PATCH]; 3];
        for (x, column) in columns.iter_mut().enumerate() {
            let mut rows = [Filters([0.0; SIDE]); 3];
            for (y, row) in rows.iter_mut().enumerate() {
                let taps = &taps[3 * y + x].as_chunks::<SIDE>().0[part];
                for (wide, tap) in row.0.iter_mut().zip(taps) {
                    *wide = f64::from(*tap);
                }
            }
            *column = T::filter(rows);
        }
        for (i, row) in frequencies.chunks_exact_mut(PATCH).enumerate() {
            let places = T::filter([columns[0][i], columns[1][i], columns[2][i]]);
            for (frequency, place) in row.iter_mut().zip(&places) {
                let lanes = &mut frequency.as_chunks_mut::<SIDE>().0[part];
                for (lane, wide) in lanes.iter_mut().zip(&place.0) {
                    *lane = *wide as f32;
                }
            }
        }
    }
    frequencies
}

/// Filters that are transformed side by side: what fills a vector of f64.
const SIDE: usize = 8;

/// A number of each of several filters.
#[derive(Clone, Copy)]
struct Filters([f64; SIDE]);

/// `self op other` of each pair; written as a loop, which every compiler makes a vector of.
macro_rules! each {
    ($trait:ident, $method:ident, $op:tt) => {
        impl $trait for Filters {
            type Output = Self;

            #[inline(always)]
            fn $method(mut self, other: Self) -> Self {
                for (x, y) in self.0.iter_mut().zip(&other.0) {
                    *x $op *y;
                }
                self
            }
        }
    };
}

each!(Add, add, +=);
each!(Sub, sub, -=);

impl Mul<f64> for Filters {
    type Output = Self;

    #[inline(always)]
    fn mul(mut self, factor: f64) -> Self {
        for x in &mut self.0 {
            *x *= factor;
        }
        self
    }
}

impl Div<f64> for Filters {
    type Output = Self;

    #[inline(always)]
    fn div(mut self, divisor: f64) -> Self {
        for x in &mut self.0 {
            *x /= divisor;
        }
        self
    }
}
