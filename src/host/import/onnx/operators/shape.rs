//! Operators that change a tensor's dimensions, their order, or nothing.

use rten_onnx::onnx::DataType;

use crate::device::tensor::MAX_RANK;
use crate::host::Result;
use crate::host::graph::Constant;

use super::super::Tensor;
use super::super::context::Context;
use super::super::fold;
use super::super::model::Node;
use super::super::number::{float, truncate};
use super::super::tensor::element_count;
use super::{Operand, Operator, axes_of, axis_of, count, invalid, unsupported};

pub(super) const OPERATORS: &[Operator] = &[
    Operator::new("Reshape", reshape),
    Operator::new("Flatten", flatten),
    Operator::new("Squeeze", squeeze),
    Operator::new("Unsqueeze", unsqueeze),
    Operator::new("Transpose", transpose),
    Operator::new("DepthToSpace", depth_to_space).checked(check_depth),
    Operator::new("SpaceToDepth", space_to_depth).checked(|node| block(node).map(drop)),
    Operator::new("Identity", identity),
    Operator::new("Dropout", dropout).checked(check_dropout),
    Operator::new("Cast", cast).checked(check_cast),
    Operator::new("CastLike", cast_like),
    Operator::new("Shape", shape),
    Operator::new("Size", size),
];

fn overflow(dims: &[u32]) -> crate::host::Error {
    invalid(format!("{dims:?} has 2³² elements or more"))
}

/// 0 keeps a dimension (unless `allowzero`), −1 is what is left.
fn reshape(cx: &mut Context<'_, '_>) -> Result<Vec<Operand>> {
    let x = cx.operand(0)?;
    let wanted = cx.integers(1)?.ok_or_else(|| invalid("the shape is missing"))?;
    let keeps_zero = cx.node.flag("allowzero", false)?;
    let dims = cx.dims(&x);
    let mut sizes = Vec::new();
    for (axis, &size) in wanted.iter().enumerate() {
        sizes.push(match size {
            -1 => None,
            0 if !keeps_zero => {
                Some(*dims.get(axis).ok_or_else(|| invalid(format!("{dims:?} has no axis {axis} to keep")))?)
            }
            size => Some(count(size, "a dimension")?),
        });
    }
    let known: Vec<u32> = sizes.iter().copied().flatten().collect();
    let (all, known_len) = (element_count(&dims), element_count(&known));
    let (Some(all), Some(known_len)) = (all, known_len) else { return Err(overflow(&dims)) };
    let rest = match sizes.len() - known.len() {
        0 => 1,
        1 if known_len > 0 && all.is_multiple_of(known_len) => all / known_len,
        _ => return Err(invalid(format!("{dims:?} does not become {wanted:?}"))),
    };
    let target: Vec<u32> = sizes.into_iter().map(|size| size.unwrap_or(rest)).collect();
    Ok(vec![cx.reshape(&x, &target)?])
}

/// A matrix whose columns are all dimensions from the axis on.
fn flatten(cx: &mut Context<'_, '_>) -> Result<Vec<Operand>> {
    let x = cx.operand(0)?;
    let dims = cx.dims(&x);
    // The axis may be the rank itself.
    let axis = axis_of(cx.node.int("axis", 1)?, dims.len() + 1);
    let axis = match cx.node.int("axis", 1)? {
        negative @ ..0 => axis_of(negative, dims.len())?,
        _ => axis?,
    };
    match (element_count(&dims[..axis]), element_count(&dims[axis..])) {
        (Some(rows), Some(columns)) => Ok(vec![cx.reshape(&x, &[rows, columns])?]),
        _ => Err(overflow(&dims)),
    }
}

/// Without the axes of length 1 that are named, or all of them.
fn squeeze(cx: &mut Context<'_, '_>) -> Result<Vec<Operand>> {
    let x = cx.operand(0)?;
    let dims = cx.dims(&x);
    let axes = match cx.integers_since(13, 1, "axes")? {
        Some(axes) => axes_of(&axes, dims.len())?,
        None => (0..dims.len()).filter(|axis| dims[*axis] == 1).collect(),
    };
    if let Some(axis) = axes.iter().find(|axis| dims[**axis] != 1) {
        return Err(invalid(format!("axis {axis} of {dims:?} is not 1")));
    }
    let left: Vec<u32> = (0..dims.len()).filter(|axis| !axes.contains(axis)).map(|axis| dims[axis]).collect();
    Ok(vec![cx.reshape(&x, &left)?])
}

