//! What PyTorch's exporters write beside the operators of a network: sequences, casts, masks, windows of adaptive pools.

use super::sketch::Sketch;
use super::sketch::Value::Int;

#[test]
fn a_split_into_a_sequence_is_slices() {
    let sketch = Sketch::new(13, &[1, 5]).integers("lens", &[2, 3]).integers("last", &[-1]);
    let sketch = sketch.node_with("SplitToSequence", "x lens", "parts", &[("axis", Int(1))]);
    let sketch = sketch.node("Squeeze", "last", "place").node("SequenceAt", "parts place", "y");
    assert_eq!(sketch.operators(), ["Slice", "Slice"]);
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
