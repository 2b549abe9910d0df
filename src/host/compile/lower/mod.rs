//! Lowering: each node becomes the kernel calls that compute it, each value a place in buffers.
//!
//! Flows in: a checked graph and an order of its nodes; flows out: a [`Schedule`]. What only moves elements (concatenation,
//! reshape, slices) becomes another view of the same buffers, or waits until a reader needs it gapless. Called by `compile`.

mod arrange;
mod elementwise;
mod layout;
mod matmul;
mod movement;
mod multiply;
mod normalize;
mod spatial;

use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use crate::device::kernel::params::MapParams;
use crate::device::program::record::{BufferClass, OpCode};
use crate::device::tensor::{Activation, Extent, Segment, Shape};
use crate::host::graph::{Graph, Node, NodeId, Op, ValueId};
use crate::host::{Error, ErrorKind, Result};

use self::arrange::Arrangement;
use self::layout::Layout;
use super::CompileOptions;
use super::schedule::{Port, Recipe, Schedule, Step, too_large};

/// The schedule that computes the graph's nodes in this order. Each of its steps writes a buffer of its own, so the steps may
/// still change places; `share` lets them write over what dies.
pub(super) fn lower(graph: &Graph, order: &[NodeId], options: &CompileOptions) -> Result<Schedule> {
    let mut lowering = Lowering::new(graph, order, options);
    lowering.place_inputs()?;
    for node in order.iter().filter_map(|&id| graph.node(id)) {
        lowering.node = node.name.clone();
        lowering.lower_node(node).map_err(|error| error.at_node(&node.name, node.op.name()))?;
    }
    lowering.place_outputs()?;
    Ok(lowering.schedule)
}

/// The work in progress.
struct Lowering<'g> {
    graph: &'g Graph,
    options: &'g CompileOptions,
    /// How many operands and outputs name each value.
    readers: Vec<u32>,
    /// Where each value lies, once it exists.
    places: Vec<Option<Location>>,
    /// The name of the node that is being lowered.
    node: String,
    /// The buffers that the output of the step which is pushed next may be written over.
    over: Vec<u32>,
    schedule: Schedule,
}

/// Where a value lies.
#[derive(Clone, Debug)]
enum Location {
    /// In buffers.
    Placed(Layout),
    /// Nowhere yet: an arrangement of what lies gapless at `root`, made when a reader needs it.
    Arranged { root: Segment, arrangement: Arrangement },
}

impl<'g> Lowering<'g> {
    fn new(graph: &'g Graph, order: &[NodeId], options: &'g CompileOptions) -> Self {
        Self {
            graph,
            options,
            readers: readers(graph, order),
            places: vec![None; graph.values().len()],
            node: String::new(),
            over: Vec::new(),
            schedule: Schedule::default(),
        }
    }

    fn lower_node(&mut self, node: &Node) -> Result<()> {
        let output = node.output;
        match &node.op {
            Op::Conv(op) => self.conv(output, op),
            Op::ConvTranspose(op) => self.conv_transpose(output, op),
            Op::Dense(op) => self.dense(output, op),
            Op::BatchNorm(op) => self.batch_norm(op),
            Op::Affine(op) => self.affine(output, op),
            Op::MatMul(op) => self.matmul(output, op),
            Op::Pool(op) => self.pool(output, op),
            Op::GlobalPool(op) => self.global_pool(output, op),
            Op::Binary(op) => self.binary(output, op),
            Op::Unary(op) => self.unary(output, op),
            Op::Softmax(op) => self.softmax(output, op),
            Op::Normalize(op) => self.normalize(output, op),
            Op::Resize(op) => self.resize(output, op),
            Op::Interpolate(op) => self.interpolate(output, op),
            Op::Concat(op) => self.concat(output, op),
            Op::Reshape(op) => self.reshape(output, op),
            Op::Transpose(op) => self.transpose(output, op),
            Op::Slice(op) => self.slice(output, op),
            Op::Pad(op) => self.pad(output, op),
        }?;
        if self.graph.is_output(output) { self.settle_output(output) } else { Ok(()) }
    }

    fn place_inputs(&mut self) -> Result<()> {
        for port in &self.graph.inputs {
            let value = self.graph.value(port.value);
            let extent = Extent::of(&value.shape);
            let segment = self.new_buffer(port.value, extent, BufferClass::Input)?;
            let (name, shape, layout) = (value.name.clone(), value.shape, port.layout);
            self.schedule.inputs.push(Port { name, shape, layout, segment });
        }
        Ok(())
    }

