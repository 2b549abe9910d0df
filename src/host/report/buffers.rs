//! The buffers and steps of a program's plan: who writes, who reads, and what therefore waits.
//!
//! What flows in is a program; what flows out are the rows and words of a memory report, which calls this.

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use alloc::{format, vec};

use crate::device::program::Program;
use crate::device::program::record::{self, BufferClass};

use super::layer::output_dims;

/// A step of the plan.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "cli", derive(serde::Serialize))]
pub struct StepReport {
    /// The node's name.
    pub name: String,
    /// The operator.
    pub operator: String,
    /// Bytes of inputs, outputs and activations that live while it runs.
    pub activation_bytes: u64,
    /// Bytes of its scratch for one worker.
    pub scratch_bytes: u64,
}

/// What a step has written and a later one reads, while others run in between: what keeps memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "cli", derive(serde::Serialize))]
pub struct Skip {
    /// The buffer that it lies in.
    pub buffer: usize,
    /// The step that has written it; none for an input of the network.
    pub from: Option<usize>,
    /// The last step that reads it.
    pub to: usize,
}

/// A buffer of the plan.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "cli", derive(serde::Serialize))]
pub struct BufferReport {
    /// What it holds.
    pub holds: String,
    /// `input`, `output`, `activation`, `scratch` or `state`.
    pub class: String,
    /// The shape of what its first writer writes, `[n, h, w, c]` or as many dimensions as the step has; an input's as stored;
    /// empty for scratch.
    pub shape: Vec<u32>,
    /// First byte in the arena.
    pub offset: u64,
    /// Bytes.
    pub bytes: u64,
    /// First step of its life.
    pub first_step: u32,
    /// Last step of its life.
    pub last_step: u32,
    /// The steps that write it.
    pub writers: Vec<usize>,
    /// The steps that read it.
    pub readers: Vec<usize>,
}

/// Who writes and who reads each buffer.
pub(super) struct Uses<'p> {
    /// The names of the steps.
    names: Vec<&'p str>,
    /// The operators of the steps.
    operators: Vec<String>,
    /// The steps that write each buffer.
    writers: Vec<Vec<usize>>,
    /// The steps that read each buffer.
    readers: Vec<Vec<usize>>,
    /// The input or output that each buffer is.
    ports: Vec<Option<&'p str>>,
    /// The shape of what is first in each buffer.
    shapes: Vec<Vec<u32>>,
}

impl<'p> Uses<'p> {
    pub(super) fn of(program: &Program<'p>) -> Self {
        let count = program.buffers().len();
        let mut uses = Self {
            names: program.steps().map(|step| step.name).collect(),
            operators: program.steps().map(|step| format!("{:?}", step.operator())).collect(),
            writers: vec![Vec::new(); count],
            readers: vec![Vec::new(); count],
            ports: vec![None; count],
            shapes: vec![Vec::new(); count],
        };
        for port in program.inputs() {
            if let Some(shape) = uses.shapes.get_mut(port.segment().buffer as usize) {
                *shape = port.shape().dims().to_vec();
            }
        }
        for (number, step) in program.steps().enumerate() {
            for segment in step.operands[..3].iter().copied().flatten() {
                push(&mut uses.readers, segment.buffer, number);
            }
            for segment in step.output() {
                push(&mut uses.writers, segment.buffer, number);
                if let Some(shape) =
                    uses.shapes.get_mut(segment.buffer as usize).filter(|dims| dims.is_empty())
                {
                    *shape = output_dims(&step.params);
                }
            }
            for place in step.places {
                push(&mut uses.readers, place.buffer, number);
            }
        }
        for port in program.inputs().chain(program.outputs()) {
            if let Some(name) = uses.ports.get_mut(port.segment().buffer as usize) {
                name.get_or_insert(port.name());
            }
        }
        uses
    }

    pub(super) fn step_count(&self) -> usize {
        self.names.len()
    }

    /// The steps, with what lives while they run.
    pub(super) fn steps(&self, buffers: &[record::Buffer]) -> Vec<StepReport> {
        let step = |(number, (name, operator)): (usize, (&&str, &String))| {
            let (scratch, activations): (Vec<_>, Vec<_>) =
                live(buffers, number).partition(|(_, buffer)| is_scratch(buffer));
            StepReport {
                name: name.to_string(),
                operator: operator.clone(),
                activation_bytes: occupied(activations.into_iter()),
                scratch_bytes: occupied(scratch.into_iter()),
            }
        };
        self.names.iter().zip(&self.operators).enumerate().map(step).collect()
    }

    pub(super) fn report(&self, number: usize, buffer: &record::Buffer) -> BufferReport {
        let class = BufferClass::from_code(buffer.class);
        BufferReport {
            holds: self.holds(number, buffer),
            class: class.map_or_else(String::new, |class| format!("{class:?}").to_lowercase()),
            shape: if is_scratch(buffer) { Vec::new() } else { self.shapes[number].clone() },
            offset: u64::from(buffer.offset),
            bytes: u64::from(buffer.len),
            first_step: buffer.first_step,
            last_step: buffer.last_step,
            writers: self.writers[number].clone(),
            readers: self.readers[number].clone(),
        }
    }