/// New axes of length 1 at these places of the result.
fn unsqueeze(cx: &mut Context<'_, '_>) -> Result<Vec<Operand>> {
    let x = cx.operand(0)?;
    let axes = cx.integers_since(13, 1, "axes")?.ok_or_else(|| invalid("the axes are missing"))?;
    let mut dims = cx.dims(&x);
    if dims.len() + axes.len() > MAX_RANK {
        return Err(unsupported(format!("{} dimensions; at most {MAX_RANK}", dims.len() + axes.len())));
    }
    let mut axes = axes_of(&axes, dims.len() + axes.len())?;
    axes.sort_unstable();
    for axis in axes {
        dims.insert(axis, 1);
    }
    Ok(vec![cx.reshape(&x, &dims)?])
}

/// Without `perm`, the axes in reverse.
fn transpose(cx: &mut Context<'_, '_>) -> Result<Vec<Operand>> {
    let x = cx.operand(0)?;
    let rank = cx.dims(&x).len();
    let perm = match cx.node.ints("perm")? {
        Some(perm) => axes_of(perm, rank)?,
        None => (0..rank).rev().collect(),
    };
    Ok(vec![cx.transpose(&x, &perm)?])
}

/// The side of the square that a pixel's channels become, or that becomes a pixel.
fn block(node: &Node<'_>) -> Result<u32> {
    match count(node.int("blocksize", 0)?, "blocksize")? {
        0 => Err(invalid("blocksize is missing or 0")),
        block => Ok(block),
    }
}

/// Are the channels of one pixel of the output neighbours (mode `CRD`, as PyTorch's `PixelShuffle`), or of one place in the block?
fn check_depth(node: &Node<'_>) -> Result<()> {
    block(node)?;
    match node.text("mode", "DCR")? {
        "DCR" | "CRD" => Ok(()),
        mode => Err(unsupported(format!("mode is '{mode}'"))),
    }
}

/// `[n, c·b², h, w]` to `[n, c, h·b, w·b]`.
fn depth_to_space(cx: &mut Context<'_, '_>) -> Result<Vec<Operand>> {
    let (x, b) = (cx.operand(0)?, block(cx.node)?);
    let &[n, depth, h, w] = &*cx.dims(&x) else { return Err(invalid("its input is no picture")) };
    let c = b.checked_mul(b).filter(|square| depth.is_multiple_of(*square)).map(|square| depth / square);
    let (Some(c), Some(height), Some(width)) = (c, h.checked_mul(b), w.checked_mul(b)) else {
        return Err(invalid(format!("{depth} channels do not become blocks of {b}×{b}")));
    };
    let (split, perm) = match cx.node.text("mode", "DCR")? {
        "CRD" => ([n, c, b, b, h, w], [0, 1, 4, 2, 5, 3]),
        _ => ([n, b, b, c, h, w], [0, 3, 4, 1, 5, 2]),
    };
    let blocks = cx.reshape(&x, &split)?;
    let blocks = cx.transpose(&blocks, &perm)?;
    Ok(vec![cx.reshape(&blocks, &[n, c, height, width])?])
}

/// `[n, c, h·b, w·b]` to `[n, b²·c, h, w]`.
fn space_to_depth(cx: &mut Context<'_, '_>) -> Result<Vec<Operand>> {
    let (x, b) = (cx.operand(0)?, block(cx.node)?);
    let &[n, c, height, width] = &*cx.dims(&x) else { return Err(invalid("its input is no picture")) };
    let depth = b.checked_mul(b).and_then(|square| square.checked_mul(c));
    let Some(depth) = depth.filter(|_| height.is_multiple_of(b) && width.is_multiple_of(b)) else {
        return Err(invalid(format!("{height}×{width} pixels are not made of blocks of {b}×{b}")));
    };
    let (h, w) = (height / b, width / b);
    let blocks = cx.reshape(&x, &[n, c, h, b, w, b])?;
    let blocks = cx.transpose(&blocks, &[0, 3, 5, 1, 2, 4])?;
    Ok(vec![cx.reshape(&blocks, &[n, depth, h, w])?])
}

fn identity(cx: &mut Context<'_, '_>) -> Result<Vec<Operand>> {
    Ok(vec![cx.operand(0)?])
}

fn check_dropout(node: &Node<'_>) -> Result<()> {
    if node.opset < 7 && !node.flag("is_test", false)? {
        return Err(unsupported("it is in training mode").remedy("export the model in evaluation mode"));
    }
    if node.wants(1) {
        return Err(unsupported("its mask is read").remedy("export the model in evaluation mode"));
    }
    Ok(())
}

