//! Convolutions and dense layers.

use super::{Compute, Operator, READING, fetching, spatial};
use crate::device::engine::Work;
use crate::device::engine::job::Job;
use crate::device::kernel::params::{ConvAlgorithm, ConvParams};
use crate::device::kernel::{
    Band, ConvTask, ConvWeights, Epilogue, Prologue, conv_f32, conv_f32_band_multiple,
    conv_f32_channel_multiple, conv_f32_weight_len,
};
use crate::device::program::record::{OpCode, Place};
use crate::device::program::{Params, Step};
use crate::device::simd::{Simd, ViewMut};

/// Convolutions and dense layers ([`conv_f32`]).
#[derive(Clone, Copy, Debug)]
pub struct Conv;

/// Multiply-adds that packing an element of the input costs.
const PACKING: u64 = 4;
/// Multiply-adds that the transform of an element of the input to F(4×4,3×3) costs: 140 cycles for 16 pixels of 16 channels.
const TRANSFORM: u64 = 9;

fn params<'p>(step: &Step<'p>) -> Option<&'p ConvParams> {
    if let Params::Conv(params) = step.params { Some(params) } else { None }
}

impl Operator for Conv {
    const CODE: OpCode = OpCode::Conv;

    fn work(step: &Step<'_>) -> Option<Work> {
        let params = params(step)?;
        let weights = u64::from(conv_f32_weight_len(params)?);
        let input = u64::from(params.input.checked_len()?);
        let is_packed =
            step.source(0).len() > 1 || step.places.get(2).is_some_and(|scale| *scale != Place::ABSENT);
        // What a term of the definition costs, in quarters, and what a band of channels does to each element of the input.
        let each = if is_packed { PACKING } else { 0 };
        let (quarters, each) = match ConvAlgorithm::from_code(params.algorithm)? {
            ConvAlgorithm::Pointwise => (4, each),
            ConvAlgorithm::Im2col => (4, PACKING),
            ConvAlgorithm::Depthwise => (16, each),
            ConvAlgorithm::Winograd2x2 => (2, TRANSFORM / 3),
            ConvAlgorithm::Winograd4x4 => (1, TRANSFORM),
        };
        let taps = u64::from(params.window.y.kernel) * u64::from(params.window.x.kernel);
        let products = taps.saturating_mul(u64::from(params.input.c / params.groups.max(1)));
        let rows = spatial(&params.output, products);
        let channel_multiple = conv_f32_channel_multiple(params);
        Some(Work {
            multiple: conv_f32_band_multiple(params) as usize,
            channels: channel_multiple.map_or(0, |_| params.output.c as usize),
            channel_multiple: channel_multiple.unwrap_or(1) as usize,
            cost: (rows.cost / 4).saturating_mul(quarters),
            row_overhead: weights.saturating_mul(READING),
            channel_overhead: input
                .saturating_mul(each)
                .saturating_add(fetching(&params.input, &params.output)?),
            ..rows
        })
    }
}

impl Compute for Conv {
    type Task<'a> = ConvTask<'a>;

    fn task<'a>(job: &Job<'a>) -> Option<Self::Task<'a>> {
        let params = params(job.step())?;
        let prologue = match (job.place(2), job.place(3)) {
            (Some(scale), Some(shift)) => Some(Prologue { scale, shift, activation: params.prologue }),
            _ => None,
        };
        let epilogue = Epilogue {
            bias: job.place(1),
            residual: job.source(1, params.output),
            activation: params.activation,
        };
        Some(ConvTask {
            params,
            source: job.source(0, params.input)?,
            weights: match job.place(0) {
                Some(weights) => ConvWeights::F32(weights),
                None => ConvWeights::F16(job.constant(0)?),
            },
            prologue,
            epilogue,
            sink: job.sink(params.output)?,
        })
    }

    fn run<S: Simd>(s: S, task: &Self::Task<'_>, band: &Band, scratch: ViewMut<'_, f32>) {
        conv_f32(s, task, band, scratch);
    }
}
