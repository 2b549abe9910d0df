//! Element-wise functions of one operand.

use super::{Compute, FUNCTION_COST, Operator, spatial};
use crate::device::engine::Work;
use crate::device::engine::job::Job;
use crate::device::kernel::params::MapParams;
use crate::device::kernel::{Band, MapTask, Operand, map_f32};
use crate::device::program::record::OpCode;
use crate::device::program::{Params, Step};
use crate::device::simd::{Simd, ViewMut};

/// Functions of one operand, and copies ([`map_f32`]).
#[derive(Clone, Copy, Debug)]
pub struct Map;

fn params<'p>(step: &Step<'p>) -> Option<&'p MapParams> {
    if let Params::Map(params) = step.params { Some(params) } else { None }
}

impl Operator for Map {
    const CODE: OpCode = OpCode::Map;

    fn work(step: &Step<'_>) -> Option<Work> {
        let params = params(step)?;
        Some(spatial(&params.extent, FUNCTION_COST))
    }
}

impl Compute for Map {
    type Task<'a> = MapTask<'a>;

    fn task<'a>(job: &Job<'a>) -> Option<Self::Task<'a>> {
        let params = params(job.step())?;
        let source = match job.source(0, params.extent) {
            Some(source) => Operand::Source(source),
            None => Operand::Constant(job.place(2)?),
        };
        let sink = job.sink(params.extent)?;
        Some(MapTask { params, source, scale: job.place(0), shift: job.place(1), sink })
    }

    fn run<S: Simd>(s: S, task: &Self::Task<'_>, band: &Band, _scratch: ViewMut<'_, f32>) {
        map_f32(s, task, band);
    }
}
