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
mod binary;
mod conv;
mod conv_transpose;
mod interpolate;
mod lane_sum;
mod map;
mod normalize;
mod overlap;
pub mod params;
mod pool;
mod rearrange;
#[cfg(test)]
pub(crate) mod reference;
mod resize;
mod resize_axis;
mod softmax;
#[cfg(test)]
mod tests;

pub use activation::activate;
pub use band::{Band, Epilogue, Prologue, Sink, Source};
pub use binary::{BinaryTask, Operand, binary_f32, binary_f32_is_valid};
pub use conv::{
    ConvTask, ConvWeights, conv_f32, conv_f32_band_multiple, conv_f32_channel_multiple, conv_f32_is_valid,
    conv_f32_least_scratch_len, conv_f32_reads_f16, conv_f32_scratch_len, conv_f32_separation,
    conv_f32_suits, conv_f32_weight_len, winograd_2x2_transform, winograd_4x4_transform, winograd_block,
};
pub use conv_transpose::{
    ConvTransposeTask, conv_transpose_f32, conv_transpose_f32_channel_multiple, conv_transpose_f32_is_valid,
    conv_transpose_f32_scratch_len, conv_transpose_f32_separation, conv_transpose_f32_weight_len,
};
pub use interpolate::{
    InterpolateTask, interpolate_f32, interpolate_f32_is_valid, interpolate_f32_scratch_len,
    interpolate_f32_table_lens,
};
pub use map::{MapTask, map_f32, map_f32_is_valid, map_f32_separation};
pub use normalize::{
    NormalizeTask, normalize_f32, normalize_f32_channels, normalize_f32_is_valid, normalize_f32_len,
    normalize_f32_rows, normalize_f32_scratch_len,
};
pub use overlap::RowSeparation;
pub use pool::{PoolTask, pool_f32, pool_f32_is_valid, pool_f32_separation};
pub use rearrange::{rearrange_f32, rearrange_f32_is_valid, rearrange_f32_output_len, rearrange_f32_rows};
pub use resize::{ResizeTask, resize_f32, resize_f32_is_valid, resize_f32_separation};
pub use softmax::{softmax_f32, softmax_f32_is_valid, softmax_f32_len};
