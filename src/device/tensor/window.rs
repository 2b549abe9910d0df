//! Windows that slide over rows and columns: the one output-size formula of convolutions and pools.

use bytemuck::{Pod, Zeroable};

/// One axis of a sliding window. Counts of elements of that axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Pod, Zeroable)]
#[repr(C)]
pub struct Axis {
    /// Taps.
    pub kernel: u32,
    /// Steps between two outputs; at least 1.
    pub stride: u32,
    /// Steps between two taps; at least 1.
    pub dilation: u32,
    /// Padding before the first element.
    pub pad_before: u32,
    /// Padding behind the last element.
    pub pad_after: u32,
}

impl Axis {
    /// An axis with `kernel` taps, stride and dilation 1 and no padding.
    pub const fn new(kernel: u32) -> Self {
        Self { kernel, stride: 1, dilation: 1, pad_before: 0, pad_after: 0 }
    }

    /// Elements that the taps span, `(kernel − 1)·dilation + 1`.
    pub const fn span(&self) -> u64 {
        if self.kernel == 0 { 0 } else { (self.kernel as u64 - 1) * self.dilation as u64 + 1 }
    }

    /// The number of outputs over `input` elements, `⌊(input + padding − span) / stride⌋ + 1` (ONNX `Conv`, `MaxPool`).
    ///
    /// With `ceil` the division rounds up, and a last window that would begin in the padding behind is left out, as
    /// PyTorch and ONNX (since opset 19) do. `None` if the window does not fit or a number is out of range.
    pub const fn output_len(&self, input: u32, ceil: bool) -> Option<u32> {
        if self.kernel == 0 || self.stride == 0 || self.dilation == 0 {
            return None;
        }
        let padded = input as u64 + self.pad_before as u64 + self.pad_after as u64;
        if padded < self.span() {
            return None;
        }
        let steps = padded - self.span();
        let stride = self.stride as u64;
        let mut len = steps / stride + 1;
        if ceil && !steps.is_multiple_of(stride) && len * stride < input as u64 + self.pad_before as u64 {
            len += 1;
        }
        if len > u32::MAX as u64 { None } else { Some(len as u32) }
    }

    /// The number of outputs of the transposed window, `stride·(input − 1) + span + output_padding − padding` (ONNX `ConvTranspose`).
    pub const fn transposed_output_len(&self, input: u32, output_padding: u32) -> Option<u32> {
        if self.kernel == 0 || self.stride == 0 || self.dilation == 0 || input == 0 {
            return None;
        }
        let full = self.stride as u64 * (input as u64 - 1) + self.span() + output_padding as u64;
        let padding = self.pad_before as u64 + self.pad_after as u64;
        if full <= padding || full - padding > u32::MAX as u64 { None } else { Some((full - padding) as u32) }
    }

    /// The input element under tap 0 of output `o`; negative inside the padding before.
    #[inline(always)]
    pub const fn first_input(&self, o: usize) -> isize {
        (o * self.stride as usize) as isize - self.pad_before as isize
    }

    /// Those of `outputs` outputs whose taps all lie on `input` elements.
    pub const fn interior(&self, outputs: usize, input: usize) -> core::ops::Range<usize> {
        let (stride, pad) = (self.stride as usize, self.pad_before as usize);
        let begin = pad.div_ceil(stride);
        let begin = if begin < outputs { begin } else { outputs };
        let padded = input as u64 + pad as u64;
        let end = if padded < self.span() { 0 } else { (padded - self.span()) / stride as u64 + 1 };
        let end = if end < outputs as u64 { end as usize } else { outputs };
        begin..if begin < end { end } else { begin }
    }

    /// The taps `[first, end)` of output `o` that lie on one of `input` elements rather than on padding.
    #[inline(always)]
    pub const fn valid_taps(&self, o: usize, input: usize) -> (usize, usize) {
        let first = self.first_input(o);
        let dilation = self.dilation as usize;
        let before = if first < 0 { (-first) as usize } else { 0 };
        let begin = before.div_ceil(dilation);
        let room = input as isize - first;
        let end = if room <= 0 { 0 } else { (room as usize).div_ceil(dilation) };
        let kernel = self.kernel as usize;
        let end = if end < kernel { end } else { kernel };
        if begin < end { (begin, end) } else { (0, 0) }
    }
}

