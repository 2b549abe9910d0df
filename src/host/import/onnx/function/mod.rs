//! Functions of the model itself (`FunctionProto`): calls of them are replaced by their bodies before anything is imported.
//!
//! Exporters leave them for composite operators. Flows in: a graph that may call functions; flows out: the same graph without calls.
//! Called by `model`; `decode` reads the functions.

mod decode;

use std::collections::HashMap;

use rten_onnx::onnx::{AttributeProto, GraphProto, NodeProto};
use rten_onnx::protobuf::{EncodeMessage, ProtobufError};

use crate::host::{Error, ErrorKind, Result};

use super::frame::MAX_NAME;
use super::refusal::{long_name, unsupported};
use decode::{BodyNode, Function, Key, References};

/// How many bytes calls may become, for each byte of the file: functions that call each other grow fast.
const GROWTH: usize = 16;

/// Bytes that the calls of any model may become.
const FREE_BYTES: usize = 24 << 20;

/// What a name takes beside its bytes.
const BYTES_OF_NAME: usize = size_of::<String>();

/// How deep functions may call each other.
const DEEPEST: usize = 16;

/// The functions of a model.
pub(super) struct Functions {
    list: Vec<Function>,
}

impl Functions {
    /// The functions in the bytes of a model.
    pub(super) fn decode(bytes: &[u8]) -> std::result::Result<Self, ProtobufError> {
        Ok(Self { list: decode::functions(bytes)? })
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
        let budget = Budget { left: budget };
        Inlining { functions, budget, calls: HashMap::new() }.graph(graph, "", 0)
    }
}

/// Bytes that may still be made.
struct Budget {
    left: usize,
}

impl Budget {
    fn pay(&mut self, bytes: usize) -> Result<()> {
        let left = self.left.checked_sub(bytes);
        self.left =
            left.ok_or_else(|| Error::new(ErrorKind::Limit, "its functions would outgrow the file by far"))?;
        Ok(())
    }
}

/// The replacement under way.
struct Inlining<'f> {
    functions: HashMap<&'f Key, &'f Function>,
    budget: Budget,
    /// Names of calls, with the number of calls that wanted each.
    calls: HashMap<String, usize>,
}

impl Inlining<'_> {
    /// `place` is what the names of calls begin with.
    fn graph(&mut self, graph: &mut GraphProto, place: &str, depth: usize) -> Result<()> {
        let mut made = Vec::new();
        for (position, node) in std::mem::take(&mut graph.node).into_iter().enumerate() {
            self.node(node, place, position, depth, &mut made)?;
        }
        graph.node = made;
        Ok(())
    }

    /// The node itself, or the body of the function that it calls.
    fn node(
        &mut self,
        mut node: NodeProto,
        place: &str,
        position: usize,
        depth: usize,
        made: &mut Vec<NodeProto>,
    ) -> Result<()> {
        for attribute in &mut node.attribute {
            if let Some(graph) = &mut attribute.g {
                self.graph(graph, place, depth)?;
            }
        }
        let Some(&function) = self.functions.get(&called(&node)) else {
            made.push(node);
            return Ok(());
        };
        let name = match node.name.as_deref() {
            Some(name) if !name.is_empty() => name.into(),
            _ => format!("{place}{}_{position}", function.key.1),
        };
        if depth == DEEPEST {
            let reason = format!("functions call each other more than {DEEPEST} deep");
            return Err(unsupported(reason).at_node(&name, &function.key.1));
        }
        let name = self.unique(name)?;
        let call = Call::new(function, &node, &name);
        for (position, inner) in function.body.iter().enumerate() {
            let inner = call.copied(inner, &mut self.budget)?;
            self.node(inner, &format!("{name}/"), position, depth + 1, made)?;
        }
        Ok(())
    }

    /// The name, with a number behind it if another call bears it.
    fn unique(&mut self, wanted: String) -> Result<String> {
        if wanted.len() > MAX_NAME {
            return Err(long_name());
        }
        self.budget.pay(2 * (wanted.len() + BYTES_OF_NAME))?;
        let mut number = self.calls.get(&wanted).map_or(0, |calls| calls + 1);
        if number == 0 {
            self.calls.insert(wanted.clone(), 1);
            return Ok(wanted);
        }
        while self.calls.contains_key(&format!("{wanted}_{number}")) {
            number += 1;
        }
        let name = format!("{wanted}_{number}");
        self.calls.insert(wanted, number);
        self.calls.insert(name.clone(), 1);
        Ok(name)
    }
}

/// The function that a node would call.
fn called(node: &NodeProto) -> Key {
    let text = |field: &Option<String>| field.clone().unwrap_or_default();
    (text(&node.domain), text(&node.op_type))
}

