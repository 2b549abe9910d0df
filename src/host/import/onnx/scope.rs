//! What every name of the model stands for, and the graph that grows while node after node is imported. It knows no operator.

use std::collections::{HashMap, HashSet};

use rten_onnx::onnx::{TensorProto, ValueInfoProto};

use crate::device::tensor::{Activation, ModelLayout, Shape};
use crate::host::graph::{Floats, Graph, Op, Unary, ValueId};
use crate::host::{Error, ErrorKind, Result};

use super::Tensor;
use super::initializer::{ExternalData, decode};
use super::layout::{self, TO_STORAGE};
use super::ports::Input;
use super::refusal::{invalid, unsupported};
use super::tensor::element_count;

/// What a name stands for.
#[derive(Clone, Debug)]
pub(super) enum Operand {
    /// A constant, in the model's order.
    Constant(Tensor),
    /// A value of the graph, in storage order.
    Value(ValueId),
    /// Booleans that depend on an input, as a value of the graph that is 1 where they are true and 0 elsewhere. Only logic,
    /// choices and casts read them.
    Mask(ValueId),
}

/// Elements that constants may have beyond those of the file: small models fold shapes and grids.
const FREE_ELEMENTS: u64 = 1 << 22;

/// How often, on average, an element of the file may be copied into another order or folded.
const COPIES: u64 = 8;

/// Bytes that names of the graph's nodes may take: a node of the file that becomes many gives each its name.
const MAX_NAMES: usize = 32 << 20;

/// Bytes of an element of a constant: `f32`.
const ELEMENT_BYTES: u64 = 4;

/// Which constant of the graph: where its data lies, its dimensions, and the order in which its axes are stored.
#[derive(PartialEq, Eq, Hash)]
struct StoredKey {
    address: usize,
    dims: Vec<u32>,
    order: Vec<usize>,
}

/// All names of the model so far, and the graph that they stand in.
pub(super) struct Scope<'m> {
    pub(super) graph: Graph,
    /// `None` for results of nodes that could not be imported.
    pub(super) operands: HashMap<&'m str, Option<Operand>>,
    /// Sequences of tensors by name; they are no operands.
    pub(super) sequences: HashMap<&'m str, Vec<Operand>>,
    /// Constants of the graph: shared weights are stored once.
    stored: HashMap<StoredKey, (Tensor, ValueId)>,
    /// Elements that may still be made of constants.
    budget: u64,
    /// Bytes that constants may still take.
    room: Room,
    /// Bytes of names that nodes of the graph may still bear.
    names: usize,
    external: &'m ExternalData,
}

/// What names stand for outside of a graph inside a node.
pub(super) struct Outer<'m>(Vec<Freed<'m>>);

/// A name, and what it stands for outside.
struct Freed<'m> {
    name: &'m str,
    operand: Option<Option<Operand>>,
    sequence: Option<Vec<Operand>>,
}

impl<'m> Scope<'m> {
    pub(super) fn new(external: &'m ExternalData, max_bytes: u64) -> Self {
        let (graph, operands, sequences) = (Graph::new(""), HashMap::new(), HashMap::new());
        let (budget, room) = (FREE_ELEMENTS, Room { left: max_bytes, all: max_bytes });
        Self { graph, operands, sequences, stored: HashMap::new(), budget, room, names: MAX_NAMES, external }
    }

    pub(super) fn add_input(&mut self, input: &Input<'m>) -> Result<()> {
        let shape = shape_of(&layout::stored(&input.dims))?;
        let value = self.graph.add_input(input.name, shape, port_layout(shape));
        self.operands.insert(input.name, Some(Operand::Value(value)));
        Ok(())
    }

    pub(super) fn add_constant(&mut self, name: &'m str, tensor: Tensor) {
        self.grant(&tensor);
        self.operands.insert(name, Some(Operand::Constant(tensor)));
    }

    pub(super) fn add_initializer(&mut self, name: &'m str, proto: &TensorProto) -> Result<()> {
        let tensor = self.decode(proto).map_err(|error| error.at_node(name, "initializer"))?;
        // An input that has an initializer may be bound nevertheless.
        self.operands.entry(name).or_insert(Some(Operand::Constant(tensor)));
        Ok(())
    }

