//! AVX-512: one 512-bit register.

use core::arch::x86_64::*;

use half::f16;

use super::lanes::{LANES, Simd};

/// The proof that this CPU has AVX-512 F, VL, BW and DQ, and FMA.
#[derive(Clone, Copy, Debug)]
pub struct Avx512(());

impl Avx512 {
    /// The token, if the CPU has AVX-512 F, VL, BW and DQ, and FMA.
    pub fn new() -> Option<Self> {
        #[cfg(feature = "std")]
        let found = std::arch::is_x86_feature_detected!("avx512f")
            && std::arch::is_x86_feature_detected!("avx512vl")
            && std::arch::is_x86_feature_detected!("avx512bw")
            && std::arch::is_x86_feature_detected!("avx512dq")
            && std::arch::is_x86_feature_detected!("avx2")
            && std::arch::is_x86_feature_detected!("fma");
        #[cfg(not(feature = "std"))]
        let found = cfg!(all(
            target_feature = "avx512f",
            target_feature = "avx512vl",
            target_feature = "avx512bw",
            target_feature = "avx512dq",
            target_feature = "fma"
        ));
        found.then_some(Self(()))
    }
}

/// Runs `f` with the instructions enabled.
///
/// # Safety
/// The CPU must have AVX-512 F, VL, BW and DQ, AVX2 and FMA.
#[target_feature(enable = "avx512f,avx512vl,avx512bw,avx512dq,avx2,fma")]
unsafe fn enabled<R, F: FnOnce() -> R>(f: F) -> R {
    f()
}

/// One intrinsic.
macro_rules! lanes {
    ($op:expr; $($x:expr),*) => {
        // SAFETY: the token exists only where the CPU has AVX-512.
        unsafe { $op($($x),*) }
    };
}

/// The mask of the first `count` of 16 lanes.
#[inline(always)]
const fn first_lanes(count: usize) -> __mmask16 {
    ((1u32 << if count < LANES { count } else { LANES }) - 1) as u16
}

/// The columns of a matrix: those of 4×4 matrices in each quarter of the registers, then quarters are put together.
///
/// # Safety
/// The CPU must have AVX-512 F.
#[inline(always)]
#[allow(
    clippy::multiple_unsafe_ops_per_block,
    reason = "register operations, with the one proof that the CPU has them"
)]
unsafe fn transposed(rows: [__m512; LANES]) -> [__m512; LANES] {
    let mut quarters = rows;
    for r in [0, 4, 8, 12] {
        // SAFETY: the caller has AVX-512.
        unsafe {
            let (low, high) =
                (_mm512_unpacklo_ps(rows[r], rows[r + 1]), _mm512_unpackhi_ps(rows[r], rows[r + 1]));
            let (low2, high2) =
                (_mm512_unpacklo_ps(rows[r + 2], rows[r + 3]), _mm512_unpackhi_ps(rows[r + 2], rows[r + 3]));
            let pair = |a, b| (_mm512_castps_pd(a), _mm512_castps_pd(b));
            let ((low, low2), (high, high2)) = (pair(low, low2), pair(high, high2));
            quarters[r] = _mm512_castpd_ps(_mm512_unpacklo_pd(low, low2));
            quarters[r + 1] = _mm512_castpd_ps(_mm512_unpackhi_pd(low, low2));
            quarters[r + 2] = _mm512_castpd_ps(_mm512_unpacklo_pd(high, high2));
            quarters[r + 3] = _mm512_castpd_ps(_mm512_unpackhi_pd(high, high2));
        }
    }
    let mut columns = quarters;
    for k in 0..4 {
        // SAFETY: as above.
        unsafe {
            let [a, b, c, d] = [quarters[k], quarters[4 + k], quarters[8 + k], quarters[12 + k]];
            let (even, odd) = (_mm512_shuffle_f32x4::<0x88>(a, b), _mm512_shuffle_f32x4::<0xdd>(a, b));
            let (even2, odd2) = (_mm512_shuffle_f32x4::<0x88>(c, d), _mm512_shuffle_f32x4::<0xdd>(c, d));
            columns[k] = _mm512_shuffle_f32x4::<0x88>(even, even2);
            columns[4 + k] = _mm512_shuffle_f32x4::<0x88>(odd, odd2);
            columns[8 + k] = _mm512_shuffle_f32x4::<0xdd>(even, even2);
            columns[12 + k] = _mm512_shuffle_f32x4::<0xdd>(odd, odd2);
        }
    }
    columns
}

impl Simd for Avx512 {
    type F32 = __m512;

    const FUSED: bool = true;
    const TILE_ROWS: usize = 12;
    const TILE_PANELS: usize = 2;
    const ROW_PANELS: usize = 4;
    const PREFETCHES: bool = true;
    const NAME: &'static str = "avx512";

    #[inline(always)]
    fn vectorize<R, F: FnOnce() -> R>(self, f: F) -> R {
        // SAFETY: the token exists only where the CPU has AVX-512.
        unsafe { enabled(f) }
    }

    #[inline(always)]
    fn prefetch(self, address: *const f32) {
        // SAFETY: a prefetch is a hint and never faults, whatever the address.
        unsafe { _mm_prefetch::<_MM_HINT_T1>(address.cast()) }
    }

    #[inline(always)]
    fn splat(self, x: f32) -> Self::F32 {
        lanes!(_mm512_set1_ps; x)
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
        // SAFETY: the token exists only where the CPU has AVX-512, and the caller's contract is 16 readable floats.
        unsafe { _mm512_loadu_ps(source) }
    }

