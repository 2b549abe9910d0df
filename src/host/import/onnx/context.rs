//! What one operator sees of the import: its node, its operands, and moves of elements that fold constants and emit nodes for
//! everything else.

use rten_onnx::onnx::TensorProto;

use crate::device::kernel::params::Beyond;
use crate::host::Result;
use crate::host::graph::{Concat, Op, Pad, Reshape, Slice, Transpose, ValueId};

use super::Tensor;
use super::layout::{self, TO_MODEL, TO_STORAGE};
use super::model::Node;
use super::refusal::{invalid, unsupported};
use super::scope::{Operand, Scope, shape_of};
use super::tensor::element_count;

/// What one operator sees.
pub(super) struct Context<'s, 'm> {
    pub(super) node: &'s Node<'m>,
    scope: &'s mut Scope<'m>,
    /// Graph nodes made so far.
    emitted: usize,
}

impl<'s, 'm> Context<'s, 'm> {
    pub(super) const fn new(node: &'s Node<'m>, scope: &'s mut Scope<'m>) -> Self {
        Self { node, scope, emitted: 0 }
    }

    /// Operand `i`, which must be given.
    pub(super) fn operand(&self, i: usize) -> Result<Operand> {
        self.optional(i)?.ok_or_else(|| invalid(format!("operand {i} is missing")))
    }

    /// Operand `i`, if it is given.
    pub(super) fn optional(&self, i: usize) -> Result<Option<Operand>> {
        let Some(name) = self.node.input(i) else { return Ok(None) };
        match self.scope.operands.get(name) {
            Some(Some(Operand::Mask(_))) => {
                let reason = format!("its operand '{name}' holds booleans that depend on the input");
                Err(unsupported(reason).remedy("cast them to float before"))
            }
            Some(operand) => Ok(operand.clone()),
            None if self.scope.sequences.contains_key(name) => {
                Err(unsupported(format!("its operand '{name}' is a sequence of tensors")))
            }
            None => Err(invalid(format!("it reads '{name}', which nothing before it makes"))),
        }
    }

    /// Operand `i`, which must be given and may be a mask.
    pub(super) fn maskable(&self, i: usize) -> Result<Operand> {
        let found = self.node.input(i).and_then(|name| self.scope.operands.get(name));
        match found {
            Some(Some(mask @ Operand::Mask(_))) => Ok(mask.clone()),
            _ => self.operand(i),
        }
    }

    /// Operand `i` of an operator that is computed during import, and of constants only.
    pub(super) fn folded(&self, i: usize) -> Result<Tensor> {
        match self.maskable(i)? {
            Operand::Constant(tensor) => Ok(tensor),
            Operand::Value(_) | Operand::Mask(_) => {
                let name = self.node.input(i).unwrap_or("");
                let reason = format!("it is computed of constants only, and its operand '{name}' is none");
                Err(unsupported(reason).remedy("write the model without it, or compute it outside"))
            }
        }
    }

    /// The tensors of operand `i`, which must be a sequence.
    pub(super) fn sequence(&self, i: usize) -> Result<Vec<Operand>> {
        let found = self.node.input(i).and_then(|name| self.scope.sequences.get(name));
        found.cloned().ok_or_else(|| invalid(format!("operand {i} is no sequence of tensors")))
    }

    /// Makes the node's result a sequence of tensors; the import then has no results itself.
    pub(super) fn add_sequence(&mut self, parts: Vec<Operand>) {
        if let Some(name) = self.node.outputs().first() {
            self.scope.sequences.insert(name, parts);
        }
    }

    /// All operands, each given.
    pub(super) fn operands(&self) -> Result<Vec<Operand>> {
        (0..self.node.inputs().len()).map(|i| self.operand(i)).collect()
    }

    /// Operand `i`, if it is given, as a constant.
    pub(super) fn optional_constant(&self, i: usize) -> Result<Option<Tensor>> {
        match self.optional(i)? {
            None => Ok(None),
            Some(Operand::Constant(tensor)) => Ok(Some(tensor)),
            Some(Operand::Value(_) | Operand::Mask(_)) => {
                let reason = format!("its operand '{}' is not constant", self.node.input(i).unwrap_or(""));
                Err(unsupported(reason)
                    .remedy("export with fixed shapes and weights, or bind the input that it comes from"))
            }
        }
    }

