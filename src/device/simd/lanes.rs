//! The lane operations that each level supplies: one vector of sixteen `f32`.

use core::fmt::Debug;

use half::f16;

/// The lanes of a vector, at every level.
pub const LANES: usize = 16;

/// A set of SIMD instructions, as a token that exists only where the CPU has them.
///
/// Every operation works on all sixteen lanes alike. Its bits are the same at every level, but for [`Simd::mul_add`], which
/// rounds once where [`Simd::FUSED`] and twice elsewhere.
pub trait Simd: Copy + Debug + Send + Sync + 'static {
    /// Sixteen lanes of `f32`.
    type F32: Copy + Debug;

    /// Does [`Simd::mul_add`] round once?
    const FUSED: bool;
    /// Rows of the largest register tile (see [`multiply_tile`](super::multiply_tile)).
    const TILE_ROWS: usize;
    /// Panels of 16 columns of the largest register tile.
    const TILE_PANELS: usize;
    /// Panels of the largest register tile of a single row: so many that its additions need not wait for each other.
    const ROW_PANELS: usize = Self::TILE_PANELS;
    /// The level's name, for tables: `portable`, `avx2`, `avx512`, `neon`.
    const NAME: &'static str;

    /// Runs `f` where the compiler may use the level's instructions. `f` must be `#[inline(always)]`.
    fn vectorize<R, F: FnOnce() -> R>(self, f: F) -> R;

    /// Is a vector many instructions, so that long straight code is better called than repeated? Else it is inlined, where more of
    /// it stays in registers.
    const IS_LONG: bool = false;

    /// Are a vector two registers, of which there are few? Then depthwise sums are made of 8 lanes at a time, which leaves room for twice
    /// as many of them.
    const IN_HALVES: bool = false;

    /// Does [`Simd::prefetch`] do anything?
    const PREFETCHES: bool = false;

    /// Asks for the cache line of an address, which need not be valid, to be brought into L2. A hint, or nothing.
    #[inline(always)]
    fn prefetch(self, _address: *const f32) {}

    /// All lanes `x`.
    fn splat(self, x: f32) -> Self::F32;
    /// The lanes of an array.
    fn lanes(self, lanes: [f32; LANES]) -> Self::F32;
    /// The lanes as an array.
    fn to_array(self, x: Self::F32) -> [f32; LANES];
    /// Reads 16 elements.
    ///
    /// # Safety
    /// `source` must be valid for reads of 16 `f32`; any alignment.
    unsafe fn load_pointer(self, source: *const f32) -> Self::F32;
    /// Reads 8 elements; any in the other lanes.
    ///
    /// # Safety
    /// `source` must be valid for reads of 8 `f32`; any alignment.
    #[inline(always)]
    unsafe fn load_pointer_low(self, source: *const f32) -> Self::F32 {
        // SAFETY: the caller's contract.
        unsafe { self.load_pointer_partial(source, LANES / 2) }
    }
    /// Writes 16 elements.
    ///
    /// # Safety
    /// `target` must be valid for writes of 16 `f32`; any alignment.
    unsafe fn store_pointer(self, target: *mut f32, x: Self::F32);

    /// Reads `count` elements, at most 16; the other lanes are 0.
    ///
    /// # Safety
    /// `source` must be valid for reads of `count` `f32`; any alignment.
    #[inline(always)]
    unsafe fn load_pointer_partial(self, source: *const f32, count: usize) -> Self::F32 {
        let mut lanes = [0.0; LANES];
        for (i, lane) in lanes.iter_mut().enumerate().take(count) {
            // SAFETY: `i < count`, and the caller's contract is `count` readable floats.
            let element = unsafe { source.add(i) };
            // SAFETY: as above.
            *lane = unsafe { element.read_unaligned() };
        }
        self.lanes(lanes)
    }
    /// Writes the first `count` lanes, at most 16.
    ///
    /// # Safety
    /// `target` must be valid for writes of `count` `f32`; any alignment.
    #[inline(always)]
    unsafe fn store_pointer_partial(self, target: *mut f32, x: Self::F32, count: usize) {
        for (i, lane) in self.to_array(x).into_iter().enumerate().take(count) {
            // SAFETY: `i < count`, and the caller's contract is `count` writable floats.
            let element = unsafe { target.add(i) };
            // SAFETY: as above.
            unsafe { element.write_unaligned(lane) };
        }
    }

    /// Reads 16 elements of `f16`: every one of them is an `f32`.
    ///
    /// # Safety
    /// `source` must be valid for reads of 16 `f16`; any alignment.
    #[inline(always)]
    unsafe fn load_pointer_f16(self, source: *const f16) -> Self::F32 {
        // SAFETY: the caller's contract: 16 readable elements; an array of them needs no more alignment than they have.
        let halves = unsafe { source.cast::<[f16; LANES]>().read_unaligned() };
        let mut lanes = [0.0; LANES];
        for (lane, half) in lanes.iter_mut().zip(halves) {
            *lane = widened(half);
        }
        self.lanes(lanes)
    }

    /// Copies element `(y, x)` of a 16×16 matrix with rows `from_stride` apart to `(x, y)` of one with rows `to_stride` apart.
    ///
    /// # Safety
    /// 16 elements must be readable at each of 16 places, `from_stride` apart from `from` on, and writable at each of 16,
    /// `to_stride` apart from `to` on; the two do not overlap. Any alignment.
    #[inline(always)]
    unsafe fn transpose_pointer(self, from: *const f32, from_stride: usize, to: *mut f32, to_stride: usize) {
        let mut square = [[0.0; LANES]; LANES];
        for y in 0..LANES {
            // SAFETY: row `y` of 16, in the caller's contract.
            let row = unsafe { from.wrapping_add(y * from_stride).cast::<[f32; LANES]>().read_unaligned() };
            square.iter_mut().zip(row).for_each(|(column, x)| column[y] = x);
        }
        for (x, column) in square.into_iter().enumerate() {
            // SAFETY: row `x` of 16, in the caller's contract.
            unsafe { to.wrapping_add(x * to_stride).cast::<[f32; LANES]>().write_unaligned(column) };
        }
    }

    /// `a + b`
    fn add(self, a: Self::F32, b: Self::F32) -> Self::F32;
    /// `a − b`
    fn sub(self, a: Self::F32, b: Self::F32) -> Self::F32;
    /// `a · b`
    fn mul(self, a: Self::F32, b: Self::F32) -> Self::F32;
    /// `a / b`
    fn div(self, a: Self::F32, b: Self::F32) -> Self::F32;
    /// `a · b + c`, rounded once if [`Simd::FUSED`].
    fn mul_add(self, a: Self::F32, b: Self::F32, c: Self::F32) -> Self::F32;
    /// [`Simd::mul_add`] of the first 8 lanes; any in the others. Cheaper where a vector is wider than those 8.
    #[inline(always)]
    fn mul_add_low(self, a: Self::F32, b: Self::F32, c: Self::F32) -> Self::F32 {
        self.mul_add(a, b, c)
    }
    /// `a < b ? a : b`: `b` where either is NaN.
    fn min(self, a: Self::F32, b: Self::F32) -> Self::F32;
    /// `a > b ? a : b`: `b` where either is NaN.
    fn max(self, a: Self::F32, b: Self::F32) -> Self::F32;
    /// `√x`
    fn sqrt(self, x: Self::F32) -> Self::F32;
    /// `|x|`
    fn abs(self, x: Self::F32) -> Self::F32;
    /// `⌊x⌋`
    fn floor(self, x: Self::F32) -> Self::F32;
    /// `a < b ? x : y`: `y` where either is NaN.
    fn select_less(self, a: Self::F32, b: Self::F32, x: Self::F32, y: Self::F32) -> Self::F32;
    /// `a` is NaN ? `x` : `y`
    fn select_nan(self, a: Self::F32, x: Self::F32, y: Self::F32) -> Self::F32;
    /// `2^x` for whole `x` in −126…127, exactly.
    fn power_of_two(self, x: Self::F32) -> Self::F32;
}

