//! Layers that move elements and compute none.

use alloc::vec;
use alloc::vec::Vec;

use crate::device::kernel::params::Beyond;
use crate::device::tensor::Shape;
use crate::host::Result;

use super::super::{Concat, Op, Pad, Reshape, Slice, Transpose, ValueId};
use super::Builder;

impl Builder<'_> {
    /// Any operator.
    ///
    /// # Errors
    /// As [`Builder::conv`].
    pub fn op(&mut self, op: Op) -> Result<ValueId> {
        self.add(&op.name().to_lowercase(), op)
    }

    /// A concatenation along the channels (the last axis).
    ///
    /// # Errors
    /// As [`Builder::conv`].
    pub fn concat(&mut self, parts: &[ValueId]) -> Result<ValueId> {
        let axis = parts.first().map_or(0, |&part| self.shape(part).rank().saturating_sub(1));
        self.add("concat", Op::Concat(Concat { inputs: parts.to_vec(), axis }))
    }

    /// The same elements, in storage order, in another shape.
    ///
    /// # Errors
    /// As [`Builder::conv`].
    pub fn reshape(&mut self, x: ValueId, shape: Shape) -> Result<ValueId> {
        self.add("reshape", Op::Reshape(Reshape { input: x, shape }))
    }

    /// `[n, …]` to `[n, elements of each]`, in storage order: a picture's channels are neighbours, unlike in models that store
    /// `[n, c, h, w]` (after a global pool it is the same).
    ///
    /// # Errors
    /// As [`Builder::conv`].
    pub fn flatten(&mut self, x: ValueId) -> Result<ValueId> {
        let shape = self.shape(x);
        let rows = shape.dims().first().copied().unwrap_or(1);
        let columns = shape.len().checked_div(rows).unwrap_or(0);
        self.add("flatten", Op::Reshape(Reshape { input: x, shape: Shape::matrix(rows, columns) }))
    }

    /// `output.dims[i] = x.dims[perm[i]]`
    ///
    /// # Errors
    /// As [`Builder::conv`].
    pub fn transpose(&mut self, x: ValueId, perm: &[usize]) -> Result<ValueId> {
        self.add("transpose", Op::Transpose(Transpose { input: x, perm: perm.to_vec() }))
    }

    /// Every `step`-th row and column of `[n, h, w, c]`, from the first on.
    ///
    /// # Errors
    /// As [`Builder::conv`].
    pub fn subsample(&mut self, x: ValueId, step: u32) -> Result<ValueId> {
        let mut len = self.shape(x).dims().to_vec();
        let mut steps = vec![1; len.len()];
        for axis in (1..len.len()).take(2) {
            len[axis] = len[axis].div_ceil(step.max(1));
            steps[axis] = step as i32;
        }
        let start = vec![0; len.len()];
        self.add("slice", Op::Slice(Slice { input: x, start, len, step: steps }))
    }

    /// Zero channels (last axis) before and behind.
    ///
    /// # Errors
    /// As [`Builder::conv`].
    pub fn pad_channels(&mut self, x: ValueId, before: u32, after: u32) -> Result<ValueId> {
        let outer = self.shape(x).rank().saturating_sub(1);
        let last_only = |count: u32| -> Vec<u32> { (0..outer).map(|_| 0).chain([count]).collect() };
        let (before, after) = (last_only(before), last_only(after));
        self.add("pad", Op::Pad(Pad { input: x, before, after, beyond: Beyond::Fill, value: 0.0 }))
    }
}
