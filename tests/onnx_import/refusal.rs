//! What is not supported is told at once, and free dimensions are asked for.

use super::sketch::Value::{Int, Text};
use super::sketch::{Sketch, fixed, free};
use salto::host::ErrorKind;
use salto::host::import::onnx::{ImportOptions, Tensor, import, operators};

use salto::host::graph::Constant;

#[test]
fn all_refusals_come_at_once() {
    let sketch = Sketch::new(13, &[1, 3, 4, 4]).node("LSTM", "x", "a").node_with(
        "Pad",
        "a",
        "b",
        &[("mode", Text("mirror"))],
    );
    let sketch = sketch.node("Relu", "b", "c").node("NoSuch", "c", "y").node("AlsoNot", "x", "unused");
    let message = sketch.refusal();
    assert!(message.starts_with("3 nodes cannot be imported:\n"), "{message}");
    for part in ["node 'LSTM_0' (LSTM)", "node 'Pad_1' (Pad): mode is 'mirror'", "node 'NoSuch_3' (NoSuch)"] {
        assert!(message.contains(part), "{message}");
    }
    assert!(!message.contains("AlsoNot"), "a node that no output needs is not looked at: {message}");
}

#[test]
fn refusals_that_need_shapes_come_at_once_too() {
    let sketch = Sketch::new(13, &[1, 2, 4, 4]).node("Conv", "x x", "a").node("ConvTranspose", "x x", "b");
    let message = sketch.node("Relu", "b", "c").node("Add", "a c", "y").refusal();
    assert!(
        message.contains("2 nodes") && message.contains("Conv_0") && message.contains("ConvTranspose_1"),
        "{message}"
    );
}

#[test]
fn names_and_domains_are_told() {
    let named = Sketch::new(13, &[1]).node("Foo", "x", "y").edit(|graph| {
        graph.node[0].name = Some("head/foo".into());
        graph.node[0].domain = Some("com.acme".into());
    });
    let message = named.refusal();
    assert!(message.contains("'head/foo' (Foo)") && message.contains("com.acme"), "{message}");
}

#[test]
fn training_is_refused_with_its_remedy() {
    let sketch = Sketch::new(15, &[1, 1]).floats("s", &[1], &[1.0]);
    let sketch = sketch.node_with("BatchNormalization", "x s s s s", "y", &[("training_mode", Int(1))]);
    assert!(sketch.refusal().contains("model.eval()"));
}

#[test]
fn other_files_are_recognised() {
    let message = |bytes: &[u8]| import(bytes, &ImportOptions::default()).unwrap_err();
    for (bytes, part) in [
        (&b""[..], "an empty file"),
        (b"\x89PNG\r\n\x1a\n0000", "a PNG picture"),
        (b"{\"text\": 1}", "a text"),
        (b"PK\x03\x04....", "a ZIP archive"),
        (b"\x00\x00\x00\x00TFL3", "a TensorFlow Lite model"),
        (&[0xa5; 100], "not an ONNX model"),
    ] {
        let error = message(bytes);
        assert_eq!(error.kind(), ErrorKind::Format);
        assert!(error.to_string().contains(part), "{error}");
    }
    let whole = Sketch::new(13, &[1]).node("Relu", "x", "y").bytes();
    assert!(message(&whole[..whole.len() / 2]).to_string().contains("cut off"));
}

#[test]
fn operator_sets_are_bounded() {
    assert!(Sketch::new(99, &[1]).node("Relu", "x", "y").refusal().contains("operator set 99"));
}