    #[inline(always)]
    unsafe fn store_pointer(self, target: *mut f32, x: Self::F32) {
        // SAFETY: the token exists only where the CPU has AVX-512, and the caller's contract is 16 writable floats.
        unsafe { _mm512_storeu_ps(target, x) }
    }

    #[inline(always)]
    unsafe fn load_pointer_partial(self, source: *const f32, count: usize) -> Self::F32 {
        // SAFETY: the token exists only where the CPU has AVX-512; lanes that are masked out are not read, the others are the
        // `count` readable floats of the caller's contract.
        unsafe { _mm512_maskz_loadu_ps(first_lanes(count), source) }
    }

    #[inline(always)]
    unsafe fn store_pointer_partial(self, target: *mut f32, x: Self::F32, count: usize) {
        // SAFETY: the token exists only where the CPU has AVX-512; lanes that are masked out are not written, the others are
        // the `count` writable floats of the caller's contract.
        unsafe { _mm512_mask_storeu_ps(target, first_lanes(count), x) }
    }

    #[inline(always)]
    unsafe fn load_pointer_f16(self, source: *const f16) -> Self::F32 {
        // SAFETY: the token exists only where the CPU has AVX-512, and the caller's contract is 16 readable elements.
        let halves = unsafe { _mm256_loadu_si256(source.cast()) };
        lanes!(_mm512_cvtph_ps; halves)
    }

    #[inline(always)]
    unsafe fn transpose_pointer(self, from: *const f32, from_stride: usize, to: *mut f32, to_stride: usize) {
        let mut rows = [self.splat(0.0); LANES];
        for (y, row) in rows.iter_mut().enumerate() {
            // SAFETY: row `y` of 16, in the caller's contract.
            *row = unsafe { self.load_pointer(from.wrapping_add(y * from_stride)) };
        }
        // SAFETY: the token exists only where the CPU has AVX-512.
        let columns = unsafe { transposed(rows) };
        for (x, column) in columns.into_iter().enumerate() {
            // SAFETY: row `x` of 16, in the caller's contract.
            unsafe { self.store_pointer(to.wrapping_add(x * to_stride), column) };
        }
    }

    #[inline(always)]
    fn add(self, a: Self::F32, b: Self::F32) -> Self::F32 {
        lanes!(_mm512_add_ps; a, b)
    }

    #[inline(always)]
    fn sub(self, a: Self::F32, b: Self::F32) -> Self::F32 {
        lanes!(_mm512_sub_ps; a, b)
    }

    #[inline(always)]
    fn mul(self, a: Self::F32, b: Self::F32) -> Self::F32 {
        lanes!(_mm512_mul_ps; a, b)
    }

    #[inline(always)]
    fn div(self, a: Self::F32, b: Self::F32) -> Self::F32 {
        lanes!(_mm512_div_ps; a, b)
    }

    #[inline(always)]
    fn mul_add(self, a: Self::F32, b: Self::F32, c: Self::F32) -> Self::F32 {
        lanes!(_mm512_fmadd_ps; a, b, c)
    }

    #[inline(always)]
    fn mul_add_low(self, a: Self::F32, b: Self::F32, c: Self::F32) -> Self::F32 {
        let (a, b) = (lanes!(_mm512_castps512_ps256; a), lanes!(_mm512_castps512_ps256; b));
        let c = lanes!(_mm512_castps512_ps256; c);
        let low = lanes!(_mm256_fmadd_ps; a, b, c);
        lanes!(_mm512_castps256_ps512; low)
    }

    #[inline(always)]
    fn min(self, a: Self::F32, b: Self::F32) -> Self::F32 {
        lanes!(_mm512_min_ps; a, b)
    }

    #[inline(always)]
    fn max(self, a: Self::F32, b: Self::F32) -> Self::F32 {
        lanes!(_mm512_max_ps; a, b)
    }

    #[inline(always)]
    fn sqrt(self, x: Self::F32) -> Self::F32 {
        lanes!(_mm512_sqrt_ps; x)
    }

    #[inline(always)]
    fn abs(self, x: Self::F32) -> Self::F32 {
        lanes!(_mm512_abs_ps; x)
    }

    #[inline(always)]
    fn floor(self, x: Self::F32) -> Self::F32 {
        lanes!(_mm512_roundscale_ps::<{ _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC }>; x)
    }

    #[inline(always)]
    fn select_less(self, a: Self::F32, b: Self::F32, x: Self::F32, y: Self::F32) -> Self::F32 {
        let less = lanes!(_mm512_cmp_ps_mask::<_CMP_LT_OQ>; a, b);
        lanes!(_mm512_mask_blend_ps; less, y, x)
    }

    #[inline(always)]
    fn select_nan(self, a: Self::F32, x: Self::F32, y: Self::F32) -> Self::F32 {
        let nan = lanes!(_mm512_cmp_ps_mask::<_CMP_UNORD_Q>; a, a);
        lanes!(_mm512_mask_blend_ps; nan, y, x)
    }

    #[inline(always)]
    fn power_of_two(self, x: Self::F32) -> Self::F32 {
        let whole = lanes!(_mm512_cvtps_epi32; x);
        let bias = lanes!(_mm512_set1_epi32; 127);
        let biased = lanes!(_mm512_add_epi32; whole, bias);
        let shifted = lanes!(_mm512_slli_epi32::<23>; biased);
        lanes!(_mm512_castsi512_ps; shifted)
    }
}
