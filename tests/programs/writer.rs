//! A writer of programs: buffers with lives, steps with operands, then placement and bytes.

use bytemuck::{Pod, Zeroable, bytes_of, cast_slice};
use half::f16;
use salto::device::memory::{self, Direction, Order, Problem};
use salto::device::program::record::{
    ALIGN, Buffer, BufferClass, CAPABILITY_F16_WEIGHTS, CAPABILITY_OVERLAP, FLAG_PARALLEL, Header,
    LAYOUT_PANELS_OF_16, MAGIC, NONE, OpCode, Place, Port, Space, Span, StepHead, VERSION,
};
use salto::device::program::seal;
use salto::device::tensor::{DType, Extent, Rows, Segment};

use super::numbers;

/// A tensor that fills a buffer, contiguous.
#[derive(Clone, Copy, Debug)]
pub struct Tensor {
    pub buffer: usize,
    pub extent: Extent,
}

impl Tensor {
    /// The same memory with another extent.
    pub fn seen_as(self, extent: Extent) -> Self {
        assert_eq!(self.extent.checked_len(), extent.checked_len());
        Self { extent, ..self }
    }

    fn segment(self, buffers: &[Buffer]) -> Segment {
        let base = buffers[self.buffer].offset / 4;
        let rows = Rows::contiguous(base, &self.extent).unwrap();
        Segment { rows, channels: self.extent.c, buffer: self.buffer as u32 }
    }
}

/// A step before placement.
#[derive(Clone, Debug)]
pub struct Draft {
    pub operator: OpCode,
    pub params: Vec<u8>,
    pub sources: Vec<Vec<Tensor>>,
    pub output: Tensor,
    pub places: Vec<Place>,
    pub scratch: Option<usize>,
    pub flags: u16,
}

/// A program in the making.
#[derive(Clone, Debug, Default)]
pub struct Writer {
    pub buffers: Vec<Buffer>,
    pub steps: Vec<Draft>,
    pub inputs: Vec<(String, Tensor)>,
    pub outputs: Vec<(String, Tensor)>,
    pub weights: Vec<f32>,
}

impl Writer {
    fn buffer(&mut self, elements: u32, class: BufferClass) -> usize {
        let step = self.steps.len() as u32;
        let class = class as u16;
        let len = elements * 4;
        self.buffers.push(Buffer { offset: 0, len, first_step: step, last_step: step, class, region: 0 });
        self.buffers.len() - 1
    }

    pub fn input(&mut self, name: &str, extent: Extent) -> Tensor {
        let buffer = self.buffer(extent.checked_len().unwrap(), BufferClass::Input);
        self.inputs.push((name.into(), Tensor { buffer, extent }));
        Tensor { buffer, extent }
    }

    /// Declares an output; call it when its step is written.
    pub fn output(&mut self, name: &str, tensor: Tensor) {
        self.buffers[tensor.buffer].class = BufferClass::Output as u16;
        self.outputs.push((name.into(), tensor));
    }

    /// A constant of `len` pseudo-random elements, filled up with zeros to `padded`.
    pub fn constant(&mut self, len: u32, padded: u32) -> Place {
        let offset = self.weights.len() as u32 * 4;
        let scale = 1.0 / (len as f32).sqrt();
        self.weights.extend(numbers(offset, len as usize).iter().map(|x| x * scale));
        self.weights.resize(offset as usize / 4 + padded as usize, 0.0);
        self.weights.resize(self.weights.len().next_multiple_of(ALIGN / 4), 0.0);
        Place { space: Space::Constants as u32, offset, len: padded * 4, buffer: NONE }
    }

    /// A constant of `len` pseudo-random elements (an even number), stored as `f16`.
    pub fn constant_f16(&mut self, len: u32) -> Place {
        let scale = 1.0 / (len as f32).sqrt();
        let halves: Vec<f16> = numbers(len, len as usize).iter().map(|x| f16::from_f32(x * scale)).collect();
        let pairs = halves.chunks_exact(2).map(|pair| {
            let [low, high] = [pair[0], pair[1]].map(|half| u32::from(half.to_bits()));
            f32::from_bits(low | high << 16)
        });
        let place = self.floats(&pairs.collect::<Vec<_>>());
        Place { space: Space::ConstantsF16 as u32, ..place }
    }

