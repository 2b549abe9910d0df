//! The wire format: plain little-endian structures, read and written in place.
//!
//! ```text
//! head     Header · inputs [Port] · outputs [Port] · buffers [Buffer] · names (UTF-8)
//! steps    { StepHead · params · operand 0 [Segment] · 1 · 2 · output [Segment] · places [Place] } …
//! weights  constants, each at a multiple of 64 bytes from the section's start
//! ```
//! Sections begin at multiples of 64 bytes. Each has its own CRC-32, so that the weights may lie apart (external flash, or
//! shared by two programs) and be checked at another time.

use bytemuck::{Pod, Zeroable};

use crate::device::tensor::{DType, Segment};

use super::index;

/// The first bytes of a program. The first is no ASCII and the line ends show damage by text tools (as PNG does).
pub const MAGIC: [u8; 8] = *b"\x89salto\r\n";

/// The version of the format that this build reads and writes.
pub const VERSION: u32 = 1;

/// What program bytes and arenas must be aligned to, and sections begin at.
pub const ALIGN: usize = 64;

/// What the offset of every buffer is a multiple of.
pub const BUFFER_ALIGN: u32 = 16;

/// Bit of [`Header::capabilities`]: outputs may lie over inputs that are consumed row by row (in/out overlap).
pub const CAPABILITY_OVERLAP: u64 = 1;
/// Bit of [`Header::capabilities`]: some places are [`Space::ConstantsF16`].
pub const CAPABILITY_F16_WEIGHTS: u64 = 1 << 1;

/// Bits of [`Header::capabilities`] that this build knows; a program with any other is refused.
pub const KNOWN_CAPABILITIES: u64 = CAPABILITY_OVERLAP | CAPABILITY_F16_WEIGHTS;

/// No buffer.
pub const NONE: u32 = u32::MAX;

/// Which targets a program's weights are laid out for. f32 weights come in panels of 16 outputs on every target.
pub const LAYOUT_PANELS_OF_16: u32 = 0;

/// A run of bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct Span {
    /// First byte, from the start of what holds it.
    pub offset: u32,
    /// Bytes.
    pub len: u32,
}

/// The head of a program.
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
pub struct Header {
    /// [`MAGIC`].
    pub magic: [u8; 8],
    /// [`VERSION`].
    pub version: u32,
    /// CRC-32 of the head section with this field 0.
    pub head_crc: u32,
    /// Capabilities that the program requires.
    pub capabilities: u64,
    /// Layout of the weights: [`LAYOUT_PANELS_OF_16`].
    pub weight_layout: u32,
    /// Bytes of the head section, from byte 0.
    pub head_len: u32,
    /// The section of steps.
    pub steps: Span,
    /// The section of weights.
    pub weights: Span,
    /// CRC-32 of the section of steps.
    pub steps_crc: u32,
    /// CRC-32 of the section of weights.
    pub weights_crc: u32,
    /// Number of inputs.
    pub input_count: u32,
    /// Number of outputs.
    pub output_count: u32,
    /// Number of buffers.
    pub buffer_count: u32,
    /// Number of steps.
    pub step_count: u32,
    /// Bytes of arena for one worker, scratch included.
    pub arena_len: u32,
    /// Bytes of the largest scratch: what each further worker needs on top.
    pub scratch_len: u32,
    /// The names, inside the head.
    pub names: Span,
}

impl Header {
    /// Bytes of arena that a run on `workers` threads needs (0 counts as 1): the plan, and one scratch more for each further
    /// worker.
    pub fn arena_bytes(&self, workers: usize) -> usize {
        let scratch = index(self.scratch_len).next_multiple_of(ALIGN);
        let plan = index(self.arena_len);
        let further = workers.saturating_sub(1);
        if further == 0 || scratch == 0 {
            return plan;
        }
        plan.next_multiple_of(ALIGN).saturating_add(scratch.saturating_mul(further))
    }
}

/// An input or output.
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
pub struct Port {
    /// Its name, inside the names.
    pub name: Span,
    /// The number of a [`DType`].
    pub dtype: u32,
    /// How the model that was imported orders it: the number of a
    /// [`ModelLayout`](crate::device::tensor::ModelLayout).
    pub model_layout: u32,
    /// Dimensions in use.
    pub rank: u32,
    /// Dimensions in storage order (`[n, h, w, c]` for rank 4).
    pub dims: [u32; 6],
    /// Where it lies; contiguous.
    pub segment: Segment,
}

/// What a buffer of the plan holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u16)]
pub enum BufferClass {
    /// An input of the network.
    Input = 0,
    /// An output of the network.
    Output = 1,
    /// A tensor between steps.
    Activation = 2,
    /// Scratch of one step.
    Scratch = 3,
    /// Kept from one run to the next.
    State = 4,
}

impl BufferClass {
    /// The class with this number in the program format.
    pub const fn from_code(code: u16) -> Option<Self> {
        Some(match code {
            0 => Self::Input,
            1 => Self::Output,
            2 => Self::Activation,
            3 => Self::Scratch,
            4 => Self::State,
            _ => return None,
        })
    }
}

