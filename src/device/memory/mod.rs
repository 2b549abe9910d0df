//! The static memory planner that needs no heap: problem, lower bound, greedy placement, independent verification.
//!
//! Integers only; imports nothing. What flows in is a [`Problem`]: buffers with their life in steps. What flows out is an offset
//! for each buffer. Called by the compiler (`host::compile`), by the exact search (`host::memory`) and by the program's check.
//!
//! Everything is `const`, over slices that the caller owns, so a network that is known at build time has its arena as a constant:
//!
//! ```
//! use salto::device::memory::{Buffer, Direction, Order, Problem, place, sort, verify};
//!
//! const BUFFERS: [Buffer; 3] = [Buffer::new(4096, 0, 1), Buffer::new(8192, 1, 2), Buffer::new(4096, 2, 3)];
//! const PROBLEM: Problem<'_> = match Problem::new(&BUFFERS, &[]) {
//!     Ok(problem) => problem,
//!     Err(_) => panic!("a buffer ends before it begins"),
//! };
//! const PLAN: ([u32; 3], u32) = {
//!     let (mut order, mut offsets, mut directions) = ([0; 3], [0; 3], [Direction::Forward; 0]);
//!     sort(&PROBLEM, Order::Size, &mut order);
//!     match place(&PROBLEM, &mut order, &mut offsets, &mut directions) {
//!         Ok(arena_len) => (offsets, arena_len),
//!         Err(_) => panic!("more than 4 GiB"),
//!     }
//! };
//! const _: () = assert!(verify(&PROBLEM, &PLAN.0, &[], PLAN.1).is_ok());
//! static ARENA: [u8; PLAN.1 as usize] = [0; 12288];
//! # assert_eq!(ARENA.len(), 12288);
//! ```

mod bound;
mod place;
mod planner;
mod problem;
mod verify;

#[cfg(test)]
pub(crate) mod tests;

pub use bound::{lower_bound, step_bound};
pub use place::{Order, PlaceError, place, sort};
pub use planner::{Plan, Planner, PlannerError};
pub use problem::{Buffer, Direction, Problem, ProblemError, Separation};
pub use verify::{Violation, lives_overlap, ranges_overlap, verify};
