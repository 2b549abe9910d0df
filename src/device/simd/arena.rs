//! The arena that the engine hands out views of, also to threads.

use core::marker::PhantomData;

use bytemuck::Pod;

use super::view::{View, ViewMut};

/// The memory of one run: bytes that many views share.
///
/// Only the engine makes one, from a verified plan: views that run side by side (bands of one step, on several threads)
/// write disjoint rows, and what one step reads no other band of it writes. That proof is what makes sharing sound, so
/// nobody else can have a view of it:
///
/// ```compile_fail,E0624
/// let mut memory = [0; 64];
/// let arena = salto::device::simd::Arena::new(&mut memory);
/// let _ = arena.view_mut::<f32>();
/// ```
#[derive(Debug)]
pub struct Arena<'a> {
    start: *mut u8,
    len: usize,
    memory: PhantomData<&'a mut [u8]>,
}

// SAFETY: `Arena` owns its memory exclusively during `'a` (it was made from `&mut [u8]`), and bytes have no thread affinity.
unsafe impl Send for Arena<'_> {}
// SAFETY: views of an arena are made by `view` and `view_mut` alone, which are `pub(in crate::device)` and which only the
// engine's `Job` calls. No code outside the engine can have a `Job` (`Job::new` is the engine's, nothing public returns one),
// be an operator that is given one or run a band of one (`Operator` and `OperatorTable` are sealed by the private `Compute`
// and `ComputeTable`). The engine makes jobs of the steps of a checked program only, one step at a time, since `run` and
// `run_step` borrow it exclusively; it numbers bands and workers itself and gives out each number once, whatever the
// `BandExecutor` does. Bands of one step write disjoint rows of its output, each worker has a scratch of its own, and the
// checked plan keeps the output apart from every operand that is not read at the very element where it is written (in place).
unsafe impl Sync for Arena<'_> {}

impl<'a> Arena<'a> {
    /// An arena over a slice.
    pub fn new(memory: &'a mut [u8]) -> Self {
        Self { start: memory.as_mut_ptr(), len: memory.len(), memory: PhantomData }
    }

    /// Bytes.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Does it hold no byte?
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The whole arena as bytes, to write (see the proof above).
    fn bytes(&self) -> ViewMut<'_, u8> {
        // SAFETY: `start` and `len` come from a `&'a mut [u8]`, borrowed for as long as `self` lives.
        unsafe { ViewMut::from_raw(self.start, self.len) }
    }

    /// All of the arena as elements, to read; bytes that make no whole element at the end are left out.
    pub(in crate::device) fn view<T: Pod>(&self) -> View<'_, T> {
        self.view_mut().as_view()
    }

    /// All of the arena as elements, to write; bytes that make no whole element at the end are left out.
    pub(in crate::device) fn view_mut<T: Pod>(&self) -> ViewMut<'_, T> {
        let whole = self.len - self.len % size_of::<T>();
        self.bytes().range(0, whole).cast()
    }

    /// The bytes, when no view exists.
    pub fn as_bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: as in `bytes`; `&mut self` proves that no view is left.
        unsafe { core::slice::from_raw_parts_mut(self.start, self.len) }
    }

    /// The bytes, when nobody writes.
    pub fn as_bytes(&self) -> &[u8] {
        // SAFETY: as in `bytes`; views that write exist only inside the engine's `run`, which borrows the arena exclusively.
        unsafe { core::slice::from_raw_parts(self.start, self.len) }
    }
}