    fn place_outputs(&mut self) -> Result<()> {
        for port in &self.graph.outputs {
            self.settle_output(port.value)?;
            let value = self.graph.value(port.value);
            let segment = self.single(port.value, Extent::of(&value.shape))?;
            self.schedule.buffers[segment.buffer as usize].class = BufferClass::Output;
            let (name, shape, layout) = (value.name.clone(), value.shape, port.layout);
            self.schedule.outputs.push(Port { name, shape, layout, segment });
        }
        Ok(())
    }

    /// Makes an output of the network lie gapless, from the start of a buffer that is no input.
    fn settle_output(&mut self, value: ValueId) -> Result<()> {
        let layout = self.layout(value)?;
        let is_settled = layout.contiguous().is_some_and(|segment| {
            let buffer = &self.schedule.buffers[segment.buffer as usize];
            segment.rows.base == 0 && buffer.class != BufferClass::Input
        });
        if is_settled { Ok(()) } else { self.copy(value, &layout).map(|_| ()) }
    }

    /// The segments of an operand, seen as `extent`.
    fn source(&mut self, value: ValueId, extent: Extent) -> Result<Vec<Segment>> {
        let layout = self.layout(value)?;
        let layout = match layout.viewed(extent) {
            Some(view) => view,
            None => self.copied(value, extent)?,
        };
        Ok(layout.segments)
    }

    /// An operand as one gapless segment, seen as `extent`.
    fn single(&mut self, value: ValueId, extent: Extent) -> Result<Segment> {
        let layout = self.layout(value)?;
        if let Some(segment) = layout.viewed(extent).as_ref().and_then(Layout::contiguous) {
            return Ok(*segment);
        }
        let layout = self.copied(value, extent)?;
        layout.contiguous().copied().ok_or_else(|| too_large(&self.graph.value(value).name))
    }

    /// A copy of an operand, seen as `extent`.
    fn copied(&mut self, value: ValueId, extent: Extent) -> Result<Layout> {
        let layout = self.layout(value)?;
        let copy = self.copy(value, &layout)?;
        copy.viewed(extent).ok_or_else(|| too_large(&self.graph.value(value).name))
    }

    /// Where a value lies in buffers; constants and arrangements are made now.
    fn layout(&mut self, value: ValueId) -> Result<Layout> {
        match self.places[value.index()].clone() {
            Some(Location::Placed(layout)) => Ok(layout),
            Some(Location::Arranged { root, arrangement }) => {
                self.rearrange(value, Extent::of(&self.graph.shape(value)), root, &arrangement)
            }
            None => self.constant_in_buffer(value),
        }
    }

    /// Copies a value into a gapless buffer of its own, where later readers find it.
    fn copy(&mut self, value: ValueId, layout: &Layout) -> Result<Layout> {
        let extent = layout.extent;
        let sink = self.new_buffer(value, extent, BufferClass::Activation)?;
        let params = MapParams { extent, activation: Activation::IDENTITY };
        let sources = [layout.segments.clone(), Vec::new(), Vec::new()];
        let step = Step::new(OpCode::Map, &params, sources, sink);
        self.push_helper(value, step);
        self.layout(value)
    }

    /// Writes a constant of the graph into a buffer, for operators that read buffers only.
    fn constant_in_buffer(&mut self, value: ValueId) -> Result<Layout> {
        let shape = self.graph.shape(value);
        if self.graph.floats(value).is_none() {
            let reason =
                format!("value '{}' is neither made by a node nor a constant", self.graph.value(value).name);
            return Err(Error::new(ErrorKind::Invalid, reason));
        }
        let extent = Extent::of(&shape);
        let sink = self.new_buffer(value, extent, BufferClass::Activation)?;
        let params = MapParams { extent, activation: Activation::IDENTITY };
        let mut step = Step::new(OpCode::Map, &params, Default::default(), sink);
        let place = self.schedule.constants.add(Recipe::Plain(value), shape.len());
        step.places = vec![None, None, Some(place)];
        self.push_helper(value, step);
        self.layout(value)
    }

