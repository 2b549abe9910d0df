use std::vec::Vec;

use proptest::prelude::*;

use super::{activation, check, segments};
use crate::device::kernel::params::{BinaryKind, BinaryParams, MapParams};
use crate::device::kernel::reference::{self, Random, Tensor, bands};
use crate::device::kernel::{
    BinaryTask, MapTask, Operand, binary_f32, binary_f32_is_valid, map_f32, map_f32_is_valid,
};
use crate::device::simd::View;
use crate::device::tensor::{Activation, ActivationKind, Extent};
use crate::dispatch;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn map_is_its_definition(
        (n, h, w) in (1..3u32, 1..4u32, 1..6u32),
        channels in segments(),
        (scaled, shifted, is_constant, gap) in (any::<bool>(), any::<bool>(), any::<bool>(), 0..3u32),
        activation in activation(),
        seed in any::<u64>(),
    ) {
        let mut random = Random(seed);
        let extent = Extent::new(n, h, w, channels.iter().sum());
        let input = Tensor::random(extent, &channels, gap, &mut random);
        let constant = random.take(extent.c.next_multiple_of(16) as usize);
        let (scale, shift) = (scaled.then_some(&constant[..]), shifted.then_some(&constant[..]));
        let params = MapParams { extent, activation };
        assert!(map_f32_is_valid(&params));
        let exact = reference::map(&params, &input, scale, shift);
        let values = input.values();
        check(extent, &exact, 2, |level, band, sink| {
            let (scale, shift) = (scale.map(View::new), shift.map(View::new));
            let constant = Operand::Constant(View::new(&values));
            let source = if is_constant { constant } else { Operand::Source(input.source()) };
            let task = MapTask { params: &params, source, scale, shift, sink };
            dispatch!(level, s => map_f32(s, &task, band));
        });
    }

    #[test]
    fn binary_is_its_definition(
        dims in prop::array::uniform4(1..5u32),
        broadcast in prop::array::uniform8(any::<bool>()),
        (channels, other) in (segments(), segments()),
        (constant_a, constant_b, gap) in (any::<bool>(), any::<bool>(), 0..3u32),
        kind in prop::sample::select(&BinaryKind::ALL[..]).prop_filter("of two signs", |kind| *kind != BinaryKind::Pow),
        activation in activation(),
        seed in any::<u64>(),
    ) {
        let c = if dims[3] == 1 { 1 } else { channels.iter().sum() };
        let output = Extent::new(dims[0], dims[1], dims[2], c);
        let mut random = Random(seed);
        let mut operand = |broadcast: &[bool], cut: &[u32]| {
            let dim = |axis: usize, dim| if broadcast[axis] { 1 } else { dim };
            let extent = Extent::new(dim(0, output.n), dim(1, output.h), dim(2, output.w), dim(3, c));
            let cut = if extent.c == cut.iter().sum::<u32>() { cut.to_vec() } else { Vec::from([extent.c]) };
            Tensor::random(extent, &cut, gap, &mut random)
        };
        // The second operand's segments end elsewhere, where its own add up to less.
        let mut other = other;
        let rest = c.checked_sub(other.iter().sum::<u32>());
        other.extend(rest.filter(|&rest| rest > 0));
        let (a, mut b) = (operand(&broadcast[..4], &channels), operand(&broadcast[4..], &other));
        if kind == BinaryKind::Keep {
            b.change(|x| if *x < 0.0 { *x = 0.0 });
        }
        let kind = kind as u32;
        let params = BinaryParams { a: a.extent, b: b.extent, output, kind, activation };
        assert!(binary_f32_is_valid(&params));
        let exact = reference::binary(&params, &a, &b);
        let (values_a, values_b) = (a.values(), b.values());
        check(output, &exact, 2, |level, band, sink| {
            let a = if constant_a { Operand::Constant(View::new(&values_a)) } else { Operand::Source(a.source()) };
            let b = if constant_b { Operand::Constant(View::new(&values_b)) } else { Operand::Source(b.source()) };
            let task = BinaryTask { params: &params, a, b, sink };
            dispatch!(level, s => binary_f32(s, &task, band));
        });
    }
}

