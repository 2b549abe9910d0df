//! AVX2 with FMA: two 256-bit registers.
#![allow(
    clippy::multiple_unsafe_ops_per_block,
    reason = "each block is one lane operation on both halves, with the one proof that the token exists"
)]

use core::arch::x86_64::*;

use half::f16;

use super::lanes::{LANES, Simd};

/// The proof that this CPU has AVX2, FMA and F16C.
#[derive(Clone, Copy, Debug)]
pub struct Avx2(());

impl Avx2 {
    /// The token, if the CPU has AVX2, FMA and F16C; those that have AVX2 have the others too.
    pub fn new() -> Option<Self> {
        #[cfg(feature = "std")]
        let found = std::arch::is_x86_feature_detected!("avx2")
            && std::arch::is_x86_feature_detected!("fma")
            && std::arch::is_x86_feature_detected!("f16c");
        #[cfg(not(feature = "std"))]
        let found = cfg!(all(target_feature = "avx2", target_feature = "fma", target_feature = "f16c"));
        found.then_some(Self(()))
    }
}

/// Runs `f` with the instructions enabled.
///
/// # Safety
/// The CPU must have AVX2, FMA and F16C.
#[target_feature(enable = "avx2,fma,f16c")]
unsafe fn enabled<R, F: FnOnce() -> R>(f: F) -> R {
    f()
}

/// One intrinsic on both halves.
macro_rules! halves {
    ($op:expr; $($x:ident),+) => {
        // SAFETY: the token exists only where the CPU has AVX2 and FMA.
        unsafe { [$op($($x[0]),+), $op($($x[1]),+)] }
    };
}

/// The masks of the first `count` of 16 lanes; a set sign bit is a lane that counts.
///
/// # Safety
/// The CPU must have AVX2.
#[inline(always)]
unsafe fn first_lanes(count: usize) -> [__m256i; 2] {
    static MASKS: [i32; 2 * LANES] = {
        let mut masks = [0; 2 * LANES];
        let mut lane = 0;
        while lane < LANES {
            masks[lane] = -1;
            lane += 1;
        }
        masks
    };
    let first = MASKS.as_ptr().wrapping_add(LANES - count.min(LANES));
    // SAFETY: the caller has AVX2; at most 16 elements into an array of 32, 16 more are inside.
    unsafe { [_mm256_loadu_si256(first.cast()), _mm256_loadu_si256(first.add(8).cast())] }
}

impl Simd for Avx2 {
    type F32 = [__m256; 2];

    const FUSED: bool = true;
    const TILE_ROWS: usize = 6;
    const TILE_PANELS: usize = 1;
    const ROW_PANELS: usize = 4;
    const IN_HALVES: bool = true;
    const PREFETCHES: bool = true;
    const NAME: &'static str = "avx2";

    #[inline(always)]
    fn vectorize<R, F: FnOnce() -> R>(self, f: F) -> R {
        // SAFETY: the token exists only where the CPU has AVX2, FMA and F16C.
        unsafe { enabled(f) }
    }

    #[inline(always)]
    fn prefetch(self, address: *const f32) {
        // SAFETY: a prefetch is a hint and never faults, whatever the address.
        unsafe { _mm_prefetch::<_MM_HINT_T1>(address.cast()) }
    }

    #[inline(always)]
    fn splat(self, x: f32) -> Self::F32 {
        // SAFETY: the token exists only where the CPU has AVX2 and FMA.
        unsafe { [_mm256_set1_ps(x); 2] }
    }

    #[inline(always)]
    fn lanes(self, lanes: [f32; LANES]) -> Self::F32 {
        bytemuck::cast(lanes)
    }

    #[inline(always)]
    fn to_array(self, x: Self::F32) -> [f32; LANES] {
        bytemuck::cast(x)
    }

    #[inline(always)]
    unsafe fn load_pointer(self, source: *const f32) -> Self::F32 {
        // SAFETY: the token exists only where the CPU has AVX2, and the caller's contract is 16 readable floats.
        unsafe { [_mm256_loadu_ps(source), _mm256_loadu_ps(source.add(8))] }
    }

