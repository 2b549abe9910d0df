//! Softmax.

use super::{Compute, FUNCTION_COST, Operator};
use crate::device::engine::Work;
use crate::device::engine::job::Job;
use crate::device::kernel::params::SoftmaxParams;
use crate::device::kernel::{Band, softmax_f32, softmax_f32_len};
use crate::device::program::record::OpCode;
use crate::device::program::{Params, Step};
use crate::device::simd::{Simd, View, ViewMut};

/// Softmax and its logarithm ([`softmax_f32`]).
#[derive(Clone, Copy, Debug)]
pub struct Softmax;

fn params<'p>(step: &Step<'p>) -> Option<&'p SoftmaxParams> {
    if let Params::Softmax(params) = step.params { Some(params) } else { None }
}

impl Operator for Softmax {
    const CODE: OpCode = OpCode::Softmax;

    fn work(step: &Step<'_>) -> Option<Work> {
        let params = params(step)?;
        let cost = u64::from(softmax_f32_len(params)?) * 2 * FUNCTION_COST;
        Some(Work::of_rows([1, params.outer as usize], 1, cost))
    }
}

impl Compute for Softmax {
    type Task<'a> = (&'a SoftmaxParams, View<'a, f32>, ViewMut<'a, f32>);

    fn task<'a>(job: &Job<'a>) -> Option<Self::Task<'a>> {
        let params = params(job.step())?;
        let len = softmax_f32_len(params)?;
        Some((params, job.input(len)?, job.output(len)?))
    }

    fn run<S: Simd>(s: S, task: &Self::Task<'_>, band: &Band, _scratch: ViewMut<'_, f32>) {
        let &(params, input, output) = task;
        softmax_f32(s, params, input, output, band.rows.clone());
    }
}
