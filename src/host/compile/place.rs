//! Gives the schedule's buffers their addresses, and where memory is to be low, finds which outputs may lie over consumed inputs.

use alloc::vec;
use alloc::vec::Vec;

use crate::device::memory::{
    Buffer, Direction, PlaceError, Problem, ProblemError, Separation, ranges_overlap,
};
use crate::device::program::Params;
use crate::device::program::record::{BUFFER_ALIGN, BufferClass, FLAG_BACKWARD, FLAG_PARALLEL};
use crate::device::tensor::Segment;
use crate::host::memory::{Certificate, Placement, PlanError, plan};
use crate::host::{Error, ErrorKind, Result};

use super::schedule::{DTYPE, Schedule, Step};

/// What the compiler aligns a buffer of `len` bytes to: from 1 KiB on to cache lines, else to what the format demands.
const fn buffer_align(len: u32) -> u32 {
    if len >= 1024 { 64 } else { BUFFER_ALIGN }
}

/// The planner's view of a schedule.
pub(super) struct Lives {
    pub(super) buffers: Vec<Buffer>,
    separations: Vec<Separation>,
    /// How many steps there are.
    steps: usize,
}

/// Where a schedule's buffers lie, and what follows for its steps.
pub(super) struct Plan {
    /// The first byte of each buffer.
    pub(super) offsets: Vec<u32>,
    /// Bytes of arena.
    pub(super) arena_len: u32,
    /// How good the plan is.
    pub(super) certificate: Certificate,
    /// The flags of each step's record.
    pub(super) flags: Vec<u16>,
}

impl Plan {
    /// Does any output lie over an input that is consumed row by row?
    pub(super) fn overlaps(&self) -> bool {
        self.flags.iter().any(|flags| flags & FLAG_PARALLEL == 0)
    }
}

impl Lives {
    /// All buffers; with in/out overlap wherever kernels allow it, if `overlap`.
    pub(super) fn of(schedule: &Schedule, overlap: bool) -> Self {
        let buffer = |buffer: &super::schedule::Buffer| {
            Buffer::new(buffer.len, buffer.life.0, buffer.life.1).aligned(buffer_align(buffer.len))
        };
        let separations = if overlap { separations(schedule) } else { Vec::new() };
        let buffers = schedule.buffers.iter().map(buffer).collect();
        Self { buffers, separations, steps: schedule.steps.len() }
    }

    /// All buffers but the scratch, which overlaps nothing.
    pub(super) fn of_activations(schedule: &Schedule, overlap: bool) -> Self {
        let is_kept = |number: usize| schedule.buffers[number].class != BufferClass::Scratch;
        let new_number = |number: usize| (0..number).filter(|number| is_kept(*number)).count();
        let Self { buffers, separations, steps } = Self::of(schedule, overlap);
        let renumbered = |separation: Separation| Separation {
            input: new_number(separation.input),
            output: new_number(separation.output),
            ..separation
        };
        let buffers = buffers.into_iter().enumerate().filter(|(number, _)| is_kept(*number));
        Self {
            buffers: buffers.map(|(_, buffer)| buffer).collect(),
            separations: separations.into_iter().map(renumbered).collect(),
            steps,
        }
    }

    /// Addresses for all buffers. A step whose output overlaps its input runs on one thread and in small bands, so no more of them
    /// overlap than the size of the arena asks for, as far as one further plan can tell.
    pub(super) fn place(&self) -> Result<Plan> {
        let all = self.placement()?;
        let needed = Self {
            buffers: self.buffers.clone(),
            separations: self
                .separations
                .iter()
                .filter(|separation| self.live_bytes(separation.step) > u64::from(all.arena_len))
                .copied()
                .collect(),
            steps: self.steps,
        };
        if needed.separations.len() < self.separations.len() {
            let fewer = needed.placement()?;
            if fewer.arena_len <= all.arena_len {
                // What is known of the larger freedom holds for the smaller.
                let certificate = match all.certificate {
                    Certificate::Gap { lower, .. } => Certificate::new(lower, fewer.arena_len),
                    optimal => optimal,
                };
                return Ok(needed.plan(Placement { certificate, ..fewer }));
            }
        }
        Ok(self.plan(all))
    }