/// The identity, unless it is in training mode (an operand since 12).
fn dropout(cx: &mut Context<'_, '_>) -> Result<Vec<Operand>> {
    let training = cx.integers(2)?.is_some_and(|flags| flags.iter().any(|flag| *flag != 0));
    // A ratio of 0 drops nothing in training either.
    if training && cx.floats(1)?.is_none_or(|ratio| ratio.iter().any(|ratio| *ratio != 0.0)) {
        let remedy = "export the model in evaluation mode (PyTorch: model.eval())";
        return Err(unsupported("it is in training mode").remedy(remedy));
    }
    identity(cx)
}

/// The two kinds of element that constants have during import.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Float,
    Integer,
    Boolean,
}

fn target(node: &Node<'_>) -> Result<Kind> {
    let code = i32::try_from(node.int("to", 0)?).unwrap_or(0);
    match DataType(code) {
        DataType::FLOAT | DataType::FLOAT16 | DataType::BFLOAT16 | DataType::DOUBLE => Ok(Kind::Float),
        DataType::INT64 | DataType::INT32 => Ok(Kind::Integer),
        DataType::BOOL => Ok(Kind::Boolean),
        other => Err(unsupported(format!("a cast to {other}"))),
    }
}

fn check_cast(node: &Node<'_>) -> Result<()> {
    target(node).map(drop)
}

fn cast(cx: &mut Context<'_, '_>) -> Result<Vec<Operand>> {
    let kind = target(cx.node)?;
    cast_to(cx, kind)
}

/// A cast to the other operand's type. Booleans are not told from integers here: who asks for them compares with zero.
fn cast_like(cx: &mut Context<'_, '_>) -> Result<Vec<Operand>> {
    let kind = match cx.operand(1)? {
        Operand::Constant(tensor) if tensor.data().as_i64().is_some() => Kind::Integer,
        _ => Kind::Float,
    };
    cast_to(cx, kind)
}

/// Floats of all widths are computed as `f32`, so among them a cast is the identity.
fn cast_to(cx: &mut Context<'_, '_>, kind: Kind) -> Result<Vec<Operand>> {
    let tensor = match cx.maskable(0)? {
        mask @ Operand::Mask(_) if kind == Kind::Boolean => return Ok(vec![mask]),
        Operand::Mask(value) if kind == Kind::Float => return Ok(vec![Operand::Value(value)]),
        value @ Operand::Value(_) if kind == Kind::Float => return Ok(vec![value]),
        Operand::Value(_) | Operand::Mask(_) => {
            return Err(unsupported("a cast of activations to integers or booleans")
                .remedy("compare floats, and cast to float what comparisons make"));
        }
        Operand::Constant(tensor) => tensor,
    };
    cx.charge(tensor.dims())?;
    let cast = match (tensor.data(), kind) {
        (Constant::F32(_), Kind::Float) | (Constant::I64(_), Kind::Integer) => tensor,
        (Constant::F32(data), Kind::Integer) => {
            Tensor::new(tensor.dims(), Constant::i64(data.iter().copied().map(truncate).collect::<Vec<_>>()))?
        }
        (Constant::F32(data), Kind::Boolean) => {
            let flags: Vec<i64> = data.iter().map(|x| i64::from(*x != 0.0)).collect();
            Tensor::new(tensor.dims(), Constant::i64(flags))?
        }
        (Constant::I64(data), Kind::Float) => {
            Tensor::new(tensor.dims(), Constant::f32(data.iter().copied().map(float).collect::<Vec<_>>()))?
        }
        (Constant::I64(_), Kind::Boolean) => fold::map(&tensor, |x| x, Some(|x| i64::from(x != 0)))?,
    };
    Ok(vec![Operand::Constant(cast)])
}

/// The dimensions, which are all known during import; a part of them since 15.
fn shape(cx: &mut Context<'_, '_>) -> Result<Vec<Operand>> {
    let x = cx.operand(0)?;
    let dims: Vec<i64> = cx.dims(&x).into_iter().map(i64::from).collect();
    let rank = i64::try_from(dims.len()).unwrap_or(0);
    let place = |name: &str, default: i64| -> Result<usize> {
        let axis = cx.node.int(name, default)?;
        let axis = if axis < 0 { axis.saturating_add(rank) } else { axis };
        Ok(usize::try_from(axis.clamp(0, rank)).unwrap_or(0))
    };
    let (start, end) = (place("start", 0)?, place("end", rank)?);
    let part = dims.get(start..end).unwrap_or_default();
    Ok(vec![Operand::Constant(Tensor::vector(part.into())?)])
}

fn size(cx: &mut Context<'_, '_>) -> Result<Vec<Operand>> {
    let x = cx.operand(0)?;
    let dims = cx.dims(&x);
    let len = element_count(&dims).ok_or_else(|| overflow(&dims))?;
    Ok(vec![Operand::Constant(Tensor::new([], Constant::i64([i64::from(len)]))?)])
}
