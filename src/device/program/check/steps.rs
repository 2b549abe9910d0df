//! Steps: their records, where their operands lie, and when those live.

use super::operators::{Demand, Source};
use super::{OPERAND, bytes_inside, end};
use crate::device::memory::ranges_overlap;
use crate::device::program::Program;
use crate::device::program::error::{ProgramError, StepFault};
use crate::device::program::index;
use crate::device::program::record::{Buffer, BufferClass, FLAG_PARALLEL, NONE, Place, Space, Span};
use crate::device::program::step::Record;
use crate::device::tensor::{DType, Extent, Rows, Segment};

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
    if record.head.flags & !FLAG_PARALLEL != 0 {
        // This build goes forwards through every step; a plan that needs more says so in the capabilities.
        return Err(StepFault::Flags);
    }
    program.name(record.head.name).ok_or(StepFault::Name)?;
    let demand = Demand::of(&record)?;
    let step = StepCheck { program, number };
    let [sources @ .., output] = record.operands;
    let written = step.output(output, &demand.output)?;
    for (segments, source) in sources.into_iter().zip(demand.sources) {
        match source {
            Some(source) => step.source(segments, &source, output, &demand.output, written)?,
            None if segments.is_empty() => {}
            None => return Err(StepFault::Operands),
        }
    }
    if record.places.len() > demand.places.len() {
        return Err(StepFault::Operands);
    }
    for (i, least) in demand.places.into_iter().enumerate() {
        step.place(record.places.get(i).unwrap_or(&Place::ABSENT), least, written)?;
    }
    step.scratch(record.head.scratch, demand.scratch_len)?;
    Ok(rest)
}

/// The bytes that a step writes, `[begin, end)` in the arena.
type Written = (u32, u32);

/// The checks of one step's operands.
struct StepCheck<'a, 'p> {
    program: &'a Program<'p>,
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

    /// Segments that add up, each written before; apart from the output, or exactly it where the operator allows that.
    fn source(
        &self,
        segments: &[Segment],
        source: &Source,
        output: &[Segment],
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
            let is_output = source.in_place
                && part == *output_extent
                && output.iter().any(|output| output.rows == segment.rows);
            if overlap((begin, end), written) && !is_output {
                return Err(StepFault::Overlap);
            }
        }
        Ok(())
    }

    /// The bytes that a segment reaches, and its buffer: inside it, alive, no scratch.
    fn segment(&self, segment: &Segment, extent: &Extent) -> Result<(u32, u32, &Buffer), StepFault> {
        if !is_whole(&segment.rows, extent) {
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

    /// A place of at least `least` elements, or none where `least` is none.
    fn place(&self, place: &Place, least: Option<u32>, written: Written) -> Result<(), StepFault> {
        let space = Space::from_code(place.space).ok_or(StepFault::Place)?;
        let Some(least) = least else {
            return if space == Space::Absent { Ok(()) } else { Err(StepFault::Operands) };
        };
        if space == Space::Absent {
            return Err(StepFault::Operands);
        }
        let bytes = Span { offset: place.offset, len: place.len };
        let is_whole = |bytes: u32| index(bytes).is_multiple_of(OPERAND.bytes());
        let is_short = OPERAND.bytes_of(least).is_none_or(|least| place.len < least);
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

/// Do the rows exist whole, with every element at its own place? Channels lie inside a pixel, pixels inside a row, rows inside
/// a picture. So an operand has no more elements than its buffer, whatever the parameters say, and bands share none.
fn is_whole(rows: &Rows, extent: &Extent) -> bool {
    let Extent { n, h, w, c } = *extent;
    if n == 0 || h == 0 || w == 0 || c == 0 {
        return false;
    }
    let inner = |count: u32, stride: u32, len: u64| {
        // (count − 1)·stride + len, where neighbours do not touch.
        (count == 1 || u64::from(stride) >= len)
            .then(|| u64::from(count - 1).saturating_mul(u64::from(stride)).saturating_add(len))
    };
    let nested = inner(w, rows.pixel_stride, u64::from(c))
        .and_then(|row_len| inner(h, rows.row_stride, row_len))
        .and_then(|image_len| inner(n, rows.image_stride, image_len));
    nested.is_some() && rows.first_row == 0 && rows.ring_rows >= h
}
