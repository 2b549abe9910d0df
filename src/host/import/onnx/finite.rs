//! Are a node's constants numbers?
//!
//! NaN is refused wherever a constant is read. Infinities are refused in weights only: limits of `Clip`, values of `Pad` and
//! masks may be infinite.

use std::collections::HashMap;

use crate::host::Result;
use crate::host::import::numbers::check_finite;

use super::model::Node;
use super::scope::Operand;

/// Operators whose constants are weights.
const WEIGHTED: [&str; 5] = ["Conv", "ConvTranspose", "Gemm", "MatMul", "BatchNormalization"];

/// Refuses a node that reads a constant which cannot be meant.
pub(super) fn check(node: &Node<'_>, operands: &HashMap<&str, Option<Operand>>) -> Result<()> {
    let is_weighted = WEIGHTED.contains(&node.operator());
    for name in node.inputs() {
        let Some(Some(Operand::Constant(tensor))) = operands.get(name.as_str()) else { continue };
        // In the case that is the rule, what lies in a file is not brought into memory.
        if let Some(floats) = tensor.data().floats().filter(|floats| !floats.are_finite()) {
            check_finite(name, floats, is_weighted)?;
        }
    }
    Ok(())
}