#[test]
fn free_dimensions_are_bound() {
    let sketch = Sketch::new(13, &[1]).node("Relu", "p", "y");
    let sketch = sketch.input("p", vec![free("batch"), fixed(3), free("height"), free("width")]);
    let message = sketch.refusal();
    assert!(message.contains("'p' has a free dimension 2 in [batch, 3, height, width]"), "{message}");
    assert!(message.contains("--shape p=1,3,224,224"), "{message}");

    let bound = |dims: &[u32]| import(&sketch.bytes(), &ImportOptions::default().with_shape("p", dims));
    let graph = bound(&[2, 3, 8, 9]).unwrap();
    assert_eq!(graph.shape(graph.inputs[1].value).dims(), [2, 8, 9, 3]);
    assert!(bound(&[2, 4, 8, 9]).unwrap_err().reason().contains("fixed dimensions"));
    assert!(bound(&[2, 3, 8]).unwrap_err().reason().contains("[batch, 3, height, width]"));
    assert!(bound(&[0, 3, 8, 9]).unwrap_err().reason().contains("empty"));

    let batch = Sketch::new(13, &[1]).node("Relu", "p", "y").input("p", vec![free("batch"), fixed(3)]);
    let graph = batch.import().unwrap();
    assert_eq!(graph.shape(graph.inputs[1].value).dims(), [1, 3]);
    let unknown = import(&batch.bytes(), &ImportOptions::default().with_shape("q", [1]));
    assert!(unknown.unwrap_err().reason().contains("the inputs are 'x', 'p'"));
}

#[test]
fn one_symbol_is_one_size() {
    let sketch = Sketch::new(13, &[1]).node("Add", "p q", "y");
    let sketch = sketch.input("p", vec![fixed(1), free("len")]).input("q", vec![fixed(1), free("len")]);
    let graph = import(&sketch.bytes(), &ImportOptions::default().with_shape("p", [1, 7])).unwrap();
    assert_eq!(graph.shape(graph.outputs[0].value).dims(), [1, 7]);
    let both = ImportOptions::default().with_shape("p", [1, 7]).with_shape("q", [1, 8]);
    assert!(import(&sketch.bytes(), &both).unwrap_err().reason().contains("both 7 and 8"));
}

#[test]
fn inputs_may_be_bound_to_constants() {
    let dims = [1, 2, 1, 1].map(fixed).to_vec();
    let sketch = Sketch::new(13, &[1, 2, 1, 1]).node("Conv", "x w", "y").input("w", dims);
    let weight = Tensor::new([1, 2, 1, 1], Constant::f32([1.0, 2.0])).unwrap();
    let graph = import(&sketch.bytes(), &ImportOptions::default().with_constant("w", weight)).unwrap();
    assert_eq!(graph.inputs.len(), 1);
    assert!(sketch.refusal().contains("'w' is not constant"));
}

#[test]
fn the_operators_are_listed() {
    let names = operators();
    assert!(names.len() > 60 && names.contains(&"Conv") && names.is_sorted());
    assert!(names.windows(2).all(|pair| pair[0] != pair[1]), "an operator is in two tables");
}

#[test]
fn a_name_is_made_once() {
    let sketch = Sketch::new(13, &[1]).node("Neg", "x", "t").node("Relu", "t", "y").node("Abs", "x", "t");
    let message = sketch.refusal();
    assert!(message.contains("node 'Abs_2' (Abs)") && message.contains("two nodes make 't'"), "{message}");
    let input = Sketch::new(13, &[1]).node("Neg", "x", "x").node("Relu", "x", "y");
    assert!(input.refusal().contains("it makes 'x', which is an input or an initialiser"));
    let constant =
        Sketch::new(13, &[1]).floats("c", &[1], &[2.0]).node("Neg", "x", "c").node("Relu", "c", "y");
    assert!(constant.refusal().contains("it makes 'c', which is an input or an initialiser"));
}

#[test]
fn a_dimension_that_cannot_be_addressed_is_not_free() {
    let sketch = |size| Sketch::new(13, &[1]).node("Relu", "p", "y").input("p", vec![fixed(1), fixed(size)]);
    assert!(sketch(1 << 40).refusal().contains("a dimension of 1099511627776"));
    for free in [0, -1] {
        assert!(sketch(free).refusal().contains("free dimension 1"));
    }
}
