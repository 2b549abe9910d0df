//! Tensors for tests: generated values in segments that lie apart in one memory, with poison between them.

use std::vec::Vec;

use crate::device::kernel::{Band, Sink, Source};
use crate::device::simd::{View, ViewMut};
use crate::device::tensor::{Extent, Rows, Segment};

/// What lies between rows and pixels of different segments: whoever reads it shows it.
const POISON: f32 = f32::NAN;

/// The same numbers for the same seed (the multiplier of Knuth's MMIX).
#[derive(Clone, Debug)]
pub(crate) struct Random(pub(crate) u64);

impl Random {
    /// A number in −1…1.
    pub(crate) fn next(&mut self) -> f32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 40) as f32 / 8_388_608.0 - 1.0
    }

    /// So many numbers in −1…1.
    pub(crate) fn take(&mut self, len: usize) -> Vec<f32> {
        (0..len).map(|_| self.next()).collect()
    }
}

/// A tensor in segments.
#[derive(Clone, Debug)]
pub(crate) struct Tensor {
    /// Its size.
    pub(crate) extent: Extent,
    segments: Vec<Segment>,
    memory: Vec<f32>,
}

impl Tensor {
    /// Poison of size `extent` with these channels in each segment; pixels lie `gap` elements farther apart than they need to.
    pub(crate) fn poison(extent: Extent, channels: &[u32], gap: u32) -> Self {
        assert_eq!(channels.iter().sum::<u32>(), extent.c);
        let mut base = 3 + gap;
        let mut segments = Vec::new();
        for &channels in channels {
            let padded = extent.with_channels(channels + gap);
            let rows = Rows::contiguous(base, &padded).unwrap();
            segments.push(Segment { rows, channels, buffer: 0 });
            base += padded.checked_len().unwrap() + gap;
        }
        Self { extent, segments, memory: vec![POISON; base as usize + 3] }
    }

    /// Numbers in −1…1.
    pub(crate) fn random(extent: Extent, channels: &[u32], gap: u32, random: &mut Random) -> Self {
        let mut tensor = Self::poison(extent, channels, gap);
        for place in tensor.places().collect::<Vec<_>>() {
            let i = tensor.index(place);
            tensor.memory[i] = random.next();
        }
        tensor
    }

    /// All places `[n, y, x, c]` in the order of a contiguous tensor.
    pub(crate) fn places(&self) -> impl Iterator<Item = [usize; 4]> + use<> {
        let [n, h, w, c] = [self.extent.n, self.extent.h, self.extent.w, self.extent.c].map(|d| d as usize);
        (0..n * h * w * c).map(move |i| [i / (h * w * c), i / (w * c) % h, i / c % w, i % c])
    }

    fn index(&self, [n, y, x, c]: [usize; 4]) -> usize {
        let mut first = 0;
        for segment in &self.segments {
            if c < first + segment.channels as usize {
                return segment.rows.row_start(n, y) + x * segment.rows.pixel_stride as usize + c - first;
            }
            first += segment.channels as usize;
        }
        panic!("channel {c} outside")
    }

    /// Changes every element.
    pub(crate) fn change(&mut self, change: impl Fn(&mut f32)) {
        for place in self.places() {
            let i = self.index(place);
            change(&mut self.memory[i]);
        }
    }

    /// The element at a place.
    pub(crate) fn at(&self, place: [usize; 4]) -> f32 {
        self.memory[self.index(place)]
    }

    /// All elements in the order of a contiguous tensor.
    pub(crate) fn values(&self) -> Vec<f32> {
        self.places().map(|place| self.at(place)).collect()
    }

    /// The bits of the whole memory, poison included.
    pub(crate) fn bits(&self) -> Vec<u32> {
        self.memory.iter().map(|x| x.to_bits()).collect()
    }

    /// Fails if anything but the tensor's own elements was written.
    #[track_caller]
    pub(crate) fn check_surroundings(&self) {
        let mut own = std::vec![false; self.memory.len()];
        for place in self.places() {
            own[self.index(place)] = true;
        }
        let intact = |(x, own): (&f32, &bool)| *own || x.to_bits() == POISON.to_bits();
        assert!(self.memory.iter().zip(&own).all(intact), "written outside the output");
    }

    /// What a kernel reads.
    pub(crate) fn source(&self) -> Source<'_, f32> {
        Source::new(View::new(&self.memory), &self.segments, self.extent)
    }

    /// What a kernel writes; the tensor has one segment.
    pub(crate) fn sink(&mut self) -> Sink<'_, f32> {
        Sink::new(ViewMut::new(&mut self.memory), &self.segments[0], self.extent)
    }

    /// What a kernel reads and writes at the same place.
    pub(crate) fn in_place(&mut self) -> (Source<'_, f32>, Sink<'_, f32>) {
        let memory = ViewMut::new(&mut self.memory);
        let source = Source::new(memory.as_view(), &self.segments, self.extent);
        (source, Sink::new(memory, &self.segments[0], self.extent))
    }
}

/// The bands of an output: all rows of each picture, or, if `cut`, pieces of one, two, one, … rows, the last first.
pub(crate) fn bands(output: &Extent, cut: bool) -> Vec<Band> {
    let rows = output.h as usize;
    let mut bands = Vec::new();
    for image in 0..output.n as usize {
        let mut y = 0;
        while y < rows {
            let len = if cut { 1 + y % 2 } else { rows };
            bands.push(Band::of_rows(image, y..(y + len).min(rows)));
            y += len;
        }
    }
    if cut {
        bands.reverse();
    }
    bands
}

/// A sum in `f64` and the sum of its terms' magnitudes.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Exact {
    /// The sum, then what is applied to it.
    pub(crate) value: f64,
    /// Σ |term|: a sum of `k` terms in `f32`, in any order, is off by at most `k · ε/2 · magnitude` to first order
    /// (Higham, Accuracy and Stability, §4.2).
    pub(crate) magnitude: f64,
}

impl Exact {
    /// Adds a term.
    pub(crate) fn add(&mut self, term: f64) {
        self.value += term;
        self.magnitude += term.abs();
    }

    /// Is `found` the sum of `terms` terms, but for rounding? The last operation is allowed two ulp of its own.
    #[track_caller]
    pub(crate) fn check(&self, found: f32, terms: usize) {
        if f64::from(found) == self.value {
            return;
        }
        let bound =
            f64::from(f32::EPSILON) / 2.0 * ((terms + 2) as f64 * self.magnitude + 6.0 * self.value.abs());
        let error = (f64::from(found) - self.value).abs();
        assert!(error <= bound + 1e-37, "{found:e} is not {:e} ± {bound:e} ({terms} terms)", self.value);
    }
}
