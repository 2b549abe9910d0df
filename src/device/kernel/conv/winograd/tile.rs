//! The tiles: minimal filtering algorithms F(m×m,3×3) as their one-dimensional transforms.
//!
//! F(m,3) is Toom and Cook's multiplication, transposed, at `m + 1` points and infinity (Winograd 1980; Lavin & Gray 2015;
//! Barabasz and others 2020, "Error Analysis and Improving the Accuracy of Winograd Convolution for Deep Neural Networks", say
//! how the points decide the error). At a finite point `p`, with the other finite points `q`:
//!
//! - the column of `Aᵀ` is `1, p, p², …`,
//! - the row of `Bᵀ` are the coefficients of `Π (x − q)`,
//! - the row of `G` is `(1, p, p²) / Π (p − q)`.
//!
//! At infinity the three are the last unit vector, the coefficients of `Π (x − p)` over all points, and `(0, 0, 1)`. Two
//! dimensions are columns, then rows. Called by the driver; `G` stands in `filter`.

use crate::device::simd::Simd;

/// One size of output tile: `OUT` outputs of `PATCH = OUT + 2` inputs in each dimension.
pub(super) trait Tile<const OUT: usize, const PATCH: usize> {
    /// Terms after which the sum over `channels` channels is broken.
    fn chain_terms(channels: usize) -> usize;

    /// The rows of `Bᵀ` in pairs that share terms.
    const PAIRS: &'static [[usize; 2]];

    /// The two elements of `Bᵀ d` of a pair of rows.
    fn input<S: Simd, const PAIR: usize>(s: S, d: [S::F32; PATCH]) -> [S::F32; 2];

    /// `Aᵀ m`
    fn output<S: Simd>(s: S, m: [S::F32; PATCH]) -> [S::F32; OUT];
}

/// F(2×2,3×3) at the points 0, 1, −1: additions alone.
#[derive(Debug)]
pub(super) struct TwoByTwo;

impl Tile<2, 4> for TwoByTwo {
    fn chain_terms(channels: usize) -> usize {
        super::super::chain_terms(channels)
    }

    const PAIRS: &'static [[usize; 2]] = &[[0, 3], [1, 2]];

    #[inline(always)]
    fn input<S: Simd, const PAIR: usize>(s: S, [d0, d1, d2, d3]: [S::F32; 4]) -> [S::F32; 2] {
        if const { PAIR == 0 } { [s.sub(d0, d2), s.sub(d1, d3)] } else { [s.add(d1, d2), s.sub(d2, d1)] }
    }

    #[inline(always)]
    fn output<S: Simd>(s: S, [m0, m1, m2, m3]: [S::F32; 4]) -> [S::F32; 2] {
        [s.add(s.add(m0, m1), m2), s.sub(s.sub(m1, m2), m3)]
    }
}

/// F(4×4,3×3) at the points 0, ±5/8, ±3/2. Among the points whose squares are exact in `f32` they have about the least error:
/// half of what ±1 and ±2, which are used most, bring.
#[derive(Debug)]
pub(super) struct FourByFour;

/// The smaller point, its square and its cube.
pub(super) const P: [f32; 3] = powers(0.625);
/// The larger point, its square and its cube.
pub(super) const Q: [f32; 3] = powers(1.5);

/// `x, x², x³`
const fn powers(x: f32) -> [f32; 3] {
    [x, x * x, x * x * x]
}

impl Tile<4, 6> for FourByFour {
    /// Short chains: it is the summation that makes most of the error, not the transforms.
    fn chain_terms(channels: usize) -> usize {
        super::super::broken_every(if channels <= 64 { 32 } else { 64 }, channels)
    }

    const PAIRS: &'static [[usize; 2]] = &[[1, 2], [3, 4], [0, 5]];

    #[inline(always)]
    fn input<S: Simd, const PAIR: usize>(s: S, [d0, d1, d2, d3, d4, d5]: [S::F32; 6]) -> [S::F32; 2] {
        if const { PAIR == 2 } {
            let (p2q2, minus_sum) = (s.splat(P[1] * Q[1]), s.splat(-(P[1] + Q[1])));
            return [
                s.mul_add(p2q2, d0, s.mul_add(minus_sum, d2, d4)),
                s.mul_add(p2q2, d1, s.mul_add(minus_sum, d3, d5)),
            ];
        }
        // Of the points ±x, the other two being ±y: x⁴ − y²x² and x³ − y²x, the even and the odd part.
        let [x, y2] = if const { PAIR == 0 } { [P[0], Q[1]] } else { [Q[0], P[1]] };
        let (even, odd) = (s.mul_add(s.splat(-y2), d2, d4), s.mul_add(s.splat(-y2), d1, d3));
        [s.mul_add(s.splat(x), odd, even), s.mul_add(s.splat(-x), odd, even)]
    }

    #[inline(always)]
    fn output<S: Simd>(s: S, [m0, m1, m2, m3, m4, m5]: [S::F32; 6]) -> [S::F32; 4] {
        let (p, p2, p3) = (s.splat(P[0]), s.splat(P[1]), s.splat(P[2]));
        let (q, q2, q3) = (s.splat(Q[0]), s.splat(Q[1]), s.splat(Q[2]));
        let (even_p, odd_p) = (s.add(m1, m2), s.sub(m1, m2));
        let (even_q, odd_q) = (s.add(m3, m4), s.sub(m3, m4));
        [
            s.add(s.add(m0, even_p), even_q),
            s.mul_add(p, odd_p, s.mul(q, odd_q)),
            s.mul_add(p2, even_p, s.mul(q2, even_q)),
            s.add(s.mul_add(p3, odd_p, s.mul(q3, odd_q)), m5),
        ]
    }
}
