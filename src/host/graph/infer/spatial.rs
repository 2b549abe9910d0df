//! Operators that sum or choose over a window, a picture or a row: their operands must fit each other.

use alloc::format;

use crate::device::kernel::params::PoolKind;
use crate::device::tensor::{Axis, Shape, Window};
use crate::host::Result;

use super::super::{
    Conv, ConvTranspose, Dense, GlobalPool, Graph, Interpolate, MatMul, Pool, Resize, ValueId,
};
use super::{check_activation, check_shape, invalid, ranked, shape_of};

pub(super) fn conv(graph: &Graph, op: &Conv) -> Result<Shape> {
    let [n, h, w, channels] = ranked(graph, op.input)?;
    let [outputs, kh, kw, depth] = ranked(graph, op.weight)?;
    check_kernel(&op.window, kh, kw)?;
    check_groups(op.groups, channels, outputs)?;
    if channels / op.groups != depth {
        return Err(invalid(format!(
            "the weight takes {depth} channels a group, the input has {channels} in {} groups",
            op.groups
        )));
    }
    let (oh, ow) = op.window.output(h, w, false).ok_or_else(|| window_error(&op.window, h, w))?;
    let output = Shape::nhwc(n, oh, ow, outputs);
    check_epilogue(graph, op.bias, op.residual, output)?;
    if let Some(pre) = &op.pre_activation {
        check_shape(graph, pre.scale, "the scale of the pre-activation", Shape::vector(channels))?;
        check_shape(graph, pre.shift, "the shift of the pre-activation", Shape::vector(channels))?;
        check_activation(&pre.activation)?;
    }
    check_activation(&op.activation)?;
    Ok(output)
}

pub(super) fn conv_transpose(graph: &Graph, op: &ConvTranspose) -> Result<Shape> {
    let [n, h, w, channels] = ranked(graph, op.input)?;
    let [inputs, kh, kw, depth] = ranked(graph, op.weight)?;
    if inputs != channels {
        return Err(invalid(format!("the weight takes {inputs} channels, the input has {channels}")));
    }
    check_kernel(&op.window, kh, kw)?;
    let outputs = depth
        .checked_mul(op.groups)
        .ok_or_else(|| invalid(format!("{depth} channels in {} groups are too many", op.groups)))?;
    check_groups(op.groups, channels, outputs)?;
    let Window { y, x } = &op.window;
    let [pad_y, pad_x] = op.output_padding;
    check_output_padding(y, pad_y)?;
    check_output_padding(x, pad_x)?;
    let sizes = (y.transposed_output_len(h, pad_y), x.transposed_output_len(w, pad_x));
    let (Some(oh), Some(ow)) = sizes else { return Err(window_error(&op.window, h, w)) };
    let output = Shape::nhwc(n, oh, ow, outputs);
    check_epilogue(graph, op.bias, op.residual, output)?;
    check_activation(&op.activation)?;
    Ok(output)
}

pub(super) fn dense(graph: &Graph, op: &Dense) -> Result<Shape> {
    let [rows, inputs] = ranked(graph, op.input)?;
    let [outputs, columns] = ranked(graph, op.weight)?;
    if columns != inputs {
        let reason = format!("the weight takes {columns} inputs, the input has {inputs} columns");
        return Err(
            invalid(reason).remedy("a Flatten before it may be missing, or the input's size is another")
        );
    }
    let output = Shape::matrix(rows, outputs);
    check_epilogue(graph, op.bias, None, output)?;
    check_activation(&op.activation)?;
    Ok(output)
}

pub(super) fn matmul(graph: &Graph, op: &MatMul) -> Result<Shape> {
    check_activation(&op.activation)?;
    let [stack_a, rows, k] = ranked(graph, op.a)?;
    let [stack_b, k_b, columns] = ranked(graph, op.b)?;
    if k != k_b {
        return Err(invalid(format!("the first factor has {k} columns, the second {k_b} rows")));
    }
    if stack_a != stack_b && stack_a != 1 && stack_b != 1 {
        return Err(invalid(format!("{stack_a} and {stack_b} matrices do not go together")));
    }
    shape_of(&[stack_a.max(stack_b), rows, columns])
}

