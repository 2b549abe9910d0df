//! One attempt at a placement: what the planner compares and the search improves.

use alloc::vec;
use alloc::vec::Vec;

use crate::device::memory::{Direction, PlaceError, Problem, place};

/// A greedy placement and the order that led to it.
#[derive(Clone, Debug)]
pub(super) struct Attempt {
    pub(super) order: Vec<usize>,
    pub(super) offsets: Vec<u32>,
    pub(super) directions: Vec<Direction>,
    pub(super) arena_len: u32,
}

impl Attempt {
    /// Places the buffers in this order.
    pub(super) fn greedy(problem: &Problem<'_>, order: &[usize]) -> Result<Self, PlaceError> {
        let mut offsets = vec![0; problem.buffers().len()];
        let mut directions = vec![Direction::Forward; problem.separations().len()];
        let mut sorted = order.to_vec();
        let arena_len = place(problem, &mut sorted, &mut offsets, &mut directions)?;
        Ok(Self { order: order.to_vec(), offsets, directions, arena_len })
    }
}
