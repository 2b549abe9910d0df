//! Writes a placed schedule as program bytes (see `device::program::record`).

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use bytemuck::{Pod, Zeroable, bytes_of};
use half::f16;

use crate::device::program::record::{
    ALIGN, Buffer, BufferClass, CAPABILITY_F16_WEIGHTS, CAPABILITY_OVERLAP, Header, LAYOUT_PANELS_OF_16,
    MAGIC, NONE, Place, Port, Space, Span, StepHead, VERSION,
};
use crate::device::program::{Program, seal};
use crate::device::tensor::{MAX_RANK, Segment};
use crate::host::graph::{Constant, Floats, Graph};
use crate::host::{Error, ErrorKind, Result};

use super::pack::{TooLarge, pack};
use super::place::Plan;
use super::schedule::{self, DTYPE, Recipe, Schedule, Step};
use super::{AlignedBytes, MemoryLimit};

/// The program of a schedule whose buffer `i` lies at `plan.offsets[i]`; read back and checked.
pub(super) fn emit(
    graph: &Graph,
    schedule: &Schedule,
    plan: &Plan,
    limit: MemoryLimit,
) -> Result<AlignedBytes> {
    let mut names = Names::default();
    let offsets = &plan.offsets;
    let (constants, weights_len) = constant_places(schedule)?;
    let mut head = Vec::new();
    for port in schedule.inputs.iter().chain(&schedule.outputs) {
        put(&mut head, &port_record(port, offsets, &mut names));
    }
    for (buffer, &offset) in schedule.buffers.iter().zip(offsets) {
        put(&mut head, &buffer_record(buffer, offset));
    }
    let mut steps = Vec::new();
    for (step, flags) in schedule.steps.iter().zip(&plan.flags) {
        write_step(&mut steps, (step, *flags), offsets, &constants, &mut names)?;
    }
    let has_f16 = constants.iter().any(|place| place.space == Space::ConstantsF16 as u32);

    let names_offset = size_of::<Header>() + head.len();
    let head_len = names_offset + names.text.len();
    let steps_offset = head_len.next_multiple_of(ALIGN);
    let weights_offset = (steps_offset + steps.len()).next_multiple_of(ALIGN);
    let scratches = schedule.buffers.iter().filter(|buffer| buffer.class == BufferClass::Scratch);
    let header = Header {
        magic: MAGIC,
        version: VERSION,
        capabilities: capabilities(plan, has_f16),
        weight_layout: LAYOUT_PANELS_OF_16,
        head_len: fits(head_len)?,
        steps: Span { offset: fits(steps_offset)?, len: fits(steps.len())? },
        weights: Span { offset: fits(weights_offset)?, len: weights_len },
        input_count: fits(schedule.inputs.len())?,
        output_count: fits(schedule.outputs.len())?,
        buffer_count: fits(schedule.buffers.len())?,
        step_count: fits(schedule.steps.len())?,
        arena_len: plan.arena_len,
        scratch_len: scratches.map(|buffer| buffer.len).max().unwrap_or(0),
        names: Span { offset: fits(names_offset)?, len: fits(names.text.len())? },
        ..Header::zeroed()
    };

    let len = fits(weights_offset)?.checked_add(weights_len).ok_or_else(program_too_large)?;
    let arena = header.arena_bytes(limit.threads) as u64;
    limit.check(constant_bytes(graph), len.into(), arena)?;
    let mut bytes = AlignedBytes::zeroed(len as usize);
    let sections =
        [(0, bytes_of(&header)), (size_of::<Header>(), &head), (names_offset, names.text.as_bytes())];
    for (offset, section) in sections.into_iter().chain([(steps_offset, steps.as_slice())]) {
        bytes[offset..offset + section.len()].copy_from_slice(section);
    }
    write_constants(graph, schedule, &constants, &mut bytes[weights_offset..])?;
    seal(&mut bytes);
    match Program::from_sealed(&bytes) {
        Ok(_) => Ok(bytes),
        Err(error) => {
            let reason = format!("the compiled program fails its own check: {error}");
            Err(Error::new(ErrorKind::Invalid, reason)
                .remedy("please report the model to salto's maintainers"))
        }
    }
}

/// Bytes of the graph's constants that are in memory.
fn constant_bytes(graph: &Graph) -> u64 {
    let constants = graph.values().filter_map(|(_, value)| value.constant.as_ref());
    let in_memory = |constant: &&Constant| !constant.floats().is_some_and(Floats::are_in_file);
    constants.filter(in_memory).map(|constant| constant.len() as u64 * constant.dtype().bytes() as u64).sum()
}

/// Where each constant lies in the section of weights, and the section's length.
fn constant_places(schedule: &Schedule) -> Result<(Vec<Place>, u32)> {
    let mut places = Vec::new();
    let mut end = 0u32;
    for (recipe, len) in schedule.constants.iter() {
        let space = recipe.space();
        let offset = end.checked_next_multiple_of(ALIGN as u32).ok_or_else(program_too_large)?;
        let len = space.dtype().bytes_of(len).ok_or_else(program_too_large)?;
        end = offset.checked_add(len).ok_or_else(program_too_large)?;
        places.push(Place { space: space as u32, offset, len, buffer: NONE });
    }
    Ok((places, end))
}

