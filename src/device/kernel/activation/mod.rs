//! Element functions on lanes.
//!
//! Flows in: sixteen lanes and an [`Activation`]; flows out: the function of each lane. Called by every kernel at its end, and
//! by a prologue before padding.
//!
//! All functions are ours, so that a network gives the same bits on every machine: polynomials over [`Simd::mul_add`] after an
//! exact range reduction, the same operations in the same order at every level. Each keeps a few units in the last place
//! (ulp); `tests` measures each against `f64` over a sweep of all exponents. NaN gives NaN in every function, infinities give
//! their limits, results too small for a normal number are rounded to the nearest subnormal one.

mod error_function;
mod exponential;
mod logarithm;
#[cfg(test)]
mod tests;

use crate::device::simd::Simd;
use crate::device::tensor::{Activation, ActivationKind};

pub(super) use exponential::exp;
pub(super) use logarithm::log;

use error_function::{erf, gelu};
use exponential::{exp_m1_below_zero, mish, sigmoid, tanh};
use logarithm::softplus;

/// Applies an element function to 16 lanes.
///
/// It is part of every kernel's inner code, so only the functions that convolutions nearly always end with stand here; the
/// others are one call away.
#[inline(always)]
pub fn activate<S: Simd>(s: S, activation: &Activation, x: S::F32) -> S::F32 {
    const IDENTITY: u32 = ActivationKind::Identity as u32;
    const RELU: u32 = ActivationKind::Relu as u32;
    const CLIP: u32 = ActivationKind::Clip as u32;
    match activation.code {
        IDENTITY => x,
        RELU => s.max(s.splat(0.0), x),
        CLIP => clip(s, x, activation.a, activation.b),
        _ => evaluate_apart(s, activation, x),
    }
}

/// [`evaluate`] as a function of its own: one copy for each level, whatever the number of kernels.
#[inline(never)]
fn evaluate_apart<S: Simd>(s: S, activation: &Activation, x: S::F32) -> S::F32 {
    s.vectorize(
        #[inline(always)]
        || evaluate(s, activation, x),
    )
}

/// Applies an element function to 16 lanes, all of them in line: for a kernel that does nothing else.
#[inline(always)]
pub(super) fn evaluate<S: Simd>(s: S, activation: &Activation, x: S::F32) -> S::F32 {
    let Some(kind) = activation.kind() else { return x };
    let (a, b) = (activation.a, activation.b);
    let (zero, one) = (s.splat(0.0), s.splat(1.0));
    match kind {
        ActivationKind::Identity => x,
        ActivationKind::Relu => s.max(zero, x),
        ActivationKind::Clip => clip(s, x, a, b),
        ActivationKind::LeakyRelu => s.select_less(x, zero, s.mul(s.splat(a), x), x),
        ActivationKind::Sigmoid => sigmoid(s, x),
        ActivationKind::Tanh => tanh(s, x),
        ActivationKind::HardSigmoid => clip(s, s.mul_add(s.splat(a), x, s.splat(b)), 0.0, 1.0),
        ActivationKind::HardSwish => hard_swish(s, x),
        ActivationKind::Elu => elu(s, x, a),
        ActivationKind::Selu => s.mul(s.splat(b), elu(s, x, a)),
        ActivationKind::Silu => s.mul(above_minus_infinity(s, x), sigmoid(s, x)),
        ActivationKind::Gelu => gelu(s, x),
        ActivationKind::GeluTanh => gelu_tanh(s, x),
        ActivationKind::Softplus => softplus(s, x),
        ActivationKind::Mish => mish(s, x),
        ActivationKind::Exp => exp(s, x),
        ActivationKind::Log => log(s, x),
        ActivationKind::Sqrt => s.sqrt(x),
        ActivationKind::Abs => s.abs(x),
        ActivationKind::Neg => negate(s, x),
        ActivationKind::Reciprocal => s.div(one, x),
        ActivationKind::Erf => erf(s, x),
        ActivationKind::Floor => s.floor(x),
        ActivationKind::Ceil => negate(s, s.floor(negate(s, x))),
        ActivationKind::Softsign => softsign(s, x),
        ActivationKind::Sign => sign(s, x),
        ActivationKind::Round => round(s, x),
        ActivationKind::ThresholdedRelu => above(s, x, s.splat(a), x),
        ActivationKind::Shrink => shrink(s, x, a, b),
    }
}

