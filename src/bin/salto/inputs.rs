//! From `--input` and `--output` to arrays: which file belongs to which port, and how files are stacked.

use std::fs;
use std::path::{Path, PathBuf};

use salto::device::tensor::ModelLayout;
use salto::host::{Error, ErrorKind, Port, Result};

use crate::args::Picture;
use crate::array::{self, Array, dims};
use crate::files;
use crate::picture::{self, Size};

/// The names of ports.
pub(crate) fn names_of(ports: &[Port]) -> Vec<&str> {
    ports.iter().map(|port| port.name.as_str()).collect()
}

/// Files for each input; a folder stands for the pictures and arrays in it, in the order of their names.
pub(crate) fn assign_inputs(arguments: &[String], inputs: &[&str]) -> Result<Vec<Vec<PathBuf>>> {
    let mut files = assign("input", arguments, inputs)?;
    for files in &mut files {
        let mut expanded = Vec::new();
        for file in files.drain(..) {
            if file.is_dir() { expanded.extend(in_folder(&file)?) } else { expanded.push(file) }
        }
        *files = expanded;
    }
    Ok(files)
}

/// The pictures and arrays in a folder.
fn in_folder(folder: &Path) -> Result<Vec<PathBuf>> {
    let listed = fs::read_dir(folder).and_then(|entries| entries.map(|entry| Ok(entry?.path())).collect());
    let mut files: Vec<PathBuf> = listed.map_err(|error| files::io_error(folder, &error))?;
    files.retain(|file| picture::has_extension(file) || array::has_extension(file));
    files.sort();
    if files.is_empty() {
        let error = Error::new(ErrorKind::Argument, "no picture and no array in this folder");
        return Err(error.in_file(folder.display()).remedy("they end in .png, .jpg, .jpeg, .bmp or .npy"));
    }
    Ok(files)
}

/// Files for each port, in the order of the ports. `NAME=FILE` names the port; files without a name belong to the only port,
/// or one each to all ports in order.
pub(crate) fn assign(what: &str, arguments: &[String], ports: &[&str]) -> Result<Vec<Vec<PathBuf>>> {
    let mut files = vec![Vec::new(); ports.len()];
    let mut unnamed = Vec::new();
    for argument in arguments {
        match port_and_file(what, argument, ports)? {
            (Some(port), file) => files[port].push(file.into()),
            (None, file) => unnamed.push(file),
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

/// The port and file of `[NAME=]FILE`; a name that no port has is refused.
pub(crate) fn port_and_file<'a>(
    what: &str,
    argument: &'a str,
    ports: &[&str],
) -> Result<(Option<usize>, &'a str)> {
    match named(argument, ports) {
        Some((port, file)) => Ok((Some(port), file)),
        None => check_unnamed(what, argument, ports).map(|file| (None, file)),
    }
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
#[derive(Debug, Default)]
pub(crate) struct Runs {
    inputs: Vec<Vec<f32>>,
    lens: Vec<usize>,
    /// Number of runs.
    pub(crate) count: usize,
    /// What each item of the batches is called, if the model has one input.
    pub(crate) names: Vec<String>,
    /// The picture of each item, of the first input that is given in pictures alone.
    pub(crate) pictures: Vec<PathBuf>,
    /// How that input takes them.
    pub(crate) size: Option<Size>,
}

impl Runs {
    /// Reads all files. An input whose leading dimension is a multiple of the model's batch is cut into runs.
    pub(crate) fn read(ports: &[Port], files: &[Vec<PathBuf>], options: &Picture) -> Result<Self> {
        let mut runs = Self::default();
        for (port, files) in ports.iter().zip(files) {
            if files.is_empty() {
                let reason = format!("input '{}' has no file", port.name);
                let remedy = format!("add --input {}=FILE", port.name);
                return Err(Error::new(ErrorKind::Argument, reason).remedy(remedy));
            }
            let mut stacked = Vec::new();
            for file in files {
                let array = read(file, port, options)?;
                let items = array.data.len() * batch(port) / port.len().max(1);
                if ports.len() == 1 {
                    runs.names.extend(names(file, items));
                }
                stacked.extend(array.data);
            }
            runs.push(port, stacked)?;
            if runs.size.is_none() && files.iter().all(|file| picture::is_picture(file)) {
                runs.size = size(port).ok();
                runs.pictures.clone_from(files);
            }
        }
        Ok(runs)
    }

    /// Adds the arrays of an input, one after another.
    fn push(&mut self, port: &Port, stacked: Vec<f32>) -> Result<()> {
        let argument = |reason: String| Error::new(ErrorKind::Argument, reason);
        let count = stacked.len() / port.len().max(1);
        if stacked.is_empty() || !stacked.len().is_multiple_of(port.len().max(1)) {
            let items = stacked.len() * batch(port) / port.len().max(1);
            let reason =
                format!("input '{}' takes batches of {}, {items} were given", port.name, batch(port));
            return Err(argument(reason).remedy(format!("give it a multiple of {}", batch(port))));
        }
        if self.count != 0 && self.count != count {
            let reason = format!("input '{}' is for {count} runs, another for {}", port.name, self.count);
            return Err(argument(reason).remedy("give every input as many pictures"));
        }
        self.count = count;
        self.inputs.push(stacked);
        self.lens.push(port.len());
        Ok(())
    }

    /// The inputs of one run.
    pub(crate) fn get(&self, run: usize) -> Vec<&[f32]> {
        self.inputs.iter().zip(&self.lens).map(|(input, len)| &input[run * len..(run + 1) * len]).collect()
    }
}

/// What the items of one file are called.
fn names(file: &Path, items: usize) -> impl Iterator<Item = String> + use<'_> {
    let number = move |item: usize| if items == 1 { String::new() } else { format!(" [{item}]") };
    (0..items).map(move |item| format!("{}{}", file.display(), number(item)))
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

/// The size of a port that can be a picture: `[n, c, h, w]`, or `[n, h, w, c]` where only that gives 1, 3 or 4 channels.
fn size(port: &Port) -> Result<Size> {
    let dims = port.model_dims();
    let argument = |reason: String| {
        Error::new(ErrorKind::Argument, reason).remedy("pass an .npy array in the model's own layout")
    };
    let [_, a, b, c] = *dims.as_slice() else {
        let reason = format!("input '{}' of shape {} is no picture", port.name, port.shape);
        return Err(argument(reason));
    };
    let is_channels = |dim: u32| [1, 3, 4].contains(&dim);
    let channels_first = port.layout == ModelLayout::ChannelsFirst && (is_channels(a) || !is_channels(c));
    let (channels, height, width) = if channels_first { (a, b, c) } else { (c, a, b) };
    if !is_channels(channels) {
        let reason = format!("input '{}' has {channels} channels, a picture 1, 3 or 4", port.name);
        return Err(argument(reason));
    }
    Ok(Size { channels: channels as usize, height, width, channels_first })
}
