//! Where a value lies: channel segments of buffers, seen as some `[n, h, w, c]`. Concatenation, slices and reshapes change the
//! view and move nothing, where the one address formula ([`Rows`]) allows it.

use alloc::vec;
use alloc::vec::Vec;

use crate::device::tensor::{Extent, Rows, Segment};

/// A value's place: segments whose channels add up to `extent.c`; addresses count from the start of each segment's buffer.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Layout {
    /// The size as which the segments see the value; as many elements as its shape.
    pub(super) extent: Extent,
    /// Channel ranges in order.
    pub(super) segments: Vec<Segment>,
}

impl Layout {
    /// A value that has a buffer for itself; `None` if it is too large.
    pub(super) fn whole(buffer: u32, extent: Extent) -> Option<Self> {
        let rows = Rows::contiguous(0, &extent)?;
        Some(Self { extent, segments: vec![Segment { rows, channels: extent.c, buffer }] })
    }

    /// The only segment, if it is one gapless run of elements.
    pub(super) fn contiguous(&self) -> Option<&Segment> {
        let [segment] = self.segments.as_slice() else { return None };
        segment.rows.is_contiguous(&self.extent).then_some(segment)
    }

    /// The same elements in the same order, seen as `extent` (as many elements); `None` if only a copy can be seen so.
    pub(super) fn viewed(&self, extent: Extent) -> Option<Self> {
        if extent == self.extent {
            return Some(self.clone());
        }
        if let Some(segment) = self.contiguous() {
            let rows = Rows::contiguous(segment.rows.base, &extent)?;
            return Some(Self { extent, segments: vec![Segment { rows, channels: extent.c, ..*segment }] });
        }
        if extent.c != self.extent.c {
            return None;
        }
        let segments =
            self.segments.iter().map(|segment| self.respaced(segment, extent)).collect::<Option<_>>();
        Some(Self { extent, segments: segments? })
    }

    /// A segment with as many pixels in other rows and pictures, if all its pixels are equally far apart.
    fn respaced(&self, segment: &Segment, extent: Extent) -> Option<Segment> {
        let Extent { n, h, w, .. } = self.extent;
        let rows = segment.rows;
        let one_row = w.checked_mul(rows.pixel_stride)?;
        let one_picture = h.checked_mul(rows.row_stride)?;
        if (w > 1 && h > 1 && rows.row_stride != one_row) || (n > 1 && rows.image_stride != one_picture) {
            return None;
        }
        let step = match (w, h) {
            (1, 1) => rows.image_stride,
            (1, _) => rows.row_stride,
            _ => rows.pixel_stride,
        };
        spaced(*segment, step, extent)
    }

    /// Channels `start..start + len`.
    pub(super) fn channels(&self, start: u32, len: u32) -> Self {
        let (mut segments, mut first) = (Vec::new(), 0);
        for segment in &self.segments {
            let end = first + segment.channels;
            let (low, high) = (start.max(first), (start + len).min(end));
            if low < high {
                let rows = Rows { base: segment.rows.base + (low - first), ..segment.rows };
                segments.push(Segment { rows, channels: high - low, ..*segment });
            }
            first = end;
        }
        Self { extent: self.extent.with_channels(len), segments }
    }

    /// Pictures, rows and pixels `start + i·step`, `len` of each; steps are positive. `None` if a stride is too large.
    pub(super) fn strided(&self, start: [u32; 3], len: [u32; 3], step: [u32; 3]) -> Option<Self> {
        let take = |segment: &Segment| {
            let Rows { base, image_stride, row_stride, pixel_stride, .. } = segment.rows;
            let skipped = [image_stride, row_stride, pixel_stride].into_iter().zip(start);
            let skipped = skipped.map(|(stride, start)| u64::from(stride) * u64::from(start)).sum::<u64>();
            let rows = Rows {
                base: u32::try_from(u64::from(base) + skipped).ok()?,
                image_stride: image_stride.checked_mul(step[0])?,
                row_stride: row_stride.checked_mul(step[1])?,
                pixel_stride: pixel_stride.checked_mul(step[2])?,
                first_row: 0,
                ring_rows: len[1],
            };
            Some(Segment { rows, ..*segment })
        };
        let extent = Extent::new(len[0], len[1], len[2], self.extent.c);
        Some(Self { extent, segments: self.segments.iter().map(take).collect::<Option<_>>()? })
    }

    /// The channels of all parts, one after the other; the parts agree in all but channels.
    pub(super) fn joined(parts: impl IntoIterator<Item = Self>) -> Option<Self> {
        let mut parts = parts.into_iter();
        let mut joined = parts.next()?;
        for part in parts {
            joined.extent.c += part.extent.c;
            joined.segments.extend(part.segments);
        }
        Some(joined)
    }
}

/// The segment with pixels `step` elements apart throughout `extent`.
fn spaced(segment: Segment, step: u32, extent: Extent) -> Option<Segment> {
    let row_stride = extent.w.checked_mul(step)?;
    let image_stride = extent.h.checked_mul(row_stride)?;
    let rows = Rows {
        image_stride,
        row_stride,
        pixel_stride: step,
        first_row: 0,
        ring_rows: extent.h,
        ..segment.rows
    };
    Some(Segment { rows, ..segment })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The addresses of all elements in storage order.
    fn addresses(layout: &Layout) -> Vec<(u32, usize)> {
        let Extent { n, h, w, .. } = layout.extent;
        let mut list = Vec::new();
        for n in 0..n as usize {
            for y in 0..h as usize {
                for x in 0..w as usize {
                    for segment in &layout.segments {
                        let first = segment.rows.row_start(n, y) + x * segment.rows.pixel_stride as usize;
                        list.extend((0..segment.channels as usize).map(|c| (segment.buffer, first + c)));
                    }
                }
            }
        }
        list
    }

    fn concat(extent: Extent, channels: u32) -> Layout {
        let part = |buffer, c| Layout::whole(buffer, extent.with_channels(c)).unwrap();
        Layout::joined([part(0, channels), part(1, extent.c - channels)]).unwrap()
    }

    #[test]
    fn a_view_keeps_every_element_in_its_place() {
        let extent = Extent::new(2, 3, 4, 6);
        let views = [
            Extent::new(1, 1, 24, 6),
            Extent::new(3, 2, 4, 6),
            Extent::new(24, 1, 1, 6),
            Extent::new(1, 24, 1, 6),
        ];
        for view in views {
            for layout in [Layout::whole(0, extent).unwrap(), concat(extent, 2)] {
                let viewed = layout.viewed(view).unwrap();
                assert_eq!(addresses(&viewed), addresses(&layout));
                assert_eq!(addresses(&viewed.viewed(extent).unwrap()), addresses(&layout));
            }
        }
        assert_eq!(concat(extent, 2).viewed(Extent::flat(144)), None);
        let flat = Layout::whole(0, extent).unwrap().viewed(Extent::flat(144)).unwrap();
        assert_eq!(flat.contiguous().unwrap().channels, 144);
    }

    #[test]
    fn a_slice_is_a_view() {
        let layout = concat(Extent::new(2, 5, 6, 7), 3);
        let part = layout.strided([1, 1, 0], [1, 2, 3], [1, 2, 2]).unwrap().channels(2, 3);
        let all = addresses(&layout);
        let mut expected = Vec::new();
        for y in [1, 3] {
            for x in [0, 2, 4] {
                expected.extend((2..5).map(|c| all[((5 + y) * 6 + x) * 7 + c]));
            }
        }
        assert_eq!(addresses(&part), expected);
        assert_eq!(part.viewed(Extent::flat(18)), None);
    }
}
