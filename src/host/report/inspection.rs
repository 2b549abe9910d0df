//! A whole program at a glance.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

use crate::device::program::{Port, Program};
use crate::device::tensor::ModelLayout;
use crate::host::memory::Certificate;

use super::layer::Layer;
use super::memory::{MemoryReport, live_bytes};
use super::table::{Align, Table};
use super::units::{Bytes, Count};

/// A program's inputs and outputs, layers and memory plan.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "cli", derive(serde::Serialize))]
pub struct Inspection {
    /// Inputs.
    pub inputs: Vec<PortReport>,
    /// Outputs.
    pub outputs: Vec<PortReport>,
    /// Steps.
    pub layers: Vec<Layer>,
    /// Multiply-accumulates of all steps.
    pub macs: u64,
    /// Trained numbers of all steps.
    pub parameters: u64,
    /// Bytes of weights, bias and other constants, as stored.
    pub weight_bytes: u64,
    /// The memory plan.
    pub memory: MemoryReport,
}

/// An input or output.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "cli", derive(serde::Serialize))]
pub struct PortReport {
    /// Its name.
    pub name: String,
    /// Its element type.
    pub dtype: &'static str,
    /// Its shape in the order of the model that was imported.
    pub shape: Vec<u32>,
    /// What four dimensions mean in that order: `[n, c, h, w]` or `[n, h, w, c]`; nothing for other shapes.
    pub layout: &'static str,
}

impl Inspection {
    /// Looks at a program, and at its memory plan with the planner's certificate if that is at hand.
    pub fn new(program: &Program<'_>, certificate: Option<Certificate>) -> Self {
        let layer =
            |(number, step)| Layer { live_bytes: live_bytes(program, number), ..Layer::new(number, &step) };
        let layers: Vec<Layer> = program.steps().enumerate().map(layer).collect();
        Self {
            inputs: program.inputs().map(|port| PortReport::new(&port)).collect(),
            outputs: program.outputs().map(|port| PortReport::new(&port)).collect(),
            macs: layers.iter().map(|layer| layer.macs).sum(),
            parameters: layers.iter().map(|layer| layer.parameters).sum(),
            weight_bytes: program.weights().len() as u64,
            layers,
            memory: MemoryReport::new(program, certificate),
        }
    }

    fn table(&self) -> Table {
        let mut table = Table::new(&[
            ("step", Align::Right),
            ("layer", Align::Left),
            ("operator", Align::Left),
            ("output [n, h, w, c]", Align::Left),
            ("MACs", Align::Right),
            ("parameters", Align::Right),
            ("RAM", Align::Right),
            ("detail", Align::Left),
        ]);
        for layer in &self.layers {
            table.push([
                layer.step.to_string(),
                layer.name.clone(),
                layer.operator.clone(),
                dims(&layer.output),
                if layer.macs == 0 { String::new() } else { Count(layer.macs).to_string() },
                if layer.parameters == 0 { String::new() } else { Count(layer.parameters).to_string() },
                Bytes(layer.live_bytes).to_string(),
                layer.detail.clone(),
            ]);
        }
        table
    }
}

impl PortReport {
    fn new(port: &Port<'_>) -> Self {
        let mut shape = port.shape().dims().to_vec();
        if let (ModelLayout::ChannelsFirst, [_, rest @ ..]) = (port.model_layout(), shape.as_mut_slice()) {
            rest.rotate_right(1);
        }
        let layout = match (port.model_layout(), shape.len()) {
            (ModelLayout::ChannelsFirst, 4) => "[n, c, h, w]",
            (ModelLayout::AsStored, 4) => "[n, h, w, c]",
            _ => "",
        };
        Self { name: port.name().into(), dtype: port.dtype().name(), shape, layout }
    }
}

impl fmt::Display for PortReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "'{}' {} {}", self.name, self.dtype, dims(&self.shape))?;
        if self.layout.is_empty() { Ok(()) } else { write!(f, "  {}", self.layout) }
    }
}

impl fmt::Display for Inspection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for input in &self.inputs {
            writeln!(f, "input        {input}")?;
        }
        for output in &self.outputs {
            writeln!(f, "output       {output}")?;
        }
        writeln!(f, "\n{}", self.table())?;
        writeln!(f, "MACs         {:>10}", Count(self.macs).to_string())?;
        writeln!(f, "parameters   {:>10}", Count(self.parameters).to_string())?;
        writeln!(f, "weights      {:>10}", Bytes(self.weight_bytes).to_string())?;
        write!(f, "{}", self.memory)
    }
}

/// `1×3×224×224`, or `scalar`.
fn dims(dims: &[u32]) -> String {
    let words: Vec<String> = dims.iter().map(|dim| format!("{dim}")).collect();
    if words.is_empty() { "scalar".into() } else { words.join("×") }
}
