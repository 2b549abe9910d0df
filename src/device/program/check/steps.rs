//! Steps: their records, where their operands lie, and when those live.

use super::operators::{Demand, Source};
use super::{OPERAND, allows_overlap, bytes_inside, end};
use crate::device::memory::{Direction, ranges_overlap};
use crate::device::program::Program;
use crate::device::program::error::{ProgramError, StepFault};
use crate::device::program::index;
use crate::device::program::record::{
    Buffer, BufferClass, CAPABILITY_F16_WEIGHTS, FLAG_BACKWARD, FLAG_PARALLEL, NONE, Place, Space, Span,
};
use crate::device::program::step::{Record, direction};
use crate::device::tensor::{DType, Extent, Segment};

/// Checks all steps, and that they are as many as the header says.
pub(super) fn check(program: &Program<'_>) -> Result<(), ProgramError> {
    let mut bytes = program.steps;
    for index in 0..program.header.step_count {
        let operator = Record::operator(bytes);
        bytes = check_first(program, bytes, index).map_err(|fault| ProgramError::Step {
            index,
            operator,
            fault,
        })?;
    }
    match bytes {
        [] => Ok(()),
        _ => Err(ProgramError::Step {
            index: program.header.step_count,
            operator: None,
            fault: StepFault::Record,
        }),
    }
}

/// Checks the first record of `bytes`, which is step `number`; returns the bytes behind it.
fn check_first<'p>(program: &Program<'p>, bytes: &'p [u8], number: u32) -> Result<&'p [u8], StepFault> {
    let (record, rest) = Record::split(bytes)?;
    check_flags(program, record.head.flags)?;
    program.name(record.head.name).ok_or(StepFault::Name)?;
    let demand = Demand::of(&record)?;
    let step = StepCheck { program, record: &record, number };
    let [sources @ .., output] = record.operands;
    let written = step.output(output, &demand.output)?;
    for (i, (segments, source)) in sources.into_iter().zip(demand.sources).enumerate() {
        match source {
            Some(source) => step.source(segments, (i, &source), &demand.output, written)?,
            None if segments.is_empty() => {}
            None => return Err(StepFault::Operands),
        }
    }
    if record.places.len() > demand.places.len() {
        return Err(StepFault::Operands);
    }
    for (i, least) in demand.places.into_iter().enumerate() {
        let reads_f16 = i == 0 && demand.reads_f16;
        step.place(record.places.get(i).unwrap_or(&Place::ABSENT), least, reads_f16, written)?;
    }
    step.scratch(record.head.scratch, demand.scratch_len)?;
    Ok(rest)
}

/// A direction only where bands come one after the other, and where the capabilities say that there may be one.
fn check_flags(program: &Program<'_>, flags: u16) -> Result<(), StepFault> {
    let is_backward = flags & FLAG_BACKWARD != 0;
    let is_known = flags & !(FLAG_PARALLEL | FLAG_BACKWARD) == 0;
    let is_sound = !is_backward || (flags & FLAG_PARALLEL == 0 && allows_overlap(program));
    if is_known && is_sound { Ok(()) } else { Err(StepFault::Flags) }
}

/// The bytes that a step writes, `[begin, end)` in the arena.
type Written = (u32, u32);

/// The checks of one step's operands.
struct StepCheck<'a, 'p> {
    program: &'a Program<'p>,
    record: &'a Record<'p>,
    number: u32,
}

impl StepCheck<'_, '_> {
    /// One segment in a buffer that lives; every buffer whose life begins here is the one that is written.
    fn output(&self, segments: &[Segment], extent: &Extent) -> Result<Written, StepFault> {
        let [segment] = segments else { return Err(StepFault::Operands) };
        if segment.channels != extent.c {
            return Err(StepFault::Channels);
        }
        let (begin, end, _) = self.segment(segment, extent)?;
        for (number, buffer) in (0u32..).zip(self.program.buffers) {
            let begins = buffer.first_step == self.number
                && matches!(
                    BufferClass::from_code(buffer.class),
                    Some(BufferClass::Activation | BufferClass::Output)
                );
            if begins && number != segment.buffer {
                return Err(StepFault::Life);
            }
        }
        Ok((begin, end))
    }

    /// Segments that add up, each written before; apart from the output, or exactly it where the operator allows that, or so far from
    /// it that in the step's direction only rows that were read are written over.
    fn source(
        &self,
        segments: &[Segment],
        (i, source): (usize, &Source),
        output_extent: &Extent,
        written: Written,
    ) -> Result<(), StepFault> {
        if segments.is_empty() || (segments.len() > 1 && !source.in_segments) {
            return Err(StepFault::Operands);
        }
        let channels: u64 = segments.iter().map(|segment| u64::from(segment.channels)).sum();
        if channels != u64::from(source.extent.c) {
            return Err(StepFault::Channels);
        }
        for segment in segments {
            let part = source.extent.with_channels(segment.channels);
            let (begin, end, buffer) = self.segment(segment, &part)?;
            self.written_before(buffer)?;
            let [.., output] = self.record.operands;
            let is_output = source.in_place
                && part == *output_extent
                && output.iter().any(|output| output.rows == segment.rows);
            if overlap((begin, end), written) && !is_output && !self.is_consumed_before(i, segment) {
                return Err(StepFault::Overlap);
            }
        }
        Ok(())
    }

