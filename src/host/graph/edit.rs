//! The graph itself and its edits.

use alloc::string::String;
use alloc::vec::Vec;
use alloc::{format, vec};

use crate::device::tensor::{DType, ModelLayout, Shape};

use crate::host::{Error, ErrorKind, Result};

use super::infer::infer;
use super::{Constant, Floats, Op};

/// Elements that folding may make in any graph.
const FREE_ELEMENTS: u64 = 1 << 20;

/// How often, on average, an element of the graph's constants may be folded.
const FOLDS: u64 = 16;

/// Names a value of one graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ValueId(pub(super) u32);

/// Names a node of one graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodeId(pub(super) u32);

/// A tensor of the graph: a constant, an input, or the output of one node.
#[derive(Clone, Debug, PartialEq)]
pub struct Value {
    /// Its name in the model.
    pub name: String,
    /// The element type.
    pub dtype: DType,
    /// The shape in storage order.
    pub shape: Shape,
    /// Its data, if it is constant.
    pub constant: Option<Constant>,
}

/// A node: an operator and the value that it makes.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// Its name in the model.
    pub name: String,
    /// What it computes.
    pub op: Op,
    /// What it makes.
    pub output: ValueId,
}

/// An input or output of the network.
#[derive(Clone, Debug, PartialEq)]
pub struct Port {
    /// The value.
    pub value: ValueId,
    /// How the model orders it.
    pub layout: ModelLayout,
}

/// A network. Nodes may be added in any order; [`Graph::order`] sorts them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Graph {
    /// The network's name.
    pub name: String,
    /// Inputs.
    pub inputs: Vec<Port>,
    /// Outputs.
    pub outputs: Vec<Port>,
    nodes: Vec<Option<Node>>,
    values: Vec<Value>,
    /// Elements of constants that were added, and of those that were computed of others.
    given: u64,
    folded: u64,
}

/// Who makes and who reads each value: a snapshot, valid until the next edit.
#[derive(Clone, Debug)]
pub struct Uses {
    producer: Vec<Option<NodeId>>,
    /// Where each value's readers begin in `readers`; one entry more than values.
    starts: Vec<u32>,
    readers: Vec<NodeId>,
}

impl Uses {
    /// The node that makes a value; `None` for constants and inputs.
    pub fn producer(&self, value: ValueId) -> Option<NodeId> {
        self.producer.get(value.index()).copied().flatten()
    }

    /// The nodes that read a value, each once for every operand.
    pub fn consumers(&self, value: ValueId) -> &[NodeId] {
        let bound = |index: usize| self.starts.get(index).map(|&start| start as usize);
        let range = bound(value.index()).zip(bound(value.index() + 1));
        range.and_then(|(start, end)| self.readers.get(start..end)).unwrap_or_default()
    }
}

impl ValueId {
    /// The value's number in its graph.
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

impl NodeId {
    /// The node's number in its graph.
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

impl Graph {
    /// An empty network.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), ..Self::default() }
    }

    /// Adds a value that nobody makes yet.
    pub fn add_value(&mut self, name: impl Into<String>, dtype: DType, shape: Shape) -> ValueId {
        self.push(Value { name: name.into(), dtype, shape, constant: None })
    }

    /// Adds a constant.
    ///
    /// # Errors
    /// If the data has not as many elements as the shape.
    pub fn add_constant(&mut self, name: impl Into<String>, shape: Shape, data: Constant) -> Result<ValueId> {
        let name = name.into();
        if shape.checked_len().map(|len| len as usize) != Some(data.len()) {
            let reason = format!("constant '{name}' of shape {shape} has {} elements", data.len());
            return Err(Error::new(ErrorKind::Invalid, reason));
        }
        self.given += data.len() as u64;
        Ok(self.push(Value { name, dtype: data.dtype(), shape, constant: Some(data) }))
    }

