//! `salto run`

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Instant;

use salto::host::{Error, ErrorKind, Model, Port, Result, Session, SessionOptions};
use serde::Serialize;

use crate::args::{self, Run};
use crate::array::{Array, dims};
use crate::classes::{self, Class, Labels, Values};
use crate::inputs::{Runs, assign, assign_inputs, names_of, port_and_file};
use crate::output::{self, Output};
use crate::overlay::{self, Drawn, Form, Share};
use crate::picture::Size;
use crate::progress::Progress;
use crate::{answer, files, model, zoo};

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
    /// What the values of classes are, if the output is a vector for each picture.
    values: Option<Values>,
    /// The likeliest classes of each picture, if the output is a vector for each.
    classes: Vec<Picture>,
    /// The pictures that it was drawn over.
    overlays: Vec<Drawn>,
}

/// The answer for one picture.
#[derive(Debug, Serialize)]
struct Picture {
    input: Option<String>,
    top: Vec<Class>,
}

/// Runs a network on files.
pub(crate) fn run(arguments: &Run) -> Result<String> {
    zoo::check_trained(&arguments.network)?;
    let options = arguments.picture.resolved();
    let given = [arguments.inputs.as_slice(), &arguments.files].concat();
    let model = model::load_for(&arguments.network, &given, &options, arguments.threads.known())?;
    let files = assign_inputs(&given, &names_of(model.inputs()))?;
    let destinations = assign("output", &arguments.outputs, &names_of(model.outputs()))?;
    let labels = read_labels(arguments, &model)?;
    let runs = Runs::read(model.inputs(), &files, &options)?;
    let mut taken = model::files_read(&arguments.network);
    taken.extend(files.iter().flatten().chain(&arguments.labels).cloned());
    let mut destinations = open_outputs(&destinations, &taken)?;
    taken.extend(destinations.iter().flatten().map(|output| output.path().to_path_buf()));
    let mut overlays = Overlays::open(arguments.overlay.as_deref(), model.outputs(), &runs, &taken)?;
    let mut session = model
        .session_with(&SessionOptions { threads: arguments.threads.count(), ..SessionOptions::default() })?;
    let (outputs, seconds) = compute(&mut session, &model, &runs)?;
    let mut reports = Vec::new();
    for (i, ((port, array), file)) in model.outputs().iter().zip(&outputs).zip(&mut destinations).enumerate()
    {
        if let Some(file) = file {
            file.write(&array.to_npy()?)?;
        }
        let mut report = OutputReport::new(arguments, port, array, labels.as_ref(), &runs);
        report.file = file.as_ref().map(|file| file.path().display().to_string());
        if let Some(overlays) = overlays.as_mut().filter(|overlays| overlays.output == i) {
            report.overlays = overlays.draw(array, &runs, &options, labels.as_ref())?;
        }
        reports.push(report);
    }
    let drawn = overlays.map_or_else(Vec::new, |overlays| overlays.files);
    output::commit(destinations.into_iter().flatten().chain(drawn))?;
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

/// The pictures that are drawn over: of one output.
struct Overlays {
    /// The output's number.
    output: usize,
    form: Form,
    size: Size,
    /// One for each picture.
    files: Vec<Output>,
}

impl Overlays {
    /// Opens the files of `--overlay [NAME=]OUT.png`, which must be none of those that are taken.
    fn open(argument: Option<&str>, ports: &[Port], runs: &Runs, taken: &[PathBuf]) -> Result<Option<Self>> {
        let Some(argument) = argument else { return Ok(None) };
        let refused = |reason: &str, remedy: &str| Error::new(ErrorKind::Argument, reason).remedy(remedy);
        let Some(size) = runs.size else {
            return Err(refused("--overlay draws over a picture, and no input is one", "pass a picture"));
        };
        let (named, file) = port_and_file("output", argument, &names_of(ports))?;
        let fits = |i: &usize| Form::of(&ports[*i], &size).is_some();
        let Some(output) = named.or_else(|| (0..ports.len()).find(fits)) else {
            return Err(refused("no output is a segmentation, [n, k, h, w]", "leave --overlay out"));
        };
        let Some(form) = Form::of(&ports[output], &size) else {
            let reason = format!("output '{}' is no segmentation, [n, k, h, w]", ports[output].name);
            return Err(refused(&reason, "name another, or leave --overlay out"));
        };
        let path = Path::new(file);
        if !path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("png")) {
            return Err(refused("an overlay is a .png file", "name it OUT.png").in_file(path.display()));
        }
        let open = |number| Output::create(&numbered(path, number, runs.pictures.len()), "png", taken);
        let files = (1..=runs.pictures.len()).map(open).collect::<Result<_>>()?;
        Ok(Some(Self { output, form, size, files }))
    }

    /// Draws all pictures and writes them beside their places, where `output::commit` moves them.
    fn draw(
        &mut self,
        array: &Array,
        runs: &Runs,
        options: &args::Picture,
        labels: Option<&Labels>,
    ) -> Result<Vec<Drawn>> {
        let labels = labels.and_then(|labels| labels.of(self.form.classes.max(2)));
        let scores = array.data.chunks_exact(self.form.len());
        let mut all = Vec::new();
        for ((path, scores), file) in runs.pictures.iter().zip(scores).zip(&mut self.files) {
            let (png, mut drawn) =
                overlay::draw(path, options, &self.size, &self.form, scores, labels.as_deref())?;
            file.write(&png)?;
            drawn.file = file.path().display().to_string();
            all.push(drawn);
        }
        Ok(all)
    }
}

