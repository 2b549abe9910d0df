//! Why an engine cannot be made or used.

use core::fmt;

use crate::device::program::record::OpCode;
use crate::device::tensor::DType;

/// Why an engine cannot be made or used. Small and `Copy`; displays as one line with both numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum EngineError {
    /// The arena has fewer bytes than the program needs.
    ArenaShort {
        /// Bytes that it needs.
        needed: usize,
        /// Bytes that were given.
        given: usize,
    },
    /// The arena does not begin at a multiple of 64 bytes.
    ArenaMisaligned {
        /// How far behind a multiple it begins.
        excess: usize,
    },
    /// A step's operator is not in the engine's table.
    MissingOperator {
        /// The step.
        step: usize,
        /// Its operator.
        operator: OpCode,
    },
    /// A step lacks an operand that its operator needs: its program has not been checked.
    MissingOperand {
        /// The step.
        step: usize,
        /// Its operator.
        operator: OpCode,
    },
    /// No input of this number.
    NoInput {
        /// The number that was asked for.
        index: usize,
        /// Number of inputs.
        count: usize,
    },
    /// No output of this number.
    NoOutput {
        /// The number that was asked for.
        index: usize,
        /// Number of outputs.
        count: usize,
    },
    /// An input's elements have another type.
    InputDType {
        /// The input.
        index: usize,
        /// The type of the program's input.
        expected: DType,
        /// The type that was asked for.
        given: DType,
    },
    /// An output's elements have another type.
    OutputDType {
        /// The output.
        index: usize,
        /// The type of the program's output.
        expected: DType,
        /// The type that was asked for.
        given: DType,
    },
    /// No step of this number.
    NoStep {
        /// The number that was asked for.
        index: usize,
        /// Number of steps.
        count: usize,
    },
    /// An input has another number of elements.
    InputLen {
        /// Elements of the program's input.
        expected: usize,
        /// Elements that were given.
        given: usize,
    },
}

impl fmt::Display for EngineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::ArenaShort { needed, given } => {
                write!(f, "the program needs an arena of {needed} bytes, {given} were given")
            }
            Self::ArenaMisaligned { excess } => {
                write!(f, "the arena begins {excess} bytes behind a multiple of 64; use AlignedArena")
            }
            Self::MissingOperator { step, operator } => {
                write!(
                    f,
                    "step {step} needs operator {operator:?}, which is not in the engine's table; name it in ops![…]"
                )
            }
            Self::MissingOperand { step, operator } => {
                write!(
                    f,
                    "step {step} lacks an operand of operator {operator:?}; read the program with Program::from_bytes"
                )
            }
            Self::NoInput { index, count } => write!(f, "no input {index}: the program has {count}"),
            Self::NoOutput { index, count } => write!(f, "no output {index}: the program has {count}"),
            Self::InputDType { index, expected, given } => {
                write!(f, "input {index} has elements of type {}, not {}", expected.name(), given.name())
            }
            Self::OutputDType { index, expected, given } => {
                write!(f, "output {index} has elements of type {}, not {}", expected.name(), given.name())
            }
            Self::NoStep { index, count } => write!(f, "no step {index}: the program has {count}"),
            Self::InputLen { expected, given } => {
                write!(f, "the input has {expected} elements, {given} were given")
            }
        }
    }
}

impl core::error::Error for EngineError {}
