//! Threads for an engine: a pool that hands a step's work over without allocating.
//!
//! What flows in is a closure of the caller's stack; when [`ThreadPool`]'s `execute` returns, no other thread has it any more.
//! Called by sessions, and by applications as `engine.with_executor(&pool)`.
//!
//! A pool of our own, because the hand-over is most of what a thread costs a layer of 20 µs: to have no work done by two
//! threads takes rayon 11.7 µs (4.5 at best) and boxes a job for each, and takes this pool 0.3 µs (medians of 4000 on two busy
//! cores of a Zen 4). Threads that wait spin, then yield, then sleep. The caller never waits for one that has not come, so a
//! thread that the machine is too busy for costs nothing.

use alloc::boxed::Box;
use alloc::format;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::any::Any;
use core::hint::spin_loop;
use core::ptr;
use core::sync::atomic::{AtomicBool, AtomicPtr, AtomicUsize, Ordering};
use core::time::Duration;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Instant;

use crate::device::engine::BandExecutor;
use crate::host::{Error, ErrorKind, Result};

/// A number of threads that run the bands of a step side by side; the calling thread is one of them.
///
/// Results do not depend on the number of threads. One pool may serve many engines: `engine.with_executor(&pool)`. It helps
/// one of them at a time; the others compute on their own thread alone meanwhile.
#[derive(Debug)]
pub struct ThreadPool {
    shared: Arc<Shared>,
    /// The threads besides the calling one.
    others: Vec<JoinHandle<()>>,
}

/// The most threads of a pool: what [`INSIDE`] can count, and the calling one.
const MAX_THREADS: usize = 1 << 12;

impl ThreadPool {
    /// A pool of `threads` threads in all; 0 takes as many as the machine has cores.
    ///
    /// # Errors
    /// More than 4096 threads; the operating system refuses to start one.
    pub fn new(threads: usize) -> Result<Self> {
        let cores = thread::available_parallelism().map_or(1, usize::from);
        let threads = if threads == 0 { cores.min(MAX_THREADS) } else { threads };
        let refused = |reason: &dyn core::fmt::Display| {
            Error::new(ErrorKind::Limit, format!("{threads} threads cannot be started: {reason}"))
                .remedy("ask for fewer threads")
        };
        if threads > MAX_THREADS {
            return Err(refused(&format!("{MAX_THREADS} is the most")));
        }
        let spins = if threads <= cores { SPINS } else { 0 };
        let shared = Arc::new(Shared { spins, ..Shared::default() });
        // Dropped on an error, which ends the threads that were started.
        let mut pool = Self { shared, others: Vec::with_capacity(threads - 1) };
        for i in 1..threads {
            let shared = Arc::clone(&pool.shared);
            let other = thread::Builder::new().name(format!("salto-{i}")).spawn(move || shared.serve(i));
            pool.others.push(other.map_err(|error| refused(&error))?);
        }
        Ok(pool)
    }
}

impl BandExecutor for ThreadPool {
    fn workers(&self) -> usize {
        1 + self.others.len()
    }

    /// Runs `work` on the calling thread and on those of the others that come before it is done there. A panic of any of them
    /// goes on to the caller, when all have left.
    fn execute(&self, work: &(dyn Fn(usize) + Sync)) {
        let shared = &*self.shared;
        let turn = if self.others.is_empty() { None } else { Turn::take(shared) };
        let Some(turn) = turn else { return work(0) };
        lock(&shared.panic).take();
        let offer = Offer::open(shared, &work);
        work(0);
        drop(offer);
        let panic = lock(&shared.panic).take();
        drop(turn);
        if let Some(panic) = panic {
            resume_unwind(panic);
        }
    }
}

impl Drop for ThreadPool {
    fn drop(&mut self) {
        self.shared.state.fetch_or(ENDED, Ordering::SeqCst);
        drop(lock(&self.shared.sleep));
        self.shared.wake.notify_all();
        for other in self.others.drain(..) {
            // Its panics were caught and have gone to those who waited for them.
            let _ended = other.join();
        }
    }
}

/// [`Shared::state`]: may threads enter?
const OPEN: usize = 1;
/// [`Shared::state`]: does the caller sleep until the last thread has left?
const AWAITED: usize = 1 << 1;
/// [`Shared::state`]: has the pool been dropped?
const ENDED: usize = 1 << 2;
/// [`Shared::state`]: one thread inside.
const ONE: usize = 1 << 3;
/// [`Shared::state`]: the number of threads inside.
const INSIDE: usize = (MAX_THREADS - 1) * ONE;
/// [`Shared::state`]: one offer. What lies above counts offers, so that no thread enters the same one twice.
const OFFER: usize = MAX_THREADS * ONE;

