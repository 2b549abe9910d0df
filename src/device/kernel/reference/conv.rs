//! Convolution in `f64`, from the definition, with the magnitudes that error bounds need.

use std::vec::Vec;

use super::activation;
use crate::device::kernel::params::ConvParams;

/// A convolution's operands, all of them dense: `[n, h, w, c]`, weights `[output][ky][kx][c of the group]`.
#[derive(Clone, Debug)]
pub(crate) struct ConvOperands {
    pub(crate) params: ConvParams,
    pub(crate) input: Vec<f32>,
    pub(crate) weights: Vec<f32>,
    /// Scale and shift of each input channel.
    pub(crate) prologue: Option<[Vec<f32>; 2]>,
    pub(crate) bias: Option<Vec<f32>>,
    pub(crate) residual: Option<Vec<f32>>,
}

/// An output of the twin.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ConvOutput {
    /// The value.
    pub(crate) value: f64,
    /// The sum of the magnitudes of all that was added: what rounding errors are relative to.
    pub(crate) magnitude: f64,
}

impl ConvOperands {
    /// Input element after the prologue, and its magnitude; 0 in the padding.
    fn input(&self, n: usize, y: isize, x: isize, c: usize) -> (f64, f64) {
        let extent = &self.params.input;
        if y < 0 || x < 0 || y >= extent.h as isize || x >= extent.w as isize {
            return (0.0, 0.0);
        }
        let pixel = (n * extent.h as usize + y as usize) * extent.w as usize + x as usize;
        let value = f64::from(self.input[pixel * extent.c as usize + c]);
        let Some([scale, shift]) = &self.prologue else { return (value, value.abs()) };
        let (scaled, shift) = (value * f64::from(scale[c]), f64::from(shift[c]));
        (activation(&self.params.prologue, scaled + shift), scaled.abs() + shift.abs() + 1.0)
    }

    /// The weights of an output, `[ky][kx][c]`.
    fn filter(&self, output: usize) -> &[f32] {
        let len = (self.params.window.taps() * self.params.input.c / self.params.groups) as usize;
        &self.weights[output * len..(output + 1) * len]
    }

    /// Bias and residual added, the activation applied.
    fn finish(&self, index: usize, sum: f64, magnitude: f64) -> ConvOutput {
        let channel = index % self.params.output.c as usize;
        let bias = self.bias.as_ref().map_or(0.0, |bias| f64::from(bias[channel]));
        let residual = self.residual.as_ref().map_or(0.0, |residual| f64::from(residual[index]));
        ConvOutput {
            value: activation(&self.params.activation, sum + bias + residual),
            magnitude: magnitude + bias.abs() + residual.abs(),
        }
    }
}

/// All outputs, `[n, h, w, c]`.
pub(crate) fn conv(operands: &ConvOperands) -> Vec<ConvOutput> {
    let (output, window) = (operands.params.output, operands.params.window);
    let inputs = (operands.params.input.c / operands.params.groups) as usize;
    let group_outputs = (output.c / operands.params.groups) as usize;
    let mut outputs = Vec::new();
    for n in 0..output.n as usize {
        for (y, x) in places(output.h, output.w) {
            for o in 0..output.c as usize {
                let mut sums = (0.0, 0.0);
                for (tap, (ky, kx)) in places(window.y.kernel, window.x.kernel).enumerate() {
                    let y = window.y.first_input(y) + (ky * window.y.dilation as usize) as isize;
                    let x = window.x.first_input(x) + (kx * window.x.dilation as usize) as isize;
                    for c in 0..inputs {
                        let weight = f64::from(operands.filter(o)[tap * inputs + c]);
                        let (value, magnitude) = operands.input(n, y, x, o / group_outputs * inputs + c);
                        sums = (sums.0 + weight * value, sums.1 + (weight * magnitude).abs());
                    }
                }
                outputs.push(operands.finish(outputs.len(), sums.0, sums.1));
            }
        }
    }
    outputs
}

/// For each output of a 3×3 convolution the magnitude of what Winograd F(2×2,3×3) adds for it:
/// `Σ_c |Aᵀ| [(|G||g||Gᵀ|) ⊙ (|Bᵀ||d||B|)] |A|`, which may be far above that of the definition.
pub(crate) fn conv_winograd_2x2_magnitudes(operands: &ConvOperands) -> Vec<f64> {
    const A: [[f64; 4]; 2] = [[1.0, 1.0, 1.0, 0.0], [0.0, 1.0, 1.0, 1.0]];
    const G: [[f64; 3]; 4] = [[1.0, 0.0, 0.0], [0.5, 0.5, 0.5], [0.5, 0.5, 0.5], [0.0, 0.0, 1.0]];
    const B: [[f64; 4]; 4] =
        [[1.0, 0.0, 1.0, 0.0], [0.0, 1.0, 1.0, 0.0], [0.0, 1.0, 1.0, 0.0], [0.0, 1.0, 0.0, 1.0]];
    let (output, window) = (operands.params.output, operands.params.window);
    let inputs = operands.params.input.c as usize;
    let mut magnitudes = Vec::new();
    for n in 0..output.n as usize {
        for (y, x) in places(output.h, output.w) {
            for o in 0..output.c as usize {
                let mut magnitude = 0.0;
                for (i, j) in places(4, 4) {
                    let factor = A[y % 2][i] * A[x % 2][j];
                    for c in (0..inputs).filter(|_| factor != 0.0) {
                        let weight: f64 = places(3, 3)
                            .map(|(a, b)| {
                                let g = operands.filter(o)[(a * 3 + b) * inputs + c];
                                G[i][a] * G[j][b] * f64::from(g).abs()
                            })
                            .sum();
                        let place = [window.y.first_input(y / 2 * 2), window.x.first_input(x / 2 * 2)];
                        let patch: f64 = places(4, 4)
                            .map(|(a, b)| {
                                let d = operands.input(n, place[0] + a as isize, place[1] + b as isize, c);
                                B[i][a] * B[j][b] * d.1
                            })
                            .sum();
                        magnitude += factor * weight * patch;
                    }
                }
                magnitudes.push(magnitude);
            }
        }
    }
    magnitudes
}

/// All pairs `(0, 0), (0, 1), …`.
fn places(rows: u32, columns: u32) -> impl Iterator<Item = (usize, usize)> {
    (0..rows as usize).flat_map(move |y| (0..columns as usize).map(move |x| (y, x)))
}
