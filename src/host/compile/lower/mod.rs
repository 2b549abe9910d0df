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

/// The schedule that computes the graph's nodes in this order.
pub(super) fn lower(graph: &Graph, order: &[NodeId], options: &CompileOptions) -> Result<Schedule> {
    let mut lowering = Lowering::new(graph, order, options);
    lowering.place_inputs()?;
    for (position, &id) in order.iter().enumerate() {
        let Some(node) = graph.node(id) else { continue };
        lowering.position = position;
        lowering.node = node.name.clone();
        lowering.lower_node(node).map_err(|error| error.at_node(&node.name, node.op.name()))?;
    }
    lowering.place_outputs()?;
    lowering.schedule.find_lives();
    Ok(lowering.schedule)
}

/// The work in progress.
struct Lowering<'g> {
    graph: &'g Graph,
    options: &'g CompileOptions,
    /// The last position in the order at which each value is read, also through views; `usize::MAX` for outputs.
    last_read: Vec<usize>,
    /// How many operands and outputs name each value.
    readers: Vec<u32>,
    /// The last position at which what each buffer holds is read.
    needed_until: Vec<usize>,
    /// Where each value lies, once it exists.
    places: Vec<Option<Location>>,
    /// The position of the node that is being lowered.
    position: usize,
    /// Its name.
    node: String,
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
        let (last_read, readers) = reads(graph, order);
        Self {
            graph,
            options,
            last_read,
            readers,
            needed_until: Vec::new(),
            places: vec![None; graph.values().len()],
            position: 0,
            node: String::new(),
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
        self.needed_until.push(self.last_read[value.index()]);
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

    /// The output of an operator that may write over an operand: over the first of `candidates` that lies gapless and is not
    /// read after this step, else in a new buffer.
    fn output_over(&mut self, value: ValueId, extent: Extent, candidates: &[&[Segment]]) -> Result<Segment> {
        let over = candidates.iter().find_map(|segments| self.dying(value, extent, segments));
        let Some(segment) = over else { return self.output(value, extent) };
        let needed = &mut self.needed_until[segment.buffer as usize];
        *needed = (*needed).max(self.last_read[value.index()]);
        self.places[value.index()] = Some(Location::Placed(Layout { extent, segments: vec![segment] }));
        Ok(segment)
    }

    /// The output of an operator in a buffer of its own.
    fn output(&mut self, value: ValueId, extent: Extent) -> Result<Segment> {
        self.new_buffer(value, extent, BufferClass::Activation)
    }

    /// The operand's only segment, if `value` may take its memory after the current step. An input's memory never becomes an
    /// output: the caller may fill the one while it reads the other.
    fn dying(&self, value: ValueId, extent: Extent, segments: &[Segment]) -> Option<Segment> {
        let [segment] = segments else { return None };
        let buffer = segment.buffer as usize;
        let is_input = self.schedule.buffers[buffer].class == BufferClass::Input;
        let may = segment.rows.is_contiguous(&extent)
            && self.needed_until[buffer] <= self.position
            && !(is_input && self.last_read[value.index()] == usize::MAX);
        may.then_some(*segment)
    }

    /// A buffer for `len` elements that no value of the graph owns, as one run; it is needed until this position.
    fn temporary(&mut self, len: u32, needed_until: usize) -> Result<Segment> {
        let buffer = self.schedule.add_buffer(&self.node, BufferClass::Activation, len)?;
        self.needed_until.push(needed_until);
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
        let buffer = self.schedule.add_buffer(&format!("{name} (scratch)"), BufferClass::Scratch, len)?;
        self.needed_until.push(self.position);
        Ok(Some(buffer))
    }

    /// Appends a step of the current node.
    fn push(&mut self, mut step: Step) {
        step.name = self.node.clone();
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

/// The last position at which each value is read, also through operators that may only change the view; and how often.
fn reads(graph: &Graph, order: &[NodeId]) -> (Vec<usize>, Vec<u32>) {
    let mut last = vec![0; graph.values().len()];
    let mut readers = vec![0; graph.values().len()];
    for port in &graph.outputs {
        last[port.value.index()] = usize::MAX;
        readers[port.value.index()] += 1;
    }
    for (position, &id) in order.iter().enumerate().rev() {
        let Some(node) = graph.node(id) else { continue };
        let is_view =
            matches!(node.op, Op::Concat(_) | Op::Reshape(_) | Op::Transpose(_) | Op::Slice(_) | Op::Pad(_));
        let read = if is_view { last[node.output.index()].max(position) } else { position };
        for input in node.op.inputs() {
            last[input.index()] = last[input.index()].max(read);
            readers[input.index()] += 1;
        }
    }
    (last, readers)
}

/// The size of a tensor whose channels are its last axis: rank 4 as it is, all others `[1, 1, rest, c]`.
fn channelwise(shape: &Shape) -> Extent {
    match *shape.dims() {
        [n, h, w, c] => Extent::new(n, h, w, c),
        [] => Extent::flat(1),
        [ref outer @ .., c] => Extent::new(1, 1, outer.iter().product(), c),
    }
}
