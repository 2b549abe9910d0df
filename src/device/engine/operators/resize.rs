//! Resizes.

use super::{Compute, FUNCTION_COST, Operator, spatial};
use crate::device::engine::Work;
use crate::device::engine::job::Job;
use crate::device::kernel::params::ResizeParams;
use crate::device::kernel::{Band, ResizeTask, resize_f32};
use crate::device::program::record::OpCode;
use crate::device::program::{Params, Step};
use crate::device::simd::{Simd, ViewMut};

/// Resizes of rows and columns ([`resize_f32`]).
#[derive(Clone, Copy, Debug)]
pub struct Resize;

fn params<'p>(step: &Step<'p>) -> Option<&'p ResizeParams> {
    if let Params::Resize(params) = step.params { Some(params) } else { None }
}

impl Operator for Resize {
    const CODE: OpCode = OpCode::Resize;

    fn work(step: &Step<'_>) -> Option<Work> {
        let params = params(step)?;
        Some(spatial(&params.output, FUNCTION_COST))
    }
}

impl Compute for Resize {
    type Task<'a> = ResizeTask<'a>;

    fn task<'a>(job: &Job<'a>) -> Option<Self::Task<'a>> {
        let params = params(job.step())?;
        Some(ResizeTask { params, source: job.source(0, params.input)?, sink: job.sink(params.output)? })
    }

    fn run<S: Simd>(s: S, task: &Self::Task<'_>, band: &Band, _scratch: ViewMut<'_, f32>) {
        resize_f32(s, task, band);
    }
}
