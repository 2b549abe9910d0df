//! Validation: does a graph agree with itself?

use alloc::string::String;
use alloc::vec::Vec;
use alloc::{format, vec};

use crate::host::{Error, ErrorKind, Result};

use super::{Graph, Node, ValueId, infer};

impl Graph {
    /// Checks everything that later stages rely on: every operand exists and is made by someone, no value is made twice or
    /// depends on itself, constants have as many elements as their shapes, and every node's output has the type and shape that
    /// inference gives. Passes keep it; importers and hand-made graphs are checked by it.
    ///
    /// # Errors
    /// The first contradiction, with the node that it lies in.
    pub fn validate(&self) -> Result<()> {
        self.check_constants()?;
        let made = self.check_makers()?;
        for (_, node) in self.nodes() {
            self.check_node(node, &made).map_err(|error| error.at_node(&node.name, node.op.name()))?;
        }
        for port in &self.outputs {
            if !made.get(port.value.index()).copied().unwrap_or(false) {
                return Err(invalid(format!("output {} is made by nobody", self.label(port.value))));
            }
        }
        self.order().map(|_| ())
    }

    fn check_constants(&self) -> Result<()> {
        for (_, value) in self.values() {
            let Some(constant) = &value.constant else { continue };
            let len = value.shape.checked_len().map(|len| len as usize);
            if constant.dtype() != value.dtype || len != Some(constant.len()) {
                let (name, shape, elements) = (&value.name, value.shape, constant.len());
                return Err(invalid(format!("constant '{name}' of shape {shape} has {elements} elements")));
            }
        }
        Ok(())
    }

    /// Which values exist at run time: constants, inputs, outputs of nodes; each has one maker.
    fn check_makers(&self) -> Result<Vec<bool>> {
        let mut made = vec![false; self.values().len()];
        for (id, value) in self.values() {
            made[id.index()] = value.constant.is_some();
        }
        let outputs = self.nodes().map(|(_, node)| node.output);
        for value in self.inputs.iter().map(|port| port.value).chain(outputs) {
            match made.get_mut(value.index()) {
                Some(made) if !*made => *made = true,
                Some(_) => return Err(invalid(format!("{} is made twice", self.label(value)))),
                None => return Err(invalid(format!("{} does not exist", self.label(value)))),
            }
        }
        Ok(made)
    }

    fn check_node(&self, node: &Node, made: &[bool]) -> Result<()> {
        for id in node.op.inputs() {
            if made.get(id.index()) == Some(&false) {
                return Err(invalid(format!("its operand {} is made by nobody", self.label(id))));
            }
        }
        let (dtype, shape) = infer(self, &node.op)?;
        let output = self.value(node.output);
        if (output.dtype, output.shape) == (dtype, shape) {
            return Ok(());
        }
        let (wrong, kind) = (output.shape, output.dtype.name());
        Err(invalid(format!("its output is {kind} {wrong}, inference gives {} {shape}", dtype.name())))
    }

    fn label(&self, id: ValueId) -> String {
        let value = self.values().nth(id.index());
        value.map_or_else(|| format!("{}", id.index()), |(_, value)| format!("'{}'", value.name))
    }
}

fn invalid(reason: String) -> Error {
    Error::new(ErrorKind::Invalid, reason)
}