    /// Adds an `f32` input of the network.
    pub fn add_input(&mut self, name: impl Into<String>, shape: Shape, layout: ModelLayout) -> ValueId {
        let value = self.add_value(name, DType::F32, shape);
        self.inputs.push(Port { value, layout });
        value
    }

    /// Makes a value an output of the network.
    pub fn add_output(&mut self, value: ValueId, layout: ModelLayout) {
        self.outputs.push(Port { value, layout });
    }

    /// Adds a node whose output value is new and has the node's name; its shape is inferred.
    ///
    /// # Errors
    /// If the operator cannot take its operands; the error names the node.
    pub fn add_node(&mut self, name: impl Into<String>, op: Op) -> Result<ValueId> {
        let name = name.into();
        let (dtype, shape) = infer(self, &op).map_err(|error| error.at_node(&name, op.name()))?;
        let output = self.add_value(name.clone(), dtype, shape);
        self.nodes.push(Some(Node { name, op, output }));
        Ok(output)
    }

    /// The value of this id.
    pub fn value(&self, id: ValueId) -> &Value {
        &self.values[id.index()]
    }

    /// The value of this id, to change.
    pub fn value_mut(&mut self, id: ValueId) -> &mut Value {
        &mut self.values[id.index()]
    }

    /// The shape of a value.
    pub fn shape(&self, id: ValueId) -> Shape {
        self.value(id).shape
    }

    /// The floats of a constant value, in memory or in a file.
    pub fn floats(&self, id: ValueId) -> Option<&Floats> {
        self.value(id).constant.as_ref()?.floats()
    }

    /// The floats of a constant value as a slice. Those that lie in a file are read now, and kept.
    pub fn constant_f32(&self, id: ValueId) -> Option<&[f32]> {
        self.value(id).constant.as_ref()?.as_f32()
    }

    /// All values, constants included, in the order of their ids.
    pub fn values(&self) -> impl ExactSizeIterator<Item = (ValueId, &Value)> {
        self.values.iter().enumerate().map(|(index, value)| (ValueId(index as u32), value))
    }

    /// The first value of this name.
    pub fn find_value(&self, name: &str) -> Option<ValueId> {
        self.values().find(|(_, value)| value.name == name).map(|(id, _)| id)
    }

    /// The node of this id, unless it was removed.
    pub fn node(&self, id: NodeId) -> Option<&Node> {
        self.nodes.get(id.index())?.as_ref()
    }

    /// The node of this id, to change, unless it was removed.
    pub fn node_mut(&mut self, id: NodeId) -> Option<&mut Node> {
        self.nodes.get_mut(id.index())?.as_mut()
    }

    /// All nodes in the order in which they were added.
    pub fn nodes(&self) -> impl Iterator<Item = (NodeId, &Node)> {
        (0u32..).map(NodeId).zip(&self.nodes).filter_map(|(id, node)| Some((id, node.as_ref()?)))
    }

    /// Removes a node; its output stays, made by nobody.
    pub fn remove_node(&mut self, id: NodeId) {
        if let Some(node) = self.nodes.get_mut(id.index()) {
            *node = None;
        }
    }

    /// May a constant of `len` elements be computed of others? Not if those that were would outgrow the given ones by far: a small
    /// file can describe a long chain of doublings.
    pub const fn may_fold(&self, len: u32) -> bool {
        self.folded.saturating_add(len as u64)
            <= FREE_ELEMENTS.saturating_add(FOLDS.saturating_mul(self.given))
    }

    /// Puts a constant in the place of a node: the node's output is the constant from now on.
    pub fn fold_node(&mut self, id: NodeId, data: Constant) {
        let Some(output) = self.node(id).map(|node| node.output) else { return };
        self.folded += data.len() as u64;
        self.value_mut(output).constant = Some(data);
        self.remove_node(id);
    }

    /// Makes all readers of `old`, outputs of the network included, read `new`.
    pub fn replace_uses(&mut self, old: ValueId, new: ValueId) {
        for node in self.nodes.iter_mut().flatten() {
            for input in node.op.inputs_mut() {
                if *input == old {
                    *input = new;
                }
            }
        }
        for port in &mut self.outputs {
            if port.value == old {
                port.value = new;
            }
        }
    }

