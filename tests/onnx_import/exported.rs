//! What exporters write beside the operators of a network (sequences, casts, masks, windows of adaptive pools), and what they
//! write in many operators that are one.

use salto::device::tensor::{Activation, ActivationKind};
use salto::host::Model;
use salto::host::graph::{Graph, Op};
use salto::host::optimize::optimize;

use super::sketch::Sketch;
use super::sketch::Value::{Float, Int, Ints};

#[test]
fn a_split_into_a_sequence_is_slices() {
    let sketch = Sketch::new(13, &[1, 5]).integers("lens", &[2, 3]).integers("last", &[-1]);
    let sketch = sketch.node_with("SplitToSequence", "x lens", "parts", &[("axis", Int(1))]);
    let sketch = sketch.node("Squeeze", "last", "place").node("SequenceAt", "parts place", "y");
    assert_eq!(sketch.operators(), ["Slice", "Slice", "Unary"]);
    assert_eq!(sketch.run(), (vec![1, 3], vec![2., 3., 4.]));
    // One length for all parts; the last one is shorter.
    let sketch = Sketch::new(13, &[5]).integers("len", &[2]).node("Squeeze", "len", "each");
    let sketch = sketch.node("SplitToSequence", "x each", "parts").integers("last", &[2]);
    assert_eq!(sketch.node("SequenceAt", "parts last", "y").run().1, [4.]);
}

#[test]
fn sequences_are_joined_along_old_and_new_axes() {
    let parts = || Sketch::new(13, &[2, 2]).node("SplitToSequence", "x", "parts");
    let back = parts().node_with("ConcatFromSequence", "parts", "y", &[("axis", Int(1))]);
    assert_eq!(back.run(), (vec![1, 4], vec![0., 1., 2., 3.]));
    let built = Sketch::new(13, &[2]).node("Neg", "x", "n").node("SequenceConstruct", "x n", "both");
    let stack = [("axis", Int(-1)), ("new_axis", Int(1))];
    let stacked = built.node_with("ConcatFromSequence", "both", "y", &stack);
    assert_eq!(stacked.run(), (vec![2, 2], vec![0., -0., 1., -1.]));
    assert!(parts().node("Relu", "parts", "y").refusal().contains("is a sequence of tensors"));
    let many = Sketch::new(13, &[100_000]).node("SplitToSequence", "x", "parts");
    assert!(many.node("ConcatFromSequence", "parts", "y").refusal().contains("at most 4096"));
}

#[test]
fn activations_are_chosen_by_constant_masks() {
    let mask = || {
        let sketch = Sketch::new(13, &[1, 4]).floats("limits", &[4], &[1., 0., 0., 1.]);
        sketch.floats("half", &[1], &[0.5]).node("Greater", "limits half", "mask")
    };
    let filled = mask().floats("zero", &[], &[0.0]).node("Where", "mask zero x", "y");
    assert_eq!(filled.run(), (vec![1, 4], vec![0., 1., 2., 0.]));
    let minus = mask().floats("minus", &[], &[f32::NEG_INFINITY]).node("Where", "mask x minus", "y");
    assert_eq!(minus.run().1, [0., f32::NEG_INFINITY, f32::NEG_INFINITY, 3.]);
    let both = mask().node("Neg", "x", "n").node("Where", "mask x n", "y");
    assert_eq!(both.run().1, [0., -1., -2., 3.]);
}

#[test]
fn windows_of_an_adaptive_pool_are_slices() {
    // Rows 0, 1, 1, 2 of columns 0, 2: what a window of two rows that overlaps its neighbour reads.
    let pairs: Vec<f32> =
        [0, 1, 1, 2].iter().flat_map(|y| [0, 2].map(|x| [*y as f32, x as f32])).flatten().collect();
    let sketch = Sketch::new(13, &[3, 3]).floats("pairs", &[4, 2, 2], &pairs);
    let sketch = sketch.node_with("Cast", "pairs", "indices", &[("to", Int(7))]);
    let product = sketch.node("GatherND", "x indices", "y");
    assert_eq!(product.run(), (vec![4, 2], vec![0., 2., 3., 5., 3., 5., 6., 8.]));
    // Pairs that are no product of rows and columns.
    let sketch = Sketch::new(13, &[2, 2, 2]).floats("pairs", &[2, 2], &[1., 0., 0., 1.]);
    let sketch = sketch.node_with("Cast", "pairs", "indices", &[("to", Int(7))]);
    let others = sketch.node("GatherND", "x indices", "y");
    assert_eq!(others.run(), (vec![2, 2], vec![4., 5., 2., 3.]));
}

