//! Copies with other order.

use super::Operator;
use crate::device::engine::{Job, Work};
use crate::device::kernel::params::RearrangeParams;
use crate::device::kernel::{Band, rearrange_f32, rearrange_f32_output_len, rearrange_f32_rows};
use crate::device::program::record::OpCode;
use crate::device::program::{Params, Step};
use crate::device::simd::{Simd, ViewMut};

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
        Some(Work { images: 1, rows, multiple: 1, cost })
    }

    fn run<S: Simd>(s: S, job: &Job<'_>, band: &Band, _scratch: ViewMut<'_, f32>) -> Option<()> {
        let params = params(job.step())?;
        let input = job.input(params.input_len)?;
        let output = job.output(rearrange_f32_output_len(params)?)?;
        rearrange_f32(s, params, input, output, band.rows.clone());
        Some(())
    }
}
