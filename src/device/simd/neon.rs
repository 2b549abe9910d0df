//! NEON: four 128-bit registers. Every aarch64 CPU has it.
#![allow(
    clippy::multiple_unsafe_ops_per_block,
    reason = "each block is one lane operation on the four quarters, with the one proof that NEON is part of aarch64"
)]

use core::arch::aarch64::*;
use core::arch::asm;

use half::f16;

use super::lanes::{LANES, Simd};

/// The proof that this CPU has NEON.
#[derive(Clone, Copy, Debug)]
pub struct Neon(());

impl Neon {
    /// The token.
    #[allow(clippy::new_without_default, reason = "a token is made on purpose, as at the other levels")]
    pub const fn new() -> Self {
        Self(())
    }
}

/// One intrinsic on the four quarters.
macro_rules! quarters {
    ($op:ident; $($x:ident),+) => {
        // SAFETY: NEON is part of the aarch64 targets' base.
        unsafe { [$op($($x[0]),+), $op($($x[1]),+), $op($($x[2]),+), $op($($x[3]),+)] }
    };
}

impl Simd for Neon {
    type F32 = [float32x4_t; 4];

    const FUSED: bool = true;
    const TILE_ROWS: usize = 6;
    const TILE_PANELS: usize = 1;
    const ROW_PANELS: usize = 4;
    const NAME: &'static str = "neon";

    #[inline(always)]
    fn vectorize<R, F: FnOnce() -> R>(self, f: F) -> R {
        f()
    }

    #[inline(always)]
    fn splat(self, x: f32) -> Self::F32 {
        // SAFETY: NEON is part of the aarch64 targets' base.
        unsafe { [vdupq_n_f32(x); 4] }
    }

    #[inline(always)]
    fn lanes(self, lanes: [f32; LANES]) -> Self::F32 {
        // SAFETY: the array holds 16 floats.
        unsafe { self.load_pointer(lanes.as_ptr()) }
    }

    #[inline(always)]
    fn to_array(self, x: Self::F32) -> [f32; LANES] {
        let mut lanes = [0.0; LANES];
        // SAFETY: the array holds 16 floats.
        unsafe { self.store_pointer(lanes.as_mut_ptr(), x) };
        lanes
    }

    #[inline(always)]
    unsafe fn load_pointer(self, source: *const f32) -> Self::F32 {
        // SAFETY: NEON is part of the base, and the caller's contract is 16 readable floats.
        unsafe {
            [vld1q_f32(source), vld1q_f32(source.add(4)), vld1q_f32(source.add(8)), vld1q_f32(source.add(12))]
        }
    }

    #[inline(always)]
    unsafe fn store_pointer(self, target: *mut f32, x: Self::F32) {
        // SAFETY: NEON is part of the base, and the caller's contract is 16 writable floats.
        unsafe {
            vst1q_f32(target, x[0]);
            vst1q_f32(target.add(4), x[1]);
            vst1q_f32(target.add(8), x[2]);
            vst1q_f32(target.add(12), x[3]);
        }
    }

    #[inline(always)]
    unsafe fn load_pointer_f16(self, source: *const f16) -> Self::F32 {
        let mut quarters = self.splat(0.0);
        for (i, quarter) in quarters.iter_mut().enumerate() {
            // SAFETY: NEON is part of the base, and the caller's contract is 16 readable elements, of which these are four.
            let halves = unsafe { vld1_u16(source.cast::<u16>().wrapping_add(4 * i)) };
            // The intrinsic for it is newer than the oldest Rust that is promised.
            // SAFETY: an instruction of the base that reads one register and writes another one.
            unsafe {
                asm!(
                    "fcvtl {wide:v}.4s, {narrow:v}.4h",
                    wide = lateout(vreg) *quarter,
                    narrow = in(vreg) halves,
                    options(pure, nomem, nostack, preserves_flags)
                );
            };
        }
        quarters
    }

