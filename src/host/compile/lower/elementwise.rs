//! Element-wise operators. Their output takes the memory of an operand that dies with them.

use alloc::vec::Vec;

use crate::device::kernel::params::{BinaryParams, MapParams};
use crate::device::program::record::OpCode;
use crate::device::tensor::{Activation, Extent, Segment, Shape};
use crate::host::graph::{Affine, BatchNorm, Binary, Unary, ValueId};
use crate::host::{Error, ErrorKind, Result};

use super::super::schedule::{ConstantId, Recipe, Step, too_large};
use super::arrange::Arrangement;
use super::{Lowering, channelwise};

impl Lowering<'_> {
    pub(super) fn unary(&mut self, output: ValueId, op: &Unary) -> Result<()> {
        self.map(output, op.input, op.activation, Vec::new())
    }

    pub(super) fn affine(&mut self, output: ValueId, op: &Affine) -> Result<()> {
        let scale = self.channel_constant(Some(op.scale), "scale")?;
        let shift = self.channel_constant(Some(op.shift), "shift")?;
        self.map(output, op.input, op.activation, Vec::from([scale, shift]))
    }

    /// A batch normalisation that [`legalize`](crate::host::optimize::legalize) has left: one of its parameters is no constant.
    pub(super) fn batch_norm(&self, op: &BatchNorm) -> Result<()> {
        let BatchNorm { scale, bias, mean, variance, .. } = *op;
        for (value, what) in [(scale, "scale"), (bias, "bias"), (mean, "mean"), (variance, "variance")] {
            self.require_constant(value, what)?;
        }
        Err(Error::new(ErrorKind::Invalid, "no kernel computes it"))
    }

    fn map(
        &mut self,
        output: ValueId,
        input: ValueId,
        activation: Activation,
        places: Vec<Option<ConstantId>>,
    ) -> Result<()> {
        let extent = channelwise(&self.graph.shape(input));
        let source = self.source(input, extent)?;
        let sink = self.output_in_place(output, extent, &[&source])?;
        let params = MapParams { extent, activation };
        let mut step = Step::new(OpCode::Map, &params, [source, Vec::new(), Vec::new()], sink);
        step.places = places;
        self.push(step);
        Ok(())
    }

    pub(super) fn binary(&mut self, output: ValueId, op: &Binary) -> Result<()> {
        let shape = self.graph.shape(output);
        let shapes = [self.graph.shape(op.a), self.graph.shape(op.b)];
        // Too many alternations of broadcast: repeat the operands first.
        let extents = collapsed(&shapes[0], &shapes[1], &shape);
        let is_expanded = extents.is_none();
        let extents = extents.unwrap_or([Extent::flat(shape.len()); 3]);
        let [a, b, extent] = extents;
        let [(source_a, place_a), (source_b, place_b)] = if is_expanded {
            [self.expanded(op.a, &shape)?, self.expanded(op.b, &shape)?]
        } else {
            [self.operand(op.a, a)?, self.operand(op.b, b)?]
        };
        // Over an operand of the output's own size, unless the other one reads the same memory in another way.
        let is_free = |over: &[Segment], other: &[Segment]| {
            over == other || over.iter().all(|over| other.iter().all(|other| over.buffer != other.buffer))
        };
        let mut candidates: Vec<&[Segment]> = Vec::new();
        if a == extent && is_free(&source_a, &source_b) {
            candidates.push(&source_a);
        }
        if b == extent && is_free(&source_b, &source_a) {
            candidates.push(&source_b);
        }
        let sink = self.output_in_place(output, extent, &candidates)?;
        let params = BinaryParams { a, b, output: extent, kind: op.kind as u32, activation: op.activation };
        let sources = [source_a, source_b, Vec::new()];
        let mut step = Step::new(OpCode::Binary, &params, sources, sink);
        step.places = Vec::from([place_a, place_b]);
        self.push(step);
        Ok(())
    }

    /// An operand of [`binary`](Self::binary): segments, or a constant.
    fn operand(&mut self, value: ValueId, extent: Extent) -> Result<(Vec<Segment>, Option<ConstantId>)> {
        let is_constant =
            self.graph.floats(value).is_some() && extent.checked_len() == Some(self.graph.shape(value).len());
        if is_constant && self.places[value.index()].is_none() {
            let len = self.graph.shape(value).len();
            return Ok((Vec::new(), Some(self.schedule.constants.add(Recipe::Plain(value), len))));
        }
        Ok((self.source(value, extent)?, None))
    }

    /// An operand repeated to the output's shape, gapless.
    fn expanded(&mut self, value: ValueId, shape: &Shape) -> Result<(Vec<Segment>, Option<ConstantId>)> {
        let own = self.graph.shape(value);
        if own.len() == shape.len() {
            return self.operand(value, Extent::flat(shape.len()));
        }
        let root = self.single(value, Extent::flat(own.len()))?;
        let mut dims = alloc::vec![1; shape.rank() - own.rank()];
        dims.extend_from_slice(own.dims());
        let arrangement = Arrangement::identity(&dims).expanded(shape.dims());
        let arrangement = arrangement.ok_or_else(|| too_large(&self.graph.value(value).name))?;
        // Other readers still find the value as it is.
        let place = self.places[value.index()].clone();
        let layout = self.rearrange(value, Extent::flat(shape.len()), root, &arrangement)?;
        self.places[value.index()] = place;
        Ok((layout.segments, None))
    }
}

