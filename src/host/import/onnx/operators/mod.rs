//! The ONNX operators, one family a file. To add one, add its import to the family's table.
//!
//! An import reads the node's attributes and operands through [`Context`] and gives what the node's results stand for. Its
//! check, where it has one, tells from the attributes alone what is not supported, so that all of it can be listed before
//! anything is imported. Semantics: <https://onnx.ai/onnx/operators/>; `since` numbers are versions of the operator set.

mod activation;
mod constant;
mod convolution;
mod dense;
mod elementwise;
mod gather;
mod logic;
mod lp_norm;
mod normalization;
mod pool;
mod reduce;
mod resize;
mod response;
mod select;
mod sequence;
mod shape;
mod softmax;
mod taps;
mod window;

use crate::host::Result;

use super::context::Context;
use super::model::Node;
use super::refusal::{invalid, unsupported};
use super::scope::Operand;

/// An operator of ONNX.
pub(super) struct Operator {
    /// Its name in the standard domain.
    pub(super) name: &'static str,
    /// What its attributes alone tell.
    pub(super) check: fn(&Node<'_>) -> Result<()>,
    /// Its import: one operand for each result.
    pub(super) import: fn(&mut Context<'_, '_>) -> Result<Vec<Operand>>,
}

impl Operator {
    /// An operator all of whose attributes are supported.
    const fn new(name: &'static str, import: fn(&mut Context<'_, '_>) -> Result<Vec<Operand>>) -> Self {
        Self { name, check: |_| Ok(()), import }
    }

    /// The same operator with a check of its attributes.
    const fn checked(self, check: fn(&Node<'_>) -> Result<()>) -> Self {
        Self { check, ..self }
    }
}

/// All operators, family by family.
pub(super) fn all() -> impl Iterator<Item = &'static Operator> {
    let families = [
        activation::OPERATORS,
        constant::OPERATORS,
        convolution::OPERATORS,
        dense::OPERATORS,
        elementwise::OPERATORS,
        logic::OPERATORS,
        lp_norm::OPERATORS,
        gather::OPERATORS,
        normalization::OPERATORS,
        pool::OPERATORS,
        reduce::OPERATORS,
        resize::OPERATORS,
        response::OPERATORS,
        select::OPERATORS,
        sequence::OPERATORS,
        shape::OPERATORS,
        softmax::OPERATORS,
    ];
    families.into_iter().flatten()
}

/// The operator of this name in the standard domain.
pub(super) fn find(name: &str) -> Option<&'static Operator> {
    all().find(|operator| operator.name == name)
}

/// An axis, negative from the end.
fn axis_of(axis: i64, rank: usize) -> Result<usize> {
    let signed = i64::try_from(rank).unwrap_or(0);
    let wrapped = if axis < 0 { axis.checked_add(signed) } else { Some(axis) };
    let found = wrapped.and_then(|axis| usize::try_from(axis).ok()).filter(|axis| *axis < rank);
    found.ok_or_else(|| invalid(format!("axis {axis} of a tensor of {rank} dimensions")))
}

/// Axes, negative from the end, each once.
fn axes_of(axes: &[i64], rank: usize) -> Result<Vec<usize>> {
    let mut found = Vec::new();
    for &axis in axes {
        let axis = axis_of(axis, rank)?;
        if found.contains(&axis) {
            return Err(invalid(format!("axis {axis} is named twice in {axes:?}")));
        }
        found.push(axis);
    }
    Ok(found)
}

/// A number that must not be negative and fit 32 bits.
fn count(number: i64, what: &str) -> Result<u32> {
    u32::try_from(number).map_err(|_| invalid(format!("{what} is {number}")))
}
