//! Packs constants into the layouts that the kernels read (see `device::kernel`).
//!
//! Weights are taken row by row (an output's, for most), so that those that lie in a file need not be whole in memory. Small
//! squares of rows and terms are turned in the first-level cache: rows often lie a power of two apart, and all their lines would
//! drive each other out of it.

use alloc::vec;
use alloc::vec::Vec;
use core::ops::Range;

use half::f16;
use half::slice::HalfFloatSliceExt;

use crate::device::kernel::{winograd_2x2_transform, winograd_4x4_transform};
use crate::device::simd::{LANES, Level};
use crate::host::graph::{Floats, Graph};

use super::schedule::Recipe;

/// Inputs whose filters are turned together: a cache line of them.
const INPUTS: usize = 16;

/// A finite weight that is no finite `f16`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct TooLarge(pub(super) f32);

/// Fills `out` (zeros, of the length that the kernel asks for, in elements of the recipe's type) with the constant of a recipe.
pub(super) fn pack(graph: &Graph, recipe: Recipe, out: &mut [u8]) -> Result<(), TooLarge> {
    let value = recipe.value();
    let Some(floats) = graph.floats(value) else { return Ok(()) };
    let shape = graph.shape(value);
    let outputs = shape.dims().first().copied().unwrap_or(0) as usize;
    if let Recipe::PanelsF16 { groups, .. } = recipe {
        return pack_panels_f16(floats, outputs, groups as usize, bytemuck::cast_slice_mut(out));
    }
    let out: &mut [f32] = bytemuck::cast_slice_mut(out);
    match recipe {
        Recipe::Plain(_) | Recipe::Channels(_) => {
            let mut buffer = Vec::new();
            let data = floats.rows(0..1, floats.len(), &mut buffer);
            out[..data.len()].copy_from_slice(data);
        }
        Recipe::Panels { groups, .. } => pack_panels(floats, outputs, groups as usize, out),
        // A depthwise weight is `[channel][taps]`: panels of one group with as many terms as taps.
        Recipe::Depthwise(_) => pack_panels(floats, outputs, 1, out),
        Recipe::Winograd2x2(_) => pack_winograd(floats, shape.dims(), winograd_2x2_transform, out),
        Recipe::Winograd4x4(_) => pack_winograd(floats, shape.dims(), winograd_4x4_transform, out),
        Recipe::Transposed { groups, .. } => pack_transposed(floats, shape.dims(), groups as usize, out),
        Recipe::PanelsF16 { .. } => {}
    }
    Ok(())
}

/// `[output][k]` to `[group][panel][k][16 outputs]`.
fn pack_panels(weight: &Floats, outputs: usize, groups: usize, out: &mut [f32]) {
    let terms = weight.len() / outputs.max(1);
    let mut buffer = Vec::new();
    for (rows, panel) in panels(outputs, groups).zip(out.chunks_exact_mut((terms * LANES).max(1))) {
        pack_panel(weight.rows(rows, terms, &mut buffer), terms, panel);
    }
}

/// [`pack_panels`] as `f16`, each weight rounded to the nearest.
fn pack_panels_f16(weight: &Floats, outputs: usize, groups: usize, out: &mut [f16]) -> Result<(), TooLarge> {
    let terms = weight.len() / outputs.max(1);
    let (mut buffer, mut whole) = (Vec::new(), vec![0.0; terms * LANES]);
    for (rows, panel) in panels(outputs, groups).zip(out.chunks_exact_mut((terms * LANES).max(1))) {
        let rows = weight.rows(rows, terms, &mut buffer);
        if let Some(&large) = rows.iter().find(|x| x.is_finite() && x.abs() > f16::MAX.to_f32_const()) {
            return Err(TooLarge(large));
        }
        pack_panel(rows, terms, &mut whole);
        panel.convert_from_f32_slice(&whole);
    }
    Ok(())
}

/// The outputs of each panel: up to sixteen of one group.
fn panels(outputs: usize, groups: usize) -> impl Iterator<Item = Range<usize>> {
    let group_outputs = (outputs / groups.max(1)).max(1);
    (0..outputs).step_by(group_outputs).flat_map(move |first| {
        let end = first + group_outputs;
        (first..end).step_by(LANES).map(move |start| start..(start + LANES).min(end))
    })
}

/// Up to sixteen rows `[output][k]` to `[k][16 outputs]`.
fn pack_panel(rows: &[f32], terms: usize, panel: &mut [f32]) {
    for (square, lines) in panel.chunks_mut(LANES * LANES).enumerate() {
        let mut turned = [[0.0; LANES]; LANES];
        for (lane, row) in rows.chunks_exact(terms.max(1)).enumerate() {
            for (line, x) in turned.iter_mut().zip(&row[square * LANES..]) {
                line[lane] = *x;
            }
        }
        lines.copy_from_slice(&turned.as_flattened()[..lines.len()]);
    }
}

/// `[input][tap][output of the group]` to `[group][panel][tap][input of the group][16 outputs]`.
fn pack_transposed(weight: &Floats, dims: &[u32], groups: usize, out: &mut [f32]) {
    let [all_inputs, kh, kw, outputs] = *dims else { return };
    let (taps, outputs) = ((kh * kw) as usize, outputs as usize);
    let inputs = (all_inputs as usize / groups.max(1)).max(1);
    let panels = outputs.div_ceil(LANES);
    let mut buffer = Vec::new();
    for input in 0..all_inputs as usize {
        let filters = weight.rows(input..input + 1, taps * outputs, &mut buffer);
        let (group, input) = (input / inputs, input % inputs);
        for (tap, weights) in filters.chunks_exact(outputs.max(1)).enumerate() {
            for (panel, weights) in weights.chunks(LANES).enumerate() {
                let vector = ((group * panels + panel) * taps + tap) * inputs + input;
                out[vector * LANES..][..weights.len()].copy_from_slice(weights);
            }
        }
    }
}

