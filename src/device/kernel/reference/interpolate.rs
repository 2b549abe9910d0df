//! Resize of rows and columns by tables.

use std::vec::Vec;

use super::{Exact, Tensor};
use crate::device::kernel::params::InterpolateParams;

/// Every output element, from the tables of rows and columns.
pub(crate) fn interpolate(
    params: &InterpolateParams,
    rows: &[f32],
    columns: &[f32],
    input: &Tensor,
) -> Vec<Exact> {
    let element = |[n, y, x, c]: [usize; 4]| {
        let mut sum = Exact::default();
        let row = taps(rows, params.taps_y as usize, y);
        let column = taps(columns, params.taps_x as usize, x);
        let (Some(row), Some(column)) = (row, column) else {
            sum.add(f64::from(params.fill));
            return sum;
        };
        for (iy, weight_y) in row {
            for &(ix, weight_x) in &column {
                sum.add(weight_y * weight_x * f64::from(input.at([n, iy, ix, c])));
            }
        }
        sum
    };
    Tensor::poison(params.output, &[params.output.c], 0).places().map(element).collect()
}

/// The input indices and weights of an output index; `None` if it reads nothing.
fn taps(table: &[f32], taps: usize, o: usize) -> Option<Vec<(usize, f64)>> {
    let entry = &table[o * (taps + 1)..][..taps + 1];
    let first = entry[0] as i64;
    let weights = entry[1..].iter().enumerate();
    (first >= 0).then(|| weights.map(|(k, &weight)| (first as usize + k, f64::from(weight))).collect())
}
