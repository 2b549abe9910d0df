//! What lives in a program's RAM when, and why.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

use crate::device::memory::{Buffer, Problem, lower_bound};
use crate::device::program::Program;
use crate::device::program::record::{self, BUFFER_ALIGN, BufferClass};
use crate::host::memory::order::Peaks;
use crate::host::memory::{Certificate, Proof};

use super::buffers::{BufferReport, Skip, StepReport, Uses, is_scratch, live, occupied};
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
    /// What the order of the steps has gained; none if nobody knows, as a program does not say.
    pub order: Option<Peaks>,
    /// The step where most bytes live; none if there is no step.
    pub peak: Option<Peak>,
    /// All steps, in the order in which they run.
    pub steps: Vec<StepReport>,
    /// All buffers, in the order of their numbers.
    pub buffers: Vec<BufferReport>,
    /// What waits in a buffer while other steps run, in the order of the buffers.
    pub skips: Vec<Skip>,
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
    /// The step that wrote it last, this one at the latest; none if it is an input or scratch.
    pub producer: Option<usize>,
    /// The last step that reads what it holds; none if none does.
    pub last_reader: Option<usize>,
}

impl MemoryReport {
    /// The memory plan of a program, with its certificate if the planner's is at hand. Without it, a plan that reaches the lower
    /// bound of its buffers is known to be optimal nevertheless.
    pub fn new(program: &Program<'_>, certificate: Option<Certificate>) -> Self {
        let uses = Uses::of(program);
        let buffers = program.buffers();
        let arena_len = program.arena_len(1);
        let certificate = certificate.or_else(|| {
            let is_optimal = usize::try_from(bound(program)) == Ok(arena_len);
            is_optimal.then_some(Certificate::Optimal(Proof::BoundReached))
        });
        let lower_bound = match certificate {
            Some(Certificate::Optimal(_)) => arena_len as u64,
            Some(Certificate::Gap { lower, .. }) => u64::from(lower),
            None => u64::from(bound(program)),
        };
        let steps: Vec<StepReport> = uses.steps(buffers);
        Self {
            arena_bytes: arena_len as u64,
            scratch_bytes: program.scratch_len() as u64,
            threads: 1,
            threads_arena_bytes: program.arena_len(1) as u64,
            activation_bytes: steps.iter().map(|step| step.activation_bytes).max().unwrap_or(0),
            lower_bound,
            certificate,
            order: None,
            peak: Peak::find(buffers, &uses),
            steps,
            buffers: buffers.iter().enumerate().map(|(number, buffer)| uses.report(number, buffer)).collect(),
            skips: uses.skips(buffers),
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
        if let Some(order) = self.order.filter(|order| order.lower < order.given) {
            writeln!(f, "order        {:>10}  {order}", Bytes(order.chosen).to_string())?;
        }
        let Some(peak) = &self.peak else { return Ok(()) };
        writeln!(f, "\npeak at step {} '{}': {} live", peak.step, peak.name, Bytes(peak.live_bytes))?;
        let mut table = Table::new(&[("bytes", Align::Right), ("holds", Align::Left), ("why", Align::Left)]);
        for resident in &peak.residents {
            table.push([resident.bytes.to_string(), resident.holds.clone(), resident.reason.clone()]);
        }
        write!(f, "{table}")
    }
}

/// Bytes that every plan of a program's buffers needs, aligned as the format demands.
fn bound(program: &Program<'_>) -> u32 {
    let buffers = program.buffers();
    if !program.steps().all(|step| step.is_parallel()) {
        return (0..program.step_count()).map(|step| overlapping_bound(buffers, step)).max().unwrap_or(0);
    }
    let planned = |buffer: &record::Buffer| {
        Buffer::new(buffer.len, buffer.first_step, buffer.last_step).aligned(BUFFER_ALIGN)
    };
    let planned: Vec<_> = buffers.iter().map(planned).collect();
    Problem::new(&planned, &[]).map_or(0, |problem| lower_bound(&problem))
}

/// What a step needs, however far outputs lie over consumed inputs: all that lives on, and the more of what ends and what begins.
fn overlapping_bound(buffers: &[record::Buffer], step: usize) -> u32 {
    let (mut ending, mut beginning, mut others) = (0u32, 0u32, 0u32);
    for (_, buffer) in live(buffers, step) {
        let is_input = buffer.class == BufferClass::Input as u16;
        let begins = !is_input && buffer.first_step as usize == step;
        let sum = if is_scratch(buffer) {
            &mut others
        } else if begins {
            &mut beginning
        } else if buffer.last_step as usize == step {
            &mut ending
        } else {
            &mut others
        };
        *sum = sum.saturating_add(buffer.len);
    }
    others.saturating_add(ending.max(beginning))
}

/// The bytes that live in a step, scratch included.
pub(super) fn live_bytes(program: &Program<'_>, step: usize) -> u64 {
    occupied(live(program.buffers(), step))
}

impl Peak {
    fn find(buffers: &[record::Buffer], uses: &Uses<'_>) -> Option<Self> {
        // The first of equals: `max_by_key` would take the last.
        let step = (0..uses.step_count()).rev().max_by_key(|step| occupied(live(buffers, *step)))?;
        let resident = |(number, buffer): (usize, &record::Buffer)| Resident {
            buffer: number,
            holds: uses.holds(number, buffer),
            bytes: u64::from(buffer.len),
            reason: uses.reason(number, buffer, step),
            producer: uses.producer(number, step),
            last_reader: uses.last_reader(number, step),
        };
        let mut residents: Vec<_> = live(buffers, step).map(resident).collect();
        residents.sort_by_key(|resident| core::cmp::Reverse(resident.bytes));
        Some(Self {
            step,
            name: uses.name(step).to_string(),
            live_bytes: occupied(live(buffers, step)),
            residents,
        })
    }
}
