//! Softmax.

use super::{FUNCTION_COST, Operator};
use crate::device::engine::{Job, Work};
use crate::device::kernel::params::SoftmaxParams;
use crate::device::kernel::{Band, softmax_f32, softmax_f32_len};
use crate::device::program::record::OpCode;
use crate::device::program::{Params, Step};
use crate::device::simd::{Simd, ViewMut};

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
        Some(Work { images: 1, rows: params.outer as usize, multiple: 1, cost })
    }

    fn run<S: Simd>(s: S, job: &Job<'_>, band: &Band, scratch: ViewMut<'_, f32>) -> Option<()> {
        let params = params(job.step())?;
        let len = softmax_f32_len(params)?;
        softmax_f32(s, params, job.input(len)?, job.output(len)?, band.rows.clone(), scratch);
        Some(())
    }
}
