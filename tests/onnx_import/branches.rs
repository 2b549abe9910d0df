//! Branches of `If`, of which a constant condition chooses one.

use rten_onnx::onnx::{
    AttributeProto, AttributeType, DataType, GraphProto, NodeProto, TensorProto, ValueInfoProto,
};

use super::encoding::run;
use super::sketch::Sketch;

/// A graph of one node from `x` of the graph around it to `name`.
fn branch(operator: &str, name: &str) -> AttributeProto {
    let node = NodeProto {
        op_type: Some(operator.into()),
        input: vec!["m".into()],
        output: vec![name.into()],
        ..NodeProto::default()
    };
    let output = vec![ValueInfoProto { name: Some(name.into()), r#type: None }];
    let graph = GraphProto { node: vec![node], output, ..GraphProto::default() };
    AttributeProto { r#type: Some(AttributeType::GRAPH), g: Some(graph), ..AttributeProto::default() }
}

fn chosen(condition: i32) -> Sketch {
    let sketch = Sketch::new(13, &[2]).node("Neg", "x", "m").node("If", "condition", "y");
    sketch.edit(|graph| {
        let named = |name: &str, branch| AttributeProto { name: Some(name.into()), ..branch };
        let branches =
            [named("then_branch", branch("Relu", "t")), named("else_branch", branch("NoSuch", "e"))];
        graph.node[1].attribute.extend(branches);
        graph.initializer.push(TensorProto {
            name: Some("condition".into()),
            int32_data: vec![condition],
            data_type: Some(DataType::BOOL),
            ..TensorProto::default()
        });
    })
}

#[test]
fn a_constant_condition_chooses_a_branch() {
    assert_eq!(run(&chosen(1).bytes(), &[1., -1.]), [0., 1.]);
    let message = chosen(0).refusal();
    assert!(message.contains("node 'NoSuch_0' (NoSuch)"), "{message}");
    let free = Sketch::new(13, &[1]).node("If", "x", "y").refusal();
    assert!(free.contains("its condition depends on the input"), "{free}");
}

/// A graph that adds its own constant `c` to `input`.
fn adding(attribute: &str, input: &str, c: f32) -> AttributeProto {
    let node = NodeProto {
        op_type: Some("Add".into()),
        input: vec![input.into(), "c".into()],
        output: vec!["sum".into()],
        ..NodeProto::default()
    };
    let c = TensorProto {
        name: Some("c".into()),
        float_data: vec![c],
        dims: vec![1],
        data_type: Some(DataType::FLOAT),
        ..TensorProto::default()
    };
    let output = vec![ValueInfoProto { name: Some("sum".into()), r#type: None }];
    let graph = GraphProto { node: vec![node], output, initializer: vec![c], ..GraphProto::default() };
    let (name, r#type) = (Some(attribute.into()), Some(AttributeType::GRAPH));
    AttributeProto { name, r#type, g: Some(graph), ..AttributeProto::default() }
}

/// Both branches call their constant `c`, and their result `sum`; so does the graph around them.
#[test]
fn each_branch_has_names_of_its_own() {
    let sketch = Sketch::new(13, &[1]).integers("condition", &[1]).floats("c", &[1], &[100.]);
    let sketch = sketch.node("If", "condition", "m").node("If", "condition", "n").node("Add", "n c", "y");
    let sketch = sketch.edit(|graph| {
        graph.node[0].attribute.push(adding("then_branch", "x", 10.));
        graph.node[1].attribute.push(adding("then_branch", "m", 1.));
    });
    assert_eq!(run(&sketch.bytes(), &[0.5]), [111.5]);
}

#[test]
fn a_branch_does_not_read_what_another_one_makes() {
    let sketch = Sketch::new(13, &[1]).integers("condition", &[1]);
    let sketch = sketch.node("If", "condition", "m").node("Add", "m c", "y");
    let sketch = sketch.edit(|graph| graph.node[0].attribute.push(adding("then_branch", "x", 10.)));
    let message = sketch.refusal();
    assert!(message.contains("it reads 'c', which nothing before it makes"), "{message}");
}
