//! Planning: greedy in several orders, then the exact search and local search, until the lower bound is reached.

use alloc::vec;
use alloc::vec::Vec;
use core::cmp::Reverse;

use crate::device::memory::{Direction, Order, PlaceError, Problem, lower_bound, sort, step_bound, verify};

use super::attempt::Attempt;
use super::exact::{Exact, Outcome};
use super::{PlanError, search};

/// Where every buffer lies, and how good that is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placement {
    /// The offset of each buffer of the problem, in bytes.
    pub offsets: Vec<u32>,
    /// One direction for each step that has separations, repeated for each separation of that step, in the order of the problem's
    /// separations: what [`verify`] takes. [`Placement::direction`] gives it by step.
    pub directions: Vec<Direction>,
    /// Bytes of arena.
    pub arena_len: u32,
    /// How good the placement is.
    pub certificate: Certificate,
}

/// How good a placement is known to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "cli", derive(serde::Serialize), serde(rename_all = "snake_case"))]
pub enum Certificate {
    /// There is no smaller one.
    Optimal(Proof),
    /// The smallest possible one has between `lower` and `upper` bytes; `upper` is that of the placement.
    Gap {
        /// The lower bound.
        lower: u32,
        /// What was reached.
        upper: u32,
    },
}

/// Why there is no smaller placement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[cfg_attr(feature = "cli", derive(serde::Serialize), serde(rename_all = "snake_case"))]
pub enum Proof {
    /// It is as small as the [`lower_bound`].
    BoundReached,
    /// The exact search has found nothing smaller, and left nothing out.
    SearchExhausted,
}

/// What a plan is for, and how much may be spent on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Goal {
    /// A plan that fits this many bytes is good enough. Without, the smallest is looked for.
    pub capacity: Option<u32>,
    /// How much the exact search may do: the unplaced buffers of all the partial placements it visits, summed up. Some 10⁷ take
    /// a second. The same number gives the same plan on every machine.
    pub work: u64,
}

impl Default for Goal {
    /// The smallest plan that some tens of milliseconds find.
    fn default() -> Self {
        Self { capacity: None, work: 400_000 }
    }
}

impl Placement {
    /// The one direction of a step, for all its separations; forward, if it has none.
    pub fn direction(&self, problem: &Problem<'_>, step: u32) -> Direction {
        let mut pairs = problem.separations().iter().zip(&self.directions);
        pairs
            .find(|(separation, _)| separation.step == step)
            .map_or(Direction::Forward, |(_, direction)| *direction)
    }
}

impl Certificate {
    /// What the lower bound alone says about a placement of `upper` bytes.
    pub const fn new(lower: u32, upper: u32) -> Self {
        if upper == lower { Self::Optimal(Proof::BoundReached) } else { Self::Gap { lower, upper } }
    }

    /// What is proved about every placement, if this is the certificate of one of `arena_len` bytes: it has so many at least.
    pub const fn lower_bound(self, arena_len: u32) -> u32 {
        match self {
            Self::Optimal(_) => arena_len,
            Self::Gap { lower, .. } => lower,
        }
    }
}

impl core::fmt::Display for Certificate {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Optimal(Proof::BoundReached) => f.write_str("optimal (lower bound reached)"),
            Self::Optimal(Proof::SearchExhausted) => f.write_str("optimal (search exhausted)"),
            Self::Gap { lower, upper } => write!(f, "the optimum lies between {lower} and {upper} bytes"),
        }
    }
}

/// Plans a problem: the same problem gives the same placement, always. [`verify`] has accepted it.
///
/// # Errors
/// If fixed offsets contradict each other, the buffers need more than 4 GiB, or the verifier rejects what was found.
pub fn plan(problem: &Problem<'_>) -> Result<Placement, PlanError> {
    plan_for(problem, &Goal::default())
}

