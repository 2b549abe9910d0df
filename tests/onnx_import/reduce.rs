//! Reductions over any axes.

use super::sketch::Sketch;
use super::sketch::Value::{Int, Ints};

#[track_caller]
fn check(operator: &str, axes: &[i64], want: &[f32]) {
    // [[[0, 1, 2], [3, 4, 5]]] with one more axis of two.
    let sketch = Sketch::new(18, &[2, 1, 2, 3]).integers("axes", axes);
    let (dims, found) = sketch.node(operator, "x axes", "y").run();
    let reduced = |axis: usize| axes.contains(&i64::try_from(axis).unwrap());
    let kept: Vec<u32> =
        [2, 1, 2, 3].into_iter().enumerate().map(|(k, d)| if reduced(k) { 1 } else { d }).collect();
    assert_eq!(dims, kept);
    let close = |(a, b): (&f32, &f32)| (a - b).abs() <= 1e-5 * b.abs().max(1.0);
    assert!(found.len() == want.len() && found.iter().zip(want).all(close), "{operator} {found:?}");
}

#[test]
fn axes_need_not_be_neighbours() {
    check("ReduceSum", &[0, 2], &[18., 22., 26.]);
    check("ReduceMax", &[0, 3], &[8., 11.]);
    check("ReduceMean", &[0, 1, 3], &[4., 7.]);
    check("ReduceMin", &[2], &[0., 1., 2., 6., 7., 8.]);
    check("ReduceProd", &[2], &[0., 4., 10., 54., 70., 88.]);
}

#[test]
fn norms_and_logarithms() {
    check("ReduceL1", &[3], &[3., 12., 21., 30.]);
    check("ReduceSumSquare", &[3], &[5., 50., 149., 302.]);
    check("ReduceL2", &[3], &[5f32.sqrt(), 50f32.sqrt(), 149f32.sqrt(), 302f32.sqrt()]);
    check("ReduceLogSum", &[3], &[3f32.ln(), 12f32.ln(), 21f32.ln(), 30f32.ln()]);
    check("ReduceLogSumExp", &[3], &[2.407_606, 5.407_606, 8.407_606, 11.407_606]);
}

#[test]
fn constants_are_reduced_during_import() {
    let sketch = Sketch::new(13, &[2]).counting("c", &[2, 3]);
    let sketch = sketch.node_with("ReduceMean", "c", "m", &[("axes", Ints(&[1])), ("keepdims", Int(0))]);
    assert_eq!(sketch.node("Add", "x m", "y").run().1, [1., 5.]);
}
