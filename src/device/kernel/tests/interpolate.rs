use std::vec::Vec;

use proptest::prelude::*;

use super::{check, segments};
use crate::device::kernel::params::InterpolateParams;
use crate::device::kernel::reference::{self, Random, Tensor, bands};
use crate::device::kernel::{
    InterpolateTask, interpolate_f32, interpolate_f32_is_valid, interpolate_f32_scratch_len,
    interpolate_f32_table_lens,
};
use crate::device::simd::{View, ViewMut};
use crate::device::tensor::Extent;
use crate::dispatch;

/// A table of `outputs` entries over `len` elements: some read nothing, all others what lies inside.
fn table(outputs: u32, taps: u32, len: u32, random: &mut Random) -> Vec<f32> {
    let mut table = Vec::new();
    for _ in 0..outputs {
        let place = random.next();
        let first = ((place + 1.0) / 2.0 * (len - taps + 1) as f32).floor().min((len - taps) as f32);
        table.push(if place < -0.9 { -1.0 } else { first });
        table.extend(random.take(taps as usize));
    }
    table
}

fn scratch(params: &InterpolateParams) -> Vec<f32> {
    std::vec![f32::NAN; interpolate_f32_scratch_len(params).unwrap() as usize]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn interpolation_is_its_definition(
        (n, h, w) in (1..3u32, 1..8u32, 1..8u32),
        (out_h, out_w) in (1..9u32, 1..9u32),
        (taps_y, taps_x) in (1..8u32, 1..8u32),
        channels in segments(),
        gap in 0..3u32,
        seed in any::<u64>(),
    ) {
        let c = channels.iter().sum();
        let (input, output) = (Extent::new(n, h, w, c), Extent::new(n, out_h, out_w, c));
        let params =
            InterpolateParams { input, output, taps_y: taps_y.min(h), taps_x: taps_x.min(w), fill: 0.5 };
        assert!(interpolate_f32_is_valid(&params));
        let mut random = Random(seed);
        let rows = table(out_h, params.taps_y, h, &mut random);
        let columns = table(out_w, params.taps_x, w, &mut random);
        let lens = (rows.len() as u32, columns.len() as u32);
        assert_eq!(interpolate_f32_table_lens(&params), Some(lens));
        let tensor = Tensor::random(input, &channels, gap, &mut random);
        let exact = reference::interpolate(&params, &rows, &columns, &tensor);
        // One rounding for each tap, on one axis after the other.
        check(output, &exact, (params.taps_y + params.taps_x + 2) as usize, |level, band, sink| {
            let (rows, columns) = (View::new(&rows), View::new(&columns));
            let task = InterpolateTask { params: &params, source: tensor.source(), rows, columns, sink };
            let mut scratch = scratch(&params);
            dispatch!(level, s => interpolate_f32(s, &task, band, ViewMut::new(&mut scratch)));
        });
    }

    #[test]
    fn any_table_reads_inside(
        rows in prop::array::uniform12(prop::num::f32::ANY),
        columns in prop::array::uniform15(prop::num::f32::ANY),
    ) {
        let (input, output) = (Extent::new(1, 3, 2, 5), Extent::new(1, 4, 5, 5));
        let params = InterpolateParams { input, output, taps_y: 2, taps_x: 2, fill: 0.0 };
        let tensor = Tensor::random(input, &[5], 0, &mut Random(3));
        let mut out = Tensor::poison(output, &[5], 0);
        for level in reference::levels() {
            for band in bands(&output, false) {
                let (rows, columns, sink) = (View::new(&rows), View::new(&columns), out.sink());
                let task = InterpolateTask { params: &params, source: tensor.source(), rows, columns, sink };
                let mut scratch = scratch(&params);
                dispatch!(level, s => interpolate_f32(s, &task, &band, ViewMut::new(&mut scratch)));
            }
        }
        out.check_surroundings();
    }
}

#[test]
fn more_taps_than_elements_are_refused() {
    let input = Extent::new(1, 3, 2, 5);
    let params = InterpolateParams { input, output: input, taps_y: 3, taps_x: 2, fill: 0.0 };
    assert!(interpolate_f32_is_valid(&params));
    for taps in [0, 4, u32::MAX] {
        assert!(!interpolate_f32_is_valid(&InterpolateParams { taps_y: taps, ..params }));
        assert!(!interpolate_f32_is_valid(&InterpolateParams { taps_x: taps, ..params }));
    }
}
