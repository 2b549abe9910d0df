//! Shapes: moves of elements, and arithmetic on shapes that folds during import.

use super::sketch::Sketch;
use super::sketch::Value::{Int, Ints};

#[test]
fn reshape_keeps_and_fills() {
    let sketch = Sketch::new(13, &[2, 3, 4]).integers("shape", &[0, -1, 2]).node("Reshape", "x shape", "y");
    assert_eq!(sketch.run().0, [2, 6, 2]);
    let picture =
        Sketch::new(13, &[1, 4, 1, 3]).integers("shape", &[1, 2, 2, 3]).node("Reshape", "x shape", "y");
    assert_eq!(picture.operators(), ["Transpose", "Reshape", "Transpose"]);
    let (dims, elements) = picture.run();
    assert_eq!(dims, [1, 2, 2, 3]);
    assert!(elements.windows(2).all(|pair| pair[1] == pair[0] + 1.0));
    let wrong = Sketch::new(13, &[2, 3]).integers("shape", &[4, -1]).node("Reshape", "x shape", "y");
    assert!(wrong.refusal().contains("does not become"));
}

#[test]
fn shape_arithmetic_folds() {
    // What PyTorch writes for x.view(x.size(0), -1).
    let sketch = Sketch::new(13, &[2, 3, 1, 2]).integers("zero", &[0]).integers("rest", &[-1]);
    let sketch =
        sketch.node("Shape", "x", "dims").node_with("Gather", "dims zero", "batch", &[("axis", Int(0))]);
    let sketch = sketch.node_with("Concat", "batch rest", "shape", &[("axis", Int(0))]);
    let sketch = sketch.node("Reshape", "x shape", "y");
    assert_eq!(sketch.operators(), ["Transpose", "Reshape"]);
    assert_eq!(sketch.run().0, [2, 6]);
}

#[test]
fn sizes_computed_in_floats_fold() {
    // What PyTorch wrote for a doubled picture: floor(size · 2.0) of rows and columns.
    let sketch =
        Sketch::new(11, &[1, 1, 2, 3]).floats("two", &[], &[2.0]).integers("from", &[2]).integers("to", &[4]);
    let sketch = sketch.node("Shape", "x", "dims").node("Slice", "dims from to", "size");
    let sketch =
        sketch.node_with("Cast", "size", "float", &[("to", Int(1))]).node("Mul", "float two", "doubled");
    let sketch =
        sketch.node("Floor", "doubled", "whole").node_with("Cast", "whole", "int", &[("to", Int(7))]);
    let sketch =
        sketch.integers("front", &[1, 1]).node_with("Concat", "front int", "sizes", &[("axis", Int(0))]);
    let sketch = sketch.node("Resize", "x _ _ sizes", "y");
    assert_eq!(sketch.operators(), ["Resize"]);
    assert_eq!(sketch.run().0, [1, 1, 4, 6]);
}

#[test]
fn axes_come_and_go() {
    let old = Sketch::new(11, &[1, 3]).node_with("Unsqueeze", "x", "u", &[("axes", Ints(&[2, 3]))]);
    assert_eq!(old.node_with("Squeeze", "u", "y", &[("axes", Ints(&[0, 2]))]).run().0, [3, 1]);
    let new = Sketch::new(13, &[1, 3]).integers("axes", &[-1, 0]).node("Unsqueeze", "x axes", "u");
    assert_eq!(new.node("Squeeze", "u", "y").run().0, [3]);
}

#[test]
fn slices_are_clamped_as_python_has_them() {
    let of = |start: i64, end: i64, step: i64| {
        let sketch = Sketch::new(13, &[5]).integers("start", &[start]).integers("end", &[end]);
        let sketch = sketch.integers("axes", &[0]).integers("step", &[step]);
        sketch.node("Slice", "x start end axes step", "y").run().1
    };
    assert_eq!(of(1, 4, 1), [1., 2., 3.]);
    assert_eq!(of(-3, i64::MAX, 2), [2., 4.]);
    assert_eq!(of(i64::MAX, i64::MIN, -2), [4., 2., 0.]);
    assert_eq!(of(3, 0, -1), [3., 2., 1.]);
    assert_eq!(of(0, 5, i64::MAX), [0.]);
    let attributes = [("starts", Ints(&[1])), ("ends", Ints(&[-1]))];
    assert_eq!(Sketch::new(9, &[5]).node_with("Slice", "x", "y", &attributes).run().1, [1., 2., 3.]);
}

#[test]
fn splits_are_slices() {
    let halves = Sketch::new(13, &[1, 4]).node_with("Split", "x", "a b", &[("axis", Int(1))]);
    assert_eq!(halves.node("Sub", "b a", "y").run().1, [2., 2.]);
    let parts = Sketch::new(13, &[4]).integers("parts", &[1, 3]).node("Split", "x parts", "_ y");
    assert_eq!(parts.run().1, [1., 2., 3.]);
    let old = Sketch::new(11, &[4]).node_with("Split", "x", "_ y", &[("split", Ints(&[3, 1]))]);
    assert_eq!(old.run().1, [3.]);
}

#[test]
fn negative_pads_cut() {
    let sketch = Sketch::new(13, &[4]).integers("pads", &[-1, 1]).node("Pad", "x pads", "y");
    assert_eq!(sketch.operators(), ["Slice", "Pad"]);
    assert_eq!(sketch.run().1, [1., 2., 3., 0.]);
}

#[test]
fn regular_choices_are_slices() {
    let channel = Sketch::new(13, &[1, 3, 1, 2]).integers("i", &[1]).node("Squeeze", "i", "one");
    let channel = channel.node_with("Gather", "x one", "y", &[("axis", Int(1))]);
    assert_eq!(channel.run(), (vec![1, 1, 2], vec![2., 3.]));
    let reversed = Sketch::new(13, &[3]).integers("i", &[2, 1, 0]).node("Gather", "x i", "y");
    assert_eq!(reversed.run().1, [2., 1., 0.]);
}

#[test]
fn outputs_keep_their_names() {
    let same = Sketch::new(13, &[2]).node("Identity", "x", "y");
    assert_eq!(same.operators(), ["Unary"]);
    let graph = Sketch::new(13, &[2]).node("Relu", "x", "r").node("Identity", "r", "y").import().unwrap();
    assert_eq!(graph.value(graph.outputs[0].value).name, "y");
    let both = Sketch::new(13, &[2]).node("Relu", "x", "y").node("Dropout", "y", "z").output("z");
    let names: Vec<_> = {
        let graph = both.import().unwrap();
        graph.outputs.iter().map(|port| graph.value(port.value).name.clone()).collect()
    };
    assert_eq!(names, ["y", "z"]);
}
