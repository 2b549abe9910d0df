//! Operators: what a node computes, and which values it reads.
//!
//! Each operator is a structure that names its operands, so passes never count argument positions. An axis counts storage
//! dimensions (`[n, h, w, c]` for rank 4).

use alloc::vec::Vec;

use crate::device::kernel::params::{Beyond, BinaryKind, PoolKind, ResizeKind};
use crate::device::tensor::{Activation, Shape, Window};

use super::ValueId;

/// A per-channel affine function and an activation that are applied to an operand before padding (pre-activation).
#[derive(Clone, Debug, PartialEq)]
pub struct PreActivation {
    /// Factor of each channel, `[c]`, constant.
    pub scale: ValueId,
    /// Summand of each channel, `[c]`, constant.
    pub shift: ValueId,
    /// Applied last.
    pub activation: Activation,
}

/// `activation(conv(pre_activation(input)) + bias + residual)`.
#[derive(Clone, Debug, PartialEq)]
pub struct Conv {
    /// `[n, h, w, in]`
    pub input: ValueId,
    /// `[out, kh, kw, in/groups]`
    pub weight: ValueId,
    /// `[out]`
    pub bias: Option<ValueId>,
    /// A summand of the output's shape.
    pub residual: Option<ValueId>,
    /// Applied to the input before padding.
    pub pre_activation: Option<PreActivation>,
    /// The window.
    pub window: Window,
    /// Groups.
    pub groups: u32,
    /// Applied last.
    pub activation: Activation,
}

/// `activation(conv_transpose(input) + bias + residual)`.
#[derive(Clone, Debug, PartialEq)]
pub struct ConvTranspose {
    /// `[n, h, w, in]`
    pub input: ValueId,
    /// `[in, kh, kw, out/groups]`
    pub weight: ValueId,
    /// `[out]`
    pub bias: Option<ValueId>,
    /// A summand of the output's shape.
    pub residual: Option<ValueId>,
    /// The window of the convolution that this one transposes.
    pub window: Window,
    /// Rows and columns added behind the output.
    pub output_padding: [u32; 2],
    /// Groups.
    pub groups: u32,
    /// Applied last.
    pub activation: Activation,
}

/// `activation(input · weightᵀ + bias)`, the input `[rows, in]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Dense {
    /// `[rows, in]`
    pub input: ValueId,
    /// `[out, in]`
    pub weight: ValueId,
    /// `[out]`
    pub bias: Option<ValueId>,
    /// Applied last.
    pub activation: Activation,
}

/// `activation(a · b)` of two stacks of matrices; a stack of one goes with every matrix of the other.
#[derive(Clone, Debug, PartialEq)]
pub struct MatMul {
    /// `[stack or 1, rows, k]`
    pub a: ValueId,
    /// `[stack or 1, k, columns]`
    pub b: ValueId,
    /// Applied last.
    pub activation: Activation,
}

/// `(x − mean) / √(variance + epsilon) · scale + bias` of each channel (the last axis), with constant statistics.
#[derive(Clone, Debug, PartialEq)]
pub struct BatchNorm {
    /// `[…, c]`
    pub input: ValueId,
    /// `[c]`
    pub scale: ValueId,
    /// `[c]`
    pub bias: ValueId,
    /// `[c]`
    pub mean: ValueId,
    /// `[c]`
    pub variance: ValueId,
    /// Added to the variance.
    pub epsilon: f32,
}

/// `activation(x · scale[c] + shift[c])`, the channel being the last axis.
#[derive(Clone, Debug, PartialEq)]
pub struct Affine {
    /// `[…, c]`
    pub input: ValueId,
    /// `[c]`, constant
    pub scale: ValueId,
    /// `[c]`, constant
    pub shift: ValueId,
    /// Applied last.
    pub activation: Activation,
}

/// A pool over a window.
#[derive(Clone, Debug, PartialEq)]
pub struct Pool {
    /// `[n, h, w, c]`
    pub input: ValueId,
    /// What it takes of the window.
    pub kind: PoolKind,
    /// The window.
    pub window: Window,
    /// Does the output size round up?
    pub ceil: bool,
}

/// A pool over all rows and columns; the output is `[n, 1, 1, c]`.
#[derive(Clone, Debug, PartialEq)]
pub struct GlobalPool {
    /// `[n, h, w, c]`
    pub input: ValueId,
    /// Maximum or average.
    pub kind: PoolKind,
}

/// `activation(f(a, b))` with broadcast (dimensions aligned at the last axis).
#[derive(Clone, Debug, PartialEq)]
pub struct Binary {
    /// First operand.
    pub a: ValueId,
    /// Second operand.
    pub b: ValueId,
    /// The function.
    pub kind: BinaryKind,
    /// Applied last.
    pub activation: Activation,
}

