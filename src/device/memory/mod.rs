//! The static memory planner that needs no heap: problem, lower bound, greedy placement, independent verification.
//!
//! Integers only; imports nothing. What flows in is a [`Problem`]: buffers with their life in steps. What flows out is an offset
//! for each buffer. Called by the compiler (`host::compile`), by the exact search (`host::memory`) and by the program's check.

mod problem;

pub use problem::{Buffer, Direction, Problem, Separation};