#[test]
fn a_cast_to_another_operands_type_is_one_of_constants() {
    let sketch = Sketch::new(15, &[2]).integers("three", &[-3]).node("Sign", "three", "sign");
    let sketch = sketch.node("CastLike", "sign x", "minus").node("Mul", "x minus", "y");
    assert_eq!(sketch.run().1, [-0., -1.]);
}

/// The operators that optimisation leaves, and the largest difference that it makes to the answer.
fn optimized(sketch: &Sketch) -> (Vec<&'static str>, f32) {
    let answer = |graph: &Graph| {
        let model = Model::from_graph(graph).unwrap();
        let len = u16::try_from(model.inputs()[0].len()).unwrap();
        let input: Vec<f32> = (0..len).map(|i| f32::from(i % 23) / 4.0 - 2.5).collect();
        model.session().unwrap().run(&[&input]).unwrap().remove(0)
    };
    let mut graph = sketch.import().unwrap();
    let before = answer(&graph);
    optimize(&mut graph).unwrap();
    graph.validate().unwrap();
    let pairs = before.iter().zip(answer(&graph));
    let difference = pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    (graph.nodes().map(|(_, node)| node.op.name()).collect(), difference)
}

fn optimizes_to(sketch: &Sketch, operators: &[&str]) {
    let (left, difference) = optimized(sketch);
    assert_eq!(left, operators);
    assert!(difference < 1e-5, "{difference}");
}

#[test]
fn layer_normalisation_in_many_operators_is_one() {
    // Of the channels of a picture, as PyTorch writes it before operator set 17.
    let norm = |sketch: Sketch, x: &str, axis: i64| {
        let sketch = sketch.node_with("ReduceMean", x, "mean", &[("axes", Ints(&[axis]))]);
        let sketch = sketch.node("Sub", &format!("{x} mean"), "d").floats("two", &[], &[2.0]);
        let sketch = sketch.node("Pow", "d two", "squares").floats("epsilon", &[], &[1e-5]);
        let sketch = sketch.node_with("ReduceMean", "squares", "variance", &[("axes", Ints(&[axis]))]);
        let sketch = sketch.node("Add", "variance epsilon", "sum").node("Sqrt", "sum", "root");
        sketch.node("Div", "d root", "normal")
    };
    let scale = |sketch: Sketch, dims: &[i64]| sketch.floats("scale", dims, &[0.5, 2.0, 1.5, 1.0]);
    let first =
        scale(norm(Sketch::new(13, &[2, 4, 3, 5]), "x", 1), &[4, 1, 1]).node("Mul", "normal scale", "y");
    optimizes_to(&first, &["Normalize"]);
    let there =
        Sketch::new(13, &[2, 4, 3, 5]).node_with("Transpose", "x", "last", &[("perm", Ints(&[0, 2, 3, 1]))]);
    let last = scale(norm(there, "last", -1), &[4]).node("Mul", "normal scale", "scaled");
    let last = last.node_with("Transpose", "scaled", "y", &[("perm", Ints(&[0, 3, 1, 2]))]);
    optimizes_to(&last, &["Normalize"]);
    optimizes_to(&norm(Sketch::new(13, &[6, 4]), "x", 1).node("Neg", "normal", "y"), &["Normalize"]);
}

#[test]
fn activations_in_many_operators_are_one() {
    let gelu = Sketch::new(13, &[1, 2, 3, 4]).floats("root", &[], &[core::f32::consts::SQRT_2]);
    let gelu = gelu.floats("one", &[], &[1.0]).floats("half", &[], &[0.5]).node("Div", "x root", "a");
    let gelu = gelu.node("Erf", "a", "b").node("Add", "b one", "c");
    optimizes_to(&gelu.node("Mul", "x c", "d").node("Mul", "d half", "y"), &["Unary"]);
    let swish =
        Sketch::new(13, &[1, 2, 3, 4]).floats("three", &[], &[3.0]).floats("sixth", &[], &[1.0 / 6.0]);
    let swish = swish.floats("zero", &[], &[0.0]).floats("six", &[], &[6.0]).node("Add", "x three", "a");
    let swish = swish.node("Clip", "a zero six", "b").node("Mul", "b sixth", "c");
    optimizes_to(&swish.node("Mul", "x c", "y"), &["Unary"]);
    let mish = Sketch::new(13, &[6]).node("Softplus", "x", "a").node("Tanh", "a", "b");
    optimizes_to(&mish.node("Mul", "x b", "y"), &["Unary"]);
    let cubic = Sketch::new(13, &[6]).floats("three", &[], &[3.0]).floats("k", &[], &[0.044_715]);
    let cubic = cubic.floats("s", &[], &[0.797_884_6]).floats("one", &[], &[1.0]).floats("half", &[], &[0.5]);
    let cubic = cubic.node("Pow", "x three", "a").node("Mul", "a k", "b").node("Add", "x b", "c");
    let cubic = cubic.node("Mul", "c s", "d").node("Tanh", "d", "e").node("Add", "e one", "f");
    optimizes_to(&cubic.node("Mul", "x half", "g").node("Mul", "g f", "y"), &["Unary"]);
    // Another factor is another function.
    let other =
        Sketch::new(13, &[6]).floats("k", &[], &[1.7]).node("Mul", "x k", "a").node("Sigmoid", "a", "b");
    assert_eq!(optimized(&other.node("Mul", "x b", "y")).0, ["Affine", "Binary"]);
}

