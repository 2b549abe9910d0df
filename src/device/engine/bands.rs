//! How a step is cut into bands.

use crate::device::kernel::Band;

/// The work of one step, as far as it can be divided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Work {
    /// Pictures; bands do not cross them.
    pub images: usize,
    /// Output rows of one picture.
    pub rows: usize,
    /// A band begins at a multiple of this many rows; at least 1.
    pub multiple: usize,
    /// Multiplications and additions, roughly: a load and a store count as much as one.
    pub cost: u64,
}

/// Work below this is not divided. A hand-over costs 0.3 µs to threads that spin (the host's pool, two threads, measured) and
/// a few µs if they must be woken; one core does this much of a convolution in 3 to 5 µs.
const WORTH_DIVIDING: u64 = 1 << 17;

/// Bands for each worker, so that a worker that was interrupted leaves some to the others.
const BANDS_PER_WORKER: usize = 3;

/// A step's bands: all rows of all pictures, once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Bands {
    images: usize,
    rows: usize,
    band_rows: usize,
}

impl Bands {
    /// One band for each picture.
    pub(super) fn whole(work: &Work) -> Self {
        Self { images: work.images, rows: work.rows, band_rows: work.rows.max(1) }
    }

    /// Bands for some workers; whole pictures where dividing would not pay.
    pub(super) fn divided(work: &Work, workers: usize) -> Self {
        if workers < 2 || work.cost < WORTH_DIVIDING {
            return Self::whole(work);
        }
        let bands = (workers * BANDS_PER_WORKER).div_ceil(work.images.max(1));
        let band_rows = work.rows.div_ceil(bands).max(1).next_multiple_of(work.multiple.max(1));
        Self { band_rows, ..Self::whole(work) }
    }

    /// Number of bands.
    pub(super) fn count(&self) -> usize {
        self.images * self.rows.div_ceil(self.band_rows)
    }

    /// Band `i`.
    pub(super) fn get(&self, i: usize) -> Band {
        let bands_of_image = self.rows.div_ceil(self.band_rows).max(1);
        let first = i % bands_of_image * self.band_rows;
        Band { image: i / bands_of_image, rows: first..(first + self.band_rows).min(self.rows) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bands_cover_every_row_once_and_begin_at_multiples() {
        for images in 1..4 {
            for rows in 1..40 {
                for multiple in 1..4 {
                    for workers in 1..6 {
                        let work = Work { images, rows, multiple, cost: WORTH_DIVIDING };
                        let bands = Bands::divided(&work, workers);
                        let mut seen = vec![0; images * rows];
                        for band in (0..bands.count()).map(|i| bands.get(i)) {
                            assert!(band.rows.start.is_multiple_of(multiple) && !band.rows.is_empty());
                            band.rows.for_each(|y| seen[band.image * rows + y] += 1);
                        }
                        assert!(seen.iter().all(|count| *count == 1));
                    }
                }
            }
        }
    }

    #[test]
    fn small_work_stays_whole() {
        let work = Work { images: 2, rows: 9, multiple: 1, cost: WORTH_DIVIDING - 1 };
        assert_eq!(Bands::divided(&work, 4), Bands::whole(&work));
        assert_eq!(Bands::whole(&work).count(), 2);
    }
}
