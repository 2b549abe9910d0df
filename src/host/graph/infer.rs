//! Shape inference: the output of an operator from its operands.

use crate::device::tensor::{DType, Shape};
use crate::host::Result;

use super::{Graph, Op};

/// The element type and shape of what `op` makes.
///
/// # Errors
/// If the operator cannot take its operands.
pub fn infer(graph: &Graph, op: &Op) -> Result<(DType, Shape)> {
    let input = graph.value(op.inputs()[0]);
    Ok((input.dtype, input.shape))
}
