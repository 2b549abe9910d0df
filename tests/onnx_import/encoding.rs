//! What other writers of ONNX files do: lists packed into one field. `field` and `run` serve tests of such files elsewhere.

use salto::host::Model;
use salto::host::import::onnx::{ImportOptions, import};

/// A length-delimited field of a message.
pub(super) fn field(number: usize, content: impl AsRef<[u8]>) -> Vec<u8> {
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

pub(super) fn run(bytes: &[u8], input: &[f32]) -> Vec<f32> {
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
