//! Networks from files.

use std::path::{Path, PathBuf};

use salto::device::program::record::MAGIC;
use salto::host::compile::{CompileOptions, Gain, MemoryLimit, compile as compiled, gains as compared};
use salto::host::graph::Value;
use salto::host::import::onnx::{
    DeclaredInput, ImportOptions, declared_inputs_of_file, external_files, import_file,
};
use salto::host::report::{Align, Bytes, Inspection, Table};
use salto::host::{Error, ErrorKind, LoadOptions, Model, Result};
use serde::Serialize;

use crate::args::{Inspect, Network, Picture};
use crate::array::{Array, dims, read_constant};
use crate::{answer, files, inputs, picture, zoo};

/// Reads a network and compiles it, unless it is a program already; its memory is limited for this many threads.
pub(crate) fn load(network: &Network, threads: usize) -> Result<Model> {
    load_with(network, Vec::new(), threads)
}

/// Reads a network whose free dimensions the caller binds, as far as `--shape` does not.
fn load_with(network: &Network, mut shapes: Shapes, threads: usize) -> Result<Model> {
    shapes.retain(|(name, _)| network.shapes.iter().all(|(given, _)| given != name));
    let mut import = import_options(network)?;
    import.shapes.extend(shapes);
    let compile = compile_options(network, threads);
    if let Some(graph) = zoo::graph(network)? {
        return compiled(&graph, &compile).map(Model::from_compiled);
    }
    let model = Model::load_with(&network.path, &LoadOptions { import, compile })?;
    check_flags(network)?;
    Ok(model)
}

/// All files that a network is read from, which no output may replace: its own, its data, its weights, what is bound to it.
pub(crate) fn files_read(network: &Network) -> Vec<PathBuf> {
    let mut files = vec![network.path.clone()];
    // What cannot be read is told when it is read; a pipe would keep its reader waiting.
    if network.path.is_file() {
        files.extend(external_files(&network.path).unwrap_or_default());
    }
    files.extend(network.weights.as_deref().map(|weights| zoo::key_and_file(weights).1.into()));
    files.extend(network.bindings.iter().map(|(_, file)| file.clone()));
    files
}

/// What each technique that saves memory brings to a network; none for a program, which cannot be compiled again.
pub(crate) fn gains(network: &Network, threads: usize) -> Result<Option<Vec<Gain>>> {
    let graph = match zoo::graph(network)? {
        Some(graph) => graph,
        None if files::begins_with(&network.path, &MAGIC)? => return Ok(None),
        None => import_file(&network.path, &import_options(network)?)?,
    };
    compared(&graph, &compile_options(network, threads)).map(Some)
}

/// What the flags say about compiling.
fn compile_options(network: &Network, threads: usize) -> CompileOptions {
    let limit = MemoryLimit { bytes: network.max_memory, threads };
    CompileOptions::default()
        .low_memory(network.low_memory)
        .exact(network.exact)
        .keep_input(network.keep_input)
        .f16(network.f16)
        .keep(&network.kept)
        .memory_limit(limit)
}

/// What the flags fix of a network's inputs.
fn import_options(network: &Network) -> Result<ImportOptions> {
    let mut options = ImportOptions { shapes: network.shapes.clone(), ..ImportOptions::default() };
    for (name, file) in &network.bindings {
        if options.bindings.iter().any(|(bound, _)| bound == name) {
            let error = Error::new(ErrorKind::Argument, format!("--bind names input '{name}' twice"));
            return Err(error.remedy("bind it once"));
        }
        options = options.with_constant(name, read_constant(file)?);
    }
    Ok(options)
}

/// Refuses flags that a program has no use for any more.
fn check_flags(network: &Network) -> Result<()> {
    let flag = match network {
        Network { shapes, .. } if !shapes.is_empty() => "--shape",
        Network { low_memory: true, .. } => "--low-memory",
        Network { exact: true, .. } => "--exact",
        Network { keep_input: true, .. } => "--keep-input",
        Network { f16: true, .. } => "--f16",
        Network { kept, .. } if !kept.is_empty() => "--keep",
        Network { bindings, .. } if !bindings.is_empty() => "--bind",
        _ => return Ok(()),
    };
    if !files::begins_with(&network.path, &MAGIC)? {
        return Ok(());
    }
    let reason = format!("{flag} cannot change a program that is compiled");
    let remedy = format!("compile the model again with {flag}");
    Err(Error::new(ErrorKind::Argument, reason).in_file(network.path.display()).remedy(remedy))
}

type Shapes = Vec<(String, Vec<u32>)>;

/// Reads a network to run it on files: what neither the model nor `--shape` fixes is as in the files; the batch is 1.
pub(crate) fn load_for(
    network: &Network,
    arguments: &[String],
    options: &Picture,
    threads: usize,
) -> Result<Model> {
    let is_onnx = network.path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("onnx"));
    let shapes = if is_onnx { shapes_of_files(network, arguments, options)? } else { Vec::new() };
    load_with(network, shapes, threads)
}

