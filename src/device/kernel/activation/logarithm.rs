//! The natural logarithm and what is made of it.

use crate::device::simd::{LANES, Simd};

use super::exponential::exp;
use super::polynomial;

/// The upper part of `ln 2`: seventeen bits, so its product with an exponent is exact.
const LN_2_HIGH: f32 = 0.693_138_1;
/// `ln 2 − LN_2_HIGH`
const LN_2_LOW: f32 = 9.058_001e-6;
/// `(ln((1+t)/(1−t)) − 2t) / t³` in powers of `t²` for |t| ≤ 0.1716 (the coefficients of FreeBSD's `logf`; error 2^−34).
const ATANH_TAIL: [f32; 4] = [0.666_666_6, 0.400_009_72, 0.284_987_87, 0.242_790_79];
/// The bits of `√½`, where mantissas begin.
const SQRT_HALF_BITS: u32 = 0x3f35_04f3;

/// `k·ln 2 + ln(1 + f)` for whole `k` and `√½ − 1 ≤ f ≤ √2 − 1`.
///
/// With `t = f/(2 + f)`: `ln(1 + f) = f − (f²/2 − t·(f²/2 + R(t²)))`, whose largest term is exact.
#[inline(always)]
fn log_of_parts<S: Simd>(s: S, k: S::F32, f: S::F32) -> S::F32 {
    let t = s.div(f, s.add(s.splat(2.0), f));
    let square = s.mul(t, t);
    let tail = s.mul(square, polynomial(s, square, &ATANH_TAIL));
    let half_square = s.mul(s.mul(s.splat(0.5), f), f);
    let low = s.mul_add(k, s.splat(LN_2_LOW), s.mul(t, s.add(half_square, tail)));
    s.mul_add(k, s.splat(LN_2_HIGH), s.sub(f, s.sub(half_square, low)))
}

/// `ln x` within 2 ulp; −∞ at 0, NaN below.
#[inline(always)]
pub(in crate::device::kernel) fn log<S: Simd>(s: S, x: S::F32) -> S::F32 {
    let (zero, smallest) = (s.splat(0.0), s.splat(f32::MIN_POSITIVE));
    // A subnormal number is made normal first.
    let normal = s.select_less(x, smallest, s.mul(x, s.splat(33_554_432.0)), x);
    let shift = s.select_less(x, smallest, s.splat(-25.0), zero);
    let (mut mantissas, mut exponents) = (s.to_array(normal), [0.0; LANES]);
    for (mantissa, exponent) in mantissas.iter_mut().zip(&mut exponents) {
        let bits = mantissa.to_bits().wrapping_sub(SQRT_HALF_BITS);
        *exponent = ((bits as i32) >> 23) as f32;
        *mantissa = f32::from_bits((bits & 0x007f_ffff) + SQRT_HALF_BITS);
    }
    let (k, mantissa) = (s.lanes(exponents), s.lanes(mantissas));
    let finite = log_of_parts(s, s.add(k, shift), s.sub(mantissa, s.splat(1.0)));
    // NaN falls through both choices below and stays: it is less than nothing, and its sum with −∞ is NaN.
    let positive = s.select_less(x, s.splat(f32::INFINITY), finite, x);
    let others = s.select_less(x, zero, s.splat(f32::NAN), s.add(x, s.splat(f32::NEG_INFINITY)));
    s.select_less(zero, x, positive, others)
}

/// `ln(1 + z)` for `0 ≤ z ≤ 1`, within 2 ulp.
#[inline(always)]
fn log_1p_up_to_one<S: Simd>(s: S, z: S::F32) -> S::F32 {
    // Above √2 − 1: ln 2 + ln((1 + z)/2), where (1 + z)/2 − 1 = (z − 1)/2.
    let bound = s.splat(0.414_213_57);
    let halved = s.mul(s.splat(0.5), s.sub(z, s.splat(1.0)));
    let f = s.select_less(z, bound, z, halved);
    let k = s.select_less(z, bound, s.splat(0.0), s.splat(1.0));
    log_of_parts(s, k, f)
}

/// `ln(1 + e^x) = max(x, 0) + ln(1 + e^−|x|)` within 3 ulp.
#[inline(always)]
pub(super) fn softplus<S: Simd>(s: S, x: S::F32) -> S::F32 {
    let z = exp(s, s.sub(s.splat(0.0), s.abs(x)));
    s.add(s.max(s.splat(0.0), x), log_1p_up_to_one(s, z))
}
