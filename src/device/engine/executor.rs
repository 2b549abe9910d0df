//! Who runs the bands of a step: the thread that called, or several.

/// Runs one piece of work on several threads.
///
/// The engine cuts a step into bands and hands out the bands itself, so an executor can neither skip one nor run one twice.
pub trait BandExecutor {
    /// Threads that [`Self::execute`] runs on at most, the calling one included; at least 1. The arena has one scratch for
    /// each ([`Program::arena_len`](crate::device::program::Program::arena_len)).
    fn workers(&self) -> usize;

    /// Calls `work` once on each of up to [`Self::workers`] threads at the same time, and returns when all calls have
    /// returned. Each call takes bands until none is left, so calls that come late return at once.
    ///
    /// `work` is given the thread's number, the same in every call: a thread begins with the rows whose neighbours it computed
    /// a step before, which its core's cache still has. Nothing but speed depends on the number.
    fn execute(&self, work: &(dyn Fn(usize) + Sync));
}

impl<X: BandExecutor + ?Sized> BandExecutor for &X {
    fn workers(&self) -> usize {
        (**self).workers()
    }

    fn execute(&self, work: &(dyn Fn(usize) + Sync)) {
        (**self).execute(work);
    }
}

/// The thread that calls, alone.
#[derive(Clone, Copy, Debug, Default)]
pub struct Serial;

impl BandExecutor for Serial {
    fn workers(&self) -> usize {
        1
    }

    fn execute(&self, work: &(dyn Fn(usize) + Sync)) {
        work(0);
    }
}
