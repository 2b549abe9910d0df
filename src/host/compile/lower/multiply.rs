//! Convolutions, transposed convolutions and dense layers.

use alloc::vec::Vec;

use crate::device::kernel::params::{ConvAlgorithm, ConvParams, ConvTransposeParams};
use crate::device::kernel::{
    conv_f32_least_scratch_len, conv_f32_reads_f16, conv_f32_scratch_len, conv_f32_weight_len,
    conv_transpose_f32_scratch_len, conv_transpose_f32_weight_len,
};
use crate::device::program::record::OpCode;
use crate::device::tensor::{Activation, Extent, Segment, Window};
use crate::host::Result;
use crate::host::graph::{Conv, ConvTranspose, Dense, ValueId};

use super::super::algorithm::conv_algorithm;
use super::super::schedule::{ConstantId, Recipe, Step, too_large};
use super::Lowering;

impl Lowering<'_> {
    pub(super) fn conv(&mut self, output: ValueId, op: &Conv) -> Result<()> {
        let input = Extent::of(&self.graph.shape(op.input));
        let extent = Extent::of(&self.graph.shape(output));
        let algorithm = conv_algorithm(&op.window, op.groups, [input, extent], self.options);
        let params = ConvParams {
            input,
            output: extent,
            window: op.window,
            groups: op.groups,
            algorithm: algorithm as u32,
            activation: op.activation,
            prologue: op.pre_activation.as_ref().map_or(Activation::IDENTITY, |pre| pre.activation),
        };
        let mut places = Vec::from([self.conv_weights(op.weight, &params, algorithm)?]);
        places.push(self.channel_constant(op.bias, "bias")?);
        places.push(self.channel_constant(op.pre_activation.as_ref().map(|pre| pre.scale), "scale")?);
        places.push(self.channel_constant(op.pre_activation.as_ref().map(|pre| pre.shift), "shift")?);
        self.push_conv(output, op.input, op.residual, &params, places)
    }

    pub(super) fn dense(&mut self, output: ValueId, op: &Dense) -> Result<()> {
        let params = ConvParams {
            input: matrix(self.graph.shape(op.input).dims()),
            output: matrix(self.graph.shape(output).dims()),
            window: Window::new(1, 1),
            groups: 1,
            algorithm: ConvAlgorithm::Pointwise as u32,
            activation: op.activation,
            prologue: Activation::IDENTITY,
        };
        let weights = self.conv_weights(op.weight, &params, ConvAlgorithm::Pointwise)?;
        let places = Vec::from([weights, self.channel_constant(op.bias, "bias")?, None, None]);
        self.push_conv(output, op.input, None, &params, places)
    }

    pub(super) fn conv_transpose(&mut self, output: ValueId, op: &ConvTranspose) -> Result<()> {
        let input = Extent::of(&self.graph.shape(op.input));
        let extent = Extent::of(&self.graph.shape(output));
        let (window, groups, activation) = (op.window, op.groups, op.activation);
        let params = ConvTransposeParams { input, output: extent, window, groups, activation };
        self.require_constant(op.weight, "weight")?;
        let len = conv_transpose_f32_weight_len(&params).ok_or_else(|| self.weights_too_large(op.weight))?;
        let weights = self.schedule.constants.add(Recipe::Transposed { weight: op.weight, groups }, len);
        let places = Vec::from([Some(weights), self.channel_constant(op.bias, "bias")?]);
        let (sources, sink) = self.summed_operands(output, extent, (op.input, input), op.residual)?;
        let mut step = Step::new(OpCode::ConvTranspose, &params, sources, sink);
        step.scratch = self.scratch(conv_transpose_f32_scratch_len(&params))?;
        step.places = places;
        self.push(step);
        Ok(())
    }

    fn push_conv(
        &mut self,
        output: ValueId,
        input: ValueId,
        residual: Option<ValueId>,
        params: &ConvParams,
        places: Vec<Option<ConstantId>>,
    ) -> Result<()> {
        let (sources, sink) = self.summed_operands(output, params.output, (input, params.input), residual)?;
        let mut step = Step::new(OpCode::Conv, params, sources, sink);
        let gathers = step.sources[0].len() > 1 || places.get(2).is_some_and(Option::is_some);
        step.scratch = self.conv_scratch(params, gathers)?;
        step.places = places;
        self.push(step);
        Ok(())
    }

    /// The scratch of a convolution whose input has several segments or a prologue, or not: the least where memory is to be low.
    pub(super) fn conv_scratch(&mut self, params: &ConvParams, gathers: bool) -> Result<Option<u32>> {
        let least = self.options.low_memory;
        self.scratch(if least {
            conv_f32_least_scratch_len(params, gathers)
        } else {
            conv_f32_scratch_len(params)
        })
    }

    /// Sources and sink of an operator that may add a residual: the sum is written over the dying skip.
    fn summed_operands(
        &mut self,
        output: ValueId,
        extent: Extent,
        (input, input_extent): (ValueId, Extent),
        residual: Option<ValueId>,
    ) -> Result<([Vec<Segment>; 3], Segment)> {
        // The residual may move into a buffer of its own, and with it the input: so it comes first.
        let residual = residual.map(|value| self.single(value, extent)).transpose()?;
        let source = self.source(input, input_extent)?;
        let residual = Vec::from_iter(residual);
        let is_apart = |skip: &Segment| source.iter().all(|segment| segment.buffer != skip.buffer);
        let sink = if residual.iter().all(is_apart) {
            self.output_over(output, extent, &[&residual])?
        } else {
            self.output(output, extent)?
        };
        Ok(([source, residual, Vec::new()], sink))
    }

    fn conv_weights(
        &mut self,
        weight: ValueId,
        params: &ConvParams,
        algorithm: ConvAlgorithm,
    ) -> Result<Option<ConstantId>> {
        self.require_constant(weight, "weight")?;
        let recipe = match algorithm {
            _ if self.options.f16 && conv_f32_reads_f16(params) => {
                Recipe::PanelsF16 { weight, groups: params.groups }
            }
            ConvAlgorithm::Pointwise | ConvAlgorithm::Im2col => {
                Recipe::Panels { weight, groups: params.groups }
            }
            ConvAlgorithm::Depthwise => Recipe::Depthwise(weight),
            ConvAlgorithm::Winograd2x2 => Recipe::Winograd2x2(weight),
            ConvAlgorithm::Winograd4x4 => Recipe::Winograd4x4(weight),
        };
        let len = conv_f32_weight_len(params).ok_or_else(|| self.weights_too_large(weight))?;
        Ok(Some(self.schedule.constants.add(recipe, len)))
    }

    /// A constant with one element for each channel, padded to whole lanes.
    pub(super) fn channel_constant(
        &mut self,
        value: Option<ValueId>,
        what: &str,
    ) -> Result<Option<ConstantId>> {
        let Some(value) = value else { return Ok(None) };
        self.require_constant(value, what)?;
        let len = self.graph.shape(value).len().next_multiple_of(16);
        Ok(Some(self.schedule.constants.add(Recipe::Channels(value), len)))
    }

    fn weights_too_large(&self, weight: ValueId) -> crate::host::Error {
        too_large(&self.graph.value(weight).name)
    }
}

/// `[rows, columns]` as `[1, 1, rows, columns]`.
fn matrix(dims: &[u32]) -> Extent {
    match *dims {
        [ref rows @ .., columns] => Extent::new(1, 1, rows.iter().product(), columns),
        [] => Extent::flat(1),
    }
}
