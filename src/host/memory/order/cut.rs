//! Cuts the problem into parts that do not touch each other, and bounds each.

use alloc::vec;
use alloc::vec::Vec;

use super::relations::Relations;
use super::set::{Set, words};
use super::tasks::{Task, Tasks, Tensor};

/// Tasks that run one after another in every order of the whole, between two that all others precede or follow.
#[derive(Debug)]
pub(super) struct Part {
    /// The tasks by their numbers in the part, in the given order.
    pub(super) tasks: Tasks,
    /// Their numbers in the whole, in the best known order.
    pub(super) order: Vec<usize>,
    /// The most bytes alive with that order.
    pub(super) peak: u64,
    /// No order of the part has a smaller peak.
    pub(super) bound: u64,
    numbers: Vec<usize>,
}

impl Part {
    /// Takes a better order, in the part's own numbers.
    pub(super) fn take(&mut self, order: &[usize], peak: u64) {
        self.order = order.iter().map(|&task| self.numbers[task]).collect();
        self.peak = peak;
    }
}

/// The parts of the problem, in the order in which they run; each ends with a task that all others precede or follow.
///
/// When such a task has run, exactly the tasks before it have: so what lives then is the same in every order, and the parts
/// have nothing to do with each other.
pub(super) fn parts(tasks: &Tasks) -> Vec<Part> {
    let relations = Relations::of(tasks);
    let mut ranks = vec![tasks.count(); tasks.count()];
    let mut ends: Vec<usize> = (0..tasks.count()).filter(|&task| relations.is_cut(task)).collect();
    // A cut's place is the same in every order.
    ends.sort_by_key(|&task| relations.before[task].len());
    for (rank, &end) in ends.iter().enumerate().rev() {
        ranks[end] = rank;
        for task in (0..tasks.count()).filter(|&task| relations.before[end].contains(task)) {
            ranks[task] = rank;
        }
    }
    let mut members = vec![Vec::new(); ends.len() + 1];
    for (task, rank) in ranks.into_iter().enumerate() {
        members[rank.min(ends.len())].push(task);
    }
    members.retain(|numbers| !numbers.is_empty());
    let mut lives = Lives::of(tasks);
    members.into_iter().map(|numbers| part(tasks, &relations, &mut lives, numbers)).collect()
}

/// What lives between two parts.
struct Lives {
    /// Tasks of earlier parts.
    done: Set,
    live: u64,
}

impl Lives {
    fn of(tasks: &Tasks) -> Self {
        Self { done: Set::empty(words(tasks.count())), live: tasks.start() }
    }
}

/// The part of these tasks; `lives` goes on behind it.
fn part(whole: &Tasks, relations: &Relations, lives: &mut Lives, numbers: Vec<usize>) -> Part {
    let bound = numbers.iter().map(|&task| relations.bound(whole, task)).max().unwrap_or(0);
    let tasks = extract(whole, lives, &numbers);
    for &task in &numbers {
        lives.live = whole.run(&lives.done, lives.live, task).after;
        lives.done.insert(task);
    }
    let peak = tasks.peak(&tasks.given());
    Part { peak, bound: bound.min(peak), order: numbers.clone(), tasks, numbers }
}

/// Some tasks as a problem of their own: what others read later is kept, what passes by is one tensor.
fn extract(whole: &Tasks, lives: &Lives, numbers: &[usize]) -> Tasks {
    let mut local = vec![None; whole.tensors.len()];
    let mut tensors: Vec<Tensor> = Vec::new();
    let mut members = lives.done.clone();
    numbers.iter().for_each(|&task| members.insert(task));
    let mut touched = 0;
    let mut of = |tensor: usize| {
        *local[tensor].get_or_insert_with(|| {
            let Tensor { bytes, kept } = whole.tensors[tensor];
            if whole.writers[tensor].is_none_or(|writer| lives.done.contains(writer)) {
                touched += bytes;
            }
            tensors.push(Tensor { bytes, kept: kept || !whole.readers[tensor].is_within(&members) });
            tensors.len() - 1
        })
    };
    let mut tasks: Vec<Task> = Vec::new();
    for task in numbers.iter().map(|&number| &whole.tasks[number]) {
        let mut task = task.clone();
        task.reads.iter_mut().chain(&mut task.writes).for_each(|tensor| *tensor = of(*tensor));
        task.savings.iter_mut().for_each(|saving| saving.over = of(saving.over));
        tasks.push(task);
    }
    tensors.push(Tensor { bytes: lives.live - touched, kept: true });
    Tasks::related(tensors, tasks)
}
