//! How fast a core multiplies and adds at most: what a layer's speed is a share of.
//!
//! What flows in is a SIMD level; what flows out is a measured speed. Called by profilers.

use core::hint::black_box;
use core::time::Duration;
use std::time::Instant;

use crate::device::simd::{LANES, Level, Simd};
use crate::dispatch;

/// Multiplications with additions of a chain, one after another.
const LINKS: usize = 20_000;
/// How long is measured: long enough that a core has its full clock and some trials are undisturbed.
const DURATION: Duration = Duration::from_millis(60);

/// The most multiplications with additions that this thread's core does in a second at this level, each counted as two operations,
/// in units of 10⁹: the fastest of some hundred trials of about 0.3 ms. At a level that does not fuse them, multiplications and
/// additions follow each other.
///
/// ```
/// use salto::device::simd::Level;
/// use salto::host::report::peak_gflop_per_second;
///
/// assert!(peak_gflop_per_second(Level::detect()) > 0.0);
/// ```
pub fn peak_gflop_per_second(level: Level) -> f64 {
    let begin = Instant::now();
    let mut best = 0.0f64;
    while begin.elapsed() < DURATION {
        best = best.max(dispatch!(level, s => trial(s)));
    }
    best
}

/// The speed of one trial: as many independent chains as fill the pipes of the multipliers and fit the registers.
fn trial<S: Simd>(s: S) -> f64 {
    match const { S::TILE_ROWS * S::TILE_PANELS } {
        12.. => chains::<S, 12>(s),
        6.. => chains::<S, 6>(s),
        _ => chains::<S, 2>(s),
    }
}

fn chains<S: Simd, const CHAINS: usize>(s: S) -> f64 {
    s.vectorize(
        #[inline(always)]
        || {
            // Numbers that the compiler cannot know; the sums stay near 1.
            let (factor, summand) = (s.splat(black_box(0.5)), s.splat(black_box(0.5)));
            let mut sums = [s.splat(black_box(1.0)); CHAINS];
            let start = Instant::now();
            for _ in 0..LINKS {
                for sum in &mut sums {
                    *sum = s.mul_add(*sum, factor, summand);
                }
            }
            let seconds = start.elapsed().as_secs_f64();
            for sum in sums {
                black_box(s.to_array(sum));
            }
            2e-9 * (LINKS * CHAINS * LANES) as f64 / seconds
        },
    )
}
