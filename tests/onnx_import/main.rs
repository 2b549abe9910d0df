//! Import of small ONNX models, family by family, against what the graph should hold and compute.
#![cfg(feature = "std")]
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "a test fails by panicking")]

mod branches;
mod dense;
mod encoding;
mod exported;
mod functions;
mod layout;
mod logic;
mod movement;
mod network;
mod normalization;
mod reduce;
mod refusal;
mod robustness;
mod sample;
mod shape;
mod sketch;
mod spatial;
