//! A whole residual network: names, shared weights, constants in either form.

use super::sketch::Sketch;
use super::sketch::Value::Ints;
use salto::host::graph::Op;

fn residual_block() -> Sketch {
    let pads = || [("pads", Ints(&[1, 1, 1, 1]))];
    let sketch = Sketch::new(13, &[1, 2, 4, 4]).counting("w", &[2, 2, 3, 3]);
    let sketch = sketch.node_with("Conv", "x w", "a", &pads()).node("Relu", "a", "b");
    sketch.node_with("Conv", "b w", "c", &pads()).node("Add", "c x", "y")
}

#[test]
fn nodes_and_values_keep_their_names() {
    let graph = residual_block().edit(|graph| graph.node[2].name = Some("second".into())).import().unwrap();
    let nodes: Vec<_> = graph.nodes().map(|(_, node)| node.name.clone()).collect();
    assert_eq!(nodes, ["Conv_0", "Relu_1", "second", "Add_3"]);
    for name in ["x", "w", "a", "b", "c", "y"] {
        assert!(graph.find_value(name).is_some(), "{name}");
    }
}

#[test]
fn shared_weights_are_stored_once() {
    let graph = residual_block().import().unwrap();
    let weights: Vec<_> = graph
        .nodes()
        .filter_map(|(_, node)| if let Op::Conv(conv) = &node.op { Some(conv.weight) } else { None })
        .collect();
    assert_eq!(weights[0], weights[1]);
    assert_eq!(graph.values().filter(|(_, value)| value.constant.is_some()).count(), 1);
}

#[test]
fn what_is_not_needed_is_left_out() {
    let sketch = residual_block().counting("unused", &[4]).node("NoSuch", "a", "nobody");
    assert_eq!(sketch.import().unwrap(), residual_block().import().unwrap());
}

#[test]
fn operands_must_be_made_before() {
    let message = Sketch::new(13, &[2]).node("Relu", "z", "y").node("Relu", "x", "z").refusal();
    assert!(message.contains("reads 'z', which nothing before it makes"), "{message}");
    let message = Sketch::new(13, &[2]).node("Relu", "x", "z").refusal();
    assert!(message.contains("nothing makes the output 'y'"), "{message}");
}
