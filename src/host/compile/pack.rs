//! Packs constants into the layouts that the kernels read (see `device::kernel`).

use crate::device::kernel::winograd_2x2_transform;
use crate::device::simd::LANES;
use crate::host::graph::{Graph, ValueId};

use super::schedule::Recipe;

/// Fills `out` (zeros, of the length that the kernel asks for) with the constant of a recipe.
pub(super) fn pack(graph: &Graph, recipe: Recipe, out: &mut [f32]) {
    let floats = |value: ValueId| graph.constant_f32(value).unwrap_or(&[]);
    match recipe {
        Recipe::Plain(value) | Recipe::Channels(value) => {
            let data = floats(value);
            out[..data.len()].copy_from_slice(data);
        }
        Recipe::Panels { weight, groups } => {
            let outputs = graph.shape(weight).dims().first().copied().unwrap_or(0) as usize;
            pack_panels(floats(weight), outputs, groups as usize, out);
        }
        Recipe::Depthwise(weight) => {
            // A depthwise weight is `[channel][taps]`: panels of one group with as many terms as taps.
            let channels = graph.shape(weight).dims().first().copied().unwrap_or(0) as usize;
            pack_panels(floats(weight), channels, 1, out);
        }
        Recipe::Winograd2x2(weight) => pack_winograd(floats(weight), graph.shape(weight).dims(), out),
        Recipe::Transposed { weight, groups } => {
            pack_transposed(floats(weight), graph.shape(weight).dims(), groups as usize, out);
        }
        Recipe::BatchNormScale { scale, variance, epsilon } => {
            let factors = batch_norm_factors(floats(scale), floats(variance), f32::from_bits(epsilon));
            out.iter_mut().zip(factors).for_each(|(out, factor)| *out = factor as f32);
        }
        Recipe::BatchNormShift { bias, mean, scale, variance, epsilon } => {
            let factors = batch_norm_factors(floats(scale), floats(variance), f32::from_bits(epsilon));
            let shifts = factors.zip(floats(bias)).zip(floats(mean));
            for (out, ((factor, &bias), &mean)) in out.iter_mut().zip(shifts) {
                *out = (f64::from(bias) - f64::from(mean) * factor) as f32;
            }
        }
    }
}

/// `scale / √(variance + epsilon)` of each channel.
fn batch_norm_factors<'a>(
    scale: &'a [f32],
    variance: &'a [f32],
    epsilon: f32,
) -> impl Iterator<Item = f64> + 'a {
    scale.iter().zip(variance).map(move |(&scale, &variance)| {
        f64::from(scale) / libm::sqrt(f64::from(variance) + f64::from(epsilon))
    })
}

/// `[output][k]` to `[group][panel][k][16 outputs]`.
fn pack_panels(weight: &[f32], outputs: usize, groups: usize, out: &mut [f32]) {
    let terms = weight.len() / outputs.max(1);
    let group_outputs = outputs / groups.max(1);
    let panel_len = terms * LANES;
    let group_panels = group_outputs.div_ceil(LANES);
    for (output, row) in weight.chunks_exact(terms.max(1)).enumerate() {
        let (group, inside) = (output / group_outputs, output % group_outputs);
        let panel = group * group_panels + inside / LANES;
        let lanes = out[panel * panel_len..][..panel_len].chunks_exact_mut(LANES);
        lanes.zip(row).for_each(|(lanes, &weight)| lanes[inside % LANES] = weight);
    }
}

/// `[input][tap][output of the group]` to `[group][panel][tap][input of the group][16 outputs]`.
fn pack_transposed(weight: &[f32], dims: &[u32], groups: usize, out: &mut [f32]) {
    let [inputs, kh, kw, outputs] = *dims else { return };
    let (taps, outputs) = ((kh * kw) as usize, outputs as usize);
    let inputs = inputs as usize / groups.max(1);
    let panels = outputs.div_ceil(LANES);
    for (row, weights) in weight.chunks_exact(outputs.max(1)).enumerate() {
        let (input, tap) = (row / taps, row % taps);
        let (group, input) = (input / inputs, input % inputs);
        for (panel, weights) in weights.chunks(LANES).enumerate() {
            let vector = ((group * panels + panel) * taps + tap) * inputs + input;
            out[vector * LANES..][..weights.len()].copy_from_slice(weights);
        }
    }
}

/// `[output][3·3][input]` to `[panel][frequency][input][16 outputs]`, each filter transformed.
fn pack_winograd(weight: &[f32], dims: &[u32], out: &mut [f32]) {
    let inputs = dims.last().copied().unwrap_or(0) as usize;
    for (output, filter) in weight.chunks_exact((9 * inputs).max(1)).enumerate() {
        let panel = &mut out[output / LANES * 16 * inputs * LANES..][..16 * inputs * LANES];
        for input in 0..inputs {
            let taps = core::array::from_fn(|tap| filter[tap * inputs + input]);
            for (frequency, value) in winograd_2x2_transform(&taps).into_iter().enumerate() {
                panel[(frequency * inputs + input) * LANES + output % LANES] = value;
            }
        }
    }
}
