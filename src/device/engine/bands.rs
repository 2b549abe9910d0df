//! How a step is cut into bands: by rows or, where rows are few or weights many, by channels.

use crate::device::kernel::Band;

/// The work of one step, as far as it can be divided. Costs are in multiplications with additions, roughly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Work {
    /// Pictures; bands do not cross them.
    pub images: usize,
    /// Output rows of one picture.
    pub rows: usize,
    /// A band begins at a multiple of this many rows; at least 1.
    pub multiple: usize,
    /// Output channels, if a band may have a part of them; else 0.
    pub channels: usize,
    /// A band begins at a multiple of this many channels; at least 1.
    pub channel_multiple: usize,
    /// What is divided; a load and a store count as one.
    pub cost: u64,
    /// What each band of rows repeats: it reads all weights.
    pub row_overhead: u64,
    /// What each band of channels repeats: it gathers or transforms all of the input.
    pub channel_overhead: u64,
}

impl Work {
    /// Work that is divided by rows alone, where bands repeat nothing.
    pub const fn of_rows([images, rows]: [usize; 2], multiple: usize, cost: u64) -> Self {
        let (channels, channel_multiple) = (0, 1);
        Self {
            images,
            rows,
            multiple,
            channels,
            channel_multiple,
            cost,
            row_overhead: 0,
            channel_overhead: 0,
        }
    }
}

/// Work below this is not divided. A hand-over costs 0.3 µs to threads that spin (the host's pool, two threads, measured) and
/// a few µs if they must be woken; one core does this much of a convolution in 3 to 5 µs.
const WORTH_DIVIDING: u64 = 1 << 17;

/// What a band costs beyond its work: it is taken, its places are found, its tiles end sooner. About 0.3 µs.
const BAND_COST: u64 = 1 << 14;

/// Bands for each worker: where they repeat little, so many that a worker that was interrupted leaves some to the others.
const BANDS_PER_WORKER: [usize; 2] = [4, 1];

/// A step's bands: all rows and channels of all pictures, once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Bands {
    images: usize,
    rows: usize,
    band_rows: usize,
    /// Channels that are divided; 1 if none are.
    channels: usize,
    band_channels: usize,
}

impl Bands {
    /// One band for each picture.
    pub(super) fn whole(work: &Work) -> Self {
        let band_rows = work.rows.max(1);
        Self { images: work.images, rows: work.rows, band_rows, channels: 1, band_channels: 1 }
    }

    /// The smallest bands that the kernel computes at a time, all channels of each: one sequence, for one worker.
    pub(super) fn sequence(work: &Work) -> Self {
        Self { band_rows: work.multiple.max(1), ..Self::whole(work) }
    }

    /// Bands for some workers; whole pictures where dividing would not pay.
    pub(super) fn divided(work: &Work, workers: usize) -> Self {
        let whole = Self::whole(work);
        if workers < 2 || work.cost < WORTH_DIVIDING {
            return whole;
        }
        let (mut best, mut least) = (whole, u64::MAX);
        for per_worker in BANDS_PER_WORKER {
            let bands = (workers * per_worker).div_ceil(work.images.max(1));
            for by_channels in [false, true] {
                let (division, time) = Self::division(work, bands, by_channels, workers);
                if time / 49 < least / 50 {
                    (best, least) = (division, time);
                }
            }
        }
        best
    }

    /// Each picture divided into about `bands` bands, and the time that `workers` workers take.
    fn division(work: &Work, bands: usize, by_channels: bool, workers: usize) -> (Self, u64) {
        let whole = Self::whole(work);
        let part = |of: usize, multiple: usize| of.div_ceil(bands).max(1).next_multiple_of(multiple.max(1));
        let (division, overhead) = if by_channels && work.channels > 0 {
            let band_channels = part(work.channels, work.channel_multiple);
            (Self { channels: work.channels, band_channels, ..whole }, work.channel_overhead)
        } else {
            (Self { band_rows: part(work.rows, work.multiple), ..whole }, work.row_overhead)
        };
        let part_of_picture = |part: usize, of: usize| {
            (part.min(of) as u64, (of.max(1) as u64).saturating_mul(work.images as u64))
        };
        let (share, of) = if division.channels > 1 {
            part_of_picture(division.band_channels, division.channels)
        } else {
            part_of_picture(division.band_rows, division.rows)
        };
        let turns = division.count().div_ceil(workers) as u64;
        let band =
            (work.cost / of.max(1)).saturating_mul(share).saturating_add(overhead).saturating_add(BAND_COST);
        (division, turns.saturating_mul(band))
    }

