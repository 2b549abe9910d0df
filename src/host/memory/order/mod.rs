//! The order of the tasks that keeps the fewest bytes alive: which of a skip's two branches runs first, and when.
//!
//! Integers only; imports nothing. What flows in is [`Tasks`]: who reads and who writes which tensor, and how long each is. What
//! flows out is an [`Ordering`]: an order, its peak, and a bound that no order undercuts. Called by the compiler.
//!
//! The least peak is that of the best path through the *downsets*, the sets of tasks that hold all their predecessors: what lives
//! after a set has run does not depend on the order inside it. So every set is visited once (Held & Karp 1962, for a bottleneck),
//! in the order of the peak that it takes to get there, which keeps all sets out that only a larger peak reaches. Three
//! observations keep the sets few:
//! - a task that all others precede or follow cuts the problem in two (`cut`);
//! - a part whose given order is as good as the bound of some task is left as it is;
//! - a task, or a chain of tasks, that leaves no more alive than before it and stays below the peak reached may run at once.
//!
//! A narrow beam search goes first: what it finds is a ceiling for the exact one. Where the exact search spends its share of the
//! budget, a wide beam search takes the rest, and the order comes with the bound that was proved until then.

mod beam;
mod cut;
mod relations;
mod search;
mod set;
mod tasks;

#[cfg(test)]
mod tests;

use alloc::vec::Vec;
use core::cmp::Reverse;
use core::{fmt, mem};

pub use tasks::{Saving, Task, Tasks, TasksError, Tensor};

use search::Outcome;

/// States that the first beam search looks at.
const NARROW: usize = 4096;

/// An order of tasks, and how good it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ordering {
    /// The tasks' numbers in the order in which they run.
    pub order: Vec<usize>,
    /// What it has gained.
    pub peaks: Peaks,
}

/// The most bytes alive at one time, with several orders.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "cli", derive(serde::Serialize))]
pub struct Peaks {
    /// With the order in which the tasks were given.
    pub given: u64,
    /// With the order that was chosen.
    pub chosen: u64,
    /// No order has less. If it is as much as the chosen one has, that is the best.
    pub lower: u64,
}

impl fmt::Display for Peaks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { given, chosen, lower } = *self;
        write!(f, "alive at most; as the steps were given it were {given} bytes, ")?;
        if lower == chosen {
            f.write_str("no order has less")
        } else {
            write!(f, "no order has less than {lower}")
        }
    }
}

/// Finds an order with a small peak: the smallest, if `budget` suffices, which is the number of sets of tasks that may be looked
/// at. The same tasks give the same order, always.
///
/// It is never worse than the given order, which is kept, also in parts, where it is as good.
pub fn order(tasks: &Tasks, budget: usize) -> Ordering {
    let mut parts = cut::parts(tasks);
    let start = tasks.start();
    let given = parts.iter().map(|part| part.peak).fold(start, u64::max);
    let mut lower = parts.iter().map(|part| part.bound).fold(start, u64::max);
    let (mut chosen, mut budget) = (lower, budget);
    let mut by_peak: Vec<usize> = (0..parts.len()).collect();
    by_peak.sort_by_key(|&number| Reverse(parts[number].peak));
    for number in by_peak {
        let part = &mut parts[number];
        // What stays below the peak of another part needs no better order.
        if part.peak > chosen {
            lower = lower.max(part.improve(chosen, &mut budget));
            chosen = chosen.max(part.peak);
        }
    }
    // A part that was improved in vain must not bring another order.
    let order =
        if chosen == given { tasks.given() } else { parts.into_iter().flat_map(|part| part.order).collect() };
    Ordering { order, peaks: Peaks { given, chosen, lower } }
}

impl cut::Part {
    /// Looks for an order with a peak of `enough` or less, else the smallest; returns a bound that no order undercuts.
    fn improve(&mut self, enough: u64, budget: &mut usize) -> u64 {
        self.look(enough, NARROW);
        if self.peak <= enough {
            return self.bound;
        }
        // The exact search visits a third; the beam search, which forgets what it has seen, is as fast with the rest.
        let mut share = *budget / 3;
        *budget -= share;
        let outcome = search::search(&self.tasks, enough, self.peak, &mut share);
        *budget += share;
        match outcome {
            Outcome::Found { order, peak, lower } => {
                self.take(&order, peak);
                lower.max(self.bound)
            }
            Outcome::NoneBelow => self.peak,
            Outcome::Undecided { lower } => {
                self.look(enough, mem::take(budget));
                lower.max(self.bound)
            }
        }
    }

    /// Takes what a beam search finds that looks at so many states.
    fn look(&mut self, enough: u64, states: usize) {
        if let Some((order, peak)) = beam::search(&self.tasks, enough, self.peak, states) {
            self.take(&order, peak);
        }
    }
}
