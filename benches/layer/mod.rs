//! One convolution, ready to run: its task over memory full of ones. The benches of convolutions share it.

use salto::device::kernel::params::ConvParams;
use salto::device::kernel::{
    Band, ConvTask, ConvWeights, Epilogue, Sink, Source, conv_f32, conv_f32_scratch_len, conv_f32_weight_len,
};
use salto::device::simd::{Level, View, ViewMut};
use salto::device::tensor::{Extent, Rows, Segment};
use salto::dispatch;

/// Hands `measure` a function that runs the whole convolution once at a level. Speed does not depend on the values, as long as
/// they are ordinary numbers.
pub(crate) fn with_layer<R>(params: &ConvParams, measure: impl FnOnce(&mut dyn FnMut(Level)) -> R) -> R {
    let mut input = Aligned::ones(params.input.checked_len());
    let mut output = Aligned::ones(params.output.checked_len());
    let mut weights = Aligned::ones(conv_f32_weight_len(params));
    let mut bias = Aligned::ones(Some(params.output.c.next_multiple_of(16)));
    let mut scratch = Aligned::ones(conv_f32_scratch_len(params));
    let (from, to) = ([contiguous(&params.input)], contiguous(&params.output));
    let bias = Some(View::new(bias.as_mut()));
    let task = ConvTask {
        params,
        source: Source::new(View::new(input.as_mut()), &from, params.input),
        weights: ConvWeights::F32(View::new(weights.as_mut())),
        prologue: None,
        epilogue: Epilogue { bias, residual: None, activation: params.activation },
        sink: Sink::new(ViewMut::new(output.as_mut()), &to, params.output),
    };
    let band = Band::of_rows(0, 0..params.output.h as usize);
    measure(&mut |level| dispatch!(level, s => conv_f32(s, &task, &band, ViewMut::new(scratch.as_mut()))))
}

/// Elements that begin at a multiple of 64 bytes, as they do in a program and its arena.
struct Aligned {
    elements: Vec<f32>,
    len: usize,
}

impl Aligned {
    fn ones(len: Option<u32>) -> Self {
        let len = len.unwrap() as usize;
        Self { elements: vec![1.0; len + 16], len }
    }

    fn as_mut(&mut self) -> &mut [f32] {
        let first = self.elements.as_ptr().align_offset(64);
        &mut self.elements[first..first + self.len]
    }
}

fn contiguous(extent: &Extent) -> Segment {
    Segment { rows: Rows::contiguous(0, extent).unwrap(), channels: extent.c, buffer: 0 }
}
