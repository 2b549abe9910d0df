//! A residual network on a microcontroller: the program lies in flash and is read in place, the tensors in a static arena.
//!
//! Runs the golden pictures of `examples/digits` through the network, prints what it reads, compares every probability with
//! onnxruntime's, and ends the emulator with the outcome as its exit status.
#![no_std]
#![no_main]

use core::fmt;
use core::panic::PanicInfo;

use cortex_m::Peripherals;
use cortex_m::peripheral::SYST;
use cortex_m::peripheral::syst::SystClkSource;
use cortex_m_rt::entry;
use cortex_m_semihosting::debug::{EXIT_FAILURE, EXIT_SUCCESS, exit};
use cortex_m_semihosting::hprintln;
use salto::device::engine::operators::{Conv, Pool, Softmax};
use salto::device::engine::{AlignedArena, Engine, EngineError, StepHook};
use salto::device::program::{Aligned, Program, ProgramError, Step};
use salto::ops;

// ARENA_LEN (bytes), STEPS, GOLDEN_INPUT and GOLDEN_OUTPUT, made by build.rs.
include!(concat!(env!("OUT_DIR"), "/golden.rs"));

/// The compiled network, in flash.
static NETWORK: &Aligned<[u8]> = &Aligned(*include_bytes!(concat!(env!("OUT_DIR"), "/digits.salto")));

/// Names of the classes, a line each.
const LABELS: &str = include_str!("../../examples/digits/labels.txt");

/// How far a probability may lie from onnxruntime's: both round sums of at most 288 products in an order of their own, and this
/// core rounds each product (the compiled program's bits differ from those of a CPU with fused multiply-add).
const BOUND: f32 = 1e-5;

#[entry]
fn main() -> ! {
    // `entry` hands out a static of the main function once, so no `unsafe` is needed to write to it.
    static mut ARENA: AlignedArena<ARENA_LEN> = AlignedArena::new();
    let status = match check(ARENA) {
        Ok(worst) if worst <= BOUND => EXIT_SUCCESS,
        Ok(_) => {
            hprintln!("wrong: the bound is {} billionths", billionths(BOUND));
            EXIT_FAILURE
        }
        Err(error) => {
            hprintln!("{}", error);
            EXIT_FAILURE
        }
    };
    exit(status);
    loop {
        core::hint::spin_loop();
    }
}

/// Runs all golden pictures; returns the largest difference from the golden output.
fn check(arena: &mut [u8]) -> Result<f32, Failure> {
    let program = Program::from_bytes(NETWORK)?;
    hprintln!("program: {} bytes of flash; arena: {} bytes of RAM", NETWORK.len(), arena.len());
    // Operators that are not named are not linked.
    let engine = Engine::with_operators(&program, arena, ops![Conv, Pool, Softmax])?;
    let mut ticks = Ticks::new();
    let mut engine = engine.with_hook(&mut ticks);
    let mut worst = 0.0f32;
    for (picture, expected) in GOLDEN_INPUT.iter().zip(&GOLDEN_OUTPUT) {
        engine.set_input(0, picture)?;
        engine.run();
        let output = engine.output(0)?;
        let difference = largest_difference(output, expected);
        let class = largest(output);
        let label = LABELS.lines().nth(class).unwrap_or("?");
        hprintln!("{}: {} billionths from onnxruntime", label, billionths(difference));
        worst = if difference <= worst { worst } else { difference };
    }
    for (step, ticks) in program.steps().zip(ticks.steps) {
        hprintln!("{}: {} ticks", step.name, ticks);
    }
    Ok(worst)
}

/// Times every step by the core's timer (an emulator's ticks follow its own clock).
struct Ticks {
    started: u32,
    /// Of all runs.
    steps: [u32; STEPS],
}

/// The most that the timer, which has 24 bits, counts down from.
const RELOAD: u32 = (1 << 24) - 1;

impl Ticks {
    /// Starts the timer.
    fn new() -> Self {
        if let Some(Peripherals { mut SYST, .. }) = Peripherals::take() {
            SYST.set_clock_source(SystClkSource::Core);
            SYST.set_reload(RELOAD);
            SYST.clear_current();
            SYST.enable_counter();
        }
        Self { started: 0, steps: [0; STEPS] }
    }
}

impl StepHook for Ticks {
    fn before(&mut self, _: usize, _: &Step<'_>) {
        self.started = SYST::get_current();
    }

    fn after(&mut self, index: usize, _: &Step<'_>) {
        let ticks = self.started.wrapping_sub(SYST::get_current()) & RELOAD;
        if let Some(step) = self.steps.get_mut(index) {
            *step = step.wrapping_add(ticks);
        }
    }
}

/// The largest absolute difference of two lists; NaN or a missing element counts as infinite.
fn largest_difference(output: &[f32], expected: &[f32]) -> f32 {
    let same_len = if output.len() == expected.len() { 0.0 } else { f32::INFINITY };
    output.iter().zip(expected).fold(same_len, |worst, (a, b)| {
        let difference = (a - b).abs();
        if difference <= worst {
            worst
        } else if difference.is_nan() {
            f32::INFINITY
        } else {
            difference
        }
    })
}

/// The index of the largest element.
fn largest(elements: &[f32]) -> usize {
    (0..elements.len()).fold(0, |best, i| if elements[i] > elements[best] { i } else { best })
}

/// In whole billionths: printing an `f32` would cost 12 KB of code.
fn billionths(x: f32) -> u32 {
    (x * 1e9) as u32
}

/// Why the network cannot run.
enum Failure {
    Program(ProgramError),
    Engine(EngineError),
}

impl From<ProgramError> for Failure {
    fn from(error: ProgramError) -> Self {
        Self::Program(error)
    }
}

impl From<EngineError> for Failure {
    fn from(error: EngineError) -> Self {
        Self::Engine(error)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Program(error) => error.fmt(f),
            Self::Engine(error) => error.fmt(f),
        }
    }
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    hprintln!("{}", info);
    exit(EXIT_FAILURE);
    loop {
        core::hint::spin_loop();
    }
}
