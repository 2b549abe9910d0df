//! Functions of the model's own, as exporters leave them for composite operators.

use rten_onnx::onnx::{DataType, TensorProto};

use salto::host::import::onnx::{ImportOptions, import};

use super::encoding::{field, run};
use super::sketch::Sketch;
use super::sketch::Value::Float;

/// `twice(a) = leaky(a, slope) + leaky(a, slope)`, with 0.25 where the call gives no slope.
fn twice() -> Vec<u8> {
    let slope = [field(1, "alpha"), field(21, "slope")].concat();
    let leaky = [field(1, "a"), field(2, "b"), field(4, "LeakyRelu"), field(5, slope)].concat();
    let sum = [field(1, "b"), field(1, "b"), field(2, "c"), field(4, "Add")].concat();
    let quarter = [field(1, "slope"), vec![0x15], 0.25f32.to_le_bytes().to_vec(), vec![0xa0, 1, 1]].concat();
    let ports = [field(1, "twice"), field(4, "a"), field(5, "c"), field(10, "local")].concat();
    [ports, field(7, leaky), field(7, sum), field(11, quarter)].concat()
}

#[test]
fn functions_of_the_model_are_inlined() {
    let sketch =
        Sketch::new(13, &[2]).node_with("twice", "x", "m", &[("slope", Float(0.5))]).node("twice", "m", "y");
    let sketch =
        sketch.edit(|graph| graph.node.iter_mut().for_each(|node| node.domain = Some("local".into())));
    assert!(sketch.refusal().contains("the domain 'local' is not supported"));
    let bytes = [sketch.bytes(), field(25, twice())].concat();
    assert_eq!(run(&bytes, &[1., -1.]), [4., -0.5]);
    let graph = import(&bytes, &ImportOptions::default()).unwrap();
    assert!(graph.find_value("twice_0/b").is_some());
}

#[test]
fn functions_that_call_themselves_are_refused() {
    let call = [field(1, "a"), field(2, "b"), field(4, "again"), field(7, "local")].concat();
    let twice = [field(7, &call), field(7, &call)].concat();
    let ports = [field(1, "again"), field(4, "a"), field(5, "b"), field(10, "local")].concat();
    let sketch = Sketch::new(13, &[2])
        .node("again", "x", "y")
        .edit(|graph| graph.node[0].domain = Some("local".into()));
    for body in [field(7, &call), twice] {
        let bytes = [sketch.bytes(), field(25, [ports.clone(), body].concat())].concat();
        let message = import(&bytes, &ImportOptions::default()).unwrap_err().to_string();
        assert!(message.contains("more than 16 deep") || message.contains("outgrow the file"), "{message}");
    }
}

/// `plain(a) = -a + a + a`, `outer(a) = plain(a)`; no node has a name.
fn plain_and_outer() -> Vec<u8> {
    let neg = [field(1, "a"), field(2, "t"), field(4, "Neg")].concat();
    let sum = [field(1, "t"), field(1, "a"), field(1, "a"), field(2, "r"), field(4, "Sum")].concat();
    let ports = |name: &str, result: &str| {
        [field(1, name), field(4, "a"), field(5, result), field(10, "local")].concat()
    };
    let plain = [ports("plain", "r"), field(7, neg), field(7, sum)].concat();
    let call = [field(1, "a"), field(2, "b"), field(4, "plain"), field(7, "local")].concat();
    let outer = [ports("outer", "b"), field(7, call)].concat();
    [field(25, plain), field(25, outer)].concat()
}

#[test]
fn calls_are_told_apart() {
    for (name, second) in [("", "outer"), ("same", "outer"), ("", "plain")] {
        let sketch = Sketch::new(13, &[1]).node("Add", "x x", "x2").node("outer", "x", "p");
        let sketch = sketch.node(second, "x2", "q").node("Add", "p q", "y").edit(|graph| {
            for node in &mut graph.node[1..3] {
                (node.domain, node.name) = (Some("local".into()), Some(name.into()));
            }
        });
        let bytes = [sketch.bytes(), plain_and_outer()].concat();
        assert_eq!(run(&bytes, &[1.]), [3.], "{name} {second}");
    }
}

/// `leaky(a, c)` is an `If`, in whose branches a slope stands for that of the call.
#[test]
fn attributes_of_the_call_reach_the_graphs_inside() {
    let slope = [field(1, "alpha"), field(21, "slope"), vec![0xa0, 1, 1]].concat();
    let node = [field(1, "a"), field(2, "t"), field(4, "LeakyRelu"), field(5, slope)].concat();
    let graph = [field(1, &node), field(12, field(1, "t"))].concat();
    let branch = |name: &str| field(5, [field(1, name), field(6, &graph), vec![0xa0, 1, 5]].concat());
    let chosen = [field(1, "c"), field(2, "b"), field(4, "If"), branch("then_branch"), branch("else_branch")];
    let ports = [field(1, "leaky"), field(4, "a"), field(4, "c"), field(5, "b"), field(10, "local")].concat();
    let function = field(25, [ports, field(6, "slope"), field(7, chosen.concat())].concat());
    let sketch = Sketch::new(13, &[1]).node_with("leaky", "x condition", "y", &[("slope", Float(0.5))]);
    let sketch = sketch.edit(|graph| {
        graph.node[0].domain = Some("local".into());
        graph.initializer.push(TensorProto {
            name: Some("condition".into()),
            int32_data: vec![1],
            data_type: Some(DataType::BOOL),
            ..TensorProto::default()
        });
    });
    assert_eq!(run(&[sketch.bytes(), function].concat(), &[-1.]), [-0.5]);
    // The same node outside of any function, in a part of the model that is merged with the first.
    let outside = [sketch.bytes(), field(7, field(1, &node))].concat();
    let message = import(&outside, &ImportOptions::default()).unwrap_err().to_string();
    assert!(message.contains("is in no function"), "{message}");
}
