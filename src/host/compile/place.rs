//! Gives the schedule's buffers their addresses.

use alloc::vec::Vec;

use crate::device::memory::{Buffer, PlaceError, Problem, ProblemError, lower_bound};
use crate::device::program::record::BUFFER_ALIGN;
use crate::host::memory::{Placement, PlanError, plan};
use crate::host::{Error, ErrorKind, Result};

use super::schedule::Schedule;

/// What the compiler aligns a buffer of `len` bytes to: from 1 KiB on to cache lines, else to what the format demands.
const fn buffer_align(len: u32) -> u32 {
    if len >= 1024 { 64 } else { BUFFER_ALIGN }
}

/// The planner's view of a schedule.
pub(super) struct Lives {
    pub(super) buffers: Vec<Buffer>,
}

impl Lives {
    /// All buffers.
    pub(super) fn of(schedule: &Schedule) -> Self {
        let buffer = |buffer: &super::schedule::Buffer| {
            Buffer::new(buffer.len, buffer.life.0, buffer.life.1).aligned(buffer_align(buffer.len))
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
            PlanError::Place(PlaceError::Limit { .. }) => {
                Error::new(ErrorKind::Limit, "the arena would need 4 GiB or more")
                    .remedy("reduce the batch or the size of the input")
            }
            _ => Error::new(ErrorKind::Invalid, alloc::format!("no memory plan: {error}")),
        })
    }

    pub(super) fn problem(&self) -> Result<Problem<'_>> {
        let invalid =
            |error: ProblemError| Error::new(ErrorKind::Invalid, alloc::format!("no memory plan: {error}"));
        Problem::new(&self.buffers, &[]).map_err(invalid)
    }
}
