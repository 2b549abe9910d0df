//! Functions of constants, which are computed during import; comparisons of activations, and choices by them.

use super::sketch::Sketch;
use super::sketch::Value::Int;
use rten_onnx::onnx::{DataType, TensorProto};
use salto::host::Model;

/// What the operator makes of the integers, added to an input of zero.
#[track_caller]
fn check(operator: &str, attributes: &[(&str, super::sketch::Value<'_>)], operands: &[&[i64]], want: &[f32]) {
    let mut sketch = Sketch::new(18, &[1]);
    let names = ["a", "b"];
    for (name, data) in names.iter().zip(operands) {
        sketch = sketch.integers(name, data);
    }
    let inputs = names[..operands.len()].join(" ");
    let sketch = sketch.node_with(operator, &inputs, "r", attributes);
    let sketch = sketch.node_with("Cast", "r", "f", &[("to", Int(1))]).node("Add", "x f", "y");
    assert_eq!(sketch.run().1, want, "{operator}");
}

#[test]
fn comparisons_and_logic() {
    let pair: [&[i64]; 2] = [&[1, 2, 3], &[2, 2, 2]];
    check("Less", &[], &pair, &[1., 0., 0.]);
    check("LessOrEqual", &[], &pair, &[1., 1., 0.]);
    check("GreaterOrEqual", &[], &pair, &[0., 1., 1.]);
    let flags: [&[i64]; 2] = [&[0, 0, 1, 1], &[0, 1, 0, 1]];
    check("And", &[], &flags, &[0., 0., 0., 1.]);
    check("Or", &[], &flags, &[0., 1., 1., 1.]);
    check("Xor", &[], &flags, &[0., 1., 1., 0.]);
    check("Not", &[], &[&[0, 1]], &[1., 0.]);
    check("BitwiseAnd", &[], &[&[6], &[3]], &[2.]);
}

#[test]
fn remainders_have_the_sign_of_one_of_both() {
    let pair: [&[i64]; 2] = [&[7, -7, 7, -7], &[3, 3, -3, -3]];
    check("Mod", &[], &pair, &[1., 2., -2., -1.]);
    check("Mod", &[("fmod", Int(1))], &pair, &[1., -1., 1., -1.]);
    let zero = Sketch::new(18, &[1]).integers("a", &[1]).integers("b", &[0]).node("Mod", "a b", "r");
    let zero = zero.node_with("Cast", "r", "f", &[("to", Int(1))]).node("Add", "x f", "y");
    assert!(zero.refusal().contains("divides by zero"));
}

#[test]
fn triangles_are_cut_at_a_diagonal() {
    let cut = |upper, k| {
        let sketch = Sketch::new(18, &[1]).floats("m", &[2, 2], &[1., 2., 3., 4.]).integers("k", &[k]);
        sketch.node_with("Trilu", "m k", "t", &[("upper", Int(upper))]).node("Add", "x t", "y").run().1
    };
    assert_eq!(cut(1, 0), [1., 2., 0., 4.]);
    assert_eq!(cut(0, 0), [1., 0., 3., 4.]);
    assert_eq!(cut(1, 1), [0., 2., 0., 0.]);
}

/// What the sketch computes of this input.
fn computed(sketch: &Sketch, input: &[f32]) -> Vec<f32> {
    let model = Model::from_graph(&sketch.import().unwrap()).unwrap();
    model.session().unwrap().run(&[input]).unwrap().remove(0)
}

/// A constant of integers or booleans of this type.
fn typed(sketch: Sketch, name: &str, dtype: DataType, data: &[i32]) -> Sketch {
    let (name, dims, int32_data) = (Some(name.into()), vec![data.len().try_into().unwrap()], data.into());
    let proto = TensorProto { name, dims, int32_data, data_type: Some(dtype), ..TensorProto::default() };
    sketch.edit(|graph| graph.initializer.push(proto))
}

#[test]
fn what_a_mask_does_not_choose_leaves_nothing() {
    let sketch = Sketch::new(13, &[2]).node("Log", "x", "l").floats("seven", &[], &[7.0]);
    let sketch = typed(sketch, "mask", DataType::BOOL, &[1, 0]).node("Where", "mask l seven", "y");
    // The second logarithm is infinite, then not a number.
    assert_eq!(computed(&sketch, &[1.0, 0.0]), [0.0, 7.0]);
    assert_eq!(computed(&sketch, &[1.0, -1.0]), [0.0, 7.0]);
    assert_eq!(computed(&sketch, &[0.0, 1.0]), [f32::NEG_INFINITY, 7.0]);
}

#[test]
fn infinities_are_told_by_their_sign() {
    let found = |attributes: &[(&str, super::sketch::Value<'_>)]| {
        let sketch = Sketch::new(13, &[3]).floats("c", &[3], &[f32::INFINITY, f32::NEG_INFINITY, 1.0]);
        let sketch = sketch.node_with("IsInf", "c", "i", attributes);
        let sketch = sketch.node_with("Cast", "i", "f", &[("to", Int(1))]).node("Add", "x f", "y");
        computed(&sketch, &[0.0; 3])
    };
    assert_eq!(found(&[]), [1.0, 1.0, 0.0]);
    assert_eq!(found(&[("detect_negative", Int(0))]), [1.0, 0.0, 0.0]);
    assert_eq!(found(&[("detect_positive", Int(0))]), [0.0, 1.0, 0.0]);
}

/// Constants forget how wide their integers are, and that decides what all bits turned are.
#[test]
fn bits_are_not_turned() {
    let sketch = typed(Sketch::new(18, &[1]), "c", DataType::UINT8, &[5]).node("BitwiseNot", "c", "i");
    let sketch = sketch.node_with("Cast", "i", "f", &[("to", Int(1))]).node("Add", "x f", "y");
    assert!(sketch.refusal().contains("BitwiseNot"), "{}", sketch.refusal());
}

#[test]
fn norms_and_sums_hold_over_the_whole_range() {
    let norm = Sketch::new(13, &[1, 2]).node("LpNormalization", "x", "y");
    for scale in [1e-45, 3e-30, 1.0, 3e30] {
        let found = computed(&norm, &[3.0 * scale, 4.0 * scale]);
        assert!((found[0] - 0.6).abs() < 1e-6 && (found[1] - 0.8).abs() < 1e-6, "{scale} {found:?}");
    }
    assert_eq!(computed(&norm, &[0.0, 0.0]), [0.0, 0.0]);
    let sum = Sketch::new(18, &[1, 2]).node("ReduceLogSumExp", "x", "y");
    assert_eq!(computed(&sum, &[f32::NEG_INFINITY; 2]), [f32::NEG_INFINITY]);
    assert_eq!(computed(&sum, &[f32::INFINITY, 0.0]), [f32::INFINITY]);
    assert_eq!(computed(&sum, &[f32::NEG_INFINITY, 2.0]), [2.0]);
}

#[test]
fn refusals_name_what_is_wrong() {
    let expand = Sketch::new(13, &[1, 1]).integers("s", &[0, 3]).node("Expand", "x s", "y");
    assert!(expand.refusal().contains("an empty result [0, 3]"), "{}", expand.refusal());
    let tile = Sketch::new(13, &[2]).integers("r", &[0]).node("Tile", "x r", "y");
    assert!(tile.refusal().contains("repeated 0 times"), "{}", tile.refusal());
    let range =
        ["a", "b", "c"].iter().fold(Sketch::new(13, &[3]), |sketch, name| sketch.integers(name, &[0]));
    let range = range.node("Range", "a b c", "r").node("Reshape", "x r", "y");
    assert!(range.refusal().contains("its step is 0"), "{}", range.refusal());
    let place = Sketch::new(13, &[2, 2]).node("SplitToSequence", "x", "s").integers("i", &[5]);
    let place = place.node("SequenceAt", "s i", "y");
    assert!(place.refusal().contains("place 5 of a sequence of 2 tensors"), "{}", place.refusal());
    let floats = Sketch::new(13, &[2]).counting("m", &[2]).node("Where", "m x x", "y");
    assert!(floats.refusal().contains("its condition holds floats"), "{}", floats.refusal());
}

/// What becomes of `x` in `[-∞, -1, -0, 0.5, 1, NaN]` where `mask` is made by these nodes, cast to float.
fn holds(nodes: &[(&str, &str, &str)]) -> Vec<f32> {
    let mut sketch = Sketch::new(13, &[6]).floats("half", &[], &[0.5]).floats("zero", &[1], &[0.0]);
    sketch = typed(sketch, "known", DataType::BOOL, &[1, 1, 1, 0, 0, 0]);
    for (operator, inputs, output) in nodes {
        sketch = sketch.node(operator, inputs, output);
    }
    let sketch = sketch.node_with("Cast", "mask", "y", &[("to", Int(1))]);
    computed(&sketch, &[f32::NEG_INFINITY, -1.0, -0.0, 0.5, 1.0, f32::NAN])
}

#[test]
fn activations_are_compared() {
    assert_eq!(holds(&[("Less", "x half", "mask")]), [1., 1., 1., 0., 0., 0.]);
    assert_eq!(holds(&[("LessOrEqual", "x half", "mask")]), [1., 1., 1., 1., 0., 0.]);
    assert_eq!(holds(&[("Greater", "x half", "mask")]), [0., 0., 0., 0., 1., 0.]);
    assert_eq!(holds(&[("GreaterOrEqual", "x half", "mask")]), [0., 0., 0., 1., 1., 0.]);
    assert_eq!(holds(&[("Equal", "x zero", "mask")]), [0., 0., 1., 0., 0., 0.]);
    assert_eq!(holds(&[("Equal", "x zero", "m"), ("Not", "m", "mask")]), [1., 1., 0., 1., 1., 1.]);
    assert_eq!(holds(&[("Equal", "x x", "mask")]), [1., 1., 1., 1., 1., 0.]);
}

#[test]
fn what_comparisons_make_is_joined() {
    let both = |operator| {
        holds(&[("Less", "x half", "a"), ("GreaterOrEqual", "x zero", "b"), (operator, "a b", "mask")])
    };
    assert_eq!(both("And"), [0., 0., 1., 0., 0., 0.]);
    assert_eq!(both("Or"), [1., 1., 1., 1., 1., 0.]);
    assert_eq!(both("Xor"), [1., 1., 0., 1., 1., 0.]);
    let constant = |operator| holds(&[("Greater", "x zero", "a"), (operator, "known a", "mask")]);
    assert_eq!(constant("And"), [0.; 6]);
    assert_eq!(constant("Or"), [1., 1., 1., 1., 1., 0.]);
}

#[test]
fn activations_are_chosen_by_comparisons() {
    let sketch = || Sketch::new(13, &[1, 4]).floats("zero", &[], &[0.0]).node("Greater", "x zero", "mask");
    let x = [-2.0, f32::INFINITY, 0.0, 3.0];
    let tenth = sketch().floats("factor", &[], &[0.5]).node("Mul", "x factor", "small");
    assert_eq!(computed(&tenth.node("Where", "mask x small", "y"), &x), [-1.0, f32::INFINITY, 0.0, 3.0]);
    // An infinite or undefined element that is not chosen leaves nothing.
    let log = sketch().node("Log", "x", "log").node("Where", "mask log zero", "y");
    assert_eq!(computed(&log, &[-1.0, 1.0, 0.0, 1.0]), [0.0; 4]);
    let filled = sketch().node("Where", "mask zero x", "y");
    assert_eq!(computed(&filled, &x), [-2.0, 0.0, 0.0, 0.0]);
    let wide = sketch().floats("rows", &[2, 1], &[0.0, 7.0]).node("Where", "mask x rows", "y");
    assert_eq!(computed(&wide, &x), [0., f32::INFINITY, 0., 3., 7., f32::INFINITY, 7., 3.]);
}

#[test]
fn booleans_of_activations_are_no_numbers() {
    let sketch = || Sketch::new(13, &[4]).floats("zero", &[], &[0.0]).node("Greater", "x zero", "mask");
    assert!(sketch().node("Relu", "mask", "y").refusal().contains("'mask' holds booleans"));
    let output = sketch().node("Not", "mask", "y").refusal();
    assert!(output.contains("the output 'y' holds booleans; cast it to float"), "{output}");
    let integer = sketch().node_with("Cast", "mask", "y", &[("to", Int(7))]).refusal();
    assert!(integer.contains("a cast of activations to integers"), "{integer}");
    assert!(sketch().node("Where", "x x zero", "y").refusal().contains("the condition must be booleans"));
    assert!(sketch().node("And", "mask x", "y").refusal().contains("its operands must be booleans"));
    let sine = sketch().node("Sin", "x", "y").refusal();
    assert!(sine.contains("of constants only") && !sine.contains("bind the input"), "{sine}");
}