    #[inline(always)]
    unsafe fn store_pointer(self, target: *mut f32, x: Self::F32) {
        // SAFETY: the token exists only where the CPU has AVX2, and the caller's contract is 16 writable floats.
        unsafe {
            _mm256_storeu_ps(target, x[0]);
            _mm256_storeu_ps(target.add(8), x[1]);
        }
    }

    #[inline(always)]
    unsafe fn load_pointer_partial(self, source: *const f32, count: usize) -> Self::F32 {
        // SAFETY: the token exists only where the CPU has AVX2; lanes that are masked out are not read, the others are the
        // `count` readable floats of the caller's contract.
        unsafe {
            let mask = first_lanes(count);
            [_mm256_maskload_ps(source, mask[0]), _mm256_maskload_ps(source.wrapping_add(8), mask[1])]
        }
    }

    #[inline(always)]
    unsafe fn store_pointer_partial(self, target: *mut f32, x: Self::F32, count: usize) {
        // A masked store of AVX2 is microcode on AMD's cores, so 8, 4, 2 and 1 lanes are stored as count has them.
        let (mut target, mut part) = (target, x[0]);
        // SAFETY: the token exists only where the CPU has AVX2; each store writes lanes that `count` still has, and moves on by
        // them, so that all of them are the `count` writable floats of the caller's contract.
        unsafe {
            if count >= 8 {
                _mm256_storeu_ps(target, part);
                (target, part) = (target.wrapping_add(8), x[1]);
            }
            let mut quarter = _mm256_castps256_ps128(part);
            if count & 4 != 0 {
                _mm_storeu_ps(target, quarter);
                (target, quarter) = (target.wrapping_add(4), _mm256_extractf128_ps::<1>(part));
            }
            if count & 2 != 0 {
                _mm_storel_epi64(target.cast(), _mm_castps_si128(quarter));
                (target, quarter) = (target.wrapping_add(2), _mm_movehl_ps(quarter, quarter));
            }
            if count & 1 != 0 {
                _mm_store_ss(target, quarter);
            }
        }
    }

    #[inline(always)]
    unsafe fn load_pointer_low(self, source: *const f32) -> Self::F32 {
        // SAFETY: the token exists only where the CPU has AVX2, and the caller's contract is 8 readable floats.
        unsafe { [_mm256_loadu_ps(source), _mm256_setzero_ps()] }
    }

    #[inline(always)]
    unsafe fn load_pointer_f16(self, source: *const f16) -> Self::F32 {
        // SAFETY: the token exists only where the CPU has F16C, and the caller's contract is 16 readable elements.
        unsafe {
            let halves = source.cast::<__m128i>();
            [_mm256_cvtph_ps(_mm_loadu_si128(halves)), _mm256_cvtph_ps(_mm_loadu_si128(halves.add(1)))]
        }
    }

    #[inline(always)]
    unsafe fn transpose_pointer(self, from: *const f32, from_stride: usize, to: *mut f32, to_stride: usize) {
        // Eight rows by four columns at a time: four rows in each half of four registers.
        for (y, x) in [(0, 0), (0, 4), (0, 8), (0, 12), (8, 0), (8, 4), (8, 8), (8, 12)] {
            let row = |i: usize| from.wrapping_add((y + i) * from_stride + x);
            let column = |i: usize| to.wrapping_add((x + i) * to_stride + y);
            // SAFETY: the token exists only where the CPU has AVX2; rows `y..y + 8` and columns `x..x + 4` are of the 16 of each
            // in the caller's contract.
            unsafe {
                let rows = |i| {
                    let low = _mm256_castps128_ps256(_mm_loadu_ps(row(i)));
                    _mm256_insertf128_ps::<1>(low, _mm_loadu_ps(row(i + 4)))
                };
                let [a, b, c, d] = [rows(0), rows(1), rows(2), rows(3)];
                let (low, high) = (_mm256_unpacklo_ps(a, b), _mm256_unpackhi_ps(a, b));
                let (low2, high2) = (_mm256_unpacklo_ps(c, d), _mm256_unpackhi_ps(c, d));
                _mm256_storeu_ps(column(0), _mm256_shuffle_ps::<0x44>(low, low2));
                _mm256_storeu_ps(column(1), _mm256_shuffle_ps::<0xee>(low, low2));
                _mm256_storeu_ps(column(2), _mm256_shuffle_ps::<0x44>(high, high2));
                _mm256_storeu_ps(column(3), _mm256_shuffle_ps::<0xee>(high, high2));
            }
        }
    }