    /// A constant of these elements.
    pub fn floats(&mut self, elements: &[f32]) -> Place {
        let place = self.constant(elements.len() as u32, elements.len() as u32);
        self.weights[place.offset as usize / 4..][..elements.len()].copy_from_slice(elements);
        place
    }

    /// One element for each of `channels`.
    pub fn channels(&mut self, channels: u32) -> Place {
        self.constant(channels, channels.next_multiple_of(16))
    }

    /// A step into a new buffer.
    pub fn step(
        &mut self,
        operator: OpCode,
        params: impl Pod,
        sources: &[&[Tensor]],
        output: Extent,
        places: &[Place],
        scratch_len: Option<u32>,
    ) -> Tensor {
        let buffer = self.buffer(output.checked_len().unwrap(), BufferClass::Activation);
        self.step_into(operator, params, sources, Tensor { buffer, extent: output }, places, scratch_len)
    }

    /// A step into a tensor that exists.
    pub fn step_into(
        &mut self,
        operator: OpCode,
        params: impl Pod,
        sources: &[&[Tensor]],
        output: Tensor,
        places: &[Place],
        scratch_len: Option<u32>,
    ) -> Tensor {
        let step = self.steps.len() as u32;
        let scratch = match scratch_len {
            Some(1..) => Some(self.buffer(scratch_len.unwrap(), BufferClass::Scratch)),
            _ => None,
        };
        for tensor in sources.iter().copied().flatten().chain([&output]) {
            self.buffers[tensor.buffer].last_step = step;
        }
        self.steps.push(Draft {
            operator,
            params: bytes_of(&params).to_vec(),
            sources: sources.iter().map(|source| source.to_vec()).collect(),
            output,
            places: places.to_vec(),
            scratch,
            flags: FLAG_PARALLEL,
        });
        output
    }

    /// Outputs live to the last step.
    fn keep_outputs(&mut self) {
        let last = self.steps.len().saturating_sub(1) as u32;
        for buffer in &mut self.buffers {
            if buffer.class == BufferClass::Output as u16 {
                buffer.last_step = last;
            }
        }
    }

    /// Places the buffers, greedily; returns the arena's length.
    fn place(&mut self) -> u32 {
        self.keep_outputs();
        let buffers: Vec<_> = self
            .buffers
            .iter()
            .map(|buffer| memory::Buffer::new(buffer.len, buffer.first_step, buffer.last_step).aligned(64))
            .collect();
        let problem = Problem::new(&buffers, &[]).unwrap();
        let (mut order, mut offsets) = (vec![0; buffers.len()], vec![0; buffers.len()]);
        let mut directions: [Direction; 0] = [];
        memory::sort(&problem, Order::Size, &mut order);
        let arena_len = memory::place(&problem, &mut order, &mut offsets, &mut directions).unwrap();
        self.buffers.iter_mut().zip(offsets).for_each(|(buffer, offset)| buffer.offset = offset);
        arena_len
    }

    /// The bytes of the program, sealed.
    pub fn finish(mut self) -> Vec<u8> {
        let arena_len = self.place();
        self.write(arena_len)
    }

    /// The same with buffers at given offsets.
    pub fn finish_at(mut self, offsets: &[u32], arena_len: u32) -> Vec<u8> {
        self.keep_outputs();
        assert_eq!(self.buffers.len(), offsets.len());
        self.buffers.iter_mut().zip(offsets).for_each(|(buffer, offset)| buffer.offset = *offset);
        self.write(arena_len)
    }

