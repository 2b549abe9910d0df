//! `Resize` (since 10, 11, 13, 18, 19) and `Upsample` (7, 9) of rows and columns. Nearest and linear ones have a kernel of their
//! own; all others become tables of weights (`taps`).

use crate::device::kernel::params::ResizeKind;
use crate::host::Result;
use crate::host::graph::{Interpolate, Op, Resize, ValueId};

use super::super::context::Context;
use super::super::model::Node;
use super::super::number::{narrow, size, wide};
use super::taps::{Axis, Rounding, Weighing};
use super::window::{picture, unpicture};
use super::{Operand, Operator, axes_of, count, invalid, unsupported};

pub(super) const OPERATORS: &[Operator] =
    &[Operator::new("Resize", resize).checked(check), Operator::new("Upsample", resize).checked(check)];

/// How an output's place becomes one of the input (ONNX `coordinate_transformation_mode`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Coordinates {
    HalfPixel,
    HalfPixelSymmetric,
    /// As `HalfPixel`, but 0 where the output has one element.
    PytorchHalfPixel,
    AlignCorners,
    Asymmetric,
    /// `(o + ½) / scale`, for the nearest pixel.
    TfHalfPixelForNn,
    /// Corners are aligned to those of a region, in parts of the input; outside the input lies a value.
    TfCropAndResize,
}

/// How wanted sizes become those of the output (ONNX `keep_aspect_ratio_policy`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum AspectRatio {
    Stretch,
    NotLarger,
    NotSmaller,
}

/// What the attributes say.
struct Attributes {
    weighing: Weighing,
    coordinates: Coordinates,
    antialias: bool,
    exclude_outside: bool,
    extrapolation: f32,
    aspect_ratio: AspectRatio,
}

fn attributes(node: &Node<'_>) -> Result<Attributes> {
    // Operator sets before 11 knew one way of each mode.
    let since_11 = node.operator() == "Resize" && node.opset >= 11;
    let coordinates = match node.text("coordinate_transformation_mode", "half_pixel")? {
        _ if !since_11 => Coordinates::Asymmetric,
        "half_pixel" => Coordinates::HalfPixel,
        "half_pixel_symmetric" => Coordinates::HalfPixelSymmetric,
        "pytorch_half_pixel" => Coordinates::PytorchHalfPixel,
        "align_corners" => Coordinates::AlignCorners,
        "asymmetric" => Coordinates::Asymmetric,
        "tf_half_pixel_for_nn" => Coordinates::TfHalfPixelForNn,
        "tf_crop_and_resize" => Coordinates::TfCropAndResize,
        other => return Err(unsupported(format!("coordinate_transformation_mode is '{other}'"))),
    };
    let weighing = match (node.text("mode", "nearest")?, node.text("nearest_mode", "round_prefer_floor")?) {
        ("linear" | "bilinear", _) => Weighing::Linear,
        ("cubic", _) => Weighing::Cubic(f64::from(node.float("cubic_coeff_a", -0.75)?)),
        ("nearest", _) if !since_11 => Weighing::Nearest(Rounding::Floor),
        ("nearest", "round_prefer_floor") => Weighing::Nearest(Rounding::PreferFloor),
        ("nearest", "round_prefer_ceil") => Weighing::Nearest(Rounding::PreferCeil),
        ("nearest", "floor") => Weighing::Nearest(Rounding::Floor),
        ("nearest", "ceil") => Weighing::Nearest(Rounding::Ceil),
        ("nearest", other) => return Err(unsupported(format!("nearest_mode is '{other}'"))),
        (mode, _) => {
            let remedy = "resize with mode 'nearest', 'linear' (PyTorch: 'bilinear') or 'cubic'";
            return Err(unsupported(format!("mode is '{mode}'")).remedy(remedy));
        }
    };
    let aspect_ratio = match node.text("keep_aspect_ratio_policy", "stretch")? {
        "stretch" => AspectRatio::Stretch,
        "not_larger" => AspectRatio::NotLarger,
        "not_smaller" => AspectRatio::NotSmaller,
        policy => return Err(unsupported(format!("keep_aspect_ratio_policy is '{policy}'"))),
    };
    Ok(Attributes {
        weighing,
        coordinates,
        antialias: node.flag("antialias", false)?,
        exclude_outside: node.flag("exclude_outside", false)?,
        extrapolation: node.float("extrapolation_value", 0.0)?,
        aspect_ratio,
    })
}

fn check(node: &Node<'_>) -> Result<()> {
    attributes(node).map(drop)
}

