//! Threads for an engine: rayon's pool as a band executor.

use alloc::format;

use crate::device::engine::BandExecutor;
use crate::host::{Error, ErrorKind, Result};

/// A number of threads that run the bands of a step side by side; the calling thread is one of them.
///
/// Results do not depend on the number of threads. One pool may serve many engines: `engine.with_executor(&pool)`.
#[derive(Debug)]
pub struct ThreadPool {
    /// The threads besides the calling one; none if it is alone.
    others: Option<rayon::ThreadPool>,
}

impl ThreadPool {
    /// A pool of `threads` threads in all; 0 takes as many as the machine has cores.
    ///
    /// # Errors
    /// The operating system refuses to start a thread.
    pub fn new(threads: usize) -> Result<Self> {
        let threads = match threads {
            0 => std::thread::available_parallelism().map_or(1, usize::from),
            threads => threads,
        };
        if threads == 1 {
            return Ok(Self { others: None });
        }
        let others = rayon::ThreadPoolBuilder::new()
            .num_threads(threads - 1)
            .thread_name(|i| format!("salto-{}", i + 1))
            .build()
            .map_err(|error| {
                Error::new(ErrorKind::Limit, format!("{threads} threads cannot be started: {error}"))
                    .remedy("ask for fewer threads")
            })?;
        Ok(Self { others: Some(others) })
    }
}

impl BandExecutor for ThreadPool {
    fn workers(&self) -> usize {
        1 + self.others.as_ref().map_or(0, rayon::ThreadPool::current_num_threads)
    }

    fn execute(&self, work: &(dyn Fn() + Sync)) {
        let Some(others) = &self.others else { return work() };
        others.in_place_scope(|scope| {
            for _ in 0..others.current_num_threads() {
                scope.spawn(|_| work());
            }
            work();
        });
    }
}