    #[inline(always)]
    fn add(self, a: Self::F32, b: Self::F32) -> Self::F32 {
        halves!(_mm256_add_ps; a, b)
    }

    #[inline(always)]
    fn sub(self, a: Self::F32, b: Self::F32) -> Self::F32 {
        halves!(_mm256_sub_ps; a, b)
    }

    #[inline(always)]
    fn mul(self, a: Self::F32, b: Self::F32) -> Self::F32 {
        halves!(_mm256_mul_ps; a, b)
    }

    #[inline(always)]
    fn div(self, a: Self::F32, b: Self::F32) -> Self::F32 {
        halves!(_mm256_div_ps; a, b)
    }

    #[inline(always)]
    fn mul_add(self, a: Self::F32, b: Self::F32, c: Self::F32) -> Self::F32 {
        halves!(_mm256_fmadd_ps; a, b, c)
    }

    #[inline(always)]
    fn mul_add_low(self, a: Self::F32, b: Self::F32, c: Self::F32) -> Self::F32 {
        // SAFETY: the token exists only where the CPU has AVX2 and FMA.
        [unsafe { _mm256_fmadd_ps(a[0], b[0], c[0]) }, c[1]]
    }

    #[inline(always)]
    fn min(self, a: Self::F32, b: Self::F32) -> Self::F32 {
        halves!(_mm256_min_ps; a, b)
    }

    #[inline(always)]
    fn max(self, a: Self::F32, b: Self::F32) -> Self::F32 {
        halves!(_mm256_max_ps; a, b)
    }

    #[inline(always)]
    fn sqrt(self, x: Self::F32) -> Self::F32 {
        halves!(_mm256_sqrt_ps; x)
    }

    #[inline(always)]
    fn abs(self, x: Self::F32) -> Self::F32 {
        // SAFETY: the token exists only where the CPU has AVX2 and FMA.
        let sign = unsafe { [_mm256_set1_ps(-0.0); 2] };
        halves!(_mm256_andnot_ps; sign, x)
    }

    #[inline(always)]
    fn floor(self, x: Self::F32) -> Self::F32 {
        halves!(_mm256_floor_ps; x)
    }

    #[inline(always)]
    fn select_less(self, a: Self::F32, b: Self::F32, x: Self::F32, y: Self::F32) -> Self::F32 {
        // SAFETY: the token exists only where the CPU has AVX2 and FMA.
        let less =
            unsafe { [_mm256_cmp_ps::<_CMP_LT_OQ>(a[0], b[0]), _mm256_cmp_ps::<_CMP_LT_OQ>(a[1], b[1])] };
        halves!(_mm256_blendv_ps; y, x, less)
    }

    #[inline(always)]
    fn select_nan(self, a: Self::F32, x: Self::F32, y: Self::F32) -> Self::F32 {
        let nan = halves!(_mm256_cmp_ps::<_CMP_UNORD_Q>; a, a);
        halves!(_mm256_blendv_ps; y, x, nan)
    }

    #[inline(always)]
    fn power_of_two(self, x: Self::F32) -> Self::F32 {
        let whole = halves!(_mm256_cvtps_epi32; x);
        // SAFETY: the token exists only where the CPU has AVX2 and FMA.
        let bias = unsafe { [_mm256_set1_epi32(127); 2] };
        let biased = halves!(_mm256_add_epi32; whole, bias);
        let shifted = halves!(_mm256_slli_epi32::<23>; biased);
        halves!(_mm256_castsi256_ps; shifted)
    }
}
