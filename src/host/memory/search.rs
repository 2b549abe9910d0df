//! Local search over the order in which greedy placement takes the buffers.

use alloc::vec::Vec;

use crate::device::memory::{PlaceError, Problem};

use super::attempt::Attempt;

/// Attempts at most.
const ATTEMPTS: usize = 2000;
/// What all attempts together may cost, in buffer pairs looked at: some tens of milliseconds.
const PAIRS: usize = 20_000_000;

/// Improves an attempt until it reaches `bound` or the budget is spent. Deterministic.
///
/// A move takes a buffer that ends at the top of the arena, or one that keeps it up there, and lets it choose its place earlier.
/// A move that does not make the arena larger is kept, so that the search drifts over plateaus.
pub(super) fn improve(problem: &Problem<'_>, start: Attempt, bound: u32) -> Result<Attempt, PlaceError> {
    let count = problem.buffers().len();
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let (mut best, mut current) = (start.clone(), start);
    for _ in 0..(PAIRS / (count * count).max(1)).min(ATTEMPTS) {
        if best.arena_len <= bound {
            break;
        }
        let order = moved(problem, &current, &mut random);
        let next = Attempt::greedy(problem, &order)?;
        if next.arena_len <= current.arena_len {
            current = next;
        }
        if current.arena_len < best.arena_len {
            best = current.clone();
        }
    }
    Ok(best)
}

/// The order of an attempt with one buffer moved forward.
fn moved(problem: &Problem<'_>, attempt: &Attempt, random: &mut Random) -> Vec<usize> {
    let buffers = problem.buffers();
    let end = |number: usize| attempt.offsets[number] + buffers[number].len;
    let mut order = attempt.order.clone();
    let top: Vec<usize> = (0..order.len()).filter(|&rank| end(order[rank]) == attempt.arena_len).collect();
    let Some(&(mut rank)) = random.pick(&top) else { return order };
    if random.below(2) == 0 {
        let peak = buffers[order[rank]];
        let below: Vec<usize> = (0..order.len())
            .filter(|&other| {
                let buffer = buffers[order[other]];
                other != rank && buffer.first <= peak.last && peak.first <= buffer.last
            })
            .collect();
        rank = random.pick(&below).copied().unwrap_or(rank);
    }
    let to = random.below(rank + 1);
    order[to..=rank].rotate_right(1);
    order
}

/// Marsaglia's xorshift with 64 bits.
struct Random(u64);

impl Random {
    /// A number below `limit`, which is not 0.
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % limit as u64) as usize
    }

    fn pick<'a, T>(&mut self, list: &'a [T]) -> Option<&'a T> {
        if list.is_empty() { None } else { list.get(self.below(list.len())) }
    }
}