/// `activation(x)` of each element.
#[derive(Clone, Debug, PartialEq)]
pub struct Unary {
    /// Any shape.
    pub input: ValueId,
    /// The function.
    pub activation: Activation,
}

/// Softmax along an axis.
#[derive(Clone, Debug, PartialEq)]
pub struct Softmax {
    /// Any shape.
    pub input: ValueId,
    /// The axis that sums to 1.
    pub axis: usize,
    /// Its logarithm instead?
    pub log: bool,
}

/// `activation((x − mean) / √(variance + epsilon) · scale[c] + shift[c])` with mean and variance of the data itself: over the
/// axes from `axis` on, the last of which is cut into groups, each with statistics of its own.
///
/// Layer normalisation of the last axis: `axis` is the last one, one group. Group normalisation of `[n, h, w, c]`: `axis` 1.
/// Instance normalisation: as many groups as channels.
#[derive(Clone, Debug, PartialEq)]
pub struct Normalize {
    /// `[…, c]`
    pub input: ValueId,
    /// The first axis that is normalised; all before it stay apart.
    pub axis: usize,
    /// Groups; divides the channels.
    pub groups: u32,
    /// `[c]`, constant; absent is 1.
    pub scale: Option<ValueId>,
    /// `[c]`, constant; absent is 0.
    pub shift: Option<ValueId>,
    /// Added to the variance.
    pub epsilon: f32,
    /// Applied last.
    pub activation: Activation,
}

/// A resize of rows and columns to `[n, height, width, c]`; scales and offsets as in
/// [`ResizeParams`](crate::device::kernel::params::ResizeParams).
#[derive(Clone, Debug, PartialEq)]
pub struct Resize {
    /// `[n, h, w, c]`
    pub input: ValueId,
    /// Interpolation.
    pub kind: ResizeKind,
    /// Rows of the output.
    pub height: u32,
    /// Columns of the output.
    pub width: u32,
    /// Input rows and columns for an output row and column.
    pub scale: [f32; 2],
    /// Input row and column of output row and column 0.
    pub offset: [f32; 2],
}

/// A resize of rows and columns by tables: each output row is a weighted sum of neighbouring input rows, each output column one
/// of neighbouring columns.
///
/// A table has a row `[first index, weights…]` for each output; a negative index stands for an output that is `fill`. Tables are
/// those of [`InterpolateParams`](crate::device::kernel::params::InterpolateParams).
#[derive(Clone, Debug, PartialEq)]
pub struct Interpolate {
    /// `[n, h, w, c]`
    pub input: ValueId,
    /// `[height, 1 + taps]`, constant
    pub rows: ValueId,
    /// `[width, 1 + taps]`, constant
    pub columns: ValueId,
    /// The value of outputs that read nothing.
    pub fill: f32,
}

/// A concatenation along an axis.
#[derive(Clone, Debug, PartialEq)]
pub struct Concat {
    /// Parts, alike but for the axis.
    pub inputs: Vec<ValueId>,
    /// The axis.
    pub axis: usize,
}

/// The same elements in another shape, in storage order.
#[derive(Clone, Debug, PartialEq)]
pub struct Reshape {
    /// Any shape.
    pub input: ValueId,
    /// The shape of the output; as many elements.
    pub shape: Shape,
}

/// `output.dims[i] = input.dims[perm[i]]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Transpose {
    /// Any shape.
    pub input: ValueId,
    /// Input axis of each output axis.
    pub perm: Vec<usize>,
}

/// `output[i] = input[start + i·step]` on each axis.
#[derive(Clone, Debug, PartialEq)]
pub struct Slice {
    /// Any shape.
    pub input: ValueId,
    /// First input index of each axis.
    pub start: Vec<u32>,
    /// Output length of each axis.
    pub len: Vec<u32>,
    /// Step of each axis; not 0, may be negative.
    pub step: Vec<i32>,
}

/// Padding; repetition and expansion are padding with what the axis itself has.
#[derive(Clone, Debug, PartialEq)]
pub struct Pad {
    /// Any shape.
    pub input: ValueId,
    /// Elements added before each axis.
    pub before: Vec<u32>,
    /// Elements added behind each axis.
    pub after: Vec<u32>,
    /// What they are.
    pub beyond: Beyond,
    /// Their value, where they are [`Beyond::Fill`].
    pub value: f32,
}