pub(super) fn pool(graph: &Graph, op: &Pool) -> Result<Shape> {
    let [n, h, w, channels] = ranked(graph, op.input)?;
    for axis in [&op.window.y, &op.window.x] {
        // Such a window could lie in the padding as a whole, where there is neither a maximum nor an average.
        if u64::from(axis.pad_before) >= axis.span() || u64::from(axis.pad_after) >= axis.span() {
            let Axis { pad_before, pad_after, .. } = axis;
            let reason = format!("the padding ({pad_before} and {pad_after}) is not smaller than the window");
            return Err(invalid(reason).remedy("pad with an operator of its own first"));
        }
    }
    let (oh, ow) = op.window.output(h, w, op.ceil).ok_or_else(|| window_error(&op.window, h, w))?;
    Ok(Shape::nhwc(n, oh, ow, channels))
}

pub(super) fn global_pool(graph: &Graph, op: &GlobalPool) -> Result<Shape> {
    let [n, _, _, channels] = ranked(graph, op.input)?;
    if op.kind == PoolKind::AveragePadded {
        return Err(invalid("a global pool has no padding to count"));
    }
    Ok(Shape::nhwc(n, 1, 1, channels))
}

pub(super) fn resize(graph: &Graph, op: &Resize) -> Result<Shape> {
    let [n, _, _, channels] = ranked(graph, op.input)?;
    if !op.scale.iter().chain(&op.offset).all(|number| number.is_finite()) {
        return Err(invalid(format!("scale {:?} or offset {:?} is not finite", op.scale, op.offset)));
    }
    Ok(Shape::nhwc(n, op.height, op.width, channels))
}

pub(super) fn interpolate(graph: &Graph, op: &Interpolate) -> Result<Shape> {
    let [n, h, w, channels] = ranked(graph, op.input)?;
    let height = table_outputs(graph, op.rows, h)?;
    let width = table_outputs(graph, op.columns, w)?;
    Ok(Shape::nhwc(n, height, width, channels))
}

/// The outputs of a table over `len` elements.
fn table_outputs(graph: &Graph, table: ValueId, len: u32) -> Result<u32> {
    let [outputs, entry] = ranked(graph, table)?;
    if entry < 2 || entry - 1 > len {
        let name = &graph.value(table).name;
        return Err(invalid(format!("the table '{name}' does not have 1 to {len} weights for an output")));
    }
    Ok(outputs)
}

/// The weight's window must be the operator's.
fn check_kernel(window: &Window, kh: u32, kw: u32) -> Result<()> {
    let Window { y, x } = window;
    if (y.kernel, x.kernel) == (kh, kw) {
        return Ok(());
    }
    Err(invalid(format!("the weight has {kh}×{kw} taps, the window {}×{}", y.kernel, x.kernel)))
}

/// Groups must divide the channels on both sides.
fn check_groups(groups: u32, inputs: u32, outputs: u32) -> Result<()> {
    if groups > 0 && inputs.is_multiple_of(groups) && outputs.is_multiple_of(groups) {
        return Ok(());
    }
    Err(invalid(format!("{groups} groups do not divide {inputs} input and {outputs} output channels")))
}

/// Padding behind a transposed convolution's output only chooses among the sizes that the stride leaves open.
fn check_output_padding(axis: &Axis, output_padding: u32) -> Result<()> {
    if output_padding == 0 || output_padding < axis.stride.max(axis.dilation) {
        return Ok(());
    }
    let Axis { stride, dilation, .. } = axis;
    let reason = format!("output padding {output_padding} is beyond stride {stride} and dilation {dilation}");
    Err(invalid(reason))
}

/// A bias has one element a channel, a residual the output's shape.
fn check_epilogue(
    graph: &Graph,
    bias: Option<ValueId>,
    residual: Option<ValueId>,
    output: Shape,
) -> Result<()> {
    if let (Some(bias), Some(&channels)) = (bias, output.dims().last()) {
        check_shape(graph, bias, "the bias", Shape::vector(channels))?;
    }
    if let Some(residual) = residual {
        check_shape(graph, residual, "the residual", output)?;
    }
    Ok(())
}

fn window_error(window: &Window, h: u32, w: u32) -> crate::host::Error {
    let Window { y, x } = window;
    if [y.kernel, y.stride, y.dilation, x.kernel, x.stride, x.dilation].contains(&0) {
        return invalid("window, stride and dilation must be at least 1");
    }
    let reason = format!("a window of {}×{} elements gives no output over {h}×{w}", y.span(), x.span());
    invalid(reason).remedy("the input is too small, or the padding too large")
}
