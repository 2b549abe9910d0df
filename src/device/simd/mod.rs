//! SIMD: sixteen virtual lanes, chosen at run time, and views of memory that may overlap.
//!
//! Beside the hand-over to threads, this is the only room where `unsafe` may be written. Kernels are generic over [`Simd`],
//! whose vector always has **16 lanes** of `f32`: one AVX-512 register, two AVX2 registers, four NEON registers, or [`wide`]'s
//! portable types. So a kernel does the same arithmetic in the same order at every level, and its bits depend only on the input and
//! on whether the level fuses
//! multiplication and addition ([`Simd::FUSED`]): every level does but the portable one, which runs where the CPU has no other
//! or, without std, where the compilation target promises no other.
//!
//! A level's token ([`Portable`], `Avx2`, …) exists only where the CPU has the instructions: the token is the proof.
//! [`dispatch!`](crate::dispatch) turns a run-time [`Level`] into a token; [`Simd::vectorize`] opens the instruction set
//! for a closure. **Rule**: a function that is generic over `S: Simd` is `#[inline(always)]`, or its whole body is one
//! `s.vectorize(#[inline(always)] || …)`; anything else compiles to calls of single instructions. The same holds for closures:
//! lanes stay out of those that go through `core` (`array::from_fn`, `map_or`), which may not be inlined; a loop does it.
//!
//! Called by `kernel` (lanes, tiles, views) and by `engine` (the arena, the level).

/// The block once for each index below a bound, as the compiler's own unrolling does not reach loops of loops.
macro_rules! unrolled {
    ($i:ident in [$($value:literal)*]; $bound:expr => $block:block) => {
        $({
            const $i: usize = $value;
            if $i < $bound {
                $block
            }
        })*
    };
}

pub(super) use unrolled;

mod arena;
#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod finish;
mod lanes;
mod level;
#[cfg(target_arch = "aarch64")]
mod neon;
mod portable;
mod product;
#[cfg(test)]
mod scalar;
mod taps;
mod tile;
mod transpose;
mod vectors;
mod view;

pub use arena::Arena;
#[cfg(target_arch = "x86_64")]
pub use avx2::Avx2;
#[cfg(target_arch = "x86_64")]
pub use avx512::Avx512;
pub use finish::{End, Finish, Keep, Sums, Total};
pub use lanes::{LANES, Simd};
pub use level::Level;
#[cfg(target_arch = "aarch64")]
pub use neon::Neon;
pub use portable::Portable;
pub use product::{Panels, Places, Product, Runs, Weight};
#[cfg(test)]
pub use scalar::Scalar;
pub use taps::{Pixels, TapBlock, Taps};
pub use tile::{TileRange, multiply_tile};
pub use transpose::{Matrix, transpose};
pub use vectors::{Vectors, VectorsMut};
pub use view::{View, ViewMut};
