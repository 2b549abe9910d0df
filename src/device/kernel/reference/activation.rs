//! Element functions in `f64`.

use crate::device::tensor::{Activation, ActivationKind};

/// The function's value.
pub(crate) fn activation(activation: &Activation, x: f64) -> f64 {
    let (a, b) = (f64::from(activation.a), f64::from(activation.b));
    let sigmoid = |x: f64| 1.0 / (1.0 + (-x).exp());
    let softplus = |x: f64| x.max(0.0) + (-x.abs()).exp().ln_1p();
    // A lower end for factors of functions that vanish at −∞.
    let x_or_end = x.clamp(-1000.0, f64::INFINITY);
    match activation.kind().unwrap() {
        _ if x.is_nan() => x,
        ActivationKind::Identity => x,
        ActivationKind::Relu => x.max(0.0),
        ActivationKind::Clip => x.max(a).min(b),
        ActivationKind::LeakyRelu => {
            if x < 0.0 {
                a * x
            } else {
                x
            }
        }
        ActivationKind::Sigmoid => sigmoid(x),
        ActivationKind::Tanh => x.tanh(),
        ActivationKind::HardSigmoid => (a * x + b).clamp(0.0, 1.0),
        ActivationKind::HardSwish => x_or_end * (x / 6.0 + 0.5).clamp(0.0, 1.0),
        ActivationKind::Elu => {
            if x < 0.0 {
                a * x.exp_m1()
            } else {
                x
            }
        }
        ActivationKind::Selu => b * if x < 0.0 { a * x.exp_m1() } else { x },
        ActivationKind::Silu => x_or_end * sigmoid(x),
        ActivationKind::Gelu => x_or_end / 2.0 * libm::erfc(-x / core::f64::consts::SQRT_2),
        ActivationKind::GeluTanh => {
            let u = (2.0 / core::f64::consts::PI).sqrt() * (x + 0.044715 * x * x * x);
            x_or_end * sigmoid(2.0 * u)
        }
        ActivationKind::Softplus => softplus(x),
        ActivationKind::Mish => x_or_end * softplus(x).tanh(),
        ActivationKind::Exp => x.exp(),
        ActivationKind::Log => x.ln(),
        ActivationKind::Sqrt => x.sqrt(),
        ActivationKind::Abs => x.abs(),
        ActivationKind::Neg => -x,
        ActivationKind::Reciprocal => 1.0 / x,
        ActivationKind::Erf => libm::erf(x),
        ActivationKind::Floor => x.floor(),
        ActivationKind::Ceil => x.ceil(),
        ActivationKind::Sign | ActivationKind::Round => whole(activation, x),
        ActivationKind::ThresholdedRelu | ActivationKind::Shrink => beyond_threshold(activation, x),
        ActivationKind::Softsign => {
            if x.is_infinite() {
                x.signum()
            } else {
                x / (1.0 + x.abs())
            }
        }
    }
}

fn whole(activation: &Activation, x: f64) -> f64 {
    match activation.kind().unwrap() {
        ActivationKind::Sign if x == 0.0 => x,
        ActivationKind::Sign => x.signum(),
        _ => x.round_ties_even(),
    }
}

fn beyond_threshold(activation: &Activation, x: f64) -> f64 {
    let (a, b) = (f64::from(activation.a), f64::from(activation.b));
    match activation.kind().unwrap() {
        ActivationKind::ThresholdedRelu if x > a => x,
        ActivationKind::Shrink if x < -a => x + b,
        ActivationKind::Shrink if x > a => x - b,
        _ => 0.0,
    }
}
