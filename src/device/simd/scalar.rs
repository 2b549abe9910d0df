//! The level that tests compare the others with: one lane after the other, in plain Rust.
//!
//! It shares no instruction with the levels for CPUs, so a machine that has a single fused level still compares it with another
//! implementation of the same arithmetic.

use core::array::from_fn;

use super::lanes::{LANES, Simd};

/// Sixteen floats, of which each operation is that of `core`, rounded once.
#[derive(Clone, Copy, Debug)]
pub struct Scalar;

impl Simd for Scalar {
    type F32 = [f32; LANES];

    const FUSED: bool = true;
    const TILE_ROWS: usize = 4;
    const TILE_PANELS: usize = 1;
    const NAME: &'static str = "scalar";

    fn vectorize<R, F: FnOnce() -> R>(self, f: F) -> R {
        f()
    }

    fn splat(self, x: f32) -> Self::F32 {
        [x; LANES]
    }

    fn lanes(self, lanes: [f32; LANES]) -> Self::F32 {
        lanes
    }

    fn to_array(self, x: Self::F32) -> [f32; LANES] {
        x
    }

    unsafe fn load_pointer(self, source: *const f32) -> Self::F32 {
        // SAFETY: the caller's contract: 16 readable floats at any alignment.
        unsafe { source.cast::<[f32; LANES]>().read_unaligned() }
    }

    unsafe fn store_pointer(self, target: *mut f32, x: Self::F32) {
        // SAFETY: the caller's contract: 16 writable floats at any alignment.
        unsafe { target.cast::<[f32; LANES]>().write_unaligned(x) }
    }

    fn add(self, a: Self::F32, b: Self::F32) -> Self::F32 {
        from_fn(|i| a[i] + b[i])
    }

    fn sub(self, a: Self::F32, b: Self::F32) -> Self::F32 {
        from_fn(|i| a[i] - b[i])
    }

    fn mul(self, a: Self::F32, b: Self::F32) -> Self::F32 {
        from_fn(|i| a[i] * b[i])
    }

    fn div(self, a: Self::F32, b: Self::F32) -> Self::F32 {
        from_fn(|i| a[i] / b[i])
    }

    fn mul_add(self, a: Self::F32, b: Self::F32, c: Self::F32) -> Self::F32 {
        from_fn(|i| a[i].mul_add(b[i], c[i]))
    }

    fn min(self, a: Self::F32, b: Self::F32) -> Self::F32 {
        from_fn(|i| if a[i] < b[i] { a[i] } else { b[i] })
    }

    fn max(self, a: Self::F32, b: Self::F32) -> Self::F32 {
        from_fn(|i| if a[i] > b[i] { a[i] } else { b[i] })
    }

    fn sqrt(self, x: Self::F32) -> Self::F32 {
        x.map(f32::sqrt)
    }

    fn abs(self, x: Self::F32) -> Self::F32 {
        x.map(f32::abs)
    }

    fn floor(self, x: Self::F32) -> Self::F32 {
        x.map(f32::floor)
    }

    fn select_less(self, a: Self::F32, b: Self::F32, x: Self::F32, y: Self::F32) -> Self::F32 {
        from_fn(|i| if a[i] < b[i] { x[i] } else { y[i] })
    }

    fn select_nan(self, a: Self::F32, x: Self::F32, y: Self::F32) -> Self::F32 {
        from_fn(|i| if a[i].is_nan() { x[i] } else { y[i] })
    }

    fn power_of_two(self, x: Self::F32) -> Self::F32 {
        x.map(|x| 2.0f32.powi(x as i32))
    }
}