    /// Frees these names for a graph inside a node; [`close`](Self::close) takes what they stand for until then.
    pub(super) fn open(&mut self, names: impl Iterator<Item = &'m str>) -> Outer<'m> {
        let freed =
            |name| Freed { name, operand: self.operands.remove(name), sequence: self.sequences.remove(name) };
        Outer(names.map(freed).collect())
    }

    /// Drops what the names stand for inside, so that a sibling cannot read it.
    pub(super) fn close(&mut self, outer: Outer<'m>) {
        // A name that was freed twice stood for something the first time only.
        for Freed { name, operand, sequence } in outer.0.into_iter().rev() {
            self.operands.remove(name);
            self.sequences.remove(name);
            self.operands.extend(operand.map(|operand| (name, operand)));
            self.sequences.extend(sequence.map(|sequence| (name, sequence)));
        }
    }

    /// The graph with its outputs.
    pub(super) fn finish(mut self, outputs: &[ValueInfoProto]) -> Result<Graph> {
        if outputs.is_empty() {
            return Err(invalid("the model has no output"));
        }
        let mut ports: HashSet<ValueId> = self.graph.inputs.iter().map(|port| port.value).collect();
        for output in outputs {
            let name = output.name.as_deref().unwrap_or("");
            let Some(Some(operand)) = self.operands.get(name).cloned() else {
                return Err(invalid(format!("nothing makes the output '{name}'")));
            };
            let value = self.output_value(name, &operand, &ports)?;
            ports.insert(value);
            let shape = self.graph.shape(value);
            self.graph.add_output(value, port_layout(shape));
        }
        Ok(self.graph)
    }

    /// A value that bears the output's name; another name's value gets a node that copies it.
    fn output_value(&mut self, name: &str, operand: &Operand, ports: &HashSet<ValueId>) -> Result<ValueId> {
        let input = match operand {
            Operand::Value(value) if self.graph.value(*value).name == name && !ports.contains(value) => {
                return Ok(*value);
            }
            Operand::Value(value) => *value,
            Operand::Mask(_) => {
                let reason = format!("the output '{name}' holds booleans");
                return Err(unsupported(reason).remedy("cast it to float in the model"));
            }
            Operand::Constant(tensor) if tensor.data().floats().is_some() => {
                let order: Vec<usize> = if tensor.dims().len() == 4 { TO_STORAGE.into() } else { vec![] };
                self.store(tensor, &order, &format!("{name}.constant"))?
            }
            Operand::Constant(_) => {
                let reason = format!("the output '{name}' does not depend on any input and holds integers");
                return Err(unsupported(reason));
            }
        };
        self.graph.add_node(name, Op::Unary(Unary { input, activation: Activation::IDENTITY }))
    }

    pub(super) fn decode(&mut self, proto: &TensorProto) -> Result<Tensor> {
        let len = proto.dims.iter().try_fold(1u64, |len, &dim| len.checked_mul(u64::try_from(dim).ok()?));
        // What cannot be counted is refused by `decode`.
        self.room.take(len.unwrap_or(0))?;
        let tensor = decode(proto, self.external)?;
        if is_in_file(&tensor) {
            self.room.give(len.unwrap_or(0));
        }
        self.grant(&tensor);
        Ok(tensor)
    }

    /// The file paid for this tensor, and for some copies of it.
    fn grant(&mut self, tensor: &Tensor) {
        self.budget += COPIES * u64::try_from(tensor.data().len()).unwrap_or(0);
    }

    /// Pays for `len` elements that are about to be made.
    pub(super) fn charge(&mut self, len: Option<u32>) -> Result<()> {
        let left = len.and_then(|len| self.budget.checked_sub(u64::from(len)));
        self.budget =
            left.ok_or_else(|| Error::new(ErrorKind::Limit, "constants would outgrow the file by far"))?;
        self.room.take(len.unwrap_or(0).into())
    }

    /// Pays for names of this many bytes.
    pub(super) fn pay_names(&mut self, bytes: usize) -> Result<()> {
        let left = self.names.checked_sub(bytes).ok_or_else(|| {
            let reason = format!("the names of its nodes would take more than {MAX_NAMES} bytes");
            Error::new(ErrorKind::Limit, reason).remedy("export the model with shorter names")
        });
        self.names = left?;
        Ok(())
    }

    /// A constant of the graph: the tensor with its axes in this order (as they are if empty).
    pub(super) fn store(&mut self, tensor: &Tensor, order: &[usize], name: &str) -> Result<ValueId> {
        let key = StoredKey { address: tensor.address(), dims: tensor.dims().into(), order: order.into() };
        if let Some((_, value)) = self.stored.get(&key) {
            return Ok(*value);
        }
        let ordered = if order.is_empty() {
            tensor.clone()
        } else {
            // What stays in its file takes no memory in another order.
            if !is_in_file(tensor) {
                self.charge(element_count(tensor.dims()))?;
            }
            tensor.transposed(order)?
        };
        let value = self.graph.add_constant(name, shape_of(ordered.dims())?, ordered.data().clone())?;
        // The tensor is kept, so that no other data can take its place in memory.
        self.stored.insert(key, (tensor.clone(), value));
        Ok(value)
    }
}

/// Does the tensor's data lie in a file, and only there?
fn is_in_file(tensor: &Tensor) -> bool {
    tensor.data().floats().is_some_and(Floats::are_in_file)
}

/// The memory that constants may take.
struct Room {
    left: u64,
    all: u64,
}

impl Room {
    /// Gives back the room of some elements.
    const fn give(&mut self, elements: u64) {
        self.left += elements * ELEMENT_BYTES;
    }

    /// Takes the room of some elements.
    fn take(&mut self, elements: u64) -> Result<()> {
        let left = elements.checked_mul(ELEMENT_BYTES).and_then(|bytes| self.left.checked_sub(bytes));
        self.left = left.ok_or_else(|| {
            let taken = self.all - self.left;
            let reason = format!(
                "it needs more memory than the {} bytes that are allowed ({taken} are taken by constants, and {elements} more \
                 elements are wanted)",
                self.all
            );
            Error::new(ErrorKind::Limit, reason).remedy("allow more with --max-memory")
        })?;
        Ok(())
    }
}

/// A shape, if there are not too many dimensions.
pub(super) fn shape_of(dims: &[u32]) -> Result<Shape> {
    Shape::new(dims).ok_or_else(|| unsupported(format!("a tensor of {} dimensions", dims.len())))
}

/// How the model orders an input or output of this shape.
fn port_layout(shape: Shape) -> ModelLayout {
    if shape.rank() == 4 { ModelLayout::ChannelsFirst } else { ModelLayout::AsStored }
}