    /// All that waits while other steps run.
    pub(super) fn skips(&self, buffers: &[record::Buffer]) -> Vec<Skip> {
        let mut skips = Vec::new();
        for buffer in (0..buffers.len()).filter(|number| !is_scratch(&buffers[*number])) {
            let is_input = buffers[buffer].class == BufferClass::Input as u16;
            let inputs = is_input.then_some(None);
            let contents = inputs.into_iter().chain(self.writers[buffer].iter().copied().map(Some));
            for from in contents {
                // An input is there before step 0.
                let next = from.map_or(0, |from| from + 1);
                skips.extend(self.last_reader_since(buffer, next).filter(|to| *to > next).map(|to| Skip {
                    buffer,
                    from,
                    to,
                }));
            }
        }
        skips
    }

    /// The last step from `next` on that reads what a buffer holds before `next`.
    fn last_reader_since(&self, buffer: usize, next: usize) -> Option<usize> {
        let overwritten = self.writers[buffer].iter().copied().filter(|writer| *writer >= next).min();
        let until = overwritten.unwrap_or(usize::MAX);
        self.readers[buffer].iter().copied().filter(|reader| (next..=until).contains(reader)).max()
    }

    /// The step that has written what a buffer holds while `step` runs.
    pub(super) fn producer(&self, buffer: usize, step: usize) -> Option<usize> {
        self.writers[buffer].iter().copied().filter(|writer| *writer <= step).max()
    }

    /// The last step that reads what a buffer holds behind `step`, or else `step`, if it reads.
    pub(super) fn last_reader(&self, buffer: usize, step: usize) -> Option<usize> {
        let own = self.readers[buffer].contains(&step).then_some(step);
        self.last_reader_since(buffer, step + 1).or(own)
    }

    /// What a buffer holds: an input or output, or what its steps write.
    pub(super) fn holds(&self, number: usize, buffer: &record::Buffer) -> String {
        if is_scratch(buffer) {
            return format!("scratch of '{}'", self.name(buffer.first_step as usize));
        }
        match (self.ports[number], self.writers[number].as_slice()) {
            (Some(port), _) => format!("'{port}'"),
            (None, [step, .., last]) => format!("'{}' … '{}'", self.name(*step), self.name(*last)),
            (None, [step]) => format!("'{}'", self.name(*step)),
            (None, []) => String::new(),
        }
    }

    /// Why a buffer lives in a step.
    pub(super) fn reason(&self, number: usize, buffer: &record::Buffer, step: usize) -> String {
        if is_scratch(buffer) {
            return "scratch of this step".into();
        }
        let written = self.writers[number].contains(&step);
        let read = self.readers[number].contains(&step);
        let next = self.readers[number].iter().copied().filter(|reader| *reader > step).min();
        let last = self.last_reader_since(number, step + 1).filter(|last| Some(*last) != next);
        let reader = |reader| format!("'{}' (step {reader})", self.name(reader));
        let later = next.map(|next| match last {
            Some(last) => format!("{} and at last {}", reader(next), reader(last)),
            None => reader(next),
        });
        let skip = match self.skip_since(number, step) {
            Some(since) => format!("skip from step {since}, "),
            None => String::new(),
        };
        match (written, read, later) {
            (true, true, _) => format!("{skip}read and written by this step, in place"),
            (true, false, _) => "written by this step".into(),
            (false, true, None) => format!("{skip}read by this step for the last time"),
            (false, true, Some(later)) => format!("{skip}read by this step, and again by {later}"),
            (false, false, Some(later)) => format!("{skip}waits for {later}"),
            (false, false, None) if buffer.class == BufferClass::Output as u16 => {
                "output, already written".into()
            }
            (false, false, None) => "reserved".into(),
        }
    }

    /// The step that wrote a buffer last before `step`, if others ran in between and it is still to be read.
    fn skip_since(&self, number: usize, step: usize) -> Option<usize> {
        let is_needed = self.readers[number].iter().any(|reader| *reader >= step);
        let since = self.writers[number].iter().copied().filter(|writer| *writer < step).max()?;
        (is_needed && since + 1 < step).then_some(since)
    }

    pub(super) fn name(&self, step: usize) -> &'p str {
        self.names.get(step).copied().unwrap_or_default()
    }
}

/// Adds a step to a buffer's list, once; segments of no buffer are passed over.
fn push(lists: &mut [Vec<usize>], buffer: u32, step: usize) {
    if let Some(list) = lists.get_mut(buffer as usize)
        && list.last() != Some(&step)
    {
        list.push(step);
    }
}

pub(super) fn live(
    buffers: &[record::Buffer],
    step: usize,
) -> impl Iterator<Item = (usize, &record::Buffer)> {
    let lives = move |buffer: &record::Buffer| {
        (buffer.first_step as usize..=buffer.last_step as usize).contains(&step)
    };
    buffers.iter().enumerate().filter(move |(_, buffer)| lives(buffer))
}

/// The bytes of arena that buffers occupy; those that an output shares with an input that it overwrites count once.
pub(super) fn occupied<'b>(buffers: impl Iterator<Item = (usize, &'b record::Buffer)>) -> u64 {
    let mut ranges: Vec<_> =
        buffers.map(|(_, buffer)| (u64::from(buffer.offset), u64::from(buffer.len))).collect();
    ranges.sort_unstable();
    let (mut bytes, mut end) = (0, 0);
    for (offset, len) in ranges {
        bytes += (offset + len).saturating_sub(end.max(offset));
        end = end.max(offset + len);
    }
    bytes
}

pub(super) fn is_scratch(buffer: &record::Buffer) -> bool {
    buffer.class == BufferClass::Scratch as u16
}
