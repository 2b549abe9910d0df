//! Whole networks, made with the [`Builder`](super::Builder) and the [`blocks`](super::blocks): one family a file.
//!
//! Flows in: [`Options`] (sizes) and a source of weights: [`Seeded`](super::Seeded) ones, or those of a file
//! (`host::import::weights`). Flows out: a graph. Pictures are `[n, c, h, w]` for the network's user, and layers have the names
//! of the PyTorch models that each file names, so that their weights are found. [`NETWORKS`] lists them for the command line.

mod cifar;
mod classifier;
mod densenet;
mod mobilenet;
mod network;
mod options;
mod resnet;
#[cfg(test)]
mod tests;
mod tiny;
mod unet;

pub use cifar::{PROJECTION, cifar_plain, cifar_resnet, resnet8};
pub use densenet::{
    DENSENET_121, DENSENET_161, DENSENET_169, DENSENET_201, DenseNet, densenet, densenet_front,
};
pub use mobilenet::{mobilenet_v1, mobilenet_v2};
pub use network::{NETWORKS, Network};
pub use options::Options;
pub use resnet::{resnet18, resnet34, resnet34_front, resnet50};
pub use tiny::{autoencoder, ds_cnn};
pub use unet::{UNet, unet};
