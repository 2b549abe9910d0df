//! The model as decoded: nodes with typed access to their attributes. Nothing here knows an operator.

use std::collections::{BTreeSet, HashMap, HashSet};

use rten_onnx::onnx::{
    AttributeProto, AttributeType, DataLocation, GraphProto, ModelProto, NodeProto, TensorProto,
};

use crate::host::{Error, ErrorKind, Result};

use super::frame::{self, Flaw};
use super::function::Functions;
use super::refusal::{invalid, long_name, unsupported};
use super::unpack::unpacked;

/// Operator sets of the standard domain whose semantics this room knows.
const OPSETS: std::ops::RangeInclusive<i64> = 6..=25;

/// A decoded model.
pub(super) struct Model {
    /// Its graph.
    pub(super) graph: GraphProto,
    /// Version of the standard operator set.
    pub(super) opset: i64,
}

impl Model {
    /// Decodes a model whose file has `file_len` bytes.
    ///
    /// # Errors
    /// If the bytes are no ONNX model, or one of an operator set that is not supported.
    pub(super) fn decode(bytes: &[u8], file_len: usize) -> Result<Self> {
        if let Some(format) = other_format(bytes) {
            return Err(not_onnx(format!("this is {format}, not an ONNX model")));
        }
        let is_packed = frame::check(bytes).map_err(|flaw| flawed(flaw, bytes))?;
        let unpacked = if is_packed { unpacked(bytes) } else { None };
        let bytes = unpacked.as_deref().unwrap_or(bytes);
        let unreadable = |error| not_onnx(format!("not an ONNX model that can be read ({error})"));
        let proto = ModelProto::parse_buf(bytes).map_err(unreadable)?;
        let functions = Functions::decode(bytes).map_err(unreadable)?;
        let versions = proto.opset_import.iter().filter(|set| is_standard(set.domain.as_deref()));
        let opset = versions.filter_map(|set| set.version).next_back();
        let (Some(mut graph), Some(opset)) = (proto.graph, opset) else {
            return Err(not_onnx("not an ONNX model (it has no graph or no operator set)"));
        };
        if !OPSETS.contains(&opset) {
            let (first, last) = OPSETS.into_inner();
            let reason = format!("operator set {opset}; supported are {first} to {last}");
            return Err(unsupported(reason).remedy("convert it with onnx.version_converter, or export again"));
        }
        functions.inline(&mut graph, file_len)?;
        Ok(Self { graph, opset })
    }

    /// The files that hold data of tensors, each once, relative to the model's folder.
    pub(super) fn external_locations(&self) -> BTreeSet<&str> {
        let mut locations = BTreeSet::new();
        let mut graphs = vec![&self.graph];
        while let Some(graph) = graphs.pop() {
            let attributes = || graph.node.iter().flat_map(|node| &node.attribute);
            graphs.extend(attributes().filter_map(|attribute| attribute.g.as_ref()));
            let tensors = graph.initializer.iter().chain(attributes().filter_map(|a| a.t.as_ref()));
            locations.extend(tensors.filter_map(external_location));
        }
        locations
    }
}

/// The file that holds a tensor's data, if the model does not.
pub(super) fn external_location(tensor: &TensorProto) -> Option<&str> {
    if tensor.data_location != Some(DataLocation::EXTERNAL) {
        return None;
    }
    let mut entries = tensor.external_data.iter();
    entries.find(|entry| entry.key.as_deref() == Some("location"))?.value.as_deref()
}

/// What is wrong with bytes of this flaw.
fn flawed(flaw: Flaw, bytes: &[u8]) -> Error {
    match flaw {
        Flaw::CutOff if begins_like_onnx(bytes) => not_onnx("an ONNX model that is cut off")
            .remedy("copy or download it again; it is shorter than it says"),
        Flaw::Malformed | Flaw::CutOff => not_onnx("not an ONNX model"),
        Flaw::TooDeep => Error::new(ErrorKind::Limit, "its messages nest too deep"),
        Flaw::TooMany => Error::new(ErrorKind::Limit, "it has too many nodes and attributes"),
        Flaw::LongName => long_name(),
        Flaw::Reference => invalid("an attribute stands for one of a function's call, but is in no function"),
    }
}

