//! The beam search: a good order soon.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use super::set::{Set, words};
use super::tasks::{Run, Tasks};

/// States of a step at least.
const LEAST: usize = 8;

/// A set of tasks that can have run, with the best known way there.
struct State {
    done: Set,
    live: u64,
    peak: u64,
    /// The last task on the way, by its place in the list of all steps.
    last: Option<usize>,
}

/// An order with a peak below `ceiling`, if one is found; one with a peak of `enough` is as good as any below. The steps share
/// `states` evenly.
pub(super) fn search(tasks: &Tasks, enough: u64, ceiling: u64, states: usize) -> Option<(Vec<usize>, u64)> {
    let width = (states / tasks.count().max(1)).max(LEAST);
    let start =
        State { done: Set::empty(words(tasks.count())), live: tasks.start(), peak: enough, last: None };
    let mut states = Vec::from([start]);
    let mut steps: Vec<(Option<usize>, usize)> = Vec::new();
    for _ in 0..tasks.count() {
        states = next(tasks, ceiling, &states, &mut steps);
        states.sort_by_key(|state| (state.peak, state.live));
        states.truncate(width);
    }
    let mut last = states.first()?.last;
    let mut order = Vec::new();
    while let Some((before, task)) = last.map(|last| steps[last]) {
        order.push(task);
        last = before;
    }
    order.reverse();
    let peak = tasks.peak(&order);
    Some((order, peak))
}

/// The states one task further, each with the smallest peak below `ceiling` that leads to it.
fn next(
    tasks: &Tasks,
    ceiling: u64,
    states: &[State],
    steps: &mut Vec<(Option<usize>, usize)>,
) -> Vec<State> {
    let mut next: BTreeMap<Set, State> = BTreeMap::new();
    for state in states {
        for run in runs(tasks, state) {
            let peak = state.peak.max(run.during);
            let done = state.done.with(run.task);
            if peak >= ceiling || next.get(&done).is_some_and(|known| known.peak <= peak) {
                continue;
            }
            steps.push((state.last, run.task));
            let last = Some(steps.len() - 1);
            next.insert(done.clone(), State { done, live: run.after, peak, last });
        }
    }
    next.into_values().collect()
}

/// What can run next: one task alone, if it costs nothing.
fn runs(tasks: &Tasks, state: &State) -> Vec<Run> {
    let runs = tasks.ready(&state.done, state.live);
    let free = runs.iter().find(|run| run.during <= state.peak && run.after <= state.live);
    free.map_or_else(|| runs.clone(), |run| Vec::from([*run]))
}
