//! In/out overlap, byte by byte: kernels run on overlapping operands that are as close as their separation permits must give the
//! bits of a run on operands that lie apart; what bands read is found out by poisoning rows, not by any formula.

mod kernels;

use std::vec::Vec;

use Way::{Backward, Forward};

use crate::device::kernel::reference::{Random, levels};
use crate::device::kernel::{Band, RowSeparation, Sink, Source};
use crate::device::simd::{Level, ViewMut};
use crate::device::tensor::{Extent, Rows, Segment};

/// The order of the bands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Forward,
    Backward,
}

/// A kernel with its parameters: what the tests below need to know of it.
struct Kernel<'a> {
    input: Extent,
    output: Extent,
    /// Output rows of a band.
    block: usize,
    separation: &'a dyn Fn(&Segment, &Segment) -> Option<RowSeparation>,
    run: &'a Run<'a>,
}

/// Computes a band at a level.
type Run<'a> = dyn Fn(Level, Source<'_, f32>, Sink<'_, f32>, &Band) + 'a;

/// Input segments, pixels and rows farther apart than they need to be, with their elements; no places yet.
struct Operands {
    segments: Vec<(Segment, Vec<f32>)>,
    sink: Segment,
}

/// A segment at place 0.
fn segment(extent: Extent, channels: u32, gap: u32) -> Segment {
    let rows = Rows::contiguous(0, &extent.with_channels(channels + gap)).unwrap();
    Segment { rows, channels, buffer: 0 }
}

fn elements(segment: &Segment, extent: &Extent) -> usize {
    segment.rows.end(&extent.with_channels(segment.channels)).unwrap() as usize - segment.rows.base as usize
}

/// The places of a segment's elements, from its base on.
fn places(segment: &Segment, extent: &Extent) -> Vec<usize> {
    let mut places = Vec::new();
    for n in 0..extent.n as usize {
        for y in 0..extent.h as usize {
            for x in 0..extent.w as usize {
                let first = segment.rows.row_start(n, y) + x * segment.rows.pixel_stride as usize;
                places.extend(first..first + segment.channels as usize);
            }
        }
    }
    places
}

fn moved(segment: &Segment, base: usize) -> Segment {
    Segment { rows: Rows { base: base as u32, ..segment.rows }, ..*segment }
}

impl Operands {
    fn new(kernel: &Kernel<'_>, channels: &[u32], gaps: [u32; 2], random: &mut Random) -> Self {
        let one = |&channels: &u32| {
            let segment = segment(kernel.input, channels, gaps[0]);
            let values = random.take(places(&segment, &kernel.input).len());
            (segment, values)
        };
        let segments = channels.iter().map(one).collect();
        Self { segments, sink: segment(kernel.output, kernel.output.c, gaps[1]) }
    }

    /// The places of the segments and of the output where all are apart.
    fn apart(&self, kernel: &Kernel<'_>) -> (Vec<usize>, usize) {
        self.chained(kernel, elements(&self.sink, &kernel.output), 0)
    }

    /// The segments one behind the other from `first` on, the output at `sink`.
    fn chained(&self, kernel: &Kernel<'_>, first: usize, sink: usize) -> (Vec<usize>, usize) {
        let mut end = first;
        let bases = self.segments.iter().map(|(segment, _)| {
            let base = end;
            end += elements(segment, &kernel.input);
            base
        });
        (bases.collect(), sink)
    }

    /// The same as close to each other as the separations permit; `less` elements closer, if it is not 0.
    fn overlapping(&self, kernel: &Kernel<'_>, direction: Way, less: u32) -> Option<(Vec<usize>, usize)> {
        let separations: Vec<RowSeparation> = self
            .segments
            .iter()
            .map(|(segment, _)| (kernel.separation)(segment, &self.sink))
            .collect::<Option<_>>()?;
        match direction {
            Forward => {
                let mut end = 0;
                let bases = self.segments.iter().zip(&separations).map(|((segment, _), separation)| {
                    let base = end.max(separation.forward.checked_sub(less)? as usize);
                    end = base + elements(segment, &kernel.input);
                    Some(base)
                });
                Some((bases.collect::<Option<_>>()?, 0))
            }
            Backward => {
                let (bases, _) = self.chained(kernel, 0, 0);
                let above = bases
                    .iter()
                    .zip(&separations)
                    .map(|(base, separation)| Some(base + separation.backward.checked_sub(less)? as usize));
                let sink = above.collect::<Option<Vec<_>>>()?.into_iter().max()?;
                Some((bases, sink))
            }
        }
    }

