//! Shape inference against shapes counted by hand, and each reason for refusal.

use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use super::super::*;
use crate::device::kernel::params::{Beyond, BinaryKind, PoolKind, ResizeKind};
use crate::device::tensor::{Activation, DType, ModelLayout, Shape, Window};
use crate::host::ErrorKind;

fn tensor(graph: &mut Graph, dims: &[u32]) -> ValueId {
    graph.add_input("x", Shape::new(dims).unwrap(), ModelLayout::AsStored)
}

fn conv(input: ValueId, weight: ValueId, window: Window, groups: u32) -> Conv {
    let (bias, residual, pre_activation) = (None, None, None);
    Conv { input, weight, bias, residual, pre_activation, window, groups, activation: Activation::IDENTITY }
}

/// The output's dimensions, or the reason why there are none.
fn dims(graph: &Graph, op: Op) -> Result<Vec<u32>, String> {
    infer(graph, &op).map(|(_, shape)| shape.dims().to_vec()).map_err(|error| error.reason().into())
}

#[test]
fn a_convolution_counts_its_windows() {
    let mut graph = Graph::new("");
    let x = tensor(&mut graph, &[2, 15, 20, 6]);
    let w = tensor(&mut graph, &[8, 3, 3, 3]);
    let window = Window::new(3, 3).with_stride(2).with_padding(1);
    assert_eq!(dims(&graph, Op::Conv(conv(x, w, window, 2))).unwrap(), [2, 8, 10, 8]);
}

#[test]
fn a_convolution_refuses_what_does_not_fit() {
    let mut graph = Graph::new("");
    let x = tensor(&mut graph, &[1, 8, 8, 6]);
    let w = tensor(&mut graph, &[8, 3, 3, 6]);
    let short = tensor(&mut graph, &[7]);
    let window = Window::new(3, 3);
    let refuse = |op: Conv, part: &str| {
        let reason = dims(&graph, Op::Conv(op)).unwrap_err();
        assert!(reason.contains(part), "{reason}");
    };
    refuse(conv(x, w, window, 0), "0 groups");
    refuse(conv(x, w, window, 4), "do not divide");
    refuse(conv(x, w, window, 2), "6 channels a group");
    refuse(conv(x, w, Window::new(5, 3), 1), "3×3 taps");
    refuse(conv(x, w, window.with_dilation(4), 1), "no output over 8×8");
    refuse(conv(x, w, window.with_stride(0), 1), "at least 1");
    refuse(conv(w, short, window, 1), "1 dimensions (7), not 4");
    refuse(Conv { bias: Some(short), ..conv(x, w, window, 1) }, "the bias 'x' is 7, not 8");
    refuse(Conv { residual: Some(x), ..conv(x, w, window, 1) }, "the residual");
    let activation = Activation { code: 99, a: 0.0, b: 0.0 };
    refuse(Conv { activation, ..conv(x, w, window, 1) }, "number 99");
}

#[test]
fn a_transposed_convolution_inverts_the_window() {
    let mut graph = Graph::new("");
    let input = tensor(&mut graph, &[1, 5, 6, 4]);
    let weight = tensor(&mut graph, &[4, 3, 3, 2]);
    let window = Window::new(3, 3).with_stride(2).with_padding(1);
    let op = ConvTranspose {
        input,
        weight,
        bias: None,
        residual: None,
        window,
        output_padding: [1, 0],
        groups: 2,
        activation: Activation::RELU,
    };
    assert_eq!(dims(&graph, Op::ConvTranspose(op.clone())).unwrap(), [1, 10, 11, 4]);
    let beyond = ConvTranspose { output_padding: [2, 0], ..op.clone() };
    assert!(dims(&graph, Op::ConvTranspose(beyond)).unwrap_err().contains("output padding 2"));
    let many = ConvTranspose { groups: u32::MAX, ..op };
    assert!(dims(&graph, Op::ConvTranspose(many)).unwrap_err().contains("too many"));
}

