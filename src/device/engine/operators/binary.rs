//! Element-wise functions of two operands.

use super::{Compute, FUNCTION_COST, Operator, spatial};
use crate::device::engine::Work;
use crate::device::engine::job::Job;
use crate::device::kernel::params::BinaryParams;
use crate::device::kernel::{Band, BinaryTask, Operand, binary_f32};
use crate::device::program::record::OpCode;
use crate::device::program::{Params, Step};
use crate::device::simd::{Simd, ViewMut};
use crate::device::tensor::Extent;

/// Functions of two operands ([`binary_f32`]).
#[derive(Clone, Copy, Debug)]
pub struct Binary;

fn params<'p>(step: &Step<'p>) -> Option<&'p BinaryParams> {
    if let Params::Binary(params) = step.params { Some(params) } else { None }
}

/// Operand `i`: a source or else a place.
fn operand<'a>(job: &Job<'a>, i: usize, extent: Extent) -> Option<Operand<'a>> {
    match job.source(i, extent) {
        Some(source) => Some(Operand::Source(source)),
        None => job.place(i).map(Operand::Constant),
    }
}

impl Operator for Binary {
    const CODE: OpCode = OpCode::Binary;

    fn work(step: &Step<'_>) -> Option<Work> {
        let params = params(step)?;
        Some(spatial(&params.output, FUNCTION_COST))
    }
}

impl Compute for Binary {
    type Task<'a> = BinaryTask<'a>;

    fn task<'a>(job: &Job<'a>) -> Option<Self::Task<'a>> {
        let params = params(job.step())?;
        let a = operand(job, 0, params.a)?;
        let b = operand(job, 1, params.b)?;
        Some(BinaryTask { params, a, b, sink: job.sink(params.output)? })
    }

    fn run<S: Simd>(s: S, task: &Self::Task<'_>, band: &Band, _scratch: ViewMut<'_, f32>) {
        binary_f32(s, task, band);
    }
}