    #[inline(always)]
    unsafe fn transpose_pointer(self, from: *const f32, from_stride: usize, to: *mut f32, to_stride: usize) {
        for y in [0, 4, 8, 12] {
            for x in [0, 4, 8, 12] {
                let row = |i: usize| from.wrapping_add((y + i) * from_stride + x);
                let column = |i: usize| to.wrapping_add((x + i) * to_stride + y);
                // SAFETY: NEON is part of the base; rows `y..y + 4` and columns `x..x + 4` are of the 16 of each in the caller's
                // contract.
                unsafe {
                    let [a, b, c, d] =
                        [vld1q_f32(row(0)), vld1q_f32(row(1)), vld1q_f32(row(2)), vld1q_f32(row(3))];
                    let pairs = |x| vreinterpretq_f64_f32(x);
                    let (even, odd) = (pairs(vtrn1q_f32(a, b)), pairs(vtrn2q_f32(a, b)));
                    let (even2, odd2) = (pairs(vtrn1q_f32(c, d)), pairs(vtrn2q_f32(c, d)));
                    vst1q_f32(column(0), vreinterpretq_f32_f64(vtrn1q_f64(even, even2)));
                    vst1q_f32(column(1), vreinterpretq_f32_f64(vtrn1q_f64(odd, odd2)));
                    vst1q_f32(column(2), vreinterpretq_f32_f64(vtrn2q_f64(even, even2)));
                    vst1q_f32(column(3), vreinterpretq_f32_f64(vtrn2q_f64(odd, odd2)));
                }
            }
        }
    }

    #[inline(always)]
    fn add(self, a: Self::F32, b: Self::F32) -> Self::F32 {
        quarters!(vaddq_f32; a, b)
    }

    #[inline(always)]
    fn sub(self, a: Self::F32, b: Self::F32) -> Self::F32 {
        quarters!(vsubq_f32; a, b)
    }

    #[inline(always)]
    fn mul(self, a: Self::F32, b: Self::F32) -> Self::F32 {
        quarters!(vmulq_f32; a, b)
    }

    #[inline(always)]
    fn div(self, a: Self::F32, b: Self::F32) -> Self::F32 {
        quarters!(vdivq_f32; a, b)
    }

    #[inline(always)]
    fn mul_add(self, a: Self::F32, b: Self::F32, c: Self::F32) -> Self::F32 {
        quarters!(vfmaq_f32; c, a, b)
    }

    #[inline(always)]
    fn mul_add_low(self, a: Self::F32, b: Self::F32, c: Self::F32) -> Self::F32 {
        // SAFETY: NEON is part of the aarch64 targets' base.
        unsafe { [vfmaq_f32(c[0], a[0], b[0]), vfmaq_f32(c[1], a[1], b[1]), c[2], c[3]] }
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
        quarters!(vsqrtq_f32; x)
    }

    #[inline(always)]
    fn abs(self, x: Self::F32) -> Self::F32 {
        quarters!(vabsq_f32; x)
    }

    #[inline(always)]
    fn floor(self, x: Self::F32) -> Self::F32 {
        quarters!(vrndmq_f32; x)
    }

    #[inline(always)]
    fn select_less(self, a: Self::F32, b: Self::F32, x: Self::F32, y: Self::F32) -> Self::F32 {
        let less = quarters!(vcltq_f32; a, b);
        quarters!(vbslq_f32; less, x, y)
    }

    #[inline(always)]
    fn select_nan(self, a: Self::F32, x: Self::F32, y: Self::F32) -> Self::F32 {
        let equal = quarters!(vceqq_f32; a, a);
        quarters!(vbslq_f32; equal, y, x)
    }

    #[inline(always)]
    fn power_of_two(self, x: Self::F32) -> Self::F32 {
        // SAFETY: NEON is part of the aarch64 targets' base.
        unsafe {
            x.map(|x| {
                let biased = vaddq_s32(vcvtnq_s32_f32(x), vdupq_n_s32(127));
                vreinterpretq_f32_s32(vshlq_n_s32::<23>(biased))
            })
        }
    }
}
