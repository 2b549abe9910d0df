//! What the caller chooses of a network: the size of its input and of its output.

use crate::host::Result;

use super::super::{Builder, ValueId};

/// Sizes of a network. What is not said is as in the network's paper.
///
/// ```
/// use salto::host::graph::{Seeded, zoo};
///
/// let options = zoo::Options::default().size(64, 96).channels(1).classes(7);
/// let graph = zoo::resnet18(&options, Seeded::new(1))?;
/// assert_eq!(graph.shape(graph.inputs[0].value).dims(), [1, 64, 96, 1]);
/// assert_eq!(graph.shape(graph.outputs[0].value).dims(), [1, 7]);
/// # Ok::<(), salto::host::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Options {
    batch: Option<u32>,
    size: Option<[u32; 2]>,
    channels: Option<u32>,
    classes: Option<u32>,
    width: Option<f32>,
}

impl Options {
    /// The same with this many pictures in a batch (else 1).
    #[must_use]
    pub const fn batch(mut self, batch: u32) -> Self {
        self.batch = Some(batch);
        self
    }

    /// The same with an input of this many rows and columns.
    #[must_use]
    pub const fn size(mut self, height: u32, width: u32) -> Self {
        self.size = Some([height, width]);
        self
    }

    /// The same with an input of this many channels; of an autoencoder, numbers.
    #[must_use]
    pub const fn channels(mut self, channels: u32) -> Self {
        self.channels = Some(channels);
        self
    }

    /// The same with this many classes.
    #[must_use]
    pub const fn classes(mut self, classes: u32) -> Self {
        self.classes = Some(classes);
        self
    }

    /// The same with the channels of a `MobileNet`'s layers multiplied by this (else 1).
    #[must_use]
    pub const fn width(mut self, factor: f32) -> Self {
        self.width = Some(factor);
        self
    }

    /// The number of classes.
    pub(super) fn classes_or(&self, default: u32) -> u32 {
        self.classes.unwrap_or(default)
    }

    /// The factor of channels.
    pub(super) fn width_factor(&self) -> f32 {
        self.width.unwrap_or(1.0)
    }

    /// Adds the network's picture, `[n, h, w, c]`; without a choice `[1, default]`.
    pub(super) fn picture(&self, net: &mut Builder<'_>, default: [u32; 3]) -> Result<ValueId> {
        let [height, width, channels] = default;
        let [height, width] = self.size.unwrap_or([height, width]);
        let channels = self.channels.unwrap_or(channels);
        net.input("input", &[self.batch.unwrap_or(1), height, width, channels])
    }

    /// Adds the network's vector, `[n, c]`; without a choice `[1, default]`.
    pub(super) fn vector(&self, net: &mut Builder<'_>, default: u32) -> Result<ValueId> {
        net.input("input", &[self.batch.unwrap_or(1), self.channels.unwrap_or(default)])
    }
}