/// The shapes of those inputs that have free dimensions besides the batch and a file to bind them.
fn shapes_of_files(network: &Network, arguments: &[String], options: &Picture) -> Result<Shapes> {
    let Network { path, bindings, .. } = network;
    let mut declared = declared_inputs_of_file(path)?;
    declared.retain(|input| bindings.iter().all(|(bound, _)| *bound != input.name));
    let is_free = |input: &DeclaredInput| input.dims.iter().skip(1).any(Option::is_none);
    if !declared.iter().any(is_free) {
        return Ok(Vec::new());
    }
    let names: Vec<&str> = declared.iter().map(|input| input.name.as_str()).collect();
    let files = inputs::assign_inputs(arguments, &names)?;
    let mut shapes = Vec::new();
    for (input, files) in declared.iter().zip(&files) {
        let Some(file) = files.first().filter(|_| is_free(input)) else { continue };
        let dims = match picture::is_picture(file) {
            true => dims_of_picture(input, file, options)?,
            false => Some(dims_of_array(input, &Array::read_npy(file)?)),
        };
        shapes.extend(dims.map(|dims| (input.name.clone(), dims)));
    }
    Ok(shapes)
}

/// The dimensions of an input with the free ones as in an array, the batch 1.
fn dims_of_array(input: &DeclaredInput, array: &Array) -> Vec<u32> {
    let outer = input.dims.len().saturating_sub(array.shape.len());
    let dim = |(axis, dim): (usize, &Option<u32>)| match (axis, dim) {
        (_, Some(dim)) => *dim,
        (0, None) => 1,
        _ => axis
            .checked_sub(outer)
            .and_then(|axis| array.shape.get(axis))
            .map_or(1, |dim| u32::try_from(*dim).unwrap_or(u32::MAX)),
    };
    input.dims.iter().enumerate().map(dim).collect()
}

/// The dimensions of an input with free height and width as a picture has them after `--resize`; none if they cannot be told.
fn dims_of_picture(input: &DeclaredInput, file: &Path, options: &Picture) -> Result<Option<Vec<u32>>> {
    // What is cut out has the input's size, which nobody has said.
    if options.crop {
        return Ok(None);
    }
    let (width, height) = picture::size(file, options)?;
    Ok(match *input.dims.as_slice() {
        [n, Some(c @ (1 | 3 | 4)), h, w] => {
            Some(vec![n.unwrap_or(1), c, h.unwrap_or(height), w.unwrap_or(width)])
        }
        [n, h, w, Some(c @ (1 | 3 | 4))] => {
            Some(vec![n.unwrap_or(1), h.unwrap_or(height), w.unwrap_or(width), c])
        }
        _ => None,
    })
}

/// A report on a model's program, its RAM for this many threads.
pub(crate) fn inspection(model: &Model, threads: usize) -> Inspection {
    let mut inspection = model.summary();
    inspection.memory = inspection.memory.on_threads(&model.program(), threads);
    inspection
}

/// Does a layer take Winograd's scratch?
pub(crate) fn has_winograd(inspection: &Inspection) -> bool {
    inspection.layers.iter().any(|layer| layer.algorithm.starts_with("winograd"))
}

/// The RAM on this many threads that a network takes with `--low-memory`; none for a program, which cannot be compiled again.
pub(crate) fn low_memory_bytes(network: &Network, threads: usize) -> Option<u64> {
    let network = Network { low_memory: true, ..network.clone() };
    let smaller = load(&network, threads).ok()?;
    Some(inspection(&smaller, threads).memory.threads_arena_bytes)
}

/// `salto inspect`
pub(crate) fn inspect(arguments: &Inspect) -> Result<String> {
    if arguments.tensors {
        return tensors(arguments);
    }
    let Inspect { network, threads, .. } = arguments;
    let threads = threads.count.into();
    let inspection = inspection(&load(network, threads)?, threads);
    let text = || {
        let taken = inspection.memory.threads_arena_bytes;
        let smaller = has_winograd(&inspection).then(|| low_memory_bytes(network, threads)).flatten();
        let remedy = smaller.filter(|smaller| *smaller < taken).map_or_else(String::new, |smaller| {
            format!("With --low-memory (no Winograd convolutions) RAM is {}.\n", Bytes(smaller))
        });
        format!("{inspection}{remedy}")
    };
    answer(arguments.json, text, &inspection)
}

/// A tensor of a model that is not compiled.
#[derive(Debug, Serialize)]
struct Tensor {
    name: String,
    /// In the model's own order.
    shape: Vec<usize>,
}

/// The tensors that a network computes, in the order in which it does.
fn tensors(arguments: &Inspect) -> Result<String> {
    let path = &arguments.network.path;
    let named = zoo::graph(&arguments.network)?;
    if named.is_none() && files::begins_with(path, &MAGIC)? {
        let error = Error::new(ErrorKind::Argument, "a compiled program does not know the model's tensors");
        return Err(error.in_file(path.display()).remedy("inspect the ONNX model"));
    }
    let import = || import_file(path, &import_options(&arguments.network)?);
    let graph = named.map_or_else(import, Ok)?;
    let activations = graph.values().filter(|(_, value)| value.constant.is_none());
    let tensor = |(_, value): (_, &Value)| {
        let mut shape: Vec<usize> = value.shape.dims().iter().map(|dim| *dim as usize).collect();
        // Stored [n, h, w, c]; ONNX has [n, c, h, w].
        if shape.len() == 4 {
            shape[1..].rotate_right(1);
        }
        Tensor { name: value.name.clone(), shape }
    };
    let tensors: Vec<Tensor> = activations.map(tensor).collect();
    let text = || {
        let mut table = Table::new(&[("tensor", Align::Left), ("shape", Align::Left)]);
        for Tensor { name, shape } in &tensors {
            table.push([name.clone(), dims(shape)]);
        }
        table.to_string()
    };
    answer(arguments.json, text, &tensors)
}
