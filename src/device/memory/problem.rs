//! The planner's problem.

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

/// A planning problem.
#[derive(Clone, Copy, Debug)]
pub struct Problem<'a> {
    /// The buffers.
    pub buffers: &'a [Buffer],
    /// Pairs that may overlap.
    pub separations: &'a [Separation],
}
