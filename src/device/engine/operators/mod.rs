//! Operators: one file each, which turns a [`Step`] into its kernel's task.
//!
//! An engine has a table of them, a type: `ops![Conv, Pool]`. Its calls are resolved when it is compiled, so an operator that
//! no table names is not linked.

mod binary;
mod conv;
mod conv_transpose;
mod map;
mod pool;
mod rearrange;
mod resize;
mod softmax;

pub use binary::Binary;
pub use conv::Conv;
pub use conv_transpose::ConvTranspose;
pub use map::Map;
pub use pool::Pool;
pub use rearrange::Rearrange;
pub use resize::Resize;
pub use softmax::Softmax;

use super::bands::Work;
use super::job::Job;
use crate::device::kernel::Band;
use crate::device::program::Step;
use crate::device::program::record::OpCode;
use crate::device::simd::{Level, Simd, ViewMut};
use crate::device::tensor::Extent;

/// An operator: how a step of its kind is divided and computed.
pub trait Operator {
    /// Its number in the program format.
    const CODE: OpCode;

    /// How the step may be divided.
    fn work(step: &Step<'_>) -> Option<Work>;

    /// Computes one band. `None` for a step of another operator or without its operands, which no checked program has.
    fn run<S: Simd>(s: S, job: &Job<'_>, band: &Band, scratch: ViewMut<'_, f32>) -> Option<()>;
}

/// A table of operators; written `ops![…]`, a list of pairs that ends in `()`.
pub trait OperatorTable {
    /// Is the operator in the table?
    fn contains(operator: OpCode) -> bool;

    /// [`Operator::work`] of the step's operator.
    fn work(step: &Step<'_>) -> Option<Work>;

    /// [`Operator::run`] of the step's operator, at a level.
    fn run(level: Level, job: &Job<'_>, band: &Band, scratch: ViewMut<'_, f32>) -> Option<()>;
}

impl OperatorTable for () {
    fn contains(_operator: OpCode) -> bool {
        false
    }

    fn work(_step: &Step<'_>) -> Option<Work> {
        None
    }

    fn run(_level: Level, _job: &Job<'_>, _band: &Band, _scratch: ViewMut<'_, f32>) -> Option<()> {
        None
    }
}

impl<Head: Operator, Tail: OperatorTable> OperatorTable for (Head, Tail) {
    fn contains(operator: OpCode) -> bool {
        operator == Head::CODE || Tail::contains(operator)
    }

    fn work(step: &Step<'_>) -> Option<Work> {
        if step.operator() == Head::CODE { Head::work(step) } else { Tail::work(step) }
    }

    fn run(level: Level, job: &Job<'_>, band: &Band, scratch: ViewMut<'_, f32>) -> Option<()> {
        if job.step().operator() == Head::CODE {
            crate::dispatch!(level, s => Head::run(s, job, band, scratch))
        } else {
            Tail::run(level, job, band, scratch)
        }
    }
}

/// A table of operators, as a type and as its value: `ops![Conv, Pool]` of
/// [`operators`](crate::device::engine::operators).
#[macro_export]
macro_rules! ops {
    () => { () };
    ($head:path $(, $tail:path)* $(,)?) => { ($head, $crate::ops![$($tail),*]) };
}

/// Every operator.
pub type AllOperators = crate::ops![Conv, ConvTranspose, Pool, Binary, Map, Rearrange, Resize, Softmax];

/// The work of a spatial kernel: `output`'s rows, with `cost` for each element.
fn spatial(output: &Extent, multiple: u32, cost: u64) -> Work {
    let Extent { n, h, w, c } = *output;
    let elements = u64::from(n) * u64::from(h) * u64::from(w) * u64::from(c);
    Work {
        images: n as usize,
        rows: h as usize,
        multiple: multiple as usize,
        cost: elements.saturating_mul(cost),
    }
}

/// Multiply-adds that one evaluation of a function costs, where a load and a store count as one.
const FUNCTION_COST: u64 = 4;