    /// A buffer for a value that nobody has made yet.
    fn new_buffer(&mut self, value: ValueId, extent: Extent, class: BufferClass) -> Result<Segment> {
        let name = &self.graph.value(value).name;
        let len = extent.checked_len().ok_or_else(|| too_large(name))?;
        let buffer = self.schedule.add_buffer(name, class, len)?;
        let layout = Layout::whole(buffer, extent).ok_or_else(|| too_large(name))?;
        let segment = layout.segments[0];
        self.places[value.index()] = Some(Location::Placed(layout));
        Ok(segment)
    }

    /// The output of an element-wise operator, over one of its operands if it may.
    fn output_in_place(
        &mut self,
        value: ValueId,
        extent: Extent,
        candidates: &[&[Segment]],
    ) -> Result<Segment> {
        let candidates = if self.options.techniques.in_place { candidates } else { &[] };
        self.output_over(value, extent, candidates)
    }

    /// The output of an operator that may be written over an operand: over one of `candidates` that is a whole buffer, if nobody
    /// reads it later. Which one that is, is known when the steps have their order.
    fn output_over(&mut self, value: ValueId, extent: Extent, candidates: &[&[Segment]]) -> Result<Segment> {
        let sink = self.output(value, extent)?;
        let buffers = &self.schedule.buffers;
        let len = buffers[sink.buffer as usize].len;
        let is_whole = |segment: &Segment| {
            segment.rows.is_contiguous(&extent) && buffers[segment.buffer as usize].len == len
        };
        let whole = |segments: &&[Segment]| match segments {
            [segment] if is_whole(segment) => Some(segment.buffer),
            _ => None,
        };
        self.over = candidates.iter().filter_map(whole).collect();
        Ok(sink)
    }

    /// The output of an operator in a buffer of its own.
    fn output(&mut self, value: ValueId, extent: Extent) -> Result<Segment> {
        self.new_buffer(value, extent, BufferClass::Activation)
    }

    /// A buffer for `len` elements that no value of the graph owns, as one run.
    fn temporary(&mut self, len: u32) -> Result<Segment> {
        let buffer = self.schedule.add_buffer(&self.node, BufferClass::Activation, len)?;
        let layout = Layout::whole(buffer, Extent::flat(len)).ok_or_else(|| too_large(&self.node))?;
        Ok(layout.segments[0])
    }

    /// A buffer for `len` elements of scratch of the step that is pushed next; none for 0.
    fn scratch(&mut self, len: Option<u32>) -> Result<Option<u32>> {
        let name = &self.node;
        let len = len.ok_or_else(|| too_large(name))?;
        if len == 0 {
            return Ok(None);
        }
        self.schedule.add_buffer(&format!("{name} (scratch)"), BufferClass::Scratch, len).map(Some)
    }

    /// Appends a step of the current node.
    fn push(&mut self, mut step: Step) {
        step.name = self.node.clone();
        step.over = core::mem::take(&mut self.over);
        self.schedule.steps.push(step);
    }

    /// Appends a step that only brings a value into another place.
    fn push_helper(&mut self, value: ValueId, mut step: Step) {
        step.name = self.graph.value(value).name.clone();
        self.schedule.steps.push(step);
    }

    /// The floats of a constant operand.
    fn require_constant(&self, value: ValueId, what: &str) -> Result<()> {
        if self.graph.floats(value).is_some() {
            return Ok(());
        }
        let reason = format!("its {what} '{}' is no constant", self.graph.value(value).name);
        Err(Error::new(ErrorKind::Unsupported, reason)
            .remedy(format!("export the model with a constant {what}")))
    }
}

/// How many operands and outputs name each value.
fn readers(graph: &Graph, order: &[NodeId]) -> Vec<u32> {
    let mut readers = vec![0; graph.values().len()];
    let operands = order.iter().filter_map(|&id| graph.node(id)).flat_map(|node| node.op.inputs());
    for value in operands.chain(graph.outputs.iter().map(|port| port.value)) {
        readers[value.index()] += 1;
    }
    readers
}

/// The size of a tensor whose channels are its last axis: rank 4 as it is, all others `[1, 1, rest, c]`.
fn channelwise(shape: &Shape) -> Extent {
    match *shape.dims() {
        [n, h, w, c] => Extent::new(n, h, w, c),
        [] => Extent::flat(1),
        [ref outer @ .., c] => Extent::new(1, 1, outer.iter().product(), c),
    }
}
