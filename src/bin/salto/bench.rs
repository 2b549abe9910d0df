//! `salto bench`

use std::fmt::Write as _;
use std::time::Instant;

use salto::host::report::{Align, Bytes, Count, Inspection, Layer, Table};
use salto::host::{Result, Session, SessionOptions};
use serde::Serialize;

use crate::args::Bench;
use crate::progress::Progress;
use crate::run::counted;
use crate::stopwatch::Stopwatch;
use crate::{answer, model};

/// The most runs that are timed step by step.
const WATCHED_RUNS: usize = 50;

/// Steps that the text shows, the slowest first; JSON has all of them.
const SHOWN_STEPS: usize = 10;

/// What was measured.
#[derive(Debug, Serialize)]
struct Report {
    threads: usize,
    level: &'static str,
    reps: usize,
    min_seconds: f64,
    median_seconds: f64,
    max_seconds: f64,
    macs: u64,
    /// Of the median run, two operations for each multiply-accumulate.
    gflop_per_second: f64,
    /// On `threads` threads.
    arena_bytes: u64,
    /// `arena_bytes` in words.
    #[serde(skip)]
    memory: String,
    weight_bytes: u64,
    /// Runs that were timed step by step, after the others.
    watched_runs: usize,
    /// In the order in which they run.
    steps: Vec<StepTime>,
}

/// The time of a step.
#[derive(Clone, Debug, Serialize)]
struct StepTime {
    step: usize,
    name: String,
    operator: String,
    algorithm: String,
    /// The median of all watched runs.
    median_seconds: f64,
    /// Of the sum of all steps' times, from 0 to 1.
    share: f64,
    macs: u64,
    /// Two operations for each multiply-accumulate; none for steps that do not multiply.
    gflop_per_second: Option<f64>,
}

/// Runs a network on noise and measures its time.
pub(crate) fn bench(arguments: &Bench) -> Result<String> {
    let model = model::load(&arguments.network, arguments.threads.known())?;
    let mut session = model
        .session_with(&SessionOptions { threads: arguments.threads.count(), ..SessionOptions::default() })?;
    let inspection = model::inspection(&model, session.threads());
    let inputs: Vec<Vec<f32>> = model.inputs().iter().map(|port| noise(port.len())).collect();
    let inputs: Vec<&[f32]> = inputs.iter().map(Vec::as_slice).collect();
    let reps = arguments.reps as usize;
    let seconds = time(&mut session, &inputs, reps)?;
    let watched_runs = reps.min(WATCHED_RUNS);
    let mut stopwatch = Stopwatch::default();
    for _ in 0..watched_runs {
        session.run_watched(&inputs, &mut stopwatch)?;
    }
    let median_seconds = median(&seconds);
    let report = Report {
        threads: session.threads(),
        level: session.level().name(),
        reps,
        min_seconds: seconds[0],
        median_seconds,
        max_seconds: seconds[reps - 1],
        macs: inspection.macs,
        gflop_per_second: gflop(inspection.macs) / median_seconds,
        arena_bytes: session.arena_len() as u64,
        memory: inspection.memory.arena_words(),
        weight_bytes: inspection.weight_bytes,
        watched_runs,
        steps: step_times(&inspection, stopwatch),
    };
    answer(arguments.json, || report.text(), &report)
}

/// The seconds of each of `reps` runs, sorted.
fn time(session: &mut Session, inputs: &[&[f32]], reps: usize) -> Result<Vec<f64>> {
    let mut outputs: Vec<Vec<f32>> =
        session.model().outputs().iter().map(|port| vec![0.0; port.len()]).collect();
    let mut outputs: Vec<&mut [f32]> = outputs.iter_mut().map(Vec::as_mut_slice).collect();
    // The first run meets cold caches and pages that the system has yet to give.
    session.run_into(inputs, &mut outputs)?;
    let progress = Progress::new("run", reps);
    let mut seconds = Vec::with_capacity(reps);
    for rep in 0..reps {
        let start = Instant::now();
        session.run_into(inputs, &mut outputs)?;
        seconds.push(start.elapsed().as_secs_f64());
        progress.show(rep + 1);
    }
    seconds.sort_by(f64::total_cmp);
    Ok(seconds)
}

/// Each step's time and its share of all.
fn step_times(inspection: &Inspection, stopwatch: Stopwatch) -> Vec<StepTime> {
    let medians = stopwatch.into_sorted_seconds().map(|seconds| median(&seconds));
    let step = |(layer, seconds): (&Layer, f64)| StepTime {
        step: layer.step,
        name: layer.name.clone(),
        operator: layer.operator.clone(),
        algorithm: layer.algorithm.clone(),
        median_seconds: seconds,
        share: 0.0,
        macs: layer.macs,
        gflop_per_second: (layer.macs > 0 && seconds > 0.0).then(|| gflop(layer.macs) / seconds),
    };
    let mut steps: Vec<StepTime> = inspection.layers.iter().zip(medians).map(step).collect();
    let all: f64 = steps.iter().map(|step| step.median_seconds).sum();
    for step in &mut steps {
        step.share = if all > 0.0 { step.median_seconds / all } else { 0.0 };
    }
    steps
}

/// The middle of sorted numbers.
fn median(sorted: &[f64]) -> f64 {
    sorted.get(sorted.len() / 2).copied().unwrap_or(0.0)
}

/// Thousands of millions of floating-point operations.
fn gflop(macs: u64) -> f64 {
    2e-9 * macs as f64
}

impl Report {
    fn text(&self) -> String {
        let Self { min_seconds, median_seconds, max_seconds, reps, .. } = self;
        let [min, median, max] = [min_seconds, median_seconds, max_seconds].map(|seconds| 1e3 * seconds);
        let mut text = String::new();
        // Writing to a string does not fail.
        let _ = writeln!(
            text,
            "time     {min:.3} ms min, {median:.3} ms median, {max:.3} ms max of {}",
            counted(*reps, "run")
        );
        let _ = writeln!(
            text,
            "speed    {:.1} GFLOP/s at the median ({} MACs)",
            self.gflop_per_second,
            Count(self.macs)
        );
        let _ = writeln!(text, "RAM      {}", self.memory);
        let _ = writeln!(text, "weights  {}", Bytes(self.weight_bytes));
        let _ = writeln!(text, "machine  {}, {}", counted(self.threads, "thread"), self.level);
        let (shown, all) = (self.steps.len().min(SHOWN_STEPS), counted(self.steps.len(), "step"));
        let _ = writeln!(
            text,
            "\nthe slowest {shown} of {all}, medians of {}",
            counted(self.watched_runs, "run")
        );
        text + &self.table().to_string()
    }

    /// The slowest steps.
    fn table(&self) -> Table {
        let mut steps: Vec<&StepTime> = self.steps.iter().collect();
        steps.sort_by(|a, b| b.median_seconds.total_cmp(&a.median_seconds));
        let mut table = Table::new(&[
            ("step", Align::Right),
            ("layer", Align::Left),
            ("operator", Align::Left),
            ("algorithm", Align::Left),
            ("ms", Align::Right),
            ("share", Align::Right),
            ("GFLOP/s", Align::Right),
        ]);
        for step in steps.into_iter().take(SHOWN_STEPS) {
            table.push([
                step.step.to_string(),
                step.name.clone(),
                step.operator.clone(),
                step.algorithm.clone(),
                format!("{:.4}", 1e3 * step.median_seconds),
                format!("{:.1} %", 100.0 * step.share),
                step.gflop_per_second.map_or_else(String::new, |speed| format!("{speed:.1}")),
            ]);
        }
        table
    }
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
