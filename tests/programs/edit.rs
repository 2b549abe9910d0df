//! Changes single records of a finished program, and seals it again.

use bytemuck::{Pod, cast_slice_mut, from_bytes_mut, pod_read_unaligned};
use salto::device::program::record::{Buffer, Header, Place, Port, StepHead};
use salto::device::program::{Program, ProgramError, seal};
use salto::device::tensor::Segment;

use super::Guarded;

/// The parts of a step's record, to be changed where they are.
pub struct Record<'a> {
    pub head: &'a mut StepHead,
    pub params: &'a mut [u8],
    /// Of all operands, in order; the output's is the last.
    pub segments: &'a mut [Segment],
    pub places: &'a mut [Place],
}

impl Record<'_> {
    /// The output's segment.
    pub fn output(&mut self) -> &mut Segment {
        self.segments.last_mut().unwrap()
    }

    /// The parameters.
    pub fn params<T: Pod>(&mut self) -> &mut T {
        from_bytes_mut(self.params)
    }
}

fn header(bytes: &[u8]) -> Header {
    pod_read_unaligned(&bytes[..size_of::<Header>()])
}

/// The error of the program after a change of its header.
pub fn with_header(program: &[u8], change: impl FnOnce(&mut Header)) -> Option<ProgramError> {
    edited(program, |bytes| change(from_bytes_mut(&mut bytes[..size_of::<Header>()])))
}

/// The error of the program after a change of buffer `i`.
pub fn with_buffer(program: &[u8], i: usize, change: impl FnOnce(&mut Buffer)) -> Option<ProgramError> {
    let header = header(program);
    let ports = (header.input_count + header.output_count) as usize;
    let start = size_of::<Header>() + ports * size_of::<Port>() + i * size_of::<Buffer>();
    edited(program, |bytes| change(from_bytes_mut(&mut bytes[start..start + size_of::<Buffer>()])))
}

/// The error of the program after a change of port `i`; the outputs' ports follow the inputs'.
pub fn with_port(program: &[u8], i: usize, change: impl FnOnce(&mut Port)) -> Option<ProgramError> {
    let start = size_of::<Header>() + i * size_of::<Port>();
    edited(program, |bytes| change(from_bytes_mut(&mut bytes[start..start + size_of::<Port>()])))
}

/// The error of the program after a change of step `i`.
pub fn with_step(program: &[u8], i: usize, change: impl FnOnce(Record<'_>)) -> Option<ProgramError> {
    edited(program, |bytes| {
        let steps = header(bytes).steps;
        let mut rest = &mut bytes[steps.offset as usize..(steps.offset + steps.len) as usize];
        for _ in 0..i {
            let len = pod_read_unaligned::<StepHead>(&rest[..size_of::<StepHead>()]).len;
            rest = &mut rest[len as usize..];
        }
        let (head, rest) = rest.split_at_mut(size_of::<StepHead>());
        let head: &mut StepHead = from_bytes_mut(head);
        let (params, rest) = rest.split_at_mut(head.params_len as usize);
        let count: usize = head.segments.iter().map(|count| *count as usize).sum();
        let (segments, rest) = rest.split_at_mut(count * size_of::<Segment>());
        let places = cast_slice_mut(&mut rest[..head.places as usize * size_of::<Place>()]);
        change(Record { head, params, segments: cast_slice_mut(segments), places });
    })
}

/// The error of the program after buffer `i` was moved, with all that lies in it.
pub fn with_move(program: &[u8], i: usize, offset: u32) -> Option<ProgramError> {
    let Header { input_count, output_count, steps, step_count, .. } = header(program);
    let ports = (input_count + output_count) as usize;
    let start = size_of::<Header>() + ports * size_of::<Port>() + i * size_of::<Buffer>();
    edited(program, |bytes| {
        let buffer: &mut Buffer = from_bytes_mut(&mut bytes[start..start + size_of::<Buffer>()]);
        let distance = (offset / 4).wrapping_sub(buffer.offset / 4);
        buffer.offset = offset;
        let move_all = |segments: &mut [Segment]| {
            for segment in segments.iter_mut().filter(|segment| segment.buffer as usize == i) {
                segment.rows.base = segment.rows.base.wrapping_add(distance);
            }
        };
        for port in 0..ports {
            let start = size_of::<Header>() + port * size_of::<Port>();
            let port: &mut Port = from_bytes_mut(&mut bytes[start..start + size_of::<Port>()]);
            move_all(core::slice::from_mut(&mut port.segment));
        }
        let mut rest = &mut bytes[steps.offset as usize..(steps.offset + steps.len) as usize];
        for _ in 0..step_count {
            let head = pod_read_unaligned::<StepHead>(&rest[..size_of::<StepHead>()]);
            let (record, behind) = rest.split_at_mut(head.len as usize);
            let start = size_of::<StepHead>() + head.params_len as usize;
            let count: usize = head.segments.iter().map(|count| *count as usize).sum();
            move_all(cast_slice_mut(&mut record[start..start + count * size_of::<Segment>()]));
            rest = behind;
        }
    })
}

fn edited(program: &[u8], change: impl FnOnce(&mut [u8])) -> Option<ProgramError> {
    let mut bytes = Guarded::copy(program);
    change(bytes.bytes_mut());
    seal(bytes.bytes_mut());
    Program::from_bytes(bytes.bytes()).err()
}
