//! The memory plan: each buffer by itself, and no two that live together in one place.

use super::end;
use crate::device::memory::{lives_overlap, ranges_overlap};
use crate::device::program::Program;
use crate::device::program::error::{BufferFault, ProgramError};
use crate::device::program::record::{BUFFER_ALIGN, Buffer, BufferClass, Span};

/// Checks all buffers, and every pair: O(n²), without memory of its own and without the planner's code.
pub(super) fn check(program: &Program<'_>) -> Result<(), ProgramError> {
    for (index, a) in (0u32..).zip(program.buffers) {
        check_buffer(program, a).map_err(|fault| ProgramError::Buffer { index, fault })?;
        for (other, b) in (0..index).zip(program.buffers) {
            if lives_overlap(a.first_step, a.last_step, b.first_step, b.last_step)
                && ranges_overlap(a.offset, a.len, b.offset, b.len)
            {
                return Err(ProgramError::Overlap { first: other, second: index });
            }
        }
    }
    Ok(())
}

fn check_buffer(program: &Program<'_>, buffer: &Buffer) -> Result<(), BufferFault> {
    let class = BufferClass::from_code(buffer.class).ok_or(BufferFault::Class)?;
    if buffer.region != 0 {
        return Err(BufferFault::Region);
    }
    if !buffer.offset.is_multiple_of(BUFFER_ALIGN) {
        return Err(BufferFault::Alignment);
    }
    let scratch_fits = class != BufferClass::Scratch || buffer.len <= program.header.scratch_len;
    let bytes = Span { offset: buffer.offset, len: buffer.len };
    if end(bytes) > u64::from(program.header.arena_len) || !scratch_fits {
        return Err(BufferFault::Outside);
    }
    let (first, last) = (buffer.first_step, buffer.last_step);
    let end_of_run = program.header.step_count.saturating_sub(1);
    let lives = match class {
        BufferClass::Input => first == 0,
        BufferClass::Output => last == end_of_run,
        BufferClass::Activation => true,
        BufferClass::Scratch => first == last,
        BufferClass::State => first == 0 && last == end_of_run,
    };
    if lives && first <= last && last <= end_of_run { Ok(()) } else { Err(BufferFault::Life) }
}
