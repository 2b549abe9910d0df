//! Engines: the bits of a run depend on the program and its inputs alone, and what does not fit is refused with both numbers.
#![cfg(feature = "std")]
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "a test fails by panicking")]

mod programs;

use std::sync::Barrier;
use std::thread;

use programs::{Guarded, network, output_bits, overlap, run, run_poisoned, set_inputs};
use salto::device::engine::operators::{
    Binary, Conv, ConvTranspose, Interpolate, Map, Normalize, Pool, Rearrange, Resize, Softmax,
};
use salto::device::engine::{AlignedArena, BandExecutor, Engine, EngineError, StepHook};
use salto::device::program::record::OpCode;
use salto::device::program::{Program, Step};
use salto::device::simd::Level;
use salto::device::tensor::DType;
use salto::host::compile::{CompileOptions, compile};
use salto::host::graph::{Seeded, zoo};
use salto::host::threads::ThreadPool;
use salto::ops;

/// A program whose larger steps are worth dividing.
fn large() -> Guarded {
    Guarded::copy(&network(32, 16))
}

#[test]
fn dead_bytes_have_no_influence() {
    for (size, channels) in [(2, 2), (4, 2), (6, 18), (10, 6)] {
        let bytes = Guarded::copy(&network(size, channels));
        let program = Program::from_bytes(bytes.bytes()).unwrap();
        assert_eq!(run_poisoned(&program), run(&program), "size {size}, {channels} channels");
    }
}

#[test]
fn outputs_over_their_inputs_change_nothing() {
    let (bytes, apart) = (Guarded::copy(&overlap::overlapping()), Guarded::copy(&overlap::apart()));
    let (program, apart) =
        (Program::from_bytes(bytes.bytes()).unwrap(), Program::from_bytes(apart.bytes()).unwrap());
    assert_eq!(run(&program), run(&apart));
    assert_eq!(run_poisoned(&program), run(&apart));
    check_threads(&program);
}

#[test]
fn dead_bytes_have_no_influence_on_compiled_networks() {
    for graph in [zoo::resnet8(&zoo::Options::default(), Seeded::new(1)), zoo::densenet_front(Seeded::new(2))]
    {
        let compiled = compile(&graph.unwrap(), &CompileOptions::default()).unwrap();
        let program = Program::from_bytes(compiled.bytes()).unwrap();
        assert_eq!(run_poisoned(&program), run(&program));
    }
}

#[test]
fn bits_do_not_depend_on_the_number_of_threads() {
    let bytes = large();
    let program = Program::from_bytes(bytes.bytes()).unwrap();
    check_threads(&program);
    // Its deep layers are divided by channels, the others by rows.
    let graph = zoo::resnet8(&zoo::Options::default(), Seeded::new(3)).unwrap();
    let compiled = compile(&graph, &CompileOptions::default()).unwrap();
    check_threads(&Program::from_bytes(compiled.bytes()).unwrap());
}

/// Every number of threads must give the bits of one.
fn check_threads(program: &Program<'_>) {
    let expected = run(program);
    for threads in 1..=4 {
        let pool = ThreadPool::new(threads).unwrap();
        assert_eq!(pool.workers(), threads);
        let mut arena = Guarded::zeros(program.arena_len(threads));
        let engine = Engine::new(program, arena.bytes_mut()).unwrap();
        let mut engine = engine.with_executor(&pool).unwrap();
        for _ in 0..3 {
            set_inputs(&mut engine);
            engine.run();
            assert_eq!(output_bits(&engine), expected, "{threads} threads");
        }
        arena.check_guards();
    }
}

/// Law 7: all levels with fused multiply-add give the same bits. A machine may have one such level only; the crate's own tests
/// compare that one with plain Rust.
#[test]
fn bits_do_not_depend_on_the_level() {
    let bytes = Guarded::copy(&network(10, 18));
    let program = Program::from_bytes(bytes.bytes()).unwrap();
    let mut fused = Vec::new();
    for name in Level::NAMES {
        let Some(level) = Level::named(name) else {
            println!("{name}: skipped, the CPU lacks it");
            continue;
        };
        let mut arena = Guarded::zeros(program.arena_len(1));
        let mut engine = Engine::new(&program, arena.bytes_mut()).unwrap().with_level(level);
        set_inputs(&mut engine);
        engine.run();
        if salto::dispatch!(level, s => is_fused(s)) {
            fused.push(output_bits(&engine));
        }
    }
    assert!(fused.windows(2).all(|pair| pair[0] == pair[1]));
}

fn is_fused<S: salto::device::simd::Simd>(_: S) -> bool {
    S::FUSED
}

/// An executor that calls as often as it likes, on threads of its own.
struct Careless {
    calls: usize,
}

impl BandExecutor for Careless {
    fn workers(&self) -> usize {
        3
    }

    fn execute(&self, work: &(dyn Fn(usize) + Sync)) {
        thread::scope(|scope| {
            for _ in 0..self.calls {
                scope.spawn(|| work(7));
            }
        });
    }
}

