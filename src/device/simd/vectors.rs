//! Vectors at even distances: planes of a block, pixels of a row. Checked once, then read and written without.

use core::marker::PhantomData;

use super::lanes::{LANES, Simd};
use super::view::{View, ViewMut, outside};

/// `count` readable vectors of 16 elements, one `stride` behind the other.
#[derive(Clone, Copy, Debug)]
pub struct Vectors<'a> {
    first: *const f32,
    stride: usize,
    count: usize,
    memory: PhantomData<View<'a, f32>>,
}

impl<'a> View<'a, f32> {
    /// The `count` vectors that begin at `start`, `start + stride`, …
    #[inline(always)]
    pub fn vectors(&self, start: usize, stride: usize, count: usize) -> Vectors<'a> {
        let first = self.range(start, reach(stride, count, LANES)).pointer();
        Vectors { first, stride, count, memory: PhantomData }
    }
}

impl Vectors<'_> {
    /// Vector `i`.
    #[inline(always)]
    pub fn load<S: Simd>(&self, s: S, i: usize) -> S::F32 {
        if i >= self.count {
            outside();
        }
        // SAFETY: `View::vectors` checked the memory up to the end of the last vector, and `i` is not behind that one.
        unsafe { s.load_pointer(self.first.wrapping_add(i * self.stride)) }
    }
}

/// `count` writable vectors of `WIDTH` elements, 16 or 8, one `stride` behind the other.
#[derive(Clone, Copy, Debug)]
pub struct VectorsMut<'a, const WIDTH: usize = LANES> {
    first: *mut f32,
    stride: usize,
    count: usize,
    memory: PhantomData<ViewMut<'a, f32>>,
}

impl<'a> ViewMut<'a, f32> {
    /// The `count` vectors that begin at `start`, `start + stride`, …
    #[inline(always)]
    pub fn vectors<const WIDTH: usize>(
        &self,
        start: usize,
        stride: usize,
        count: usize,
    ) -> VectorsMut<'a, WIDTH> {
        const { assert!(WIDTH == LANES || WIDTH == LANES / 2) };
        let first = self.range(start, reach(stride, count, WIDTH)).pointer();
        VectorsMut { first, stride, count, memory: PhantomData }
    }
}

impl<const WIDTH: usize> VectorsMut<'_, WIDTH> {
    /// Writes vector `i`: the first lanes of `x`.
    #[inline(always)]
    pub fn store<S: Simd>(&self, s: S, i: usize, x: S::F32) {
        if i >= self.count {
            outside();
        }
        let target = self.first.wrapping_add(i * self.stride);
        if const { WIDTH == LANES } {
            // SAFETY: `ViewMut::vectors` checked the memory up to the end of the last vector, and `i` is not behind that one.
            unsafe { s.store_pointer(target, x) }
        } else {
            // SAFETY: as above.
            unsafe { s.store_pointer_partial(target, x, WIDTH) }
        }
    }
}

/// Elements from the first vector's start to the last one's end; saturated, so that it is refused.
#[inline(always)]
const fn reach(stride: usize, count: usize, width: usize) -> usize {
    if count == 0 { 0 } else { (count - 1).saturating_mul(stride).saturating_add(width) }
}

#[cfg(test)]
mod tests {
    use super::super::Portable;
    use super::*;

    #[test]
    fn vectors_are_where_their_stride_says() {
        let mut memory = [0.0; 40];
        let view = ViewMut::new(&mut memory);
        view.vectors::<LANES>(3, 20, 2).store(Portable, 1, Portable.splat(2.0));
        assert_eq!(Portable.to_array(view.as_view().vectors(22, 1, 3).load(Portable, 1)), [2.0; LANES]);
        assert_eq!(memory.map(|x| x > 0.0), core::array::from_fn(|i| (23..39).contains(&i)));
    }

    #[test]
    #[should_panic(expected = "view outside its memory")]
    fn the_last_vector_must_be_inside() {
        View::new(&[1.0f32; 40]).vectors(5, 20, 2);
    }

    #[test]
    #[should_panic(expected = "view outside its memory")]
    fn a_vector_behind_the_last_is_refused() {
        View::new(&[1.0f32; 40]).vectors(0, 20, 2).load(Portable, 2);
    }
}
