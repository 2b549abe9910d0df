//! The order of the steps: the one that keeps the fewest bytes alive, if a smaller arena comes of it.

use alloc::format;
use alloc::vec::Vec;

use crate::device::program::record::BufferClass;
use crate::host::memory::order::{Ordering, Peaks, Saving, Task, Tasks, Tensor, order};
use crate::host::{Error, ErrorKind, Result};

use super::CompileOptions;
use super::place::{Lives, Plan};
use super::schedule::{Buffer, Schedule, Step};

/// Sets of steps that the search for an order may look at: a fifth of a second at most.
const BUDGET: usize = 20_000;

/// A schedule with its memory plan.
pub(super) struct Planned {
    pub(super) schedule: Schedule,
    pub(super) plan: Plan,
    pub(super) peaks: Peaks,
}

/// The schedule with its steps in the order that needs the smallest arena: as it is, or as the search says.
pub(super) fn planned(schedule: Schedule, options: &CompileOptions) -> Result<Planned> {
    let Ordering { order, peaks } = order(&tasks(&schedule)?, BUDGET);
    if peaks.chosen == peaks.given || !options.techniques.order {
        return placed(schedule, Peaks { chosen: peaks.given, ..peaks }, options);
    }
    let mut reordered = schedule.clone();
    reordered.reorder(&order);
    let given = placed(schedule, Peaks { chosen: peaks.given, ..peaks }, options)?;
    let reordered = placed(reordered, peaks, options)?;
    // The smaller peak may be the one that is placed worse.
    Ok(if reordered.plan.arena_len < given.plan.arena_len { reordered } else { given })
}

fn placed(mut schedule: Schedule, peaks: Peaks, options: &CompileOptions) -> Result<Planned> {
    schedule.share(options.keep_input);
    let plan = Lives::of(&schedule, options.overlaps()).place()?;
    Ok(Planned { schedule, plan, peaks })
}

/// The steps and buffers as the search sees them.
fn tasks(schedule: &Schedule) -> Result<Tasks> {
    let tensor =
        |buffer: &Buffer| Tensor { bytes: buffer.len.into(), kept: buffer.class == BufferClass::Output };
    let bytes = |buffer: u32| u64::from(schedule.buffers[buffer as usize].len);
    let task = |step: &Step| Task {
        reads: step.reads().map(|buffer| buffer as usize).collect(),
        writes: Vec::from([step.sink.buffer as usize]),
        scratch: step.scratch.map_or(0, bytes),
        savings: step.over.iter().map(|&over| Saving { over: over as usize, bytes: bytes(over) }).collect(),
    };
    let tensors = schedule.buffers.iter().map(tensor).collect();
    Tasks::new(tensors, schedule.steps.iter().map(task).collect())
        .map_err(|error| Error::new(ErrorKind::Invalid, format!("no order of the steps: {error}")))
}