/// `OUT.png`, or of several `OUT-1.png` and so on.
fn numbered(path: &Path, number: usize, count: usize) -> PathBuf {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let extension = path.extension().unwrap_or_default().to_string_lossy();
    if count == 1 { path.into() } else { path.with_file_name(format!("{stem}-{number}.{extension}")) }
}

/// The file of each output, open; none for outputs that are not written.
pub(crate) fn open_outputs(outputs: &[Vec<PathBuf>], taken: &[PathBuf]) -> Result<Vec<Option<Output>>> {
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
        open.push(file.map(|file| Output::create(file, "npy", taken)).transpose()?);
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

/// The labels, which must go with at least one of the outputs.
fn read_labels(arguments: &Run, model: &Model) -> Result<Option<Labels>> {
    let Some(path) = &arguments.labels else { return Ok(None) };
    let labels = Labels::read(path)?;
    let planes = |port: &Port| <[u32; 4]>::try_from(port.model_dims()).map_or([0; 2], |[_, a, _, c]| [a, c]);
    let counts = |port: &Port| {
        let planes = planes(port).map(|planes| (planes as usize).max(2));
        classes_of(&port.model_dims()).map_or(planes.to_vec(), |classes| vec![classes])
    };
    let counts: Vec<Vec<usize>> = model.outputs().iter().map(counts).collect();
    if counts.iter().flatten().any(|classes| labels.of(*classes).is_some()) {
        return Ok(Some(labels));
    }
    let classes = counts.iter().find_map(|counts| counts.first()).copied().unwrap_or_default();
    let reason = format!("{} labels, the output has {classes} classes", labels.len());
    Err(Error::new(ErrorKind::Argument, reason).in_file(path.display()).remedy("one class name a line"))
}

/// The number of classes, if an output is a vector for each picture of the batch.
fn classes_of(shape: &[u32]) -> Option<usize> {
    let (_, inner) = shape.split_first()?;
    let longest = inner.iter().copied().max()?;
    (longest > 1 && inner.iter().filter(|dim| **dim > 1).count() == 1).then_some(longest as usize)
}

impl OutputReport {
    fn new(arguments: &Run, port: &Port, array: &Array, labels: Option<&Labels>, runs: &Runs) -> Self {
        let numbers = || array.data.iter().copied().filter(|value| !value.is_nan());
        let nan = array.data.len() - numbers().count();
        let count = numbers().count().max(1) as f64;
        if nan > 0 {
            let (name, all) = (&port.name, array.data.len());
            files::tell(&format!("warning: output '{name}': {nan} of {all} values are NaN; check the input"));
        }
        let (values, classes) = match classes_of(&port.model_dims()) {
            Some(classes) => pictures(arguments, port, array, classes, labels, runs),
            None => (None, Vec::new()),
        };
        Self {
            name: port.name.clone(),
            shape: array.shape.clone(),
            nan,
            min: numbers().fold(f32::INFINITY, f32::min),
            max: numbers().fold(f32::NEG_INFINITY, f32::max),
            mean: numbers().map(f64::from).sum::<f64>() / count,
            file: None,
            values,
            classes,
            overlays: Vec::new(),
        }
    }

    fn write(&self, text: &mut String) -> std::fmt::Result {
        let Self { name, shape, nan, min, max, mean, file, values, classes, overlays } = self;
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
        match values {
            Some(Values::Probability) => writeln!(text, "classes with their probabilities:")?,
            Some(Values::Score) => {
                writeln!(text, "classes with their scores (--softmax makes them probabilities):")?;
            }
            None => {}
        }
        for drawn in overlays {
            write_overlay(text, drawn)?;
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

fn write_overlay(text: &mut String, drawn: &Drawn) -> std::fmt::Result {
    let Drawn { input, file, width, height, classes } = drawn;
    writeln!(text, "{input} ({width}×{height}) with its classes drawn over it: {file}")?;
    for Share { class, label, share, colour } in classes {
        let label = label.as_deref().unwrap_or_default();
        let colour = colour.as_deref().unwrap_or("not drawn");
        let line = format!("  {:6.2} %  {colour:<9}  class {class}  {label}", 100.0 * share);
        writeln!(text, "{}", line.trim_end())?;
    }
    Ok(())
}

/// The likeliest classes of each picture, and what their values are.
fn pictures(
    arguments: &Run,
    port: &Port,
    array: &Array,
    classes: usize,
    labels: Option<&Labels>,
    runs: &Runs,
) -> (Option<Values>, Vec<Picture>) {
    let labels = labels.and_then(|labels| labels.of(classes));
    let is_probability = Values::of(&array.data, classes) == Values::Probability;
    if is_probability && arguments.softmax {
        files::tell(&format!(
            "note: output '{}' has probabilities already: --softmax leaves them",
            port.name
        ));
    }
    let data = match arguments.softmax && !is_probability {
        true => &classes::softmax(&array.data, classes),
        false => &array.data,
    };
    let picture = |(number, values): (usize, &[f32])| Picture {
        input: runs.names.get(number).cloned(),
        top: classes::top(values, labels.as_deref(), arguments.top),
    };
    (Some(Values::of(data, classes)), data.chunks_exact(classes).enumerate().map(picture).collect())
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