    /// Bands of one picture, along its rows and its channels.
    const fn of_image(&self) -> [usize; 2] {
        [self.rows.div_ceil(self.band_rows), self.channels.div_ceil(self.band_channels)]
    }

    /// Number of bands.
    pub(super) const fn count(&self) -> usize {
        let [rows, channels] = self.of_image();
        self.images * rows * channels
    }

    /// Band `i`.
    pub(super) fn get(&self, i: usize) -> Band {
        let [rows, channels] = self.of_image().map(|bands| bands.max(1));
        let (row, channel) = (i / channels % rows * self.band_rows, i % channels * self.band_channels);
        let band = Band::of_rows(i / channels / rows, row..(row + self.band_rows).min(self.rows));
        if channels == 1 {
            return band;
        }
        Band { channels: channel..(channel + self.band_channels).min(self.channels), ..band }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each row and channel of each picture must be in one band.
    fn check(work: &Work, workers: usize) {
        let bands = Bands::divided(work, workers);
        let channels = work.channels.max(1);
        let mut seen = vec![0; work.images * work.rows * channels];
        for band in (0..bands.count()).map(|i| bands.get(i)) {
            assert!(band.rows.start.is_multiple_of(work.multiple) && !band.rows.is_empty());
            assert!(band.channels.start.is_multiple_of(work.channel_multiple) && !band.channels.is_empty());
            for y in band.rows {
                let row = (band.image * work.rows + y) * channels;
                seen[row..row + channels][band.channels.start..band.channels.end.min(channels)]
                    .iter_mut()
                    .for_each(|count| *count += 1);
            }
        }
        assert!(seen.iter().all(|count| *count == 1), "{work:?}, {workers} workers");
    }

    #[test]
    fn bands_cover_every_row_and_channel_once_and_begin_at_multiples() {
        for images in 1..4 {
            for rows in 1..40 {
                for multiple in 1..4 {
                    for workers in 1..6 {
                        let work = Work::of_rows([images, rows], multiple, WORTH_DIVIDING);
                        check(&work, workers);
                        let channels = rows * 5;
                        for [row_overhead, channel_overhead] in [[0, 1 << 15], [1 << 15, 0]] {
                            let divided = Work {
                                channels,
                                channel_multiple: 16,
                                row_overhead,
                                channel_overhead,
                                ..work
                            };
                            check(&divided, workers);
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn a_sequence_has_the_smallest_bands_in_order() {
        let work = Work { channels: 64, channel_multiple: 16, ..Work::of_rows([2, 9], 4, u64::MAX) };
        let bands = Bands::sequence(&work);
        let all: Vec<_> = (0..bands.count()).map(|i| bands.get(i)).collect();
        let expected = |image| [0..4, 4..8, 8..9].map(|rows| Band::of_rows(image, rows));
        assert_eq!(all, [expected(0), expected(1)].concat());
    }

    #[test]
    fn small_work_stays_whole() {
        let work = Work::of_rows([2, 9], 1, WORTH_DIVIDING - 1);
        assert_eq!(Bands::divided(&work, 4), Bands::whole(&work));
        assert_eq!(Bands::whole(&work).count(), 2);
    }

    #[test]
    fn few_rows_are_divided_by_channels_and_many_by_rows() {
        let few = Work { channels: 1000, channel_multiple: 16, ..Work::of_rows([1, 1], 1, 1 << 24) };
        let bands = Bands::divided(&few, 2);
        assert_eq!((bands.count(), bands.get(1).rows), (8, 0..1));
        let many = Work { rows: 56, channel_overhead: 1 << 10, ..few };
        assert_eq!(Bands::divided(&many, 2).get(0).channels, 0..usize::MAX);
    }

    #[test]
    fn what_a_band_repeats_is_not_repeated_often() {
        let work = Work { row_overhead: 1 << 18, ..Work::of_rows([1, 64], 1, 1 << 20) };
        assert_eq!(Bands::divided(&work, 2).count(), 2);
    }
}
