//! Are a node's constants numbers? A NaN in a weight makes every output NaN, and nothing later can say where it came from.
//!
//! NaN is refused wherever a constant is read. Infinities are refused in weights only: limits of `Clip`, values of `Pad` and
//! masks may be infinite.

use std::collections::HashMap;

use crate::host::{Error, Result};

use super::model::Node;
use super::refusal::invalid;
use super::scope::Operand;

/// Operators whose constants are weights.
const WEIGHTED: [&str; 5] = ["Conv", "ConvTranspose", "Gemm", "MatMul", "BatchNormalization"];

/// Refuses a node that reads a constant which cannot be meant.
pub(super) fn check(node: &Node<'_>, operands: &HashMap<&str, Option<Operand>>) -> Result<()> {
    let is_weighted = WEIGHTED.contains(&node.operator());
    for name in node.inputs() {
        let Some(Some(Operand::Constant(tensor))) = operands.get(name.as_str()) else { continue };
        let floats = tensor.data().as_f32().unwrap_or_default();
        // One quick pass in the case that is the rule.
        if floats.iter().all(|x| x.is_finite()) {
            continue;
        }
        let nans = floats.iter().filter(|x| x.is_nan()).count();
        let infinities = floats.iter().filter(|x| x.is_infinite()).count();
        let found = match (nans, infinities) {
            (0, infinities) if is_weighted => format!("{infinities} infinite values"),
            (0, _) => continue,
            (nans, _) => format!("{nans} NaN"),
        };
        return Err(refused(name, floats.len(), &found));
    }
    Ok(())
}

fn refused(name: &str, len: usize, found: &str) -> Error {
    invalid(format!("the constant '{name}' holds {found} among its {len} values"))
        .remedy("check the training and the export: the file holds no usable weights")
}
