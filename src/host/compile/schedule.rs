//! The schedule: steps in their order, buffers without addresses, constants as recipes. Lowering makes it, the memory planner
//! gives its buffers addresses, `emit` writes it.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use bytemuck::Pod;

use crate::device::program::record::{BufferClass, OpCode, Space};
use crate::device::tensor::{DType, ModelLayout, Segment, Shape};
use crate::host::graph::ValueId;
use crate::host::{Error, ErrorKind, Result};

/// The type of all tensors of a program, and of its constants unless their recipe says another one.
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
    /// Buffers as long as the output's, each read by this step from end to end, that the output may be written over if nobody
    /// reads them later: the preferred one first.
    pub(super) over: Vec<u32>,
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
            over: Vec::new(),
        }
    }

    /// The buffers that it reads.
    pub(super) fn reads(&self) -> impl Iterator<Item = u32> + '_ {
        self.sources.iter().flatten().chain(&self.weights).map(|segment| segment.buffer)
    }

    /// The buffers that it touches.
    pub(super) fn buffers(&self) -> impl Iterator<Item = u32> + '_ {
        self.reads().chain([self.sink.buffer]).chain(self.scratch)
    }

    /// All that names a buffer.
    fn buffers_mut(&mut self) -> impl Iterator<Item = &mut u32> {
        let segments = self.sources.iter_mut().flatten().chain(&mut self.weights).chain([&mut self.sink]);
        segments.map(|segment| &mut segment.buffer).chain(&mut self.scratch).chain(&mut self.over)
    }
}

impl Schedule {
    /// Adds a buffer of `len` elements.
    pub(super) fn add_buffer(&mut self, name: &str, class: BufferClass, len: u32) -> Result<u32> {
        let bytes = DTYPE.bytes_of(len).ok_or_else(|| too_large(name))?;
        self.buffers.push(Buffer { class, len: bytes, life: (0, 0) });
        Ok(self.buffers.len() as u32 - 1)
    }

    /// Puts the steps into another order.
    pub(super) fn reorder(&mut self, order: &[usize]) {
        self.steps = order.iter().map(|&number| self.steps[number].clone()).collect();
    }

    /// Lets each output take the memory of an operand that dies with the step, where the kernel may write over it. An input's
    /// memory never becomes an output: the caller may fill the one while it reads the other.
    pub(super) fn share(&mut self, keep_input: bool) {
        self.find_lives(keep_input);
        let mut homes: Vec<u32> = (0..self.buffers.len() as u32).collect();
        for (number, step) in (0u32..).zip(&self.steps) {
            let sink = step.sink.buffer as usize;
            let is_output = self.buffers[sink].class == BufferClass::Output;
            let takes = |over: &&u32| {
                let own = &self.buffers[**over as usize];
                let home = &self.buffers[homes[**over as usize] as usize];
                let dies = own.life.1 == number && own.class != BufferClass::Output;
                dies && !(home.class == BufferClass::Input && (is_output || keep_input))
            };
            if let Some(&over) = step.over.iter().find(takes) {
                homes[sink] = homes[over as usize];
                if is_output {
                    self.buffers[homes[sink] as usize].class = BufferClass::Output;
                }
            }
        }
        self.move_into(&homes);
        self.find_lives(keep_input);
    }

    /// Drops the buffers that are not their own home, and names their homes instead.
    fn move_into(&mut self, homes: &[u32]) {
        let mut kept = 0;
        let numbers: Vec<u32> = (0u32..)
            .zip(homes)
            .map(|(number, &home)| {
                kept += u32::from(home == number);
                kept - 1
            })
            .collect();
        let mut own = (0u32..).zip(homes).map(|(number, &home)| number == home);
        self.buffers.retain(|_| own.next().unwrap_or(true));
        let ports = self.inputs.iter_mut().chain(&mut self.outputs).map(|port| &mut port.segment.buffer);
        for buffer in self.steps.iter_mut().flat_map(Step::buffers_mut).chain(ports) {
            *buffer = numbers[homes[*buffer as usize] as usize];
        }
    }

    /// Sets the life of every buffer: inputs from step 0 on (to the last step, if they are kept), outputs to the last step, all others
    /// from the first step that touches them to the last.
    pub(super) fn find_lives(&mut self, keep_input: bool) {
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
        let kept = self.inputs.iter().filter(|_| keep_input);
        for port in kept.chain(&self.outputs) {
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
    /// The same, stored as `f16`.
    PanelsF16 { weight: ValueId, groups: u32 },
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
    /// Where the program has it, and so the type of its elements.
    pub(super) const fn space(self) -> Space {
        match self {
            Self::PanelsF16 { .. } => Space::ConstantsF16,
            _ => Space::Constants,
        }
    }

    /// The constant of the graph that it packs.
    pub(super) const fn value(self) -> ValueId {
        match self {
            Self::Plain(value)
            | Self::Channels(value)
            | Self::Depthwise(value)
            | Self::Winograd2x2(value)
            | Self::Winograd4x4(value)
            | Self::Panels { weight: value, .. }
            | Self::PanelsF16 { weight: value, .. }
            | Self::Transposed { weight: value, .. } => value,
        }
    }
}

/// A tensor that 32-bit addresses cannot hold.
pub(super) fn too_large(name: &str) -> Error {
    Error::new(ErrorKind::Limit, alloc::format!("tensor '{name}' needs 4 GiB or more"))
        .remedy("reduce the batch or the size of the input")
}
