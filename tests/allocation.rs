//! A run allocates nothing.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "a test fails by panicking")]

mod programs;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use programs::{Guarded, network, set_inputs};
use salto::device::engine::Engine;
use salto::device::program::Program;

thread_local! {
    /// Allocations of this thread; the test harness has threads of its own.
    static COUNT: Cell<usize> = const { Cell::new(0) };
}

/// The system's allocator, counting.
struct Counting;

#[allow(unsafe_code, reason = "an allocator can only be written with it")]
// SAFETY: every call goes on to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNT.with(|count| count.set(count.get() + 1));
        // SAFETY: the caller's contract is that of the system's allocator.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's contract is that of the system's allocator.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn allocations(work: impl FnOnce()) -> usize {
    let before = COUNT.get();
    work();
    COUNT.get() - before
}

#[test]
fn reading_a_program_and_running_it_allocate_nothing() {
    let bytes = Guarded::copy(&network(8, 4));
    let mut arena = Guarded::zeros(1 << 20);
    assert_eq!(allocations(|| drop(core::hint::black_box(Box::new(1)))), 1);
    let reading = allocations(|| {
        let _program = Program::from_bytes(bytes.bytes()).unwrap();
    });
    assert_eq!(reading, 0);
    let program = Program::from_bytes(bytes.bytes()).unwrap();
    let mut engine = Engine::new(&program, arena.bytes_mut()).unwrap();
    set_inputs(&mut engine);
    assert_eq!(allocations(|| engine.run()), 0);
}