/// Looks at the state before a waiting thread begins to yield: about 20 µs.
const SPINS: usize = 1 << 10;
/// Time for which a waiting thread yields before it sleeps: longer than the serial steps between two divided ones.
const YIELDING: Duration = Duration::from_micros(200);

/// What the threads of a pool share.
#[derive(Debug, Default)]
struct Shared {
    /// Flags, the number of threads inside, the number of the offer.
    state: AtomicUsize,
    /// The caller's `&(dyn Fn(usize) + Sync)`, by its place on the caller's stack; to be read inside an offer only.
    work: AtomicPtr<()>,
    /// Does an engine use the pool?
    taken: AtomicBool,
    /// Idle threads that sleep or are about to.
    sleepers: AtomicUsize,
    /// Guards the two conditions.
    sleep: Mutex<()>,
    /// There is an offer, or the end.
    wake: Condvar,
    /// The last thread has left an offer.
    left: Condvar,
    /// The first panic of another thread.
    panic: Mutex<Option<Box<dyn Any + Send>>>,
    /// [`SPINS`], or 0 where there are more threads than cores and who spins keeps others from working.
    spins: usize,
}

/// The right to make an offer: one caller has it at a time.
struct Turn<'a>(&'a Shared);

impl<'a> Turn<'a> {
    fn take(shared: &'a Shared) -> Option<Self> {
        // Not `then_some`: a turn that was not taken must not be given back.
        (!shared.taken.swap(true, Ordering::Acquire)).then(|| Self(shared))
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.0.taken.store(false, Ordering::Release);
    }
}

/// Work that threads may enter. Dropping it closes it and waits until the last has left, also when the caller panics.
struct Offer<'a>(&'a Shared);

impl<'a> Offer<'a> {
    /// Offers `work`, which is borrowed until the offer is dropped. The caller has the turn.
    fn open(shared: &'a Shared, work: &'a &(dyn Fn(usize) + Sync)) -> Self {
        shared.work.store(ptr::from_ref(work).cast_mut().cast(), Ordering::Relaxed);
        // Nobody else writes the state: it is closed and nobody is inside.
        let number = shared.state.load(Ordering::Relaxed) / OFFER;
        shared.state.store(number.wrapping_add(1).wrapping_mul(OFFER) | OPEN, Ordering::SeqCst);
        // Either this load sees a thread that is about to sleep, or that thread sees the new state.
        if shared.sleepers.load(Ordering::SeqCst) > 0 {
            drop(lock(&shared.sleep));
            shared.wake.notify_all();
        }
        Self(shared)
    }
}

impl Drop for Offer<'_> {
    fn drop(&mut self) {
        let shared = self.0;
        shared.state.fetch_and(!OPEN, Ordering::Relaxed);
        let is_empty = || shared.state.load(Ordering::Acquire) & INSIDE == 0;
        if shared.is_soon(is_empty) {
            return;
        }
        let mut guard = lock(&shared.sleep);
        shared.state.fetch_or(AWAITED, Ordering::Relaxed);
        while !is_empty() {
            guard = shared.left.wait(guard).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// A thread inside an offer: what makes it right to read [`Shared::work`].
struct Visit<'a>(&'a Shared);

impl<'a> Visit<'a> {
    /// Enters offer `number` if it is open.
    fn enter(shared: &'a Shared, number: usize) -> Option<Self> {
        let is_open = |state: usize| state & OPEN != 0 && state / OFFER == number;
        let one_more = |state: usize| is_open(state).then_some(state + ONE);
        shared.state.fetch_update(Ordering::Acquire, Ordering::Relaxed, one_more).ok().map(|_| Self(shared))
    }

    fn work(&self, thread: usize) {
        let work = self.0.work.load(Ordering::Relaxed).cast::<&(dyn Fn(usize) + Sync)>();
        // SAFETY: a visit begins while an offer is open, and acquires what `Offer::open` wrote before it opened: the address of
        // a live `&(dyn Fn(usize) + Sync)`, borrowed until the offer is dropped. Dropping it, on return or in a panic alike, closes
        // it and then waits until no visit is left; a visit ends behind the last use of `work`, in its own drop, which releases.
        // No visit begins after the closing. So the borrow is alive here, and `Sync` lets this thread share the closure.
        let work: &(dyn Fn(usize) + Sync) = unsafe { *work };
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| work(thread))) {
            lock(&self.0.panic).get_or_insert(panic);
        }
    }
}

impl Drop for Visit<'_> {
    fn drop(&mut self) {
        let before = self.0.state.fetch_sub(ONE, Ordering::Release);
        if before & AWAITED != 0 && before & INSIDE == ONE {
            drop(lock(&self.0.sleep));
            self.0.left.notify_one();
        }
    }
}

