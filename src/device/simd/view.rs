//! Views: bounds-checked regions of memory that may overlap.
//!
//! The sum over the dying skip, in/out overlap and splitting a layer by channels read and write one memory through more
//! than one name, which `&` and `&mut` slices forbid. A view has the semantics of `&[Cell<T>]`: lanes are loaded and stored
//! by value, no reference to an element ever exists, so overlapping views are sound.

use core::marker::PhantomData;
use core::mem::size_of;

use bytemuck::Pod;

use super::lanes::{LANES, Simd};

/// The one failure of views: an index outside. Cold and without formatting, so that kernels stay small.
#[cold]
#[inline(never)]
#[allow(
    clippy::panic,
    reason = "a view outside its memory is a defect of the caller, never of data: programs are checked when they are read"
)]
pub(super) fn outside() -> ! {
    panic!("view outside its memory")
}

/// A readable region of `T`, shared and possibly overlapping others.
#[derive(Debug)]
pub struct View<'a, T> {
    start: *const T,
    len: usize,
    memory: PhantomData<&'a [core::cell::Cell<T>]>,
}

impl<T> Clone for View<'_, T> {
    #[inline(always)]
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for View<'_, T> {}

impl<'a, T: Pod> View<'a, T> {
    /// A view of a slice.
    #[inline(always)]
    pub const fn new(slice: &'a [T]) -> Self {
        Self { start: slice.as_ptr(), len: slice.len(), memory: PhantomData }
    }

    /// An empty view.
    pub const fn empty() -> Self {
        Self::new(&[])
    }

    /// # Safety
    /// `start` must be aligned and valid for reads of `len` elements during `'a`.
    #[inline(always)]
    pub(super) const unsafe fn from_raw(start: *const T, len: usize) -> Self {
        Self { start, len, memory: PhantomData }
    }

    /// Elements.
    #[inline(always)]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Does it hold no element?
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The address of the first element; for the primitives of this room.
    #[inline(always)]
    pub(super) const fn pointer(&self) -> *const T {
        self.start
    }

    /// The elements `start..start + len`.
    #[inline(always)]
    pub fn range(&self, start: usize, len: usize) -> Self {
        if start > self.len || len > self.len - start {
            outside();
        }
        // SAFETY: `start <= self.len`, so the address stays inside the region (or at its end), which is valid during `'a`.
        let start = unsafe { self.start.add(start) };
        Self { start, len, memory: PhantomData }
    }

    /// The elements from `start` on.
    #[inline(always)]
    pub fn from(&self, start: usize) -> Self {
        if start > self.len {
            outside();
        }
        self.range(start, self.len - start)
    }

    /// Element `i`.
    #[inline(always)]
    pub fn get(&self, i: usize) -> T {
        if i >= self.len {
            outside();
        }
        // SAFETY: `i < self.len`, so the address is inside the region.
        let element = unsafe { self.start.add(i) };
        // SAFETY: the element is aligned and valid for reads during `'a`; no reference to it exists (Cell semantics).
        unsafe { element.read() }
    }
}

impl View<'_, f32> {
    /// Lanes `i..i + 16`.
    #[inline(always)]
    pub fn load<S: Simd>(&self, s: S, i: usize) -> S::F32 {
        let lanes = self.range(i, LANES);
        // SAFETY: `range` checked that 16 elements are inside.
        unsafe { s.load_pointer(lanes.start) }
    }

    /// Lanes `i..i + count`, the others 0; `count` at most 16.
    #[inline(always)]
    pub fn load_partial<S: Simd>(&self, s: S, i: usize, count: usize) -> S::F32 {
        if count >= LANES {
            return self.load(s, i);
        }
        let part = self.range(i, count);
        // SAFETY: `range` checked that `count` elements are inside.
        unsafe { s.load_pointer_partial(part.start, count) }
    }
}

/// A writable region of `T`, shared and possibly overlapping others.
#[derive(Debug)]
pub struct ViewMut<'a, T> {
    start: *mut T,
    len: usize,
    memory: PhantomData<&'a [core::cell::Cell<T>]>,
}

impl<T> Clone for ViewMut<'_, T> {
    #[inline(always)]
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for ViewMut<'_, T> {}

impl<'a, T: Pod> ViewMut<'a, T> {
    /// A view of a slice.
    #[inline(always)]
    pub const fn new(slice: &'a mut [T]) -> Self {
        Self { start: slice.as_mut_ptr(), len: slice.len(), memory: PhantomData }
    }

    /// An empty view.
    pub const fn empty() -> Self {
        Self::new(&mut [])
    }

    /// # Safety
    /// `start` must be aligned and valid for reads and writes of `len` elements during `'a`.
    #[inline(always)]
    pub(super) const unsafe fn from_raw(start: *mut T, len: usize) -> Self {
        Self { start, len, memory: PhantomData }
    }

