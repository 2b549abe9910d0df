//! Unsound programs: each rule that a program must keep, broken alone, with its CRCs right, and the error that it gives.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "a test fails by panicking")]

mod programs;

use programs::edit::{Record, with_buffer, with_header, with_move, with_port, with_step};
use programs::{network, overlap};
use salto::device::kernel::params::{
    BinaryParams, ConvParams, InterpolateParams, MapParams, NormalizeParams, PoolParams, RearrangeParams,
    ResizeParams, SoftmaxParams,
};
use salto::device::program::record::{
    Buffer, BufferClass, FLAG_BACKWARD, FLAG_PARALLEL, NONE, OpCode, Place, Space,
};
use salto::device::program::{BufferFault, PortFault, Program, ProgramError, StepFault};
use salto::device::tensor::DType;

/// The steps of [`network`] that the tests below change.
const STEM: usize = 0;
const WINOGRAD: usize = 1;
const SUM: usize = 2;
const MAX_POOL: usize = 4;
const GROUPED: usize = 5;
const MAP: usize = 6;
const MUL: usize = 7;
const RESIZE: usize = 9;
const ADD: usize = 10;
const COPY: usize = 11;
const INTERPOLATE: usize = 12;
const REARRANGE: usize = 14;
const SOFTMAX: usize = 15;
const NORMALIZE: usize = 17;

