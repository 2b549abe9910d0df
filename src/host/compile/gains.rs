//! How much memory each technique saves: the same network is planned again and again, with one technique more each time.
//!
//! What flows in is a graph; what flows out is a figure for each technique. Called by `salto plan`.

use alloc::borrow::Cow;
use alloc::format;
use alloc::vec::Vec;

use crate::device::memory::{Direction, Order, place, sort};
use crate::host::graph::Graph;
use crate::host::memory::Certificate;
use crate::host::{Error, ErrorKind, Result};

use super::order::Planned;
use super::place::Lives;
use super::{CompileOptions, Techniques};

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
    let with = |techniques| {
        let options = options.clone().techniques(techniques);
        super::planned(graph, &options).map(|(_, planned)| (planned, options.overlaps()))
    };
    let (plain, _) = with(Techniques::NONE)?;
    let mut gains = Vec::from([
        Gain::new("every buffer apart", &plain, apart)?,
        Gain::new("reuse over time, greedy", &plain, greedy)?,
        Gain::planned("reuse over time, best found", &plain, false)?,
    ]);
    // Overlap is for those who ask for little memory.
    let offered = |techniques: &Techniques| !techniques.overlap || options.low_memory;
    for (technique, techniques) in Techniques::LADDER.into_iter().filter(|(_, all)| offered(all)) {
        let (planned, overlaps) = with(techniques)?;
        gains.push(Gain::planned(format!("+ {technique}"), &planned, overlaps)?);
    }
    Ok(gains)
}

impl Gain {
    /// A plan by a planner that does not say how good it is.
    fn new(
        technique: &'static str,
        planned: &Planned,
        arena_len: impl Fn(&Lives) -> Result<u64>,
    ) -> Result<Self> {
        Ok(Self {
            technique: technique.into(),
            activation_bytes: arena_len(&Lives::of_activations(&planned.schedule, false))?,
            arena_bytes: arena_len(&Lives::of(&planned.schedule, false))?,
            certificate: None,
        })
    }

    /// The compiler's own plan.
    fn planned(technique: impl Into<Cow<'static, str>>, planned: &Planned, overlaps: bool) -> Result<Self> {
        let activations = Lives::of_activations(&planned.schedule, overlaps).place()?;
        Ok(Self {
            technique: technique.into(),
            activation_bytes: activations.arena_len.into(),
            arena_bytes: planned.plan.arena_len.into(),
            certificate: Some(activations.certificate),
        })
    }
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
