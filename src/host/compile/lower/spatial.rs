//! Pools and resizes.

use alloc::vec::Vec;

use crate::device::kernel::params::{PoolParams, ResizeParams};
use crate::device::program::record::OpCode;
use crate::device::tensor::{Activation, Extent, Window};
use crate::host::Result;
use crate::host::graph::{GlobalPool, Pool, Resize, ValueId};

use super::super::schedule::Step;
use super::Lowering;

impl Lowering<'_> {
    pub(super) fn pool(&mut self, output: ValueId, op: &Pool) -> Result<()> {
        self.push_pool(output, op.input, op.window, op.kind as u32)
    }

    /// A pool whose window is the whole picture.
    pub(super) fn global_pool(&mut self, output: ValueId, op: &GlobalPool) -> Result<()> {
        let Extent { h, w, .. } = Extent::of(&self.graph.shape(op.input));
        self.push_pool(output, op.input, Window::new(h, w), op.kind as u32)
    }

    fn push_pool(&mut self, output: ValueId, input: ValueId, window: Window, kind: u32) -> Result<()> {
        let extents = [input, output].map(|value| Extent::of(&self.graph.shape(value)));
        let activation = Activation::IDENTITY;
        let params = PoolParams { input: extents[0], output: extents[1], window, kind, activation };
        self.push_one_to_one(OpCode::Pool, &params, [input, output], extents)
    }

    pub(super) fn resize(&mut self, output: ValueId, op: &Resize) -> Result<()> {
        let extents = [op.input, output].map(|value| Extent::of(&self.graph.shape(value)));
        let params = ResizeParams {
            input: extents[0],
            output: extents[1],
            kind: op.kind as u32,
            scale_y: op.scale[0],
            scale_x: op.scale[1],
            offset_y: op.offset[0],
            offset_x: op.offset[1],
        };
        self.push_one_to_one(OpCode::Resize, &params, [op.input, output], extents)
    }

    fn push_one_to_one(
        &mut self,
        code: OpCode,
        params: &impl bytemuck::Pod,
        [input, output]: [ValueId; 2],
        extents: [Extent; 2],
    ) -> Result<()> {
        let source = self.source(input, extents[0])?;
        let sink = self.output(output, extents[1])?;
        self.push(Step::new(code, params, [source, Vec::new(), Vec::new()], sink));
        Ok(())
    }
}
