//! What a kernel is asked to do, in numbers: one plain structure a kernel. These are also the program's records.
//!
//! Every structure is `repr(C)` of 32-bit fields without padding, so the program's bytes are read in place.

use bytemuck::{Pod, Zeroable};

use crate::device::tensor::{Activation, Extent, MAX_RANK, Window};

/// How a convolution is computed. The numbers are those of the program format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u32)]
pub enum ConvAlgorithm {
    /// One tap, stride 1, no padding: a matrix product that reads the input in place. Dense layers are `[1, 1, rows, k]`.
    Pointwise = 0,
    /// Fused (virtual) im2col and matrix product: any window, groups.
    Im2col = 1,
    /// One filter for each channel (`groups = input channels = output channels`).
    Depthwise = 2,
    /// Winograd F(2×2,3×3): 3×3, stride and dilation 1, one group (Lavin & Gray 2015).
    Winograd2x2 = 3,
    /// Winograd F(4×4,3×3): the same, fewer products, four times the weights of the definition.
    Winograd4x4 = 4,
}

impl ConvAlgorithm {
    /// The algorithm with this number in the program format.
    pub const fn from_code(code: u32) -> Option<Self> {
        Some(match code {
            0 => Self::Pointwise,
            1 => Self::Im2col,
            2 => Self::Depthwise,
            3 => Self::Winograd2x2,
            4 => Self::Winograd4x4,
            _ => return None,
        })
    }
}

/// A convolution: `output = activation(conv(prologue(input)) + bias + residual)`.
///
/// Operands: source 0 the input (segments), source 1 the residual or none; places: weights, bias or none, prologue's scale or
/// none, prologue's shift or none.
#[derive(Clone, Copy, Debug, PartialEq, Pod, Zeroable)]
#[repr(C)]
pub struct ConvParams {
    /// `[n, h, w, c]` of the input.
    pub input: Extent,
    /// `[n, h, w, c]` of the output.
    pub output: Extent,
    /// The window.
    pub window: Window,
    /// Groups; divides input and output channels.
    pub groups: u32,
    /// The number of a [`ConvAlgorithm`].
    pub algorithm: u32,
    /// Applied last.
    pub activation: Activation,
    /// The prologue's function; identity without prologue.
    pub prologue: Activation,
}

/// A transposed convolution: `output = activation(conv_transpose(input) + bias + residual)`.
///
/// Operands and places: as [`ConvParams`], without prologue.
#[derive(Clone, Copy, Debug, PartialEq, Pod, Zeroable)]
#[repr(C)]
pub struct ConvTransposeParams {
    /// `[n, h, w, c]` of the input.
    pub input: Extent,
    /// `[n, h, w, c]` of the output.
    pub output: Extent,
    /// The window of the convolution that this one transposes.
    pub window: Window,
    /// Groups; divides input and output channels.
    pub groups: u32,
    /// Applied last.
    pub activation: Activation,
}

/// What a pool takes of its window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u32)]
pub enum PoolKind {
    /// The largest element; padding is never it.
    Max = 0,
    /// The sum over the window's elements inside the input, divided by their number.
    Average = 1,
    /// The same sum, divided by the number of the window's elements inside the input or its padding (`count_include_pad`).
    AveragePadded = 2,
    /// The sum over the window's elements inside the input.
    Sum = 3,
    /// Their product.
    Product = 4,
}

impl PoolKind {
    /// The kind with this number in the program format.
    pub const fn from_code(code: u32) -> Option<Self> {
        Some(match code {
            0 => Self::Max,
            1 => Self::Average,
            2 => Self::AveragePadded,
            3 => Self::Sum,
            4 => Self::Product,
            _ => return None,
        })
    }
}

/// A pool. A global pool's window is the whole input. Source 0 is the input (segments); no places.
#[derive(Clone, Copy, Debug, PartialEq, Pod, Zeroable)]
#[repr(C)]
pub struct PoolParams {
    /// `[n, h, w, c]` of the input.
    pub input: Extent,
    /// `[n, h, w, c]` of the output.
    pub output: Extent,
    /// The window.
    pub window: Window,
    /// The number of a [`PoolKind`].
    pub kind: u32,
    /// Applied last.
    pub activation: Activation,
}

/// A function of two elements. The numbers are those of the program format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u32)]
pub enum BinaryKind {
    /// `a + b`
    Add = 0,
    /// `a − b`
    Sub = 1,
    /// `a · b`
    Mul = 2,
    /// `a / b`
    Div = 3,
    /// `min(a, b)`
    Min = 4,
    /// `max(a, b)`
    Max = 5,
    /// `a < 0 ? a·b : a` (PReLU with slope b)
    Prelu = 6,
    /// `a^b`
    Pow = 7,
    /// `|b| > 0 ? a : 0`: an element that is dropped leaves nothing, were it infinite or NaN. 0 where `b` is NaN.
    Keep = 8,
    /// `a < b ? 1 : 0`, 0 where one is NaN.
    Less = 9,
    /// `a ≤ b ? 1 : 0`, 0 where one is NaN.
    LessOrEqual = 10,
}

