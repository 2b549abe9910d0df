use std::println;
use std::vec::Vec;

use super::activate;
use crate::device::kernel::reference;
use crate::device::simd::{LANES, Level, Simd};
use crate::device::tensor::{Activation, ActivationKind};
use crate::dispatch;

/// Each function, some with parameters.
fn functions() -> Vec<Activation> {
    let function = |kind| match kind {
        ActivationKind::Clip => Activation::new(kind, -1.5, 6.0),
        ActivationKind::LeakyRelu => Activation::new(kind, 0.01, 0.0),
        ActivationKind::HardSigmoid => Activation::new(kind, 0.2, 0.5),
        ActivationKind::Elu => Activation::new(kind, 0.7, 0.0),
        ActivationKind::Selu => Activation::new(kind, 1.673_263_2, 1.050_701),
        ActivationKind::ThresholdedRelu => Activation::new(kind, 1.25, 0.0),
        ActivationKind::Shrink => Activation::new(kind, 0.5, 0.3),
        _ => Activation::plain(kind),
    };
    ActivationKind::ALL.into_iter().map(function).collect()
}

/// The largest error at `x` whose exact result is `want`.
///
/// The units in the last place are the measured ones (in the comment), rounded up.
fn bound(kind: ActivationKind, x: f64, want: f64) -> f64 {
    let (units, absolute) = match kind {
        ActivationKind::Identity
        | ActivationKind::Relu
        | ActivationKind::Clip
        | ActivationKind::Abs
        | ActivationKind::Neg
        | ActivationKind::Floor
        | ActivationKind::Sign
        | ActivationKind::Round
        | ActivationKind::ThresholdedRelu
        | ActivationKind::Ceil => (0.0, 0.0),
        ActivationKind::LeakyRelu
        | ActivationKind::Sqrt
        | ActivationKind::Reciprocal
        | ActivationKind::Shrink => (0.5, 0.0),
        ActivationKind::Log | ActivationKind::Exp => (1.0, 0.0), // 0.74, 0.95
        ActivationKind::Elu | ActivationKind::Selu => (2.0, 0.0), // 1.44, 1.69
        ActivationKind::Softplus | ActivationKind::Softsign => (1.5, 0.0), // 1.41, 1.48
        ActivationKind::Sigmoid => (2.0, 0.0),                   // 1.98
        ActivationKind::Tanh | ActivationKind::Erf => (3.0, 0.0), // 2.47, 2.30
        // `a·x + b` cancels where the result is small.
        ActivationKind::HardSigmoid => (1.0, 2f64.powi(-24)),
        ActivationKind::HardSwish => (3.0, 0.0),
        // A factor below the smallest normal number has fewer bits, and is multiplied by x.
        ActivationKind::Silu | ActivationKind::Mish => (5.0, x.abs() * 2f64.powi(-149)),
        ActivationKind::Gelu => (6.0, x.abs() * 2f64.powi(-149)),
        // The roundings of 2u, which the exponential multiplies by |2u|.
        ActivationKind::GeluTanh => {
            (5.0 + 4.0 * (1.6 * x * (1.0 + 0.044_715 * x * x)).abs().min(110.0), x.abs() * 2f64.powi(-149))
        }
    };
    units * ulp(want) + absolute
}

/// The distance of neighbouring `f32` at `x`.
fn ulp(x: f64) -> f64 {
    let exponent = if x == 0.0 { -126 } else { (x.abs().log2().floor() as i32).clamp(-126, 127) };
    2f64.powi(exponent - 23)
}

/// Numbers of every exponent and sign, a closer net within ±100, and all special ones.
fn sweep() -> Vec<f32> {
    let mut numbers: Vec<f32> = (0..u32::MAX).step_by(20_011).map(f32::from_bits).collect();
    numbers.extend((-400_000..400_000).step_by(7).map(|i| i as f32 / 4000.0));
    numbers.extend([0.0, f32::INFINITY, f32::NAN, f32::MAX, f32::MIN_POSITIVE, 1e-45, 1.0, 1e30]);
    numbers.extend([-0.0, -f32::INFINITY, -f32::NAN, f32::MIN, -f32::MIN_POSITIVE, -1e-45, -1.0, -1e30]);
    numbers.resize(numbers.len().next_multiple_of(LANES), 0.5);
    numbers
}

fn evaluate(level: Level, activation: &Activation, numbers: &[f32]) -> Vec<f32> {
    fn run<S: Simd>(s: S, activation: &Activation, numbers: &[f32]) -> Vec<f32> {
        let blocks = numbers.chunks_exact(LANES);
        let lanes = |block: &[f32]| s.lanes(block.try_into().unwrap());
        blocks.flat_map(|block| s.to_array(activate(s, activation, lanes(block)))).collect()
    }
    dispatch!(level, s => run(s, activation, numbers))
}

#[test]
fn functions_keep_their_bounds() {
    let numbers = sweep();
    for level in reference::levels() {
        for activation in functions() {
            let kind = activation.kind().unwrap();
            let mut worst = 0.0f64;
            for (&x, &found) in numbers.iter().zip(&evaluate(level, &activation, &numbers)) {
                let want = reference::activation(&activation, f64::from(x));
                if want.is_nan() || (want as f32).is_infinite() {
                    assert!(found.is_nan() == want.is_nan() && (found.is_nan() || found == want as f32));
                    continue;
                }
                let error = (f64::from(found) - want).abs();
                let bound = bound(kind, f64::from(x), want);
                assert!(error <= bound, "{} {kind:?}({x:e}) = {found:e}, not {want:e}", level.name());
                if want.abs() > 1e-30 {
                    worst = worst.max(error / ulp(want));
                }
            }
            println!("{} {kind:?}: at most {worst:.2} ulp above 1e-30", level.name());
        }
    }
}

#[test]
fn fused_levels_give_the_same_bits() {
    let numbers = sweep();
    let fused: Vec<Level> =
        reference::levels().into_iter().filter(|&level| reference::is_fused(level)).collect();
    for activation in functions() {
        let bits = |&level: &Level| {
            // The payload of NaN is the processor's affair.
            let results = evaluate(level, &activation, &numbers).into_iter();
            results.map(|x| if x.is_nan() { 0 } else { x.to_bits() }).collect::<Vec<_>>()
        };
        assert!(fused.windows(2).all(|pair| bits(&pair[0]) == bits(&pair[1])), "{:?}", activation.kind());
    }
}
