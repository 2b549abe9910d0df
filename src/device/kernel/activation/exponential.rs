//! The exponential and what is made of it.

use crate::device::simd::Simd;

use super::{above_minus_infinity, polynomial, with_sign_of};

/// `1 / ln 2`
const LOG2_E: f32 = core::f32::consts::LOG2_E;
/// The upper part of `ln 2`: nine bits, so its product with a whole number below 2¹⁵ is exact (Cody & Waite 1980).
const LN_2_HIGH: f32 = 0.693_359_4;
/// `ln 2 − LN_2_HIGH`
const LN_2_LOW: f32 = -2.121_944_4e-4;

/// `(e^r − 1 − r) / r²` on |r| ≤ 1.01·ln 2 / 2: minimax for the weight `1/(|r| + 0.02)`, so that `r + r²·p(r)` has a relative
/// error of 3·10⁻¹⁰ also near 0.
const EXP_M1_TAIL: [f32; 6] =
    [0.5, 0.166_666_67, 0.041_666_355, 0.008_333_271, 0.001_394_131_5, 0.000_199_150_48];

/// `x = n·ln 2 + r`: the whole number `n` and `e^r − 1`. `x` must lie within ±2¹⁰; `rest` is a small part of it, added to `r`.
#[inline(always)]
fn reduce<S: Simd>(s: S, x: S::F32, rest: S::F32) -> (S::F32, S::F32) {
    let n = s.floor(s.mul_add(x, s.splat(LOG2_E), s.splat(0.5)));
    let r = s.mul_add(n, s.splat(-LN_2_HIGH), x);
    let r = s.add(s.mul_add(n, s.splat(-LN_2_LOW), r), rest);
    let tail = polynomial(s, r, &EXP_M1_TAIL);
    (n, s.mul_add(s.mul(r, r), tail, r))
}

/// `e^x` within 1 ulp; overflows to ∞ above 88.7, is rounded to a subnormal number or 0 below −87.3.
#[inline(always)]
pub(in crate::device::kernel) fn exp<S: Simd>(s: S, x: S::F32) -> S::F32 {
    exp_of_sum(s, x, s.splat(0.0))
}

/// `e^(x + rest)` for a sum that one number cannot hold; `|rest| < 0.5`.
#[inline(always)]
pub(super) fn exp_of_sum<S: Simd>(s: S, x: S::F32, rest: S::F32) -> S::F32 {
    // Outside, the result is ∞ or rounds to 0 already at these ends.
    let x = s.min(s.splat(90.0), s.max(s.splat(-105.0), x));
    let (n, fraction) = reduce(s, x, rest);
    let mantissa = s.add(fraction, s.splat(1.0));
    // In two steps, because 2^n alone leaves the normal range at both ends; the first product is exact.
    let half = s.floor(s.mul(n, s.splat(0.5)));
    let scaled = s.mul(mantissa, s.power_of_two(half));
    s.mul(scaled, s.power_of_two(s.sub(n, half)))
}

/// `e^x − 1` for `x ≤ 0`, within 2 ulp; meaningless above.
#[inline(always)]
pub(super) fn exp_m1_below_zero<S: Simd>(s: S, x: S::F32) -> S::F32 {
    // Below −60 the result is −1. Above 0 nobody looks, but the power of two must stay defined.
    let x = s.min(s.splat(1.0), s.max(s.splat(-60.0), x));
    let (n, fraction) = reduce(s, x, s.splat(0.0));
    // 2^n·(e^r − 1) + (2^n − 1): the bracket is exact down to n = −24, and −1 below.
    let power = s.power_of_two(n);
    s.mul_add(power, fraction, s.sub(power, s.splat(1.0)))
}

/// `1 / (1 + e^−x)` within 3 ulp, from `e^−|x| ≤ 1`, so that nothing overflows or cancels on either side.
#[inline(always)]
pub(super) fn sigmoid<S: Simd>(s: S, x: S::F32) -> S::F32 {
    let one = s.splat(1.0);
    let z = exp(s, s.sub(s.splat(0.0), s.abs(x)));
    s.div(s.select_less(x, s.splat(0.0), z, one), s.add(one, z))
}

/// `tanh x` within 4 ulp, as `−t / (t + 2)` with `t = e^(−2|x|) − 1`.
#[inline(always)]
pub(super) fn tanh<S: Simd>(s: S, x: S::F32) -> S::F32 {
    let t = exp_m1_below_zero(s, s.mul(s.splat(-2.0), s.abs(x)));
    let magnitude = s.div(s.sub(s.splat(0.0), t), s.add(t, s.splat(2.0)));
    with_sign_of(s, magnitude, x)
}

/// `x · tanh(ln(1 + e^x))` within 5 ulp: with `z = e^−|x|` the second factor is `z(z + 2) / (z(z + 2) + 2)` below 0 and
/// `(1 + 2z) / (1 + 2z + 2z²)` above.
#[inline(always)]
pub(super) fn mish<S: Simd>(s: S, x: S::F32) -> S::F32 {
    let (zero, one, two) = (s.splat(0.0), s.splat(1.0), s.splat(2.0));
    let z = exp(s, s.sub(zero, s.abs(x)));
    let below = s.mul(z, s.add(z, two));
    let above = s.mul_add(two, z, one);
    let numerator = s.select_less(x, zero, below, above);
    let rest = s.select_less(x, zero, two, s.mul(s.mul(two, z), z));
    s.mul(above_minus_infinity(s, x), s.div(numerator, s.add(numerator, rest)))
}
