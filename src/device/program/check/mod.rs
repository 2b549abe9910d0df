//! The checks that make bytes a program: every rule that the engine and the kernels rely on.
//!
//! What flows in is a [`Program`] whose tables were found inside its bytes; what flows out is the first rule that it breaks.
//! Below, each file checks what it names: the buffers of the memory plan, the ports, the steps, and what each operator demands
//! of its operands. After these checks no number of the program can lead outside its bytes or its arena, or overflow an index
//! on a 32-bit machine; the views' own bounds are a second wall.

mod buffers;
mod operators;
mod ports;
mod steps;

use super::Program;
use super::crc::crc32;
use super::error::{ProgramError, Section};
use super::index;
use super::record::{
    ALIGN, Buffer, CAPABILITY_OVERLAP, Header, KNOWN_CAPABILITIES, LAYOUT_PANELS_OF_16, MAGIC, Span, VERSION,
};
use super::seal::head_crc;
use crate::device::tensor::{DType, Extent, Rows};

/// Checks what the header promises and that the head is undamaged, before anything else of the program is read.
pub(super) fn header(header: &Header, bytes: &[u8]) -> Result<(), ProgramError> {
    if header.magic != MAGIC {
        return Err(ProgramError::Magic);
    }
    if header.version != VERSION {
        return Err(ProgramError::Version { found: header.version });
    }
    match header.capabilities & !KNOWN_CAPABILITIES {
        0 => {}
        unknown => return Err(ProgramError::Capabilities { unknown }),
    }
    if header.weight_layout != LAYOUT_PANELS_OF_16 {
        return Err(ProgramError::WeightLayout { found: header.weight_layout });
    }
    let head = bytes.get(..index(header.head_len)).ok_or(ProgramError::Bounds(Section::Head))?;
    if head_crc(head) != header.head_crc {
        return Err(ProgramError::Checksum(Section::Head));
    }
    Ok(())
}

/// Checks everything behind the header.
pub(super) fn check(program: &Program<'_>) -> Result<(), ProgramError> {
    sections(program)?;
    undamaged(program)?;
    contents(program)
}

/// The same without the CRCs of what was sealed just now.
#[cfg(feature = "alloc")]
pub(super) fn check_sealed(program: &Program<'_>) -> Result<(), ProgramError> {
    sections(program)?;
    contents(program)
}

fn contents(program: &Program<'_>) -> Result<(), ProgramError> {
    buffers::check(program)?;
    ports::check(program)?;
    steps::check(program)
}

/// The sections come in order, aligned and apart from each other.
fn sections(program: &Program<'_>) -> Result<(), ProgramError> {
    let Header { head_len, steps, weights, .. } = *program.header;
    begins_behind(steps, u64::from(head_len)).ok_or(ProgramError::Bounds(Section::Steps))?;
    begins_behind(weights, end(steps)).ok_or(ProgramError::Bounds(Section::Weights))
}

/// The sections are as they were sealed.
fn undamaged(program: &Program<'_>) -> Result<(), ProgramError> {
    if crc32(program.steps) != program.header.steps_crc {
        return Err(ProgramError::Checksum(Section::Steps));
    }
    if crc32(program.weights) != program.header.weights_crc {
        return Err(ProgramError::Checksum(Section::Weights));
    }
    Ok(())
}

fn begins_behind(section: Span, end: u64) -> Option<()> {
    (index(section.offset).is_multiple_of(ALIGN) && u64::from(section.offset) >= end).then_some(())
}

fn end(span: Span) -> u64 {
    u64::from(span.offset) + u64::from(span.len)
}

/// May outputs lie over inputs that are consumed?
fn allows_overlap(program: &Program<'_>) -> bool {
    program.header.capabilities & CAPABILITY_OVERLAP != 0
}

/// The type of all operands and constants: the operators of this build compute in `f32`.
const OPERAND: DType = DType::F32;

/// The bytes in the arena that `rows` of [`OPERAND`]s reach, `[begin, end)`; `None` if they do not lie inside `buffer`.
fn bytes_inside(rows: &Rows, extent: &Extent, buffer: &Buffer) -> Option<(u32, u32)> {
    let begin = OPERAND.bytes_of(rows.base)?;
    let end = OPERAND.bytes_of(rows.end(extent)?)?;
    let buffer_end = u64::from(buffer.offset) + u64::from(buffer.len);
    (begin >= buffer.offset && u64::from(end) <= buffer_end).then_some((begin, end))
}
