//! The slow, obvious twin of each kernel, compiled for tests: `f64` sums straight from the definition, no lanes, no blocks.
//!
//! Every kernel's tests compare it with its twin at every [`Level`] that the CPU has ([`levels`]).

mod activation;
mod conv;
mod conv_transpose;
mod elementwise;
mod interpolate;
mod normalize;
mod pool;
mod rearrange;
mod resize;
mod softmax;
mod tensor;

use std::println;
use std::vec::Vec;

use crate::device::simd::Level;

pub(crate) use activation::activation;
pub(crate) use conv::{ConvOperands, conv, conv_winograd_magnitudes};
pub(crate) use conv_transpose::conv_transpose;
pub(crate) use elementwise::{binary, map};
pub(crate) use interpolate::interpolate;
pub(crate) use normalize::normalize;
pub(crate) use pool::pool;
pub(crate) use rearrange::rearrange;
pub(crate) use resize::resize;
pub(crate) use softmax::softmax;
pub(crate) use tensor::{Exact, Random, Tensor, bands};

/// All levels that this CPU has, from the simplest on; prints `skipped` for each that it lacks.
pub(crate) fn levels() -> Vec<Level> {
    let found = Level::NAMES.iter().filter_map(|name| {
        let level = Level::named(name);
        if level.is_none() {
            println!("skipped: this CPU lacks {name}");
        }
        level
    });
    found.collect()
}

/// Does the level fuse multiplication and addition? Those that do give the same bits as each other.
pub(crate) fn is_fused(level: Level) -> bool {
    level.name() != "portable"
}
