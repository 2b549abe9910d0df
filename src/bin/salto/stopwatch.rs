//! Times every step of a run.

use std::time::Instant;

use salto::device::engine::StepHook;
use salto::device::program::Step;

/// Watches runs of one program; every step's times of all runs.
#[derive(Debug, Default)]
pub(crate) struct Stopwatch {
    started: Option<Instant>,
    seconds: Vec<Vec<f64>>,
}

impl Stopwatch {
    /// For each step its times, the shortest first.
    pub(crate) fn into_sorted_seconds(self) -> impl Iterator<Item = Vec<f64>> {
        self.seconds.into_iter().map(|mut seconds| {
            seconds.sort_by(f64::total_cmp);
            seconds
        })
    }
}

impl StepHook for Stopwatch {
    fn before(&mut self, index: usize, _: &Step<'_>) {
        if self.seconds.len() <= index {
            self.seconds.resize_with(index + 1, Vec::new);
        }
        self.started = Some(Instant::now());
    }

    fn after(&mut self, index: usize, _: &Step<'_>) {
        let elapsed = self.started.take().map(|started| started.elapsed().as_secs_f64());
        if let Some(seconds) = self.seconds.get_mut(index) {
            seconds.extend(elapsed);
        }
    }
}
