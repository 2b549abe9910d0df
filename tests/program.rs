//! Programs: what is sound is read as it was written, whatever is not is refused, and nothing is read outside.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "a test fails by panicking")]

mod programs;

use programs::edit::with_header;
use programs::{Guarded, network, overlap, set_inputs};
use salto::device::engine::Engine;
use salto::device::program::record::{ALIGN, Header, OpCode};
use salto::device::program::{Program, ProgramError, Section, arena_len, is_intact, seal};

/// A small program that uses everything.
fn small() -> Guarded {
    Guarded::copy(&network(4, 2))
}

/// Reads a program; `None` if it is refused. Runs it and checks the guard bands if it is not.
fn read_and_run(bytes: &Guarded) -> Option<()> {
    let program = Program::from_bytes(bytes.bytes()).ok()?;
    // A program may ask for more arena than it uses; beyond this it is not worth the memory.
    let len = program.arena_len(1);
    if len < 1 << 24 {
        let mut arena = Guarded::zeros(len);
        let mut engine = Engine::new(&program, arena.bytes_mut()).unwrap();
        set_inputs(&mut engine);
        engine.run();
        arena.check_guards();
    }
    Some(())
}

#[test]
fn a_program_is_read_as_it_was_written() {
    let bytes = small();
    let program = Program::from_bytes(bytes.bytes()).unwrap();
    let names: Vec<_> = program.inputs().chain(program.outputs()).map(|port| port.name()).collect();
    assert_eq!(names, ["input", "probabilities", "scores"]);
    assert_eq!(program.input(0).unwrap().shape().dims(), [2, 4, 4, 3]);
    let operators: Vec<_> = program.steps().map(|step| step.operator()).collect();
    assert_eq!(operators.len(), program.step_count());
    assert!(OpCode::ALL.iter().all(|operator| operators.contains(operator)));
    assert!(program.steps().all(|step| step.name == "step" && step.is_parallel()));
    read_and_run(&bytes).unwrap();
}

#[test]
fn weights_may_lie_apart() {
    let bytes = small();
    let program = Program::from_bytes(bytes.bytes()).unwrap();
    let at = bytes.bytes().len() - program.weights().len();
    let (head, weights) = bytes.bytes().split_at(at);
    let (head, weights) = (Guarded::copy(head), Guarded::copy(weights));
    let apart = Program::from_parts(head.bytes(), weights.bytes()).unwrap();
    assert!(apart.steps().eq(program.steps()));
    let short = &weights.bytes()[..weights.bytes().len() - 1];
    assert!(matches!(Program::from_parts(head.bytes(), short), Err(ProgramError::Length { .. })));
}

#[test]
fn a_program_cut_short_anywhere_is_refused() {
    let bytes = small();
    for len in 0..bytes.bytes().len() {
        assert!(Program::from_bytes(&bytes.bytes()[..len]).is_err(), "{len} bytes were read as a program");
    }
}

#[test]
fn every_changed_bit_of_a_section_is_noticed() {
    let mut bytes = small();
    let header: Header = bytemuck::pod_read_unaligned(&bytes.bytes()[..size_of::<Header>()]);
    let sections = [(0, header.head_len), (header.steps.offset, header.steps.len)];
    for (start, len) in sections {
        for bit in start as usize * 8..(start + len) as usize * 8 {
            bytes.bytes_mut()[bit / 8] ^= 1 << (bit % 8);
            assert!(Program::from_bytes(bytes.bytes()).is_err(), "bit {bit} may change");
            bytes.bytes_mut()[bit / 8] ^= 1 << (bit % 8);
        }
    }
    let last = bytes.bytes().len() - 1;
    bytes.bytes_mut()[last] ^= 1;
    assert_eq!(Program::from_bytes(bytes.bytes()).err(), Some(ProgramError::Checksum(Section::Weights)));
}

/// The checks, not the CRCs, keep a run inside its arena: each flip is sealed again, and what is still a program is run.
#[test]
fn every_changed_bit_with_the_crc_repaired_is_refused_or_runs_inside_its_arena() {
    flip_every_bit(&network(4, 2));
}