/// What a node computes. Every operator has one output.
#[derive(Clone, Debug, PartialEq)]
pub enum Op {
    /// Convolution.
    Conv(Conv),
    /// Transposed convolution.
    ConvTranspose(ConvTranspose),
    /// Dense layer.
    Dense(Dense),
    /// Product of two stacks of matrices.
    MatMul(MatMul),
    /// Batch normalisation with constant statistics.
    BatchNorm(BatchNorm),
    /// Affine function of each channel.
    Affine(Affine),
    /// Pool over a window.
    Pool(Pool),
    /// Pool over all rows and columns.
    GlobalPool(GlobalPool),
    /// Element-wise function of two operands.
    Binary(Binary),
    /// Element-wise function.
    Unary(Unary),
    /// Softmax.
    Softmax(Softmax),
    /// Normalisation by the data's own statistics.
    Normalize(Normalize),
    /// Resize.
    Resize(Resize),
    /// Resize by tables.
    Interpolate(Interpolate),
    /// Concatenation.
    Concat(Concat),
    /// Other shape.
    Reshape(Reshape),
    /// Other order of axes.
    Transpose(Transpose),
    /// Part.
    Slice(Slice),
    /// Padding.
    Pad(Pad),
}

/// The operands of every operator, written once for shared and for exclusive borrows.
macro_rules! operands {
    ($op:expr, $iter:ident $(, $mutable:tt)?) => {{
        let mut list = Vec::new();
        match $op {
            Op::Conv(op) => {
                list.extend([&$($mutable)? op.input, &$($mutable)? op.weight]);
                list.extend(op.bias.$iter());
                list.extend(op.residual.$iter());
                for pre in op.pre_activation.$iter() {
                    list.extend([&$($mutable)? pre.scale, &$($mutable)? pre.shift]);
                }
            }
            Op::ConvTranspose(op) => {
                list.extend([&$($mutable)? op.input, &$($mutable)? op.weight]);
                list.extend(op.bias.$iter());
                list.extend(op.residual.$iter());
            }
            Op::Dense(op) => {
                list.extend([&$($mutable)? op.input, &$($mutable)? op.weight]);
                list.extend(op.bias.$iter());
            }
            Op::BatchNorm(op) => {
                list.extend([&$($mutable)? op.input, &$($mutable)? op.scale, &$($mutable)? op.bias]);
                list.extend([&$($mutable)? op.mean, &$($mutable)? op.variance]);
            }
            Op::Affine(op) => {
                list.extend([&$($mutable)? op.input, &$($mutable)? op.scale, &$($mutable)? op.shift]);
            }
            Op::Pool(op) => list.push(&$($mutable)? op.input),
            Op::GlobalPool(op) => list.push(&$($mutable)? op.input),
            Op::MatMul(op) => list.extend([&$($mutable)? op.a, &$($mutable)? op.b]),
            Op::Binary(op) => list.extend([&$($mutable)? op.a, &$($mutable)? op.b]),
            Op::Unary(op) => list.push(&$($mutable)? op.input),
            Op::Softmax(op) => list.push(&$($mutable)? op.input),
            Op::Normalize(op) => {
                list.push(&$($mutable)? op.input);
                list.extend(op.scale.$iter());
                list.extend(op.shift.$iter());
            }
            Op::Resize(op) => list.push(&$($mutable)? op.input),
            Op::Interpolate(op) => {
                list.extend([&$($mutable)? op.input, &$($mutable)? op.rows, &$($mutable)? op.columns]);
            }
            Op::Concat(op) => list.extend(op.inputs.$iter()),
            Op::Reshape(op) => list.push(&$($mutable)? op.input),
            Op::Transpose(op) => list.push(&$($mutable)? op.input),
            Op::Slice(op) => list.push(&$($mutable)? op.input),
            Op::Pad(op) => list.push(&$($mutable)? op.input),
        }
        list
    }};
}

impl Op {
    /// The operator's name, for messages and tables.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Conv(_) => "Conv",
            Self::ConvTranspose(_) => "ConvTranspose",
            Self::Dense(_) => "Dense",
            Self::MatMul(_) => "MatMul",
            Self::BatchNorm(_) => "BatchNorm",
            Self::Affine(_) => "Affine",
            Self::Pool(_) => "Pool",
            Self::GlobalPool(_) => "GlobalPool",
            Self::Binary(_) => "Binary",
            Self::Unary(_) => "Unary",
            Self::Softmax(_) => "Softmax",
            Self::Normalize(_) => "Normalize",
            Self::Resize(_) => "Resize",
            Self::Interpolate(_) => "Interpolate",
            Self::Concat(_) => "Concat",
            Self::Reshape(_) => "Reshape",
            Self::Transpose(_) => "Transpose",
            Self::Slice(_) => "Slice",
            Self::Pad(_) => "Pad",
        }
    }

    /// The values that it reads, in a fixed order, to look at or to replace.
    pub fn inputs_mut(&mut self) -> Vec<&mut ValueId> {
        operands!(self, iter_mut, mut)
    }

    /// The values that it reads, in the order of [`Op::inputs_mut`].
    pub fn inputs(&self) -> Vec<ValueId> {
        operands!(self, iter).into_iter().copied().collect()
    }
}