/// An `f16` as `f32`, in operations that compilers do on many at a time: sign and fraction move to their places, and the
/// exponent, which counts from −15 in `f16` and from −127 in `f32`, is raised by 112.
#[inline(always)]
const fn widened(half: f16) -> f32 {
    /// The exponent of `f16` where `f32` has its own.
    const EXPONENT: u32 = 0x7c00 << 13;
    const RAISED: u32 = 112 << 23;
    /// 2⁻¹⁴, the least number of `f16` with a leading 1.
    const LEAST: f32 = f32::from_bits(113 << 23);
    let bits = half.to_bits() as u32;
    let magnitude = (bits & 0x7fff) << 13;
    let exponent = magnitude & EXPONENT;
    let widened = if exponent == 0 {
        // Without a leading 1: it is given one, which is taken away again.
        (f32::from_bits(magnitude + RAISED + (1 << 23)) - LEAST).to_bits()
    } else if exponent == EXPONENT {
        // Infinite or NaN: the exponent is full in both.
        magnitude + 2 * RAISED
    } else {
        magnitude + RAISED
    };
    f32::from_bits(widened | (bits & 0x8000) << 16)
}

#[cfg(test)]
mod tests {
    use super::super::Level;
    use super::*;
    use crate::dispatch;

    #[test]
    fn every_f16_is_read_exactly_at_every_level() {
        for first in (0..=u16::MAX).step_by(LANES) {
            let halves: [f16; LANES] = core::array::from_fn(|i| f16::from_bits(first + i as u16));
            let expected = halves.map(f16::to_f32_const);
            for level in Level::NAMES.iter().filter_map(|name| Level::named(name)) {
                // SAFETY: the array has 16 elements.
                let lanes = dispatch!(level, s => s.to_array(unsafe { s.load_pointer_f16(halves.as_ptr()) }));
                for ((half, lane), expected) in halves.iter().zip(lanes).zip(expected) {
                    let same = lane.to_bits() == expected.to_bits() || (half.is_nan() && lane.is_nan());
                    assert!(same, "{:#x} at {}: {lane}", half.to_bits(), level.name());
                }
            }
        }
    }
}