    /// Is the value an output of the network?
    pub fn is_output(&self, value: ValueId) -> bool {
        self.outputs.iter().any(|port| port.value == value)
    }

    /// Who makes and who reads each value, as of now.
    pub fn uses(&self) -> Uses {
        let count = self.values.len();
        let mut producer = vec![None; count];
        let mut reads: Vec<(ValueId, NodeId)> = Vec::new();
        for (id, node) in self.nodes() {
            if let Some(producer) = producer.get_mut(node.output.index()) {
                *producer = Some(id);
            }
            reads.extend(
                node.op.inputs().into_iter().filter(|input| input.index() < count).map(|input| (input, id)),
            );
        }
        reads.sort_unstable();
        let mut starts = vec![0; count + 1];
        for (value, _) in &reads {
            starts[value.index() + 1] += 1;
        }
        for index in 0..count {
            starts[index + 1] += starts[index];
        }
        let readers = reads.into_iter().map(|(_, reader)| reader).collect();
        Uses { producer, starts, readers }
    }

    /// The nodes in an order in which they can be computed: depth first from the outputs, so that a branch is finished before
    /// the next begins; nodes that no output needs are left out.
    ///
    /// # Errors
    /// If a value depends on itself.
    pub fn order(&self) -> Result<Vec<NodeId>> {
        self.order_by(self.outputs.iter().map(|port| port.value), |node| node.op.inputs())
    }

    /// The nodes that `roots` need, depth first from each root in turn; a node's operands are visited as `operands` lists them.
    ///
    /// # Errors
    /// If a value depends on itself.
    pub fn order_by(
        &self,
        roots: impl IntoIterator<Item = ValueId>,
        operands: impl Fn(&Node) -> Vec<ValueId>,
    ) -> Result<Vec<NodeId>> {
        let uses = self.uses();
        let mut order = Vec::new();
        let mut state = vec![Visit::New; self.nodes.len()];
        let mut stack: Vec<(NodeId, bool)> = Vec::new();
        for root in roots {
            stack.extend(uses.producer(root).map(|id| (id, false)));
            while let Some((id, finished)) = stack.pop() {
                if finished {
                    state[id.index()] = Visit::Done;
                    order.push(id);
                    continue;
                }
                let Some(node) = self.node(id) else { continue };
                match state[id.index()] {
                    Visit::Done => continue,
                    Visit::Open => {
                        let reason = "its input depends on its own output";
                        return Err(
                            Error::new(ErrorKind::Invalid, reason).at_node(&node.name, node.op.name())
                        );
                    }
                    Visit::New => state[id.index()] = Visit::Open,
                }
                stack.push((id, true));
                let open = operands(node).into_iter().rev().filter_map(|input| uses.producer(input));
                stack.extend(open.filter(|id| state[id.index()] != Visit::Done).map(|id| (id, false)));
            }
        }
        Ok(order)
    }

    /// Removes all nodes that no output needs, and the data of constants that nobody reads.
    ///
    /// # Errors
    /// If a value depends on itself.
    pub fn prune(&mut self) -> Result<()> {
        let mut needed = vec![false; self.nodes.len()];
        for id in self.order()? {
            needed[id.index()] = true;
        }
        for (node, needed) in self.nodes.iter_mut().zip(needed) {
            if !needed {
                *node = None;
            }
        }
        let uses = self.uses();
        for index in 0..self.values.len() {
            let id = ValueId(index as u32);
            if uses.consumers(id).is_empty() && !self.is_output(id) {
                self.values[index].constant = None;
            }
        }
        Ok(())
    }

    fn push(&mut self, value: Value) -> ValueId {
        self.values.push(value);
        ValueId(self.values.len() as u32 - 1)
    }
}

/// How far a depth-first walk has come with a node.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Visit {
    New,
    Open,
    Done,
}
