//! Normalisations: with statistics from training, or of the data itself.

use crate::device::tensor::{Activation, Shape};
use crate::host::Result;

use super::super::{BatchNorm, Normalize, Op, ValueId};
use super::{Builder, WeightRole};

impl Builder<'_> {
    /// A batch normalisation of the last axis, `epsilon` 10⁻⁵.
    ///
    /// # Errors
    /// As [`Builder::conv`].
    pub fn batch_norm(&mut self, x: ValueId) -> Result<ValueId> {
        let name = self.take_name("batch_norm")?;
        let shape = Shape::vector(self.channels(x));
        let scale = self.weight(&name, "weight", shape, WeightRole::Scale)?;
        let bias = self.weight(&name, "bias", shape, WeightRole::Bias)?;
        let mean = self.weight(&name, "running_mean", shape, WeightRole::Mean)?;
        let variance = self.weight(&name, "running_var", shape, WeightRole::Variance)?;
        self.graph
            .add_node(name, Op::BatchNorm(BatchNorm { input: x, scale, bias, mean, variance, epsilon: 1e-5 }))
    }

    /// A layer normalisation of the last axis, with a factor and a summand for each channel.
    ///
    /// # Errors
    /// As [`Builder::conv`].
    pub fn layer_norm(&mut self, x: ValueId, epsilon: f32) -> Result<ValueId> {
        let axis = self.shape(x).rank().saturating_sub(1);
        self.scaled_norm("layer_norm", x, axis, 1, epsilon)
    }

    /// A group normalisation of `[n, …, c]`: all axes but the first, the channels in groups; with a factor and a summand for each
    /// channel.
    ///
    /// # Errors
    /// As [`Builder::conv`], and if the groups do not divide the channels.
    pub fn group_norm(&mut self, x: ValueId, groups: u32, epsilon: f32) -> Result<ValueId> {
        self.scaled_norm("group_norm", x, 1, groups, epsilon)
    }

    /// An instance normalisation of `[n, …, c]`: each channel of each picture, without parameters.
    ///
    /// # Errors
    /// As [`Builder::conv`].
    pub fn instance_norm(&mut self, x: ValueId, epsilon: f32) -> Result<ValueId> {
        let (groups, activation) = (self.channels(x), Activation::IDENTITY);
        let op = Normalize { input: x, axis: 1, groups, scale: None, shift: None, epsilon, activation };
        self.add("instance_norm", Op::Normalize(op))
    }

    fn scaled_norm(
        &mut self,
        kind: &str,
        x: ValueId,
        axis: usize,
        groups: u32,
        epsilon: f32,
    ) -> Result<ValueId> {
        let name = self.take_name(kind)?;
        let shape = Shape::vector(self.channels(x));
        let scale = Some(self.weight(&name, "weight", shape, WeightRole::Scale)?);
        let shift = Some(self.weight(&name, "bias", shape, WeightRole::Bias)?);
        let activation = Activation::IDENTITY;
        let op = Normalize { input: x, axis, groups, scale, shift, epsilon, activation };
        self.graph.add_node(name, Op::Normalize(op))
    }
}