/// Plans a problem for a goal: the same problem and goal give the same placement, always. [`verify`] has accepted it.
///
/// A capacity that is not reached is proved too small if the certificate says so: it is below the arena's length if that is
/// optimal, and below `lower` if there is a gap.
///
/// # Errors
/// As [`plan`].
pub fn plan_for(problem: &Problem<'_>, goal: &Goal) -> Result<Placement, PlanError> {
    let bound = lower_bound(problem);
    let target = goal.capacity.map_or(bound, |capacity| capacity.max(bound));
    let mut best: Option<Attempt> = None;
    for order in orders(problem) {
        let attempt = Attempt::greedy(problem, &order)?;
        if best.as_ref().is_none_or(|best| attempt.arena_len < best.arena_len) {
            best = Some(attempt);
        }
        if best.as_ref().is_some_and(|best| best.arena_len <= target) {
            break;
        }
    }
    // `orders` is never empty.
    let mut best = best.ok_or(PlaceError::Slices)?;
    let mut lower = bound;
    if best.arena_len > target {
        (best, lower) = improve(problem, best, bound, target, goal)?;
    }
    let Attempt { offsets, directions, arena_len, .. } = best;
    let certificate = match Certificate::new(lower, arena_len) {
        Certificate::Optimal(_) if arena_len > bound => Certificate::Optimal(Proof::SearchExhausted),
        certificate => certificate,
    };
    accepted(problem, Placement { offsets, directions, arena_len, certificate })
}

/// Improves an attempt until it reaches `target` or the goal's work is done; with the lower bound that came out of it.
///
/// The bound is asked for first, because most networks reach it; then the interval that is left is halved. A capacity that the
/// search could not decide counts as too small from then on, except in the lower bound.
fn improve(
    problem: &Problem<'_>,
    mut best: Attempt,
    bound: u32,
    target: u32,
    goal: &Goal,
) -> Result<(Attempt, u32), PlaceError> {
    let Some(exact) = Exact::of(problem) else {
        return Ok((search::improve(problem, best, target)?, bound));
    };
    let next = |asked: u32| asked.saturating_add(1).next_multiple_of(exact.unit());
    // The smallest capacity that may be possible, and the smallest that is worth asking for.
    let (mut lower, mut open) = (bound, target);
    let (mut asked, mut work) = (target, goal.work);
    while best.arena_len > open && work > 0 {
        let mut share = if goal.capacity.is_some() { work } else { work.div_ceil(2) };
        work -= share;
        match exact.fit(asked, &mut share) {
            (Outcome::Found, Some(attempt)) => best = attempt,
            (Outcome::Impossible, _) => {
                lower = next(asked).min(best.arena_len);
                open = open.max(lower);
            }
            _ => open = next(asked),
        }
        work += share;
        if asked == target && best.arena_len > target {
            best = search::improve(problem, best, target)?;
        }
        if goal.capacity.is_some() {
            break;
        }
        asked = open.max(best.arena_len - best.arena_len.saturating_sub(open).div_ceil(2));
    }
    Ok((best, lower))
}

/// The placement, if the verifier accepts it.
pub(super) fn accepted(problem: &Problem<'_>, placement: Placement) -> Result<Placement, PlanError> {
    verify(problem, &placement.offsets, &placement.directions, placement.arena_len)?;
    Ok(placement)
}

/// The orders to begin with: the device's, and one by pressure.
fn orders(problem: &Problem<'_>) -> impl Iterator<Item = Vec<usize>> {
    let sorted = |order| {
        let mut numbers = vec![0; problem.buffers().len()];
        sort(problem, order, &mut numbers);
        numbers
    };
    Order::ALL.into_iter().map(sorted).chain(core::iter::once_with(|| by_pressure(problem)))
}

/// Buffers that live in the fullest steps first, then the longest in bytes.
///
/// A buffer's pressure is the largest bound of the steps of its life. Bounds only rise where a buffer begins, so the begins
/// inside its life are enough.
fn by_pressure(problem: &Problem<'_>) -> Vec<usize> {
    let buffers = problem.buffers();
    let bounds: Vec<_> =
        buffers.iter().map(|buffer| (buffer.first, step_bound(problem, buffer.first))).collect();
    let pressure = |number: &usize| {
        let inside = bounds.iter().filter(|(step, _)| buffers[*number].lives_in(*step));
        inside.map(|(_, bound)| *bound).max()
    };
    let mut order: Vec<usize> = (0..buffers.len()).collect();
    order.sort_by_cached_key(|number| (Reverse(pressure(number)), Reverse(buffers[*number].len), *number));
    order
}
