//! Transposed convolution, from its definition: every input element scatters the window into the output.

use std::vec::Vec;

use super::{Exact, Tensor, activation};
use crate::device::kernel::params::ConvTransposeParams;

/// Every output element. `weight(output, input of the group, ky, kx)` is the model's weight.
pub(crate) fn conv_transpose(
    params: &ConvTransposeParams,
    input: &Tensor,
    weight: impl Fn(usize, usize, usize, usize) -> f32,
    bias: Option<&[f32]>,
    residual: Option<&Tensor>,
) -> Vec<Exact> {
    let (output, window) = (&params.output, &params.window);
    let groups = params.groups as usize;
    let (inputs, outputs) = (params.input.c as usize / groups, output.c as usize / groups);
    let [h, w, c] = [output.h, output.w, output.c].map(|d| d as usize);
    let mut sums = std::vec![Exact::default(); output.n as usize * h * w * c];
    for [n, iy, ix, channel] in input.places() {
        let x = f64::from(input.at([n, iy, ix, channel]));
        let (group, i) = (channel / inputs, channel % inputs);
        for ky in 0..window.y.kernel {
            for kx in 0..window.x.kernel {
                let reach = |axis: &crate::device::tensor::Axis, i: usize, k: u32| {
                    i as i64 * i64::from(axis.stride) + i64::from(k * axis.dilation)
                        - i64::from(axis.pad_before)
                };
                let (y, x_out) = (reach(&window.y, iy, ky), reach(&window.x, ix, kx));
                if !(0..h as i64).contains(&y) || !(0..w as i64).contains(&x_out) {
                    continue;
                }
                for o in group * outputs..(group + 1) * outputs {
                    let term = x * f64::from(weight(o, i, ky as usize, kx as usize));
                    sums[((n * h + y as usize) * w + x_out as usize) * c + o].add(term);
                }
            }
        }
    }
    let places = Tensor::poison(*output, &[output.c], 0).places();
    for (sum, place) in sums.iter_mut().zip(places) {
        if let Some(bias) = bias {
            sum.add(f64::from(bias[place[3]]));
        }
        if let Some(residual) = residual {
            sum.add(f64::from(residual.at(place)));
        }
        sum.value = activation(&params.activation, sum.value);
    }
    sums
}
