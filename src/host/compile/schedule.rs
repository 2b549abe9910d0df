//! The schedule: steps in their order, buffers without addresses, constants as recipes. Lowering makes it, the memory planner
//! gives its buffers addresses, `emit` writes it.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use bytemuck::Pod;

use crate::device::program::record::{BufferClass, OpCode};
use crate::device::tensor::{DType, ModelLayout, Segment, Shape};
use crate::host::graph::ValueId;
use crate::host::{Error, ErrorKind, Result};

/// The type of all tensors and constants of a program.
pub(super) const DTYPE: DType = DType::F32;

/// All that a program does, in order, without addresses.
#[derive(Clone, Debug, Default)]
pub(super) struct Schedule {
    /// Buffers; [`Segment::buffer`] counts them.
    pub(super) buffers: Vec<Buffer>,
    /// Steps in the order in which they run.
    pub(super) steps: Vec<Step>,
    /// What the section of weights holds.
    pub(super) constants: Constants,
    /// Inputs of the network.
    pub(super) inputs: Vec<Port>,
    /// Outputs of the network.
    pub(super) outputs: Vec<Port>,
}

/// A buffer of the arena.
#[derive(Clone, Debug)]
pub(super) struct Buffer {
    /// What it holds.
    pub(super) class: BufferClass,
    /// Bytes.
    pub(super) len: u32,
    /// First and last step of its life; set by [`Schedule::find_lives`].
    pub(super) life: (u32, u32),
}

/// An input or output of the network.
#[derive(Clone, Debug)]
pub(super) struct Port {
    pub(super) name: String,
    pub(super) shape: Shape,
    pub(super) layout: ModelLayout,
    /// Where it lies, contiguous, from the start of its buffer on.
    pub(super) segment: Segment,
}

/// A step: one kernel call.
#[derive(Clone, Debug)]
pub(super) struct Step {
    /// The node's name; the tensor's, if the compiler added the step.
    pub(super) name: String,
    /// Which kernel.
    pub(super) code: OpCode,
    /// The kernel's parameters as bytes.
    pub(super) params: Vec<u8>,
    /// Sources 0 to 2; addresses count from the start of the segment's buffer.
    pub(super) sources: [Vec<Segment>; 3],
    /// The output.
    pub(super) sink: Segment,
    /// Constants, in the order that the kernel's parameters define.
    pub(super) places: Vec<Option<ConstantId>>,
    /// Weights that an earlier step has written, as one run: they take the first place.
    pub(super) weights: Option<Segment>,
    /// The scratch's buffer.
    pub(super) scratch: Option<u32>,
}

impl Step {
    /// A step without places and scratch.
    pub(super) fn new(code: OpCode, params: &impl Pod, sources: [Vec<Segment>; 3], sink: Segment) -> Self {
        Self {
            name: String::new(),
            code,
            params: bytemuck::bytes_of(params).into(),
            sources,
            sink,
            places: Vec::new(),
            weights: None,
            scratch: None,
        }
    }

    /// The buffers that it touches.
    pub(super) fn buffers(&self) -> impl Iterator<Item = u32> + '_ {
        let sources = self.sources.iter().flatten().map(|segment| segment.buffer);
        let weights = self.weights.iter().map(|segment| segment.buffer);
        sources.chain([self.sink.buffer]).chain(weights).chain(self.scratch)
    }
}

impl Schedule {
    /// Adds a buffer of `len` elements.
    pub(super) fn add_buffer(&mut self, name: &str, class: BufferClass, len: u32) -> Result<u32> {
        let bytes = DTYPE.bytes_of(len).ok_or_else(|| too_large(name))?;
        self.buffers.push(Buffer { class, len: bytes, life: (0, 0) });
        Ok(self.buffers.len() as u32 - 1)
    }

    /// Sets the life of every buffer: inputs from step 0 on, outputs to the last step, all others from the first step that
    /// touches them to the last.
    pub(super) fn find_lives(&mut self) {
        for buffer in &mut self.buffers {
            buffer.life = if buffer.class == BufferClass::Input { (0, 0) } else { (u32::MAX, 0) };
        }
        for (number, step) in (0u32..).zip(&self.steps) {
            for buffer in step.buffers() {
                let life = &mut self.buffers[buffer as usize].life;
                *life = (life.0.min(number), life.1.max(number));
            }
        }
        let last = (self.steps.len() as u32).saturating_sub(1);
        for port in &self.outputs {
            self.buffers[port.segment.buffer as usize].life.1 = last;
        }
    }
}

/// The number of a constant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ConstantId(pub(super) u32);

/// The constants of a program, each once.
#[derive(Clone, Debug, Default)]
pub(super) struct Constants {
    ids: BTreeMap<Recipe, ConstantId>,
    list: Vec<(Recipe, u32)>,
}

impl Constants {
    /// The constant that this recipe makes, of `len` elements.
    pub(super) fn add(&mut self, recipe: Recipe, len: u32) -> ConstantId {
        let next = ConstantId(self.list.len() as u32);
        let id = *self.ids.entry(recipe).or_insert(next);
        if id == next {
            self.list.push((recipe, len));
        }
        id
    }

    /// Recipes and their elements, in the order of their ids.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Recipe, u32)> + '_ {
        self.list.iter().copied()
    }
}

/// How a constant of the program is made from constants of the graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Recipe {
    /// As it is.
    Plain(ValueId),
    /// Padded with zeros to a multiple of 16.
    Channels(ValueId),
    /// Weights of a convolution or dense layer in panels of 16 outputs: `[group][panel][k][16]`.
    Panels { weight: ValueId, groups: u32 },
    /// Weights of a depthwise convolution: `[panel][tap][16]`.
    Depthwise(ValueId),
    /// Transformed weights of Winograd's F(2×2,3×3): `[panel][frequency][in][16]`.
    Winograd2x2(ValueId),
    /// Transformed weights of Winograd's F(4×4,3×3): `[panel][frequency][in][16]`.
    Winograd4x4(ValueId),
    /// Weights of a transposed convolution.
    Transposed { weight: ValueId, groups: u32 },
}

impl Recipe {
    /// The constant of the graph that it packs.
    pub(super) const fn value(self) -> ValueId {
        match self {
            Self::Plain(value)
            | Self::Channels(value)
            | Self::Depthwise(value)
            | Self::Winograd2x2(value)
            | Self::Winograd4x4(value)
            | Self::Panels { weight: value, .. }
            | Self::Transposed { weight: value, .. } => value,
        }
    }
}

/// A tensor that 32-bit addresses cannot hold.
pub(super) fn too_large(name: &str) -> Error {
    Error::new(ErrorKind::Limit, alloc::format!("tensor '{name}' needs 4 GiB or more"))
        .remedy("reduce the batch or the size of the input")
}