    /// The address of the first element; for the primitives of this room.
    #[inline(always)]
    pub(super) const fn pointer(&self) -> *mut T {
        self.start
    }

    /// The same region, to read.
    #[inline(always)]
    pub const fn as_view(&self) -> View<'a, T> {
        // SAFETY: what is valid for reads and writes is valid for reads, and both have Cell semantics.
        unsafe { View::from_raw(self.start, self.len) }
    }

    /// Elements.
    #[inline(always)]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Does it hold no element?
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The elements `start..start + len`.
    #[inline(always)]
    pub fn range(&self, start: usize, len: usize) -> Self {
        if start > self.len || len > self.len - start {
            outside();
        }
        // SAFETY: `start <= self.len`, so the address stays inside the region (or at its end), which is valid during `'a`.
        let start = unsafe { self.start.add(start) };
        Self { start, len, memory: PhantomData }
    }

    /// The elements from `start` on.
    #[inline(always)]
    pub fn from(&self, start: usize) -> Self {
        if start > self.len {
            outside();
        }
        self.range(start, self.len - start)
    }

    /// Element `i`.
    #[inline(always)]
    pub fn get(&self, i: usize) -> T {
        self.as_view().get(i)
    }

    /// Writes element `i`.
    #[inline(always)]
    pub fn set(&self, i: usize, value: T) {
        if i >= self.len {
            outside();
        }
        // SAFETY: `i < self.len`, so the address is inside the region.
        let element = unsafe { self.start.add(i) };
        // SAFETY: the element is aligned and valid for writes during `'a`; no reference to it exists (Cell semantics).
        unsafe { element.write(value) }
    }

    /// Writes `value` to all elements.
    #[inline(always)]
    pub fn fill(&self, value: T) {
        for i in 0..self.len {
            // SAFETY: `i < self.len`, so the address is inside the region.
            let element = unsafe { self.start.add(i) };
            // SAFETY: as in `set`.
            unsafe { element.write(value) };
        }
    }

    /// Copies all elements of a view of the same length, as `memmove` does.
    #[inline(always)]
    pub fn copy_from(&self, source: View<'_, T>) {
        if source.len != self.len {
            outside();
        }
        // SAFETY: both regions are valid for `len` elements, and `copy` allows overlap.
        unsafe { core::ptr::copy(source.start, self.start, self.len) }
    }

    /// The region as `U`: e.g. a part of a byte arena as floats.
    #[inline(always)]
    pub fn cast<U: Pod>(&self) -> ViewMut<'a, U> {
        let bytes = self.len * size_of::<T>();
        if !self.start.cast::<U>().is_aligned() || !bytes.is_multiple_of(size_of::<U>()) {
            outside();
        }
        // SAFETY: the region is aligned for `U` and holds whole elements; `Pod` makes every bit pattern a value.
        unsafe { ViewMut::from_raw(self.start.cast(), bytes / size_of::<U>()) }
    }
}

impl ViewMut<'_, f32> {
    /// Lanes `i..i + 16`.
    #[inline(always)]
    pub fn load<S: Simd>(&self, s: S, i: usize) -> S::F32 {
        self.as_view().load(s, i)
    }

    /// Lanes `i..i + count`, the others 0; `count` at most 16.
    #[inline(always)]
    pub fn load_partial<S: Simd>(&self, s: S, i: usize, count: usize) -> S::F32 {
        self.as_view().load_partial(s, i, count)
    }

    /// Writes lanes `i..i + 16`.
    #[inline(always)]
    pub fn store<S: Simd>(&self, s: S, i: usize, x: S::F32) {
        let lanes = self.range(i, LANES);
        // SAFETY: `range` checked that 16 elements are inside.
        unsafe { s.store_pointer(lanes.start, x) }
    }

    /// Writes the first `count` lanes to `i..i + count`; `count` at most 16.
    #[inline(always)]
    pub fn store_partial<S: Simd>(&self, s: S, i: usize, x: S::F32, count: usize) {
        if count >= LANES {
            return self.store(s, i, x);
        }
        let part = self.range(i, count);
        // SAFETY: `range` checked that `count` elements are inside.
        unsafe { s.store_pointer_partial(part.start, x, count) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overlapping_views_see_each_other() {
        let mut memory = [1.0f32, 2.0, 3.0];
        let write = ViewMut::new(&mut memory);
        let read = write.as_view();
        write.set(1, 5.0);
        assert_eq!((read.get(0), read.get(1)), (1.0, 5.0));
        write.range(1, 2).copy_from(read.range(0, 2));
        assert_eq!(memory, [1.0, 1.0, 5.0]);
    }

    #[test]
    #[should_panic(expected = "view outside its memory")]
    fn an_index_outside_is_refused() {
        View::new(&[1.0f32]).get(1);
    }

    #[test]
    #[should_panic(expected = "view outside its memory")]
    fn a_range_outside_is_refused_without_overflow() {
        View::new(&[1.0f32; 4]).range(2, usize::MAX);
    }
}
