//! What is wrong with the bytes of a program.

use core::fmt;

use super::record::OpCode;

/// A part of a program with its own CRC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Section {
    /// Header, ports, buffers and names.
    Head,
    /// The records of the steps.
    Steps,
    /// The constants.
    Weights,
}

/// Why bytes are no program. Small and `Copy`, so that a device can keep it; displays as one line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProgramError {
    /// Fewer or more bytes than the program says it has.
    Length {
        /// Bytes that the program has.
        expected: u64,
        /// Bytes that were given.
        actual: u64,
    },
    /// The bytes do not begin at a multiple of [`ALIGN`](super::record::ALIGN).
    Misaligned {
        /// How far behind a multiple they begin.
        excess: u32,
    },
    /// The bytes do not begin with [`MAGIC`](super::record::MAGIC).
    Magic,
    /// A version of the format that this build does not read.
    Version {
        /// The program's version.
        found: u32,
    },
    /// The program needs what this build does not have.
    Capabilities {
        /// The bits that are unknown.
        unknown: u64,
    },
    /// The weights are laid out for another kind of target.
    WeightLayout {
        /// The program's layout.
        found: u32,
    },
    /// A section does not lie where a section may lie.
    Bounds(Section),
    /// A section's bytes are damaged.
    Checksum(Section),
    /// The names are no UTF-8.
    Names,
    /// An input is not sound.
    Input {
        /// Which input.
        index: u32,
        /// What is wrong.
        fault: PortFault,
    },
    /// An output is not sound.
    Output {
        /// Which output.
        index: u32,
        /// What is wrong.
        fault: PortFault,
    },
    /// A buffer of the memory plan is not sound.
    Buffer {
        /// Which buffer.
        index: u32,
        /// What is wrong.
        fault: BufferFault,
    },
    /// Two buffers that live at the same time share memory.
    Overlap {
        /// The one buffer.
        first: u32,
        /// The other one.
        second: u32,
    },
    /// A step is not sound.
    Step {
        /// Which step.
        index: u32,
        /// Its operator, if it can be read.
        operator: Option<OpCode>,
        /// What is wrong.
        fault: StepFault,
    },
}

/// What is wrong with an input or output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PortFault {
    /// Its name does not lie inside the names.
    Name,
    /// Its element type is unknown, or not one that this build computes with.
    DType,
    /// Its order is unknown.
    Layout,
    /// More than six dimensions, an empty one, or more elements than 32 bits count.
    Shape,
    /// Its place is not one contiguous run of its elements.
    Segment,
    /// It lies outside its buffer, or there is no such buffer.
    Outside,
    /// Its buffer is not one of inputs or outputs, or not alive when the caller writes or reads it.
    Buffer,
}

/// What is wrong with a buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum BufferFault {
    /// Its class is unknown.
    Class,
    /// Its memory region does not exist.
    Region,
    /// Its offset is no multiple of 16.
    Alignment,
    /// It reaches beyond the arena.
    Outside,
    /// It ends before it begins, lives beyond the last step, or is an input or output that does not live as long as it must.
    Life,
}

/// What is wrong with a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StepFault {
    /// The record is cut short, or its lengths contradict each other.
    Record,
    /// The operator is unknown.
    Operator,
    /// An unknown flag.
    Flags,
    /// The name does not lie inside the names.
    Name,
    /// The parameters describe nothing that the operator computes.
    Params,
    /// Too many or too few sources, outputs, segments or places.
    Operands,
    /// The channels of an operand's segments do not add up.
    Channels,
    /// A segment is empty, its strides let its elements collide, or its rows lie in a ring.
    Layout,
    /// A segment lies outside its buffer, or there is no such buffer.
    Outside,
    /// A buffer is read before it is written, or used outside its life.
    Life,
    /// A source shares memory with the output, other than in place.
    Overlap,
    /// A constant lies outside the weights, is misaligned, or has a wrong length.
    Place,
    /// The scratch is missing, too short, or a buffer that something else uses.
    Scratch,
}

impl fmt::Display for Section {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Head => "head",
            Self::Steps => "steps",
            Self::Weights => "weights",
        })
    }
}

impl fmt::Display for ProgramError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Length { expected, actual } => {
                write!(
                    f,
                    "the program has {expected} bytes, {actual} were given; it is cut short or carries a tail"
                )
            }
            Self::Misaligned { excess } => {
                write!(f, "the program begins {excess} bytes behind a multiple of 64; align it to 64 bytes")
            }
            Self::Magic => f.write_str("not a salto program: it does not begin with the format's mark"),
            Self::Version { found } => {
                write!(
                    f,
                    "format version {found}, this build reads {}; compile it again",
                    super::record::VERSION
                )
            }
            Self::Capabilities { unknown } => {
                write!(
                    f,
                    "the program needs capabilities {unknown:#x} that this build does not have; use a newer build"
                )
            }
            Self::WeightLayout { found } => {
                write!(f, "weight layout {found} is not this target's; compile the program for it")
            }
            Self::Bounds(section) => write!(f, "the section of {section} does not lie where it may"),
            Self::Checksum(section) => write!(f, "the section of {section} is damaged: its CRC differs"),
            Self::Names => f.write_str("the names are no UTF-8"),
            Self::Input { index, fault } => write!(f, "input {index}: {fault}"),
            Self::Output { index, fault } => write!(f, "output {index}: {fault}"),
            Self::Buffer { index, fault } => write!(f, "buffer {index}: {fault}"),
            Self::Overlap { first, second } => {
                write!(f, "buffers {first} and {second} live at the same time and share memory")
            }
            Self::Step { index, operator: None, fault } => write!(f, "step {index}: {fault}"),
            Self::Step { index, operator: Some(operator), fault } => {
                write!(f, "step {index} ({operator:?}): {fault}")
            }
        }
    }
}

impl fmt::Display for PortFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Name => "its name lies outside the names",
            Self::DType => "this build does not compute with its element type",
            Self::Layout => "its order of dimensions is unknown",
            Self::Shape => "its shape is empty, too large, or of more than six dimensions",
            Self::Segment => "its elements are not one contiguous run",
            Self::Outside => "it lies outside its buffer",
            Self::Buffer => "its buffer is not one for inputs and outputs, or not alive when it must be",
        })
    }
}

impl fmt::Display for BufferFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Class => "its class is unknown",
            Self::Region => "its memory region does not exist",
            Self::Alignment => "its offset is no multiple of 16",
            Self::Outside => "it reaches beyond the arena",
            Self::Life => "its life contradicts its class or the number of steps",
        })
    }
}

impl fmt::Display for StepFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Record => "its record is cut short or contradicts itself",
            Self::Operator => "its operator is unknown",
            Self::Flags => "it has an unknown flag",
            Self::Name => "its name lies outside the names",
            Self::Params => "its parameters describe nothing that the operator computes",
            Self::Operands => "wrong number of sources, outputs, segments or places",
            Self::Channels => "the channels of an operand's segments do not add up",
            Self::Layout => "a segment is empty, lies in a ring, or its strides let its elements collide",
            Self::Outside => "a segment lies outside its buffer",
            Self::Life => "a buffer is read before it is written, or used outside its life",
            Self::Overlap => "a source shares memory with the output, other than in place",
            Self::Place => "a constant lies outside the weights, is misaligned or of wrong length",
            Self::Scratch => "its scratch is missing, too short or shared",
        })
    }
}

impl core::error::Error for ProgramError {}
