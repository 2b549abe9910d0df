//! The portable level: [`wide`]'s types, with the instructions of the compilation target.

use bytemuck::cast;
use wide::f32x8;

use super::lanes::{LANES, Simd};

/// No instructions beyond those of the compilation target. Multiplication and addition round separately.
#[derive(Clone, Copy, Debug)]
pub struct Portable;

/// Applies an operation to both halves.
macro_rules! halves {
    ($op:expr; $($x:ident),+) => {{
        let op = $op;
        [op($($x[0]),+), op($($x[1]),+)]
    }};
}

impl Simd for Portable {
    type F32 = [f32x8; 2];

    const FUSED: bool = false;
    // Four rows of sixteen floats are what the sixteen 128-bit registers of SSE2 come nearest to; a core without SIMD
    // spills, and gains nothing by fewer rows.
    const TILE_ROWS: usize = 2;
    const TILE_PANELS: usize = 1;
    const IS_LONG: bool = true;
    const NAME: &'static str = "portable";

    #[inline(always)]
    fn vectorize<R, F: FnOnce() -> R>(self, f: F) -> R {
        f()
    }

    #[inline(always)]
    fn splat(self, x: f32) -> Self::F32 {
        [f32x8::splat(x); 2]
    }

    #[inline(always)]
    fn lanes(self, lanes: [f32; LANES]) -> Self::F32 {
        cast(lanes)
    }

    #[inline(always)]
    fn to_array(self, x: Self::F32) -> [f32; LANES] {
        cast(x)
    }

    #[inline(always)]
    unsafe fn load_pointer(self, source: *const f32) -> Self::F32 {
        // SAFETY: the caller's contract: 16 readable floats; an array of floats needs no more alignment than they have.
        self.lanes(unsafe { source.cast::<[f32; LANES]>().read_unaligned() })
    }

    #[inline(always)]
    unsafe fn store_pointer(self, target: *mut f32, x: Self::F32) {
        // SAFETY: the caller's contract: 16 writable floats.
        unsafe { target.cast::<[f32; LANES]>().write_unaligned(self.to_array(x)) }
    }

    #[inline(always)]
    fn add(self, a: Self::F32, b: Self::F32) -> Self::F32 {
        halves!(|a, b| a + b; a, b)
    }

    #[inline(always)]
    fn sub(self, a: Self::F32, b: Self::F32) -> Self::F32 {
        halves!(|a, b| a - b; a, b)
    }

    #[inline(always)]
    fn mul(self, a: Self::F32, b: Self::F32) -> Self::F32 {
        halves!(|a, b| a * b; a, b)
    }

    #[inline(always)]
    fn div(self, a: Self::F32, b: Self::F32) -> Self::F32 {
        halves!(|a, b| a / b; a, b)
    }

    #[inline(always)]
    fn mul_add(self, a: Self::F32, b: Self::F32, c: Self::F32) -> Self::F32 {
        // Not `wide`'s `mul_add`, which fuses if the build's target features say so: the bits must not depend on them.
        halves!(|a, b, c| a * b + c; a, b, c)
    }

    #[inline(always)]
    fn mul_add_low(self, a: Self::F32, b: Self::F32, c: Self::F32) -> Self::F32 {
        [a[0] * b[0] + c[0], c[1]]
    }

    #[inline(always)]
    fn min(self, a: Self::F32, b: Self::F32) -> Self::F32 {
        self.select_less(a, b, a, b)
    }

    #[inline(always)]
    fn max(self, a: Self::F32, b: Self::F32) -> Self::F32 {
        self.select_less(b, a, a, b)
    }

    #[inline(always)]
    fn sqrt(self, x: Self::F32) -> Self::F32 {
        halves!(|x: f32x8| x.sqrt(); x)
    }

    #[inline(always)]
    fn abs(self, x: Self::F32) -> Self::F32 {
        halves!(|x: f32x8| x.abs(); x)
    }

    #[inline(always)]
    fn floor(self, x: Self::F32) -> Self::F32 {
        // Not `wide`'s, which calls the C library for each lane where the build's target has no instruction for it.
        let mut lanes = self.to_array(x);
        for lane in &mut lanes {
            let x = *lane;
            let truncated = x as i32 as f32;
            let floor = if truncated > x { truncated - 1.0 } else { truncated };
            // From 2²³ on every number is whole; NaN stays.
            *lane = if x.abs() < 8_388_608.0 { floor.copysign(x) } else { x };
        }
        self.lanes(lanes)
    }

    #[inline(always)]
    fn select_less(self, a: Self::F32, b: Self::F32, x: Self::F32, y: Self::F32) -> Self::F32 {
        halves!(|a: f32x8, b: f32x8, x, y| a.simd_lt(b).select(x, y); a, b, x, y)
    }

    #[inline(always)]
    fn select_nan(self, a: Self::F32, x: Self::F32, y: Self::F32) -> Self::F32 {
        halves!(|a: f32x8, x, y| a.simd_eq(a).select(y, x); a, x, y)
    }

    #[inline(always)]
    fn power_of_two(self, x: Self::F32) -> Self::F32 {
        let lanes = self.to_array(x).map(|x| f32::from_bits(((x as i32 + 127) as u32) << 23));
        self.lanes(lanes)
    }
}
