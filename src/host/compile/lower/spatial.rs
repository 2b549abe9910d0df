//! Pools and resizes.

use alloc::vec::Vec;

use crate::device::kernel::interpolate_f32_scratch_len;
use crate::device::kernel::params::{InterpolateParams, PoolParams, ResizeParams};
use crate::device::program::record::OpCode;
use crate::device::tensor::{Activation, Extent, Window};
use crate::host::Result;
use crate::host::graph::{GlobalPool, Interpolate, Pool, Resize, ValueId};

use super::super::schedule::{Recipe, Step};
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

    pub(super) fn interpolate(&mut self, output: ValueId, op: &Interpolate) -> Result<()> {
        let [input, out] = [op.input, output].map(|value| Extent::of(&self.graph.shape(value)));
        let mut places = Vec::new();
        for (table, what) in [(op.rows, "table of rows"), (op.columns, "table of columns")] {
            self.require_constant(table, what)?;
            let len = self.graph.shape(table).len();
            places.push(Some(self.schedule.constants.add(Recipe::Plain(table), len)));
        }
        let taps = |table: ValueId| self.graph.shape(table).dims().get(1).map_or(0, |entry| entry - 1);
        let (taps_y, taps_x) = (taps(op.rows), taps(op.columns));
        let params = InterpolateParams { input, output: out, taps_y, taps_x, fill: op.fill };
        let source = self.source(op.input, input)?;
        let sink = self.output(output, out)?;
        let mut step = Step::new(OpCode::Interpolate, &params, [source, Vec::new(), Vec::new()], sink);
        step.places = places;
        step.scratch = self.scratch(interpolate_f32_scratch_len(&params))?;
        self.push(step);
        Ok(())
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
