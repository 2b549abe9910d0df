//! Normalisations by the data's own statistics.

use super::sketch::Sketch;
use super::sketch::Value::{Float, Int, Ints};
use salto::device::program::record::OpCode;
use salto::host::Model;
use salto::host::optimize::optimize;

#[track_caller]
fn close((found, dims): (Vec<f32>, &[u32]), (own, want): (Vec<u32>, &[f32])) {
    assert_eq!(own, dims);
    assert!(found.iter().zip(want).all(|(a, b)| (a - b).abs() < 1e-4), "{found:?} is not {want:?}");
}

/// The operators of the program after optimisation.
fn steps(sketch: &Sketch) -> Vec<OpCode> {
    let mut graph = sketch.import().unwrap();
    optimize(&mut graph).unwrap();
    let model = Model::from_graph(&graph).unwrap();
    model.program().steps().map(|step| step.operator()).collect()
}

#[test]
fn layers_are_normalised_from_an_axis_on() {
    let layer = |rank: &[i64], axis: i64, scale: &[i64]| {
        let sketch = Sketch::new(17, rank).counting("s", scale).counting("b", scale);
        let attributes = [("axis", Int(axis)), ("epsilon", Float(0.0))];
        sketch.node_with("LayerNormalization", "x s b", "y", &attributes).run()
    };
    // A row of two is -1 and 1.
    let (dims, found) = layer(&[2, 2], -1, &[2]);
    close((found, &[2, 2]), (dims, &[0., 2., 0., 2.]));
    let (dims, found) = layer(&[1, 2, 1, 2], -1, &[2]);
    close((found, &[1, 2, 1, 2]), (dims, &[0., 2., 0., 2.]));
    // 0, 1, 2, 3 have the deviation 1.118.
    let (dims, found) = layer(&[1, 2, 1, 2], 1, &[2, 1, 2]);
    close((found, &[1, 2, 1, 2]), (dims, &[0., 1. - 0.447_21, 2. + 2. * 0.447_21, 3. + 3. * 1.341_64]));
    let (dims, found) = layer(&[1, 1, 2, 2], 2, &[2, 2]);
    close((found, &[1, 1, 2, 2]), (dims, &[0., 1. - 0.447_21, 2. + 2. * 0.447_21, 3. + 3. * 1.341_64]));
}

#[test]
fn channels_and_groups_are_normalised() {
    let instance = |dims: &[i64]| {
        let sketch = Sketch::new(13, dims).floats("s", &[2], &[1., 2.]).floats("b", &[2], &[0., 5.]);
        sketch.node_with("InstanceNormalization", "x s b", "y", &[("epsilon", Float(0.0))]).run()
    };
    for dims in [&[1, 2, 2][..], &[1, 2, 1, 2], &[1, 2, 1, 1, 2]] {
        let (_, found) = instance(dims);
        close((found, &[]), (vec![], &[-1., 1., 3., 7.]));
    }
    let group = |opset, scale: &[f32]| {
        let len = i64::try_from(scale.len()).unwrap();
        let sketch = Sketch::new(opset, &[1, 4, 1, 1]).floats("s", &[len], scale).floats("b", &[len], scale);
        let attributes = [("num_groups", Int(2)), ("epsilon", Float(0.0))];
        sketch.node_with("GroupNormalization", "x s b", "y", &attributes).run().1
    };
    close((group(18, &[1., 2.]), &[]), (vec![], &[0., 2., 0., 4.]));
    close((group(21, &[1., 2., 3., 4.]), &[]), (vec![], &[0., 4., 0., 8.]));
    let mean = Sketch::new(13, &[1, 2, 1, 2]).node_with(
        "MeanVarianceNormalization",
        "x",
        "y",
        &[("axes", Ints(&[0, 2, 3]))],
    );
    close((mean.run().1, &[]), (vec![], &[-1., 1., -1., 1.]));
}

#[test]
fn group_normalisation_in_old_words_is_one_step() {
    let sketch = Sketch::new(17, &[2, 3, 4, 5]).counting("w", &[12, 3, 1, 1]).integers("rows", &[0, 3, -1]);
    let sketch = sketch.floats("one", &[3], &[1.0; 3]).floats("zero", &[3], &[0.0; 3]);
    let sketch = sketch.counting("s", &[12, 1, 1]).counting("b", &[12, 1, 1]);
    let sketch = sketch.node("Conv", "x w", "c").node("Reshape", "c rows", "r");
    let sketch = sketch.node("InstanceNormalization", "r one zero", "i").node("Shape", "c", "shape");
    let sketch = sketch.node("Reshape", "i shape", "n").node("Mul", "n s", "m").node("Add", "m b", "a");
    assert_eq!(steps(&sketch.node("Relu", "a", "y")), [OpCode::Conv, OpCode::Normalize]);
}

#[test]
fn channels_that_move_to_the_end_and_back_do_not_move() {
    let sketch = Sketch::new(17, &[1, 3, 4, 5]).counting("w", &[6, 3, 1, 1]).counting("s", &[6]);
    let sketch =
        sketch.node("Conv", "x w", "c").node_with("Transpose", "c", "t", &[("perm", Ints(&[0, 2, 3, 1]))]);
    let sketch = sketch.node("LayerNormalization", "t s", "n");
    let sketch = sketch.node_with("Transpose", "n", "y", &[("perm", Ints(&[0, 3, 1, 2]))]);
    assert_eq!(steps(&sketch), [OpCode::Conv, OpCode::Normalize]);
}

#[test]
fn local_response_is_normalised_across_channels() {
    // 0, 1, 2, 3 in four channels; two neighbours each, one behind.
    let attributes = [("size", Int(2)), ("alpha", Float(2.0)), ("beta", Float(1.0)), ("bias", Float(1.0))];
    let found = Sketch::new(13, &[1, 4, 1, 1]).node_with("LRN", "x", "y", &attributes).run().1;
    close((found, &[]), (vec![], &[0., 1. / 6., 2. / 14., 3. / 10.]));
    let flat = Sketch::new(13, &[1, 4]).node_with("LRN", "x", "y", &attributes).run().1;
    close((flat, &[]), (vec![], &[0., 1. / 6., 2. / 14., 3. / 10.]));
}

#[test]
fn norms_of_a_power() {
    let unit = Sketch::new(13, &[2, 2]).node("LpNormalization", "x", "y").run().1;
    close((unit, &[]), (vec![], &[0., 1., 0.554_7, 0.832_05]));
    let zero = Sketch::new(13, &[1]).node("LpNormalization", "x", "y").run().1;
    assert_eq!(zero, [0.0]);
    let global = Sketch::new(13, &[1, 1, 1, 4]).node_with("GlobalLpPool", "x", "y", &[("p", Int(1))]).run();
    assert_eq!(global, (vec![1, 1, 1, 1], vec![6.0]));
    let windows = [("kernel_shape", Ints(&[1, 2]))];
    let pool = Sketch::new(13, &[1, 1, 1, 3]).node_with("LpPool", "x", "y", &windows).run().1;
    close((pool, &[]), (vec![], &[1., 5f32.sqrt()]));
}
