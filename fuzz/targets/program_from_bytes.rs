//! Any bytes are a program that runs inside its arena, or an error.
//!
//! The checksums are repaired first, so that the fuzzer reaches what lies behind them. What passes the check is run between two
//! guard bands that must stay as they were; AddressSanitizer watches everything else.
#![no_main]

use libfuzzer_sys::fuzz_target;
use salto::device::engine::Engine;
use salto::device::engine::operators::{AllOperators, OperatorTable};
use salto::device::program::{Program, seal};
use salto::host::compile::AlignedBytes;

/// Programs that need more memory than this are checked, not run.
const MAX_ARENA: usize = 1 << 20;
/// Programs that take more work than this (multiply-adds, roughly) are checked, not run.
const MAX_COST: u64 = 1 << 22;
/// Bytes before and behind the arena.
const GUARD: usize = 4096;
/// What the arena and its guards are filled with: a NaN, should anything read it as a number.
const FILL: u8 = 0xff;

fuzz_target!(|data: &[u8]| {
    let mut bytes = AlignedBytes::from(data);
    seal(&mut bytes);
    if let Ok(program) = Program::from_bytes(&bytes) {
        let cost = program.steps().filter_map(|step| AllOperators::work(&step)).map(|work| work.cost);
        if program.arena_len(1) <= MAX_ARENA && cost.fold(0, u64::saturating_add) <= MAX_COST {
            run_guarded(&program);
        }
    }
});

fn run_guarded(program: &Program<'_>) {
    let len = program.arena_len(1);
    let mut memory = AlignedBytes::zeroed(GUARD + len + GUARD);
    memory.fill(FILL);
    let mut engine =
        Engine::new(program, &mut memory[GUARD..GUARD + len]).expect("the arena is aligned and long enough");
    for i in 0..program.inputs().len() {
        engine.input_mut::<f32>(i).expect("the program has this input").fill(0.5);
    }
    engine.run();
    for i in 0..program.outputs().len() {
        engine.output::<f32>(i).expect("the program has this output");
    }
    let guards = memory[..GUARD].iter().chain(&memory[GUARD + len..]);
    assert!(guards.copied().all(|byte| byte == FILL), "a step wrote outside the arena");
}
