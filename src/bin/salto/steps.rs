//! The time of each step of a network.
//!
//! What flows in is a session and its inputs; what flows out is one row a step. Called by `bench` and `profile`.

use salto::host::report::{Align, Inspection, Layer};
use salto::host::{Model, Result, Session};
use serde::Serialize;

use crate::progress::Progress;
use crate::stopwatch::Stopwatch;

/// The time of a step.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct StepTime {
    pub(crate) step: usize,
    pub(crate) name: String,
    pub(crate) operator: String,
    pub(crate) algorithm: String,
    /// The shortest of all watched runs.
    pub(crate) min_seconds: f64,
    /// The median of all watched runs.
    pub(crate) median_seconds: f64,
    /// Of the sum of all steps' medians, from 0 to 1.
    pub(crate) share: f64,
    pub(crate) macs: u64,
    /// Two operations for each multiply-accumulate, at the median; none for steps that do not multiply.
    pub(crate) gflop_per_second: Option<f64>,
    /// Operands, constants and output, each counted once.
    pub(crate) moved_bytes: u64,
}

/// Runs a network some times and times every step, in the order in which they run. The first run, which meets cold caches and
/// memory that the system has yet to give, does not count.
pub(crate) fn measure(
    session: &mut Session,
    inputs: &[&[f32]],
    inspection: &Inspection,
    runs: usize,
) -> Result<Vec<StepTime>> {
    session.run_watched(inputs, ())?;
    let mut stopwatch = Stopwatch::default();
    let progress = Progress::new("run", runs);
    for run in 0..runs {
        session.run_watched(inputs, &mut stopwatch)?;
        progress.show(run + 1);
    }
    let times = inspection.layers.iter().zip(stopwatch.into_sorted_seconds());
    let mut steps: Vec<StepTime> = times.map(|(layer, sorted)| StepTime::new(layer, &sorted)).collect();
    let all: f64 = steps.iter().map(|step| step.median_seconds).sum();
    for step in &mut steps {
        step.share = if all > 0.0 { step.median_seconds / all } else { 0.0 };
    }
    Ok(steps)
}

/// The columns that a table of steps begins with.
pub(crate) const COLUMNS: [(&str, Align); 7] = [
    ("step", Align::Right),
    ("layer", Align::Left),
    ("operator", Align::Left),
    ("algorithm", Align::Left),
    ("ms", Align::Right),
    ("share", Align::Right),
    ("GFLOP/s", Align::Right),
];

impl StepTime {
    /// The cells of [`COLUMNS`].
    pub(crate) fn cells(&self) -> [String; 7] {
        [
            self.step.to_string(),
            self.name.clone(),
            self.operator.clone(),
            self.algorithm.clone(),
            format!("{:.4}", 1e3 * self.median_seconds),
            percent(self.share, 1),
            self.gflop_per_second.map_or_else(String::new, |speed| format!("{speed:.1}")),
        ]
    }

    /// The step of a layer, and its times, the shortest first.
    fn new(layer: &Layer, sorted: &[f64]) -> Self {
        let median_seconds = median(sorted);
        Self {
            step: layer.step,
            name: layer.name.clone(),
            operator: layer.operator.clone(),
            algorithm: layer.algorithm.clone(),
            min_seconds: sorted.first().copied().unwrap_or(0.0),
            median_seconds,
            share: 0.0,
            macs: layer.macs,
            gflop_per_second: (layer.macs > 0 && median_seconds > 0.0)
                .then(|| gflop(layer.macs) / median_seconds),
            moved_bytes: layer.moved_bytes,
        }
    }
}

/// A share, from 0 to 1, in words.
pub(crate) fn percent(share: f64, digits: usize) -> String {
    format!("{:.digits$} %", 100.0 * share)
}

/// The middle of sorted numbers.
pub(crate) fn median(sorted: &[f64]) -> f64 {
    sorted.get(sorted.len() / 2).copied().unwrap_or(0.0)
}

/// Thousands of millions of floating-point operations.
pub(crate) fn gflop(macs: u64) -> f64 {
    2e-9 * macs as f64
}

/// Noise for each input of a model.
pub(crate) fn noise_for(model: &Model) -> Vec<Vec<f32>> {
    model.inputs().iter().map(|port| noise(port.len())).collect()
}

/// Numbers between −1 and 1, the same every time: a linear congruential generator's upper bits.
fn noise(len: usize) -> Vec<f32> {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1u32 << 23) as f32 - 1.0
    };
    (0..len).map(|_| next()).collect()
}
