//! The memory plan: each buffer by itself, and no two that live together in one place.

use super::{allows_overlap, end};
use crate::device::memory::{lives_overlap, ranges_overlap};
use crate::device::program::Program;
use crate::device::program::error::{BufferFault, ProgramError};
use crate::device::program::record::{BUFFER_ALIGN, Buffer, BufferClass, Span};

/// Checks all buffers, and every pair: O(n²), without memory of its own and without the planner's code.
///
/// Two that live together do not overlap. Where the capabilities allow it, they may if the one is used for the last time in the step
/// in which the other is written for the first: what that step reads and writes is looked at with the step.
pub(super) fn check(program: &Program<'_>) -> Result<(), ProgramError> {
    for (index, a) in (0u32..).zip(program.buffers) {
        check_buffer(program, a).map_err(|fault| ProgramError::Buffer { index, fault })?;
        for (other, b) in (0..index).zip(program.buffers) {
            if lives_overlap(a.first_step, a.last_step, b.first_step, b.last_step)
                && ranges_overlap(a.offset, a.len, b.offset, b.len)
                && !is_handed_over(program, (other, b), a)
                && !is_handed_over(program, (index, a), b)
            {
                return Err(ProgramError::Overlap { first: other, second: index });
            }
        }
    }
    Ok(())
}

/// Does the one buffer end in the step in which the other begins, so that they meet there alone? What an output of the network holds
/// is read after the run, so it never ends.
fn is_handed_over(program: &Program<'_>, (number, ending): (u32, &Buffer), beginning: &Buffer) -> bool {
    let step = beginning.first_step;
    let holds_input = match BufferClass::from_code(ending.class) {
        Some(BufferClass::Input) => true,
        Some(BufferClass::Activation) => ending.first_step < step,
        _ => false,
    };
    let is_written = matches!(
        BufferClass::from_code(beginning.class),
        Some(BufferClass::Activation | BufferClass::Output)
    );
    let is_output = || program.outputs.iter().any(|port| port.segment.buffer == number);
    allows_overlap(program) && ending.last_step == step && holds_input && is_written && !is_output()
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
