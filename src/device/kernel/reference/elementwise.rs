//! Element-wise functions of one and two operands.

use std::vec::Vec;

use super::{Exact, Tensor, activation};
use crate::device::kernel::params::{BinaryKind, BinaryParams, MapParams};
use crate::device::tensor::Extent;

/// Every output element of `activation(x · scale[c] + shift[c])`.
pub(crate) fn map(
    params: &MapParams,
    input: &Tensor,
    scale: Option<&[f32]>,
    shift: Option<&[f32]>,
) -> Vec<Exact> {
    let element = |place: [usize; 4]| {
        let scale = scale.map_or(1.0, |scale| f64::from(scale[place[3]]));
        let shift = shift.map_or(0.0, |shift| f64::from(shift[place[3]]));
        let mut sum = Exact::default();
        sum.add(f64::from(input.at(place)) * scale);
        sum.add(shift);
        Exact { value: activation(&params.activation, sum.value), ..sum }
    };
    input.places().map(element).collect()
}

/// Every output element of `activation(f(a, b))`.
pub(crate) fn binary(params: &BinaryParams, a: &Tensor, b: &Tensor) -> Vec<Exact> {
    let kind = BinaryKind::from_code(params.kind).unwrap();
    let element = |place: [usize; 4]| {
        let (a, b) = (f64::from(a.at(within(&a.extent, place))), f64::from(b.at(within(&b.extent, place))));
        let value = match kind {
            BinaryKind::Add => a + b,
            BinaryKind::Sub => a - b,
            BinaryKind::Mul => a * b,
            BinaryKind::Div => a / b,
            BinaryKind::Min => a.min(b),
            BinaryKind::Max => a.max(b),
            BinaryKind::Prelu => {
                if a < 0.0 {
                    a * b
                } else {
                    a
                }
            }
            BinaryKind::Pow => a.powf(b),
            BinaryKind::Keep if b.abs() > 0.0 => a,
            BinaryKind::Keep => 0.0,
            BinaryKind::Less => f64::from(u8::from(a < b)),
            BinaryKind::LessOrEqual => f64::from(u8::from(a <= b)),
        };
        Exact { value: activation(&params.activation, value), magnitude: a.abs() + b.abs() }
    };
    Tensor::poison(params.output, &[params.output.c], 0).places().map(element).collect()
}

/// The place that is read where dimensions of length 1 are repeated.
fn within(extent: &Extent, place: [usize; 4]) -> [usize; 4] {
    let dims = [extent.n, extent.h, extent.w, extent.c];
    core::array::from_fn(|axis| if dims[axis] == 1 { 0 } else { place[axis] })
}
