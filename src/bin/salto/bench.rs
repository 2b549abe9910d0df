//! `salto bench`

use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::Instant;

use cpu_time::ProcessTime;
use salto::host::report::{Bytes, Count, Table};
use salto::host::{Model, Result, Session, SessionOptions};
use serde::Serialize;

use crate::args::{Bench, Picture};
use crate::array::Array;
use crate::inputs::{Runs, assign, assign_inputs, names_of};
use crate::output;
use crate::progress::Progress;
use crate::run::{counted, open_outputs};
use crate::steps::{self, COLUMNS, StepTime, gflop, median};
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
    /// Of each run in turn: input handed over in the model's layout, inference, output fetched.
    wall_ms: Vec<f64>,
    /// Of each run, the time of all the process's threads on their cores; none where the system does not tell.
    cpu_ms: Option<Vec<f64>>,
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

/// Runs a network on noise, or on what it is given, and measures its time.
pub(crate) fn bench(arguments: &Bench) -> Result<String> {
    let model = model::load(&arguments.network, arguments.threads.known())?;
    let (inputs, files) = read_inputs(arguments, &model)?;
    let inputs: Vec<&[f32]> = inputs.iter().map(Vec::as_slice).collect();
    let mut taken = model::files_read(&arguments.network);
    taken.extend(files);
    let destinations = assign("output", &arguments.outputs, &names_of(model.outputs()))?;
    let destinations = open_outputs(&destinations, &taken)?;
    let mut session = model
        .session_with(&SessionOptions { threads: arguments.threads.count(), ..SessionOptions::default() })?;
    let inspection = model::inspection(&model, session.threads());
    let reps = arguments.reps as usize;
    let times = time(&mut session, &inputs, reps)?;
    let watched_runs = reps.min(WATCHED_RUNS);
    let steps = steps::measure(&mut session, &inputs, &inspection, watched_runs)?;
    let mut sorted: Vec<f64> = times.wall_ms.iter().map(|ms| 1e-3 * ms).collect();
    sorted.sort_by(f64::total_cmp);
    let median_seconds = median(&sorted);
    let report = Report {
        threads: session.threads(),
        level: session.level().name(),
        reps,
        min_seconds: sorted[0],
        median_seconds,
        max_seconds: sorted[reps - 1],
        wall_ms: times.wall_ms,
        cpu_ms: times.cpu_ms,
        macs: inspection.macs,
        gflop_per_second: gflop(inspection.macs) / median_seconds,
        arena_bytes: session.arena_len() as u64,
        memory: inspection.memory.arena_words(),
        weight_bytes: inspection.weight_bytes,
        watched_runs,
        steps,
    };
    let mut written = Vec::new();
    for ((port, data), destination) in model.outputs().iter().zip(times.outputs).zip(destinations) {
        let Some(mut file) = destination else { continue };
        let shape = port.model_dims().iter().map(|dim| *dim as usize).collect();
        file.write(&Array { shape, data }.to_npy()?)?;
        written.push(file);
    }
    output::commit(written)?;
    answer(arguments.json, || report.text(), &report)
}

/// The inputs of the first run that the given files make, or noise; and the files.
fn read_inputs(arguments: &Bench, model: &Model) -> Result<(Vec<Vec<f32>>, Vec<PathBuf>)> {
    if arguments.inputs.is_empty() {
        return Ok((steps::noise_for(model), Vec::new()));
    }
    let files = assign_inputs(&arguments.inputs, &names_of(model.inputs()))?;
    let runs = Runs::read(model.inputs(), &files, &Picture::default())?;
    Ok((runs.get(0).into_iter().map(<[f32]>::to_vec).collect(), files.into_iter().flatten().collect()))
}

/// What `reps` runs took, and what the last one gave.
struct Times {
    wall_ms: Vec<f64>,
    cpu_ms: Option<Vec<f64>>,
    outputs: Vec<Vec<f32>>,
}

/// Times runs.
fn time(session: &mut Session, inputs: &[&[f32]], reps: usize) -> Result<Times> {
    let mut outputs: Vec<Vec<f32>> =
        session.model().outputs().iter().map(|port| vec![0.0; port.len()]).collect();
    let mut slices: Vec<&mut [f32]> = outputs.iter_mut().map(Vec::as_mut_slice).collect();
    // The first run meets cold caches and pages that the system has yet to give.
    session.run_into(inputs, &mut slices)?;
    let progress = Progress::new("run", reps);
    let (mut wall_ms, mut cpu_ms) = (Vec::with_capacity(reps), Some(Vec::with_capacity(reps)));
    for rep in 0..reps {
        let (cpu, start) = (ProcessTime::try_now(), Instant::now());
        session.run_into(inputs, &mut slices)?;
        wall_ms.push(1e3 * start.elapsed().as_secs_f64());
        match (&mut cpu_ms, cpu.and_then(|cpu| cpu.try_elapsed())) {
            (Some(all), Ok(elapsed)) => all.push(1e3 * elapsed.as_secs_f64()),
            _ => cpu_ms = None,
        }
        progress.show(rep + 1);
    }
    Ok(Times { wall_ms, cpu_ms, outputs })
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
        let mut table = Table::new(&COLUMNS);
        for step in steps.into_iter().take(SHOWN_STEPS) {
            table.push(step.cells());
        }
        table
    }
}