    /// Is every row of a segment of source `i` read for the last time before anything is written over it?
    fn is_consumed_before(&self, i: usize, segment: &Segment) -> bool {
        let Record { head, params, operands: [.., output], .. } = self.record;
        let [output] = output else { return false };
        if head.flags & FLAG_PARALLEL != 0 || !allows_overlap(self.program) {
            return false;
        }
        let Some(separation) = params.separation(i, segment, output) else { return false };
        let above =
            |high: u32, low: u32, distance: u32| u64::from(high) >= u64::from(low) + u64::from(distance);
        match direction(head.flags) {
            Direction::Forward => above(segment.rows.base, output.rows.base, separation.forward),
            Direction::Backward => above(output.rows.base, segment.rows.base, separation.backward),
        }
    }

    /// The bytes that a segment reaches, and its buffer: inside it, alive, no scratch.
    fn segment(&self, segment: &Segment, extent: &Extent) -> Result<(u32, u32, &Buffer), StepFault> {
        if !segment.rows.is_whole(extent) {
            return Err(StepFault::Layout);
        }
        let buffer = self.buffer(segment.buffer)?;
        let (begin, end) = bytes_inside(&segment.rows, extent, buffer).ok_or(StepFault::Outside)?;
        Ok((begin, end, buffer))
    }

    /// A buffer for operands that lives at this step.
    fn buffer(&self, number: u32) -> Result<&Buffer, StepFault> {
        let buffer = self.program.buffers.get(index(number)).ok_or(StepFault::Outside)?;
        if BufferClass::from_code(buffer.class) == Some(BufferClass::Scratch) {
            return Err(StepFault::Scratch);
        }
        let lives = (buffer.first_step..=buffer.last_step).contains(&self.number);
        if lives { Ok(buffer) } else { Err(StepFault::Life) }
    }

    /// Was the buffer written by an earlier step, or does it come with the run?
    fn written_before(&self, buffer: &Buffer) -> Result<(), StepFault> {
        let given =
            matches!(BufferClass::from_code(buffer.class), Some(BufferClass::Input | BufferClass::State));
        if given || buffer.first_step < self.number { Ok(()) } else { Err(StepFault::Life) }
    }

    /// A place of at least `least` elements, or none where `least` is none; of `f16` where operator and header allow them.
    fn place(
        &self,
        place: &Place,
        least: Option<u32>,
        reads_f16: bool,
        written: Written,
    ) -> Result<(), StepFault> {
        let space = Space::from_code(place.space).ok_or(StepFault::Place)?;
        let Some(least) = least else {
            return if space == Space::Absent { Ok(()) } else { Err(StepFault::Operands) };
        };
        if space == Space::Absent {
            return Err(StepFault::Operands);
        }
        let bytes = Span { offset: place.offset, len: place.len };
        let allows_f16 = reads_f16 && self.program.header.capabilities & CAPABILITY_F16_WEIGHTS != 0;
        if space == Space::ConstantsF16 && !allows_f16 {
            return Err(StepFault::Place);
        }
        // All begin at multiples of four bytes, and lengths are whole elements.
        let is_whole = |bytes: u32| index(bytes).is_multiple_of(OPERAND.bytes());
        let is_short = space.dtype().bytes_of(least).is_none_or(|least| place.len < least);
        if !is_whole(place.offset) || !is_whole(place.len) || is_short {
            return Err(StepFault::Place);
        }
        if space == Space::Arena {
            return self.arena_place(place, bytes, written);
        }
        let inside = end(bytes) <= u64::from(self.program.header.weights.len);
        if inside { Ok(()) } else { Err(StepFault::Place) }
    }

    /// Weights in the arena: inside a buffer that was written before, apart from the output.
    fn arena_place(&self, place: &Place, bytes: Span, written: Written) -> Result<(), StepFault> {
        let buffer = self.buffer(place.buffer)?;
        self.written_before(buffer)?;
        let buffer = Span { offset: buffer.offset, len: buffer.len };
        if bytes.offset < buffer.offset || end(bytes) > end(buffer) {
            return Err(StepFault::Outside);
        }
        // Inside a buffer, so the sum fits 32 bits.
        let range = (bytes.offset, bytes.offset.saturating_add(bytes.len));
        if overlap(range, written) { Err(StepFault::Overlap) } else { Ok(()) }
    }

    /// A scratch buffer that lives in this step alone and is long enough, if the step needs one.
    fn scratch(&self, number: u32, least: u32) -> Result<(), StepFault> {
        if number == NONE {
            return if least == 0 { Ok(()) } else { Err(StepFault::Scratch) };
        }
        let buffer = self.program.buffers.get(index(number)).ok_or(StepFault::Scratch)?;
        let sound = BufferClass::from_code(buffer.class) == Some(BufferClass::Scratch)
            && buffer.first_step == self.number
            && DType::F32.bytes_of(least).is_some_and(|least| buffer.len >= least);
        if sound { Ok(()) } else { Err(StepFault::Scratch) }
    }
}

fn overlap(a: (u32, u32), b: (u32, u32)) -> bool {
    ranges_overlap(a.0, a.1.saturating_sub(a.0), b.0, b.1.saturating_sub(b.0))
}
