//! The exact search: does a problem fit a capacity, and where does everything lie then?
//!
//! Flows in: a [`Problem`] and a capacity; flows out: a placement, the proof that there is none, or neither, if the budget was too
//! small. Called by [`super::plan_for`]. Nothing but integers, no clock and no thread: the same question has the same answer.
//!
//! The ideas of sections, of placements that cannot be pushed down, and of components are those of `MiniMalloc` (Moffitt, ASPLOS
//! 2023). The branching is another one:
//!
//! 1. **Sections** (`field`): only the steps whose live buffers are no part of another step's count. A buffer covers a range of them.
//! 2. **State** (`niche`): the unplaced items, each with the lowest offset that what is placed leaves it. A section's floor is the
//!    lowest of its items'.
//! 3. **Bound** (`load`): in a section the items that lie at `v` or above need no more than what the capacity leaves above `v`,
//!    for every `v`. Where items may overlap, the bytes of their union count.
//! 4. **Niche**: a run of sections of one floor between higher ones. Nothing unplaced can lie below it, so one of its sections can be
//!    decided: one of its items lies at the floor, or none. The cases exclude each other, so no placement is seen twice, wherever
//!    in time the search goes on; it takes the section with the fewest cases and the most failures.
//! 5. **None** means that the items lie on other ones: their lowest offsets rise to the lowest such support. And a hole that was left for
//!    an item has to be filled by another, else the item could lie in it.
//! 6. **Components**: where no unplaced item crosses from one section to the next, both sides are searched apart.
//! 7. **Memory** (`table`): states that lead nowhere are remembered, over restarts as well.
//! 8. **Restarts** (`style`): runs of Luby's lengths, each in another order.
//!
//! Separations change the distance that a lower item keeps a higher one above itself, and the union that the bound counts. The first item
//! of a step to be placed decides the step's direction.

mod field;
mod load;
mod niche;
mod style;
mod table;

use alloc::vec::Vec;

use crate::device::memory::{Direction, Problem};
use crate::host::memory::attempt::Attempt;

use field::Field;
use niche::Search;
use style::Style;

/// An unplaced item and the lowest offset that it may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Entry {
    min: u64,
    item: usize,
}

/// Room that was left open for an item below `top`: something has to fill it, else the item could lie there.
#[derive(Clone, Copy, Debug)]
struct Hole {
    item: usize,
    top: u64,
}

/// The direction of a meeting, as far as it is decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Open,
    Forward,
    Backward,
}

/// What a search came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// There is a placement.
    Found,
    /// There is none.
    Impossible,
    /// The budget was too small to tell.
    Spent,
}

/// The questions that can be asked about one problem.
#[derive(Debug)]
pub(super) struct Exact<'a> {
    problem: &'a Problem<'a>,
    field: Field,
}

/// Visits of the whole component until the first restart, beyond those that a dive without a failure takes.
const RUN: u64 = 150;

impl<'a> Exact<'a> {
    /// `None` if the problem has fixed offsets.
    pub(super) fn of(problem: &'a Problem<'a>) -> Option<Self> {
        Field::of(problem).map(|field| Self { problem, field })
    }

    /// What every offset that the search visits is a multiple of: the capacities worth asking for are multiples of it.
    pub(super) fn unit(&self) -> u32 {
        let items = &self.field.items;
        let links = items.iter().flat_map(|item| &item.links).flat_map(|link| link.above);
        let sums = links.chain(items.iter().map(|item| item.bytes)).fold(0, gcd);
        // Where an alignment rounds a sum up, it is a multiple of the alignment alone.
        let rounded =
            |unit: u64, align: u64| if unit.is_multiple_of(align) { unit } else { gcd(unit, align) };
        u32::try_from(items.iter().map(|item| item.align).fold(sums, rounded)).unwrap_or(1).max(1)
    }

    /// Does the problem fit a capacity? Spends `budget` at most, and takes from it what it spends.
    pub(super) fn fit(&self, capacity: u32, budget: &mut u64) -> (Outcome, Option<Attempt>) {
        let mut search = Search::new(&self.field, capacity.into(), *budget);
        let all: Vec<Entry> = (0..self.field.items.len()).map(|item| Entry { min: 0, item }).collect();
        let mut outcome = Outcome::Found;
        for part in search.components(&all) {
            outcome = restart(&mut search, &part);
            if outcome != Outcome::Found {
                break;
            }
        }
        *budget = search.budget;
        let solution = (outcome == Outcome::Found).then(|| self.solution(&search));
        (outcome, solution)
    }

    fn solution(&self, search: &Search<'_>) -> Attempt {
        let mut offsets = alloc::vec![0; self.problem.buffers().len()];
        let mut arena_len = 0;
        for (item, &offset) in self.field.items.iter().zip(&search.offsets) {
            // Below the capacity, which has 32 bits.
            offsets[item.buffer] = offset as u32;
            arena_len = arena_len.max((offset + item.bytes) as u32);
        }
        let direction = |step| {
            let meeting = self.field.meetings.iter().position(|meeting| meeting.step == step);
            match meeting.map(|meeting| search.ways[meeting]) {
                Some(Way::Backward) => Direction::Backward,
                _ => Direction::Forward,
            }
        };
        let directions =
            self.problem.separations().iter().map(|separation| direction(separation.step)).collect();
        let mut order: Vec<usize> = (0..offsets.len()).collect();
        order.sort_by_key(|&buffer| offsets[buffer]);
        Attempt { order, offsets, directions, arena_len }
    }
}

/// Searches a component in runs of growing length, each in its own style. What one run has found impossible stays known.
fn restart(search: &mut Search<'_>, part: &[Entry]) -> Outcome {
    for run in 0.. {
        search.style = Style::new(search.field, run);
        let count = part.len() as u64;
        search.run = (RUN + count / 2) * count * luby(run + 1);
        let outcome = search.complete(part.to_vec(), &[]);
        if outcome != Outcome::Spent || search.budget == 0 {
            return outcome;
        }
    }
    Outcome::Spent
}

/// The universal sequence of restarts of Luby, Sinclair and Zuckerman (1993): 1 1 2 1 1 2 4 …, counted from 1.
fn luby(number: u64) -> u64 {
    // The highest power of two that is not above: the sequence begins anew from there, unless this is its last and highest number.
    let power = 1 << (number + 1).ilog2();
    if power == number + 1 { power / 2 } else { luby(number + 1 - power) }
}

const fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { gcd(b, a % b) }
}
