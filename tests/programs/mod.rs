//! Programs written by hand, record by record: what the tests of programs and engines work on. Not by the compiler, so that its
//! mistakes and the checks' cannot hide each other, and so that unsound programs can be written too.
#![allow(dead_code, unreachable_pub, reason = "each test binary uses a part")]

pub mod edit;
mod network;
pub mod overlap;
mod writer;

#[allow(unused_imports, reason = "each test binary uses a part")]
pub use network::network;
#[allow(unused_imports, reason = "each test binary uses a part")]
pub use writer::Writer;

use salto::device::engine::operators::OperatorTable;
use salto::device::engine::{BandExecutor, Engine, StepHook};
use salto::device::program::Program;
use salto::device::program::record::{Buffer, BufferClass};

/// What stands before and behind guarded bytes.
const GUARD: u8 = 0xA5;
/// Bytes of each guard band: more than any vector.
const GUARD_LEN: usize = 256;

/// Bytes at a multiple of 64 between two guard bands.
pub struct Guarded {
    memory: Vec<u8>,
    start: usize,
    len: usize,
}

impl Guarded {
    /// `len` zeros.
    pub fn zeros(len: usize) -> Self {
        let mut memory = vec![0; len + 2 * GUARD_LEN + 64];
        let start = GUARD_LEN + memory[GUARD_LEN..].as_ptr().align_offset(64);
        memory[..start].fill(GUARD);
        memory[start + len..].fill(GUARD);
        Self { memory, start, len }
    }

    /// A copy of `bytes`.
    pub fn copy(bytes: &[u8]) -> Self {
        let mut copy = Self::zeros(bytes.len());
        copy.bytes_mut().copy_from_slice(bytes);
        copy
    }

    pub fn bytes(&self) -> &[u8] {
        &self.memory[self.start..self.start + self.len]
    }

    pub fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.memory[self.start..self.start + self.len]
    }

    /// Panics if a guard band was written to.
    pub fn check_guards(&self) {
        let (front, rest) = self.memory.split_at(self.start);
        assert!(front.iter().all(|byte| *byte == GUARD), "written in front of the arena");
        assert!(rest[self.len..].iter().all(|byte| *byte == GUARD), "written behind the arena");
    }
}

/// `len` numbers in −1…1 that depend on `seed` only.
pub fn numbers(seed: u32, len: usize) -> Vec<f32> {
    let mut state = seed.wrapping_mul(2_654_435_761).wrapping_add(12_345);
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        (state >> 8) as f32 / (1 << 23) as f32 - 1.0
    };
    (0..len).map(|_| next()).collect()
}

/// Sets every input of the engine's program to numbers that depend on its index only.
pub fn set_inputs<O: OperatorTable, X: BandExecutor, H: StepHook>(engine: &mut Engine<'_, O, X, H>) {
    let ports: Vec<_> = engine.program().inputs().collect();
    for (i, port) in ports.iter().enumerate() {
        engine.set_input(i, &numbers(i as u32 + 1, port.len())).unwrap();
    }
}

/// The bits of all outputs.
pub fn output_bits<O: OperatorTable, X: BandExecutor, H: StepHook>(
    engine: &Engine<'_, O, X, H>,
) -> Vec<Vec<u32>> {
    let count = engine.program().outputs().len();
    let bits = |i| engine.output::<f32>(i).unwrap().iter().map(|x| x.to_bits()).collect();
    (0..count).map(bits).collect()
}

/// The bits of all outputs of one run on one thread.
pub fn run(program: &Program<'_>) -> Vec<Vec<u32>> {
    let mut arena = Guarded::zeros(program.arena_len(1));
    let mut engine = Engine::new(program, arena.bytes_mut()).unwrap();
    set_inputs(&mut engine);
    engine.run();
    for i in 0..program.outputs().len() {
        assert!(
            engine.output::<f32>(i).unwrap().iter().all(|x| x.is_finite()),
            "a test of bits needs numbers"
        );
    }
    let bits = output_bits(&engine);
    arena.check_guards();
    bits
}

/// Overwrites every byte that no later step may read, with NaNs: all but what was written or given and lives on.
fn poison(arena: &mut [u8], buffers: &[Buffer], step: u32) {
    let given = |buffer: &Buffer| {
        buffer.class == BufferClass::Input as u16 || buffer.class == BufferClass::State as u16
    };
    let mut live = vec![false; arena.len()];
    for buffer in buffers {
        let written = given(buffer) || buffer.first_step <= step;
        let kept = buffer.last_step > step || buffer.class == BufferClass::Output as u16;
        if written && kept {
            live[buffer.offset as usize..(buffer.offset + buffer.len) as usize].fill(true);
        }
    }
    arena.iter_mut().zip(live).filter(|(_, live)| !live).for_each(|(byte, _)| *byte = 0xFF);
}

/// The bits of all outputs of a run whose dead bytes are NaNs at every step.
pub fn run_poisoned(program: &Program<'_>) -> Vec<Vec<u32>> {
    let mut arena = Guarded::zeros(program.arena_len(1));
    arena.bytes_mut().fill(0xFF);
    let mut engine = Engine::new(program, arena.bytes_mut()).unwrap();
    set_inputs(&mut engine);
    for step in 0..program.step_count() {
        engine.run_step(step).unwrap();
        poison(engine.arena_mut(), program.buffers(), step as u32);
    }
    output_bits(&engine)
}