    fn plan(&self, placement: Placement) -> Plan {
        let Placement { offsets, directions, arena_len, certificate } = placement;
        let mut flags = vec![FLAG_PARALLEL; self.steps];
        for (separation, direction) in self.separations.iter().zip(directions) {
            let [input, output] = [separation.input, separation.output];
            let lens = [self.buffers[input].len, self.buffers[output].len];
            if ranges_overlap(offsets[input], lens[0], offsets[output], lens[1]) {
                flags[separation.step as usize] = match direction {
                    Direction::Forward => 0,
                    Direction::Backward => FLAG_BACKWARD,
                };
            }
        }
        Plan { offsets, arena_len, certificate, flags }
    }

    /// Bytes that live in a step.
    fn live_bytes(&self, step: u32) -> u64 {
        let live = self.buffers.iter().filter(|buffer| buffer.lives_in(step));
        live.map(|buffer| u64::from(buffer.len.next_multiple_of(buffer.align))).sum()
    }

    fn placement(&self) -> Result<Placement> {
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
        Problem::new(&self.buffers, &self.separations).map_err(invalid)
    }
}

/// The pairs that may overlap: what a step reads for the last time, and what it writes for the first.
fn separations(schedule: &Schedule) -> Vec<Separation> {
    let mut list = Vec::new();
    for (number, step) in (0u32..).zip(&schedule.steps) {
        let output = &schedule.buffers[step.sink.buffer as usize];
        if output.life.0 != number || !matches!(output.class, BufferClass::Activation | BufferClass::Output) {
            continue;
        }
        for separation in step_separations(step, number) {
            let input = &schedule.buffers[separation.input];
            let holds_input = match input.class {
                BufferClass::Input => true,
                BufferClass::Activation => input.life.0 < number,
                _ => false,
            };
            let helps = separation.forward < output.len || separation.backward < input.len;
            if input.life.1 == number && holds_input && helps {
                list.push(separation);
            }
        }
    }
    list
}

/// The separations of a step from each buffer that source 0 alone reads, all its segments together, in bytes.
fn step_separations(step: &Step, number: u32) -> Vec<Separation> {
    let mut list: Vec<Separation> = Vec::new();
    // The record is read as the device reads it, at a multiple of 4.
    let mut words = vec![0u32; step.params.len().div_ceil(4)];
    bytemuck::cast_slice_mut(&mut words)[..step.params.len()].copy_from_slice(&step.params);
    let bytes = &bytemuck::cast_slice(&words)[..step.params.len()];
    let Some(params) = Params::of(step.code, bytes) else { return list };
    let [source, others @ ..] = &step.sources;
    let is_read_otherwise = |segment: &Segment| {
        let mut others = others.iter().flatten().chain(&step.weights);
        others.any(|other| other.buffer == segment.buffer) || segment.buffer == step.sink.buffer
    };
    for segment in source.iter().filter(|segment| !is_read_otherwise(segment)) {
        let Some(rows) = params.separation(0, segment, &step.sink) else { return Vec::new() };
        let [input, output] = [segment, &step.sink].map(|operand| operand.rows.base);
        let bytes = |distance: u32, above: u32, below: u32| {
            let elements = (u64::from(distance) + u64::from(above)).saturating_sub(below.into());
            u32::try_from(elements * DTYPE.bytes() as u64).unwrap_or(u32::MAX)
        };
        let forward = bytes(rows.forward, output, input);
        let backward = bytes(rows.backward, input, output);
        let [input, output] = [segment, &step.sink].map(|operand| operand.buffer as usize);
        match list.iter_mut().find(|separation| separation.input == input) {
            Some(separation) => {
                separation.forward = separation.forward.max(forward);
                separation.backward = separation.backward.max(backward);
            }
            None => list.push(Separation { input, output, step: number, forward, backward }),
        }
    }
    list
}
