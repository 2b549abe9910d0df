//! The exact search: the best path through the sets of tasks that can have run.

use alloc::collections::{BTreeSet, BinaryHeap};
use alloc::vec::Vec;
use core::cmp::Reverse;

use super::set::{Set, words};
use super::tasks::{Run, Tasks};

/// What a search came to.
#[derive(Debug)]
pub(super) enum Outcome {
    /// An order with a peak of `enough` or less, or the smallest possible; no order has a peak below `lower`.
    Found { order: Vec<usize>, peak: u64, lower: u64 },
    /// No order has a peak below the ceiling.
    NoneBelow,
    /// The budget is spent; no order has a peak below `lower`.
    Undecided { lower: u64 },
}

/// A set of tasks that can have run, and the way there.
struct State {
    done: Set,
    live: u64,
    /// The state before, and the task between the two; none at the start.
    step: Option<(u32, u32)>,
}

/// What would go above the peak that is being tried: a state, or a task that runs in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Blocked {
    peak: u64,
    state: u32,
    task: u32,
}

/// Looks for an order with a peak of `enough` or less, else for the smallest below `ceiling`.
///
/// Peaks are tried upwards from `enough`: all states that a peak reaches are visited, depth first, before the next larger one is
/// tried, so the first way to the end is the best. `budget` is the number of states that may be visited; it is reduced.
pub(super) fn search(tasks: &Tasks, enough: u64, ceiling: u64, budget: &mut usize) -> Outcome {
    let mut search = Search::new(tasks, enough, ceiling);
    loop {
        while let Some(number) = search.open.pop() {
            if search.states[number as usize].done.len() == tasks.count() {
                let order = search.way(number);
                let lower = search.proved(enough);
                return Outcome::Found { peak: tasks.peak(&order), order, lower };
            }
            let Some(rest) = budget.checked_sub(1) else {
                return Outcome::Undecided { lower: search.proved(enough) };
            };
            *budget = rest;
            search.expand(number);
        }
        let Some(Reverse(Blocked { peak, state, task })) = search.blocked.pop() else {
            return Outcome::NoneBelow;
        };
        search.peak = peak;
        search.enter(state, task as usize);
    }
}

struct Search<'t> {
    tasks: &'t Tasks,
    /// The peak that is being tried.
    peak: u64,
    ceiling: u64,
    states: Vec<State>,
    seen: BTreeSet<Set>,
    /// States to be visited, the next one last.
    open: Vec<u32>,
    blocked: BinaryHeap<Reverse<Blocked>>,
}

impl<'t> Search<'t> {
    fn new(tasks: &'t Tasks, enough: u64, ceiling: u64) -> Self {
        let start = State { done: Set::empty(words(tasks.count())), live: tasks.start(), step: None };
        let (seen, blocked) = (BTreeSet::new(), BinaryHeap::new());
        Self { tasks, peak: enough, ceiling, states: Vec::from([start]), seen, open: Vec::from([0]), blocked }
    }

    /// What no order undercuts: all states below the peak that is being tried were visited, unless it is the first one.
    fn proved(&self, enough: u64) -> u64 {
        if self.peak > enough { self.peak } else { 0 }
    }

    /// Visits a state: runs what costs nothing, else everything that can run.
    fn expand(&mut self, number: u32) {
        let State { done, live, .. } = &self.states[number as usize];
        let mut runs = self.tasks.ready(done, *live);
        if let Some(chain) = free_chain(self.tasks, done, *live, &runs, self.peak) {
            let mut from = number;
            let (last, chain) = chain.split_last().map_or((0, &[][..]), |(last, chain)| (*last, chain));
            for &task in chain {
                from = self.append(from, task);
            }
            return self.enter(from, last);
        }
        // The one that leaves the least alive is visited first.
        runs.sort_by_key(|run| Reverse((run.after, run.task)));
        for run in runs {
            if run.during <= self.peak {
                self.enter(number, run.task);
            } else if run.during < self.ceiling {
                self.blocked.push(Reverse(Blocked {
                    peak: run.during,
                    state: number,
                    task: run.task as u32,
                }));
            }
        }
    }

    /// Opens the state that follows when `task` has run, unless it is known.
    fn enter(&mut self, from: u32, task: usize) {
        if self.seen.insert(self.states[from as usize].done.with(task)) {
            let number = self.append(from, task);
            self.open.push(number);
        }
    }

    /// The state that follows when `task` has run.
    fn append(&mut self, from: u32, task: usize) -> u32 {
        let State { done, live, .. } = &self.states[from as usize];
        let live = self.tasks.run(done, *live, task).after;
        self.states.push(State { done: done.with(task), live, step: Some((from, task as u32)) });
        self.states.len() as u32 - 1
    }

    /// The tasks on the way to a state.
    fn way(&self, mut number: u32) -> Vec<usize> {
        let mut order = Vec::new();
        while let Some((from, task)) = self.states[number as usize].step {
            order.push(task as usize);
            number = from;
        }
        order.reverse();
        order
    }
}

/// A task, or a chain of tasks, that stays within `peak` and leaves no more alive than now: it may run at once.
///
/// Let some order reach the end within `peak`, and move the chain to its front. Bytes alive are submodular in the set of tasks
/// that have run: a tensor counts if its writer has run, less if all its readers have. So what the chain leaves, which is not
/// more than now and less than in its middle, it also leaves behind any other tasks, with a part of the chain among them or not:
/// no state becomes larger, and whoever was the last to read a tensor may only become so sooner. In a chain each task needs the
/// one before it, so that the only parts of it which can have run are its beginnings.
fn free_chain(tasks: &Tasks, done: &Set, live: u64, runs: &[Run], peak: u64) -> Option<Vec<usize>> {
    let within = || runs.iter().filter(|run| run.during <= peak);
    if let Some(run) = within().find(|run| run.after <= live) {
        return Some(Vec::from([run.task]));
    }
    within().find_map(|run| chain(tasks, done, live, *run, peak))
}

/// The chain that begins with `run`.
fn chain(tasks: &Tasks, done: &Set, live: u64, run: Run, peak: u64) -> Option<Vec<usize>> {
    let (mut done, mut run) = (done.clone(), run);
    let mut chain = Vec::from([run.task]);
    while run.after > live {
        done.insert(run.task);
        let last = run.task;
        let follows = |task: &usize| {
            let needs = &tasks.needs[*task];
            needs.contains(last) && needs.is_within(&done) && !done.contains(*task)
        };
        let mut next = (last + 1..tasks.count()).filter(follows);
        let task = next.next()?;
        if next.next().is_some() {
            return None;
        }
        run = tasks.run(&done, run.after, task);
        if run.during > peak {
            return None;
        }
        chain.push(task);
    }
    Some(chain)
}