#[test]
fn a_careless_executor_changes_nothing() {
    let bytes = large();
    let program = Program::from_bytes(bytes.bytes()).unwrap();
    let expected = run(&program);
    for calls in [0, 1, 7] {
        let mut arena = Guarded::zeros(program.arena_len(3));
        let engine = Engine::new(&program, arena.bytes_mut()).unwrap();
        let mut engine = engine.with_executor(Careless { calls }).unwrap();
        set_inputs(&mut engine);
        engine.run();
        assert_eq!(output_bits(&engine), expected, "{calls} calls");
        arena.check_guards();
    }
}

#[test]
fn engines_share_a_program() {
    let bytes = Guarded::copy(&network(6, 4));
    let program = Program::from_bytes(bytes.bytes()).unwrap();
    let expected = run(&program);
    let start = Barrier::new(3);
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                start.wait();
                assert_eq!(run(&program), expected);
            });
        }
    });
}

#[test]
fn an_arena_that_does_not_fit_is_refused_with_both_numbers() {
    let bytes = large();
    let program = Program::from_bytes(bytes.bytes()).unwrap();
    let needed = program.arena_len(1);
    let mut arena = Guarded::zeros(program.arena_len(4));
    let memory = arena.bytes_mut();
    let short = Engine::new(&program, &mut memory[..needed - 1]).err();
    assert_eq!(short, Some(EngineError::ArenaShort { needed, given: needed - 1 }));
    let misaligned = Engine::new(&program, &mut memory[4..]).err();
    assert_eq!(misaligned, Some(EngineError::ArenaMisaligned { excess: 4 }));
    let engine = Engine::new(&program, &mut memory[..needed]).unwrap();
    let workers = engine.with_executor(Careless { calls: 0 }).err();
    assert!(program.arena_len(3) > needed);
    assert_eq!(workers, Some(EngineError::ArenaShort { needed: program.arena_len(3), given: needed }));
    assert!(workers.unwrap().to_string().contains(&needed.to_string()));
}

#[test]
fn wrong_indices_and_lengths_are_refused_with_both_numbers() {
    let bytes = Guarded::copy(&network(2, 2));
    let program = Program::from_bytes(bytes.bytes()).unwrap();
    let mut arena = AlignedArena::<65_536>::new();
    let mut engine = Engine::new(&program, &mut arena).unwrap();
    assert_eq!(engine.input_mut::<f32>(1).err(), Some(EngineError::NoInput { index: 1, count: 1 }));
    assert_eq!(engine.output::<f32>(2).err(), Some(EngineError::NoOutput { index: 2, count: 2 }));
    let count = program.step_count();
    assert_eq!(engine.run_step(count).err(), Some(EngineError::NoStep { index: count, count }));
    let wrong = engine.set_input(0, &[0.0; 3]).err();
    assert_eq!(wrong, Some(EngineError::InputLen { expected: 24, given: 3 }));
    let (expected, given) = (DType::F32, DType::I8);
    let wrong = engine.set_input(0, &[0i8; 24]).err();
    assert_eq!(wrong, Some(EngineError::InputDType { index: 0, expected, given }));
    let wrong = engine.output::<i8>(1).err();
    assert_eq!(wrong, Some(EngineError::OutputDType { index: 1, expected, given }));
    assert_eq!(wrong.unwrap().to_string(), "output 1 has elements of type float32, not int8");
}

#[test]
fn a_table_names_the_operators_that_an_engine_has() {
    let bytes = Guarded::copy(&network(2, 2));
    let program = Program::from_bytes(bytes.bytes()).unwrap();
    let mut arena = Guarded::zeros(program.arena_len(1));
    let some = Engine::with_operators(&program, arena.bytes_mut(), ops![Conv, Map, Binary]);
    let pool = program.steps().position(|step| step.operator() == OpCode::Pool).unwrap();
    assert_eq!(some.err(), Some(EngineError::MissingOperator { step: pool, operator: OpCode::Pool }));
    let all =
        ops![Interpolate, Normalize, Softmax, Resize, Rearrange, Map, Binary, Pool, ConvTranspose, Conv];
    let mut engine = Engine::with_operators(&program, arena.bytes_mut(), all).unwrap();
    set_inputs(&mut engine);
    engine.run();
    assert_eq!(output_bits(&engine), run(&program));
}

/// Writes down what it is told.
#[derive(Default)]
struct Diary(Vec<(usize, OpCode, bool)>);

impl StepHook for Diary {
    fn before(&mut self, index: usize, step: &Step<'_>) {
        self.0.push((index, step.operator(), false));
    }

    fn after(&mut self, index: usize, step: &Step<'_>) {
        self.0.push((index, step.operator(), true));
    }
}

#[test]
fn a_hook_sees_every_step_in_order() {
    let bytes = Guarded::copy(&network(2, 2));
    let program = Program::from_bytes(bytes.bytes()).unwrap();
    let mut arena = Guarded::zeros(program.arena_len(1));
    let mut diary = Diary::default();
    Engine::new(&program, arena.bytes_mut()).unwrap().with_hook(&mut diary).run();
    let expected: Vec<_> = program
        .steps()
        .enumerate()
        .flat_map(|(i, step)| [(i, step.operator(), false), (i, step.operator(), true)])
        .collect();
    assert_eq!(diary.0, expected);
}
