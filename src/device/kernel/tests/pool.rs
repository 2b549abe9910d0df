use proptest::prelude::*;

use super::{activation, axis, check, segments};
use crate::device::kernel::params::{PoolKind, PoolParams};
use crate::device::kernel::reference::{self, Random, Tensor};
use crate::device::kernel::{PoolTask, pool_f32, pool_f32_is_valid};
use crate::device::tensor::{Activation, Extent, Window};
use crate::dispatch;

fn check_pool(params: &PoolParams, channels: &[u32], gap: u32, seed: u64) {
    assert!(pool_f32_is_valid(params));
    let input = Tensor::random(params.input, channels, gap, &mut Random(seed));
    let exact = reference::pool(params, &input);
    // A product has one chain, a sum one for each row.
    let taps = [params.window.y.kernel, params.window.x.kernel].map(|taps| taps as usize);
    let terms =
        if params.kind == PoolKind::Product as u32 { taps[0] * taps[1] } else { taps[0] + taps[1].min(256) };
    check(params.output, &exact, terms, |level, band, sink| {
        let task = PoolTask { params, source: input.source(), sink };
        dispatch!(level, s => pool_f32(s, &task, band));
    });
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn pool_is_its_definition(
        (n, h, w) in (1..3u32, 1..9u32, 1..9u32),
        (y, x) in (axis(), axis()),
        channels in segments(),
        (kind, ceil, gap) in (0..5u32, any::<bool>(), 0..3u32),
        activation in activation(),
        seed in any::<u64>(),
    ) {
        let window = Window { y, x };
        let Some((out_h, out_w)) = window.output(h, w, ceil) else { return Ok(()) };
        let c = channels.iter().sum();
        let (input, output) = (Extent::new(n, h, w, c), Extent::new(n, out_h, out_w, c));
        check_pool(&PoolParams { input, output, window, kind, activation }, &channels, gap, seed);
    }
}

#[test]
fn global_pools_of_long_rows_stay_accurate() {
    for (kind, h, w) in [(1, 1, 3000), (2, 70, 60), (0, 9, 300), (3, 600, 5)] {
        let (input, output) = (Extent::new(1, h, w, 67), Extent::new(1, 1, 1, 67));
        let window = Window::new(h, w);
        let params = PoolParams { input, output, window, kind, activation: Activation::IDENTITY };
        check_pool(&params, &[67], 0, 5);
    }
}

#[test]
fn a_maximum_over_nan_is_nan() {
    let extent = Extent::new(1, 1, 4, 3);
    let input = Tensor::poison(extent, &[3], 0);
    let window = Window::new(1, 2).with_stride(2);
    let output = Extent::new(1, 1, 2, 3);
    let params = PoolParams { input: extent, output, window, kind: 0, activation: Activation::RELU };
    for level in reference::levels() {
        let mut out = Tensor::poison(output, &[3], 0);
        let task = PoolTask { params: &params, source: input.source(), sink: out.sink() };
        dispatch!(level, s => pool_f32(s, &task, &super::Band::of_rows(0, 0..1)));
        assert!(out.values().iter().all(|x| x.is_nan()));
    }
}

#[test]
fn checks_hold_for_any_numbers() {
    let extreme = [0, 1, 2, 1 << 29, 1 << 30, u32::MAX];
    for a in extreme {
        for b in extreme {
            let mut window = Window::new(a, b).with_stride(b).with_padding(a).with_dilation(b);
            window.y.kernel = b;
            let (input, output) = (Extent::new(1, a, b, 1), Extent::new(1, b, a, 1));
            let params = PoolParams { input, output, window, kind: a, activation: Activation::IDENTITY };
            let _ = pool_f32_is_valid(&params);
        }
    }
}
