//! `salto bench`

use std::time::Instant;

use salto::host::report::{Bytes, Count};
use salto::host::{Result, SessionOptions};
use serde::Serialize;

use crate::args::Bench;
use crate::progress::Progress;
use crate::{answer, model};

/// What was measured.
#[derive(Debug, Serialize)]
struct Report {
    threads: usize,
    level: &'static str,
    reps: usize,
    min_seconds: f64,
    median_seconds: f64,
    macs: u64,
    /// Of the fastest run, two operations for each multiply-accumulate.
    gflop_per_second: f64,
    arena_bytes: u64,
    weight_bytes: u64,
}

/// Runs a network on noise and measures its time.
pub(crate) fn bench(arguments: &Bench) -> Result<String> {
    let model = model::load(&arguments.network)?;
    let inspection = model::inspection(&model);
    let mut session = model
        .session_with(&SessionOptions { threads: arguments.threads.count(), ..SessionOptions::default() })?;
    let inputs: Vec<Vec<f32>> = model.inputs().iter().map(|port| noise(port.len())).collect();
    let inputs: Vec<&[f32]> = inputs.iter().map(Vec::as_slice).collect();
    let mut outputs: Vec<Vec<f32>> = model.outputs().iter().map(|port| vec![0.0; port.len()]).collect();
    let mut outputs: Vec<&mut [f32]> = outputs.iter_mut().map(Vec::as_mut_slice).collect();
    // The first run meets cold caches and pages that the system has yet to give.
    session.run_into(&inputs, &mut outputs)?;
    let reps = arguments.reps as usize;
    let progress = Progress::new("run", reps);
    let mut seconds = Vec::with_capacity(reps);
    for rep in 0..reps {
        let start = Instant::now();
        session.run_into(&inputs, &mut outputs)?;
        seconds.push(start.elapsed().as_secs_f64());
        progress.show(rep + 1);
    }
    drop(progress);
    seconds.sort_by(f64::total_cmp);
    let report = Report {
        threads: session.threads(),
        level: session.level().name(),
        reps,
        min_seconds: seconds[0],
        median_seconds: seconds[reps / 2],
        macs: inspection.macs,
        gflop_per_second: 2e-9 * inspection.macs as f64 / seconds[0],
        arena_bytes: session.arena_len() as u64,
        weight_bytes: inspection.weight_bytes,
    };
    answer(arguments.json, || report.text(), &report)
}

impl Report {
    fn text(&self) -> String {
        format!(
            "time     {:.3} ms min, {:.3} ms median of {}\nspeed    {:.1} GFLOP/s ({} MACs)\nmemory   {} arena, {} weights\nmachine  {} threads, {}\n",
            1e3 * self.min_seconds,
            1e3 * self.median_seconds,
            self.reps,
            self.gflop_per_second,
            Count(self.macs),
            Bytes(self.arena_bytes),
            Bytes(self.weight_bytes),
            self.threads,
            self.level
        )
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
