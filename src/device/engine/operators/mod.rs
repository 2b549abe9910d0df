//! Operators: one file each, which turns a [`Step`] into its kernel's task.
//!
//! An engine has a table of them, a type: `ops![Conv, Pool]`. Its calls are resolved when it is compiled, so an operator that
//! no table names is not linked.

mod binary;
mod compute;
mod conv;
mod conv_transpose;
mod interpolate;
mod map;
mod normalize;
mod pool;
mod rearrange;
mod resize;
mod softmax;

pub use binary::Binary;
pub use conv::Conv;
pub use conv_transpose::ConvTranspose;
pub use interpolate::Interpolate;
pub use map::Map;
pub use normalize::Normalize;
pub use pool::Pool;
pub use rearrange::Rearrange;
pub use resize::Resize;
pub use softmax::Softmax;

use super::bands::Work;
use crate::device::program::Step;
use crate::device::program::record::OpCode;
use crate::device::tensor::Extent;
use compute::{Compute, ComputeTable};

/// An operator: how a step of its kind is divided and computed. The operators are those of this module; none can be added from
/// outside:
///
/// ```compile_fail,E0277
/// # use salto::device::engine::{Work, operators::Operator};
/// # use salto::device::program::{Step, record::OpCode};
/// struct Mine;
/// impl Operator for Mine {
///     const CODE: OpCode = OpCode::Conv;
///     fn work(_: &Step<'_>) -> Option<Work> {
///         None
///     }
/// }
/// ```
///
/// nor can one be run outside an engine, which alone knows which bands may run at the same time: what it takes to find the
/// operands of a step in an arena is the engine's own.
///
/// ```compile_fail,E0603
/// use salto::device::engine::job::Job;
/// ```
pub trait Operator: Compute {
    /// Its number in the program format.
    const CODE: OpCode;

    /// How the step may be divided. `None` for a step of another operator.
    fn work(step: &Step<'_>) -> Option<Work>;
}

/// A table of operators; written `ops![…]`, a list of pairs that ends in `()`. It is sealed as [`Operator`] is:
///
/// ```compile_fail,E0277
/// # use salto::device::engine::{Work, operators::OperatorTable};
/// # use salto::device::program::{Step, record::OpCode};
/// struct Mine;
/// impl OperatorTable for Mine {
///     fn contains(_: OpCode) -> bool {
///         true
///     }
///     fn work(_: &Step<'_>) -> Option<Work> {
///         None
///     }
/// }
/// ```
pub trait OperatorTable: ComputeTable {
    /// Is the operator in the table?
    fn contains(operator: OpCode) -> bool;

    /// [`Operator::work`] of the step's operator.
    fn work(step: &Step<'_>) -> Option<Work>;
}

impl OperatorTable for () {
    fn contains(_operator: OpCode) -> bool {
        false
    }

    fn work(_step: &Step<'_>) -> Option<Work> {
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
}

/// A table of operators, as a type and as its value: `ops![Conv, Pool]` of
/// [`operators`](crate::device::engine::operators).
#[macro_export]
macro_rules! ops {
    () => { () };
    ($head:path $(, $tail:path)* $(,)?) => { ($head, $crate::ops![$($tail),*]) };
}

/// Every operator.
pub type AllOperators =
    crate::ops![Conv, ConvTranspose, Pool, Binary, Map, Rearrange, Resize, Softmax, Normalize, Interpolate];

/// Multiply-adds that reading a weight costs, which comes from L3 or beyond: 25 bytes a cycle at 16 multiply-adds.
const READING: u64 = 2;

/// Multiply-adds that an element costs which another core has written: 19 cycles for a line of 16 on a server's mesh, and half
/// of all elements are at hand.
const FETCHING: u64 = 10;

/// What a band of channels costs because cores share its elements: it reads all of the input, most of which other workers wrote,
/// and what it writes, others read a step later.
fn fetching(input: &Extent, output: &Extent) -> Option<u64> {
    let (input, output) = (u64::from(input.checked_len()?), u64::from(output.checked_len()?));
    Some((input + output / 2).saturating_mul(FETCHING))
}

/// The work of a spatial kernel whose bands may begin at every row: `output`'s rows, with `cost` for each element.
fn spatial(output: &Extent, cost: u64) -> Work {
    let Extent { n, h, w, c } = *output;
    let elements = u64::from(n) * u64::from(h) * u64::from(w) * u64::from(c);
    Work::of_rows([n as usize, h as usize], 1, elements.saturating_mul(cost))
}

/// Multiply-adds that one evaluation of a function costs, where a load and a store count as one.
const FUNCTION_COST: u64 = 4;
