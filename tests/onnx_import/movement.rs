//! Padding, repetition, choice and rearrangement of elements: what comes out, and in how many steps.

use super::sketch::Sketch;
use super::sketch::Value::{Int, Text};
use salto::device::program::Program;
use salto::device::program::record::OpCode;
use salto::host::compile::{CompileOptions, compile};

/// The operators of the compiled program.
fn steps(sketch: &Sketch) -> Vec<OpCode> {
    let compiled = compile(&sketch.import().unwrap(), &CompileOptions::default()).unwrap();
    Program::from_bytes(compiled.bytes()).unwrap().steps().map(|step| step.operator()).collect()
}

fn padded(mode: &'static str) -> Vec<f32> {
    let sketch = Sketch::new(13, &[1, 1, 2, 3]).integers("pads", &[0, 0, 1, 2, 0, 0, 0, 1]);
    sketch.node_with("Pad", "x pads", "y", &[("mode", Text(mode))]).run().1
}

#[test]
fn every_mode_pads() {
    let zeros = [0.; 6];
    assert_eq!(padded("constant"), [zeros, [0., 0., 0., 1., 2., 0.], [0., 0., 3., 4., 5., 0.]].concat());
    let (first, second) = ([0., 0., 0., 1., 2., 2.], [3., 3., 3., 4., 5., 5.]);
    assert_eq!(padded("edge"), [first, first, second].concat());
    let (first, second) = ([2., 1., 0., 1., 2., 1.], [5., 4., 3., 4., 5., 4.]);
    assert_eq!(padded("reflect"), [second, first, second].concat());
    let (first, second) = ([1., 2., 0., 1., 2., 0.], [4., 5., 3., 4., 5., 3.]);
    assert_eq!(padded("wrap"), [second, first, second].concat());
}

#[test]
fn channels_pad_along_named_axes() {
    let sketch = Sketch::new(18, &[1, 2, 1, 1]).integers("pads", &[1, 2]).integers("axes", &[-3]);
    let sketch = sketch.node_with("Pad", "x pads _ axes", "y", &[("mode", Text("reflect"))]);
    assert_eq!(sketch.run(), (vec![1, 5, 1, 1], vec![1., 0., 1., 0., 1.]));
}

#[test]
fn padding_in_every_mode_is_one_step() {
    let sketch = Sketch::new(13, &[1, 2, 4, 3]).integers("pads", &[0, 0, 1, 1, 0, 0, 1, 1]);
    let sketch = sketch.node_with("Pad", "x pads", "y", &[("mode", Text("reflect"))]);
    assert_eq!(steps(&sketch), [OpCode::Rearrange]);
}

#[test]
fn tensors_are_repeated() {
    let tile = Sketch::new(13, &[1, 2]).integers("r", &[2, 3]).node("Tile", "x r", "y");
    assert_eq!(tile.run(), (vec![2, 6], [0., 1.].repeat(6)));
    let expand = Sketch::new(13, &[2, 1]).integers("s", &[2, 1, 3]).node("Expand", "x s", "y");
    assert_eq!(expand.run(), (vec![2, 2, 3], [0., 0., 0., 1., 1., 1.].repeat(2)));
}

#[test]
fn any_indices_are_gathered() {
    let sketch = Sketch::new(13, &[1, 4, 1, 2]).integers("i", &[3, 1, 1, -4]);
    let sketch = sketch.node_with("Gather", "x i", "y", &[("axis", Int(1))]);
    assert_eq!(sketch.run(), (vec![1, 4, 1, 2], vec![6., 7., 2., 3., 2., 3., 0., 1.]));
}

#[test]
fn blocks_and_depth_are_exchanged() {
    let of = |operator: &str, dims: &[i64], mode: &'static str| {
        let attributes = [("blocksize", Int(2)), ("mode", Text(mode))];
        let sketch = Sketch::new(13, dims).node_with(operator, "x", "y", &attributes);
        assert_eq!(steps(&sketch).len(), 1, "{operator} {mode}");
        sketch.run()
    };
    let shape = vec![1, 2, 2, 2];
    assert_eq!(
        of("DepthToSpace", &[1, 8, 1, 1], "DCR"),
        (shape.clone(), vec![0., 2., 4., 6., 1., 3., 5., 7.])
    );
    assert_eq!(of("DepthToSpace", &[1, 8, 1, 1], "CRD"), (shape, vec![0., 1., 2., 3., 4., 5., 6., 7.]));
    let (dims, elements) = of("SpaceToDepth", &[1, 2, 2, 2], "DCR");
    assert_eq!((dims, elements), (vec![1, 8, 1, 1], vec![0., 4., 1., 5., 2., 6., 3., 7.]));
}

/// PyTorch's channel shuffle: reshape, transposition, reshape.
#[test]
fn a_channel_shuffle_is_one_step() {
    let sketch =
        Sketch::new(13, &[1, 6, 2, 2]).integers("split", &[1, 2, 3, 2, 2]).integers("joint", &[1, 6, 2, 2]);
    let sketch = sketch.node("Reshape", "x split", "a").node_with(
        "Transpose",
        "a",
        "b",
        &[("perm", super::sketch::Value::Ints(&[0, 2, 1, 3, 4]))],
    );
    let sketch = sketch.node("Reshape", "b joint", "y");
    assert_eq!(steps(&sketch), [OpCode::Rearrange]);
    let channels: Vec<f32> = sketch.run().1.iter().step_by(4).map(|x| x / 4.0).collect();
    assert_eq!(channels, [0., 3., 1., 4., 2., 5.]);
}
