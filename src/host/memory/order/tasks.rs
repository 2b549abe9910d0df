//! The problem: tasks, tensors, and what lives when.

use alloc::vec;
use alloc::vec::Vec;
use core::fmt;

use super::set::{Set, words};

/// What tasks read and write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tensor {
    /// Bytes.
    pub bytes: u64,
    /// Is it needed after the last task?
    pub kept: bool,
}

/// A step of the program.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Task {
    /// The tensors that it reads.
    pub reads: Vec<usize>,
    /// The tensors that it writes.
    pub writes: Vec<usize>,
    /// Bytes that only exist while it runs.
    pub scratch: u64,
    /// What it may save by writing over tensors that it is the last to read. The largest possible one counts.
    pub savings: Vec<Saving>,
}

/// Memory that a task's output may share with a tensor that it reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Saving {
    /// The tensor; nobody may read it later.
    pub over: usize,
    /// Bytes shared: all of the output if it is written in place, fewer if it trails behind what is read.
    pub bytes: u64,
}

/// Tasks in an order in which they can run. They exist only if they are well formed.
#[derive(Clone, Debug)]
pub struct Tasks {
    pub(super) tensors: Vec<Tensor>,
    pub(super) tasks: Vec<Task>,
    /// The task that writes each tensor; none for what exists from the start.
    pub(super) writers: Vec<Option<usize>>,
    /// The tasks that read each tensor.
    pub(super) readers: Vec<Set>,
    /// The tasks whose output each task reads.
    pub(super) needs: Vec<Set>,
}

/// A task that can run.
#[derive(Clone, Copy, Debug)]
pub(super) struct Run {
    pub(super) task: usize,
    /// Bytes alive while it runs.
    pub(super) during: u64,
    /// Bytes alive when it has run.
    pub(super) after: u64,
}

/// Why these are no [`Tasks`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TasksError {
    /// The task names a tensor that does not exist, or saves memory over one that it does not read, or
    /// more than that one has.
    Tensor {
        /// Which task.
        task: usize,
    },
    /// The task reads what a later one writes, or writes what was written or read before.
    Order {
        /// Which task.
        task: usize,
    },
}

impl Tasks {
    /// Tasks in the order in which they are given.
    ///
    /// # Errors
    /// If a task names a tensor that does not exist, or the order contradicts itself; see [`TasksError`].
    pub fn new(tensors: Vec<Tensor>, tasks: Vec<Task>) -> Result<Self, TasksError> {
        for (number, task) in tasks.iter().enumerate() {
            let is_known = task.reads.iter().chain(&task.writes).all(|&tensor| tensor < tensors.len());
            let is_read = |saving: &Saving| {
                task.reads.contains(&saving.over) && saving.bytes <= tensors[saving.over].bytes
            };
            if !is_known || !task.savings.iter().all(is_read) {
                return Err(TasksError::Tensor { task: number });
            }
        }
        check_order(tensors.len(), &tasks)?;
        Ok(Self::related(tensors, tasks))
    }

    /// Tasks that are known to be well formed.
    pub(super) fn related(tensors: Vec<Tensor>, tasks: Vec<Task>) -> Self {
        let words = words(tasks.len());
        let mut writers = vec![None; tensors.len()];
        let mut readers = vec![Set::empty(words); tensors.len()];
        let mut needs = vec![Set::empty(words); tasks.len()];
        for (number, task) in tasks.iter().enumerate() {
            for &tensor in &task.reads {
                readers[tensor].insert(number);
                writers[tensor].iter().for_each(|&writer| needs[number].insert(writer));
            }
            task.writes.iter().for_each(|&tensor| writers[tensor] = Some(number));
        }
        Self { tensors, tasks, writers, readers, needs }
    }

    /// How many tasks there are.
    pub fn count(&self) -> usize {
        self.tasks.len()
    }

    /// The order in which they were given.
    pub fn given(&self) -> Vec<usize> {
        (0..self.count()).collect()
    }

    /// Bytes alive before the first task: what no task writes, and somebody needs.
    pub fn start(&self) -> u64 {
        let exists = |tensor: &usize| self.writers[*tensor].is_none() && self.is_needed(*tensor);
        (0..self.tensors.len()).filter(exists).map(|tensor| self.tensors[tensor].bytes).sum()
    }

    /// The most bytes that live with this order, in which every task comes once, behind all that it needs.
    pub fn peak(&self, order: &[usize]) -> u64 {
        let mut done = Set::empty(words(self.count()));
        let mut live = self.start();
        let mut peak = live;
        for &task in order {
            let run = self.run(&done, live, task);
            peak = peak.max(run.during);
            live = run.after;
            done.insert(task);
        }
        peak
    }

    /// All tasks that can run when `done` have and `live` bytes are alive.
    pub(super) fn ready(&self, done: &Set, live: u64) -> Vec<Run> {
        let is_ready = |task: &usize| !done.contains(*task) && self.needs[*task].is_within(done);
        (0..self.count()).filter(is_ready).map(|task| self.run(done, live, task)).collect()
    }

    /// A task that runs when `done` have and `live` bytes are alive.
    pub(super) fn run(&self, done: &Set, live: u64, number: usize) -> Run {
        let task = &self.tasks[number];
        let mut during = live + task.scratch;
        let mut after = live;
        for &tensor in &task.writes {
            during += self.tensors[tensor].bytes;
            if self.is_needed(tensor) {
                after += self.tensors[tensor].bytes;
            }
        }
        let dies =
            |tensor: usize| !self.tensors[tensor].kept && self.readers[tensor].is_within_but(done, number);
        for (place, &tensor) in task.reads.iter().enumerate() {
            if !task.reads[..place].contains(&tensor) && dies(tensor) {
                after -= self.tensors[tensor].bytes;
            }
        }
        let savings = task.savings.iter().filter(|saving| dies(saving.over));
        let saved = savings.map(|saving| saving.bytes).max().unwrap_or(0);
        Run { task: number, during: during.saturating_sub(saved), after }
    }

    /// Does a tensor outlive the task that writes it?
    pub(super) fn is_needed(&self, tensor: usize) -> bool {
        self.tensors[tensor].kept || !self.readers[tensor].is_empty()
    }
}

/// A tensor has one writer, which comes before all readers.
fn check_order(tensors: usize, tasks: &[Task]) -> Result<(), TasksError> {
    let mut seen = vec![false; tensors];
    for (number, task) in tasks.iter().enumerate() {
        task.reads.iter().for_each(|&tensor| seen[tensor] = true);
        for &tensor in &task.writes {
            if core::mem::replace(&mut seen[tensor], true) {
                return Err(TasksError::Order { task: number });
            }
        }
    }
    Ok(())
}

impl fmt::Display for TasksError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tensor { task } => write!(f, "task {task} names a tensor that it cannot mean"),
            Self::Order { task } => write!(f, "task {task} contradicts the order of the tasks"),
        }
    }
}

impl core::error::Error for TasksError {}
