//! What lives in a program's RAM when, and why.

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use alloc::{format, vec};
use core::fmt;

use crate::device::memory::{Buffer, Problem, lower_bound};
use crate::device::program::Program;
use crate::device::program::record::{self, BUFFER_ALIGN, BufferClass};
use crate::host::memory::{Certificate, Proof};

use super::table::{Align, Table};
use super::units::Bytes;

/// A program's memory plan.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "cli", derive(serde::Serialize))]
pub struct MemoryReport {
    /// Bytes of arena that a run on one thread needs, scratch included.
    pub arena_bytes: u64,
    /// Bytes of the largest scratch: what each further thread needs on top.
    pub scratch_bytes: u64,
    /// The number of threads that the report is for; 1 unless said otherwise.
    pub threads: usize,
    /// Bytes of arena that a run on `threads` threads needs.
    pub threads_arena_bytes: u64,
    /// The most bytes of inputs, outputs and activations that live at the same time, scratch apart.
    pub activation_bytes: u64,
    /// Bytes that every plan of the same buffers needs: as the certificate says, else as the buffers themselves show.
    pub lower_bound: u64,
    /// How good the plan is known to be; none if nobody knows, as a program does not carry its planner's certificate.
    pub certificate: Option<Certificate>,
    /// The step where most bytes live; none if there is no step.
    pub peak: Option<Peak>,
    /// All buffers, in the order of their numbers.
    pub buffers: Vec<BufferReport>,
}

/// The step where most bytes live.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "cli", derive(serde::Serialize))]
pub struct Peak {
    /// Its number.
    pub step: usize,
    /// The node's name.
    pub name: String,
    /// Bytes that live while it runs.
    pub live_bytes: u64,
    /// What lives there, the largest first.
    pub residents: Vec<Resident>,
}

/// A buffer that lives at the peak.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "cli", derive(serde::Serialize))]
pub struct Resident {
    /// The buffer's number.
    pub buffer: usize,
    /// What it holds.
    pub holds: String,
    /// Bytes.
    pub bytes: u64,
    /// Why it lives.
    pub reason: String,
}

/// A buffer of the plan.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "cli", derive(serde::Serialize))]
pub struct BufferReport {
    /// What it holds.
    pub holds: String,
    /// `input`, `output`, `activation`, `scratch` or `state`.
    pub class: String,
    /// First byte in the arena.
    pub offset: u64,
    /// Bytes.
    pub bytes: u64,
    /// First step of its life.
    pub first_step: u32,
    /// Last step of its life.
    pub last_step: u32,
}

impl MemoryReport {
    /// The memory plan of a program, with its certificate if the planner's is at hand. Without it, a plan that reaches the lower
    /// bound of its buffers is known to be optimal nevertheless.
    pub fn new(program: &Program<'_>, certificate: Option<Certificate>) -> Self {
        let uses = Uses::of(program);
        let buffers = program.buffers();
        let arena_len = program.arena_len(1);
        let certificate = certificate.or_else(|| {
            let is_optimal = usize::try_from(bound(buffers)) == Ok(arena_len);
            is_optimal.then_some(Certificate::Optimal(Proof::BoundReached))
        });
        let lower_bound = match certificate {
            Some(Certificate::Optimal(_)) => arena_len as u64,
            Some(Certificate::Gap { lower, .. }) => u64::from(lower),
            None => u64::from(bound(buffers)),
        };
        let steps = 0..program.step_count();
        let activations = |step| live(buffers, step).filter(|(_, buffer)| !is_scratch(buffer));
        Self {
            arena_bytes: arena_len as u64,
            scratch_bytes: program.scratch_len() as u64,
            threads: 1,
            threads_arena_bytes: program.arena_len(1) as u64,
            activation_bytes: steps.map(|step| sum(activations(step))).max().unwrap_or(0),
            lower_bound,
            certificate,
            peak: Peak::find(buffers, &uses),
            buffers: buffers.iter().enumerate().map(|(number, buffer)| uses.report(number, buffer)).collect(),
        }
    }

    /// The same plan of the same program, for a run on this many threads.
    #[must_use]
    pub fn on_threads(self, program: &Program<'_>, threads: usize) -> Self {
        Self { threads, threads_arena_bytes: program.arena_len(threads) as u64, ..self }
    }

    /// The arena in words: `58.0 KiB on 1 thread, 108.0 KiB on 2`.
    pub fn arena_words(&self) -> String {
        let one = format!("{} on 1 thread", Bytes(self.arena_bytes));
        match self.threads {
            0 | 1 => one,
            threads => format!("{one}, {} on {threads}", Bytes(self.threads_arena_bytes)),
        }
    }

    /// All buffers as a table.
    pub fn table(&self) -> Table {
        let mut table = Table::new(&[
            ("buffer", Align::Right),
            ("offset", Align::Right),
            ("bytes", Align::Right),
            ("steps", Align::Right),
            ("class", Align::Left),
            ("holds", Align::Left),
        ]);
        for (number, buffer) in self.buffers.iter().enumerate() {
            table.push([
                number.to_string(),
                buffer.offset.to_string(),
                buffer.bytes.to_string(),
                format!("{}…{}", buffer.first_step, buffer.last_step),
                buffer.class.clone(),
                buffer.holds.clone(),
            ]);
        }
        table
    }
}

