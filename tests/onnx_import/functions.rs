//! Functions of the model's own, as exporters leave them for composite operators.

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