impl BinaryKind {
    /// All kinds, in the order of their numbers.
    pub const ALL: [Self; 11] = [
        Self::Add,
        Self::Sub,
        Self::Mul,
        Self::Div,
        Self::Min,
        Self::Max,
        Self::Prelu,
        Self::Pow,
        Self::Keep,
        Self::Less,
        Self::LessOrEqual,
    ];

    /// The kind with this number in the program format.
    pub const fn from_code(code: u32) -> Option<Self> {
        if (code as usize) < Self::ALL.len() { Some(Self::ALL[code as usize]) } else { None }
    }
}

/// An element-wise function of two operands with broadcast: in each dimension `a` and `b` have the output's length or 1.
///
/// Sources 0 and 1 are `a` and `b` (segments where the channels are the output's); an operand that is a constant has no source
/// but a place (place 0 for `a`, place 1 for `b`), contiguous.
#[derive(Clone, Copy, Debug, PartialEq, Pod, Zeroable)]
#[repr(C)]
pub struct BinaryParams {
    /// `[n, h, w, c]` of `a`.
    pub a: Extent,
    /// `[n, h, w, c]` of `b`.
    pub b: Extent,
    /// `[n, h, w, c]` of the output.
    pub output: Extent,
    /// The number of a [`BinaryKind`].
    pub kind: u32,
    /// Applied last.
    pub activation: Activation,
}

/// An element-wise function of one operand: `output = activation(x · scale[c] + shift[c])`; also the explicit copy of a
/// concatenation or of a constant. Source 0 is the input (segments), or else place 2 is; places: scale or none, shift or none
/// (both or neither), the input in the order of its extent if it is no source.
#[derive(Clone, Copy, Debug, PartialEq, Pod, Zeroable)]
#[repr(C)]
pub struct MapParams {
    /// `[n, h, w, c]` of input and output.
    pub extent: Extent,
    /// Applied last.
    pub activation: Activation,
}

/// What an axis reads beyond its part of the input: the modes of ONNX `Pad`. The numbers are those of the program format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u32)]
pub enum Beyond {
    /// Nothing: the whole element is the fill value.
    Fill = 0,
    /// The nearest element.
    Edge = 1,
    /// The elements mirrored at the first and at the last one, which are not repeated.
    Reflect = 2,
    /// The elements from the other end on: the axis repeats.
    Wrap = 3,
}

impl Beyond {
    /// The rule with this number in the program format.
    pub const fn from_code(code: u32) -> Option<Self> {
        Some(match code {
            0 => Self::Fill,
            1 => Self::Edge,
            2 => Self::Reflect,
            3 => Self::Wrap,
            _ => return None,
        })
    }

    /// The index in `0..len` that index `i` reads; `None` if it reads nothing. `len` is at least 1.
    #[inline]
    pub const fn index(self, i: i64, len: i64) -> Option<i64> {
        if 0 <= i && i < len {
            return Some(i);
        }
        match self {
            Self::Fill => None,
            Self::Edge => Some(if i < 0 { 0 } else { len - 1 }),
            Self::Wrap => Some(i.rem_euclid(len)),
            // There and back again is 2·(len − 1) steps; a single element is its own mirror image.
            Self::Reflect if len == 1 => Some(0),
            Self::Reflect => {
                let step = i.rem_euclid(2 * (len - 1));
                Some(if step < len { step } else { 2 * (len - 1) - step })
            }
        }
    }
}

/// A copy with other order: slices, transpositions, padding, repetition and expansion, in one formula.
///
/// Output element `o` is `input[base + Σ_axis i[axis] · stride[axis]]` with `i = o − low` where `low ≤ o < high`; elsewhere
/// `i` is what the axis' [`Beyond`] makes of it, and where that is nothing on some axis, the element is `fill`. Source 0 and
/// the output are one contiguous segment each (`[1, 1, 1, len]`).
#[derive(Clone, Copy, Debug, PartialEq, Pod, Zeroable)]
#[repr(C)]
pub struct RearrangeParams {
    /// Elements of the input.
    pub input_len: u32,
    /// Element of the input at `o = low`.
    pub base: u32,
    /// The output's dimensions, the last fastest; unused ones in front are 1.
    pub dims: [u32; MAX_RANK],
    /// First output index that reads the input, on each axis.
    pub low: [u32; MAX_RANK],
    /// End (exclusive) of the output indices that read the input, on each axis.
    pub high: [u32; MAX_RANK],
    /// Input elements for a step of the output's index, on each axis; may be negative or 0.
    pub stride: [i32; MAX_RANK],
    /// The number of the [`Beyond`] of each axis.
    pub beyond: [u32; MAX_RANK],
    /// The value of all other elements.
    pub fill: f32,
}

