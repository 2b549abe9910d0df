//! Resizes by tables.

use super::{Compute, Operator, spatial};
use crate::device::engine::Work;
use crate::device::engine::job::Job;
use crate::device::kernel::params::InterpolateParams;
use crate::device::kernel::{Band, InterpolateTask, interpolate_f32};
use crate::device::program::record::OpCode;
use crate::device::program::{Params, Step};
use crate::device::simd::{Simd, ViewMut};

/// Cubic, antialiased and cropped resizes ([`interpolate_f32`]).
#[derive(Clone, Copy, Debug)]
pub struct Interpolate;

fn params<'p>(step: &Step<'p>) -> Option<&'p InterpolateParams> {
    if let Params::Interpolate(params) = step.params { Some(params) } else { None }
}

impl Operator for Interpolate {
    const CODE: OpCode = OpCode::Interpolate;

    fn work(step: &Step<'_>) -> Option<Work> {
        let params = params(step)?;
        // An input row's columns for an output row's, then the columns' own taps.
        let rows = u64::from(params.taps_y) * u64::from(params.input.w) / u64::from(params.output.w.max(1));
        let cost = rows.saturating_add(u64::from(params.taps_x));
        Some(spatial(&params.output, cost))
    }
}

impl Compute for Interpolate {
    type Task<'a> = InterpolateTask<'a>;

    fn task<'a>(job: &Job<'a>) -> Option<Self::Task<'a>> {
        let params = params(job.step())?;
        Some(InterpolateTask {
            params,
            source: job.source(0, params.input)?,
            rows: job.place(0)?,
            columns: job.place(1)?,
            sink: job.sink(params.output)?,
        })
    }

    fn run<S: Simd>(s: S, task: &Self::Task<'_>, band: &Band, scratch: ViewMut<'_, f32>) {
        interpolate_f32(s, task, band, scratch);
    }
}