/// One call of a function.
struct Call<'c> {
    function: &'c Function,
    node: &'c NodeProto,
    /// What the names of values inside begin with.
    name: &'c str,
    /// The call's operands and results by the function's names.
    actual: HashMap<&'c str, &'c str>,
}

impl<'c> Call<'c> {
    fn new(function: &'c Function, node: &'c NodeProto, name: &'c str) -> Self {
        let mut actual: HashMap<&str, &str> = HashMap::new();
        for (i, formal) in function.inputs.iter().enumerate() {
            actual.insert(formal, node.input.get(i).map_or("", String::as_str));
        }
        // A result that the call does not name is a value inside like others.
        let named = function.outputs.iter().zip(&node.output).filter(|(_, actual)| !actual.is_empty());
        actual.extend(named.map(|(formal, actual)| (formal.as_str(), actual.as_str())));
        Self { function, node, name, actual }
    }

    /// A node of the body, as it stands in the place of this call.
    fn copied(&self, inner: &BodyNode, budget: &mut Budget) -> Result<NodeProto> {
        budget.pay(inner.cost)?;
        let mut node = inner.node.clone();
        if let Some(own) = node.name.as_mut().filter(|own| !own.is_empty()) {
            *own = self.inside(own, budget)?;
        }
        self.resolve(&mut node, &inner.references, budget)?;
        self.rename(&mut node, budget)?;
        Ok(node)
    }

    /// A name of the function's own.
    fn inside(&self, own: &str, budget: &mut Budget) -> Result<String> {
        budget.pay(self.name.len() + own.len() + BYTES_OF_NAME)?;
        // `format!` would take twice the room for a long name.
        Ok([self.name, "/", own].concat())
    }

    /// Attributes that stand for the call's get their values, or the function's, or are left out.
    fn resolve(&self, node: &mut NodeProto, references: &References, budget: &mut Budget) -> Result<()> {
        let mut attributes = Vec::new();
        for (mut attribute, reference) in
            std::mem::take(&mut node.attribute).into_iter().zip(&references.list)
        {
            if let Some(outer) = &reference.outer {
                let mut given = self.node.attribute.iter().chain(&self.function.defaults);
                let given = given.find(|attribute| attribute.name.as_ref() == Some(outer));
                let Some(given) = given else { continue };
                budget.pay(cost_of_attribute(given))?;
                attribute = AttributeProto { name: attribute.name, ..given.clone() };
            } else if let Some(graph) = &mut attribute.g {
                for (inner, references) in graph.node.iter_mut().zip(&reference.inside) {
                    self.resolve(inner, references, budget)?;
                }
            }
            attributes.push(attribute);
        }
        node.attribute = attributes;
        Ok(())
    }

    /// Renames what a node reads and makes, also in graphs inside it.
    fn rename(&self, node: &mut NodeProto, budget: &mut Budget) -> Result<()> {
        for name in node.input.iter_mut().chain(&mut node.output) {
            *name = self.renamed(name, budget)?;
        }
        for graph in node.attribute.iter_mut().filter_map(|attribute| attribute.g.as_mut()) {
            graph.node.iter_mut().try_for_each(|node| self.rename(node, budget))?;
            let ports = graph.input.iter_mut().chain(&mut graph.output).map(|port| &mut port.name);
            let constants = graph.initializer.iter_mut().map(|tensor| &mut tensor.name);
            for name in ports.chain(constants).flatten() {
                *name = self.renamed(name, budget)?;
            }
        }
        Ok(())
    }

    fn renamed(&self, own: &str, budget: &mut Budget) -> Result<String> {
        match self.actual.get(own) {
            _ if own.is_empty() => Ok(String::new()),
            Some(actual) => {
                budget.pay(actual.len() + BYTES_OF_NAME)?;
                Ok((*actual).to_string())
            }
            None => self.inside(own, budget),
        }
    }
}

/// Bytes that a copy of a node takes.
fn cost_of_node(node: &NodeProto) -> usize {
    let names = node.input.iter().chain(&node.output).chain(&node.name);
    let names: usize = names.map(|name| name.len() + BYTES_OF_NAME).sum();
    size_of::<NodeProto>() + names + node.attribute.iter().map(cost_of_attribute).sum::<usize>()
}

/// Bytes that a copy of an attribute takes.
fn cost_of_attribute(attribute: &AttributeProto) -> usize {
    let len = attribute.encoded_len().ok().and_then(|len| usize::try_from(len).ok());
    let inside = attribute.g.iter().flat_map(|graph| &graph.node).map(cost_of_node).sum::<usize>();
    // A list of integers takes up to eight bytes for one of the file.
    size_of::<AttributeProto>() + len.unwrap_or(usize::MAX / 2) + 8 * attribute.ints.len() + inside
}
