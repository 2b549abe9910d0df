//! Functions of the model itself (`FunctionProto`): calls of them are replaced by their bodies before anything is imported.
//!
//! Exporters leave them for composite operators. The decoder does not know functions, nor attributes that stand for one of the
//! call (`ref_attr_name`), so both are read here with its own field reader. Fields: onnx.proto.

use std::collections::HashMap;

use rten_onnx::onnx::{AttributeProto, GraphProto, NodeProto};
use rten_onnx::protobuf::{DecodeMessage, Fields, OwnedValues, ProtobufError, ReadValue, ValueReader};

use crate::host::{Error, ErrorKind, Result};

use super::refusal::unsupported;

/// How many bytes of bodies calls may become, for each byte of the file: functions that call each other grow fast.
const GROWTH: usize = 16;

/// Bytes that any model may become.
const FREE_BYTES: usize = 1 << 20;

/// What a node costs beside its bytes in the file.
const BYTES_OF_NODE: usize = 64;

/// How deep functions may call each other.
const DEEPEST: usize = 16;

/// A function's name: domain and operator.
type Key = (String, String);

/// The functions of a model.
#[derive(Default)]
pub(super) struct Functions {
    list: Vec<Function>,
}

/// A function.
#[derive(Default)]
struct Function {
    key: Key,
    overload: String,
    inputs: Vec<String>,
    outputs: Vec<String>,
    /// Attributes that a call may leave out.
    defaults: Vec<AttributeProto>,
    body: Vec<BodyNode>,
}

/// A node of a body, with the names of the call's attributes that some of its own stand for.
struct BodyNode {
    node: NodeProto,
    /// (own name, the call's name)
    references: Vec<(String, String)>,
    /// Bytes of the file.
    len: usize,
}

impl Functions {
    /// The functions in the bytes of a model.
    pub(super) fn decode(bytes: &[u8]) -> std::result::Result<Self, ProtobufError> {
        DecodeMessage::decode(ValueReader::from_buf(bytes))
    }

    /// Replaces every call in the graph by the function's body, with names of its own.
    ///
    /// # Errors
    /// If functions have overloads, call each other too deep, or become much more than the file, which has `file_len` bytes.
    pub(super) fn inline(&self, graph: &mut GraphProto, file_len: usize) -> Result<()> {
        if let Some(function) = self.list.iter().find(|function| !function.overload.is_empty()) {
            return Err(unsupported(format!("function '{}' has overloads", function.key.1))
                .remedy("inline the model's functions (onnx.inliner) and import it again"));
        }
        if self.list.is_empty() {
            return Ok(());
        }
        let functions = self.list.iter().map(|function| (&function.key, function)).collect();
        let budget = file_len.saturating_mul(GROWTH).saturating_add(FREE_BYTES);
        Inlining { functions, budget }.graph(graph, 0)
    }
}

/// The replacement under way.
struct Inlining<'f> {
    functions: HashMap<&'f Key, &'f Function>,
    /// Bytes of bodies that may still be copied.
    budget: usize,
}

impl Inlining<'_> {
    fn graph(&mut self, graph: &mut GraphProto, depth: usize) -> Result<()> {
        let mut made = Vec::new();
        for (position, node) in std::mem::take(&mut graph.node).into_iter().enumerate() {
            self.node(node, position, depth, &mut made)?;
        }
        graph.node = made;
        Ok(())
    }

    /// The node itself, or the body of the function that it calls.
    fn node(
        &mut self,
        mut node: NodeProto,
        position: usize,
        depth: usize,
        made: &mut Vec<NodeProto>,
    ) -> Result<()> {
        for attribute in &mut node.attribute {
            if let Some(graph) = &mut attribute.g {
                self.graph(graph, depth)?;
            }
        }
        let Some(&function) = self.functions.get(&called(&node)) else {
            made.push(node);
            return Ok(());
        };
        let name = match node.name.as_deref() {
            Some(name) if !name.is_empty() => name.into(),
            _ => format!("{}_{position}", function.key.1),
        };
        if depth == DEEPEST {
            let reason = format!("functions call each other more than {DEEPEST} deep");
            return Err(unsupported(reason).at_node(&name, &function.key.1));
        }
        let bytes = function.body.iter().map(|inner| inner.len + BYTES_OF_NODE).sum();
        self.budget = self
            .budget
            .checked_sub(bytes)
            .ok_or_else(|| Error::new(ErrorKind::Limit, "its functions would outgrow the file by far"))?;
        for (position, inner) in function.called_by(&node, &name).into_iter().enumerate() {
            self.node(inner, position, depth + 1, made)?;
        }
        Ok(())
    }
}

/// The function that a node would call.
fn called(node: &NodeProto) -> Key {
    let text = |field: &Option<String>| field.clone().unwrap_or_default();
    (text(&node.domain), text(&node.op_type))
}

