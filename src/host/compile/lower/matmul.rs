//! Products of two activations: the second factor is laid out as the weights of a convolution, which then multiplies.
//!
//! One matrix kernel serves all products. A stack of second factors makes a grouped convolution of one pixel a row: each group's
//! channels are a segment, one matrix of the first factor, so that nothing of it moves.

use alloc::vec::Vec;

use crate::device::kernel::params::{Beyond, ConvAlgorithm, ConvParams};
use crate::device::program::record::OpCode;
use crate::device::simd::LANES;
use crate::device::tensor::{Activation, Extent, Rows, Segment, Window};
use crate::host::Result;
use crate::host::graph::{MatMul, ValueId};

use super::super::schedule::{Step, too_large};
use super::arrange::Arrangement;
use super::layout::Layout;
use super::{Location, Lowering};

/// Outputs of a panel of weights.
const PANEL: u32 = LANES as u32;

impl Lowering<'_> {
    pub(super) fn matmul(&mut self, output: ValueId, op: &MatMul) -> Result<()> {
        let (a, b) = (self.graph.shape(op.a), self.graph.shape(op.b));
        let (&[stack_a, rows, k], &[groups, _, columns]) = (a.dims(), b.dims()) else { return Ok(()) };
        // One second factor: all matrices of the first are rows of one.
        let rows = if groups == 1 { rows * stack_a } else { rows };
        let limit = |len: Option<u32>| len.ok_or_else(|| too_large(&self.node));
        let (inputs, outputs) = (limit(k.checked_mul(groups))?, limit(columns.checked_mul(groups))?);
        let algorithm = if groups == 1 { ConvAlgorithm::Pointwise } else { ConvAlgorithm::Im2col };
        let params = ConvParams {
            input: Extent::new(1, rows, 1, inputs),
            output: Extent::new(1, rows, 1, outputs),
            window: Window::new(1, 1),
            groups,
            algorithm: algorithm as u32,
            activation: op.activation,
            prologue: Activation::IDENTITY,
        };
        let weights = self.panels(op.b, [groups, k, columns])?;
        let source = if groups == 1 {
            self.source(op.a, params.input)?
        } else {
            self.stack(op.a, Extent::new(stack_a, rows, 1, k), groups)?
        };
        let sink = self.product(output, [rows, groups, columns], params.output)?;
        let mut step = Step::new(OpCode::Conv, &params, [source, Vec::new(), Vec::new()], sink);
        step.weights = Some(weights);
        step.scratch = self.conv_scratch(&params, step.sources[0].len() > 1)?;
        self.push(step);
        Ok(())
    }

    /// The matrices of a stack as one segment each, `groups` in all.
    fn stack(&mut self, value: ValueId, extent: Extent, groups: u32) -> Result<Vec<Segment>> {
        let layout = self.layout(value)?.viewed(extent).filter(|layout| layout.segments.len() == 1);
        let layout = match layout {
            Some(layout) => layout,
            None => self.copied(value, extent)?,
        };
        let Some(&Segment { rows, channels, buffer }) = layout.segments.first() else {
            return Ok(Vec::new());
        };
        let matrix = |group: u32| {
            let base = rows.base + if extent.n == 1 { 0 } else { group * rows.image_stride };
            Segment { rows: Rows { base, ..rows }, channels, buffer }
        };
        Ok((0..groups).map(matrix).collect())
    }

    /// Where the product is written: `[rows, groups, columns]`, which the value is a transposition of.
    fn product(&mut self, output: ValueId, dims: [u32; 3], extent: Extent) -> Result<Segment> {
        let [rows, groups, _] = dims;
        if rows == 1 || groups == 1 {
            return self.output(output, extent);
        }
        let len = extent.checked_len().ok_or_else(|| too_large(&self.node))?;
        let root = self.temporary(len)?;
        let arrangement = Arrangement::identity(&dims).transposed(&[1, 0, 2]);
        self.places[output.index()] = Some(Location::Arranged { root, arrangement });
        Ok(Layout::whole(root.buffer, extent).ok_or_else(|| too_large(&self.node))?.segments[0])
    }

    /// A stack `[groups, k, columns]` as panels of weights, `[group][panel][k][16]`, zeros behind the last column.
    fn panels(&mut self, value: ValueId, dims: [u32; 3]) -> Result<Segment> {
        let [groups, k, columns] = dims;
        let whole = columns.next_multiple_of(PANEL);
        let padding = [0, 0, whole - columns];
        let waiting = match &self.places[value.index()] {
            Some(Location::Arranged { root, arrangement }) if self.readers[value.index()] == 1 => {
                let padded = arrangement.padded(&[0; 3], &padding, Beyond::Fill, 0.0);
                padded.filter(|padded| padded.params(root.channels).is_some()).map(|padded| (*root, padded))
            }
            _ => None,
        };
        let (root, padded) = match waiting {
            Some(waiting) => waiting,
            None => {
                let root = self.single(value, Extent::flat(self.graph.shape(value).len()))?;
                let padded = Arrangement::identity(&dims).padded(&[0; 3], &padding, Beyond::Fill, 0.0);
                (root, padded.ok_or_else(|| too_large(&self.node))?)
            }
        };
        if columns <= PANEL {
            return self.written(root, &padded, [groups, k, PANEL]);
        }
        // Padding is no part of an axis that is cut: it is written first.
        let (root, cut) = match cut(&padded, [groups, k, whole]) {
            Some(cut) if cut.params(root.channels).is_some() => (root, Some(cut)),
            _ => {
                let root = self.written(root, &padded, [groups, k, whole])?;
                (root, cut(&Arrangement::identity(&[groups, k, whole]), [groups, k, whole]))
            }
        };
        self.written(root, &cut.ok_or_else(|| too_large(&self.node))?, [groups, k, whole])
    }

    /// An arrangement in a buffer of its own for this step; `dims` are its size.
    fn written(&mut self, root: Segment, arrangement: &Arrangement, dims: [u32; 3]) -> Result<Segment> {
        let len = dims.iter().try_fold(1u32, |len, dim| len.checked_mul(*dim));
        let params = arrangement.params(root.channels).zip(len);
        let (params, len) = params.ok_or_else(|| too_large(&self.node))?;
        let sink = self.temporary(len)?;
        let sources = [Vec::from([root]), Vec::new(), Vec::new()];
        self.push(Step::new(OpCode::Rearrange, &params, sources, sink));
        Ok(sink)
    }
}

/// `[groups, k, columns]` as `[groups, panels, k, 16]`; `None` if the columns do not read their root from end to end.
fn cut(stack: &Arrangement, [groups, k, columns]: [u32; 3]) -> Option<Arrangement> {
    Some(stack.reshaped(&[groups, k, columns / PANEL, PANEL])?.transposed(&[0, 2, 1, 3]))
}