#[test]
fn pools_round_as_asked_and_keep_windows_on_the_input() {
    let mut graph = Graph::new("");
    let input = tensor(&mut graph, &[1, 6, 7, 3]);
    let window = Window::new(3, 3).with_stride(2);
    let pool = Pool { input, kind: PoolKind::Max, window, ceil: false };
    assert_eq!(dims(&graph, Op::Pool(pool.clone())).unwrap(), [1, 2, 3, 3]);
    assert_eq!(dims(&graph, Op::Pool(Pool { ceil: true, ..pool.clone() })).unwrap(), [1, 3, 3, 3]);
    let padded = Pool { window: window.with_padding(3), ..pool };
    assert!(dims(&graph, Op::Pool(padded)).unwrap_err().contains("not smaller"));
    let global = GlobalPool { input, kind: PoolKind::Average };
    assert_eq!(dims(&graph, Op::GlobalPool(global)).unwrap(), [1, 1, 1, 3]);
}

#[test]
fn element_wise_operators_broadcast_at_the_last_axis() {
    let mut graph = Graph::new("");
    let picture = tensor(&mut graph, &[2, 4, 5, 3]);
    let gate = tensor(&mut graph, &[1, 1, 3]);
    let column = tensor(&mut graph, &[5]);
    let binary = |a, b| Op::Binary(Binary { a, b, kind: BinaryKind::Mul, activation: Activation::IDENTITY });
    assert_eq!(dims(&graph, binary(gate, picture)).unwrap(), [2, 4, 5, 3]);
    assert!(dims(&graph, binary(picture, column)).unwrap_err().contains("do not broadcast"));
    let affine =
        Op::Affine(Affine { input: picture, scale: column, shift: column, activation: Activation::RELU });
    assert!(dims(&graph, affine).unwrap_err().contains("the scale"));
    let softmax = Op::Softmax(Softmax { input: picture, axis: 4, log: false });
    assert!(dims(&graph, softmax).unwrap_err().contains("no axis 4"));
}

#[test]
fn normalisations_and_products_check_their_operands() {
    let mut graph = Graph::new("");
    let picture = tensor(&mut graph, &[2, 4, 5, 6]);
    let (activation, epsilon) = (Activation::IDENTITY, 1e-5);
    let norm = |axis, groups, scale, epsilon| {
        Op::Normalize(Normalize { input: picture, axis, groups, scale, shift: None, epsilon, activation })
    };
    assert_eq!(dims(&graph, norm(1, 3, None, epsilon)).unwrap(), [2, 4, 5, 6]);
    assert!(dims(&graph, norm(4, 1, None, epsilon)).unwrap_err().contains("no axis 4"));
    assert!(dims(&graph, norm(1, 4, None, epsilon)).unwrap_err().contains("do not divide"));
    assert!(dims(&graph, norm(1, 1, Some(picture), epsilon)).unwrap_err().contains("the scale"));
    assert!(dims(&graph, norm(1, 1, None, f32::NAN)).unwrap_err().contains("epsilon"));
    let [a, b, c] = [[3, 4, 5], [1, 5, 7], [2, 5, 7]].map(|dims| tensor(&mut graph, &dims));
    let product = |a, b| Op::MatMul(MatMul { a, b, activation });
    assert_eq!(dims(&graph, product(a, b)).unwrap(), [3, 4, 7]);
    assert!(dims(&graph, product(b, a)).unwrap_err().contains("7 columns"));
    assert!(dims(&graph, product(a, c)).unwrap_err().contains("do not go together"));
}

