//! Which tasks come before which in every order, and what must live while each runs.

use alloc::vec;
use alloc::vec::Vec;

use super::set::{Set, words};
use super::tasks::Tasks;

/// Which tasks come before and behind which in every order.
pub(super) struct Relations {
    pub(super) before: Vec<Set>,
    pub(super) behind: Vec<Set>,
}

impl Relations {
    pub(super) fn of(tasks: &Tasks) -> Self {
        let empty = Set::empty(words(tasks.count()));
        let mut before = vec![empty.clone(); tasks.count()];
        let mut behind = vec![empty; tasks.count()];
        let needs = |task: usize| (0..task).filter(move |&need| tasks.needs[task].contains(need));
        for task in 0..tasks.count() {
            let mut set = tasks.needs[task].clone();
            needs(task).for_each(|need| set.add(&before[need]));
            before[task] = set;
        }
        for task in (0..tasks.count()).rev() {
            let set = behind[task].with(task);
            needs(task).for_each(|need| behind[need].add(&set));
        }
        Self { before, behind }
    }

    /// Do all others come before or behind this task?
    pub(super) fn is_cut(&self, task: usize) -> bool {
        self.before[task].len() + self.behind[task].len() + 1 == self.before.len()
    }

    /// Bytes that live while a task runs in every order: what was written before it in every order, or from the start, and is
    /// read behind it in every order; its own; less what it may save at best.
    pub(super) fn bound(&self, tasks: &Tasks, number: usize) -> u64 {
        let (before, behind) = (&self.before[number], self.behind[number].with(number));
        let lives = |tensor: &usize| {
            let exists = tasks.writers[*tensor].is_none_or(|writer| before.contains(writer));
            exists && (tasks.tensors[*tensor].kept || tasks.readers[*tensor].meets(&behind))
        };
        let others: u64 =
            (0..tasks.tensors.len()).filter(lives).map(|tensor| tasks.tensors[tensor].bytes).sum();
        let task = &tasks.tasks[number];
        let own: u64 = task.writes.iter().map(|&tensor| tasks.tensors[tensor].bytes).sum();
        let may_die =
            |tensor: usize| !tasks.tensors[tensor].kept && !tasks.readers[tensor].meets(&self.behind[number]);
        let savings = task.savings.iter().filter(|saving| may_die(saving.over));
        let saved = savings.map(|saving| saving.bytes).max().unwrap_or(0);
        (others + own + task.scratch).saturating_sub(saved)
    }
}
