//! Gives the schedule's buffers their addresses.

use alloc::vec::Vec;

use crate::device::memory::{Buffer, PlaceError, Problem, ProblemError, lower_bound};
use crate::host::memory::{Placement, plan};
use crate::host::{Error, ErrorKind, Result};

use super::schedule::Schedule;

/// Buffers of this many bytes or more begin at cache lines, smaller ones at vectors of 16 bytes.
const LINE_FROM: u32 = 1024;

/// The planner's view of a schedule.
pub(super) struct Lives {
    pub(super) buffers: Vec<Buffer>,
}

impl Lives {
    /// All buffers.
    pub(super) fn of(schedule: &Schedule) -> Self {
        let buffer = |buffer: &super::schedule::Buffer| {
            let align = if buffer.len >= LINE_FROM { 64 } else { 16 };
            Buffer::new(buffer.len, buffer.life.0, buffer.life.1).aligned(align)
        };
        Self { buffers: schedule.buffers.iter().map(buffer).collect() }
    }

    /// The maximum of live bytes.
    pub(super) fn bound(&self) -> Result<u32> {
        Ok(lower_bound(&self.problem()?))
    }

    /// Addresses for all buffers.
    pub(super) fn place(&self) -> Result<Placement> {
        plan(&self.problem()?).map_err(|error| match error {
            PlaceError::Limit { .. } => Error::new(ErrorKind::Limit, "the arena would need 4 GiB or more")
                .remedy("reduce the batch or the size of the input"),
            _ => Error::new(ErrorKind::Invalid, alloc::format!("no memory plan: {error}")),
        })
    }

    fn problem(&self) -> Result<Problem<'_>> {
        let invalid =
            |error: ProblemError| Error::new(ErrorKind::Invalid, alloc::format!("no memory plan: {error}"));
        Problem::new(&self.buffers, &[]).map_err(invalid)
    }
}