/// `min(max(x, low), high)`; NaN stays NaN, because `max` and `min` give their second operand.
#[inline(always)]
fn clip<S: Simd>(s: S, x: S::F32, low: f32, high: f32) -> S::F32 {
    s.min(s.splat(high), s.max(s.splat(low), x))
}

/// `−x`, the sign of zero included.
#[inline(always)]
fn negate<S: Simd>(s: S, x: S::F32) -> S::F32 {
    s.mul(x, s.splat(-1.0))
}

/// `magnitude`, negated where `x < 0`.
#[inline(always)]
fn with_sign_of<S: Simd>(s: S, magnitude: S::F32, x: S::F32) -> S::F32 {
    s.select_less(x, s.splat(0.0), negate(s, magnitude), magnitude)
}

/// `x`, or −200 where it is less: a factor for functions that vanish there, so that `−∞ · 0` does not occur.
#[inline(always)]
fn above_minus_infinity<S: Simd>(s: S, x: S::F32) -> S::F32 {
    s.max(s.splat(-200.0), x)
}

/// `x · min(max(x + 3, 0), 6) / 6`: `x + 3` is exact where it nearly vanishes.
#[inline(always)]
fn hard_swish<S: Simd>(s: S, x: S::F32) -> S::F32 {
    let x = above_minus_infinity(s, x);
    let gate = clip(s, s.add(x, s.splat(3.0)), 0.0, 6.0);
    s.mul(x, s.mul(gate, s.splat(1.0 / 6.0)))
}

#[inline(always)]
fn elu<S: Simd>(s: S, x: S::F32, a: f32) -> S::F32 {
    let below = s.mul(s.splat(a), exp_m1_below_zero(s, x));
    s.select_less(x, s.splat(0.0), below, x)
}

/// `x/2 · (1 + tanh u) = x · sigmoid(2u)` with `u = √(2/π)·(x + 0.044715·x³)`.
///
/// Its relative error grows with `|2u|`, the condition number of the exponential.
#[inline(always)]
fn gelu_tanh<S: Simd>(s: S, x: S::F32) -> S::F32 {
    const TWO_SQRT_2_OVER_PI: f32 = 1.595_769_2;
    let x = above_minus_infinity(s, x);
    let cubic = s.mul_add(s.mul(x, x), s.splat(0.044_715), s.splat(1.0));
    s.mul(x, sigmoid(s, s.mul(s.mul(s.splat(TWO_SQRT_2_OVER_PI), x), cubic)))
}

/// `x / (1 + |x|)`; beyond 10³⁰ the quotient is ±1 anyway, and infinities stay out of it.
#[inline(always)]
fn softsign<S: Simd>(s: S, x: S::F32) -> S::F32 {
    let x = clip(s, x, -1e30, 1e30);
    s.div(x, s.add(s.splat(1.0), s.abs(x)))
}

/// `result` where `x > limit`, else 0; NaN stays.
#[inline(always)]
fn above<S: Simd>(s: S, x: S::F32, limit: S::F32, result: S::F32) -> S::F32 {
    s.select_nan(x, x, s.select_less(limit, x, result, s.splat(0.0)))
}

/// −1, 0 or 1; NaN and −0 stay.
#[inline(always)]
fn sign<S: Simd>(s: S, x: S::F32) -> S::F32 {
    let (zero, one) = (s.splat(0.0), s.splat(1.0));
    s.select_less(x, zero, s.splat(-1.0), s.select_less(zero, x, one, x))
}

/// Below 2²³ a sum with 2²³ has no digits behind the point, and is rounded to the even one of two; from there on no number has.
#[inline(always)]
fn round<S: Simd>(s: S, x: S::F32) -> S::F32 {
    let (magnitude, whole) = (s.abs(x), s.splat(8_388_608.0));
    let rounded = s.sub(s.add(magnitude, whole), whole);
    s.select_less(magnitude, whole, with_sign_of(s, rounded, x), x)
}

#[inline(always)]
fn shrink<S: Simd>(s: S, x: S::F32, limit: f32, bias: f32) -> S::F32 {
    let positive = above(s, x, s.splat(limit), s.sub(x, s.splat(bias)));
    s.select_less(x, s.splat(-limit), s.add(x, s.splat(bias)), positive)
}

/// `Σ c[i] · x^i` by Horner's rule.
#[inline(always)]
fn polynomial<S: Simd, const N: usize>(s: S, x: S::F32, c: &[f32; N]) -> S::F32 {
    let mut sum = s.splat(c[N - 1]);
    for &coefficient in c[..N - 1].iter().rev() {
        sum = s.mul_add(sum, x, s.splat(coefficient));
    }
    sum
}
