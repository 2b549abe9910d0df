//! Convolutions and dense layers.

use super::{Compute, Operator, spatial};
use crate::device::engine::Work;
use crate::device::engine::job::Job;
use crate::device::kernel::params::ConvParams;
use crate::device::kernel::{Band, ConvTask, Epilogue, Prologue, conv_f32, conv_f32_band_multiple};
use crate::device::program::record::OpCode;
use crate::device::program::{Params, Step};
use crate::device::simd::{Simd, ViewMut};

/// Convolutions and dense layers ([`conv_f32`]).
#[derive(Clone, Copy, Debug)]
pub struct Conv;

fn params<'p>(step: &Step<'p>) -> Option<&'p ConvParams> {
    if let Params::Conv(params) = step.params { Some(params) } else { None }
}

impl Operator for Conv {
    const CODE: OpCode = OpCode::Conv;

    fn work(step: &Step<'_>) -> Option<Work> {
        let params = params(step)?;
        let taps = u64::from(params.window.y.kernel) * u64::from(params.window.x.kernel);
        let products = taps.saturating_mul(u64::from(params.input.c / params.groups.max(1)));
        let multiple = conv_f32_band_multiple(params) as usize;
        Some(Work { multiple, ..spatial(&params.output, products) })
    }
}

impl Compute for Conv {
    type Task<'a> = ConvTask<'a>;

    fn task<'a>(job: &Job<'a>) -> Option<Self::Task<'a>> {
        let params = params(job.step())?;
        let prologue = match (job.place(2), job.place(3)) {
            (Some(scale), Some(shift)) => Some(Prologue { scale, shift, activation: params.prologue }),
            _ => None,
        };
        let epilogue = Epilogue {
            bias: job.place(1),
            residual: job.source(1, params.output),
            activation: params.activation,
        };
        Some(ConvTask {
            params,
            source: job.source(0, params.input)?,
            weights: job.place(0)?,
            prologue,
            epilogue,
            sink: job.sink(params.output)?,
        })
    }

    fn run<S: Simd>(s: S, task: &Self::Task<'_>, band: &Band, scratch: ViewMut<'_, f32>) {
        conv_f32(s, task, band, scratch);
    }
}
