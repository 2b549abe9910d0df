//! The error function, its complement, and GELU.

use crate::device::simd::Simd;

use super::exponential::exp_of_sum;
use super::{above_minus_infinity, polynomial, with_sign_of};

/// `(1 + 5x/4) · e^(x²/2) · erfc(x/√2)` in powers of `(x − 4)/(x + 4)` for 0 ≤ x ≤ 14.5: minimax, relative error 2.1·10⁻⁹
/// (the mapping is Shepherd & Laframboise's, 1981).
const TAIL: [f32; 11] = [
    1.132_927_7,
    -0.156_559_8,
    -0.027_190_65,
    0.107_353_464,
    -0.095_925_47,
    0.049_098_41,
    -0.012_764_149,
    -0.001_085_685,
    0.001_819_654_7,
    -0.000_120_637_54,
    -0.000_181_325_86,
];

/// `erf(x)/x` in powers of `x²` for |x| ≤ 1: minimax, error 1.2·10⁻⁹.
const ERF: [f32; 7] = [
    core::f32::consts::FRAC_2_SQRT_PI,
    -0.376_126_26,
    0.112_835_854,
    -0.026_853_813,
    0.005_188_327_7,
    -0.000_801_019_37,
    7.853_861e-5,
];

/// `erfc(x/√2)` for `x ≥ 0`: the probability that a normal variable lies farther than `x` from its mean. Within 6 ulp down to
/// the smallest normal number.
#[inline(always)]
fn both_tails<S: Simd>(s: S, x: S::F32) -> S::F32 {
    let x = s.min(s.splat(14.5), x);
    let (one, four) = (s.splat(1.0), s.splat(4.0));
    let place = s.div(s.sub(x, four), s.add(x, four));
    let factor = s.div(polynomial(s, place, &TAIL), s.mul_add(x, s.splat(1.25), one));
    // x²/2 needs more bits than a number has: with h = x cut to 1/128, h²/2 is exact and the rest small.
    let h = s.mul(s.floor(s.mul(x, s.splat(128.0))), s.splat(1.0 / 128.0));
    let whole = s.mul(s.mul(h, h), s.splat(-0.5));
    let rest = s.mul(s.mul(s.sub(h, x), s.add(h, x)), s.splat(0.5));
    s.mul(exp_of_sum(s, whole, rest), factor)
}

/// `erf x` within 3 ulp.
#[inline(always)]
pub(super) fn erf<S: Simd>(s: S, x: S::F32) -> S::F32 {
    let one = s.splat(1.0);
    let magnitude = s.abs(x);
    let inside = s.mul(x, polynomial(s, s.mul(x, x), &ERF));
    let outside = s.sub(one, both_tails(s, s.mul(magnitude, s.splat(core::f32::consts::SQRT_2))));
    s.select_less(magnitude, one, inside, with_sign_of(s, outside, x))
}

/// `x/2 · (1 + erf(x/√2))`: `x` times the share of a normal variable below `x`, from the tail, so that nothing cancels.
#[inline(always)]
pub(super) fn gelu<S: Simd>(s: S, x: S::F32) -> S::F32 {
    let tail = s.mul(s.splat(0.5), both_tails(s, s.abs(x)));
    let share = s.select_less(x, s.splat(0.0), tail, s.sub(s.splat(1.0), tail));
    s.mul(above_minus_infinity(s, x), share)
}