#[test]
fn a_sum_may_lie_over_its_operand() {
    let extent = Extent::new(1, 3, 5, 19);
    let mut random = Random(1);
    let (a, b) =
        (Tensor::random(extent, &[19], 0, &mut random), Tensor::random(extent, &[19], 0, &mut random));
    let params = BinaryParams {
        a: extent,
        b: extent,
        output: extent,
        kind: BinaryKind::Add as u32,
        activation: Activation::RELU,
    };
    let want: Vec<f32> = a.values().iter().zip(b.values()).map(|(a, b)| (a + b).max(0.0)).collect();
    for level in reference::levels() {
        let mut over = a.clone();
        for band in bands(&extent, true) {
            let (source, sink) = over.in_place();
            let (a, b) = (Operand::Source(source), Operand::Source(b.source()));
            let task = BinaryTask { params: &params, a, b, sink };
            dispatch!(level, s => binary_f32(s, &task, &band));
        }
        assert_eq!(over.values(), want);
    }
}

#[test]
fn a_map_may_lie_over_its_operand() {
    let extent = Extent::new(1, 2, 5, 19);
    let a = Tensor::random(extent, &[19], 1, &mut Random(2));
    let params = MapParams { extent, activation: Activation::plain(ActivationKind::Abs) };
    let want: Vec<f32> = a.values().iter().map(|a| a.abs()).collect();
    for level in reference::levels() {
        let mut over = a.clone();
        for band in bands(&extent, true) {
            let (source, sink) = over.in_place();
            let source = Operand::Source(source);
            let task = MapTask { params: &params, source, scale: None, shift: None, sink };
            dispatch!(level, s => map_f32(s, &task, &band));
        }
        assert_eq!(over.values(), want);
    }
}

#[test]
fn powers_and_comparisons_with_nan() {
    let extent = Extent::flat(6);
    let a = [2.0, -2.0, f32::NAN, 1.0, 9.0, 0.0];
    let b = [3.0, 2.0, 1.0, f32::NAN, 0.5, 0.0];
    let cases = [
        (BinaryKind::Pow, [8.0, 4.0, f32::NAN, 1.0, 3.0, 1.0]),
        (BinaryKind::Max, [3.0, 2.0, f32::NAN, f32::NAN, 9.0, 0.0]),
        (BinaryKind::Min, [2.0, -2.0, f32::NAN, f32::NAN, 0.5, 0.0]),
        (BinaryKind::Keep, [2.0, -2.0, f32::NAN, 0.0, 9.0, 0.0]),
        (BinaryKind::Less, [1.0, 1.0, 0.0, 0.0, 0.0, 0.0]),
        (BinaryKind::LessOrEqual, [1.0, 1.0, 0.0, 0.0, 0.0, 1.0]),
    ];
    for level in reference::levels() {
        for (kind, want) in &cases {
            let (kind, activation) = (*kind as u32, Activation::IDENTITY);
            let params = BinaryParams { a: extent, b: extent, output: extent, kind, activation };
            let mut out = Tensor::poison(extent, &[6], 0);
            let (a, b) = (Operand::Constant(View::new(&a)), Operand::Constant(View::new(&b)));
            let task = BinaryTask { params: &params, a, b, sink: out.sink() };
            dispatch!(level, s => binary_f32(s, &task, &super::Band::of_rows(0, 0..1)));
            let same = |(x, y): (&f32, &f32)| x == y || x.is_nan() && y.is_nan();
            assert!(out.values().iter().zip(want).all(same), "{:?} {want:?}", out.values());
        }
    }
}

#[test]
fn what_is_not_kept_leaves_nothing() {
    let (a, b) = ([f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 3.0, -4.0], [0.0, -0.0, 0.0, -1e-45, 1.0]);
    let (extent, kind) = (Extent::flat(5), BinaryKind::Keep as u32);
    let params =
        BinaryParams { a: extent, b: extent, output: extent, kind, activation: Activation::IDENTITY };
    for level in reference::levels() {
        let mut out = Tensor::poison(extent, &[5], 0);
        let (a, b) = (Operand::Constant(View::new(&a)), Operand::Constant(View::new(&b)));
        let task = BinaryTask { params: &params, a, b, sink: out.sink() };
        dispatch!(level, s => binary_f32(s, &task, &super::Band::of_rows(0, 0..1)));
        assert_eq!(out.values(), [0.0, 0.0, 0.0, 3.0, -4.0]);
    }
}
