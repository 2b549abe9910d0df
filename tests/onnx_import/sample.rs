//! Models that hold many families of operators: what mutated files begin as.

use super::sketch::Sketch;
use super::sketch::Value::{Float, Int, Ints, Text};

/// A model with many families in it.
pub(crate) fn rich() -> Vec<u8> {
    let sketch = Sketch::new(13, &[1, 2, 6, 6]).counting("w", &[4, 2, 3, 3]).counting("t", &[4, 2, 2, 2]);
    let sketch = sketch.floats("four", &[4], &[1.0; 4]).integers("pads", &[0, 0, 1, 1, 0, 0, 0, 0]);
    let sketch = sketch.integers("sizes", &[1, 2, 9, 9]).integers("rest", &[-1]).counting("g", &[162, 3]);
    let sketch = sketch.integers("from", &[0, 1]).integers("to", &[4, 5]).integers("one", &[1]);
    let sketch = sketch.node_with("Conv", "x w", "a", &[("pads", Ints(&[1, 1, 1, 1])), ("group", Int(1))]);
    let sketch =
        sketch.node_with("BatchNormalization", "a four four four four", "b", &[("epsilon", Float(0.1))]);
    let sketch = sketch.node_with("Pad", "b pads", "p", &[("mode", Text("reflect"))]).node_with(
        "MaxPool",
        "p",
        "m",
        &[("kernel_shape", Ints(&[2, 2]))],
    );
    let sketch = sketch.node_with("Split", "m", "s1 s2", &[("axis", Int(1))]);
    let sketch = sketch.node_with("Concat", "s1 s2", "c", &[("axis", Int(1))]);
    let sketch = sketch.node_with("ConvTranspose", "c t", "d", &[("auto_pad", Text("SAME_UPPER"))]);
    let sketch = sketch.node_with("Resize", "d _ _ sizes", "large", &[("mode", Text("cubic"))]);
    let sketch = sketch.integers("rows", &[0, 2, 1]).integers("times", &[1, 1, 1, 2]);
    let sketch = sketch.node_with("Gather", "large rows", "some", &[("axis", Int(2))]).node(
        "Tile",
        "some times",
        "wide",
    );
    let smooth = [("mode", Text("linear")), ("antialias", Int(1))];
    let sketch = sketch.node_with("Resize", "wide _ _ sizes", "r", &smooth);
    let sketch = sketch.node("Shape", "r", "dims").node("Gather", "dims rest", "last");
    let sketch =
        sketch.node_with("Concat", "one rest", "shape", &[("axis", Int(0))]).node("Mul", "last one", "_");
    let sketch = sketch.node("Reshape", "r shape", "flat").node("MatMul", "flat g", "h");
    let sketch = sketch.node("Slice", "h one to one", "part").node_with(
        "ReduceMean",
        "h",
        "mean",
        &[("axes", Ints(&[1]))],
    );
    sketch.node("Sub", "h mean", "n").node("Softmax", "n", "y").node("Identity", "part", "same").bytes()
}

/// A model that folds shapes and grids to constants.
#[allow(dead_code, reason = "not every test that has this file needs it")]
pub(crate) fn constants() -> Vec<u8> {
    let sketch =
        Sketch::new(13, &[1, 2, 4, 4]).integers("zero", &[0]).integers("four", &[4]).integers("one", &[1]);
    let sketch =
        sketch.integers("dims", &[1, 2, 4, 4]).counting("grid", &[4]).integers("times", &[1, 1, 1, 2]);
    let sketch = sketch.node("ConstantOfShape", "dims", "zeros").node("Expand", "grid dims", "wide");
    let sketch = sketch.node("Add", "wide zeros", "sum").node("Add", "x sum", "a");
    sketch.node("Tile", "a times", "b").node("Relu", "b", "y").bytes()
}

/// A model with weights so large that they stay in its file.
#[allow(dead_code, reason = "not every test that has this file needs it")]
pub(crate) fn large() -> Vec<u8> {
    let numbers: Vec<f32> = (0..64 * 64 * 9).map(|i| (i % 23) as f32 / 23.0 - 0.5).collect();
    let sketch = Sketch::new(13, &[1, 64, 6, 6]).raw("w", &[64, 64, 3, 3], &numbers);
    let sketch =
        sketch.raw("t", &[64, 64, 2, 2], &numbers[..64 * 64 * 4]).floats("scale", &[64], &numbers[..64]);
    let sketch = sketch.floats("one", &[64], &[1.0; 64]).raw("d", &[256, 64], &numbers[..256 * 64]);
    let sketch = sketch.node_with("Conv", "x w", "a", &[("pads", Ints(&[1, 1, 1, 1]))]);
    let sketch = sketch.node("BatchNormalization", "a scale scale scale one", "b").node("Relu", "b", "r");
    let sketch = sketch.node_with("ConvTranspose", "r t", "u", &[("strides", Ints(&[2, 2]))]);
    let sketch =
        sketch.node_with("MaxPool", "u", "p", &[("kernel_shape", Ints(&[6, 6])), ("strides", Ints(&[6, 6]))]);
    sketch.node("Flatten", "p", "f").node("MatMul", "f d", "y").bytes()
}
