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

/// The magnitudes of the matrices of F(m,3), from the finite points by the formula of Toom and Cook.
struct Minimal {
    /// `|A|`: a column of `Aᵀ` for each point.
    a: Vec<Vec<f64>>,
    /// `|G|`
    g: Vec<[f64; 3]>,
    /// `|Bᵀ|`
    b: Vec<Vec<f64>>,
}

impl Minimal {
    fn new(points: &[f64]) -> Self {
        let outputs = points.len() - 1;
        let (mut a, mut g, mut b) = (Vec::new(), Vec::new(), Vec::new());
        for &p in points {
            let others: Vec<f64> = points.iter().copied().filter(|&q| q != p).collect();
            let divisor: f64 = others.iter().map(|q| p - q).product();
            a.push((0..outputs).map(|i| p.powi(i as i32).abs()).collect());
            g.push([0, 1, 2].map(|i| (p.powi(i) / divisor).abs()));
            b.push(coefficients(&others, points.len()));
        }
        let mut last = std::vec![0.0; outputs];
        last[outputs - 1] = 1.0;
        a.push(last);
        g.push([0.0, 0.0, 1.0]);
        b.push(coefficients(points, points.len()));
        Self { a, g, b }
    }
}

/// The magnitudes of the coefficients of `Π (x − root)`, up to the power `degree`.
fn coefficients(roots: &[f64], degree: usize) -> Vec<f64> {
    let mut polynomial = std::vec![0.0; degree + 1];
    polynomial[0] = 1.0;
    for root in roots {
        for i in (0..=degree).rev() {
            let lower = if i > 0 { polynomial[i - 1] } else { 0.0 };
            polynomial[i] = lower - root * polynomial[i];
        }
    }
    polynomial.iter().map(|x: &f64| x.abs()).collect()
}

/// For each output of a 3×3 convolution the magnitude of what Winograd's algorithm at these finite points adds for it:
/// `Σ_c |Aᵀ| [(|G||g||Gᵀ|) ⊙ (|Bᵀ||d||B|)] |A|`, which may be far above that of the definition.
pub(crate) fn conv_winograd_magnitudes(operands: &ConvOperands, points: &[f64]) -> Vec<f64> {
    let minimal = Minimal::new(points);
    let (tile, patch) = (points.len() - 1, points.len() as u32 + 1);
    let (output, window) = (operands.params.output, operands.params.window);
    let inputs = operands.params.input.c as usize;
    let transformed_weight = |o: usize, c: usize, i: usize, j: usize| -> f64 {
        let tap = |(a, b): (usize, usize)| {
            let g = operands.filter(o)[(a * 3 + b) * inputs + c];
            minimal.g[i][a] * minimal.g[j][b] * f64::from(g).abs()
        };
        places(3, 3).map(tap).sum()
    };
    let mut magnitudes = std::vec![0.0; output.checked_len().map_or(0, |len| len as usize)];
    for n in 0..output.n as usize {
        for (row, column) in places(output.h.div_ceil(tile as u32), output.w.div_ceil(tile as u32)) {
            let first = [window.y.first_input(row * tile), window.x.first_input(column * tile)];
            for ((i, j), c) in places(patch, patch).flat_map(|f| (0..inputs).map(move |c| (f, c))) {
                let element = |(a, b): (usize, usize)| {
                    let d = operands.input(n, first[0] + a as isize, first[1] + b as isize, c);
                    minimal.b[i][a] * minimal.b[j][b] * d.1
                };
                let data: f64 = places(patch, patch).map(element).sum();
                for o in 0..output.c as usize {
                    let product = transformed_weight(o, c, i, j) * data;
                    for (y, x) in places(tile as u32, tile as u32) {
                        let (row, column) = (row * tile + y, column * tile + x);
                        if row < output.h as usize && column < output.w as usize {
                            let pixel = (n * output.h as usize + row) * output.w as usize + column;
                            magnitudes[pixel * output.c as usize + o] +=
                                minimal.a[i][y] * minimal.a[j][x] * product;
                        }
                    }
                }
            }
        }
    }
    magnitudes
}

/// All pairs `(0, 0), (0, 1), …`.
fn places(rows: u32, columns: u32) -> impl Iterator<Item = (usize, usize)> {
    (0..rows as usize).flat_map(move |y| (0..columns as usize).map(move |x| (y, x)))
}
