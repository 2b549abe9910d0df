//! Copies with other order.

use super::{Compute, Operator};
use crate::device::engine::Work;
use crate::device::engine::job::Job;
use crate::device::kernel::params::RearrangeParams;
use crate::device::kernel::{Band, rearrange_f32, rearrange_f32_output_len, rearrange_f32_rows};
use crate::device::program::record::OpCode;
use crate::device::program::{Params, Step};
use crate::device::simd::{Simd, View, ViewMut};

/// Slices, transpositions, constant padding and expansion ([`rearrange_f32`]).
#[derive(Clone, Copy, Debug)]
pub struct Rearrange;

fn params<'p>(step: &Step<'p>) -> Option<&'p RearrangeParams> {
    if let Params::Rearrange(params) = step.params { Some(params) } else { None }
}

impl Operator for Rearrange {
    const CODE: OpCode = OpCode::Rearrange;

    fn work(step: &Step<'_>) -> Option<Work> {
        let params = params(step)?;
        let rows = rearrange_f32_rows(params)? as usize;
        let cost = u64::from(rearrange_f32_output_len(params)?);
        Some(Work::of_rows([1, rows], 1, cost))
    }
}

impl Compute for Rearrange {
    type Task<'a> = (&'a RearrangeParams, View<'a, f32>, ViewMut<'a, f32>);

    fn task<'a>(job: &Job<'a>) -> Option<Self::Task<'a>> {
        let params = params(job.step())?;
        let output = job.output(rearrange_f32_output_len(params)?)?;
        Some((params, job.input(params.input_len)?, output))
    }

    fn run<S: Simd>(s: S, task: &Self::Task<'_>, band: &Band, _scratch: ViewMut<'_, f32>) {
        let &(params, input, output) = task;
        rearrange_f32(s, params, input, output, band.rows.clone());
    }
}