    /// Operand `i` as a constant.
    pub(super) fn constant(&self, i: usize) -> Result<Tensor> {
        self.optional_constant(i)?.ok_or_else(|| invalid(format!("operand {i} is missing")))
    }

    /// Operand `i`, if it is given, as constant integers.
    pub(super) fn integers(&self, i: usize) -> Result<Option<Vec<i64>>> {
        let Some(tensor) = self.optional_constant(i)? else { return Ok(None) };
        match tensor.data().as_i64() {
            Some(integers) => Ok(Some(integers.into())),
            None => Err(invalid(format!("operand {i} must be integers"))),
        }
    }

    /// Operand `i`, if it is given, as constant floats.
    pub(super) fn floats(&self, i: usize) -> Result<Option<Vec<f32>>> {
        let Some(tensor) = self.optional_constant(i)? else { return Ok(None) };
        match tensor.data().as_f32() {
            Some(floats) => Ok(Some(floats.into())),
            None => Err(invalid(format!("operand {i} must be floats"))),
        }
    }

    /// Integers that are operand `i` since operator set `since`, and attribute `name` before.
    pub(super) fn integers_since(&self, since: i64, i: usize, name: &str) -> Result<Option<Vec<i64>>> {
        if self.node.opset >= since {
            return self.integers(i);
        }
        Ok(self.node.ints(name)?.map(Into::into))
    }

    /// The dimensions of an operand in the model's order.
    pub(super) fn dims(&self, operand: &Operand) -> Vec<u32> {
        match operand {
            Operand::Constant(tensor) => tensor.dims().into(),
            Operand::Value(value) | Operand::Mask(value) => {
                layout::modelled(self.scope.graph.shape(*value).dims())
            }
        }
    }

    /// A value in storage order; a constant becomes one of the graph.
    pub(super) fn value(&mut self, operand: &Operand) -> Result<ValueId> {
        match operand {
            Operand::Value(value) | Operand::Mask(value) => Ok(*value),
            Operand::Constant(tensor) if tensor.dims().len() == 4 => {
                self.store(tensor, &TO_STORAGE, "constant")
            }
            Operand::Constant(tensor) => self.store(tensor, &[], "constant"),
        }
    }

    /// A constant of the graph with its axes in this order, named by its operand or by its role in this node.
    pub(super) fn store(&mut self, tensor: &Tensor, order: &[usize], role: &str) -> Result<ValueId> {
        let address = tensor.address();
        let same = |name: &&String| match self.scope.operands.get(name.as_str()) {
            Some(Some(Operand::Constant(own))) => own.address() == address,
            _ => false,
        };
        let name = match self.node.inputs().iter().find(same) {
            Some(name) => name.clone(),
            None => format!("{}.{role}", self.node.name),
        };
        self.scope.store(tensor, order, &name)
    }

    /// A vector of the graph, from a constant that has `len` elements.
    pub(super) fn store_vector(&mut self, tensor: &Tensor, len: u32, role: &str) -> Result<ValueId> {
        let vector = tensor.reshaped(&[len]).map_err(|_| {
            invalid(format!("the {role} has the dimensions {:?}; {len} elements are wanted", tensor.dims()))
        })?;
        self.store(&vector, &[], role)
    }

    /// Decodes a tensor of an attribute.
    pub(super) fn decode(&mut self, proto: &TensorProto) -> Result<Tensor> {
        self.scope.decode(proto)
    }

    /// Pays for a constant of these dimensions that is about to be made.
    pub(super) fn charge(&mut self, dims: &[u32]) -> Result<()> {
        self.scope.charge(element_count(dims))
    }

    /// Adds a node to the graph. It bears the name of the model's node; its value is named when the operator is done.
    pub(super) fn emit(&mut self, op: Op) -> Result<ValueId> {
        self.scope.pay_names(2 * self.node.name.len())?;
        let value = self.scope.graph.add_node(self.node.name.clone(), op)?;
        self.scope.graph.value_mut(value).name = format!("{}.{}", self.node.name, self.emitted);
        self.emitted += 1;
        Ok(value)
    }

