//! ONNX import: the bytes of a `.onnx` file become a [`Graph`].
//!
//! The way through: `skeleton` reads a file without its weights, `frame` checks the bytes before they are decoded (`unpack` repeats lists that are packed), `model` decodes them,
//! puts bodies in the place of calls (`function`) and finds the nodes that the outputs need, `ports` binds free dimensions, `walk` takes node after node to its importer in `operators` (one family a file), which makes
//! graph nodes of it or folds it to a constant, through a `context` on the `scope` that knows what every name stands for. What is not supported is told at once, by node.
//!
//! Tensors of four dimensions are stored `[d0, d2, d3, d1]`, pictures thus `[n, h, w, c]` (`layout`); operators whose axes are
//! not layout-agnostic are mapped or get explicit transpositions, which `optimize` removes.

mod context;
mod finite;
mod fold;
mod frame;
mod function;
mod initializer;
mod layout;
mod model;
mod number;
mod operators;
mod ports;
mod refusal;
mod scope;
mod skeleton;
mod tensor;
mod unpack;
mod walk;

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use crate::host::graph::{Graph, WeightFile};
use crate::host::{Error, Result};

use initializer::ExternalData;
use model::{Model, Node};
use scope::Scope;

pub use ports::DeclaredInput;
pub use tensor::Tensor;

/// What the caller fixes before import.
#[derive(Clone, Debug, Default)]
pub struct ImportOptions {
    /// Shapes of inputs by name, in the model's own order (`--shape NAME=1,3,224,224`).
    pub shapes: Vec<(String, Vec<u32>)>,
    /// Inputs that become constants, by name.
    pub bindings: Vec<(String, Tensor)>,
    /// The most bytes that constants may take, those that are made while folding included; none for as many as the file pays
    /// for.
    pub max_memory: Option<u64>,
}

impl ImportOptions {
    /// The same options, and input `name` has this shape in the model's own order.
    #[must_use]
    pub fn with_shape(mut self, name: impl Into<String>, dims: impl Into<Vec<u32>>) -> Self {
        self.shapes.push((name.into(), dims.into()));
        self
    }

    /// The same options, and input `name` is this constant.
    #[must_use]
    pub fn with_constant(mut self, name: impl Into<String>, tensor: Tensor) -> Self {
        self.bindings.push((name.into(), tensor));
        self
    }

    /// The same options, and constants take at most this many bytes.
    #[must_use]
    pub fn with_max_memory(mut self, bytes: u64) -> Self {
        self.max_memory = Some(bytes);
        self
    }
}

/// Imports a model from its bytes.
///
/// Free dimensions are bound by [`ImportOptions::shapes`]; a free batch (the first dimension) is 1. Half and double floats
/// become `f32`. Tensors keep their names, nodes without a name are called by operator and position (`Conv_12`).
///
/// # Errors
/// If the bytes are no ONNX model, a dimension stays free, the graph contradicts itself, or something in it is not supported:
/// all such nodes are named at once, with what to do.
pub fn import(bytes: &[u8], options: &ImportOptions) -> Result<Graph> {
    import_with(&Model::decode(bytes, bytes.len())?, options, &ExternalData::default())
}

/// Imports a model from its file, with tensors whose data lies in other files in the same folder or below.
///
/// Large weights stay in their file until they are packed or looked at ([`Floats`](crate::host::graph::Floats)), so the files must
/// not change as long as the graph is in use: [`compile`](crate::host::compile::compile) refuses if they have.
///
/// # Errors
/// As [`import`], and if a file cannot be read or lies outside the model's folder.
pub fn import_file(path: impl AsRef<Path>, options: &ImportOptions) -> Result<Graph> {
    let path = path.as_ref();
    let mut graph = read_and_import(path, options).map_err(|error| error.in_file(path.display()))?;
    graph.name = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    Ok(graph)
}