impl fmt::Display for MemoryReport {
    /// The totals, the certificate and the peak; [`MemoryReport::table`] has the buffers.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { arena_bytes, scratch_bytes, activation_bytes, lower_bound, .. } = *self;
        writeln!(
            f,
            "RAM          {:>10}  ({arena_bytes} bytes on 1 thread, scratch included)",
            Bytes(arena_bytes).to_string()
        )?;
        if self.threads > 1 {
            let bytes = self.threads_arena_bytes;
            let in_words = Bytes(bytes).to_string();
            writeln!(f, "             {in_words:>10}  ({bytes} bytes on {} threads)", self.threads)?;
        }
        writeln!(f, "activations  {:>10}  at most at one time", Bytes(activation_bytes).to_string())?;
        writeln!(f, "scratch      {:>10}  at most, for each thread", Bytes(scratch_bytes).to_string())?;
        let known = self.certificate.map_or_else(
            || "the program does not say whether there is a smaller plan".into(),
            |certificate| certificate.to_string(),
        );
        writeln!(f, "lower bound  {:>10}  {known}", Bytes(lower_bound).to_string())?;
        let Some(peak) = &self.peak else { return Ok(()) };
        writeln!(f, "\npeak at step {} '{}': {} live", peak.step, peak.name, Bytes(peak.live_bytes))?;
        let mut table = Table::new(&[("bytes", Align::Right), ("holds", Align::Left), ("why", Align::Left)]);
        for resident in &peak.residents {
            table.push([resident.bytes.to_string(), resident.holds.clone(), resident.reason.clone()]);
        }
        write!(f, "{table}")
    }
}

/// Bytes that every plan of these buffers needs, aligned as the format demands.
fn bound(buffers: &[record::Buffer]) -> u32 {
    let planned = |buffer: &record::Buffer| {
        Buffer::new(buffer.len, buffer.first_step, buffer.last_step).aligned(BUFFER_ALIGN)
    };
    let planned: Vec<_> = buffers.iter().map(planned).collect();
    Problem::new(&planned, &[]).map_or(0, |problem| lower_bound(&problem))
}

/// The bytes that live in a step, scratch included.
pub(super) fn live_bytes(program: &Program<'_>, step: usize) -> u64 {
    sum(live(program.buffers(), step))
}

impl Peak {
    fn find(buffers: &[record::Buffer], uses: &Uses<'_>) -> Option<Self> {
        // The first of equals: `max_by_key` would take the last.
        let step = (0..uses.steps.len()).rev().max_by_key(|step| sum(live(buffers, *step)))?;
        let resident = |(number, buffer): (usize, &record::Buffer)| Resident {
            buffer: number,
            holds: uses.holds(number, buffer),
            bytes: u64::from(buffer.len),
            reason: uses.reason(number, buffer, step),
        };
        let mut residents: Vec<_> = live(buffers, step).map(resident).collect();
        residents.sort_by_key(|resident| core::cmp::Reverse(resident.bytes));
        Some(Self {
            step,
            name: uses.steps[step].to_string(),
            live_bytes: sum(live(buffers, step)),
            residents,
        })
    }
}

/// Who writes and who reads each buffer.
struct Uses<'p> {
    /// The names of the steps.
    steps: Vec<&'p str>,
    /// The steps that write each buffer.
    writers: Vec<Vec<usize>>,
    /// The steps that read each buffer.
    readers: Vec<Vec<usize>>,
    /// The input or output that each buffer is.
    ports: Vec<Option<&'p str>>,
}

impl<'p> Uses<'p> {
    fn of(program: &Program<'p>) -> Self {
        let count = program.buffers().len();
        let mut uses = Self {
            steps: program.steps().map(|step| step.name).collect(),
            writers: vec![Vec::new(); count],
            readers: vec![Vec::new(); count],
            ports: vec![None; count],
        };
        for (number, step) in program.steps().enumerate() {
            for segment in step.operands[..3].iter().copied().flatten() {
                push(&mut uses.readers, segment.buffer, number);
            }
            for segment in step.output() {
                push(&mut uses.writers, segment.buffer, number);
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

    fn report(&self, number: usize, buffer: &record::Buffer) -> BufferReport {
        let class = BufferClass::from_code(buffer.class);
        BufferReport {
            holds: self.holds(number, buffer),
            class: class.map_or_else(String::new, |class| format!("{class:?}").to_lowercase()),
            offset: u64::from(buffer.offset),
            bytes: u64::from(buffer.len),
            first_step: buffer.first_step,
            last_step: buffer.last_step,
        }
    }

    /// What a buffer holds: an input or output, or what its steps write.
    fn holds(&self, number: usize, buffer: &record::Buffer) -> String {
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
    fn reason(&self, number: usize, buffer: &record::Buffer, step: usize) -> String {
        if is_scratch(buffer) {
            return "scratch of this step".into();
        }
        let written = self.writers[number].contains(&step);
        let read = self.readers[number].contains(&step);
        let next = self.readers[number].iter().copied().filter(|reader| *reader > step).min();
        let later = next.map(|next| format!("'{}' (step {next})", self.name(next)));
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

    fn name(&self, step: usize) -> &'p str {
        self.steps.get(step).copied().unwrap_or_default()
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

fn live(buffers: &[record::Buffer], step: usize) -> impl Iterator<Item = (usize, &record::Buffer)> {
    let lives = move |buffer: &record::Buffer| {
        (buffer.first_step as usize..=buffer.last_step as usize).contains(&step)
    };
    buffers.iter().enumerate().filter(move |(_, buffer)| lives(buffer))
}

fn sum<'b>(buffers: impl Iterator<Item = (usize, &'b record::Buffer)>) -> u64 {
    buffers.map(|(_, buffer)| u64::from(buffer.len)).sum()
}

fn is_scratch(buffer: &record::Buffer) -> bool {
    buffer.class == BufferClass::Scratch as u16
}
