//! `salto run`

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Instant;

use salto::host::{Error, ErrorKind, Model, Port, Result, Session, SessionOptions};
use serde::Serialize;

use crate::args::Run;
use crate::array::{Array, dims};
use crate::classes::{self, Class, Labels};
use crate::inputs::{Runs, assign, names_of};
use crate::output::{self, Output};
use crate::progress::Progress;
use crate::{answer, files, model};

/// What was run.
#[derive(Debug, Serialize)]
struct Report {
    runs: usize,
    /// Of all runs together.
    seconds: f64,
    threads: usize,
    level: &'static str,
    /// On `threads` threads.
    arena_bytes: u64,
    /// `arena_bytes` in words.
    #[serde(skip)]
    memory: String,
    outputs: Vec<OutputReport>,
}

/// An output of all runs, stacked.
#[derive(Debug, Serialize)]
struct OutputReport {
    name: String,
    /// In the model's own order.
    shape: Vec<usize>,
    /// Values that are NaN; minimum, maximum and mean are those of the others.
    nan: usize,
    min: f32,
    max: f32,
    mean: f64,
    /// Where it was written.
    file: Option<String>,
    /// The likeliest classes of each picture, if the output is a vector for each.
    classes: Vec<Picture>,
}

/// The answer for one picture.
#[derive(Debug, Serialize)]
struct Picture {
    input: Option<String>,
    top: Vec<Class>,
}

/// Runs a network on files.
pub(crate) fn run(arguments: &Run) -> Result<String> {
    let model = model::load_for(&arguments.network, &arguments.inputs)?;
    let files = assign("input", &arguments.inputs, &names_of(model.inputs()))?;
    let destinations = assign("output", &arguments.outputs, &names_of(model.outputs()))?;
    let labels = read_labels(arguments, &model)?;
    let runs = Runs::read(model.inputs(), &files, &arguments.picture)?;
    let mut destinations = open_outputs(arguments, &files, &destinations)?;
    let mut session = model
        .session_with(&SessionOptions { threads: arguments.threads.count(), ..SessionOptions::default() })?;
    let (outputs, seconds) = compute(&mut session, &model, &runs)?;
    let mut reports = Vec::new();
    for ((port, array), file) in model.outputs().iter().zip(&outputs).zip(&mut destinations) {
        if let Some(file) = file {
            file.write(&array.to_npy()?)?;
        }
        let file = file.as_ref().map(Output::path);
        reports.push(OutputReport::new(arguments, port, array, file, labels.as_ref(), &runs));
    }
    output::commit(destinations.into_iter().flatten())?;
    let report = Report {
        runs: runs.count,
        seconds,
        threads: session.threads(),
        level: session.level().name(),
        arena_bytes: session.arena_len() as u64,
        memory: model::inspection(&model, session.threads()).memory.arena_words(),
        outputs: reports,
    };
    answer(arguments.json, || report.text(), &report)
}

/// The file of each output, open; none for outputs that are not written.
fn open_outputs(
    arguments: &Run,
    inputs: &[Vec<PathBuf>],
    outputs: &[Vec<PathBuf>],
) -> Result<Vec<Option<Output>>> {
    let mut taken: Vec<&Path> = inputs.iter().flatten().map(PathBuf::as_path).collect();
    taken.extend(arguments.labels.as_deref().into_iter().chain([arguments.network.path.as_path()]));
    let mut open = Vec::new();
    let mut paths: Vec<&Path> = Vec::new();
    for files in outputs {
        let file = files.first().map(PathBuf::as_path);
        if let Some(file) = file {
            if files.len() > 1 || paths.iter().any(|other| output::is_same(file, other)) {
                let reason = "one --output for each output, and one output for each file";
                return Err(Error::new(ErrorKind::Argument, reason)
                    .in_file(file.display())
                    .remedy("name them: --output NAME=FILE"));
            }
            paths.push(file);
        }
        open.push(file.map(|file| Output::create(file, "npy", &taken)).transpose()?);
    }
    Ok(open)
}

