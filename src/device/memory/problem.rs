//! The planner's problem.

use core::fmt;

/// A buffer: `len` bytes that must exist from step `first` to step `last`, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Buffer {
    /// Bytes.
    pub len: u32,
    /// The offset must be a multiple of it; a power of two.
    pub align: u32,
    /// First step of its life.
    pub first: u32,
    /// Last step of its life.
    pub last: u32,
    /// The offset that it must have, if it is given.
    pub fixed: Option<u32>,
}

/// Which way a step goes through its rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Direction {
    /// From the first row to the last.
    #[default]
    Forward,
    /// From the last row to the first.
    Backward,
}

/// Two buffers that meet in one step only, where `input` is read for the last time and `output` written for the first: they
/// need not be disjoint, if `input` lies high enough above `output` (forward) or below it (backward).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Separation {
    /// The buffer that is read.
    pub input: usize,
    /// The buffer that is written.
    pub output: usize,
    /// The step in which they meet. All pairs of one step take the same [`Direction`].
    pub step: u32,
    /// Forward: `offset(input) ≥ offset(output) + forward`. The output's length means plain disjointness.
    pub forward: u32,
    /// Backward: `offset(output) ≥ offset(input) + backward`. The input's length means plain disjointness.
    pub backward: u32,
}

/// A planning problem: it exists only if it is well formed, so nobody who takes one has to look again.
#[derive(Clone, Copy, Debug)]
pub struct Problem<'a> {
    buffers: &'a [Buffer],
    separations: &'a [Separation],
}

/// Why buffers and separations are no [`Problem`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ProblemError {
    /// The buffer's last step lies before its first.
    Life {
        /// Which buffer.
        buffer: usize,
    },
    /// The buffer's alignment is no power of two, or its fixed offset is no multiple of it.
    Align {
        /// Which buffer.
        buffer: usize,
    },
    /// The separation names a buffer that does not exist, or its step is not the last of the input and the first of the output.
    Meeting {
        /// Which separation.
        separation: usize,
    },
    /// The separation repeats the pair of an earlier one, or reads in its step what an earlier one writes there (or the reverse).
    Roles {
        /// Which separation.
        separation: usize,
    },
}

impl Buffer {
    /// A buffer that may lie anywhere.
    pub const fn new(len: u32, first: u32, last: u32) -> Self {
        Self { len, align: 1, first, last, fixed: None }
    }

    /// The same buffer at multiples of `align`, a power of two.
    #[must_use]
    pub const fn aligned(self, align: u32) -> Self {
        Self { align, ..self }
    }

    /// The same buffer at a given offset.
    #[must_use]
    pub const fn at(self, offset: u32) -> Self {
        Self { fixed: Some(offset), ..self }
    }

    /// Does the buffer exist in a step?
    pub const fn lives_in(&self, step: u32) -> bool {
        self.first <= step && step <= self.last
    }
}

impl<'a> Problem<'a> {
    /// A problem from its parts.
    ///
    /// # Errors
    /// If a buffer or separation contradicts itself or another; see [`ProblemError`].
    pub const fn new(buffers: &'a [Buffer], separations: &'a [Separation]) -> Result<Self, ProblemError> {
        let mut index = 0;
        while index < buffers.len() {
            if let Err(error) = check_buffer(buffers, index) {
                return Err(error);
            }
            index += 1;
        }
        let mut index = 0;
        while index < separations.len() {
            if let Err(error) = check_separation(buffers, separations, index) {
                return Err(error);
            }
            index += 1;
        }
        Ok(Self { buffers, separations })
    }

    /// The buffers.
    pub const fn buffers(&self) -> &'a [Buffer] {
        self.buffers
    }

    /// Pairs that may overlap.
    pub const fn separations(&self) -> &'a [Separation] {
        self.separations
    }
}

const fn check_buffer(buffers: &[Buffer], index: usize) -> Result<(), ProblemError> {
    let buffer = &buffers[index];
    if buffer.last < buffer.first {
        return Err(ProblemError::Life { buffer: index });
    }
    let aligned = match buffer.fixed {
        Some(offset) => offset.is_multiple_of(buffer.align),
        None => true,
    };
    if !buffer.align.is_power_of_two() || !aligned {
        return Err(ProblemError::Align { buffer: index });
    }
    Ok(())
}

const fn check_separation(
    buffers: &[Buffer],
    separations: &[Separation],
    index: usize,
) -> Result<(), ProblemError> {
    let Separation { input, output, step, .. } = separations[index];
    if input == output || input >= buffers.len() || output >= buffers.len() {
        return Err(ProblemError::Meeting { separation: index });
    }
    if buffers[input].last != step || buffers[output].first != step {
        return Err(ProblemError::Meeting { separation: index });
    }
    let mut earlier = 0;
    while earlier < index {
        let other = &separations[earlier];
        let same_pair = other.input == input && other.output == output;
        let both_roles = other.step == step && (other.input == output || other.output == input);
        if same_pair || both_roles {
            return Err(ProblemError::Roles { separation: index });
        }
        earlier += 1;
    }
    Ok(())
}

impl fmt::Display for ProblemError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Life { buffer } => write!(f, "buffer {buffer} ends before it begins"),
            Self::Align { buffer } => {
                write!(
                    f,
                    "the alignment of buffer {buffer} is no power of two, or its fixed offset no multiple of it"
                )
            }
            Self::Meeting { separation } => {
                write!(f, "the buffers of separation {separation} do not meet in its step alone")
            }
            Self::Roles { separation } => {
                write!(
                    f,
                    "separation {separation} repeats a pair, or a buffer is both read and written in its step"
                )
            }
        }
    }
}

impl core::error::Error for ProblemError {}
