//! Dense layers and element-wise functions.

use super::sketch::Sketch;
use super::sketch::Value::{Float, Int, Ints};
use salto::device::tensor::{Activation, ActivationKind};
use salto::host::graph::Op;

#[test]
fn gemm_folds_its_factors() {
    let sketch =
        Sketch::new(13, &[1, 2]).floats("w", &[2, 2], &[1., 2., 3., 4.]).floats("c", &[2], &[1., 10.]);
    let attributes = [("alpha", Float(2.0)), ("beta", Float(3.0))];
    let plain = sketch.node_with("Gemm", "x w c", "y", &attributes);
    assert_eq!(plain.operators(), ["Dense"]);
    // 2·[0·1 + 1·3, 0·2 + 1·4] + 3·[1, 10]
    assert_eq!(plain.run(), (vec![1, 2], vec![9., 38.]));
    let turned = Sketch::new(13, &[1, 2]).floats("w", &[2, 2], &[1., 2., 3., 4.]);
    assert_eq!(turned.node_with("Gemm", "x w", "y", &[("transB", Int(1))]).run().1, [2., 4.]);
    let columns = Sketch::new(13, &[2, 1]).counting("w", &[2, 3]);
    let columns = columns.node_with("Gemm", "x w", "y", &[("transA", Int(1))]);
    assert_eq!(columns.run(), (vec![1, 3], vec![3., 4., 5.]));
}

#[test]
fn a_summand_that_is_no_bias_is_added() {
    let sketch = Sketch::new(13, &[2, 1]).floats("w", &[1, 2], &[1., 1.]).floats("c", &[2, 1], &[10., 20.]);
    let sketch = sketch.node("Gemm", "x w c", "y");
    assert_eq!(sketch.operators(), ["Dense", "Binary"]);
    assert_eq!(sketch.run().1, [10., 10., 21., 21.]);
    let scalar = Sketch::new(13, &[1, 1]).floats("w", &[1, 2], &[1., 1.]).floats("c", &[1], &[5.]);
    assert_eq!(scalar.node("Gemm", "x w c", "y").run().1, [5., 5.]);
}

#[test]
fn products_with_a_constant_are_dense_layers() {
    let stack = Sketch::new(13, &[2, 1, 2]).floats("w", &[2, 1], &[1., 10.]).node("MatMul", "x w", "y");
    assert_eq!(stack.operators(), ["Reshape", "Dense", "Reshape"]);
    assert_eq!(stack.run(), (vec![2, 1, 1], vec![10., 32.]));
    let vector = Sketch::new(13, &[2, 2]).floats("w", &[2], &[1., 10.]).node("MatMul", "x w", "y");
    assert_eq!(vector.run(), (vec![2], vec![10., 32.]));
    let picture = Sketch::new(13, &[1, 2, 1, 2]).floats("w", &[2, 1], &[1., 10.]).node("MatMul", "x w", "y");
    assert_eq!(picture.run(), (vec![1, 2, 1, 1], vec![10., 32.]));
    let left = Sketch::new(13, &[2, 2]).floats("w", &[1, 2], &[1., 10.]).node("MatMul", "w x", "y");
    assert_eq!(left.run(), (vec![1, 2], vec![20., 31.]));
}

#[test]
fn two_activations_multiply() {
    // [[0, 1], [2, 3]] squared.
    let square = Sketch::new(13, &[2, 2]).node("MatMul", "x x", "y");
    assert_eq!(square.run(), (vec![2, 2], vec![2., 3., 6., 11.]));
    // Four matrices [[i], [i + 1]] times their transpositions.
    let stack = Sketch::new(13, &[2, 2, 2, 1]);
    let stack =
        stack.node_with("Transpose", "x", "t", &[("perm", Ints(&[0, 1, 3, 2]))]).node("MatMul", "x t", "y");
    let want = [0., 0., 0., 1., 4., 6., 6., 9., 16., 20., 20., 25., 36., 42., 42., 49.];
    assert_eq!(stack.run(), (vec![2, 2, 2, 2], want.to_vec()));
    // A vector times each matrix of a stack.
    let vector = Sketch::new(13, &[3, 2, 2]).floats("v", &[2], &[1., 10.]).node("MatMul", "v x", "y");
    assert_eq!(vector.run(), (vec![3, 2], vec![20., 31., 64., 75., 108., 119.]));
    let gemm = Sketch::new(13, &[2, 2]).floats("c", &[2], &[1., 1.]);
    let gemm = gemm.node_with("Gemm", "x x c", "y", &[("transB", Int(1)), ("alpha", Float(2.0))]);
    assert_eq!(gemm.run(), (vec![2, 2], vec![3., 7., 7., 27.]));
}

