//! Kernels: views and geometry in, view out.
//!
//! Every spatial kernel computes a [`Band`]: a range of output rows of one picture, from rows that it finds through a
//! [`Source`], into a [`Sink`]. Threads, row streaming, in/out overlap and cache blocking all choose bands and change nothing
//! else. A kernel knows neither the graph nor the program; scratch belongs to the caller (`…_scratch_len` beside each kernel);
//! lengths are checked by the views. The numbers that describe a kernel's work are the plain `*Params` structures of
//! [`params`], which are also the records of the program format.
//!
//! Beside the kernels stands `reference`: the slow, obvious twin of each, compiled for tests.
//!
//! Called by `engine`, one file an operator; the compiler asks only for `*_scratch_len` and the weight layouts.

mod activation;
mod band;
pub mod params;

pub use activation::activate;
pub use band::{Band, Epilogue, EpilogueRow, Prologue, Sink, Source};
