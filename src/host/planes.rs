//! The change of layout at a session's door: channels as planes for the caller, interleaved in the arena.
//!
//! What flows in and out are pictures as slices of floats. Called by sessions.

use crate::device::simd::{Level, Matrix, View, ViewMut, transpose};
use crate::device::tensor::{Extent, ModelLayout};
use crate::dispatch;

use super::model::Port;
#[cfg(feature = "std")]
use super::threads::ThreadPool;

/// Elements of a picture below which its copy is not divided: a thread copies as many in the time of ten hand-overs.
#[cfg(feature = "std")]
const WORTH_DIVIDING: usize = 1 << 15;

/// Copies pictures from one layout to the other, on a session's threads.
pub(super) struct Planes<'a> {
    pub(super) level: Level,
    #[cfg(feature = "std")]
    pub(super) pool: &'a ThreadPool,
    #[cfg(not(feature = "std"))]
    pub(super) threads: core::marker::PhantomData<&'a ()>,
}

/// The extent of a port whose channels are planes for the caller and interleaved in the arena; `None` if both are the same.
pub(super) fn planes(port: &Port, as_stored: bool) -> Option<Extent> {
    let extent = Extent::of(&port.shape);
    let differs = !as_stored
        && port.layout == ModelLayout::ChannelsFirst
        && port.shape.rank() == 4
        && extent.c != 1
        && extent.h * extent.w != 1;
    differs.then_some(extent)
}

impl Planes<'_> {
    /// `[n, c, h, w]` to `[n, h, w, c]`.
    pub(super) fn interleave(&self, extent: &Extent, from: &[f32], to: &mut [f32]) {
        let (channels, pixels) = (extent.c as usize, extent.h as usize * extent.w as usize);
        self.transpose(channels, pixels, from, to);
    }

    /// `[n, h, w, c]` to `[n, c, h, w]`.
    pub(super) fn deinterleave(&self, extent: &Extent, from: &[f32], to: &mut [f32]) {
        let (channels, pixels) = (extent.c as usize, extent.h as usize * extent.w as usize);
        self.transpose(pixels, channels, from, to);
    }

    /// Transposes matrices of `rows × columns`, one after the other.
    fn transpose(&self, rows: usize, columns: usize, from: &[f32], to: &mut [f32]) {
        let len = rows * columns;
        for (from, to) in from.chunks_exact(len).zip(to.chunks_exact_mut(len)) {
            self.transpose_one(rows, columns, from, to);
        }
    }

    #[cfg(feature = "std")]
    fn transpose_one(&self, rows: usize, columns: usize, from: &[f32], to: &mut [f32]) {
        use crate::device::engine::BandExecutor;

        let workers = self.pool.workers();
        if workers == 1 || to.len() < WORTH_DIVIDING {
            return copy(self.level, rows, columns, from, to);
        }
        // Parts of the columns, which are neighbours in the output.
        let part = columns.div_ceil(2 * workers).next_multiple_of(16);
        let parts = std::sync::Mutex::new(to.chunks_mut(part * rows).enumerate());
        let next = || parts.lock().ok().and_then(|mut parts| parts.next());
        self.pool.execute(&|_| {
            while let Some((i, to)) = next() {
                copy(self.level, rows, columns, &from[i * part..], to);
            }
        });
    }

    #[cfg(not(feature = "std"))]
    fn transpose_one(&self, rows: usize, columns: usize, from: &[f32], to: &mut [f32]) {
        copy(self.level, rows, columns, from, to);
    }
}

/// Transposes as many columns of a matrix of `rows × columns` as `to` has rows.
fn copy(level: Level, rows: usize, columns: usize, from: &[f32], to: &mut [f32]) {
    let matrix = Matrix { rows, columns: to.len() / rows, stride: columns };
    let (from, to) = (View::new(from), ViewMut::new(to));
    dispatch!(level, s => transpose(s, from, matrix, to, rows));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn planes_go_in_and_come_out_whatever_the_threads() {
        for threads in [1, 3] {
            let pool = ThreadPool::new(threads).unwrap();
            let door = Planes { level: Level::detect(), pool: &pool };
            for extent in [Extent::new(2, 3, 5, 3), Extent::new(1, 40, 41, 33), Extent::new(2, 31, 64, 70)] {
                let (pixels, channels) = ((extent.h * extent.w) as usize, extent.c as usize);
                let planes: Vec<f32> = (0..extent.checked_len().unwrap()).map(|i| i as f32).collect();
                let (mut stored, mut back) = (vec![0.0; planes.len()], vec![0.0; planes.len()]);
                door.interleave(&extent, &planes, &mut stored);
                for (i, &value) in stored.iter().enumerate() {
                    let (picture, pixel, channel) =
                        (i / (pixels * channels), i / channels % pixels, i % channels);
                    assert_eq!(value, planes[(picture * channels + channel) * pixels + pixel]);
                }
                door.deinterleave(&extent, &stored, &mut back);
                assert_eq!(back, planes);
            }
        }
    }
}