/// A buffer of the memory plan. Inputs live from step 0 on, outputs to the last step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct Buffer {
    /// First byte in the arena; a multiple of [`BUFFER_ALIGN`].
    pub offset: u32,
    /// Bytes.
    pub len: u32,
    /// The first step that writes it (inputs: 0).
    pub first_step: u32,
    /// The last step that uses it.
    pub last_step: u32,
    /// The number of a [`BufferClass`].
    pub class: u16,
    /// Memory region; 0.
    pub region: u16,
}

/// What computes a step. The numbers are those of the program format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u16)]
pub enum OpCode {
    /// [`ConvParams`](crate::device::kernel::params::ConvParams)
    Conv = 1,
    /// [`ConvTransposeParams`](crate::device::kernel::params::ConvTransposeParams)
    ConvTranspose = 2,
    /// [`PoolParams`](crate::device::kernel::params::PoolParams)
    Pool = 3,
    /// [`BinaryParams`](crate::device::kernel::params::BinaryParams)
    Binary = 4,
    /// [`MapParams`](crate::device::kernel::params::MapParams)
    Map = 5,
    /// [`RearrangeParams`](crate::device::kernel::params::RearrangeParams)
    Rearrange = 6,
    /// [`ResizeParams`](crate::device::kernel::params::ResizeParams)
    Resize = 7,
    /// [`SoftmaxParams`](crate::device::kernel::params::SoftmaxParams)
    Softmax = 8,
    /// [`NormalizeParams`](crate::device::kernel::params::NormalizeParams)
    Normalize = 9,
    /// [`InterpolateParams`](crate::device::kernel::params::InterpolateParams)
    Interpolate = 10,
}

impl OpCode {
    /// All operators, in the order of their numbers.
    pub const ALL: [Self; 10] = [
        Self::Conv,
        Self::ConvTranspose,
        Self::Pool,
        Self::Binary,
        Self::Map,
        Self::Rearrange,
        Self::Resize,
        Self::Softmax,
        Self::Normalize,
        Self::Interpolate,
    ];

    /// The operator with this number in the program format.
    pub const fn from_code(code: u16) -> Option<Self> {
        Some(match code {
            1 => Self::Conv,
            2 => Self::ConvTranspose,
            3 => Self::Pool,
            4 => Self::Binary,
            5 => Self::Map,
            6 => Self::Rearrange,
            7 => Self::Resize,
            8 => Self::Softmax,
            9 => Self::Normalize,
            10 => Self::Interpolate,
            _ => return None,
        })
    }
}

/// Bit of [`StepHead::flags`]: bands of the step may run side by side. Without it the step is one sequence of bands, each as few rows
/// as its kernel computes at a time, and may write over rows of its input that no later band reads.
pub const FLAG_PARALLEL: u16 = 1;
/// Bit of [`StepHead::flags`]: the step goes through its bands from the last to the first. Never together with [`FLAG_PARALLEL`], and
/// only with [`CAPABILITY_OVERLAP`].
pub const FLAG_BACKWARD: u16 = 2;

/// The head of a step. Behind it follow the parameters, the operands' segments and the places.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct StepHead {
    /// Bytes of the whole record, this head included; a multiple of 4.
    pub len: u32,
    /// The number of an [`OpCode`].
    pub operator: u16,
    /// [`FLAG_PARALLEL`], [`FLAG_BACKWARD`].
    pub flags: u16,
    /// Bytes of the parameters.
    pub params_len: u16,
    /// Segments of sources 0 to 2 and of the output.
    pub segments: [u16; 4],
    /// Number of places.
    pub places: u16,
    /// The scratch's buffer, or [`NONE`].
    pub scratch: u32,
    /// The node's name, inside the names.
    pub name: Span,
}

/// Where constant-like data lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u32)]
pub enum Space {
    /// There is none.
    Absent = 0,
    /// In the section of weights.
    Constants = 1,
    /// In the arena (weights that training changes).
    Arena = 2,
    /// In the section of weights, stored as `f16`.
    ConstantsF16 = 3,
}

impl Space {
    /// The space with this number in the program format.
    pub const fn from_code(code: u32) -> Option<Self> {
        match code {
            0 => Some(Self::Absent),
            1 => Some(Self::Constants),
            2 => Some(Self::Arena),
            3 => Some(Self::ConstantsF16),
            _ => None,
        }
    }

    /// The type of what lies there.
    pub const fn dtype(self) -> DType {
        match self {
            Self::ConstantsF16 => DType::F16,
            Self::Absent | Self::Constants | Self::Arena => DType::F32,
        }
    }
}

/// A weight operand: a program constant or an arena buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct Place {
    /// The number of a [`Space`].
    pub space: u32,
    /// First byte in that space; a multiple of 4.
    pub offset: u32,
    /// Bytes.
    pub len: u32,
    /// The arena buffer, or [`NONE`].
    pub buffer: u32,
}

impl Place {
    /// There is none.
    #[allow(clippy::as_conversions, reason = "the number of an enum's variant, as its `repr` says")]
    pub const ABSENT: Self = Self { space: Space::Absent as u32, offset: 0, len: 0, buffer: NONE };
}