/// The extents of both operands and of the output of a broadcast, shape by shape aligned at the last axis. Where there are more
/// than four axes, neighbours that broadcast alike become one; `None` if more than four are left.
fn collapsed(a: &Shape, b: &Shape, output: &Shape) -> Option<[Extent; 3]> {
    let padded = |shape: &Shape, axis: usize| {
        let missing = output.rank() - shape.rank();
        if axis < missing { 1 } else { shape.dims()[axis - missing] }
    };
    let mut axes: Vec<[u32; 3]> = Vec::new();
    for (axis, &len) in output.dims().iter().enumerate() {
        let dims = [padded(a, axis), padded(b, axis), len];
        let pattern = |dims: &[u32; 3]| (dims[0] == dims[2], dims[1] == dims[2]);
        match axes.last_mut() {
            Some(last)
                if output.rank() > 4 && (pattern(last) == pattern(&dims) || len == 1 || last[2] == 1) =>
            {
                for (last, dim) in last.iter_mut().zip(dims) {
                    *last *= dim;
                }
            }
            _ => axes.push(dims),
        }
    }
    let missing = 4usize.checked_sub(axes.len())?;
    let dim = |operand: usize, axis: usize| if axis < missing { 1 } else { axes[axis - missing][operand] };
    Some(core::array::from_fn(|operand| {
        let [n, h, w, c] = core::array::from_fn(|axis| dim(operand, axis));
        Extent::new(n, h, w, c)
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(dims: &[u32]) -> Shape {
        Shape::new(dims).unwrap()
    }

    #[test]
    fn up_to_four_axes_stay_as_they_are() {
        let extents = collapsed(&shape(&[2, 3, 4, 5]), &shape(&[4, 1]), &shape(&[2, 3, 4, 5])).unwrap();
        assert_eq!(extents[1], Extent::new(1, 1, 4, 1));
        assert_eq!(extents[2], Extent::new(2, 3, 4, 5));
    }

    #[test]
    fn more_axes_collapse_where_they_broadcast_alike() {
        let output = shape(&[2, 3, 4, 5, 6]);
        let extents = collapsed(&output, &shape(&[2, 3, 1, 5, 6]), &output).unwrap();
        assert_eq!(extents[0], Extent::new(1, 6, 4, 30));
        assert_eq!(extents[1], Extent::new(1, 6, 1, 30));
        assert_eq!(collapsed(&output, &shape(&[2, 1, 4, 1, 6]), &output), None);
    }
}