/// The fault of step `i` after a change.
#[track_caller]
fn expect_step(i: usize, fault: StepFault, change: impl FnOnce(Record<'_>)) {
    match with_step(&network(4, 2), i, change) {
        Some(ProgramError::Step { index, fault: found, .. }) => {
            assert_eq!((index as usize, found), (i, fault));
        }
        other => panic!("expected {fault:?} of step {i}, found {other:?}"),
    }
}

#[test]
fn the_steps_are_the_ones_that_the_tests_mean() {
    let bytes = programs::Guarded::copy(&network(4, 2));
    let program = Program::from_bytes(bytes.bytes()).unwrap();
    let operators: Vec<_> = program.steps().map(|step| step.operator()).collect();
    let expected = [
        (STEM, OpCode::Conv),
        (SUM, OpCode::Conv),
        (MAX_POOL, OpCode::Pool),
        (GROUPED, OpCode::Conv),
        (MAP, OpCode::Map),
        (MUL, OpCode::Binary),
        (RESIZE, OpCode::Resize),
        (ADD, OpCode::Binary),
        (COPY, OpCode::Map),
        (INTERPOLATE, OpCode::Interpolate),
        (REARRANGE, OpCode::Rearrange),
        (SOFTMAX, OpCode::Softmax),
        (NORMALIZE, OpCode::Normalize),
    ];
    assert!(expected.iter().all(|(step, operator)| operators[*step] == *operator));
}

#[test]
fn records_must_add_up() {
    expect_step(STEM, StepFault::Record, |record| record.head.len += 4);
    expect_step(STEM, StepFault::Record, |record| record.head.params_len -= 4);
    expect_step(STEM, StepFault::Record, |record| record.head.places += 1);
    expect_step(STEM, StepFault::Record, |record| record.head.segments[1] = u16::MAX);
    expect_step(STEM, StepFault::Operator, |record| record.head.operator = 0);
    expect_step(STEM, StepFault::Flags, |record| record.head.flags = FLAG_PARALLEL | FLAG_BACKWARD);
    expect_step(STEM, StepFault::Name, |record| record.head.name.len = u32::MAX);
}

#[test]
fn parameters_must_describe_something() {
    expect_step(STEM, StepFault::Params, |mut record| record.params::<ConvParams>().groups = 0);
    expect_step(STEM, StepFault::Params, |mut record| record.params::<ConvParams>().output.h += 1);
    expect_step(STEM, StepFault::Params, |mut record| record.params::<ConvParams>().algorithm = 2);
    expect_step(STEM, StepFault::Params, |mut record| record.params::<ConvParams>().activation.code = 99);
    expect_step(STEM, StepFault::Params, |mut record| record.params::<ConvParams>().prologue.code = 1);
    expect_step(MAX_POOL, StepFault::Params, |mut record| record.params::<PoolParams>().window.x.stride = 0);
    expect_step(MUL, StepFault::Params, |mut record| record.params::<BinaryParams>().b.w = 3);
    expect_step(RESIZE, StepFault::Params, |mut record| record.params::<ResizeParams>().scale_x = f32::NAN);
    expect_step(REARRANGE, StepFault::Params, |mut record| record.params::<RearrangeParams>().base += 1);
    expect_step(SOFTMAX, StepFault::Params, |mut record| record.params::<SoftmaxParams>().log = 2);
    let unknown = |mut record: Record<'_>| record.params::<NormalizeParams>().activation.code = 999;
    expect_step(NORMALIZE, StepFault::Params, unknown);
    expect_step(NORMALIZE, StepFault::Params, |mut record| {
        record.params::<NormalizeParams>().inner = u32::MAX
    });
    expect_step(NORMALIZE, StepFault::Channels, |mut record| record.params::<NormalizeParams>().groups = 2);
    expect_step(NORMALIZE, StepFault::Scratch, |record| record.head.scratch = NONE);
    expect_step(NORMALIZE, StepFault::Place, |record| record.places[1].len -= 64);
}

#[test]
fn operands_must_be_those_of_the_operator() {
    expect_step(GROUPED, StepFault::Channels, |record| record.segments[0].channels += 1);
    expect_step(MAX_POOL, StepFault::Channels, |mut record| record.output().channels += 1);
    expect_step(SUM, StepFault::Operands, |record| record.head.segments = [0, 1, 1, 1]);
    expect_step(SUM, StepFault::Operands, |record| record.head.segments = [1, 1, 1, 0]);
    expect_step(COPY, StepFault::Operands, |record| record.head.segments = [1, 0, 0, 2]);
    expect_step(MAP, StepFault::Operands, |record| record.places[1] = Place::ABSENT);
    expect_step(MUL, StepFault::Operands, |record| record.places[0] = record.places[1]);
    expect_step(MUL, StepFault::Operands, |record| record.places[1] = Place::ABSENT);
}

#[test]
fn elements_have_places_of_their_own_inside_the_buffer() {
    expect_step(STEM, StepFault::Layout, |mut record| record.output().rows.pixel_stride = 1);
    expect_step(STEM, StepFault::Layout, |mut record| record.output().rows.row_stride -= 1);
    expect_step(STEM, StepFault::Layout, |mut record| record.output().rows.image_stride = 0);
    expect_step(STEM, StepFault::Layout, |mut record| record.output().rows.ring_rows = 2);
    expect_step(STEM, StepFault::Layout, |record| record.segments[0].rows.first_row = 1);
    expect_step(STEM, StepFault::Layout, |record| record.segments[0].rows.pixel_stride = 0);
    expect_step(STEM, StepFault::Outside, |mut record| record.output().rows.image_stride += 1);
    expect_step(STEM, StepFault::Outside, |mut record| record.output().rows.base += 1);
    expect_step(STEM, StepFault::Outside, |mut record| record.output().buffer = 999);
    expect_step(STEM, StepFault::Outside, |record| record.segments[0].rows.base = u32::MAX);
    let huge = |mut record: Record<'_>| record.output().rows.image_stride = u32::MAX;
    expect_step(STEM, StepFault::Outside, huge);
}

#[test]
fn what_is_read_was_written_and_lives() {
    // The stem reads what it writes itself.
    expect_step(STEM, StepFault::Life, |mut record| {
        let output = *record.output();
        record.params::<ConvParams>().input.c = output.channels;
        record.places[0].len = output.channels.div_ceil(16) * 16 * 9 * 2 * 4;
        record.segments[0] = output;
    });
    let program = network(4, 2);
    // The input dies before the stem reads it, or the sum before the copy does.
    let late = with_buffer(&program, 1, |buffer| buffer.last_step = SUM as u32);
    assert!(matches!(late, Some(ProgramError::Step { fault: StepFault::Life, .. })), "{late:?}");
    // A buffer that no step writes.
    let unwritten = with_buffer(&program, 1, |buffer| buffer.first_step = 1);
    assert!(matches!(unwritten, Some(ProgramError::Step { index: 0, fault: StepFault::Life, .. })));
}

#[test]
fn a_source_is_the_output_itself_or_apart() {
    // The residual one pixel behind the sum.
    expect_step(SUM, StepFault::Outside, |record| record.segments[1].rows.base += 2);
    // The input where the residual may be.
    expect_step(SUM, StepFault::Overlap, |mut record| record.segments[0] = *record.output());
}

#[test]
fn places_lie_in_the_weights() {
    expect_step(STEM, StepFault::Place, |record| record.places[0].len -= 4);
    expect_step(STEM, StepFault::Place, |record| record.places[0].offset += 2);
    expect_step(STEM, StepFault::Place, |record| record.places[0].offset = u32::MAX - 3);
    expect_step(STEM, StepFault::Place, |record| record.places[0].space = 7);
    expect_step(STEM, StepFault::Outside, |record| record.places[0].space = Space::Arena as u32);
    // Weights of `f16`: too few, where a transform or a bias is read, and without the capability.
    expect_step(SUM, StepFault::Place, |record| record.places[0].len -= 4);
    expect_step(WINOGRAD, StepFault::Place, |record| record.places[0].space = Space::ConstantsF16 as u32);
    expect_step(SUM, StepFault::Place, |record| record.places[1].space = Space::ConstantsF16 as u32);
    let incapable = with_header(&network(4, 2), |header| header.capabilities = 0);
    assert!(matches!(incapable, Some(ProgramError::Step { index: 2, fault: StepFault::Place, .. })));
    expect_step(SUM, StepFault::Overlap, |mut record| {
        let output = *record.output();
        let offset = output.rows.base * 4;
        record.places[1] = Place { space: Space::Arena as u32, offset, len: 64, buffer: output.buffer };
    });
}

#[test]
fn scratch_is_no_operand_and_long_enough() {
    expect_step(STEM, StepFault::Scratch, |record| record.head.scratch = record.segments[0].buffer);
    expect_step(STEM, StepFault::Scratch, |record| record.head.scratch = 999);
    let program = network(4, 2);
    let bytes = programs::Guarded::copy(&program);
    let steps = Program::from_bytes(bytes.bytes()).unwrap();
    let with_scratch = steps.steps().position(|step| step.scratch.is_some()).unwrap();
    expect_step(with_scratch, StepFault::Scratch, |record| record.head.scratch = NONE);
    let scratch =
        steps.buffers().iter().position(|buffer| buffer.class == BufferClass::Scratch as u16).unwrap();
    let short = with_buffer(&program, scratch, |buffer| buffer.len = 0);
    assert!(matches!(short, Some(ProgramError::Step { fault: StepFault::Scratch, .. })), "{short:?}");
}

#[test]
fn buffers_keep_the_rules_of_the_plan() {
    let program = network(4, 2);
    let fault = |fault| Some(ProgramError::Buffer { index: 1, fault });
    assert_eq!(with_buffer(&program, 1, |buffer| buffer.class = 9), fault(BufferFault::Class));
    assert_eq!(with_buffer(&program, 1, |buffer| buffer.region = 1), fault(BufferFault::Region));
    assert_eq!(with_buffer(&program, 1, |buffer| buffer.offset += 4), fault(BufferFault::Alignment));
    assert_eq!(with_buffer(&program, 1, |buffer| buffer.len = u32::MAX), fault(BufferFault::Outside));
    assert_eq!(with_buffer(&program, 1, |buffer| buffer.last_step = 99), fault(BufferFault::Life));
    // A scratch lives in one step, and is no longer than what each worker has.
    let scratch = |buffer: &mut Buffer| buffer.class = BufferClass::Scratch as u16;
    let long_lived = |buffer: &mut Buffer| {
        scratch(buffer);
        buffer.len = 16;
    };
    assert_eq!(with_buffer(&program, 1, long_lived), fault(BufferFault::Life));
    let too_long = with_header(&program, |header| header.scratch_len -= 1);
    assert!(matches!(too_long, Some(ProgramError::Buffer { fault: BufferFault::Outside, .. })));
}

#[test]
fn two_buffers_that_live_together_share_nothing() {
    let program = network(4, 2);
    let bytes = programs::Guarded::copy(&program);
    let buffers = Program::from_bytes(bytes.bytes()).unwrap().buffers();
    let input = buffers[0].offset;
    assert_eq!(
        with_buffer(&program, 1, |buffer| buffer.offset = input),
        Some(ProgramError::Overlap { first: 0, second: 1 })
    );
}

#[test]
fn ports_are_contiguous_floats_in_their_buffers() {
    let program = network(4, 2);
    let input = |fault| Some(ProgramError::Input { index: 0, fault });
    let i64 = DType::I64 as u32;
    assert_eq!(with_port(&program, 0, |port| port.dtype = i64), input(PortFault::DType));
    assert_eq!(with_port(&program, 0, |port| port.dtype = 256), input(PortFault::DType));
    assert_eq!(with_port(&program, 0, |port| port.model_layout = 5), input(PortFault::Layout));
    assert_eq!(with_port(&program, 0, |port| port.rank = 7), input(PortFault::Shape));
    assert_eq!(with_port(&program, 0, |port| port.dims[1] = 0), input(PortFault::Shape));
    assert_eq!(with_port(&program, 0, |port| port.dims[1] = u32::MAX), input(PortFault::Shape));
    assert_eq!(with_port(&program, 0, |port| port.dims[1] = 3), input(PortFault::Segment));
    assert_eq!(with_port(&program, 0, |port| port.name.offset = u32::MAX), input(PortFault::Name));
    assert_eq!(with_port(&program, 0, |port| port.segment.buffer = 77), input(PortFault::Outside));
    assert_eq!(with_port(&program, 0, |port| port.segment.rows.base += 1), input(PortFault::Outside));
    let output = with_port(&program, 1, |port| port.segment.rows.base = u32::MAX);
    assert_eq!(output, Some(ProgramError::Output { index: 0, fault: PortFault::Outside }));
    let wrong = with_buffer(&program, 0, |buffer| buffer.class = BufferClass::Activation as u16);
    assert_eq!(wrong, input(PortFault::Buffer));
}

#[test]
fn a_map_may_be_empty_of_constants_but_not_of_elements() {
    expect_step(MAP, StepFault::Layout, |mut record| record.params::<MapParams>().extent.h = 0);
    expect_step(ADD, StepFault::Layout, |mut record| {
        let params = record.params::<BinaryParams>();
        (params.a.n, params.b.n, params.output.n) = (0, 0, 0);
    });
}

#[test]
fn a_table_has_a_row_for_each_output() {
    let params = |change: fn(&mut InterpolateParams)| {
        move |mut record: Record<'_>| change(record.params::<InterpolateParams>())
    };
    expect_step(INTERPOLATE, StepFault::Params, params(|params| params.taps_y = 0));
    expect_step(INTERPOLATE, StepFault::Params, params(|params| params.taps_x = params.input.w + 1));
    expect_step(INTERPOLATE, StepFault::Place, params(|params| params.taps_x += 1));
    expect_step(INTERPOLATE, StepFault::Scratch, |record| record.head.scratch = NONE);
}

#[test]
fn what_lies_beyond_an_axis_is_one_of_four_rules() {
    expect_step(REARRANGE, StepFault::Params, |mut record| record.params::<RearrangeParams>().beyond[5] = 4);
    expect_step(REARRANGE, StepFault::Params, |mut record| {
        let params = record.params::<RearrangeParams>();
        params.low[5] = params.high[5];
    });
}

#[test]
fn an_output_lies_over_its_input_only_as_far_as_rows_are_consumed() {
    let program = overlap::overlapping();
    let moved = |buffer: usize, offset: u32| with_move(&program, buffer, offset);
    let step = |index: usize, operator: OpCode| {
        Some(ProgramError::Step { index: index as u32, operator: Some(operator), fault: StepFault::Overlap })
    };
    assert_eq!(with_header(&program, |_| ()), None);
    // Four elements closer, or farther apart.
    assert_eq!(moved(overlap::INPUT, 240), step(overlap::CONV, OpCode::Conv));
    assert_eq!(moved(overlap::INPUT, 272), None);
    assert_eq!(moved(overlap::CONVOLVED, 16), step(overlap::CONV, OpCode::Conv));
    assert_eq!(moved(overlap::RESIZED, 112), step(overlap::RESIZE, OpCode::Resize));
    assert_eq!(moved(overlap::RESIZED, 144), None);
    assert_eq!(moved(overlap::POOLED, 16), step(overlap::POOL, OpCode::Pool));
}

#[test]
fn a_step_that_overlaps_is_a_sequence_in_its_direction() {
    let fault = |step: usize, flags: u16| match with_step(&overlap::overlapping(), step, |record| {
        record.head.flags = flags;
    }) {
        Some(ProgramError::Step { index, fault, .. }) if index as usize == step => Some(fault),
        None => None,
        other => panic!("{other:?}"),
    };
    for step in [overlap::CONV, overlap::RESIZE, overlap::POOL] {
        assert_eq!(fault(step, FLAG_PARALLEL), Some(StepFault::Overlap));
        assert_eq!(fault(step, FLAG_PARALLEL | FLAG_BACKWARD), Some(StepFault::Flags));
        assert_eq!(fault(step, 4), Some(StepFault::Flags));
        let (right, wrong) = if step == overlap::RESIZE { (FLAG_BACKWARD, 0) } else { (0, FLAG_BACKWARD) };
        assert_eq!((fault(step, right), fault(step, wrong)), (None, Some(StepFault::Overlap)));
    }
}

#[test]
fn only_what_is_read_for_the_last_time_is_written_over() {
    let pair = |first: usize, second: usize| {
        Some(ProgramError::Overlap { first: first as u32, second: second as u32 })
    };
    let changed =
        |buffer: usize, change: fn(&mut Buffer)| with_buffer(&overlap::overlapping(), buffer, change);
    // Lives that meet in more than one step.
    let (input, convolved) = (overlap::INPUT, overlap::CONVOLVED);
    assert_eq!(changed(input, |buffer| buffer.last_step = 1), pair(input, convolved));
    assert_eq!(changed(convolved, |buffer| buffer.last_step = 2), pair(convolved, overlap::RESIZED));
    assert_eq!(changed(overlap::RESIZED, |buffer| buffer.first_step = 0), pair(convolved, overlap::RESIZED));
    // Scratch and state belong to nobody else.
    assert_eq!(changed(overlap::SCRATCH, |buffer| buffer.offset = 64), pair(input, overlap::SCRATCH));
    let state = |buffer: &mut Buffer| (buffer.class, buffer.last_step) = (BufferClass::State as u16, 2);
    assert_eq!(changed(input, state), pair(input, convolved));
    // Without the capability nothing overlaps.
    let plain = with_header(&overlap::overlapping(), |header| header.capabilities = 0);
    assert_eq!(plain, pair(input, convolved));
}
