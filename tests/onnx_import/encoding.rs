//! What other writers of ONNX files do: lists packed into one field, functions of the model's own, branches.

use rten_onnx::onnx::{
    AttributeProto, AttributeType, DataType, GraphProto, NodeProto, TensorProto, ValueInfoProto,
};

use super::sketch::Sketch;
use super::sketch::Value::Float;
use salto::host::Model;
use salto::host::import::onnx::{ImportOptions, import};

/// A length-delimited field of a message.
fn field(number: usize, content: impl AsRef<[u8]>) -> Vec<u8> {
    let varint = |mut value: usize| {
        let mut bytes = Vec::new();
        while value >= 0x80 {
            bytes.push(value as u8 | 0x80);
            value >>= 7;
        }
        bytes.push(value as u8);
        bytes
    };
    let content = content.as_ref();
    [varint(number << 3 | 2), varint(content.len()), content.to_vec()].concat()
}

fn run(bytes: &[u8], input: &[f32]) -> Vec<f32> {
    let graph = import(bytes, &ImportOptions::default()).unwrap();
    graph.validate().unwrap();
    Model::from_graph(&graph).unwrap().session().unwrap().run(&[input]).unwrap().remove(0)
}

/// A pool whose `kernel_shape`, and a sum whose constant's dimensions, are packed as writers of proto3 do.
#[test]
fn packed_lists_are_read() {
    let name = |number, text: &str| field(number, text);
    let shape = [name(1, "kernel_shape"), field(8, [1, 2]), vec![0xa0, 1, 7]].concat();
    let pool = [name(1, "x"), name(2, "p"), name(4, "MaxPool"), field(5, shape)].concat();
    let sum = [name(1, "p"), name(1, "c"), name(2, "y"), name(4, "Add")].concat();
    let tensor =
        [field(1, [1, 1, 1, 2]), vec![0x10, 1], field(4, [1.0f32, 2.0].map(f32::to_le_bytes).concat())];
    let tensor = [tensor.concat(), name(8, "c")].concat();
    let dims = [1, 1, 1, 3].map(|dim| field(1, [8, dim])).concat();
    let float = [vec![8, 1], field(2, dims)].concat();
    let x = [name(1, "x"), field(2, field(1, float))].concat();
    let graph =
        [field(1, pool), field(1, sum), field(5, tensor), field(11, x), field(12, name(1, "y"))].concat();
    let opset = [name(1, ""), vec![0x10, 13]].concat();
    let model = [vec![8, 8], field(7, graph), field(8, opset)].concat();
    assert_eq!(run(&model, &[0., 3., 1.]), [4., 5.]);
}

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
