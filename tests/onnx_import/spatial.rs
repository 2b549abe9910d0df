//! Convolutions, pools, resizes and batch normalisation: geometry and order of weights.

use super::sketch::Sketch;
use super::sketch::Value::{self, Float, Int, Ints, Text};
use salto::device::kernel::params::{PoolKind, ResizeKind};
use salto::host::graph::{Conv, ConvTranspose, Op, Pool, Resize};

fn conv(sketch: &Sketch) -> Conv {
    let Op::Conv(op) = sketch.last() else { panic!("no convolution") };
    op
}

fn conv_transpose(sketch: &Sketch) -> ConvTranspose {
    let Op::ConvTranspose(op) = sketch.last() else { panic!("no transposed convolution") };
    op
}

fn pool(sketch: &Sketch) -> Pool {
    let Op::Pool(op) = sketch.last() else { panic!("no pool") };
    op
}

fn resize(sketch: &Sketch) -> Resize {
    let Op::Resize(op) = sketch.last() else { panic!("no resize") };
    op
}

#[test]
fn a_convolution_takes_its_window_from_the_attributes() {
    let attributes = [
        ("pads", Ints(&[1, 2, 3, 4])),
        ("strides", Ints(&[2, 3])),
        ("dilations", Ints(&[1, 2])),
        ("group", Int(2)),
        ("kernel_shape", Ints(&[3, 1])),
    ];
    let sketch = Sketch::new(13, &[1, 4, 9, 9]).counting("w", &[6, 2, 3, 1]).counting("b", &[6]);
    let sketch = sketch.node_with("Conv", "x w b", "y", &attributes);
    let op = conv(&sketch);
    let (y, x) = (op.window.y, op.window.x);
    assert_eq!((y.kernel, y.stride, y.dilation, y.pad_before, y.pad_after), (3, 2, 1, 1, 3));
    assert_eq!((x.kernel, x.stride, x.dilation, x.pad_before, x.pad_after), (1, 3, 2, 2, 4));
    assert_eq!(op.groups, 2);
    let graph = sketch.import().unwrap();
    assert_eq!(graph.shape(op.weight).dims(), [6, 3, 1, 2]);
    assert_eq!(graph.constant_f32(op.weight).unwrap()[..6], [0., 3., 1., 4., 2., 5.]);
    assert_eq!(graph.constant_f32(op.bias.unwrap()).unwrap(), [0., 1., 2., 3., 4., 5.]);
}

#[test]
fn automatic_padding_splits_what_is_missing() {
    let conv_of = |auto_pad| {
        let sketch = Sketch::new(13, &[1, 1, 6, 6]).counting("w", &[1, 1, 3, 3]);
        let attributes = [("auto_pad", Text(auto_pad)), ("strides", Ints(&[2, 2]))];
        conv(&sketch.node_with("Conv", "x w", "y", &attributes)).window.y
    };
    let pads = |auto_pad| (conv_of(auto_pad).pad_before, conv_of(auto_pad).pad_after);
    assert_eq!((pads("SAME_UPPER"), pads("SAME_LOWER"), pads("VALID")), ((0, 1), (1, 0), (0, 0)));
}

#[test]
fn a_convolution_computes_correlation_in_the_order_of_the_model() {
    let sketch = Sketch::new(13, &[1, 2, 2, 2]).floats("w", &[1, 2, 1, 2], &[1., 10., 100., 1000.]);
    let (dims, elements) = sketch.node("Conv", "x w", "y").run();
    assert_eq!(dims, [1, 1, 2, 1]);
    assert_eq!(elements, [0. + 10. + 400. + 5000., 2. + 30. + 600. + 7000.]);
}

#[test]
fn one_dimension_is_one_row() {
    let sketch = Sketch::new(13, &[1, 1, 4]).floats("w", &[1, 1, 2], &[1., 10.]);
    let sketch = sketch.node_with("Conv", "x w", "y", &[("pads", Ints(&[1, 0]))]);
    assert_eq!(sketch.run(), (vec![1, 1, 4], vec![0., 10., 21., 32.]));
    let pool = Sketch::new(13, &[1, 1, 4]).node_with("MaxPool", "x", "y", &[("kernel_shape", Ints(&[2]))]);
    assert_eq!(pool.run(), (vec![1, 1, 3], vec![1., 2., 3.]));
}

