//! How much memory each technique saves: the same network is planned again and again, with one technique more each time.
//!
//! What flows in is a graph; what flows out is a figure for each technique. Called by `salto plan`.

use alloc::borrow::Cow;
use alloc::format;
use alloc::vec::Vec;

use crate::device::memory::{Direction, Order, place, sort};
use crate::device::program::record::BufferClass;
use crate::host::graph::Graph;
use crate::host::memory::Certificate;
use crate::host::{Error, ErrorKind, Result};

use super::place::Lives;
use super::schedule::Schedule;
use super::{CompileOptions, Techniques, scheduled};

/// The memory of a network with the techniques up to one.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "cli", derive(serde::Serialize))]
pub struct Gain {
    /// The technique that this plan has beyond the one before it.
    pub technique: Cow<'static, str>,
    /// Bytes of arena that inputs, outputs and activations need if there is no scratch.
    pub activation_bytes: u64,
    /// Bytes of arena that a run on one thread needs, scratch included.
    pub arena_bytes: u64,
    /// How good the plan of the activations is; none where the planner does not look for the best.
    pub certificate: Option<Certificate>,
}

/// What each technique saves, on top of those before it: every buffer apart, memory reused over time (by the greedy planner of
/// TensorFlow Lite Micro, then by ours), and [`Techniques::LADDER`]. The last one is what [`compile`](super::compile) does; the
/// techniques among `options` do not matter.
///
/// ```
/// use salto::host::compile::{CompileOptions, gains};
/// use salto::host::graph::{Seeded, zoo};
///
/// let graph = zoo::resnet8(&zoo::Options::default(), Seeded::new(1))?;
/// let gains = gains(&graph, &CompileOptions::default())?;
/// // Three tensors of 64 KiB become two where the sum is written over the dying skip.
/// let [before, after] = [&gains[2], &gains[4]].map(|gain| gain.activation_bytes);
/// assert_eq!([before, after], [3 * 65536, 2 * 65536]);
/// # Ok::<(), salto::Error>(())
/// ```
///
/// # Errors
/// Those of [`compile`](super::compile).
pub fn gains(graph: &Graph, options: &CompileOptions) -> Result<Vec<Gain>> {
    let with = |techniques| scheduled(graph, &options.clone().techniques(techniques));
    let (_, plain) = with(Techniques::NONE)?;
    let mut gains = Vec::from([
        Gain::new("every buffer apart", &plain, apart)?,
        Gain::new("reuse over time, greedy", &plain, greedy)?,
        Gain::planned("reuse over time, best found", &plain)?,
    ]);
    for (technique, techniques) in Techniques::LADDER {
        gains.push(Gain::planned(format!("+ {technique}"), &with(techniques)?.1)?);
    }
    Ok(gains)
}

impl Gain {
    /// A plan by a planner that does not say how good it is.
    fn new(
        technique: &'static str,
        schedule: &Schedule,
        arena_len: impl Fn(&Lives) -> Result<u64>,
    ) -> Result<Self> {
        Ok(Self {
            technique: technique.into(),
            activation_bytes: arena_len(&activations(schedule))?,
            arena_bytes: arena_len(&Lives::of(schedule))?,
            certificate: None,
        })
    }

    /// The compiler's own plan.
    fn planned(technique: impl Into<Cow<'static, str>>, schedule: &Schedule) -> Result<Self> {
        let placement = activations(schedule).place()?;
        Ok(Self {
            technique: technique.into(),
            activation_bytes: placement.arena_len.into(),
            arena_bytes: Lives::of(schedule).place()?.arena_len.into(),
            certificate: Some(placement.certificate),
        })
    }
}

/// All buffers but the scratch.
fn activations(schedule: &Schedule) -> Lives {
    let mut schedule = Schedule { buffers: schedule.buffers.clone(), ..Schedule::default() };
    schedule.buffers.retain(|buffer| buffer.class != BufferClass::Scratch);
    Lives::of(&schedule)
}

/// The bytes of all buffers.
fn apart(lives: &Lives) -> Result<u64> {
    Ok(lives.buffers.iter().map(|buffer| u64::from(buffer.len)).sum())
}

/// The arena of greedy placement by size.
fn greedy(lives: &Lives) -> Result<u64> {
    let problem = lives.problem()?;
    let count = lives.buffers.len();
    let (mut order, mut offsets) = (alloc::vec![0; count], alloc::vec![0; count]);
    let mut directions = alloc::vec![Direction::Forward; problem.separations().len()];
    sort(&problem, Order::Size, &mut order);
    let placed = place(&problem, &mut order, &mut offsets, &mut directions);
    placed.map(u64::from).map_err(|error| Error::new(ErrorKind::Limit, format!("no memory plan: {error}")))
}
