//! Import: files of other frameworks become a [`Graph`](super::graph::Graph), or the weights of one.
//!
//! What flows in is a file's bytes, which may be hostile: any bytes whatever give a graph or an error, never a panic, and never
//! an allocation out of proportion to the file. What flows out is a graph whose every operator the later stages understand
//! ([`onnx`]), or weights for the builder and the zoo ([`weights`], from `pytorch` and `safetensors`). The command line and
//! `Model::load` call these functions.
#![forbid(unsafe_code)]
#![deny(clippy::as_conversions)]

mod numbers;
pub mod onnx;
mod pytorch;
mod safetensors;
mod stored;
pub mod weights;