#[test]
fn a_transposed_convolution_turns_its_weight_and_keeps_output_padding() {
    let sketch = Sketch::new(13, &[1, 2, 3, 3]).counting("w", &[2, 3, 2, 2]);
    let attributes = [("strides", Ints(&[2, 2])), ("output_padding", Ints(&[1, 0]))];
    let sketch = sketch.node_with("ConvTranspose", "x w", "y", &attributes);
    let op = conv_transpose(&sketch);
    let graph = sketch.import().unwrap();
    assert_eq!(op.output_padding, [1, 0]);
    assert_eq!(graph.shape(op.weight).dims(), [2, 2, 2, 3]);
    assert_eq!(graph.constant_f32(op.weight).unwrap()[..6], [0., 4., 8., 1., 5., 9.]);
    assert_eq!(graph.shape(graph.outputs[0].value).dims(), [1, 7, 6, 3]);
}

#[test]
fn a_wanted_output_size_sets_the_padding() {
    let of = |attributes: &[_]| {
        let sketch = Sketch::new(13, &[1, 1, 3, 3]).counting("w", &[1, 1, 3, 3]);
        let op = conv_transpose(&sketch.node_with("ConvTranspose", "x w", "y", attributes));
        (op.window.y.pad_before, op.window.y.pad_after, op.output_padding[0])
    };
    let strides = || ("strides", Ints(&[2, 2]));
    assert_eq!(of(&[strides()]), (0, 0, 0));
    assert_eq!(of(&[strides(), ("auto_pad", Text("SAME_UPPER"))]), (0, 1, 0));
    assert_eq!(of(&[strides(), ("auto_pad", Text("SAME_LOWER"))]), (1, 0, 0));
    assert_eq!(of(&[strides(), ("output_shape", Ints(&[8, 8]))]), (0, 0, 1));
    assert_eq!(of(&[strides(), ("output_shape", Ints(&[1, 1, 5, 5]))]), (1, 1, 0));
}

#[test]
fn pools_keep_their_kind() {
    let of = |operator: &str, more: &[_]| {
        let mut attributes = vec![("kernel_shape", Ints(&[2, 2]))];
        attributes.extend(more.iter().map(|(name, value)| (*name, Int(*value))));
        pool(&Sketch::new(13, &[1, 1, 5, 5]).node_with(operator, "x", "y", &attributes))
    };
    assert_eq!(of("MaxPool", &[]).kind, PoolKind::Max);
    assert_eq!(of("AveragePool", &[]).kind, PoolKind::Average);
    assert_eq!(of("AveragePool", &[("count_include_pad", 1)]).kind, PoolKind::AveragePadded);
    assert!(of("MaxPool", &[("ceil_mode", 1)]).ceil);
}

