//! Constant tensors.

use alloc::sync::Arc;
use alloc::vec::Vec;

use super::Floats;
use crate::device::tensor::DType;

/// The data of a constant tensor, in storage order; cheap to clone.
#[derive(Clone, Debug, PartialEq)]
pub enum Constant {
    /// `float32`
    F32(Floats),
    /// `int64` (shapes, axes, indices)
    I64(Arc<[i64]>),
}

impl Constant {
    /// A `float32` constant.
    pub fn f32(data: impl Into<Vec<f32>>) -> Self {
        Self::F32(data.into().into())
    }

    /// An `int64` constant.
    pub fn i64(data: impl Into<Vec<i64>>) -> Self {
        Self::I64(data.into().into())
    }

    /// The element type.
    pub const fn dtype(&self) -> DType {
        match self {
            Self::F32(_) => DType::F32,
            Self::I64(_) => DType::I64,
        }
    }

    /// Elements.
    pub fn len(&self) -> usize {
        match self {
            Self::F32(data) => data.len(),
            Self::I64(data) => data.len(),
        }
    }

    /// Does it hold no element?
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The floats as a slice, if it holds floats. Those that lie in a file are read now, and kept.
    pub fn as_f32(&self) -> Option<&[f32]> {
        self.floats().map(|floats| &**floats)
    }

    /// The floats, in memory or in a file, if it holds floats.
    pub const fn floats(&self) -> Option<&Floats> {
        if let Self::F32(floats) = self { Some(floats) } else { None }
    }

    /// The integers, if it holds integers.
    pub fn as_i64(&self) -> Option<&[i64]> {
        if let Self::I64(data) = self { Some(data) } else { None }
    }
}
