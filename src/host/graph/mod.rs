//! The graph: nodes, operators, values, shape inference, validation, edits; builder; blocks.
//!
//! One type for all stages: importers and the builder make it, passes rewrite it, the compiler lowers it. Values hold tensors
//! in **storage order**: four-dimensional ones as `[n, h, w, c]`, every other rank as the model has it. Convolution weights
//! are `[out, kh, kw, in/groups]`, those of transposed convolutions `[in, kh, kw, out/groups]`, dense ones `[out, in]`.

pub mod blocks;
mod builder;
mod constant;
mod edit;
mod finite;
mod floats;
mod infer;
mod op;
#[cfg(feature = "std")]
mod stored;
mod validate;
pub mod zoo;

pub use crate::device::kernel::params::{Beyond, BinaryKind, PoolKind, ResizeKind};
pub use crate::device::tensor::{Activation, Shape, Window};
pub use builder::{Builder, ConvLayer, Scheme, Seeded, WeightRequest, WeightRole, WeightSource};
pub use constant::Constant;
pub use edit::{Graph, Node, NodeId, Port, Uses, Value, ValueId};
#[cfg(feature = "std")]
pub(crate) use finite::all_finite;
pub use floats::Floats;
pub use infer::infer;
pub use op::{
    Affine, BatchNorm, Binary, Concat, Conv, ConvTranspose, Dense, GlobalPool, Interpolate, MatMul,
    Normalize, Op, Pad, Pool, PreActivation, Reshape, Resize, Slice, Softmax, Transpose, Unary,
};
#[cfg(feature = "std")]
pub(crate) use stored::{FloatFormat, StoredFloats, WeightFile};
