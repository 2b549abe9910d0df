//! Operators that move elements: most only change the view; the others become one rearrangement, made when it is read.

use alloc::vec::Vec;

use crate::device::kernel::params::SoftmaxParams;
use crate::device::program::record::{BufferClass, OpCode};
use crate::device::tensor::{Extent, Segment, Shape};
use crate::host::Result;
use crate::host::graph::{Concat, Pad, Reshape, Slice, Softmax, Transpose, ValueId};

use super::super::schedule::{Step, too_large};
use super::arrange::Arrangement;
use super::layout::Layout;
use super::{Location, Lowering};

impl Lowering<'_> {
    /// A list of segments; parts that only a copy could make into segments are copied first.
    pub(super) fn concat(&mut self, output: ValueId, op: &Concat) -> Result<()> {
        let mut parts = Vec::new();
        for &input in &op.inputs {
            let extent = split_at(&self.graph.shape(input), op.axis);
            let layout = self.layout(input)?;
            parts.push(match layout.viewed(extent) {
                Some(view) => view,
                None => self.copied(input, extent)?,
            });
        }
        let layout = Layout::joined(parts).ok_or_else(|| too_large(&self.graph.value(output).name))?;
        let is_copied = !self.options.techniques.segments && layout.segments.len() > 1;
        self.places[output.index()] = Some(Location::Placed(layout.clone()));
        if is_copied { self.copy(output, &layout).map(|_| ()) } else { Ok(()) }
    }

    /// The same place, or the same arrangement, under another shape.
    pub(super) fn reshape(&mut self, output: ValueId, op: &Reshape) -> Result<()> {
        if self.rearranged(output, op.input, |old| old.reshaped(op.shape.dims())) {
            return Ok(());
        }
        let layout = self.layout(op.input)?;
        self.places[output.index()] = Some(Location::Placed(layout));
        Ok(())
    }

    /// A view where the steps allow it: any channels, every `step`th row and pixel.
    pub(super) fn slice(&mut self, output: ValueId, op: &Slice) -> Result<()> {
        let shape = self.graph.shape(op.input);
        if let Some(view) = self.sliced_view(&shape, op)? {
            self.places[output.index()] = Some(Location::Placed(view));
            return Ok(());
        }
        self.arrange(output, op.input, |old| old.sliced(&op.start, &op.len, &op.step))
    }

    fn sliced_view(&mut self, shape: &Shape, op: &Slice) -> Result<Option<Layout>> {
        // What several nodes read is made once, and their slices are views of it.
        let is_arranged = matches!(self.places[op.input.index()], Some(Location::Arranged { .. }));
        if is_arranged && self.readers[op.input.index()] == 1 {
            return Ok(None);
        }
        let full = |axis: usize| (op.start[axis], op.len[axis], op.step[axis]) == (0, shape.dims()[axis], 1);
        let Some(last) = (0..shape.rank()).rev().find(|&axis| !full(axis)) else {
            return self.layout(op.input).map(Some);
        };
        let is_only = (0..last).all(full);
        if shape.rank() == 4 && op.step[3] == 1 && op.step.iter().all(|&step| step > 0) {
            let Some(view) = self.layout(op.input)?.viewed(Extent::of(shape)) else { return Ok(None) };
            let three = |list: &[u32]| [list[0], list[1], list[2]];
            let step = [op.step[0], op.step[1], op.step[2]].map(i32::unsigned_abs);
            let view = view.strided(three(&op.start), three(&op.len), step);
            return Ok(view.map(|view| view.channels(op.start[3], op.len[3])));
        }
        if is_only && op.step[last] == 1 {
            // One axis: a channel range of the tensor seen as [outer, axis · inner].
            let Some(view) = self.layout(op.input)?.viewed(split_at(shape, last)) else { return Ok(None) };
            let inner: u32 = shape.dims()[last + 1..].iter().product();
            return Ok(Some(view.channels(op.start[last] * inner, op.len[last] * inner)));
        }
        Ok(None)
    }

    /// The same place, if only axes of length 1 move.
    pub(super) fn transpose(&mut self, output: ValueId, op: &Transpose) -> Result<()> {
        let shape = self.graph.shape(op.input);
        let moving: Vec<usize> = op.perm.iter().copied().filter(|&axis| shape.dims()[axis] != 1).collect();
        if moving.is_sorted() {
            return self.reshape(output, &Reshape { input: op.input, shape: self.graph.shape(output) });
        }
        self.arrange(output, op.input, |old| Some(old.transposed(&op.perm)))
    }

    pub(super) fn pad(&mut self, output: ValueId, op: &Pad) -> Result<()> {
        self.arrange(output, op.input, |old| old.padded(&op.before, &op.after, op.beyond, op.value))
    }

    /// Notes that a value is an arrangement of another one; one of an arrangement that nobody else reads is made in one step.
    fn arrange(
        &mut self,
        output: ValueId,
        input: ValueId,
        arranged: impl Fn(&Arrangement) -> Option<Arrangement>,
    ) -> Result<()> {
        if self.rearranged(output, input, &arranged) {
            return Ok(());
        }
        let shape = self.graph.shape(input);
        let root = self.single(input, Extent::flat(shape.len()))?;
        let identity = Arrangement::identity(shape.dims());
        let arrangement = arranged(&identity).ok_or_else(|| too_large(&self.graph.value(output).name))?;
        self.places[output.index()] = Some(Location::Arranged { root, arrangement });
        Ok(())
    }

    /// Notes that a value is an arrangement of an arrangement that nobody else reads, if one step can make it.
    fn rearranged(
        &mut self,
        output: ValueId,
        input: ValueId,
        arranged: impl Fn(&Arrangement) -> Option<Arrangement>,
    ) -> bool {
        let Some(Location::Arranged { root, arrangement }) = &self.places[input.index()] else {
            return false;
        };
        let joint = if self.readers[input.index()] == 1 { arranged(arrangement) } else { None };
        let Some(arrangement) = joint.filter(|joint| joint.params(root.channels).is_some()) else {
            return false;
        };
        self.places[output.index()] = Some(Location::Arranged { root: *root, arrangement });
        true
    }

    /// Makes an arrangement in a buffer of its own, seen as `extent`.
    pub(super) fn rearrange(
        &mut self,
        value: ValueId,
        extent: Extent,
        root: Segment,
        arrangement: &Arrangement,
    ) -> Result<Layout> {
        let graph = self.graph;
        let limit = || too_large(&graph.value(value).name);
        let params = arrangement.params(root.channels).ok_or_else(limit)?;
        let buffer = self.new_buffer(value, extent, BufferClass::Activation)?.buffer;
        let len = extent.checked_len().ok_or_else(limit)?;
        let sink = Layout::whole(buffer, Extent::flat(len)).ok_or_else(limit)?.segments[0];
        let step = Step::new(OpCode::Rearrange, &params, [Vec::from([root]), Vec::new(), Vec::new()], sink);
        self.push_helper(value, step);
        self.layout(value)
    }

    pub(super) fn softmax(&mut self, output: ValueId, op: &Softmax) -> Result<()> {
        let shape = self.graph.shape(op.input);
        let dims = shape.dims();
        let axis = dims.get(op.axis).copied().unwrap_or(1);
        let params = SoftmaxParams {
            outer: dims[..op.axis.min(dims.len())].iter().product(),
            axis,
            inner: dims.get(op.axis + 1..).unwrap_or(&[]).iter().product(),
            log: u32::from(op.log),
        };
        let extent = Extent::flat(shape.len());
        let source = Vec::from([self.single(op.input, extent)?]);
        let sink = self.output_in_place(output, extent, &[&source])?;
        self.push(Step::new(OpCode::Softmax, &params, [source, Vec::new(), Vec::new()], sink));
        Ok(())
    }
}

/// The shape with everything from `axis` on as channels: rank 4 and its last axis as it is, else `[1, 1, outer, axis · inner]`.
fn split_at(shape: &Shape, axis: usize) -> Extent {
    if shape.rank() == 4 && axis == 3 {
        return Extent::of(shape);
    }
    let (outer, inner) = shape.dims().split_at(axis.min(shape.rank()));
    Extent::new(1, 1, outer.iter().product(), inner.iter().product())
}