/// Is it a domain of the standard operators?
pub(super) fn is_standard(domain: Option<&str>) -> bool {
    matches!(domain, None | Some("" | "ai.onnx"))
}

/// A well-known format that the bytes have instead.
fn other_format(bytes: &[u8]) -> Option<&'static str> {
    match bytes {
        [] => Some("an empty file"),
        [0x89, b'P', b'N', b'G', ..] => Some("a PNG picture"),
        [0xff, 0xd8, 0xff, ..] => Some("a JPEG picture"),
        [0x89, b'H', b'D', b'F', ..] => Some("an HDF5 file (Keras weights, perhaps)"),
        [b'P', b'K', 3, 4, ..] => Some("a ZIP archive (PyTorch weights, perhaps)"),
        [_, _, _, _, b'T', b'F', b'L', b'3', ..] => Some("a TensorFlow Lite model"),
        [0x93, b'N', b'U', b'M', b'P', b'Y', ..] => Some("a numpy array"),
        _ if bytes.iter().take(64).all(|b| b.is_ascii_graphic() || b.is_ascii_whitespace()) => Some("a text"),
        _ => None,
    }
}

/// Does it begin with a small `ir_version`, as every writer of ONNX begins?
fn begins_like_onnx(bytes: &[u8]) -> bool {
    matches!(bytes, [0x08, 1..=32, ..])
}

fn not_onnx(reason: impl Into<String>) -> Error {
    Error::new(ErrorKind::Format, reason)
}

/// A node of the model.
pub(super) struct Node<'m> {
    proto: &'m NodeProto,
    /// Its name, or its operator and position in the file.
    pub(super) name: String,
    /// The model's operator set.
    pub(super) opset: i64,
}

impl<'m> Node<'m> {
    pub(super) fn new(proto: &'m NodeProto, position: usize, opset: i64) -> Self {
        let name = match proto.name.as_deref() {
            Some(name) if !name.is_empty() => name.into(),
            _ => format!("{}_{position}", proto.op_type.as_deref().unwrap_or_default()),
        };
        Self { proto, name, opset }
    }

    /// The operator.
    pub(super) fn operator(&self) -> &'m str {
        self.proto.op_type.as_deref().unwrap_or_default()
    }

    /// The operator's domain; empty for the standard one.
    pub(super) fn domain(&self) -> &'m str {
        if is_standard(self.proto.domain.as_deref()) {
            ""
        } else {
            self.proto.domain.as_deref().unwrap_or("")
        }
    }

    /// The name of operand `i`, if it is given.
    pub(super) fn input(&self, i: usize) -> Option<&'m str> {
        self.proto.input.get(i).map(String::as_str).filter(|name| !name.is_empty())
    }

    /// The names of all operands, empty ones included.
    pub(super) fn inputs(&self) -> &'m [String] {
        &self.proto.input
    }

    /// The names of all results, empty ones included.
    pub(super) fn outputs(&self) -> &'m [String] {
        &self.proto.output
    }

    /// Is result `i` wanted?
    pub(super) fn wants(&self, i: usize) -> bool {
        self.proto.output.get(i).is_some_and(|name| !name.is_empty())
    }

    fn attribute(&self, name: &str, wanted: AttributeType) -> Result<Option<&'m AttributeProto>> {
        let mut attributes = self.proto.attribute.iter();
        let Some(found) = attributes.find(|attribute| attribute.name.as_deref() == Some(name)) else {
            return Ok(None);
        };
        match found.r#type {
            // Writers of the first versions left the type out.
            None | Some(AttributeType::UNDEFINED) => Ok(Some(found)),
            Some(own) if own == wanted => Ok(Some(found)),
            Some(own) => Err(invalid(format!("attribute {name} is of type {}, not {}", own.0, wanted.0))),
        }
    }

    /// Is the attribute given?
    pub(super) fn has(&self, name: &str) -> bool {
        self.proto.attribute.iter().any(|attribute| attribute.name.as_deref() == Some(name))
    }

    /// An integer attribute.
    pub(super) fn int(&self, name: &str, default: i64) -> Result<i64> {
        let found = self.attribute(name, AttributeType::INT)?;
        Ok(found.map_or(default, |attribute| attribute.i.unwrap_or(0)))
    }

    /// An integer attribute that is 0 or 1.
    pub(super) fn flag(&self, name: &str, default: bool) -> Result<bool> {
        Ok(self.int(name, i64::from(default))? != 0)
    }

    /// A float attribute.
    pub(super) fn float(&self, name: &str, default: f32) -> Result<f32> {
        let found = self.attribute(name, AttributeType::FLOAT)?;
        Ok(found.map_or(default, |attribute| attribute.f.unwrap_or(0.0)))
    }

    /// A text attribute.
    pub(super) fn text(&self, name: &str, default: &'m str) -> Result<&'m str> {
        let found = self.attribute(name, AttributeType::STRING)?;
        Ok(found.map_or(default, |attribute| attribute.s.as_deref().unwrap_or("")))
    }

    /// A list of integers.
    pub(super) fn ints(&self, name: &str) -> Result<Option<&'m [i64]>> {
        Ok(self.attribute(name, AttributeType::INTS)?.map(|attribute| attribute.ints.as_slice()))
    }

    /// A list of floats.
    pub(super) fn floats(&self, name: &str) -> Result<Option<&'m [f32]>> {
        Ok(self.attribute(name, AttributeType::FLOATS)?.map(|attribute| attribute.floats.as_slice()))
    }

    /// A graph.
    pub(super) fn graph(&self, name: &str) -> Result<Option<&'m GraphProto>> {
        Ok(self.attribute(name, AttributeType::GRAPH)?.and_then(|attribute| attribute.g.as_ref()))
    }

    /// The names that the node reads: its operands, and what graphs inside it take from around it.
    pub(super) fn reads(&self) -> Vec<&'m str> {
        let mut names: Vec<&str> = self.proto.input.iter().map(String::as_str).collect();
        captured(self.proto, &mut names);
        names
    }

    /// A tensor.
    pub(super) fn tensor(&self, name: &str) -> Result<Option<&'m TensorProto>> {
        Ok(self.attribute(name, AttributeType::TENSOR)?.and_then(|attribute| attribute.t.as_ref()))
    }
}