#[test]
fn every_changed_bit_of_an_overlapping_program_is_refused_or_runs_inside_its_arena() {
    flip_every_bit(&overlap::overlapping());
}

fn flip_every_bit(original: &[u8]) {
    let header: Header = bytemuck::pod_read_unaligned(&original[..size_of::<Header>()]);
    let weights = header.weights.offset as usize;
    // All bits of the head and the steps; the weights are mere numbers, of which some do.
    let bits = (0..weights * 8).chain((weights * 8..original.len() * 8).step_by(997));
    let (mut refused, mut run) = (0, 0);
    let mut bytes = Guarded::copy(original);
    for bit in bits {
        bytes.bytes_mut().copy_from_slice(original);
        bytes.bytes_mut()[bit / 8] ^= 1 << (bit % 8);
        seal(bytes.bytes_mut());
        match read_and_run(&bytes) {
            Some(()) => run += 1,
            None => refused += 1,
        }
    }
    assert!(refused > run, "{refused} changes were refused, {run} ran");
}

#[test]
fn what_is_known_when_compiling_agrees_with_what_is_read() {
    let mut bytes = small();
    let program = Program::from_bytes(bytes.bytes()).unwrap();
    assert_eq!(arena_len(bytes.bytes()), program.arena_len(1));
    assert!(is_intact(bytes.bytes()) && !is_intact(&[]) && arena_len(&[]) == 0);
    let steps: Header = bytemuck::pod_read_unaligned(&bytes.bytes()[..size_of::<Header>()]);
    for place in [0, 9, 40, size_of::<Header>(), steps.steps.offset as usize] {
        bytes.bytes_mut()[place] ^= 1;
        assert!(!is_intact(bytes.bytes()), "byte {place}");
        bytes.bytes_mut()[place] ^= 1;
    }
}

#[test]
fn misaligned_bytes_are_refused() {
    let bytes = network(4, 2);
    let mut memory = Guarded::zeros(bytes.len() + ALIGN);
    for excess in 1..ALIGN {
        let place = excess..excess + bytes.len();
        memory.bytes_mut()[place.clone()].copy_from_slice(&bytes);
        let expected = ProgramError::Misaligned { excess: excess as u32 };
        assert_eq!(Program::from_bytes(&memory.bytes()[place]).err(), Some(expected));
    }
}

#[test]
fn the_header_is_believed_in_nothing() {
    let program = network(4, 2);
    let with_header = |change: fn(&mut Header)| with_header(&program, change);
    assert_eq!(with_header(|_| ()), None);
    assert_eq!(with_header(|header| header.magic[0] = b's'), Some(ProgramError::Magic));
    assert_eq!(with_header(|header| header.version = 7), Some(ProgramError::Version { found: 7 }));
    const UNKNOWN: u64 = 1 << 63;
    assert_eq!(
        with_header(|header| header.capabilities = UNKNOWN),
        Some(ProgramError::Capabilities { unknown: UNKNOWN })
    );
    assert_eq!(with_header(|header| header.weight_layout = 3), Some(ProgramError::WeightLayout { found: 3 }));
    let steps = Some(ProgramError::Bounds(Section::Steps));
    assert_eq!(with_header(|header| header.steps.offset -= 64), steps);
    assert!(matches!(with_header(|header| header.weights.offset += 64), Some(ProgramError::Length { .. })));
    assert!(matches!(
        with_header(|header| header.buffer_count += 1000),
        Some(ProgramError::Bounds(Section::Head))
    ));
    // The outputs live to the last step, so another number of steps contradicts their buffers first.
    assert!(matches!(with_header(|header| header.step_count += 1), Some(ProgramError::Buffer { .. })));
    assert!(matches!(with_header(|header| header.step_count -= 1), Some(ProgramError::Buffer { .. })));
    assert!(matches!(with_header(|header| header.arena_len /= 2), Some(ProgramError::Buffer { .. })));
}