    /// Runs the kernel band by band in a memory that is NaN wherever no input lies; the bits of the output.
    fn run(
        &self,
        kernel: &Kernel<'_>,
        level: Level,
        direction: Way,
        (bases, sink): &(Vec<usize>, usize),
    ) -> Vec<u32> {
        let sink = moved(&self.sink, *sink);
        let segments: Vec<_> =
            self.segments.iter().zip(bases).map(|((segment, _), base)| moved(segment, *base)).collect();
        let len = segments.iter().map(|s| s.rows.base as usize + elements(s, &kernel.input)).max().unwrap();
        let len = len.max(sink.rows.base as usize + elements(&sink, &kernel.output));
        let mut memory = vec![f32::NAN; len];
        for (segment, (_, values)) in segments.iter().zip(&self.segments) {
            for (place, value) in places(segment, &kernel.input).into_iter().zip(values) {
                memory[place] = *value;
            }
        }
        let view = ViewMut::new(&mut memory);
        let mut bands = Vec::new();
        for image in 0..kernel.output.n as usize {
            for first in (0..kernel.output.h as usize).step_by(kernel.block) {
                bands.push(Band::of_rows(image, first..(first + kernel.block).min(kernel.output.h as usize)));
            }
        }
        if direction == Backward {
            bands.reverse();
        }
        for band in &bands {
            let source = Source::new(view.as_view(), &segments, kernel.input);
            (kernel.run)(level, source, Sink::new(view, &sink, kernel.output), band);
        }
        places(&sink, &kernel.output).into_iter().map(|place| memory[place].to_bits()).collect()
    }

    /// For each input row of a picture (the same in all pictures), the first and the last output row that it has influence on.
    fn influences(&self, kernel: &Kernel<'_>, level: Level) -> Vec<Option<[usize; 2]>> {
        let apart = self.apart(kernel);
        let row_len = self.sink.channels as usize * kernel.output.w as usize;
        let mut influences = Vec::new();
        for row in 0..kernel.input.h as usize {
            let mut poisoned = Self { segments: self.segments.clone(), sink: self.sink };
            for (segment, values) in &mut poisoned.segments {
                let row_len = segment.channels as usize * kernel.input.w as usize;
                values[row * row_len..][..row_len].fill(f32::NAN);
            }
            let found = poisoned.run(kernel, level, Forward, &apart);
            let rows = found.chunks(row_len).take(kernel.output.h as usize);
            let hit: Vec<_> = rows.map(|row| row.iter().any(|x| f32::from_bits(*x).is_nan())).collect();
            let first = hit.iter().position(|hit| *hit);
            influences.push(first.zip(hit.iter().rposition(|hit| *hit)).map(|(first, last)| [first, last]));
        }
        influences
    }
}

