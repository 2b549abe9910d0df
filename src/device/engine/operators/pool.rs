//! Pools.

use super::{Compute, Operator, spatial};
use crate::device::engine::Work;
use crate::device::engine::job::Job;
use crate::device::kernel::params::PoolParams;
use crate::device::kernel::{Band, PoolTask, pool_f32};
use crate::device::program::record::OpCode;
use crate::device::program::{Params, Step};
use crate::device::simd::{Simd, ViewMut};

/// Max, average and global pools ([`pool_f32`]).
#[derive(Clone, Copy, Debug)]
pub struct Pool;

fn params<'p>(step: &Step<'p>) -> Option<&'p PoolParams> {
    if let Params::Pool(params) = step.params { Some(params) } else { None }
}

impl Operator for Pool {
    const CODE: OpCode = OpCode::Pool;

    fn work(step: &Step<'_>) -> Option<Work> {
        let params = params(step)?;
        let taps = u64::from(params.window.y.kernel) * u64::from(params.window.x.kernel);
        Some(spatial(&params.output, taps))
    }
}

impl Compute for Pool {
    type Task<'a> = PoolTask<'a>;

    fn task<'a>(job: &Job<'a>) -> Option<Self::Task<'a>> {
        let params = params(job.step())?;
        Some(PoolTask { params, source: job.source(0, params.input)?, sink: job.sink(params.output)? })
    }

    fn run<S: Simd>(s: S, task: &Self::Task<'_>, band: &Band, _scratch: ViewMut<'_, f32>) {
        pool_f32(s, task, band);
    }
}
