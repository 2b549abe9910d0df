//! Element functions on lanes.

use crate::device::simd::Simd;
use crate::device::tensor::{Activation, ActivationKind};

/// Applies an element function to 16 lanes.
#[inline(always)]
pub fn activate<S: Simd>(s: S, activation: &Activation, x: S::F32) -> S::F32 {
    match activation.kind() {
        Some(ActivationKind::Relu) => s.max(s.splat(0.0), x),
        Some(ActivationKind::Clip) => s.min(s.splat(activation.b), s.max(s.splat(activation.a), x)),
        _ => x,
    }
}
