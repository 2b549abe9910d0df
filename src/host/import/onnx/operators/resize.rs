//! `Resize` (since 10, 11, 13, 18, 19) and `Upsample` (7, 9) of rows and columns.

use crate::device::kernel::params::ResizeKind;
use crate::host::Result;
use crate::host::graph::{Op, Resize};

use super::super::context::Context;
use super::super::model::Node;
use super::super::number::{narrow, size, wide};
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
}

/// What the attributes say.
struct Attributes {
    kind: ResizeKind,
    coordinates: Coordinates,
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
        other => return Err(unsupported(format!("coordinate_transformation_mode is '{other}'"))),
    };
    let kind = match (node.text("mode", "nearest")?, node.text("nearest_mode", "round_prefer_floor")?) {
        ("linear" | "bilinear", _) => ResizeKind::Bilinear,
        ("nearest", _) if !since_11 => ResizeKind::NearestFloor,
        ("nearest", "round_prefer_floor") => ResizeKind::NearestPreferFloor,
        ("nearest", "round_prefer_ceil") => ResizeKind::NearestPreferCeil,
        ("nearest", "floor") => ResizeKind::NearestFloor,
        ("nearest", "ceil") => ResizeKind::NearestCeil,
        ("nearest", other) => return Err(unsupported(format!("nearest_mode is '{other}'"))),
        (mode, _) => {
            let remedy = "resize with mode 'nearest' or 'linear' (PyTorch: 'bilinear')";
            return Err(unsupported(format!("mode is '{mode}'")).remedy(remedy));
        }
    };
    if node.flag("antialias", false)? {
        return Err(unsupported("antialias is 1").remedy("resize without antialiasing"));
    }
    match node.text("keep_aspect_ratio_policy", "stretch")? {
        "stretch" => Ok(Attributes { kind, coordinates }),
        policy => Err(unsupported(format!("keep_aspect_ratio_policy is '{policy}'"))),
    }
}

fn check(node: &Node<'_>) -> Result<()> {
    attributes(node).map(drop)
}

fn resize(cx: &mut Context<'_, '_>) -> Result<Vec<Operand>> {
    let Attributes { kind, coordinates } = attributes(cx.node)?;
    let x = cx.operand(0)?;
    let &[_, _, h, w] = &*cx.dims(&x) else {
        return Err(unsupported("its input is no picture").remedy("resize tensors of four dimensions"));
    };
    let scaling = scaling(cx, [h, w])?;
    let [(height, y), (width, x_scale)] = scaling;
    let ((scale_y, offset_y), (scale_x, offset_x)) =
        (place(coordinates, h, height, y), place(coordinates, w, width, x_scale));
    let scale = [narrow(scale_y), narrow(scale_x)];
    let offset = [narrow(offset_y + nudge(kind, h)), narrow(offset_x + nudge(kind, w))];
    let input = cx.value(&x)?;
    let value = cx.emit(Op::Resize(Resize { input, kind, height, width, scale, offset }))?;
    Ok(vec![Operand::Value(value)])
}

/// Size of the output and factor, of rows and of columns. They are given as factors or as sizes, for all axes or for some.
fn scaling(cx: &Context<'_, '_>, input: [u32; 2]) -> Result<[(u32, f64); 2]> {
    let (factors, sizes) = match (cx.node.operator(), cx.node.opset) {
        ("Upsample", ..9) => (cx.node.floats("scales")?.map(Into::into), None),
        ("Upsample", _) | (_, ..11) => (cx.floats(1)?, None),
        _ => (cx.floats(2)?, cx.integers(3)?),
    };
    let axes = match cx.node.ints("axes")? {
        Some(axes) => axes_of(axes, 4)?,
        None => vec![0, 1, 2, 3],
    };
    let mut result = input.map(|len| (len, 1.0));
    let given = |len: usize| match len == axes.len() {
        true => Ok(()),
        false => Err(invalid(format!("{len} factors or sizes for {} axes", axes.len()))),
    };
    if let Some(sizes) = sizes.filter(|sizes| !sizes.is_empty()) {
        given(sizes.len())?;
        let dims = cx.dims(&cx.operand(0)?);
        for (&axis, len) in axes.iter().zip(sizes) {
            match axis.checked_sub(2) {
                Some(k) => result[k] = (count(len, "a size")?, wide(len) / f64::from(input[k])),
                None if len == i64::from(dims[axis]) => {}
                None => return Err(unsupported("a resize of batch or channels")),
            }
        }
        return Ok(result);
    }
    let Some(factors) = factors.filter(|factors| !factors.is_empty()) else {
        return Err(invalid("neither scales nor sizes are given"));
    };
    given(factors.len())?;
    for (&axis, factor) in axes.iter().zip(factors) {
        match axis.checked_sub(2) {
            _ if !(factor.is_finite() && factor > 0.0) => {
                return Err(invalid(format!("a scale is {factor}")));
            }
            Some(k) => {
                let factor = f64::from(factor);
                result[k] = (size((f64::from(input[k]) * factor).floor()), factor);
            }
            None if factor == 1.0 => {}
            None => return Err(unsupported("a resize of batch or channels")),
        }
    }
    Ok(result)
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
        Coordinates::HalfPixelSymmetric => {
            // The output's length is cut to an integer; its middle stays over the input's.
            let cut = f64::from(output) / (factor * len);
            (step, step / 2.0 - 0.5 + len / 2.0 * (1.0 - cut))
        }
    }
}