#[test]
fn celu_is_elu_of_scaled_numbers() {
    let of = |alpha: f32| {
        Sketch::new(12, &[2]).node("Neg", "x", "n").node_with("Celu", "n", "y", &[("alpha", Float(alpha))])
    };
    assert!((of(1.0).run().1[1] - (-1.0f32).exp_m1()).abs() < 1e-6);
    assert!((of(2.0).run().1[1] - 2.0 * (-0.5f32).exp_m1()).abs() < 1e-6);
    assert!(of(0.0).refusal().contains("alpha is 0"));
}

#[test]
fn highways_gate_is_three_operators() {
    let gate = Sketch::new(13, &[1, 2, 3, 4]).floats("one", &[], &[1.0]).node("Sigmoid", "x", "t");
    let gate = gate.node("Tanh", "x", "h").node("Sub", "one t", "c").node("Mul", "t h", "a");
    let (left, difference) = optimized(&gate.node("Mul", "x c", "b").node("Add", "a b", "y"));
    assert_eq!(left.iter().filter(|name| **name == "Binary").count(), 3, "{left:?}");
    assert!(difference < 1e-5 && !left.contains(&"Affine"), "{left:?} {difference}");
}

#[test]
fn one_dimensional_convolutions_stand_side_by_side() {
    let sketch = Sketch::new(13, &[2, 3, 8]).counting("w", &[3, 3, 3]).floats("s", &[3], &[0.01, 0.02, 0.03]);
    let conv = |sketch: Sketch, x: &str, y: &str| {
        sketch.node_with("Conv", &format!("{x} w"), y, &[("pads", Ints(&[1, 1]))])
    };
    let sketch = conv(sketch, "x", "a").node("BatchNormalization", "a s s s s", "b").node("Relu", "b", "c");
    let (left, _) = optimized(&conv(sketch, "c", "y"));
    let moves = left.iter().filter(|name| **name == "Transpose").count();
    assert_eq!((left.iter().filter(|name| **name == "Conv").count(), moves), (2, 2), "{left:?}");
    assert!(!left.contains(&"Affine"), "{left:?}");
}

/// An activation of the square, the cube or the sum makes it another function.
#[test]
fn a_gelu_with_an_activation_inside_is_no_gelu() {
    let constants = [("c", 0.044_715), ("k", 0.797_884_6), ("one", 1.0), ("half", 0.5)];
    let sketch = constants.iter().fold(Sketch::new(13, &[1]), |s, (name, x)| s.floats(name, &[], &[*x]));
    let sketch = sketch.node("Mul", "x x", "x2").node("Mul", "x2 x", "x3").node("Mul", "x3 c", "cx");
    let sketch = sketch.node("Add", "x cx", "sum").node("Mul", "sum k", "ks").node("Tanh", "ks", "t");
    let sketch = sketch.node("Add", "t one", "g").node("Mul", "x g", "xg").node("Mul", "xg half", "y");
    // What the sum is of −1 if the k-th node is negated; all are products but the fourth, the sum.
    for (k, sum) in [(0, -0.955_285), (1, -0.955_285), (3, 1.044_715f32)] {
        let mut graph = sketch.import().unwrap();
        let node = graph.nodes().nth(k).unwrap().0;
        let Op::Binary(op) = &mut graph.node_mut(node).unwrap().op else { panic!("{k} has one operand") };
        op.activation = Activation::plain(ActivationKind::Neg);
        optimize(&mut graph).unwrap();
        let model = Model::from_graph(&graph).unwrap();
        let found = model.session().unwrap().run(&[&[-1.0]]).unwrap()[0][0];
        let want = -0.5 * (1.0 + (0.797_884_6 * sum).tanh());
        assert!((found - want).abs() < 1e-6, "{k}: {found} {want}");
    }
}