/// How a resized pixel is interpolated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u32)]
pub enum ResizeKind {
    /// The nearest pixel, rounding `½` down (ONNX `round_prefer_floor`).
    NearestPreferFloor = 0,
    /// The nearest pixel, rounding `½` up (ONNX `round_prefer_ceil`).
    NearestPreferCeil = 1,
    /// The pixel at or before the place (ONNX `floor`).
    NearestFloor = 2,
    /// The pixel at or behind the place (ONNX `ceil`).
    NearestCeil = 3,
    /// Linear interpolation on both axes, edges repeated.
    Bilinear = 4,
}

impl ResizeKind {
    /// The kind with this number in the program format.
    pub const fn from_code(code: u32) -> Option<Self> {
        Some(match code {
            0 => Self::NearestPreferFloor,
            1 => Self::NearestPreferCeil,
            2 => Self::NearestFloor,
            3 => Self::NearestCeil,
            4 => Self::Bilinear,
            _ => return None,
        })
    }
}

/// A resize of rows and columns. The input place of output index `o` is `o · scale + offset` on each axis, which covers every
/// coordinate transformation of ONNX (half pixel: `scale = in/out, offset = scale/2 − 1/2`; align corners:
/// `scale = (in − 1)/(out − 1), offset = 0`; asymmetric: `scale = in/out, offset = 0`). Source 0 is the input (segments).
#[derive(Clone, Copy, Debug, PartialEq, Pod, Zeroable)]
#[repr(C)]
pub struct ResizeParams {
    /// `[n, h, w, c]` of the input.
    pub input: Extent,
    /// `[n, h, w, c]` of the output.
    pub output: Extent,
    /// The number of a [`ResizeKind`].
    pub kind: u32,
    /// Input rows for an output row.
    pub scale_y: f32,
    /// Input columns for an output column.
    pub scale_x: f32,
    /// Input row of output row 0.
    pub offset_y: f32,
    /// Input column of output column 0.
    pub offset_x: f32,
}

/// A resize by tables: an output row is a weighted sum of neighbouring input rows, an output column one of neighbouring columns.
/// Any interpolation that treats the axes apart is one (cubic, antialiased, cropped).
///
/// Source 0 is the input (segments). Places: the tables of rows and of columns, `[output length][1 + taps]` each: the first
/// input index, which is a whole number, and the weights from there on. Indices are cut to the input; where one is negative or
/// NaN, the output is `fill`.
#[derive(Clone, Copy, Debug, PartialEq, Pod, Zeroable)]
#[repr(C)]
pub struct InterpolateParams {
    /// `[n, h, w, c]` of the input.
    pub input: Extent,
    /// `[n, h, w, c]` of the output.
    pub output: Extent,
    /// Input rows for an output row, at most those of the input.
    pub taps_y: u32,
    /// Input columns for an output column, at most those of the input.
    pub taps_x: u32,
    /// The value of rows and columns that read nothing.
    pub fill: f32,
}

/// Softmax over the middle axis of `[outer, axis, inner]`: `e^(x − max) / Σ e^(x − max)`, or its logarithm.
/// Source 0 and the output are one contiguous segment each.
#[derive(Clone, Copy, Debug, PartialEq, Pod, Zeroable)]
#[repr(C)]
pub struct SoftmaxParams {
    /// Independent rows.
    pub outer: u32,
    /// Elements that sum to 1.
    pub axis: u32,
    /// Elements between neighbours of the axis.
    pub inner: u32,
    /// 1 for the logarithm of the softmax, else 0.
    pub log: u32,
}

/// Normalisation of `[outer, spatial, groups, inner]` by mean and variance over `spatial` and `inner`:
/// `activation((x − mean) / √(variance + epsilon) · scale[c] + shift[c])` with the channel `c = group · inner + i`. Layer
/// normalisation has one group and `spatial` 1, group normalisation of `[n, h, w, c]` has `spatial` `h·w`, instance normalisation
/// as many groups as channels.
///
/// Source 0 and the output are one contiguous segment each; places: scale or none, shift or none.
#[derive(Clone, Copy, Debug, PartialEq, Pod, Zeroable)]
#[repr(C)]
pub struct NormalizeParams {
    /// Pictures, or rows.
    pub outer: u32,
    /// Pixels that are normalised together.
    pub spatial: u32,
    /// Groups of channels, each normalised by itself.
    pub groups: u32,
    /// Channels of a group.
    pub inner: u32,
    /// Added to the variance.
    pub epsilon: f32,
    /// Applied last.
    pub activation: Activation,
}