    /// The operand with other dimensions (in the model's order), its elements in the model's order.
    pub(super) fn reshape(&mut self, operand: &Operand, dims: &[u32]) -> Result<Operand> {
        let value = match operand {
            Operand::Constant(tensor) => return tensor.reshaped(dims).map(Operand::Constant),
            Operand::Value(value) | Operand::Mask(value) => *value,
        };
        if self.dims(operand) == dims {
            return Ok(operand.clone());
        }
        let input = self.model_order(value)?;
        let value = self.emit(Op::Reshape(Reshape { input, shape: shape_of(dims)? }))?;
        Ok(Operand::Value(self.storage_order(value)?))
    }

    /// The operand with other order of its axes: `output.dims[i] = input.dims[perm[i]]` in the model's order.
    pub(super) fn transpose(&mut self, operand: &Operand, perm: &[usize]) -> Result<Operand> {
        match operand {
            Operand::Constant(tensor) => {
                self.charge(tensor.dims())?;
                tensor.transposed(perm).map(Operand::Constant)
            }
            Operand::Value(input) | Operand::Mask(input) => {
                if perm.len() != self.scope.graph.shape(*input).rank() {
                    return Err(invalid(format!(
                        "{perm:?} does not order the axes of {:?}",
                        self.dims(operand)
                    )));
                }
                let op = Op::Transpose(Transpose { input: *input, perm: layout::stored_permutation(perm) });
                self.emit(op).map(Operand::Value)
            }
        }
    }

    /// `output[i] = input[start + i·step]` on each axis in the model's order.
    pub(super) fn slice(
        &mut self,
        operand: &Operand,
        start: &[u32],
        len: &[u32],
        step: &[i32],
    ) -> Result<Operand> {
        match operand {
            Operand::Constant(tensor) => {
                self.charge(len)?;
                tensor.sliced(start, len, step).map(Operand::Constant)
            }
            _ if len == self.dims(operand) && step.iter().all(|step| *step == 1) => Ok(operand.clone()),
            Operand::Value(input) | Operand::Mask(input) => {
                let (start, len, step) = (layout::stored(start), layout::stored(len), layout::stored(step));
                self.emit(Op::Slice(Slice { input: *input, start, len, step })).map(Operand::Value)
            }
        }
    }

    /// The operand with something around it on each axis in the model's order.
    pub(super) fn pad(
        &mut self,
        operand: &Operand,
        before: &[u32],
        after: &[u32],
        beyond: Beyond,
        value: f32,
    ) -> Result<Operand> {
        if before.iter().chain(after).all(|pad| *pad == 0) {
            return Ok(operand.clone());
        }
        let (before, after) = (layout::stored(before), layout::stored(after));
        let op = Pad { input: self.value(operand)?, before, after, beyond, value };
        self.emit(Op::Pad(op)).map(Operand::Value)
    }

    /// The parts one after another along an axis in the model's order.
    pub(super) fn concat(&mut self, parts: &[Operand], axis: usize) -> Result<Operand> {
        let constant = |part: &Operand| match part {
            Operand::Constant(tensor) => Some(tensor.clone()),
            Operand::Value(_) | Operand::Mask(_) => None,
        };
        if let Some(tensors) = parts.iter().map(constant).collect::<Option<Vec<_>>>() {
            for tensor in &tensors {
                self.charge(tensor.dims())?;
            }
            return Tensor::concatenated(&tensors, axis).map(Operand::Constant);
        }
        let rank = parts.first().map_or(0, |part| self.dims(part).len());
        let inputs: Result<Vec<ValueId>> = parts.iter().map(|part| self.value(part)).collect();
        let op = Op::Concat(Concat { inputs: inputs?, axis: layout::storage_axis(axis, rank) });
        self.emit(op).map(Operand::Value)
    }

    /// A value with its elements in the model's order.
    fn model_order(&mut self, value: ValueId) -> Result<ValueId> {
        self.permuted(value, &TO_MODEL)
    }

    /// A value whose elements are in the model's order, stored as the layout rule says.
    fn storage_order(&mut self, value: ValueId) -> Result<ValueId> {
        self.permuted(value, &TO_STORAGE)
    }

    fn permuted(&mut self, input: ValueId, perm: &[usize; 4]) -> Result<ValueId> {
        if self.scope.graph.shape(input).rank() != 4 {
            return Ok(input);
        }
        self.emit(Op::Transpose(Transpose { input, perm: perm.to_vec() }))
    }
}
