//! Normalisation.

use std::vec::Vec;

use crate::device::kernel::params::NormalizeParams;

/// One element of the result before the activation, and what its error is measured by.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Normalized {
    /// `(x − mean) / √(variance + ε) · scale + shift`
    pub(crate) value: f64,
    /// `(x − mean) / √(variance + ε)`
    pub(crate) z: f64,
    /// `|mean| / √(variance + ε)`
    pub(crate) mean: f64,
}

/// Every output element, without the activation.
pub(crate) fn normalize(
    params: &NormalizeParams,
    input: &[f32],
    scale: Option<&[f32]>,
    shift: Option<&[f32]>,
) -> Vec<Normalized> {
    let (spatial, groups, inner) = (params.spatial as usize, params.groups as usize, params.inner as usize);
    let channels = groups * inner;
    let element = |i: usize| {
        let (outer, channel) = (i / (spatial * channels), i % channels);
        let group = channel / inner;
        let places = (0..spatial * inner)
            .map(|k| (outer * spatial + k / inner) * channels + group * inner + k % inner);
        let elements: Vec<f64> = places.map(|place| f64::from(input[place])).collect();
        let n = elements.len() as f64;
        let mean = elements.iter().sum::<f64>() / n;
        let variance = elements.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / n;
        let deviation = (variance + f64::from(params.epsilon)).sqrt();
        let z = (f64::from(input[i]) - mean) / deviation;
        let of = |list: Option<&[f32]>, other: f64| list.map_or(other, |list| f64::from(list[channel]));
        Normalized { value: z * of(scale, 1.0) + of(shift, 0.0), z, mean: mean.abs() / deviation }
    };
    (0..input.len()).map(element).collect()
}