fn resize(cx: &mut Context<'_, '_>) -> Result<Vec<Operand>> {
    let attributes = attributes(cx.node)?;
    let operand = cx.operand(0)?;
    let dims = cx.dims(&operand);
    if !(3..=4).contains(&dims.len()) {
        let reason = format!("its input has {} dimensions", dims.len());
        return Err(unsupported(reason).remedy("resize tensors of three or four dimensions"));
    }
    let axes = axes(cx, &attributes, &dims)?;
    let (x, rank) = picture(cx, &operand)?;
    let input = cx.value(&x)?;
    let op = match quick_kind(&attributes) {
        Some(kind) => quick(input, kind, &axes),
        None => by_tables(cx, input, &axes, attributes.extrapolation)?,
    };
    let value = cx.emit(op)?;
    Ok(vec![unpicture(cx, Operand::Value(value), rank)?])
}

/// The kind of resize that has a kernel without tables, if this is one. Linear weights of elements beyond the input go to its
/// edge whether or not they are left out.
const fn quick_kind(attributes: &Attributes) -> Option<ResizeKind> {
    if matches!(attributes.coordinates, Coordinates::TfCropAndResize) {
        return None;
    }
    Some(match attributes.weighing {
        Weighing::Linear if attributes.antialias => return None,
        Weighing::Cubic(_) => return None,
        Weighing::Linear => ResizeKind::Bilinear,
        Weighing::Nearest(Rounding::PreferFloor) => ResizeKind::NearestPreferFloor,
        Weighing::Nearest(Rounding::PreferCeil) => ResizeKind::NearestPreferCeil,
        Weighing::Nearest(Rounding::Floor) => ResizeKind::NearestFloor,
        Weighing::Nearest(Rounding::Ceil) => ResizeKind::NearestCeil,
    })
}

fn quick(input: ValueId, kind: ResizeKind, axes: &[Axis; 2]) -> Op {
    let scale = [0, 1].map(|k| narrow(axes[k].scale));
    let offset = [0, 1].map(|k| narrow(axes[k].offset + nudge(kind, axes[k].input)));
    Op::Resize(Resize { input, kind, height: axes[0].output, width: axes[1].output, scale, offset })
}

fn by_tables(cx: &mut Context<'_, '_>, input: ValueId, axes: &[Axis; 2], fill: f32) -> Result<Op> {
    let [y, x] = axes;
    let mut table = |axis: &Axis, role: &str| {
        cx.charge(&[axis.output, axis.most_taps().saturating_add(1)])?;
        cx.store(&axis.table()?, &[], role)
    };
    let (rows, columns) = (table(y, "rows")?, table(x, "columns")?);
    Ok(Op::Interpolate(Interpolate { input, rows, columns, fill }))
}

/// The axes of rows and of columns; one row where the input has three dimensions.
fn axes(cx: &Context<'_, '_>, attributes: &Attributes, dims: &[u32]) -> Result<[Axis; 2]> {
    let scaling = scaling(cx, attributes, dims)?;
    let region = region(cx, attributes, dims.len())?;
    let axis = |axis: usize| {
        let (input, (output, factor)) = (dims[axis], scaling[axis]);
        let (scale, offset) = match attributes.coordinates {
            Coordinates::TfCropAndResize => cropped(region[axis], input, output),
            coordinates => place(coordinates, input, output, factor),
        };
        Axis { input, output, factor, scale, offset, ..the_one_row(attributes) }
    };
    Ok(match dims.len() {
        3 => [the_one_row(attributes), axis(2)],
        _ => [axis(2), axis(3)],
    })
}

/// An axis of one element that stays as it is.
const fn the_one_row(attributes: &Attributes) -> Axis {
    Axis {
        input: 1,
        output: 1,
        factor: 1.0,
        scale: 1.0,
        offset: 0.0,
        weighing: attributes.weighing,
        antialias: attributes.antialias,
        exclude_outside: attributes.exclude_outside,
        cropped: matches!(attributes.coordinates, Coordinates::TfCropAndResize),
    }
}

/// The axes that scales, sizes and regions are given for.
fn given_axes(cx: &Context<'_, '_>, rank: usize) -> Result<Vec<usize>> {
    match cx.node.ints("axes")? {
        Some(axes) => axes_of(axes, rank),
        None => Ok((0..rank).collect()),
    }
}