/// The largest element of each place of a window, counted in the model's order: `[n, c, d, h, w]`.
fn solid_maxima(kernel: &[i64; 3], more: &[(&str, Value<'_>)]) -> (Vec<u32>, Vec<f32>) {
    let mut attributes = vec![("kernel_shape", Ints(kernel))];
    attributes.extend(more.iter().map(|(name, value)| (*name, value.clone())));
    Sketch::new(13, &[1, 2, 3, 2, 4]).node_with("MaxPool", "x", "y", &attributes).run()
}

#[test]
fn a_window_that_slides_along_two_of_three_dimensions_folds_the_third_away() {
    // The strides of the five dimensions are 24, 24, 8, 4, 1; the largest element of a window is its last.
    for kernel in [[2, 1, 1], [1, 2, 3], [1, 1, 2], [2, 2, 1], [3, 1, 2], [1, 1, 1]] {
        let [d, h, w] = kernel.map(|k| u16::try_from(k - 1).unwrap());
        let want = |c: u16| {
            let places = (d..3).flat_map(|z| (h..2).map(move |y| (z, y)));
            places.flat_map(move |(z, y)| (w..4).map(move |x| f32::from(24 * c + 8 * z + 4 * y + x)))
        };
        let dims = vec![1, 2, 3 - u32::from(d), 2 - u32::from(h), 4 - u32::from(w)];
        assert_eq!(solid_maxima(&kernel, &[]), (dims, want(0).chain(want(1)).collect()), "{kernel:?}");
    }
    let padded = [("pads", Ints(&[1, 0, 0, 0, 0, 0])), ("strides", Ints(&[2, 1, 1]))];
    let (dims, elements) = solid_maxima(&[2, 1, 1], &padded);
    assert_eq!((dims, elements[0], elements[8]), (vec![1, 2, 2, 2, 4], 0., 16.));
}

#[test]
fn local_response_normalisation_may_be_spelt_out() {
    let sketch = Sketch::new(13, &[1, 7, 2, 3]).integers("solid", &[1, 1, 7, 2, 3]).integers("axis", &[1]);
    let sketch = sketch.integers("pads", &[0, 0, 1, 0, 0, 0, 0, 1, 0, 0]).floats("alpha", &[], &[0.5]);
    let sketch = sketch.floats("beta", &[], &[0.75]).floats("one", &[], &[1.0]).node("Mul", "x x", "squares");
    let sketch = sketch.node("Reshape", "squares solid", "deep").node("Pad", "deep pads", "padded");
    let sketch = sketch.node_with("AveragePool", "padded", "mean", &[("kernel_shape", Ints(&[3, 1, 1]))]);
    let sketch = sketch.node("Squeeze", "mean axis", "flat").node("Mul", "flat alpha", "part");
    let sketch = sketch.node("Add", "part one", "sum").node("Pow", "sum beta", "root");
    let (dims, spelt) = sketch.node("Div", "x root", "y").run();
    let attributes = [("size", Int(3)), ("alpha", Float(0.5)), ("beta", Float(0.75)), ("bias", Float(1.0))];
    let (same, whole) = Sketch::new(13, &[1, 7, 2, 3]).node_with("LRN", "x", "y", &attributes).run();
    assert_eq!(dims, same);
    assert!(spelt.iter().zip(&whole).all(|(a, b)| (a - b).abs() <= 1e-5 * b.abs()), "{spelt:?} {whole:?}");
}

#[test]
fn windows_that_slide_along_three_dimensions_are_refused_by_name() {
    let of = |kernel: &[i64], more| {
        let attributes = [("kernel_shape", Ints(kernel)), more];
        Sketch::new(13, &[1, 2, 3, 3, 3]).node_with("AveragePool", "x", "y", &attributes).refusal()
    };
    let slides = of(&[2, 2, 2], ("ceil_mode", Int(0)));
    assert!(slides.contains("3 spatial dimensions") && slides.contains("at most two"), "{slides}");
    assert!(of(&[2, 1, 1], ("strides", Ints(&[1, 2, 2]))).contains("3 spatial dimensions"));
    assert!(of(&[2, 1, 1], ("pads", Ints(&[1, 1]))).contains("the window has 3 dimensions"));
    assert!(of(&[2, 2], ("ceil_mode", Int(0))).contains("the window has 3 dimensions"));
}

#[test]
fn means_of_pictures_are_global_pools() {
    let sketch = Sketch::new(13, &[1, 2, 1, 2]);
    let attributes = [("axes", Ints(&[2, -1])), ("keepdims", Int(0))];
    let sketch = sketch.node_with("ReduceMean", "x", "y", &attributes);
    assert_eq!(sketch.operators()[0], "GlobalPool");
    assert_eq!(sketch.run(), (vec![1, 2], vec![0.5, 2.5]));
    let global = Sketch::new(13, &[1, 2, 1, 2]).node("GlobalMaxPool", "x", "y");
    assert_eq!(global.run(), (vec![1, 2, 1, 1], vec![1., 3.]));
}

#[test]
fn reductions_of_other_axes_are_pools_of_a_view() {
    let channels = Sketch::new(18, &[1, 2, 1, 2]).integers("axes", &[1]).node("ReduceSum", "x axes", "y");
    assert_eq!(channels.run(), (vec![1, 1, 1, 2], vec![2., 4.]));
    let rows = Sketch::new(18, &[2, 3]).integers("axes", &[0]);
    let rows = rows.node_with("ReduceMax", "x axes", "y", &[("keepdims", Int(0))]);
    assert_eq!(rows.run(), (vec![3], vec![3., 4., 5.]));
}

#[test]
fn batch_normalisation_takes_channels() {
    let sketch = Sketch::new(15, &[1, 2, 1, 1]).floats("ones", &[2], &[1.; 2]).floats("b", &[2], &[1., 2.]);
    let attributes = [("epsilon", Float(3.0))];
    let sketch = sketch.node_with("BatchNormalization", "x ones b b ones", "y", &attributes);
    assert_eq!(sketch.operators(), ["BatchNorm"]);
    // (0 − 1) / √4 + 1, (1 − 2) / √4 + 2
    assert_eq!(sketch.run().1, [0.5, 1.5]);
    let line = Sketch::new(15, &[1, 2, 2]).floats("ones", &[2], &[1.; 2]).floats("b", &[2], &[1., 2.]);
    let line = line.node_with("BatchNormalization", "x ones b b ones", "y", &attributes);
    assert_eq!(line.operators(), ["Transpose", "BatchNorm", "Transpose"]);
    assert_eq!(line.run().1, [0.5, 1.0, 2.0, 2.5]);
}

#[test]
fn resizes_map_places() {
    let of = |mode: &'static str, coordinates: &'static str| {
        let sketch = Sketch::new(13, &[1, 1, 2, 3]).integers("sizes", &[1, 1, 4, 6]);
        let attributes = [
            ("mode", Text(mode)),
            ("coordinate_transformation_mode", Text(coordinates)),
            ("nearest_mode", Text("floor")),
        ];
        resize(&sketch.node_with("Resize", "x _ _ sizes", "y", &attributes))
    };
    let half_pixel = of("linear", "half_pixel");
    assert_eq!((half_pixel.height, half_pixel.width), (4, 6));
    assert_eq!((half_pixel.scale, half_pixel.offset), ([0.5; 2], [-0.25; 2]));
    assert_eq!(half_pixel.kind, ResizeKind::Bilinear);
    let corners = of("linear", "align_corners");
    assert_eq!((corners.scale, corners.offset), ([1.0 / 3.0, 0.4], [0.0; 2]));
    let nearest = of("nearest", "asymmetric");
    assert_eq!((nearest.scale, nearest.kind), ([0.5; 2], ResizeKind::NearestFloor));
}

#[test]
fn old_upsampling_takes_scales() {
    let scales = [1.0, 1.0, 2.0, 2.0];
    let upsample = Sketch::new(9, &[1, 1, 1, 2]).floats("s", &[4], &scales).node("Upsample", "x s", "y");
    assert_eq!(upsample.run(), (vec![1, 1, 2, 4], vec![0., 0., 1., 1., 0., 0., 1., 1.]));
    let resize = Sketch::new(10, &[1, 1, 1, 2]).floats("s", &[4], &scales).node("Resize", "x s", "y");
    assert_eq!(resize.run().1, upsample.run().1);
}

#[test]
fn places_between_two_pixels_round_as_the_mode_says() {
    let of = |nearest_mode: &'static str| {
        let sketch = Sketch::new(13, &[1, 1, 1, 2]).integers("sizes", &[1, 1, 1, 7]);
        sketch.node_with("Resize", "x _ _ sizes", "y", &[("nearest_mode", Text(nearest_mode))]).run().1
    };
    // Output 3 of 7 lies at (3 + ½)·2/7 − ½ = ½.
    assert_eq!(of("round_prefer_floor"), [0., 0., 0., 0., 1., 1., 1.]);
    assert_eq!(of("round_prefer_ceil"), [0., 0., 0., 1., 1., 1., 1.]);
}

/// `[0, 1, 2, 3]` resized to two or three elements.
fn resized(size: i64, more: &[(&str, Value<'_>)]) -> Vec<f32> {
    let sketch = Sketch::new(19, &[1, 1, 4]).integers("size", &[size]).floats("roi", &[2], &[0.0, 2.0]);
    let mut attributes = vec![("axes", Ints(&[2]))];
    attributes.extend(more.iter().map(|(name, value)| (*name, value.clone())));
    sketch.node_with("Resize", "x roi _ size", "y", &attributes).run().1
}

#[test]
fn cubic_and_antialiased_resizes_weigh_their_neighbours() {
    // Places ½ and 2½: Keys' function with A = −¾ is 0.59375 at ½ and −0.09375 at 1½; beyond lies the edge, or nothing.
    assert_eq!(resized(2, &[("mode", Text("cubic"))]), [0.40625, 2.59375]);
    let inside = resized(2, &[("mode", Text("cubic")), ("exclude_outside", Int(1))]);
    assert!((inside[0] - 0.40625 / (1.0 + 0.09375)).abs() < 1e-6);
    // A reduction by two stretches the triangle to ±2: weights ½ (with the edge), ⅜, ⅛.
    assert_eq!(resized(2, &[("mode", Text("linear")), ("antialias", Int(1))]), [0.625, 2.375]);
}

#[test]
fn a_crop_is_filled_where_the_input_ends() {
    let crop = [
        ("mode", Text("linear")),
        ("coordinate_transformation_mode", Text("tf_crop_and_resize")),
        ("extrapolation_value", Float(7.0)),
    ];
    assert_eq!(resized(3, &crop), [0., 3., 7.]);
}

#[test]
fn one_factor_keeps_the_shape_of_the_picture() {
    let of = |policy: &'static str| {
        let sketch = Sketch::new(18, &[1, 1, 2, 4]).integers("sizes", &[7, 8]);
        let attributes = [("axes", Ints(&[2, 3])), ("keep_aspect_ratio_policy", Text(policy))];
        sketch.node_with("Resize", "x _ _ sizes", "y", &attributes).run().0
    };
    assert_eq!(of("not_larger"), [1, 1, 4, 8]);
    assert_eq!(of("not_smaller"), [1, 1, 7, 14]);
    assert_eq!(of("stretch"), [1, 1, 7, 8]);
}

#[test]
fn channels_are_not_resized() {
    let sketch = Sketch::new(18, &[1, 2, 2, 2]).integers("sizes", &[1, 4, 2, 2]);
    assert!(sketch.node("Resize", "x _ _ sizes", "y").refusal().contains("a resize of batch or channels"));
}
