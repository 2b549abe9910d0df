//! In/out overlap: how far an output may run over the rows of its input that are consumed.
//!
//! What flows in: which input rows a band of output rows reads ([`Reach`], one for each kernel), and where both operands' rows lie;
//! what flows out: how far apart the two must begin ([`RowSeparation`]). Each kernel's `…_separation` asks here; the compiler gives
//! the answer to the planner, and the program's check asks again.
//!
//! The rule: a step runs as one sequence of bands of `block` rows. Inside a band a kernel may write before it reads, in any order:
//! panels of outputs go over the same pixels again and again. So **what a band writes holds no input that it or a later band reads**.
//! With `W` the end of what band `k` writes and `R` the begin of what bands from `k` on read, both counted from the operands' own
//! begins, that is forwards `input − output ≥ maxₖ (W(k) − R(k))`; backwards begins and ends change places.
//!
//! The slack is one band: a kernel that read all rows of a band before it wrote one would need `block` rows less.

use crate::device::tensor::{Axis, Extent, Rows, Segment};

use super::resize_axis::ResizeAxis;

/// How far apart a segment of an input and the output must begin, in elements, where a step runs band by band. As long as the
/// operand itself: no overlap at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RowSeparation {
    /// From the first band to the last: the input begins at least so far above the output.
    pub forward: u32,
    /// From the last band to the first: the output begins at least so far above the input.
    pub backward: u32,
}

/// Which input rows the bands of a kernel read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reach {
    /// The input's size; channels do not matter.
    pub(super) input: Extent,
    /// The output's size.
    pub(super) output: Extent,
    /// Output rows of a band; each band begins at a multiple of it.
    pub(super) block: u32,
    /// What one output row reads.
    pub(super) axis: RowAxis,
}

/// Which input rows an output row reads. Neither the first nor the last of them falls from one output row to the next.
#[derive(Clone, Copy, Debug)]
pub(super) enum RowAxis {
    /// All rows under a window, those between dilated taps included.
    Window(Axis),
    /// All rows that may scatter to it.
    Transposed(Axis),
    /// Its neighbours at a scale that is not negative.
    Resized(ResizeAxis),
}

/// Bands of a picture from which on nobody looks for overlap: a hostile program may claim any number.
const MAX_BANDS: u32 = 1 << 14;

impl Reach {
    /// How far apart the operands must begin. As long as they are, if rows are not whole or too many.
    pub(super) const fn separation(&self, input: &Segment, output: &Segment) -> RowSeparation {
        let source = Memory { rows: &input.rows, extent: self.input.with_channels(input.channels) };
        let sink = Memory { rows: &output.rows, extent: self.output.with_channels(output.channels) };
        let apart = RowSeparation { forward: sink.len(), backward: source.len() };
        let block = if self.block == 0 { 1 } else { self.block };
        let bands = self.output.h.div_ceil(block);
        if !source.rows.is_whole(&source.extent) || !sink.rows.is_whole(&sink.extent) || bands > MAX_BANDS {
            return apart;
        }
        let (mut forward, mut backward) = (0, 0);
        let mut band = 0;
        while band < bands {
            let first = band * block;
            let end = if self.output.h - first < block { self.output.h } else { first + block };
            let (read_first, read_end) = self.input_rows(first as i64, first as i64 + block as i64 - 1);
            // A distance grows or falls evenly from picture to picture: it is largest in the first or in the last.
            let mut image = 0;
            loop {
                forward = grown(forward, sink.end(image, end), source.begin(image, read_first));
                backward = grown(backward, source.end(image, read_end), sink.begin(image, first));
                if image + 1 >= self.output.n {
                    break;
                }
                image = self.output.n - 1;
            }
            band += 1;
        }
        RowSeparation { forward: least(forward, apart.forward), backward: least(backward, apart.backward) }
    }

    /// The input rows that output rows `first` to `last` read. One row at least, the nearest where all is padding: nothing that
    /// later bands read lies before them, nor behind them what earlier ones read.
    const fn input_rows(&self, first: i64, last: i64) -> (u32, u32) {
        let (begin, end) = match &self.axis {
            RowAxis::Window(axis) => {
                let (stride, pad) = (axis.stride as i64, axis.pad_before as i64);
                let begin = first.saturating_mul(stride).saturating_sub(pad);
                (begin, last.saturating_mul(stride).saturating_sub(pad).saturating_add(axis.span() as i64))
            }
            RowAxis::Transposed(axis) => {
                let (stride, pad) =
                    (if axis.stride == 0 { 1 } else { axis.stride as i64 }, axis.pad_before as i64);
                let lowest = first.saturating_add(pad).saturating_sub(axis.span() as i64 - 1);
                // Rounded up, then down.
                (-(-lowest).div_euclid(stride), last.saturating_add(pad).div_euclid(stride) + 1)
            }
            RowAxis::Resized(axis) => {
                (axis.rows(first as usize)[0] as i64, axis.rows(last as usize)[1] as i64)
            }
        };
        let height = self.input.h as i64;
        (clamped(begin, 0, height - 1), clamped(end, 1, height))
    }
}

/// Where an operand's rows lie, counted in elements from its first one.
struct Memory<'a> {
    rows: &'a Rows,
    extent: Extent,
}

impl Memory<'_> {
    /// The begin of a row.
    const fn begin(&self, image: u32, row: u32) -> u64 {
        let image = image as u64 * self.rows.image_stride as u64;
        image.saturating_add(row as u64 * self.rows.row_stride as u64)
    }

    /// The end of the row before row `end`.
    const fn end(&self, image: u32, end: u32) -> u64 {
        let row_len = self.rows.row_len(self.extent.w as usize, self.extent.c as usize) as u64;
        self.begin(image, end.saturating_sub(1)).saturating_add(row_len)
    }

    /// The end of the last row, if it fits 32 bits.
    const fn len(&self) -> u32 {
        match self.rows.end(&self.extent) {
            Some(end) => end - self.rows.base,
            None => u32::MAX,
        }
    }
}

/// The larger of `so_far` and `end − begin`.
const fn grown(so_far: u64, end: u64, begin: u64) -> u64 {
    let distance = end.saturating_sub(begin);
    if distance > so_far { distance } else { so_far }
}

const fn least(distance: u64, limit: u32) -> u32 {
    if distance < limit as u64 { distance as u32 } else { limit }
}

const fn clamped(row: i64, low: i64, high: i64) -> u32 {
    let row = if row > high { high } else { row };
    (if row < low { low } else { row }) as u32
}
