//! From `--input` and `--output` to arrays: which file belongs to which port, and how files are stacked.

use std::path::{Path, PathBuf};

use salto::device::tensor::ModelLayout;
use salto::host::{Error, ErrorKind, Port, Result};

use crate::args::Picture;
use crate::array::{Array, dims};
use crate::picture::{self, Size};

/// The names of ports.
pub(crate) fn names_of(ports: &[Port]) -> Vec<&str> {
    ports.iter().map(|port| port.name.as_str()).collect()
}

/// Files for each port, in the order of the ports. `NAME=FILE` names the port; files without a name belong to the only port,
/// or one each to all ports in order.
pub(crate) fn assign(what: &str, arguments: &[String], ports: &[&str]) -> Result<Vec<Vec<PathBuf>>> {
    let mut files = vec![Vec::new(); ports.len()];
    let mut unnamed = Vec::new();
    for argument in arguments {
        match named(argument, ports) {
            Some((port, file)) => files[port].push(file.into()),
            None => unnamed.push(check_unnamed(what, argument, ports)?),
        }
    }
    if ports.len() != 1 && !unnamed.is_empty() && unnamed.len() != ports.len() {
        let reason = format!("the model has {} {what}s: {}", ports.len(), ports.join(", "));
        return Err(Error::new(ErrorKind::Argument, reason).remedy(format!("name each: --{what} NAME=FILE")));
    }
    for (i, file) in unnamed.into_iter().enumerate() {
        files[if ports.len() == 1 { 0 } else { i }].push(file.into());
    }
    Ok(files)
}

/// The port and file of `NAME=FILE`; `None` if no port has that name, for file names may hold `=` too.
fn named<'a>(argument: &'a str, ports: &[&str]) -> Option<(usize, &'a str)> {
    // The longest name first: names may hold `=` as well.
    argument.rmatch_indices('=').find_map(|(at, _)| {
        let port = ports.iter().position(|port| *port == &argument[..at])?;
        Some((port, &argument[at + 1..]))
    })
}

/// A file without a port's name, unless it looks like `NAME=FILE` with a name that no port has.
fn check_unnamed<'a>(what: &str, argument: &'a str, ports: &[&str]) -> Result<&'a str> {
    let misspelt = argument.split_once('=').filter(|(name, _)| !name.contains('/'));
    match misspelt {
        Some((name, _)) if !Path::new(argument).exists() => {
            let reason = format!("no {what} named '{name}'; the {what}s are {}", ports.join(", "));
            let remedy = format!("a file of that name is ./{argument}");
            Err(Error::new(ErrorKind::Argument, reason).remedy(remedy))
        }
        _ => Ok(argument),
    }
}

/// What `run` gives the model: for each run one array for each input.
#[derive(Debug)]
pub(crate) struct Runs {
    inputs: Vec<Vec<f32>>,
    lens: Vec<usize>,
    /// Number of runs.
    pub(crate) count: usize,
    /// What each run is about, if its file is a picture of its own.
    pub(crate) names: Vec<String>,
}

impl Runs {
    /// Reads all files. An input whose leading dimension is a multiple of the model's batch is cut into runs.
    pub(crate) fn read(ports: &[Port], files: &[Vec<PathBuf>], options: &Picture) -> Result<Self> {
        let mut runs = Self { inputs: Vec::new(), lens: Vec::new(), count: 0, names: Vec::new() };
        for (port, files) in ports.iter().zip(files) {
            if files.is_empty() {
                let reason = format!("input '{}' has no file", port.name);
                let remedy = format!("add --input {}=FILE", port.name);
                return Err(Error::new(ErrorKind::Argument, reason).remedy(remedy));
            }
            let mut stacked = Vec::new();
            for file in files {
                let array = read(file, port, options)?;
                runs.names.extend(names(file, array.data.len() / port.len().max(1)));
                stacked.extend(array.data);
            }
            let count = stacked.len() / port.len().max(1);
            if stacked.is_empty() || stacked.len() % port.len().max(1) != 0 {
                let reason = format!("input '{}' has no whole batch of {}", port.name, batch(port));
                return Err(
                    Error::new(ErrorKind::Argument, reason).remedy("pass as many pictures as the batch has")
                );
            }
            if runs.count != 0 && runs.count != count {
                let reason = format!("input '{}' is for {count} runs, another for {}", port.name, runs.count);
                return Err(
                    Error::new(ErrorKind::Argument, reason).remedy("give every input as many pictures")
                );
            }
            runs.count = count;
            runs.inputs.push(stacked);
            runs.lens.push(port.len());
        }
        if ports.len() != 1 || runs.names.len() != runs.count {
            runs.names.clear();
        }
        Ok(runs)
    }

    /// The inputs of one run.
    pub(crate) fn get(&self, run: usize) -> Vec<&[f32]> {
        self.inputs.iter().zip(&self.lens).map(|(input, len)| &input[run * len..(run + 1) * len]).collect()
    }
}

/// What the runs of one file are called.
fn names(file: &Path, runs: usize) -> impl Iterator<Item = String> + use<'_> {
    let number = move |run: usize| if runs == 1 { String::new() } else { format!(" [{run}]") };
    (0..runs).map(move |run| format!("{}{}", file.display(), number(run)))
}

/// The model's batch: the leading dimension.
fn batch(port: &Port) -> usize {
    port.model_dims().first().map_or(1, |batch| *batch as usize)
}

/// Reads one file for a port; its leading dimension may be larger or smaller than the batch.
fn read(file: &Path, port: &Port, options: &Picture) -> Result<Array> {
    let shape: Vec<usize> = port.model_dims().iter().map(|dim| *dim as usize).collect();
    if picture::is_picture(file) {
        return picture::read(file, options, &size(port).map_err(|error| error.in_file(file.display()))?);
    }
    let array = Array::read_npy(file)?;
    // Of both shapes only what follows the batch must agree; leading ones say nothing.
    let inner = shape.get(1..).unwrap_or_default();
    let fits = match array.shape.len().checked_sub(inner.len()) {
        Some(outer) => array.shape[outer..] == *inner && outer <= 1,
        None => false,
    };
    if fits || array.shape == shape {
        return Ok(array);
    }
    let reason = format!("its shape is {}, input '{}' has {}", dims(&array.shape), port.name, dims(&shape));
    Err(Error::new(ErrorKind::Argument, reason)
        .in_file(file.display())
        .remedy("pass an array in the model's own layout"))
}

/// The size of a port that can be a picture.
fn size(port: &Port) -> Result<Size> {
    let channels_first = port.layout == ModelLayout::ChannelsFirst;
    match *port.shape.dims() {
        [_, height, width, channels] => {
            Ok(Size { channels: channels as usize, height, width, channels_first })
        }
        _ => {
            let reason = format!("input '{}' of shape {} is no picture", port.name, port.shape);
            Err(Error::new(ErrorKind::Argument, reason).remedy("pass an .npy array"))
        }
    }
}
