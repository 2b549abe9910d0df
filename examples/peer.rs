//! salto as a peer of a benchmark between runtimes: loads a model, runs it on raw input, prints one line of JSON.
//!
//! ```text
//! peer [--low-memory] MODEL --threads N --reps R --warmup W --budget-ms B --input X.f32 [--out Y.f32]
//! ```
//! `--low-memory` takes the least memory, as `salto run --low-memory` does.
//!
//! `X.f32` and `Y.f32` are raw little-endian `f32` in the model's own layout. Timed: input handed over, inference, output
//! fetched. Not timed: loading, compiling, reading the input file.

use std::process::ExitCode;
use std::time::Instant;

use cpu_time::ProcessTime;
use salto::host::compile::CompileOptions;
use salto::host::{Error, ErrorKind, LoadOptions, Model, Result, SessionOptions};

struct Arguments {
    model: String,
    low_memory: bool,
    threads: usize,
    reps: usize,
    warmup: usize,
    budget_ms: f64,
    input: String,
    out: Option<String>,
}

fn main() -> ExitCode {
    match arguments().and_then(|arguments| bench(&arguments)) {
        Ok(line) => {
            #[allow(clippy::print_stdout, reason = "the line is what this program is for")]
            {
                println!("{line}");
            }
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("peer: {error}");
            ExitCode::FAILURE
        }
    }
}

fn arguments() -> Result<Arguments> {
    let mut arguments = Arguments {
        model: String::new(),
        low_memory: false,
        threads: 1,
        reps: 10,
        warmup: 2,
        budget_ms: f64::INFINITY,
        input: String::new(),
        out: None,
    };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or_else(|| refused(format!("{word} lacks its value")));
        match word.as_str() {
            "--low-memory" => arguments.low_memory = true,
            "--threads" => arguments.threads = number(&value()?)?,
            "--reps" => arguments.reps = number(&value()?)?,
            "--warmup" => arguments.warmup = number(&value()?)?,
            "--budget-ms" => arguments.budget_ms = number(&value()?)?,
            "--input" => arguments.input = value()?,
            "--out" => arguments.out = Some(value()?),
            _ => arguments.model = word,
        }
    }
    Ok(arguments)
}

fn bench(arguments: &Arguments) -> Result<String> {
    let base_kb = status_kb("VmRSS:");
    let input = read_floats(&arguments.input)?;
    let start = Instant::now();
    let compile = CompileOptions::default().low_memory(arguments.low_memory);
    let model = Model::load_with(&arguments.model, &LoadOptions { compile, ..LoadOptions::default() })?;
    let options = SessionOptions { threads: arguments.threads, ..SessionOptions::default() };
    let mut session = model.session_with(&options)?;
    let load_ms = start.elapsed().as_secs_f64() * 1e3;
    let load_kb = status_kb("VmRSS:");

    let mut output = vec![0.0; model.outputs()[0].len()];
    for _ in 0..arguments.warmup.max(1) {
        session.run_into(&[&input], &mut [&mut output])?;
    }
    let (mut latencies, mut cpu) = (Vec::new(), Vec::new());
    let start = Instant::now();
    for rep in 0..arguments.reps {
        let (cpu_start, wall_start) = (ProcessTime::now(), Instant::now());
        session.run_into(&[&input], &mut [&mut output])?;
        latencies.push(wall_start.elapsed().as_secs_f64() * 1e3);
        cpu.push(cpu_start.elapsed().as_secs_f64() * 1e3);
        if rep >= 2 && start.elapsed().as_secs_f64() * 1e3 > arguments.budget_ms {
            break;
        }
    }
    if let Some(path) = &arguments.out {
        let bytes: Vec<u8> = output.iter().flat_map(|x| x.to_le_bytes()).collect();
        std::fs::write(path, bytes).map_err(|error| refused(format!("{path}: {error}")))?;
    }
    let checksum: f64 = output.iter().map(|&x| f64::from(x)).sum();
    Ok(format!(
        "{{\"peer\":\"{}\",\"version\":\"{}\",\"threads\":{},\"load_ms\":{load_ms:.3},\"rss_base_kb\":{base_kb},\
         \"rss_load_kb\":{load_kb},\"rss_peak_kb\":{},\"checksum\":{checksum:e},\"lat_ms\":{latencies:?},\"cpu_ms\":{cpu:?}}}",
        if arguments.low_memory { "salto-low-memory" } else { "salto" },
        env!("CARGO_PKG_VERSION"),
        arguments.threads,
        status_kb("VmHWM:"),
    ))
}

fn read_floats(path: &str) -> Result<Vec<f32>> {
    let bytes = std::fs::read(path).map_err(|error| refused(format!("{path}: {error}")))?;
    Ok(bytes.as_chunks().0.iter().map(|&word| f32::from_le_bytes(word)).collect())
}

/// A line of `/proc/self/status` in KiB; 0 where there is no such file.
fn status_kb(key: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with(key));
    line.and_then(|line| line.split_whitespace().nth(1)?.parse().ok()).unwrap_or(0)
}

fn number<T: std::str::FromStr>(word: &str) -> Result<T> {
    word.parse().map_err(|_| refused(format!("'{word}' is no number")))
}

fn refused(reason: String) -> Error {
    Error::new(ErrorKind::Argument, reason)
}
