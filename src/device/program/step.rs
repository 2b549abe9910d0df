//! One step of a program, as the engine reads it.

use bytemuck::try_from_bytes;

use crate::device::kernel::params::{
    BinaryParams, ConvParams, ConvTransposeParams, InterpolateParams, MapParams, NormalizeParams, PoolParams,
    RearrangeParams, ResizeParams, SoftmaxParams,
};
use crate::device::kernel::{
    RowSeparation, conv_f32_separation, conv_transpose_f32_separation, map_f32_separation,
    pool_f32_separation, resize_f32_separation,
};
use crate::device::memory::Direction;
use crate::device::tensor::Segment;

use super::error::StepFault;
use super::index;
use super::record::{Buffer, FLAG_BACKWARD, FLAG_PARALLEL, OpCode, Place, StepHead};

/// What a step computes: the parameters of its operator, in place in the program's bytes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Params<'p> {
    /// A convolution or dense layer.
    Conv(&'p ConvParams),
    /// A transposed convolution.
    ConvTranspose(&'p ConvTransposeParams),
    /// A pool.
    Pool(&'p PoolParams),
    /// A function of two operands.
    Binary(&'p BinaryParams),
    /// A function of one operand.
    Map(&'p MapParams),
    /// A copy with other order.
    Rearrange(&'p RearrangeParams),
    /// A resize of rows and columns.
    Resize(&'p ResizeParams),
    /// A softmax.
    Softmax(&'p SoftmaxParams),
    /// A normalisation.
    Normalize(&'p NormalizeParams),
    /// A resize by tables.
    Interpolate(&'p InterpolateParams),
}

impl<'p> Params<'p> {
    /// Reads the parameters of `operator`; an error if `bytes` are not just as long as they are.
    pub(super) fn read(operator: OpCode, bytes: &'p [u8]) -> Result<Self, StepFault> {
        match operator {
            OpCode::Conv => try_from_bytes(bytes).map(Self::Conv),
            OpCode::ConvTranspose => try_from_bytes(bytes).map(Self::ConvTranspose),
            OpCode::Pool => try_from_bytes(bytes).map(Self::Pool),
            OpCode::Binary => try_from_bytes(bytes).map(Self::Binary),
            OpCode::Map => try_from_bytes(bytes).map(Self::Map),
            OpCode::Rearrange => try_from_bytes(bytes).map(Self::Rearrange),
            OpCode::Resize => try_from_bytes(bytes).map(Self::Resize),
            OpCode::Softmax => try_from_bytes(bytes).map(Self::Softmax),
            OpCode::Normalize => try_from_bytes(bytes).map(Self::Normalize),
            OpCode::Interpolate => try_from_bytes(bytes).map(Self::Interpolate),
        }
        .map_err(|_| StepFault::Record)
    }

    /// The parameters of `operator` in a record; `None` if `bytes` are not just as long as they are, or not aligned to 4.
    #[cfg(feature = "alloc")]
    pub(crate) fn of(operator: OpCode, bytes: &'p [u8]) -> Option<Self> {
        Self::read(operator, bytes).ok()
    }

    /// How far apart the output and a segment of source `source` must begin, in elements, where the step is one sequence of bands:
    /// the kernel's own answer. `None` where it has none, so that the two may share nothing.
    pub const fn separation(
        &self,
        source: usize,
        input: &Segment,
        output: &Segment,
    ) -> Option<RowSeparation> {
        if source != 0 {
            return None;
        }
        match self {
            Self::Conv(params) => Some(conv_f32_separation(params, input, output)),
            Self::ConvTranspose(params) => Some(conv_transpose_f32_separation(params, input, output)),
            Self::Pool(params) => Some(pool_f32_separation(params, input, output)),
            Self::Map(params) => Some(map_f32_separation(params, input, output)),
            Self::Resize(params) => resize_f32_separation(params, input, output),
            _ => None,
        }
    }

    /// The operator.
    pub const fn operator(&self) -> OpCode {
        match self {
            Self::Conv(_) => OpCode::Conv,
            Self::ConvTranspose(_) => OpCode::ConvTranspose,
            Self::Pool(_) => OpCode::Pool,
            Self::Binary(_) => OpCode::Binary,
            Self::Map(_) => OpCode::Map,
            Self::Rearrange(_) => OpCode::Rearrange,
            Self::Resize(_) => OpCode::Resize,
            Self::Softmax(_) => OpCode::Softmax,
            Self::Normalize(_) => OpCode::Normalize,
            Self::Interpolate(_) => OpCode::Interpolate,
        }
    }
}

/// One step of a [`Program`](super::Program): an operator, its parameters and its operands.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Step<'p> {
    /// What it computes.
    pub params: Params<'p>,
    /// [`FLAG_PARALLEL`] and [`FLAG_BACKWARD`].
    pub flags: u16,
    /// The segments of sources 0 to 2 and, last, of the output.
    pub operands: [&'p [Segment]; 4],
    /// Weights, bias and what else is constant, in the order that the operator's parameters document.
    pub places: &'p [Place],
    /// Its scratch.
    pub scratch: Option<Buffer>,
    /// The node's name.
    pub name: &'p str,
}

impl<'p> Step<'p> {
    /// The operator.
    pub const fn operator(&self) -> OpCode {
        self.params.operator()
    }

    /// May bands of it run side by side? If not, it is one sequence of the smallest bands, in its [`direction`](Self::direction): it
    /// may write over what it has read.
    pub const fn is_parallel(&self) -> bool {
        self.flags & FLAG_PARALLEL != 0
    }

    /// Which way it goes through its bands, if it is one sequence of them.
    pub const fn direction(&self) -> Direction {
        direction(self.flags)
    }

    /// The segments of source `i`; empty if there is none.
    pub fn source(&self, i: usize) -> &'p [Segment] {
        self.operands.get(i).copied().unwrap_or_default()
    }

    /// The output's segments: one.
    pub const fn output(&self) -> &'p [Segment] {
        self.operands[3]
    }
}

/// Which way a step with these flags goes through its bands.
pub(super) const fn direction(flags: u16) -> Direction {
    if flags & FLAG_BACKWARD != 0 { Direction::Backward } else { Direction::Forward }
}

/// A step's record, cut into its parts: lengths are checked, meaning is not.
#[derive(Clone, Copy, Debug)]
pub(super) struct Record<'p> {
    pub(super) head: &'p StepHead,
    pub(super) params: Params<'p>,
    pub(super) operands: [&'p [Segment]; 4],
    pub(super) places: &'p [Place],
}

impl<'p> Record<'p> {
    /// Cuts the first record off `bytes` and returns it with the rest.
    pub(super) fn split(bytes: &'p [u8]) -> Result<(Self, &'p [u8]), StepFault> {
        let (head, _) = split_slice::<StepHead>(bytes, 1).ok_or(StepFault::Record)?;
        let [head] = head else { return Err(StepFault::Record) };
        let (body, rest) = bytes.split_at_checked(index(head.len)).ok_or(StepFault::Record)?;
        Ok((Self::parts(head, body)?, rest))
    }

    /// The operator of the first record, as far as it can be read: for messages about records that cannot.
    pub(super) fn operator(bytes: &[u8]) -> Option<OpCode> {
        let (head, _) = split_slice::<StepHead>(bytes, 1)?;
        OpCode::from_code(head.first()?.operator)
    }

    fn parts(head: &'p StepHead, body: &'p [u8]) -> Result<Self, StepFault> {
        let operator = OpCode::from_code(head.operator).ok_or(StepFault::Operator)?;
        let body = body.get(size_of::<StepHead>()..).ok_or(StepFault::Record)?;
        let (params, mut body) =
            body.split_at_checked(usize::from(head.params_len)).ok_or(StepFault::Record)?;
        let params = Params::read(operator, params)?;
        let mut operands: [&[Segment]; 4] = [&[]; 4];
        for (operand, count) in operands.iter_mut().zip(head.segments) {
            (*operand, body) = split_slice(body, count).ok_or(StepFault::Record)?;
        }
        let (places, rest) = split_slice(body, head.places).ok_or(StepFault::Record)?;
        if !rest.is_empty() || !head.len.is_multiple_of(4) {
            return Err(StepFault::Record);
        }
        Ok(Self { head, params, operands, places })
    }
}

/// The first `count` structures of `bytes`, and the bytes behind them.
fn split_slice<T: bytemuck::AnyBitPattern>(bytes: &[u8], count: u16) -> Option<(&[T], &[u8])> {
    let (head, rest) = bytes.split_at_checked(usize::from(count).checked_mul(size_of::<T>())?)?;
    Some((bytemuck::try_cast_slice(head).ok()?, rest))
}

/// The steps of a checked program, in order.
#[derive(Clone, Debug)]
pub struct Steps<'p> {
    pub(super) program: super::Program<'p>,
    pub(super) bytes: &'p [u8],
}

impl<'p> Iterator for Steps<'p> {
    type Item = Step<'p>;

    fn next(&mut self) -> Option<Step<'p>> {
        let (record, rest) = Record::split(self.bytes).ok()?;
        self.bytes = rest;
        Some(Step {
            params: record.params,
            flags: record.head.flags,
            operands: record.operands,
            places: record.places,
            scratch: self.program.buffers().get(index(record.head.scratch)).copied(),
            name: self.program.name(record.head.name).unwrap_or_default(),
        })
    }
}