/// Packs all constants into the section of weights.
fn write_constants(graph: &Graph, schedule: &Schedule, places: &[Place], weights: &mut [u8]) -> Result<()> {
    for ((recipe, _), place) in schedule.constants.iter().zip(places) {
        let out = &mut weights[place.offset as usize..][..place.len as usize];
        pack(graph, recipe, out).map_err(|large| too_large_for_f16(graph, schedule, recipe, large))?;
    }
    let floats = |(recipe, _): (Recipe, u32)| graph.floats(recipe.value());
    schedule.constants.iter().filter_map(floats).try_for_each(Floats::check)
}

/// A weight that `f16` cannot hold, at the node that multiplies by it.
fn too_large_for_f16(graph: &Graph, schedule: &Schedule, recipe: Recipe, TooLarge(x): TooLarge) -> Error {
    let id = schedule.constants.iter().position(|(other, _)| other == recipe);
    let reads = |step: &&Step| step.places.iter().flatten().any(|place| Some(place.0 as usize) == id);
    let weight = &graph.value(recipe.value()).name;
    let reason = format!("weight '{weight}' holds {x}, and f16 ends at ±{}", f16::MAX);
    let error = Error::new(ErrorKind::Limit, reason)
        .remedy("compile without f16 weights, or scale the weight down and what follows up");
    match schedule.steps.iter().find(reads) {
        Some(step) => error.at_node(&step.name, &format!("{:?}", step.code)),
        None => error,
    }
}

fn port_record(port: &schedule::Port, offsets: &[u32], names: &mut Names) -> Port {
    let mut dims = [1; MAX_RANK];
    dims[..port.shape.rank()].copy_from_slice(port.shape.dims());
    Port {
        name: names.add(&port.name),
        dtype: DTYPE as u32,
        model_layout: port.layout as u32,
        rank: port.shape.rank() as u32,
        dims,
        segment: placed(&port.segment, offsets),
    }
}

/// What a runtime must know to run the program.
fn capabilities(plan: &Plan, has_f16: bool) -> u64 {
    let overlap = if plan.overlaps() { CAPABILITY_OVERLAP } else { 0 };
    overlap | if has_f16 { CAPABILITY_F16_WEIGHTS } else { 0 }
}

fn buffer_record(buffer: &schedule::Buffer, offset: u32) -> Buffer {
    let (first_step, last_step) = buffer.life;
    Buffer { offset, len: buffer.len, first_step, last_step, class: buffer.class as u16, region: 0 }
}

/// Appends the record of a step.
fn write_step(
    out: &mut Vec<u8>,
    (step, flags): (&Step, u16),
    offsets: &[u32],
    constants: &[Place],
    names: &mut Names,
) -> Result<()> {
    let start = out.len();
    let too_many =
        |_| Error::new(ErrorKind::Limit, "it reads 65536 segments or more").at_node(&step.name, "Concat");
    let operands = step.sources.iter().map(Vec::as_slice).chain([core::slice::from_ref(&step.sink)]);
    let mut segments = [0; 4];
    for (count, operand) in segments.iter_mut().zip(operands.clone()) {
        *count = u16::try_from(operand.len()).map_err(too_many)?;
    }
    let head = StepHead {
        len: 0,
        operator: step.code as u16,
        flags,
        params_len: step.params.len() as u16,
        segments,
        places: (step.places.len() + usize::from(step.weights.is_some())) as u16,
        scratch: step.scratch.unwrap_or(NONE),
        name: names.add(&step.name),
    };
    put(out, &head);
    out.extend_from_slice(&step.params);
    operands.flatten().for_each(|segment| put(out, &placed(segment, offsets)));
    let weights = step.weights.iter().map(|segment| arena_place(segment, offsets));
    weights.for_each(|place| put(out, &place));
    for place in &step.places {
        put(out, &place.map_or(Place::ABSENT, |id| constants[id.0 as usize]));
    }
    let len = fits(out.len() - start)?;
    out[start..start + size_of::<u32>()].copy_from_slice(&len.to_le_bytes());
    Ok(())
}

/// A segment at its absolute address.
fn placed(segment: &Segment, offsets: &[u32]) -> Segment {
    let mut placed = *segment;
    placed.rows.base += offsets[segment.buffer as usize] / DTYPE.bytes() as u32;
    placed
}

/// A run of elements that a step reads as weights.
fn arena_place(segment: &Segment, offsets: &[u32]) -> Place {
    let bytes = DTYPE.bytes() as u32;
    let offset = offsets[segment.buffer as usize] + segment.rows.base * bytes;
    Place { space: Space::Arena as u32, offset, len: segment.channels * bytes, buffer: segment.buffer }
}

/// The names of a program, each once.
#[derive(Default)]
struct Names {
    text: String,
    spans: BTreeMap<String, Span>,
}

impl Names {
    fn add(&mut self, name: &str) -> Span {
        if let Some(span) = self.spans.get(name) {
            return *span;
        }
        let span = Span { offset: self.text.len() as u32, len: name.len() as u32 };
        self.text.push_str(name);
        self.spans.insert(name.into(), span);
        span
    }
}

fn put(out: &mut Vec<u8>, record: &impl Pod) {
    out.extend_from_slice(bytes_of(record));
}

fn fits(len: usize) -> Result<u32> {
    u32::try_from(len).map_err(|_| program_too_large())
}

fn program_too_large() -> Error {
    Error::new(ErrorKind::Limit, "the program would have 4 GiB or more").remedy("split the model")
}