/// All runs in turn: the stacked outputs, and the seconds that the runs took.
fn compute(session: &mut Session, model: &Model, runs: &Runs) -> Result<(Vec<Array>, f64)> {
    let mut stacked: Vec<Vec<f32>> =
        model.outputs().iter().map(|port| vec![0.0; port.len() * runs.count]).collect();
    let progress = Progress::new("run", runs.count);
    let mut seconds = 0.0;
    for run in 0..runs.count {
        let inputs = runs.get(run);
        let whole = stacked.iter_mut().zip(model.outputs());
        let mut outputs: Vec<&mut [f32]> = whole.map(|(whole, port)| part(whole, port.len(), run)).collect();
        let start = Instant::now();
        session.run_into(&inputs, &mut outputs)?;
        seconds += start.elapsed().as_secs_f64();
        progress.show(run + 1);
    }
    let shaped = |(data, port): (Vec<f32>, &Port)| {
        let mut shape: Vec<usize> = port.model_dims().iter().map(|dim| *dim as usize).collect();
        match shape.first_mut() {
            Some(batch) => *batch *= runs.count,
            None if runs.count > 1 => shape.push(runs.count),
            None => {}
        }
        Array { shape, data }
    };
    Ok((stacked.into_iter().zip(model.outputs()).map(shaped).collect(), seconds))
}

/// Run `run`'s part of a stacked output.
fn part(output: &mut [f32], len: usize, run: usize) -> &mut [f32] {
    &mut output[run * len..(run + 1) * len]
}

/// The labels, checked against the outputs that are classes.
fn read_labels(arguments: &Run, model: &Model) -> Result<Option<Labels>> {
    let Some(path) = &arguments.labels else { return Ok(None) };
    let labels = Labels::read(path)?;
    for classes in model.outputs().iter().filter_map(|port| classes_of(&port.model_dims())) {
        labels.check(path, classes)?;
    }
    Ok(Some(labels))
}

/// The number of classes, if an output is a vector for each picture of the batch.
fn classes_of(shape: &[u32]) -> Option<usize> {
    let (_, inner) = shape.split_first()?;
    let longest = inner.iter().copied().max()?;
    (longest > 1 && inner.iter().filter(|dim| **dim > 1).count() == 1).then_some(longest as usize)
}

impl OutputReport {
    fn new(
        arguments: &Run,
        port: &Port,
        array: &Array,
        file: Option<&Path>,
        labels: Option<&Labels>,
        runs: &Runs,
    ) -> Self {
        let numbers = || array.data.iter().copied().filter(|value| !value.is_nan());
        let nan = array.data.len() - numbers().count();
        let count = numbers().count().max(1) as f64;
        if nan > 0 {
            let (name, all) = (&port.name, array.data.len());
            files::tell(&format!("warning: output '{name}': {nan} of {all} values are NaN; check the input"));
        }
        let pictures = classes_of(&port.model_dims()).map_or_else(Vec::new, |classes| {
            let each = array.data.chunks_exact(classes).enumerate();
            let picture = |(number, values): (usize, &[f32])| Picture {
                input: runs.names.get(number).cloned(),
                top: classes::top(values, labels, arguments.top),
            };
            each.map(picture).collect()
        });
        Self {
            name: port.name.clone(),
            shape: array.shape.clone(),
            nan,
            min: numbers().fold(f32::INFINITY, f32::min),
            max: numbers().fold(f32::NEG_INFINITY, f32::max),
            mean: numbers().map(f64::from).sum::<f64>() / count,
            file: file.map(|file| file.display().to_string()),
            classes: pictures,
        }
    }

    fn write(&self, text: &mut String) -> std::fmt::Result {
        let Self { name, shape, nan, min, max, mean, file, classes } = self;
        write!(text, "output '{name}' {}: ", dims(shape))?;
        if *nan > 0 {
            write!(text, "{nan} NaN, ")?;
        }
        // Without a single number there is no minimum.
        if min <= max {
            writeln!(text, "{min:.6} … {max:.6}, mean {mean:.6}")?;
        } else {
            writeln!(text, "no number")?;
        }
        if let Some(file) = file {
            writeln!(text, "written to {file}")?;
        }
        for picture in classes {
            if let Some(input) = &picture.input {
                writeln!(text, "{input}")?;
            }
            for Class { class, label, value } in &picture.top {
                match label {
                    Some(label) => writeln!(text, "  {value:9.6}  {label}")?,
                    None => writeln!(text, "  {value:9.6}  class {class}")?,
                }
            }
        }
        Ok(())
    }
}

/// `1 run`, `2 runs`
pub(crate) fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

impl Report {
    fn text(&self) -> String {
        let mut text = String::new();
        for output in &self.outputs {
            // Writing to a string does not fail.
            let _ = output.write(&mut text);
        }
        let Self { runs, seconds, threads, level, memory, .. } = self;
        let each = 1e3 * seconds / *runs as f64;
        let (runs, threads) = (counted(*runs, "run"), counted(*threads, "thread"));
        let _ = writeln!(text, "{each:.3} ms a run ({runs}, {threads}, {level}), RAM {memory}");
        text
    }
}