/// The names that graphs inside a node may read of what stands around it.
pub(super) fn captured<'m>(node: &'m NodeProto, names: &mut Vec<&'m str>) {
    for graph in node.attribute.iter().filter_map(|attribute| attribute.g.as_ref()) {
        names.extend(graph.output.iter().filter_map(|output| output.name.as_deref()));
        for inner in &graph.node {
            names.extend(inner.input.iter().map(String::as_str));
            captured(inner, names);
        }
    }
}

/// The nodes that the graph's outputs need, in the order of the file.
///
/// # Errors
/// If a name is made twice, by two nodes or by a node that bears the name of an input or an initialiser.
pub(super) fn needed_nodes(graph: &GraphProto, opset: i64) -> Result<Vec<Node<'_>>> {
    let constants = graph.initializer.iter().map(|tensor| &tensor.name);
    let given = graph.input.iter().map(|input| &input.name).chain(constants);
    let given: HashSet<&str> = given.filter_map(|name| name.as_deref()).collect();
    let mut makers: HashMap<&str, usize> = HashMap::new();
    for (position, node) in graph.node.iter().enumerate() {
        for name in node.output.iter().filter(|name| !name.is_empty()) {
            let reason = if makers.insert(name, position).is_some() {
                format!("two nodes make '{name}'")
            } else if given.contains(name.as_str()) {
                format!("it makes '{name}', which is an input or an initialiser")
            } else {
                continue;
            };
            let node = Node::new(node, position, opset);
            return Err(invalid(reason).at_node(&node.name, node.operator()));
        }
    }
    let mut needed = vec![false; graph.node.len()];
    let mut open: Vec<&str> = graph.output.iter().filter_map(|output| output.name.as_deref()).collect();
    while let Some(name) = open.pop() {
        let Some(&position) = makers.get(name) else { continue };
        let (Some(flag), Some(node)) = (needed.get_mut(position), graph.node.get(position)) else { continue };
        if !core::mem::replace(flag, true) {
            open.extend(node.input.iter().map(String::as_str));
            captured(node, &mut open);
        }
    }
    let nodes = graph.node.iter().enumerate().zip(needed).filter(|(_, needed)| *needed);
    Ok(nodes.map(|((position, node), _)| Node::new(node, position, opset)).collect())
}