    fn write(&self, arena_len: u32) -> Vec<u8> {
        let mut names = String::new();
        let mut name = |text: &str| {
            names.push_str(text);
            Span { offset: (names.len() - text.len()) as u32, len: text.len() as u32 }
        };
        let mut ports = Vec::new();
        for (text, tensor) in self.inputs.iter().chain(&self.outputs) {
            ports.push(port(name(text), tensor, &self.buffers));
        }
        let steps: Vec<u8> = self.steps.iter().flat_map(|draft| self.record(draft, name("step"))).collect();
        let tables = [cast_slice(&ports), cast_slice::<Buffer, u8>(&self.buffers)].concat();
        let names_offset = size_of::<Header>() + tables.len();
        let head_len = names_offset + names.len();
        let steps_offset = head_len.next_multiple_of(ALIGN);
        let weights_offset = (steps_offset + steps.len()).next_multiple_of(ALIGN);
        let scratch = self.buffers.iter().filter(|buffer| buffer.class == BufferClass::Scratch as u16);
        let is_f16 = |place: &Place| place.space == Space::ConstantsF16 as u32;
        let has_f16 = self.steps.iter().flat_map(|step| &step.places).any(is_f16);
        let overlaps = self.steps.iter().any(|draft| draft.flags & FLAG_PARALLEL == 0);
        let header = Header {
            magic: MAGIC,
            version: VERSION,
            capabilities: [(overlaps, CAPABILITY_OVERLAP), (has_f16, CAPABILITY_F16_WEIGHTS)]
                .iter()
                .map(|(needed, bit)| if *needed { *bit } else { 0 })
                .sum(),
            weight_layout: LAYOUT_PANELS_OF_16,
            head_len: head_len as u32,
            steps: Span { offset: steps_offset as u32, len: steps.len() as u32 },
            weights: Span { offset: weights_offset as u32, len: self.weights.len() as u32 * 4 },
            input_count: self.inputs.len() as u32,
            output_count: self.outputs.len() as u32,
            buffer_count: self.buffers.len() as u32,
            step_count: self.steps.len() as u32,
            arena_len,
            scratch_len: scratch.map(|buffer| buffer.len).max().unwrap_or(0),
            names: Span { offset: names_offset as u32, len: names.len() as u32 },
            ..Header::zeroed()
        };
        let mut bytes = [bytes_of(&header), &tables, names.as_bytes()].concat();
        bytes.resize(steps_offset, 0);
        bytes.extend(steps);
        bytes.resize(weights_offset, 0);
        bytes.extend(cast_slice::<f32, u8>(&self.weights));
        seal(&mut bytes);
        bytes
    }

    fn record(&self, draft: &Draft, name: Span) -> Vec<u8> {
        let operand = |tensors: &[Tensor]| -> Vec<Segment> {
            tensors.iter().map(|tensor| tensor.segment(&self.buffers)).collect()
        };
        let mut operands = vec![Vec::new(); 4];
        for (segments, tensors) in operands.iter_mut().zip(&draft.sources) {
            *segments = operand(tensors);
        }
        operands[3] = operand(&[draft.output]);
        let segments: [u16; 4] = core::array::from_fn(|i| operands[i].len() as u16);
        let operands = operands.concat();
        let body = [&draft.params[..], cast_slice(&operands), cast_slice(&draft.places)].concat();
        let head = StepHead {
            len: (size_of::<StepHead>() + body.len()) as u32,
            operator: draft.operator as u16,
            flags: draft.flags,
            params_len: draft.params.len() as u16,
            segments,
            places: draft.places.len() as u16,
            scratch: draft.scratch.map_or(NONE, |buffer| buffer as u32),
            name,
        };
        [bytes_of(&head), &body].concat()
    }
}

fn port(name: Span, tensor: &Tensor, buffers: &[Buffer]) -> Port {
    let Extent { n, h, w, c } = tensor.extent;
    Port {
        name,
        dtype: DType::F32 as u32,
        model_layout: 0,
        rank: 4,
        dims: [n, h, w, c, 1, 1],
        segment: tensor.segment(buffers),
    }
}
