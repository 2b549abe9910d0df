//! What the compiler decided, with names: steps, buffers, and where memory peaks.

use alloc::string::String;
use alloc::vec::Vec;

use crate::device::program::record::{BufferClass, OpCode};
use crate::device::tensor::Extent;
use crate::host::Result;
use crate::host::memory::{Certificate, Placement};

use super::place::Lives;
use super::schedule::{Schedule, Step};

/// What the compiler decided.
#[derive(Clone, Debug)]
pub struct Report {
    /// Steps in the order in which they run.
    pub steps: Vec<StepReport>,
    /// Buffers of the arena.
    pub buffers: Vec<BufferReport>,
    /// Bytes of arena, scratch included, for one thread.
    pub arena_len: u32,
    /// Bytes of arena that no placement of these buffers in this order of steps can undercut.
    pub lower_bound: u32,
    /// How good the placement is.
    pub certificate: Certificate,
    /// The most bytes of inputs, outputs and activations that are alive in one step; scratch left out.
    pub activation_peak: u32,
    /// Bytes of the largest scratch.
    pub scratch_peak: u32,
    /// Bytes of the section of weights.
    pub weight_bytes: u64,
    /// Multiply-accumulates of one run, by the definitions of the operators.
    pub macs: u64,
    /// The step where memory peaks.
    pub peak: Option<Peak>,
}

/// A step.
#[derive(Clone, Debug)]
pub struct StepReport {
    /// The node's name in the model; for a step that the compiler added, the tensor's.
    pub name: String,
    /// The node's operator, or `Copy`, `Rearrange`, `Constant` for a step that the compiler added.
    pub operator: &'static str,
    /// Which kernel runs.
    pub code: OpCode,
    /// How it computes; empty where there is no choice.
    pub algorithm: &'static str,
    /// `[n, h, w, c]` of the first input as the kernel sees it.
    pub input: Extent,
    /// `[n, h, w, c]` of the output as the kernel sees it.
    pub output: Extent,
    /// Segments of the first input: more than one for a concatenation that is not a tensor.
    pub segments: usize,
    /// Is the output written over an operand?
    pub in_place: bool,
    /// Multiply-accumulates by the operator's definition.
    pub macs: u64,
    /// Bytes of packed constants that it reads.
    pub weight_bytes: u64,
    /// Bytes of scratch.
    pub scratch_bytes: u32,
    /// Bytes alive in this step, scratch included.
    pub live_bytes: u64,
}

/// A buffer.
#[derive(Clone, Debug)]
pub struct BufferReport {
    /// The tensor that it was made for.
    pub name: String,
    /// What it holds.
    pub class: BufferClass,
    /// Bytes.
    pub bytes: u32,
    /// First byte in the arena.
    pub offset: u32,
    /// First and last step of its life, both included.
    pub life: (u32, u32),
}

/// The step where memory peaks.
#[derive(Clone, Debug)]
pub struct Peak {
    /// The step's number.
    pub step: usize,
    /// Bytes alive.
    pub bytes: u64,
    /// What is alive, the largest first.
    pub residents: Vec<Resident>,
}

/// A buffer that is alive at the peak.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resident {
    /// The buffer's number.
    pub buffer: usize,
    /// Why it is alive.
    pub reason: Reason,
}

/// Why a buffer is alive in a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The step reads it.
    Read,
    /// The step writes it.
    Written,
    /// The step reads it and writes its result over it.
    InPlace,
    /// The step's scratch.
    Scratch,
    /// A skip: it waits for this later step.
    Waits {
        /// The step that reads it next.
        until: usize,
    },
    /// An output of the network, which must survive to the end.
    Output,
}

