//! Packs constants into the layouts that the kernels read (see `device::kernel`).

use crate::device::kernel::{winograd_2x2_transform, winograd_4x4_transform};
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
        Recipe::Winograd2x2(weight) => {
            pack_winograd(floats(weight), graph.shape(weight).dims(), winograd_2x2_transform, out);
        }
        Recipe::Winograd4x4(weight) => {
            pack_winograd(floats(weight), graph.shape(weight).dims(), winograd_4x4_transform, out);
        }
        Recipe::Transposed { weight, groups } => {
            pack_transposed(floats(weight), graph.shape(weight).dims(), groups as usize, out);
        }
    }
}

/// `[output][k]` to `[group][panel][k][16 outputs]`.
fn pack_panels(weight: &[f32], outputs: usize, groups: usize, out: &mut [f32]) {
    let terms = weight.len() / outputs.max(1);
    let group_outputs = outputs / groups.max(1);
    let mut panels = out.chunks_exact_mut((terms * LANES).max(1));
    for group in weight.chunks_exact((group_outputs * terms).max(1)) {
        // All rows of a panel side by side, so that each line of the panel is written once.
        for (rows, panel) in group.chunks(terms * LANES).zip(&mut panels) {
            for (k, lanes) in panel.chunks_exact_mut(LANES).enumerate() {
                lanes.iter_mut().zip(rows.chunks_exact(terms)).for_each(|(lane, row)| *lane = row[k]);
            }
        }
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
fn pack_winograd<const FREQUENCIES: usize>(
    weight: &[f32],
    dims: &[u32],
    transform: fn(&[f32; 9]) -> [f32; FREQUENCIES],
    out: &mut [f32],
) {
    let inputs = dims.last().copied().unwrap_or(0) as usize;
    let panels = out.chunks_exact_mut((FREQUENCIES * inputs * LANES).max(1));
    for (filters, panel) in weight.chunks((9 * inputs * LANES).max(1)).zip(panels) {
        for input in 0..inputs {
            // All outputs of a panel side by side, so that each line of the panel is written once.
            let mut frequencies = [[0.0; LANES]; FREQUENCIES];
            for (output, filter) in filters.chunks_exact(9 * inputs).enumerate() {
                let taps = core::array::from_fn(|tap| filter[tap * inputs + input]);
                for (lanes, value) in frequencies.iter_mut().zip(transform(&taps)) {
                    lanes[output] = value;
                }
            }
            for (frequency, lanes) in frequencies.iter().enumerate() {
                panel[(frequency * inputs + input) * LANES..][..LANES].copy_from_slice(lanes);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;
    use alloc::vec::Vec;

    #[test]
    fn panels_hold_sixteen_outputs_side_by_side() {
        // Two groups of 17 outputs with 3 terms each: two panels a group.
        let weight: Vec<f32> = (1..=34 * 3).map(|i| i as f32).collect();
        let mut out = vec![0.0; 4 * 3 * LANES];
        pack_panels(&weight, 34, 2, &mut out);
        for (output, k) in (0..34).flat_map(|output| (0..3).map(move |k| (output, k))) {
            let (panel, lane) = (output / 17 * 2 + output % 17 / LANES, output % 17 % LANES);
            assert_eq!(out[(panel * 3 + k) * LANES + lane], weight[output * 3 + k]);
        }
        assert_eq!(out.iter().filter(|&&x| x == 0.0).count(), out.len() - weight.len());
    }

    #[test]
    fn winograd_weights_are_transformed_filters() {
        are_transformed_filters(winograd_2x2_transform);
        are_transformed_filters(winograd_4x4_transform);
    }

    fn are_transformed_filters<const FREQUENCIES: usize>(transform: fn(&[f32; 9]) -> [f32; FREQUENCIES]) {
        let (inputs, outputs) = (2, 18);
        let weight: Vec<f32> = (0..outputs * 9 * inputs).map(|i| (i % 23) as f32).collect();
        let mut out = vec![0.0; 2 * FREQUENCIES * inputs * LANES];
        pack_winograd(&weight, &[18, 3, 3, 2], transform, &mut out);
        let taps = core::array::from_fn(|tap| weight[(17 * 9 + tap) * inputs + 1]);
        for (frequency, value) in transform(&taps).into_iter().enumerate() {
            assert_eq!(out[((FREQUENCIES + frequency) * inputs + 1) * LANES + 1], value);
        }
    }

    #[test]
    fn transposed_weights_follow_their_groups() {
        // Two groups of 2 inputs and 3 outputs, one row of 2 taps.
        let weight: Vec<f32> = (1..=4 * 2 * 3).map(|i| i as f32).collect();
        let mut out = vec![0.0; 2 * 2 * 2 * LANES];
        pack_transposed(&weight, &[4, 1, 2, 3], 2, &mut out);
        // Group 1, tap 1, input 3 (its second), output 2.
        assert_eq!(out[((2 + 1) * 2 + 1) * LANES + 2], weight[(3 * 2 + 1) * 3 + 2]);
    }
}
