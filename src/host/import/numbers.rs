//! Are weights numbers that can be meant? A NaN in a weight makes every output NaN, and nothing later can say where it came from.
//!
//! Called for the constants of ONNX's nodes and for the weights of PyTorch's files.

use crate::host::graph::all_finite;
use crate::host::{Error, ErrorKind, Result};

/// Refuses NaN in a constant, and infinities too where it is a weight.
pub(super) fn check_finite(name: &str, floats: &[f32], is_weight: bool) -> Result<()> {
    // One quick pass in the case that is the rule.
    if all_finite(floats) {
        return Ok(());
    }
    let nans = floats.iter().filter(|x| x.is_nan()).count();
    let infinities = floats.iter().filter(|x| x.is_infinite()).count();
    match (nans, infinities) {
        (0, infinities) if is_weight => {
            Err(refused(name, floats.len(), &format!("{infinities} infinite values")))
        }
        (0, _) => Ok(()),
        (nans, _) => Err(refused(name, floats.len(), &format!("{nans} NaN"))),
    }
}

/// Refuses a variance below 0, which has no root.
pub(super) fn check_variance(name: &str, floats: &[f32]) -> Result<()> {
    match floats.iter().filter(|x| **x < 0.0).count() {
        0 => Ok(()),
        negative => Err(refused(name, floats.len(), &format!("{negative} negative variances"))),
    }
}

fn refused(name: &str, len: usize, found: &str) -> Error {
    let reason = format!("the constant '{name}' holds {found} among its {len} values");
    Error::new(ErrorKind::Invalid, reason)
        .remedy("check the training and the export: the file holds no usable weights")
}
