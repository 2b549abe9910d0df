//! Normalisations.

use super::{Compute, FUNCTION_COST, Operator};
use crate::device::engine::Work;
use crate::device::engine::job::Job;
use crate::device::kernel::params::NormalizeParams;
use crate::device::kernel::{Band, NormalizeTask, normalize_f32, normalize_f32_len, normalize_f32_rows};
use crate::device::program::record::OpCode;
use crate::device::program::{Params, Step};
use crate::device::simd::{Simd, ViewMut};

/// Layer, group and instance normalisation ([`normalize_f32`]).
#[derive(Clone, Copy, Debug)]
pub struct Normalize;

fn params<'p>(step: &Step<'p>) -> Option<&'p NormalizeParams> {
    if let Params::Normalize(params) = step.params { Some(params) } else { None }
}

impl Operator for Normalize {
    const CODE: OpCode = OpCode::Normalize;

    fn work(step: &Step<'_>) -> Option<Work> {
        let params = params(step)?;
        let [images, rows, multiple] = normalize_f32_rows(params);
        let cost = u64::from(normalize_f32_len(params)?) * FUNCTION_COST;
        Some(Work::of_rows([images, rows], multiple, cost))
    }
}

impl Compute for Normalize {
    type Task<'a> = NormalizeTask<'a>;

    fn task<'a>(job: &Job<'a>) -> Option<Self::Task<'a>> {
        let params = params(job.step())?;
        let len = normalize_f32_len(params)?;
        let (input, output) = (job.input(len)?, job.output(len)?);
        Some(NormalizeTask { params, input, scale: job.place(0), shift: job.place(1), output })
    }

    fn run<S: Simd>(s: S, task: &Self::Task<'_>, band: &Band, scratch: ViewMut<'_, f32>) {
        normalize_f32(s, task, band, scratch);
    }
}
