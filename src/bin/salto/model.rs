//! Networks from files.

use std::path::Path;

use salto::device::program::record::MAGIC;
use salto::host::compile::CompileOptions;
use salto::host::graph::Value;
use salto::host::import::onnx::{ImportOptions, declared_inputs, import_file};
use salto::host::report::{Align, Inspection, Table};
use salto::host::{Error, ErrorKind, LoadOptions, Model, Result};
use serde::Serialize;

use crate::args::{Inspect, Network};
use crate::array::{Array, dims};
use crate::{answer, files, inputs};

/// Reads a network and compiles it, unless it is a program already.
pub(crate) fn load(network: &Network) -> Result<Model> {
    load_with(network, Vec::new())
}

/// Reads a network whose free dimensions the caller binds, as far as `--shape` does not.
fn load_with(network: &Network, mut shapes: Shapes) -> Result<Model> {
    shapes.retain(|(name, _)| network.shapes.iter().all(|(given, _)| given != name));
    shapes.extend(network.shapes.iter().cloned());
    let import = ImportOptions { shapes, ..ImportOptions::default() };
    let compile = CompileOptions::default().winograd(!network.low_memory).keep(&network.kept);
    let model = Model::load_with(&network.path, &LoadOptions { import, compile })?;
    check_flags(network)?;
    Ok(model)
}

/// Refuses flags that a program has no use for any more.
fn check_flags(network: &Network) -> Result<()> {
    let flag = match network {
        Network { shapes, .. } if !shapes.is_empty() => "--shape",
        Network { low_memory: true, .. } => "--low-memory",
        Network { kept, .. } if !kept.is_empty() => "--keep",
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

/// Reads a network to run it on files: what neither the model nor `--shape` fixes is as in the arrays; the batch is 1.
pub(crate) fn load_for(network: &Network, arguments: &[String]) -> Result<Model> {
    let is_onnx = network.path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("onnx"));
    let has_arrays = arguments.iter().any(|argument| is_array(Path::new(argument)));
    let shapes = if is_onnx && has_arrays { shapes_of_arrays(network, arguments)? } else { Vec::new() };
    load_with(network, shapes)
}

/// The shapes of those inputs that have free dimensions besides the batch and an array to bind them.
fn shapes_of_arrays(network: &Network, arguments: &[String]) -> Result<Shapes> {
    let Network { path, .. } = network;
    let declared = declared_inputs(&files::read(path)?).map_err(|error| error.in_file(path.display()))?;
    let names: Vec<&str> = declared.iter().map(|input| input.name.as_str()).collect();
    let files = inputs::assign("input", arguments, &names)?;
    let mut shapes = Vec::new();
    for (input, files) in declared.iter().zip(&files) {
        let has_free = input.dims.iter().skip(1).any(Option::is_none);
        let Some(file) = files.first().filter(|file| has_free && is_array(file)) else { continue };
        let array = Array::read_npy(file)?;
        let outer = input.dims.len().saturating_sub(array.shape.len());
        let bound = input.dims.iter().enumerate().map(|(axis, dim)| match (axis, dim) {
            (_, Some(dim)) => *dim,
            (0, None) => 1,
            _ => axis
                .checked_sub(outer)
                .and_then(|axis| array.shape.get(axis))
                .map_or(1, |dim| u32::try_from(*dim).unwrap_or(u32::MAX)),
        });
        shapes.push((input.name.clone(), bound.collect()));
    }
    Ok(shapes)
}

fn is_array(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("npy"))
}

/// A report on a model's program, its RAM for this many threads.
pub(crate) fn inspection(model: &Model, threads: usize) -> Inspection {
    let program = model.program();
    let mut inspection = Inspection::new(&program, model.certificate());
    inspection.memory = inspection.memory.on_threads(&program, threads);
    inspection
}

/// `salto inspect`
pub(crate) fn inspect(arguments: &Inspect) -> Result<String> {
    if arguments.tensors {
        return tensors(arguments);
    }
    let inspection = inspection(&load(&arguments.network)?, arguments.threads.count.into());
    answer(arguments.json, || inspection.to_string(), &inspection)
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
    if files::begins_with(path, &MAGIC)? {
        let error = Error::new(ErrorKind::Argument, "a compiled program does not know the model's tensors");
        return Err(error.in_file(path.display()).remedy("inspect the ONNX model"));
    }
    let import = ImportOptions { shapes: arguments.network.shapes.clone(), ..ImportOptions::default() };
    let graph = import_file(path, &import)?;
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