impl Function {
    /// The body for one call: its values are named after the call, its operands and results are the call's.
    fn called_by(&self, call: &NodeProto, name: &str) -> Vec<NodeProto> {
        let mut names: HashMap<&str, &str> = HashMap::new();
        for (i, formal) in self.inputs.iter().enumerate() {
            names.insert(formal, call.input.get(i).map_or("", String::as_str));
        }
        // A result that the call does not name is a value inside like others.
        let named = self.outputs.iter().zip(&call.output).filter(|(_, actual)| !actual.is_empty());
        names.extend(named.map(|(formal, actual)| (formal.as_str(), actual.as_str())));
        let renamed = |own: &str| match names.get(own) {
            _ if own.is_empty() => String::new(),
            Some(actual) => (*actual).to_string(),
            None => format!("{name}/{own}"),
        };
        self.body.iter().map(|inner| inner.with(call, &self.defaults, name, &renamed)).collect()
    }
}

impl BodyNode {
    /// The node in a call: attributes that stand for the call's have its values, or the function's, or are left out.
    fn with(
        &self,
        call: &NodeProto,
        defaults: &[AttributeProto],
        name: &str,
        renamed: &impl Fn(&str) -> String,
    ) -> NodeProto {
        let mut node = self.node.clone();
        node.name = node.name.filter(|own| !own.is_empty()).map(|own| format!("{name}/{own}"));
        for (own, outer) in &self.references {
            node.attribute.retain(|attribute| attribute.name.as_ref() != Some(own));
            let given = call.attribute.iter().chain(defaults);
            let given = given.clone().find(|attribute| attribute.name.as_ref() == Some(outer));
            node.attribute
                .extend(given.cloned().map(|given| AttributeProto { name: Some(own.clone()), ..given }));
        }
        rename(&mut node, renamed);
        node
    }
}

/// Renames what a node reads and makes, also in graphs inside it.
fn rename(node: &mut NodeProto, renamed: &impl Fn(&str) -> String) {
    for name in node.input.iter_mut().chain(&mut node.output) {
        *name = renamed(name);
    }
    for graph in node.attribute.iter_mut().filter_map(|attribute| attribute.g.as_mut()) {
        graph.node.iter_mut().for_each(|node| rename(node, renamed));
        let ports = graph.input.iter_mut().chain(&mut graph.output).map(|port| &mut port.name);
        let constants = graph.initializer.iter_mut().map(|tensor| &mut tensor.name);
        for name in ports.chain(constants).flatten() {
            *name = renamed(name);
        }
    }
}

impl DecodeMessage for Functions {
    type Types = OwnedValues;

    fn decode_fields<R: ReadValue<Types = Self::Types>>(
        mut fields: Fields<'_, R>,
    ) -> std::result::Result<Self, ProtobufError> {
        let mut functions = Self::default();
        while let Some(mut field) = fields.next()? {
            match field.number() {
                25 => functions.list.push(Function::decode_field(&mut field)?),
                _ => field.skip()?,
            }
        }
        Ok(functions)
    }
}

impl DecodeMessage for Function {
    type Types = OwnedValues;

    fn decode_fields<R: ReadValue<Types = Self::Types>>(
        mut fields: Fields<'_, R>,
    ) -> std::result::Result<Self, ProtobufError> {
        let mut function = Self::default();
        while let Some(mut field) = fields.next()? {
            match field.number() {
                1 => function.key.1 = field.read_string()?,
                4 => function.inputs.push(field.read_string()?),
                5 => function.outputs.push(field.read_string()?),
                7 => {
                    let bytes = field.read_bytes()?;
                    let node = NodeProto::decode(ValueReader::from_buf(&bytes[..]))?;
                    let References(references) = DecodeMessage::decode(ValueReader::from_buf(&bytes[..]))?;
                    function.body.push(BodyNode { node, references, len: bytes.len() });
                }
                10 => function.key.0 = field.read_string()?,
                11 => function.defaults.push(AttributeProto::decode_field(&mut field)?),
                13 => function.overload = field.read_string()?,
                _ => field.skip()?,
            }
        }
        Ok(function)
    }
}

/// The attributes of a node that stand for one of the call: (own name, the call's name).
#[derive(Default)]
struct References(Vec<(String, String)>);

impl DecodeMessage for References {
    type Types = OwnedValues;

    fn decode_fields<R: ReadValue<Types = Self::Types>>(
        mut fields: Fields<'_, R>,
    ) -> std::result::Result<Self, ProtobufError> {
        let mut references = Self::default();
        while let Some(mut field) = fields.next()? {
            match field.number() {
                5 => references.0.extend(Reference::decode_field(&mut field)?.pair()),
                _ => field.skip()?,
            }
        }
        Ok(references)
    }
}

/// An attribute, as far as it may stand for another one.
#[derive(Default)]
struct Reference {
    own: Option<String>,
    outer: Option<String>,
}

impl Reference {
    fn pair(self) -> Option<(String, String)> {
        self.own.zip(self.outer.filter(|outer| !outer.is_empty()))
    }
}

impl DecodeMessage for Reference {
    type Types = OwnedValues;

    fn decode_fields<R: ReadValue<Types = Self::Types>>(
        mut fields: Fields<'_, R>,
    ) -> std::result::Result<Self, ProtobufError> {
        let mut reference = Self::default();
        while let Some(mut field) = fields.next()? {
            match field.number() {
                1 => reference.own = Some(field.read_string()?),
                21 => reference.outer = Some(field.read_string()?),
                _ => field.skip()?,
            }
        }
        Ok(reference)
    }
}
