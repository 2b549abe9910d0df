//! Transposed convolutions.

use super::{Compute, Operator, READING, fetching, spatial};
use crate::device::engine::Work;
use crate::device::engine::job::Job;
use crate::device::kernel::params::ConvTransposeParams;
use crate::device::kernel::{
    Band, ConvTransposeTask, Epilogue, conv_transpose_f32, conv_transpose_f32_channel_multiple,
    conv_transpose_f32_weight_len,
};
use crate::device::program::record::OpCode;
use crate::device::program::{Params, Step};
use crate::device::simd::{Simd, ViewMut};

/// Transposed convolutions ([`conv_transpose_f32`]).
#[derive(Clone, Copy, Debug)]
pub struct ConvTranspose;

fn params<'p>(step: &Step<'p>) -> Option<&'p ConvTransposeParams> {
    if let Params::ConvTranspose(params) = step.params { Some(params) } else { None }
}

impl Operator for ConvTranspose {
    const CODE: OpCode = OpCode::ConvTranspose;

    fn work(step: &Step<'_>) -> Option<Work> {
        let params = params(step)?;
        let (y, x) = (&params.window.y, &params.window.x);
        // Each output is reached by about this many taps, times the inputs of its group.
        let taps =
            u64::from(y.kernel.div_ceil(y.stride.max(1))) * u64::from(x.kernel.div_ceil(x.stride.max(1)));
        let products = taps.saturating_mul(u64::from(params.input.c / params.groups.max(1)));
        let rows = spatial(&params.output, products);
        let multiple = conv_transpose_f32_channel_multiple(params);
        Some(Work {
            channels: multiple.map_or(0, |_| params.output.c as usize),
            channel_multiple: multiple.unwrap_or(1) as usize,
            row_overhead: u64::from(conv_transpose_f32_weight_len(params)?).saturating_mul(READING),
            channel_overhead: fetching(&params.input, &params.output)?,
            ..rows
        })
    }
}

impl Compute for ConvTranspose {
    type Task<'a> = ConvTransposeTask<'a>;

    fn task<'a>(job: &Job<'a>) -> Option<Self::Task<'a>> {
        let params = params(job.step())?;
        let epilogue = Epilogue {
            bias: job.place(1),
            residual: job.source(1, params.output),
            activation: params.activation,
        };
        Some(ConvTransposeTask {
            params,
            source: job.source(0, params.input)?,
            weights: job.place(0)?,
            epilogue,
            sink: job.sink(params.output)?,
        })
    }

    fn run<S: Simd>(s: S, task: &Self::Task<'_>, band: &Band, scratch: ViewMut<'_, f32>) {
        conv_transpose_f32(s, task, band, scratch);
    }
}