/// How close operands may be by the rule of whole bands, counted from which rows have an influence on which; and how close they
/// could be if a band were read whole before it is written.
fn bounds(kernel: &Kernel<'_>, operands: &Operands, influences: &[Option<[usize; 2]>]) -> [RowSeparation; 2] {
    let (source, sink) = (&operands.segments[0].0, &operands.sink);
    let [source_len, sink_len] =
        [(source, &kernel.input), (sink, &kernel.output)].map(|(segment, extent)| elements(segment, extent));
    let row_len = |segment: &Segment, w: u32| segment.rows.row_len(w as usize, segment.channels as usize);
    let mut bounds = [[0usize; 2]; 2];
    let images = kernel.output.n as usize;
    for (row, influence) in influences.iter().enumerate() {
        let Some([first, last]) = influence else { continue };
        let [first, last] = [first / kernel.block, last / kernel.block].map(|band| band * kernel.block);
        for image in 0..images {
            let read = source.rows.row_start(image, row);
            let read_end = read + row_len(source, kernel.input.w);
            // Up to its last band, and up to the band before.
            let end = (last + kernel.block).min(kernel.output.h as usize);
            let written = |end: usize| sink.rows.row_start(image, end - 1) + row_len(sink, kernel.output.w);
            bounds[0][0] = bounds[0][0].max(written(end).saturating_sub(read));
            if last > 0 {
                bounds[1][0] = bounds[1][0].max(written(last).saturating_sub(read));
            }
            bounds[0][1] = bounds[0][1].max(read_end.saturating_sub(sink.rows.row_start(image, first)));
            if first + kernel.block < kernel.output.h as usize {
                let written = sink.rows.row_start(image, first + kernel.block);
                bounds[1][1] = bounds[1][1].max(read_end.saturating_sub(written));
            }
        }
    }
    bounds.map(|[forward, backward]| RowSeparation {
        forward: forward.min(sink_len) as u32,
        backward: backward.min(source_len) as u32,
    })
}

/// What was seen of a family of kernels.
#[derive(Debug, Default)]
struct Seen {
    /// Overlapping runs.
    runs: usize,
    /// Separations that are those of the rule of whole bands, from the influences.
    exact: usize,
    /// Those that are larger.
    larger: usize,
    /// Runs one element closer than what any order inside a band would need, and how many gave other bits.
    too_close: [usize; 2],
    /// Runs at what a band needs that is read whole before it is written, where the separation is larger; and how many gave other
    /// bits: why the rule counts the band itself.
    inside_band: [usize; 2],
}

impl Seen {
    fn check(&mut self, kernel: &Kernel<'_>, channels: &[u32], gaps: [u32; 2], seed: u64) {
        let operands = Operands::new(kernel, channels, gaps, &mut Random(seed));
        for level in levels() {
            let expected = operands.run(kernel, level, Forward, &operands.apart(kernel));
            for direction in [Forward, Backward] {
                let Some(places) = operands.overlapping(kernel, direction, 0) else { return };
                let found = operands.run(kernel, level, direction, &places);
                assert_eq!(found, expected, "{}, {direction:?}, {:?}", level.name(), kernel.input);
                self.runs += 1;
            }
        }
        if channels.len() == 1 {
            self.measure(kernel, &operands);
        }
    }

    /// Compares the separation with what rows influence, and looks closer than it permits.
    fn measure(&mut self, kernel: &Kernel<'_>, operands: &Operands) {
        let level = Level::detect();
        let Some(separation) = (kernel.separation)(&operands.segments[0].0, &operands.sink) else { return };
        let influences = operands.influences(kernel, level);
        let [whole, between] = bounds(kernel, operands, &influences);
        let expected = operands.run(kernel, level, Forward, &operands.apart(kernel));
        for (direction, separation, whole, between) in [
            (Forward, separation.forward, whole.forward, between.forward),
            (Backward, separation.backward, whole.backward, between.backward),
        ] {
            assert!(
                separation >= whole,
                "{direction:?}: {separation} is less than {whole}: {:?}",
                kernel.input
            );
            if separation == whole {
                self.exact += 1;
            } else {
                self.larger += 1;
            }
            let is_other = |distance: u32| {
                let places = operands.overlapping(kernel, direction, separation - distance)?;
                Some(operands.run(kernel, level, direction, &places) != expected)
            };
            for (count, distance, is_tried) in [
                (&mut self.too_close, between.wrapping_sub(1), between > 0),
                (&mut self.inside_band, between, between < separation),
            ] {
                if is_tried && let Some(is_other) = is_other(distance) {
                    count[0] += 1;
                    count[1] += usize::from(is_other);
                }
            }
        }
    }
}