impl Report {
    pub(super) fn new(schedule: &Schedule, placement: &Placement) -> Result<Self> {
        let live = live_bytes(schedule);
        let steps: Vec<StepReport> =
            schedule.steps.iter().zip(&live).map(|(step, &live)| step_report(schedule, step, live)).collect();
        let buffers: Vec<BufferReport> = schedule
            .buffers
            .iter()
            .zip(&placement.offsets)
            .map(|(buffer, &offset)| {
                let (name, class) = (buffer.name.clone(), buffer.class);
                BufferReport { name, class, bytes: buffer.len, offset, life: buffer.life }
            })
            .collect();
        let weight_bytes = schedule.constants.iter().map(|(_, len)| 4 * u64::from(len)).sum();
        let macs = steps.iter().map(|step| step.macs).sum();
        let scratch_peak = steps.iter().map(|step| step.scratch_bytes).max().unwrap_or(0);
        Ok(Self {
            peak: peak(schedule, &live),
            arena_len: placement.arena_len,
            lower_bound: Lives::of(schedule).bound()?,
            certificate: placement.certificate,
            activation_peak: Lives::without_scratch(schedule).bound()?,
            scratch_peak,
            weight_bytes,
            macs,
            steps,
            buffers,
        })
    }
}

fn step_report(schedule: &Schedule, step: &Step, live_bytes: u64) -> StepReport {
    let weights = step.places.iter().flatten().map(|&id| 4 * u64::from(schedule.constants.len(id)));
    StepReport {
        name: step.name.clone(),
        operator: step.operator,
        code: step.code,
        algorithm: step.algorithm,
        input: step.input,
        output: step.output,
        segments: step.sources[0].len(),
        in_place: step.sources.iter().flatten().any(|segment| segment.buffer == step.sink.buffer),
        macs: step.macs,
        weight_bytes: weights.sum(),
        scratch_bytes: step.scratch.map_or(0, |buffer| schedule.buffers[buffer as usize].len),
        live_bytes,
    }
}

/// Bytes alive in each step.
fn live_bytes(schedule: &Schedule) -> Vec<u64> {
    let alive = |step: u32| {
        let alive =
            schedule.buffers.iter().filter(move |buffer| buffer.life.0 <= step && step <= buffer.life.1);
        alive.map(|buffer| u64::from(buffer.len)).sum()
    };
    (0..schedule.steps.len() as u32).map(alive).collect()
}

/// The fullest step, the first of several.
fn peak(schedule: &Schedule, live: &[u64]) -> Option<Peak> {
    let bytes = *live.iter().max()?;
    let step = live.iter().position(|&live| live == bytes)?;
    let number = step as u32;
    let alive =
        |(_, buffer): &(usize, &super::schedule::Buffer)| buffer.life.0 <= number && number <= buffer.life.1;
    let mut residents: Vec<Resident> = schedule
        .buffers
        .iter()
        .enumerate()
        .filter(alive)
        .map(|(buffer, _)| Resident { buffer, reason: reason(schedule, buffer as u32, step) })
        .collect();
    residents.sort_by_key(|resident| core::cmp::Reverse(schedule.buffers[resident.buffer].len));
    Some(Peak { step, bytes, residents })
}

/// Why a buffer is alive in a step.
fn reason(schedule: &Schedule, buffer: u32, step: usize) -> Reason {
    let reads = |step: &Step| step.sources.iter().flatten().any(|segment| segment.buffer == buffer);
    let now = &schedule.steps[step];
    match (reads(now), now.sink.buffer == buffer) {
        _ if now.scratch == Some(buffer) => Reason::Scratch,
        (true, true) => Reason::InPlace,
        (true, false) => Reason::Read,
        (false, true) => Reason::Written,
        (false, false) => {
            let next = schedule.steps[step..].iter().position(reads);
            next.map_or(Reason::Output, |next| Reason::Waits { until: step + next })
        }
    }
}

impl core::fmt::Display for StepReport {
    /// Writes `name (Operator, algorithm)`.
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{} ({}", self.name, self.operator)?;
        if !self.algorithm.is_empty() {
            write!(f, ", {}", self.algorithm)?;
        }
        f.write_str(")")
    }
}
