//! *salto* (Italian: a leap): an inference runtime for convolutional networks that skip.
//!
//! Two programs in one crate, and bytes between them. The [`host`] turns a trained network into a program; the [`device`] checks
//! that program once and runs it, without heap and with the same bits at every SIMD level and for any number of threads.
//!
//! ```text
//! .onnx ─ host::import ─▶ Graph ─ host::optimize ─▶ Graph ─ host::compile ─▶ bytes ─ device::program ─▶ Program ─ device::engine ─▶ outputs
//! Rust  ─ host::graph ────▲                              └ host::memory: the plan                        └ device::kernel, one band at a time
//! ```
//!
//! # Where to begin
//!
//! | you have | begin with |
//! |---|---|
//! | an ONNX file or a `.salto` program, on a computer | [`Model::load`], then [`Session::run`] |
//! | weights that PyTorch saved | [`host::import::weights::Weights`] and [`host::graph::zoo`] |
//! | a network to be built in Rust | [`host::graph::Builder`], then [`Model::from_graph`] |
//! | a program in flash, on a device | [`Program::from_bytes`], then [`Engine::new`] |
//! | buffers to be placed in memory | [`device::memory`] (`const`, no heap), [`host::memory`] (with a certificate) |
//! | a question about a network's cost | [`host::report::Inspection`] |
//!
//! ([`Model`], [`Session`] and [`Error`] exist with the feature `alloc`, `Model::load` with `std`.)
//!
//! # Rooms
//!
//! | room | what it is |
//! |---|---|
//! | [`device::tensor`] | element types, shapes, windows, places in memory: plain numbers |
//! | [`device::simd`] | sixteen virtual lanes at every level, views of shared memory; the only `unsafe` |
//! | [`device::kernel`] | one band of rows of one operator, and the numbers that describe it |
//! | [`device::memory`] | the memory planner without heap, and the verifier of plans |
//! | [`device::program`] | the wire format and its checks |
//! | [`device::engine`] | a program, an arena and the operators that run it |
//! | [`host::graph`] | networks: nodes, shapes, a builder |
//! | [`host::import`] | ONNX files, PyTorch's weights |
//! | [`host::optimize`] | rewrites that keep the answers |
//! | [`host::compile`] | a graph's steps, weights in the kernels' layouts, bytes |
//! | [`host::memory`] | the memory planner that searches |
//! | [`host::report`] | layers, costs, memory, as tables |
//!
//! # Features
//!
//! | feature | what it adds |
//! |---|---|
//! | none (`default-features = false`) | the device: `core` only, no allocator |
//! | `alloc` | graph, builder, optimiser, compiler, memory planner |
//! | `std` (default) | CPU detection at run time, threads, ONNX files, PyTorch's weights |
//! | `cli` | the command line tool |
//!
//! A feature adds and never changes a result.
//!
//! # Laws
//!
//! - Imports point one way: `tensor ← simd ← kernel ← program ← engine`; the device never names the host, and neighbours
//!   in a folder name each other in no circle.
//! - Any bytes whatever are a [`Program`] that can run, or an error. Running cannot fail and allocates nothing.
//! - Whoever plans memory is checked by a verifier that shares no code with the planner.
//! - For one program, the bits of a result depend on the input and on whether the SIMD level fuses multiplication and addition
//!   (every level but the portable one), on nothing else.
//! - Each kernel is compared with a slow twin that computes its formula in `f64`.
//!
//! `docs/architecture.md` says more, and which test keeps which law.
#![cfg_attr(not(any(feature = "std", test)), no_std)]

#[cfg(feature = "alloc")]
extern crate alloc;

pub mod device;
#[cfg(feature = "alloc")]
pub mod host;

pub use device::engine::Engine;
pub use device::program::Program;
#[cfg(feature = "std")]
pub use host::LoadOptions;
#[cfg(feature = "alloc")]
pub use host::{Error, Model, Session, SessionOptions};

/// The code in the README compiles and runs.
#[cfg(all(doctest, feature = "std"))]
#[doc = include_str!("../README.md")]
struct Readme;
