//! Running allocates nothing: on no thread, for any number of threads.
//!
//! Without the test harness, whose own threads allocate when they like: the whole process is counted.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "a test fails by panicking")]

mod programs;

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

use programs::{Guarded, network, set_inputs};
use salto::device::engine::Engine;
use salto::device::program::Program;
use salto::host::graph::{Seeded, zoo};
use salto::host::threads::ThreadPool;
use salto::host::{Model, SessionOptions};

/// Allocations of the process.
static COUNT: AtomicUsize = AtomicUsize::new(0);

/// The system's allocator, counting.
struct Counting;

#[allow(unsafe_code, reason = "an allocator can only be written with it")]
// SAFETY: every call goes on to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNT.fetch_add(1, Ordering::Relaxed);
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
    let before = COUNT.load(Ordering::Relaxed);
    work();
    COUNT.load(Ordering::Relaxed) - before
}

/// Of three times: threads of a new pool may still be starting the first time.
fn fewest_allocations(mut work: impl FnMut()) -> usize {
    (0..3).map(|_| allocations(&mut work)).min().unwrap()
}

fn main() {
    assert_eq!(allocations(|| drop(core::hint::black_box(Box::new(1)))), 1);
    reading_allocates_nothing();
    for threads in 1..=4 {
        running_allocates_nothing(threads);
        sessions_allocate_nothing(threads);
    }
    println!("nothing was allocated");
}

fn reading_allocates_nothing() {
    let bytes = Guarded::copy(&network(8, 4));
    let reading = allocations(|| {
        let _program = Program::from_bytes(bytes.bytes()).unwrap();
    });
    assert_eq!(reading, 0);
}

/// With steps that are worth dividing.
fn running_allocates_nothing(threads: usize) {
    let bytes = Guarded::copy(&network(32, 16));
    let program = Program::from_bytes(bytes.bytes()).unwrap();
    let mut arena = Guarded::zeros(program.arena_len(threads));
    let pool = ThreadPool::new(threads).unwrap();
    let engine = Engine::new(&program, arena.bytes_mut()).unwrap();
    let mut engine = engine.with_executor(&pool).unwrap();
    set_inputs(&mut engine);
    let running = fewest_allocations(|| (0..20).for_each(|_| engine.run()));
    assert_eq!(running, 0, "{threads} threads");
}

fn sessions_allocate_nothing(threads: usize) {
    let model = Model::from_graph(&zoo::resnet8(&zoo::Options::default(), Seeded::new(1)).unwrap()).unwrap();
    let mut session = model.session_with(&SessionOptions { threads, ..Default::default() }).unwrap();
    let input = vec![0.5; model.inputs()[0].len()];
    let mut output = vec![0.0; model.outputs()[0].len()];
    let running = fewest_allocations(|| {
        for _ in 0..20 {
            session.run_into(&[&input], &mut [&mut output]).unwrap();
        }
    });
    assert_eq!(running, 0, "{threads} threads");
}
