//! Blocks: the four families of networks that skip, and those for small devices, on top of the [`Builder`](super::Builder).
//!
//! Layer names inside a block are those of the usual PyTorch models, so that their weights can be found by name.

pub mod dense;
pub mod highway;
pub mod mobile;
pub mod residual;
pub mod unet;
