//! Inputs and outputs.

use super::{OPERAND, bytes_inside};
use crate::device::program::Program;
use crate::device::program::error::{PortFault, ProgramError};
use crate::device::program::index;
use crate::device::program::record::{BufferClass, Port};
use crate::device::tensor::{DType, Extent, ModelLayout, Shape};

/// Checks all inputs and outputs.
pub(super) fn check(program: &Program<'_>) -> Result<(), ProgramError> {
    for (index, port) in (0u32..).zip(program.inputs) {
        check_port(program, port, false).map_err(|fault| ProgramError::Input { index, fault })?;
    }
    for (index, port) in (0u32..).zip(program.outputs) {
        check_port(program, port, true).map_err(|fault| ProgramError::Output { index, fault })?;
    }
    Ok(())
}

fn check_port(program: &Program<'_>, port: &Port, is_output: bool) -> Result<(), PortFault> {
    program.name(port.name).ok_or(PortFault::Name)?;
    if u8::try_from(port.dtype).ok().and_then(DType::from_code) != Some(OPERAND) {
        return Err(PortFault::DType);
    }
    let layout = ModelLayout::from_code(port.model_layout).ok_or(PortFault::Layout)?;
    if layout == ModelLayout::ChannelsFirst && port.rank != 4 {
        return Err(PortFault::Layout);
    }
    let shape = port.dims.get(..index(port.rank)).and_then(Shape::new).ok_or(PortFault::Shape)?;
    if shape.checked_len().is_none_or(|len| len == 0) {
        return Err(PortFault::Shape);
    }
    let (extent, segment) = (Extent::of(&shape), &port.segment);
    if segment.channels != extent.c || !segment.rows.is_contiguous(&extent) {
        return Err(PortFault::Segment);
    }
    let buffer = program.buffers.get(index(segment.buffer)).ok_or(PortFault::Outside)?;
    bytes_inside(&segment.rows, &extent, buffer).ok_or(PortFault::Outside)?;
    // An input that was overwritten in place, or given back as it is, may be an output if it lives long enough.
    let end_of_run = program.header.step_count.saturating_sub(1);
    let lives = match BufferClass::from_code(buffer.class) {
        Some(BufferClass::Input | BufferClass::State) => !is_output || buffer.last_step == end_of_run,
        Some(BufferClass::Output) => is_output,
        _ => false,
    };
    if lives { Ok(()) } else { Err(PortFault::Buffer) }
}
