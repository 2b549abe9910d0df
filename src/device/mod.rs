//! The device: everything that may run on a microcontroller.
//!
//! `core` only: no heap, no operating system. What flows in is the bytes of a program and an arena; what flows out is the
//! outputs in the arena. The host side depends on this module, never the other way round; inside, imports point one way:
//! `tensor ← simd ← kernel ← program ← engine`, and `memory` imports nothing. `tests/law_of_imports.rs` checks both.

pub mod engine;
pub mod kernel;
pub mod memory;
pub mod program;
#[allow(
    unsafe_code,
    reason = "the one room of unsafe: instructions and views of shared memory, each block with its proof"
)]
pub mod simd;
pub mod tensor;