fn read_and_import(path: &Path, options: &ImportOptions) -> Result<Graph> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let Read { bytes, file } = Read::file(path)?;
    let len = file.as_ref().map_or(bytes.len(), |file| usize::try_from(file.len()).unwrap_or(usize::MAX));
    let external = ExternalData::beside(folder, file);
    let graph = Model::decode(&bytes, len).and_then(|model| import_with(&model, options, &external));
    // What a file that changed led to is no reason.
    external.check()?;
    graph
}

/// What was read of a model's file.
struct Read {
    /// The message.
    bytes: Vec<u8>,
    /// The file, if the data of large tensors was left there.
    file: Option<WeightFile>,
}

impl Read {
    fn file(path: &Path) -> Result<Self> {
        if path.is_file() {
            let file = WeightFile::open(path).map_err(|error| Error::io(&error))?;
            if let Some(bytes) = file.with(|open| skeleton::skeleton(open, file.len())) {
                return Ok(Self { bytes, file: Some(file) });
            }
        }
        let bytes = std::fs::read(path).map_err(|error| Error::io(&error))?;
        Ok(Self { bytes, file: None })
    }
}

/// The inputs of a model as it declares them, so that a caller can see which dimensions are free before importing it.
///
/// # Errors
/// If the bytes are no ONNX model, or an input is no tensor.
pub fn declared_inputs(bytes: &[u8]) -> Result<Vec<DeclaredInput>> {
    ports::declared(&Model::decode(bytes, bytes.len())?.graph)
}

/// The inputs of a model's file as it declares them; its weights are not read.
///
/// # Errors
/// As [`declared_inputs`], and if the file cannot be read.
pub fn declared_inputs_of_file(path: impl AsRef<Path>) -> Result<Vec<DeclaredInput>> {
    let path = path.as_ref();
    let model = Read::file(path).and_then(|Read { bytes, .. }| Model::decode(&bytes, bytes.len()));
    let inputs = model.and_then(|model| ports::declared(&model.graph));
    inputs.map_err(|error| error.in_file(path.display()))
}

/// The files beside a model that hold data of its tensors, each once, whether or not they exist.
///
/// # Errors
/// If the model cannot be read, or is no ONNX model.
pub fn external_files(path: impl AsRef<Path>) -> Result<Vec<PathBuf>> {
    let path = path.as_ref();
    let model = Read::file(path).and_then(|Read { bytes, .. }| Model::decode(&bytes, bytes.len()));
    let model = model.map_err(|error| error.in_file(path.display()))?;
    let locations = model.external_locations();
    Ok(locations.into_iter().map(|location| path.with_file_name(location)).collect())
}

/// The ONNX operators that can be imported, sorted.
pub fn operators() -> Vec<&'static str> {
    let mut names: Vec<_> = operators::all().map(|operator| operator.name).chain([walk::IF]).collect();
    names.sort_unstable();
    names
}

fn import_with(model: &Model, options: &ImportOptions, external: &ExternalData) -> Result<Graph> {
    let nodes = model::needed_nodes(&model.graph, model.opset)?;
    if let Some(error) = refusal::all_at_once(nodes.iter().filter_map(walk::refuse).collect()) {
        return Err(error);
    }
    let mut scope = Scope::new(external, options.max_memory.unwrap_or(u64::MAX));
    for input in ports::inputs(&model.graph, options)? {
        scope.add_input(&input)?;
    }
    for (name, tensor) in ports::constants(&model.graph, options)? {
        scope.add_constant(name, tensor);
    }
    let read: HashSet<&str> = nodes.iter().flat_map(Node::reads).collect();
    for proto in &model.graph.initializer {
        let name = proto.name.as_deref().unwrap_or("");
        if read.contains(name) {
            scope.add_initializer(name, proto)?;
        }
    }
    // The first bad initialiser is told alone: after a training that failed, all of them are bad.
    for node in &nodes {
        finite::check(node, &scope.operands).map_err(|error| error.at_node(&node.name, node.operator()))?;
    }
    let refusals: Vec<Error> =
        nodes.iter().filter_map(|node| walk::import_node(&mut scope, node).err()).collect();
    if let Some(error) = refusal::all_at_once(refusals) {
        return Err(error);
    }
    scope.finish(&model.graph.output)
}