/// A window over rows (`y`) and columns (`x`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Pod, Zeroable)]
#[repr(C)]
pub struct Window {
    /// The axis of rows.
    pub y: Axis,
    /// The axis of columns.
    pub x: Axis,
}

impl Window {
    /// A window of `h × w` taps, stride and dilation 1, no padding.
    pub const fn new(h: u32, w: u32) -> Self {
        Self { y: Axis::new(h), x: Axis::new(w) }
    }

    /// The same window with this stride on both axes.
    pub const fn with_stride(mut self, stride: u32) -> Self {
        self.y.stride = stride;
        self.x.stride = stride;
        self
    }

    /// The same window with this padding on all four sides.
    pub const fn with_padding(mut self, padding: u32) -> Self {
        self.y.pad_before = padding;
        self.y.pad_after = padding;
        self.x.pad_before = padding;
        self.x.pad_after = padding;
        self
    }

    /// The same window with this dilation on both axes.
    pub const fn with_dilation(mut self, dilation: u32) -> Self {
        self.y.dilation = dilation;
        self.x.dilation = dilation;
        self
    }

    /// Taps in all; saturated.
    pub const fn taps(&self) -> u32 {
        self.y.kernel.saturating_mul(self.x.kernel)
    }

    /// Rows and columns of the output over `h × w` elements.
    pub const fn output(&self, h: u32, w: u32, ceil: bool) -> Option<(u32, u32)> {
        match (self.y.output_len(h, ceil), self.x.output_len(w, ceil)) {
            (Some(h), Some(w)) => Some((h, w)),
            _ => None,
        }
    }

    /// Is it one tap with stride 1 and no padding?
    pub const fn is_pointwise(&self) -> bool {
        self.taps() == 1 && self.y.stride == 1 && self.x.stride == 1 && self.has_no_padding()
    }

    /// Is there no padding on any side?
    pub const fn has_no_padding(&self) -> bool {
        self.y.pad_before == 0 && self.y.pad_after == 0 && self.x.pad_before == 0 && self.x.pad_after == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Counts outputs one by one, from the definition.
    fn counted(axis: &Axis, input: u32) -> u32 {
        let padded = (input + axis.pad_before + axis.pad_after) as u64;
        (0u64..).take_while(|o| o * axis.stride as u64 + axis.span() <= padded).count() as u32
    }

    #[test]
    fn output_len_counts_the_windows_that_fit() {
        for (kernel, stride, dilation, pad) in
            [(3, 1, 1, 1), (3, 2, 1, 1), (7, 2, 1, 3), (3, 1, 2, 2), (1, 2, 1, 0), (2, 2, 1, 0)]
        {
            let axis = Axis { kernel, stride, dilation, pad_before: pad, pad_after: pad };
            for input in 8..40 {
                assert_eq!(axis.output_len(input, false), Some(counted(&axis, input)));
            }
        }
        assert_eq!(Axis::new(5).output_len(4, false), None);
    }

    #[test]
    fn ceil_adds_a_window_unless_it_begins_in_the_padding() {
        let axis = Axis { kernel: 3, stride: 2, dilation: 1, pad_before: 0, pad_after: 0 };
        assert_eq!((axis.output_len(6, false), axis.output_len(6, true)), (Some(2), Some(3)));
        let padded = Axis { kernel: 2, stride: 2, pad_after: 1, ..axis };
        assert_eq!(padded.output_len(4, true), Some(2));
    }

    #[test]
    fn valid_taps_are_those_inside_the_input() {
        let axis = Axis { kernel: 4, stride: 3, dilation: 2, pad_before: 5, pad_after: 4 };
        for input in 1..12usize {
            let Some(outputs) = axis.output_len(input as u32, false) else { continue };
            for o in 0..outputs as usize {
                let inside: Vec<usize> = (0..4)
                    .filter(|t| (0..input as isize).contains(&(axis.first_input(o) + 2 * *t as isize)))
                    .collect();
                let (begin, end) = axis.valid_taps(o, input);
                assert_eq!(inside, (begin..end).collect::<Vec<_>>());
            }
        }
    }
}