#[test]
fn moves_of_elements_keep_their_number() {
    let mut graph = Graph::new("");
    let x = tensor(&mut graph, &[2, 4, 5, 3]);
    let y = tensor(&mut graph, &[2, 4, 5, 7]);
    let concat = |axis| Op::Concat(Concat { inputs: vec![x, y], axis });
    assert_eq!(dims(&graph, concat(3)).unwrap(), [2, 4, 5, 10]);
    assert!(dims(&graph, concat(1)).unwrap_err().contains("does not continue"));
    let transpose = |perm: &[usize]| Op::Transpose(Transpose { input: x, perm: perm.into() });
    assert_eq!(dims(&graph, transpose(&[0, 3, 1, 2])).unwrap(), [2, 3, 4, 5]);
    assert!(dims(&graph, transpose(&[0, 3, 1, 1])).is_err());
    let reshape = |rows| Op::Reshape(Reshape { input: x, shape: Shape::matrix(rows, 60) });
    assert_eq!(dims(&graph, reshape(2)).unwrap(), [2, 60]);
    assert!(dims(&graph, reshape(3)).is_err());
    let slice = |start, step| {
        let (start, len, step) = (vec![0, start, 0, 0], vec![2, 2, 5, 3], vec![1, step, 1, 1]);
        Op::Slice(Slice { input: x, start, len, step })
    };
    assert_eq!(dims(&graph, slice(3, -2)).unwrap(), [2, 2, 5, 3]);
    assert!(dims(&graph, slice(1, -2)).unwrap_err().contains("leave 0..4"));
    let pad = |after| {
        Op::Pad(Pad {
            input: x,
            before: vec![0, 1, 0, 0],
            after: vec![0, after, 0, 0],
            beyond: Beyond::Fill,
            value: 0.0,
        })
    };
    assert_eq!(dims(&graph, pad(2)).unwrap(), [2, 7, 5, 3]);
    assert!(dims(&graph, pad(u32::MAX)).unwrap_err().contains("32 bits"));
}

#[test]
fn sizes_are_refused_before_they_overflow() {
    let mut graph = Graph::new("");
    let input = tensor(&mut graph, &[1, 4, 4, 1 << 20]);
    let empty = tensor(&mut graph, &[1, 0, 4, 3]);
    let resize = |input, height| {
        let (scale, offset) = ([1.0; 2], [0.0; 2]);
        Op::Resize(Resize { input, kind: ResizeKind::Bilinear, height, width: 4, scale, offset })
    };
    assert_eq!(infer(&graph, &resize(input, 1 << 10)).unwrap_err().kind(), ErrorKind::Limit);
    assert!(dims(&graph, resize(input, 0)).unwrap_err().contains("would be empty"));
    assert!(dims(&graph, resize(empty, 4)).unwrap_err().contains("would be empty"));
    assert!(dims(&graph, resize(ValueId(7), 4)).unwrap_err().contains("no value of this graph"));
}

#[test]
fn arithmetic_takes_floats_only() {
    let mut graph = Graph::new("");
    let input = graph.add_value("indices", DType::I64, Shape::vector(3));
    let unary = Op::Unary(Unary { input, activation: Activation::RELU });
    assert!(dims(&graph, unary).unwrap_err().contains("'indices' is int64"));
    let reshape = Op::Reshape(Reshape { input, shape: Shape::matrix(3, 1) });
    assert_eq!(infer(&graph, &reshape).unwrap().0, DType::I64);
}

#[test]
fn validation_finds_contradictions() {
    let mut graph = Graph::new("");
    let x = tensor(&mut graph, &[1, 4, 4, 3]);
    let relu = |input| Op::Unary(Unary { input, activation: Activation::RELU });
    let y = graph.add_node("relu", relu(x)).unwrap();
    graph.add_output(y, ModelLayout::AsStored);
    graph.validate().unwrap();

    let mut wrong = graph.clone();
    wrong.value_mut(y).shape = Shape::nhwc(1, 4, 4, 4);
    assert!(wrong.validate().unwrap_err().reason().contains("inference gives"));

    let mut orphan = graph.clone();
    let nobody = orphan.add_value("nobody", DType::F32, Shape::SCALAR);
    orphan.add_node("late", relu(nobody)).unwrap();
    assert!(orphan.validate().unwrap_err().reason().contains("made by nobody"));

    let mut cyclic = graph.clone();
    let id = cyclic.nodes().next().unwrap().0;
    cyclic.node_mut(id).unwrap().op = relu(y);
    assert!(cyclic.validate().unwrap_err().reason().contains("own output"));

    let mut twice = graph;
    twice.inputs.push(Port { value: y, layout: ModelLayout::AsStored });
    assert!(twice.validate().unwrap_err().reason().contains("made twice"));
}
