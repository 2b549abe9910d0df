//! `salto profile`

use std::collections::BTreeMap;
use std::fmt::Write as _;

use salto::host::report::{Align, Bytes, Table, peak_gflop_per_second};
use salto::host::{Result, SessionOptions};
use serde::Serialize;

use crate::args::Profile;
use crate::output::{self, Output};
use crate::run::counted;
use crate::steps::{self, COLUMNS, StepTime, gflop, percent};
use crate::{answer, bars, model};

/// What was measured.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    pub(crate) model: String,
    pub(crate) threads: usize,
    pub(crate) level: &'static str,
    /// Runs that were timed step by step.
    reps: usize,
    /// What one core was measured to multiply and add at most.
    peak_gflop_per_second: f64,
    /// The sum of all steps' medians.
    pub(crate) median_seconds: f64,
    /// In the order in which they run.
    pub(crate) layers: Vec<LayerProfile>,
    /// By operator and algorithm, the slowest first.
    kinds: Vec<Kind>,
}

/// A step's time, and how it compares with what the machine can do.
#[derive(Debug, Serialize)]
pub(crate) struct LayerProfile {
    #[serde(flatten)]
    pub(crate) time: StepTime,
    /// Of the measured peak of all threads' cores, from 0 to 1. Winograd's algorithm does with fewer multiplications than the
    /// definition, which is what counts here, and may pass 1.
    pub(crate) share_of_peak: Option<f64>,
    /// Operands, constants and output, each counted once, by the median time.
    gigabytes_per_second: f64,
}

/// All steps of an operator and algorithm.
#[derive(Debug, Serialize)]
struct Kind {
    operator: String,
    algorithm: String,
    steps: usize,
    median_seconds: f64,
    share: f64,
    gflop_per_second: Option<f64>,
    share_of_peak: Option<f64>,
}

/// Measures each layer of a network on noise.
pub(crate) fn profile(arguments: &Profile) -> Result<String> {
    let taken = model::files_read(&arguments.network);
    let mut picture = arguments.svg.as_ref().map(|path| Output::create(path, "svg", &taken)).transpose()?;
    let model = model::load(&arguments.network, arguments.threads.known())?;
    let mut session = model
        .session_with(&SessionOptions { threads: arguments.threads.count(), ..SessionOptions::default() })?;
    let inspection = model::inspection(&model, session.threads());
    let inputs = steps::noise_for(&model);
    let inputs: Vec<&[f32]> = inputs.iter().map(Vec::as_slice).collect();
    let reps = arguments.reps as usize;
    let times = steps::measure(&mut session, &inputs, &inspection, reps)?;
    let peak = peak_gflop_per_second(session.level());
    let all_cores = peak * session.threads() as f64;
    let report = Report {
        model: arguments.network.path.display().to_string(),
        threads: session.threads(),
        level: session.level().name(),
        reps,
        peak_gflop_per_second: peak,
        median_seconds: times.iter().map(|step| step.median_seconds).sum(),
        kinds: kinds(&times, all_cores),
        layers: times.into_iter().map(|time| LayerProfile::new(time, all_cores)).collect(),
    };
    if let Some(picture) = &mut picture {
        picture.write(bars::draw(&report).as_bytes())?;
    }
    output::commit(picture)?;
    answer(arguments.json, || report.text(), &report)
}

/// The steps by operator and algorithm.
fn kinds(times: &[StepTime], peak: f64) -> Vec<Kind> {
    let mut sums: BTreeMap<(&str, &str), (usize, f64, f64, u64)> = BTreeMap::new();
    for time in times {
        let (steps, seconds, share, macs) = sums.entry((&time.operator, &time.algorithm)).or_default();
        *steps += 1;
        *seconds += time.median_seconds;
        *share += time.share;
        *macs += time.macs;
    }
    let kind = |((operator, algorithm), (steps, median_seconds, share, macs)): ((&str, &str), _)| {
        let gflop_per_second = (macs > 0 && median_seconds > 0.0).then(|| gflop(macs) / median_seconds);
        Kind {
            operator: operator.into(),
            algorithm: algorithm.into(),
            steps,
            median_seconds,
            share,
            gflop_per_second,
            share_of_peak: gflop_per_second.map(|speed| speed / peak),
        }
    };
    let mut kinds: Vec<Kind> = sums.into_iter().map(kind).collect();
    kinds.sort_by(|a, b| b.median_seconds.total_cmp(&a.median_seconds));
    kinds
}

impl LayerProfile {
    fn new(time: StepTime, peak: f64) -> Self {
        let gigabytes = 1e-9 * time.moved_bytes as f64;
        Self {
            share_of_peak: time.gflop_per_second.map(|speed| speed / peak),
            gigabytes_per_second: if time.median_seconds > 0.0 {
                gigabytes / time.median_seconds
            } else {
                0.0
            },
            time,
        }
    }
}

impl Report {
    fn text(&self) -> String {
        let mut text = String::new();
        let (runs, threads) = (counted(self.reps, "run"), counted(self.threads, "thread"));
        // Writing to a string does not fail.
        let _ = writeln!(
            text,
            "time     {:.3} ms, the sum of each step's median of {runs}",
            1e3 * self.median_seconds
        );
        let _ = writeln!(
            text,
            "machine  {threads}, {}, {:.1} GFLOP/s a core at its peak (measured)\n",
            self.level, self.peak_gflop_per_second
        );
        let _ = write!(text, "{}", self.table());
        let _ = write!(text, "\n{}", self.summary());
        text
    }

    fn table(&self) -> Table {
        let further = [("of peak", Align::Right), ("moved", Align::Right), ("GB/s", Align::Right)];
        let mut table = Table::new(&[COLUMNS.as_slice(), &further].concat());
        for LayerProfile { time, share_of_peak, gigabytes_per_second } in &self.layers {
            let further = [
                share_of_peak.map_or_else(String::new, |share| percent(share, 0)),
                Bytes(time.moved_bytes).to_string(),
                format!("{gigabytes_per_second:.1}"),
            ];
            table.push(time.cells().into_iter().chain(further));
        }
        table
    }

    /// The rows of operators and algorithms.
    fn summary(&self) -> Table {
        let mut table = Table::new(&[
            ("operator", Align::Left),
            ("algorithm", Align::Left),
            ("steps", Align::Right),
            ("ms", Align::Right),
            ("share", Align::Right),
            ("GFLOP/s", Align::Right),
            ("of peak", Align::Right),
        ]);
        for kind in &self.kinds {
            table.push([
                kind.operator.clone(),
                kind.algorithm.clone(),
                kind.steps.to_string(),
                format!("{:.4}", 1e3 * kind.median_seconds),
                percent(kind.share, 1),
                kind.gflop_per_second.map_or_else(String::new, |speed| format!("{speed:.1}")),
                kind.share_of_peak.map_or_else(String::new, |share| percent(share, 0)),
            ]);
        }
        table
    }
}