/// Size of the output and factor of each axis. They are given as factors or as sizes, for all axes or for some; batch and
/// channels must stay.
fn scaling(cx: &Context<'_, '_>, attributes: &Attributes, dims: &[u32]) -> Result<Vec<(u32, f64)>> {
    let (factors, sizes) = match (cx.node.operator(), cx.node.opset) {
        ("Upsample", ..9) => (cx.node.floats("scales")?.map(Into::into), None),
        ("Upsample", _) | (_, ..11) => (cx.floats(1)?, None),
        _ => (cx.floats(2)?, cx.integers(3)?),
    };
    let axes = given_axes(cx, dims.len())?;
    let given = |len: usize| match len == axes.len() {
        true => Ok(()),
        false => Err(invalid(format!("{len} factors or sizes for {} axes", axes.len()))),
    };
    let mut scaling: Vec<(u32, f64)> = dims.iter().map(|&dim| (dim, 1.0)).collect();
    if let Some(sizes) = sizes.filter(|sizes| !sizes.is_empty()) {
        given(sizes.len())?;
        let factors = axes.iter().zip(&sizes).map(|(&axis, &len)| wide(len) / f64::from(dims[axis]));
        let common = match attributes.aspect_ratio {
            AspectRatio::Stretch => None,
            AspectRatio::NotLarger => factors.reduce(f64::min),
            AspectRatio::NotSmaller => factors.reduce(f64::max),
        };
        for (&axis, len) in axes.iter().zip(sizes) {
            let dim = f64::from(dims[axis]);
            scaling[axis] = match common {
                Some(factor) => (size((factor * dim + 0.5).floor()), factor),
                None => (count(len, "a size")?, wide(len) / dim),
            };
        }
    } else if let Some(factors) = factors.filter(|factors| !factors.is_empty()) {
        given(factors.len())?;
        for (&axis, factor) in axes.iter().zip(factors) {
            if !(factor.is_finite() && factor > 0.0) {
                return Err(invalid(format!("a scale is {factor}")));
            }
            let factor = f64::from(factor);
            scaling[axis] = (size((f64::from(dims[axis]) * factor).floor()), factor);
        }
    } else {
        return Err(invalid("neither scales nor sizes are given"));
    }
    match scaling.iter().zip(dims).take(2).all(|(&(len, factor), &dim)| len == dim && factor == 1.0) {
        true => Ok(scaling),
        false => Err(unsupported("a resize of batch or channels").remedy("resize rows and columns only")),
    }
}

/// The region of each axis that is resized, in parts of the input (`roi`).
fn region(cx: &Context<'_, '_>, attributes: &Attributes, rank: usize) -> Result<Vec<[f64; 2]>> {
    let mut region = vec![[0.0, 1.0]; rank];
    if attributes.coordinates != Coordinates::TfCropAndResize {
        return Ok(region);
    }
    let given = cx.floats(1)?.ok_or_else(|| invalid("the region of interest is missing"))?;
    let axes = given_axes(cx, rank)?;
    if given.len() != 2 * axes.len() || !given.iter().all(|limit| limit.is_finite()) {
        return Err(invalid(format!("a region of interest {given:?} for {} axes", axes.len())));
    }
    for (k, &axis) in axes.iter().enumerate() {
        region[axis] = [f64::from(given[k]), f64::from(given[k + axes.len()])];
    }
    Ok(region)
}

/// Scale and offset of a region whose first and last place are the first and last output element.
fn cropped([start, end]: [f64; 2], input: u32, output: u32) -> (f64, f64) {
    let last = f64::from(input) - 1.0;
    match output {
        ..2 => (0.0, (start + end) / 2.0 * last),
        _ => ((end - start) * last / (f64::from(output) - 1.0), start * last),
    }
}

/// What is added to the offset so that a place exactly between two pixels, or exactly on one, is rounded as the kind says even
/// after the roundings of `o·scale + offset` in `f32`. These are below `3·2⁻²⁴·input`; the places next to a tie are much farther
/// away, `1 / (2·output)` or more for any resize that a size describes.
fn nudge(kind: ResizeKind, input: u32) -> f64 {
    let nudge = f64::from(input) / f64::from(1 << 21);
    match kind {
        ResizeKind::NearestPreferFloor | ResizeKind::NearestCeil => -nudge,
        ResizeKind::NearestPreferCeil | ResizeKind::NearestFloor => nudge,
        ResizeKind::Bilinear => 0.0,
    }
}

/// Scale and offset with which output index `o` reads input place `o·scale + offset`.
fn place(coordinates: Coordinates, input: u32, output: u32, factor: f64) -> (f64, f64) {
    let (len, step) = (f64::from(input), 1.0 / factor);
    let half_pixel = (step, step / 2.0 - 0.5);
    match coordinates {
        Coordinates::HalfPixel => half_pixel,
        Coordinates::PytorchHalfPixel if output > 1 => half_pixel,
        Coordinates::AlignCorners if output > 1 => ((len - 1.0) / (f64::from(output) - 1.0), 0.0),
        Coordinates::PytorchHalfPixel | Coordinates::AlignCorners => (0.0, 0.0),
        Coordinates::Asymmetric => (step, 0.0),
        Coordinates::TfHalfPixelForNn => (step, step / 2.0),
        Coordinates::TfCropAndResize => cropped([0.0, 1.0], input, output),
        Coordinates::HalfPixelSymmetric => {
            // The output's length is cut to an integer; its middle stays over the input's.
            let cut = f64::from(output) / (factor * len);
            (step, step / 2.0 - 0.5 + len / 2.0 * (1.0 - cut))
        }
    }
}