impl Shared {
    /// The life of another thread, number `thread`: enters each offer once, until the end.
    fn serve(&self, thread: usize) {
        let mut number = 0;
        loop {
            self.wait_for_other_than(number);
            let state = self.state.load(Ordering::Relaxed);
            if state & ENDED != 0 {
                return;
            }
            number = state / OFFER;
            if let Some(visit) = Visit::enter(self, number) {
                visit.work(thread);
            }
        }
    }

    /// Waits until there is another offer than `number`, or the end.
    fn wait_for_other_than(&self, number: usize) {
        let is_other = || {
            let state = self.state.load(Ordering::SeqCst);
            state / OFFER != number || state & ENDED != 0
        };
        if self.is_soon(is_other) {
            return;
        }
        let mut guard = lock(&self.sleep);
        self.sleepers.fetch_add(1, Ordering::SeqCst);
        while !is_other() {
            guard = self.wake.wait(guard).unwrap_or_else(PoisonError::into_inner);
        }
        self.sleepers.fetch_sub(1, Ordering::Relaxed);
    }

    /// Spins and then yields until something is so, or too long.
    fn is_soon(&self, is_so: impl Fn() -> bool) -> bool {
        for _ in 0..self.spins {
            if is_so() {
                return true;
            }
            spin_loop();
        }
        let start = Instant::now();
        loop {
            if is_so() {
                return true;
            }
            if start.elapsed() > YIELDING {
                return false;
            }
            thread::yield_now();
        }
    }
}

/// Locks, also after a panic: what is guarded is whole at any time.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::sync::Barrier;
    use std::thread;
    use std::time::Duration;
    use std::vec;

    use super::*;

    /// Enough calls that some find the others spinning, some yielding and some asleep.
    const CALLS: usize = if cfg!(miri) { 20 } else { 3000 };

    /// How many of `parts` are done by one `execute`, each counted.
    fn done(pool: &ThreadPool, parts: usize) -> Vec<usize> {
        let (next, counts) = (AtomicUsize::new(0), vec![(); parts]);
        let counts: Vec<_> = counts.iter().map(|()| AtomicUsize::new(0)).collect();
        pool.execute(&|_| {
            while let Some(count) = counts.get(next.fetch_add(1, Ordering::Relaxed)) {
                count.fetch_add(1, Ordering::Relaxed);
            }
        });
        counts.into_iter().map(AtomicUsize::into_inner).collect()
    }

    #[test]
    fn every_part_is_done_once_when_execute_returns() {
        for threads in 1..5 {
            let pool = ThreadPool::new(threads).unwrap();
            assert_eq!(pool.workers(), threads);
            for call in 0..CALLS {
                assert_eq!(done(&pool, 7), [1; 7]);
                if call % (CALLS / 10) == 0 {
                    thread::sleep(Duration::from_millis(1));
                }
            }
        }
    }

    #[test]
    fn all_threads_come_if_the_work_waits_for_them() {
        let pool = ThreadPool::new(4).unwrap();
        for _ in 0..20 {
            let all = Barrier::new(4);
            pool.execute(&|_| {
                all.wait();
            });
        }
    }

    #[test]
    fn a_pool_may_be_shared_and_entered_again() {
        let pool = ThreadPool::new(3).unwrap();
        thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| (0..CALLS / 10).for_each(|_| assert_eq!(done(&pool, 5), [1; 5])));
            }
        });
        pool.execute(&|_| assert_eq!(done(&pool, 5), [1; 5]));
    }

    #[test]
    fn a_turn_is_had_by_one_and_given_back_by_that_one() {
        let shared = Shared::default();
        let turn = Turn::take(&shared);
        for _ in 0..2 {
            assert!(Turn::take(&shared).is_none());
        }
        drop(turn);
        assert!(Turn::take(&shared).is_some());
    }

    #[test]
    fn a_panic_goes_to_the_caller_when_all_have_left() {
        let pool = ThreadPool::new(3).unwrap();
        for others_panic in [false, true] {
            for _ in 0..10 {
                let (caller, all, left) = (thread::current().id(), Barrier::new(3), AtomicUsize::new(0));
                let outcome = catch_unwind(AssertUnwindSafe(|| {
                    pool.execute(&|_| {
                        all.wait();
                        if (thread::current().id() != caller) == others_panic {
                            left.fetch_add(1, Ordering::Relaxed);
                            panic!("as it should");
                        }
                        thread::sleep(Duration::from_micros(300));
                        left.fetch_add(1, Ordering::Relaxed);
                    });
                }));
                assert_eq!(outcome.unwrap_err().downcast_ref(), Some(&"as it should"));
                assert_eq!(left.into_inner(), 3);
                // No panic is left for the next caller, and no thread is lost.
                let all = Barrier::new(3);
                pool.execute(&|_| {
                    all.wait();
                });
            }
        }
    }

    #[test]
    fn too_many_threads_are_refused() {
        assert!(ThreadPool::new(MAX_THREADS + 1).is_err());
    }
}
