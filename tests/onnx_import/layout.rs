//! Where the elements of pictures go: `[n, c, h, w]` in the model, `[n, h, w, c]` in the graph.

use super::sketch::Sketch;
use super::sketch::Value::{Int, Ints};
use salto::device::tensor::ModelLayout;
use salto::host::graph::Op;

#[test]
fn pictures_are_stored_with_channels_last() {
    let graph = Sketch::new(13, &[1, 3, 4, 5]).node("Relu", "x", "y").import().unwrap();
    let (input, output) = (&graph.inputs[0], &graph.outputs[0]);
    assert_eq!(graph.shape(input.value).dims(), [1, 4, 5, 3]);
    assert_eq!((input.layout, output.layout), (ModelLayout::ChannelsFirst, ModelLayout::ChannelsFirst));
    assert_eq!(graph.value(input.value).name, "x");
    assert_eq!(graph.value(output.value).name, "y");
}

#[test]
fn other_ranks_keep_their_order() {
    for dims in [&[2, 3][..], &[2, 3, 4], &[1, 2, 3, 4, 5], &[7]] {
        let graph = Sketch::new(13, dims).node("Relu", "x", "y").import().unwrap();
        let stored: Vec<i64> =
            graph.shape(graph.inputs[0].value).dims().iter().map(|d| i64::from(*d)).collect();
        assert_eq!(stored, dims);
        assert_eq!(graph.inputs[0].layout, ModelLayout::AsStored);
    }
}

#[test]
fn constants_of_pictures_turn_with_them() {
    let sketch = Sketch::new(13, &[1, 3, 2, 2]);
    for (dims, stored) in
        [(&[3, 1, 1][..], [1, 1, 1, 3]), (&[1, 3, 1, 1], [1, 1, 1, 3]), (&[2], [1, 1, 2, 1])]
    {
        let sketch = Sketch::new(13, &[1, 3, 2, 2]).counting("c", dims).node("Add", "x c", "y");
        let Op::Binary(op) = sketch.last() else { panic!("no binary operator") };
        assert_eq!(sketch.import().unwrap().shape(op.b).dims(), stored, "{dims:?}");
    }
    let full = sketch.counting("c", &[1, 3, 2, 2]).node("Sub", "x c", "y");
    assert_eq!(full.run(), (vec![1, 3, 2, 2], vec![0.0; 12]));
}

#[test]
fn activations_of_lower_rank_are_lifted() {
    let sketch = Sketch::new(13, &[1, 2, 2, 2]).node_with("Flatten", "x", "f", &[("axis", Int(3))]);
    let sketch = sketch.integers("rows", &[2]).integers("axis", &[0]);
    let sketch = sketch.integers("zero", &[0]).integers("one", &[1]).node("Slice", "f zero one axis", "row");
    // The row [0, 1] is added to each row of each plane.
    let sketch = sketch.node("Add", "x row", "y");
    assert_eq!(sketch.run().1, [0., 2., 2., 4., 4., 6., 6., 8.]);
}

#[test]
fn flattening_keeps_the_order_of_the_model() {
    let flat = Sketch::new(13, &[1, 3, 2, 2]).node("Flatten", "x", "y");
    assert_eq!(flat.operators(), ["Transpose", "Reshape"]);
    let (dims, elements) = flat.run();
    assert_eq!(dims, [1, 12]);
    assert!(elements.windows(2).all(|pair| pair[1] == pair[0] + 1.0));
}

#[test]
fn a_transposition_of_pictures_is_one_node() {
    let perm = Ints(&[0, 2, 3, 1]);
    let sketch = Sketch::new(13, &[1, 2, 1, 3]).node_with("Transpose", "x", "y", &[("perm", perm)]);
    assert_eq!(sketch.operators(), ["Transpose"]);
    assert_eq!(sketch.run(), (vec![1, 1, 3, 2], vec![0., 3., 1., 4., 2., 5.]));
}

#[test]
fn axes_of_pictures_are_mapped() {
    let concat = Sketch::new(13, &[1, 2, 1, 2]).node_with("Concat", "x x", "y", &[("axis", Int(1))]);
    let Op::Concat(op) = concat.last() else { panic!("no concatenation") };
    assert_eq!(op.axis, 3);
    assert_eq!(concat.run(), (vec![1, 4, 1, 2], vec![0., 1., 2., 3., 0., 1., 2., 3.]));

    let softmax = Sketch::new(13, &[1, 2, 3, 4]).node_with("Softmax", "x", "y", &[("axis", Int(-3))]);
    let Op::Softmax(op) = softmax.last() else { panic!("no softmax") };
    assert_eq!(op.axis, 3);

    let pads =
        Sketch::new(13, &[1, 2, 3, 4]).integers("pads", &[0, 1, 0, 0, 0, 2, 0, 0]).node("Pad", "x pads", "y");
    let Op::Pad(op) = pads.last() else { panic!("no padding") };
    assert_eq!((op.before, op.after), (vec![0, 0, 0, 1], vec![0, 0, 0, 2]));
}
