//! Plans memory while this file is compiled: `const` all the way, so that a firmware's arena is a constant and the proof that
//! nothing overlaps is an assertion of the compiler.

#![allow(clippy::print_stdout, reason = "an example shows what it finds")]

use salto::device::memory::{Buffer, Direction, Order, Problem, lower_bound, place, sort, verify};

/// A residual block by hand: bytes, first and last step of each tensor. The input waits for the sum in step 2.
const BUFFERS: [Buffer; 4] = [
    Buffer::new(4096, 0, 2), // the input, which is also the skip
    Buffer::new(6144, 0, 1), // after the first convolution
    Buffer::new(4096, 1, 2), // after the second
    Buffer::new(4096, 2, 3), // the sum
];

const PROBLEM: Problem<'_> = match Problem::new(&BUFFERS, &[]) {
    Ok(problem) => problem,
    Err(_) => panic!("a buffer ends before it begins"),
};

/// Offsets, and bytes in all.
const PLAN: ([u32; 4], u32) = {
    let (mut order, mut offsets, mut directions) = ([0; 4], [0; 4], [Direction::Forward; 0]);
    sort(&PROBLEM, Order::Size, &mut order);
    match place(&PROBLEM, &mut order, &mut offsets, &mut directions) {
        Ok(arena_len) => (offsets, arena_len),
        Err(_) => panic!("more than 4 GiB"),
    }
};

// The verifier shares no code with the planner. A plan with an overlap does not compile.
const _: () = assert!(verify(&PROBLEM, &PLAN.0, &[], PLAN.1).is_ok());

static ARENA: [u8; PLAN.1 as usize] = [0; PLAN.1 as usize];

fn main() {
    for (buffer, offset) in BUFFERS.iter().zip(PLAN.0) {
        println!("steps {}…{}: bytes {offset}…{}", buffer.first, buffer.last, offset + buffer.len);
    }
    println!("arena: {} bytes; no plan can have less than {}", ARENA.len(), lower_bound(&PROBLEM));
}