#[test]
fn activations_keep_their_parameters() {
    let of = |operator: &str, attributes: &[_]| {
        let sketch = Sketch::new(20, &[1, 4]).node_with(operator, "x", "y", attributes);
        let Op::Unary(op) = sketch.last() else { panic!("no unary operator") };
        op.activation
    };
    let new = Activation::new;
    assert_eq!(of("LeakyRelu", &[]), new(ActivationKind::LeakyRelu, 0.01, 0.0));
    assert_eq!(of("Elu", &[("alpha", Float(2.0))]), new(ActivationKind::Elu, 2.0, 0.0));
    assert_eq!(of("HardSigmoid", &[("beta", Float(0.25))]), new(ActivationKind::HardSigmoid, 0.2, 0.25));
    assert_eq!(of("Gelu", &[]), Activation::plain(ActivationKind::Gelu));
    assert_eq!(of("Mish", &[]), Activation::plain(ActivationKind::Mish));
}

#[test]
fn clip_takes_attributes_and_operands() {
    let clip = |sketch: Sketch| {
        let Op::Unary(op) = sketch.last() else { panic!("no unary operator") };
        (op.activation.a, op.activation.b)
    };
    let old = Sketch::new(7, &[4]).node_with("Clip", "x", "y", &[("min", Float(0.0)), ("max", Float(6.0))]);
    assert_eq!(clip(old), (0.0, 6.0));
    let limits = || Sketch::new(13, &[4]).floats("zero", &[], &[0.0]).floats("six", &[], &[6.0]);
    assert_eq!(clip(limits().node("Clip", "x zero six", "y")), (0.0, 6.0));
    assert_eq!(clip(limits().node("Clip", "x _ six", "y")), (f32::MIN, 6.0));
    assert_eq!(clip(limits().node("Clip", "x zero", "y")), (0.0, f32::MAX));
}

#[test]
fn many_operands_are_taken_from_the_left() {
    let sketch = Sketch::new(13, &[3]).floats("c", &[3], &[2., 0., 1.]);
    let sketch = sketch.node("Max", "x c x", "m").node("Sum", "m m m", "y");
    assert_eq!(sketch.run().1, [6., 3., 6.]);
}

#[test]
fn functions_of_one_element() {
    let of = |operator: &str, attributes: &[_]| {
        let sketch = Sketch::new(20, &[4]).floats("c", &[1], &[-1.5]).node("Add", "x c", "s");
        sketch.node_with(operator, "s", "y", attributes).run().1
    };
    // −1.5, −0.5, 0.5, 1.5
    assert_eq!(of("Sign", &[]), [-1., -1., 1., 1.]);
    assert_eq!(of("Round", &[]), [-2., 0., 0., 2.]);
    assert_eq!(of("ThresholdedRelu", &[]), [0., 0., 0., 1.5]);
    assert_eq!(of("Shrink", &[("lambd", Float(1.0)), ("bias", Float(0.25))]), [-1.25, 0., 0., 1.25]);
    assert_eq!(of("Celu", &[])[2..], [0.5, 1.5]);
    let bent = of("Celu", &[("alpha", Float(2.0))]);
    assert!((bent[0] - 2.0 * (-0.75f32).exp_m1()).abs() < 1e-6 && bent[3] == 1.5, "{bent:?}");
    let cube = Sketch::new(13, &[3]).floats("three", &[], &[3.0]).node("Pow", "x three", "y");
    assert_eq!(cube.run().1, [0., 1., 8.]);
}

#[test]
fn squares_are_products() {
    let square = Sketch::new(13, &[3]).floats("two", &[], &[2.0]).node("Pow", "x two", "y");
    assert_eq!(square.run().1, [0., 1., 4.]);
    let root = Sketch::new(13, &[3]).floats("half", &[], &[0.5]).node("Pow", "x half", "y");
    assert!(matches!(root.last(), Op::Unary(_)));
}

#[test]
fn softmax_flattened_until_operator_set_13() {
    let old = Sketch::new(11, &[1, 2, 2]).node("Softmax", "x", "y").run().1;
    let new = Sketch::new(13, &[1, 2, 2]).node("Softmax", "x", "y").run().1;
    let sum = |elements: &[f32]| elements.iter().sum::<f32>();
    assert!((sum(&old) - 1.0).abs() < 1e-6, "{old:?}");
    assert!((sum(&new[..2]) - 1.0).abs() < 1e-6, "{new:?}");
}
