//! Resize of rows and columns. Places are those of the definition, in `f32`; interpolation is in `f64`.

use std::vec::Vec;

use super::{Exact, Tensor};
use crate::device::kernel::params::{ResizeKind, ResizeParams};

/// Every output element.
pub(crate) fn resize(params: &ResizeParams, input: &Tensor) -> Vec<Exact> {
    let kind = ResizeKind::from_code(params.kind).unwrap();
    let element = |[n, y, x, c]: [usize; 4]| {
        let mut sum = Exact::default();
        for (iy, share_y) in taps(kind, y as f32 * params.scale_y + params.offset_y, params.input.h) {
            for (ix, share_x) in taps(kind, x as f32 * params.scale_x + params.offset_x, params.input.w) {
                sum.add(share_y * share_x * f64::from(input.at([n, iy, ix, c])));
            }
        }
        sum
    };
    Tensor::poison(params.output, &[params.output.c], 0).places().map(element).collect()
}

/// The elements of an axis that make up a place, each with its share.
fn taps(kind: ResizeKind, place: f32, len: u32) -> Vec<(usize, f64)> {
    let last = f64::from(len) - 1.0;
    let place = f64::from(place);
    let rounded = match kind {
        ResizeKind::NearestPreferFloor => (place - 0.5).ceil(),
        ResizeKind::NearestPreferCeil => (place + 0.5).floor(),
        ResizeKind::NearestFloor => place.floor(),
        ResizeKind::NearestCeil => place.ceil(),
        ResizeKind::Bilinear => {
            let place = place.clamp(0.0, last);
            let near = place.floor();
            return std::vec![
                (near as usize, 1.0 - (place - near)),
                ((near + 1.0).min(last) as usize, place - near)
            ];
        }
    };
    std::vec![(rounded.clamp(0.0, last) as usize, 1.0)]
}
