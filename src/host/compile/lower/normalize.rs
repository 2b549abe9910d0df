//! Normalisations by the data's own statistics.

use alloc::vec::Vec;

use crate::device::kernel::normalize_f32_scratch_len;
use crate::device::kernel::params::NormalizeParams;
use crate::device::program::record::OpCode;
use crate::device::tensor::Extent;
use crate::host::Result;
use crate::host::graph::{Normalize, ValueId};

use super::super::schedule::Step;
use super::Lowering;

impl Lowering<'_> {
    pub(super) fn normalize(&mut self, output: ValueId, op: &Normalize) -> Result<()> {
        let shape = self.graph.shape(op.input);
        let (outer, inner) = shape.dims().split_at(op.axis.min(shape.rank()));
        let (channels, spatial) = inner.split_last().map_or((1, inner), |(channels, rest)| (*channels, rest));
        let params = NormalizeParams {
            outer: outer.iter().product(),
            spatial: spatial.iter().product(),
            groups: op.groups,
            inner: channels / op.groups.max(1),
            epsilon: op.epsilon,
            activation: op.activation,
        };
        let places =
            Vec::from([self.channel_constant(op.scale, "scale")?, self.channel_constant(op.shift, "shift")?]);
        let extent = Extent::flat(shape.len());
        let source = Vec::from([self.single(op.input, extent)?]);
        let sink = self.output_in_place(output, extent, &[&source])?;
        let mut step = Step::new(OpCode::Normalize, &params, [source, Vec::new(), Vec::new()], sink);
        step.scratch = self.scratch(normalize_f32_scratch_len(&params))?;
        step.places = places;
        self.push(step);
        Ok(())
    }
}
