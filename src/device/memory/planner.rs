//! A planner for buffers that become known at run time, without heap.
//!
//! Flows in: buffers one by one; flows out: offsets and the bytes of arena. Called by firmware that shares one arena between a
//! network and buffers of its own (a camera's frame, a protocol's packets) whose sizes it learns when it starts.

use heapless::Vec;

use super::{Buffer, Order, PlaceError, Problem, ProblemError, place, sort};

/// Up to `N` buffers that share an arena.
///
/// ```
/// use salto::device::memory::{Buffer, Planner};
///
/// let mut planner = Planner::<8>::new();
/// let frame = planner.add(Buffer::new(9216, 0, 1))?;
/// let features = planner.add(Buffer::new(4096, 1, 2))?;
/// let packet = planner.add(Buffer::new(1024, 2, 3))?;
/// let plan = planner.plan()?;
/// assert_eq!(plan.arena_len, 9216 + 4096);
/// assert_ne!(plan.offsets[frame], plan.offsets[features]);
/// assert!(plan.offsets[packet] + 1024 <= plan.arena_len);
/// # Ok::<(), salto::device::memory::PlannerError>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Planner<const N: usize> {
    buffers: Vec<Buffer, N>,
}

/// Where a [`Planner`]'s buffers lie.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan<const N: usize> {
    /// The offset of each buffer, in the order in which they were added.
    pub offsets: Vec<u32, N>,
    /// Bytes of arena.
    pub arena_len: u32,
}

/// Why a [`Planner`] refuses a buffer or a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PlannerError {
    /// There are `N` buffers already.
    Full {
        /// `N`.
        capacity: usize,
    },
    /// A buffer contradicts itself.
    Problem(ProblemError),
    /// The buffers cannot be placed.
    Place(PlaceError),
}

impl<const N: usize> Planner<N> {
    /// A planner without buffers.
    pub const fn new() -> Self {
        Self { buffers: Vec::new() }
    }

    /// Adds a buffer and returns its number.
    ///
    /// # Errors
    /// There are `N` already.
    pub fn add(&mut self, buffer: Buffer) -> Result<usize, PlannerError> {
        self.buffers.push(buffer).map_err(|_| PlannerError::Full { capacity: N })?;
        Ok(self.buffers.len() - 1)
    }

    /// The best plan of all greedy orders.
    ///
    /// # Errors
    /// A buffer ends before it begins or has an impossible alignment; fixed offsets contradict each other; more than 4 GiB.
    pub fn plan(&self) -> Result<Plan<N>, PlannerError> {
        let problem = Problem::new(&self.buffers, &[]).map_err(PlannerError::Problem)?;
        let mut best = place_by(&problem, Order::Size)?;
        for order in Order::ALL {
            let plan = place_by(&problem, order)?;
            if plan.arena_len < best.arena_len {
                best = plan;
            }
        }
        Ok(best)
    }
}

/// The plan of one greedy order, for at most `N` buffers.
fn place_by<const N: usize>(problem: &Problem<'_>, by: Order) -> Result<Plan<N>, PlannerError> {
    let (mut order, mut offsets) = ([0; N], [0; N]);
    let count = problem.buffers().len();
    sort(problem, by, &mut order[..count]);
    let arena_len =
        place(problem, &mut order[..count], &mut offsets[..count], &mut []).map_err(PlannerError::Place)?;
    Ok(Plan { offsets: offsets.into_iter().take(count).collect(), arena_len })
}

impl core::fmt::Display for PlannerError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Full { capacity } => write!(f, "the planner holds {capacity} buffers already"),
            Self::Problem(error) => error.fmt(f),
            Self::Place(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for PlannerError {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::memory::{lower_bound, verify};

    #[test]
    fn a_plan_is_sound_and_reaches_the_bound_of_a_chain() {
        let mut planner = Planner::<6>::new();
        for step in 0..6 {
            planner.add(Buffer::new(1000 - 100 * step, step, step + 1).aligned(4)).unwrap();
        }
        let plan = planner.plan().unwrap();
        let problem = Problem::new(&planner.buffers, &[]).unwrap();
        assert_eq!(verify(&problem, &plan.offsets, &[], plan.arena_len), Ok(()));
        assert_eq!(plan.arena_len, lower_bound(&problem));
        assert_eq!(planner.add(Buffer::new(1, 0, 0)), Err(PlannerError::Full { capacity: 6 }));
    }

    #[test]
    fn a_buffer_that_ends_before_it_begins_is_refused() {
        let mut planner = Planner::<1>::new();
        planner.add(Buffer::new(8, 3, 2)).unwrap();
        assert!(matches!(planner.plan(), Err(PlannerError::Problem(_))));
    }
}