/// `[output][3·3][input]` to `[panel][frequency][input][16 outputs]`, each filter transformed.
fn pack_winograd<const FREQUENCIES: usize>(
    weight: &Floats,
    dims: &[u32],
    transform: impl Fn(Level, &Filters) -> [[f32; LANES]; FREQUENCIES],
    out: &mut [f32],
) {
    let (inputs, outputs) = (dims.last().copied().unwrap_or(0) as usize, dims[0] as usize);
    let panels = out.chunks_exact_mut((FREQUENCIES * inputs * LANES).max(1));
    let (level, mut buffer) = (Level::detect(), Vec::new());
    for (start, panel) in (0..outputs).step_by(LANES).zip(panels) {
        let end = (start + LANES).min(outputs);
        let filters = weight.rows(start..end, 9 * inputs, &mut buffer);
        for first in (0..inputs).step_by(INPUTS) {
            let chosen = first..inputs.min(first + INPUTS);
            let turned = turned(filters, inputs, chosen.clone());
            for (input, filters) in chosen.zip(&turned) {
                for (frequency, lanes) in transform(level, filters).iter().enumerate() {
                    panel[(frequency * inputs + input) * LANES..][..LANES].copy_from_slice(lanes);
                }
            }
        }
    }
}

/// The filters of one input: for each tap those of all outputs of a panel.
type Filters = [[f32; LANES]; 9];

/// The filters of some inputs; zeros for outputs that a panel lacks.
fn turned(filters: &[f32], inputs: usize, chosen: Range<usize>) -> [Filters; INPUTS] {
    let mut turned = [[[0.0; LANES]; 9]; INPUTS];
    for (output, filter) in filters.chunks_exact(9 * inputs).enumerate() {
        for (tap, row) in filter.chunks_exact(inputs).enumerate() {
            for (taps, x) in turned.iter_mut().zip(&row[chosen.clone()]) {
                taps[tap][output] = *x;
            }
        }
    }
    turned
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn panels_hold_sixteen_outputs_side_by_side() {
        // Two groups of 17 outputs with 3 terms each: two panels a group.
        let weight: Vec<f32> = (1..=34 * 3).map(|i| i as f32).collect();
        let mut out = vec![0.0; 4 * 3 * LANES];
        pack_panels(&weight.clone().into(), 34, 2, &mut out);
        for (output, k) in (0..34).flat_map(|output| (0..3).map(move |k| (output, k))) {
            let (panel, lane) = (output / 17 * 2 + output % 17 / LANES, output % 17 % LANES);
            assert_eq!(out[(panel * 3 + k) * LANES + lane], weight[output * 3 + k]);
        }
        assert_eq!(out.iter().filter(|&&x| x == 0.0).count(), out.len() - weight.len());
    }

    #[test]
    fn weights_as_f16_lie_where_others_do() {
        let weight: Floats = (0..34 * 3).map(|i| i as f32 / 7.0).collect::<Vec<_>>().into();
        let (mut whole, mut half) = (vec![0.0; 4 * 3 * LANES], vec![f16::ZERO; 4 * 3 * LANES]);
        pack_panels(&weight, 34, 2, &mut whole);
        pack_panels_f16(&weight, 34, 2, &mut half).unwrap();
        assert!(whole.iter().zip(&half).all(|(x, half)| f16::from_f32(*x) == *half));
    }

    #[test]
    fn weights_beyond_f16_are_told() {
        let mut out = [f16::ZERO; LANES];
        let mut packed = |x: f32| pack_panels_f16(&vec![1.0, x].into(), 2, 1, &mut out);
        assert_eq!(packed(-65_504.0), Ok(()));
        assert_eq!(packed(f32::INFINITY), Ok(()));
        assert_eq!(packed(-65_505.0), Err(TooLarge(-65_505.0)));
    }

    #[test]
    fn winograd_weights_are_transformed_filters() {
        are_transformed_filters(winograd_2x2_transform);
        are_transformed_filters(winograd_4x4_transform);
    }

    fn are_transformed_filters<const FREQUENCIES: usize>(
        transform: fn(Level, &Filters) -> [[f32; LANES]; FREQUENCIES],
    ) {
        let (inputs, outputs) = (2, 18);
        let weight: Vec<f32> = (0..outputs * 9 * inputs).map(|i| (i % 23) as f32).collect();
        let mut out = vec![0.0; 2 * FREQUENCIES * inputs * LANES];
        pack_winograd(&weight.clone().into(), &[18, 3, 3, 2], transform, &mut out);
        let taps = core::array::from_fn(|tap| [weight[(17 * 9 + tap) * inputs + 1]; LANES]);
        for (frequency, value) in transform(Level::detect(), &taps).into_iter().enumerate() {
            assert_eq!(out[((FREQUENCIES + frequency) * inputs + 1) * LANES + 1], value[1]);
        }
    }

    #[test]
    fn transposed_weights_follow_their_groups() {
        // Two groups of 2 inputs and 3 outputs, one row of 2 taps.
        let weight: Vec<f32> = (1..=4 * 2 * 3).map(|i| i as f32).collect();
        let mut out = vec![0.0; 2 * 2 * 2 * LANES];
        pack_transposed(&weight.clone().into(), &[4, 1, 2, 3], 2, &mut out);
        // Group 1, tap 1, input 3 (its second), output 2.
        assert_eq!(out[((2 + 1) * 2 + 1) * LANES + 2], weight[(3 * 2 + 1) * 3 + 2]);
    }
}
