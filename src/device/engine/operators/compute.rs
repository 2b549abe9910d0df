//! What runs a band: the part of operators and tables that nobody outside the engine may call or supply.

use super::{Operator, OperatorTable};
use crate::device::engine::job::Job;
use crate::device::kernel::Band;
use crate::device::simd::{Level, Simd, ViewMut};

/// How an operator computes.
///
/// The trait's module is private, so that no type outside the crate can be an operator; and views of an arena are had from a
/// [`Job`] alone, which only the engine makes, so that nobody else can run a band of one. The proof that lets threads
/// share an [`Arena`](crate::device::simd::Arena) rests on both.
pub trait Compute {
    /// The operands of a step.
    type Task<'a>;

    /// Finds the operands. `None` for a step of another operator or without its operands, which no checked program has.
    fn task<'a>(job: &Job<'a>) -> Option<Self::Task<'a>>;

    /// Computes one band.
    fn run<S: Simd>(s: S, task: &Self::Task<'_>, band: &Band, scratch: ViewMut<'_, f32>);
}

/// How a table computes.
pub trait ComputeTable {
    /// Does the step have all operands that its operator needs, and is the operator in the table?
    fn is_complete(job: &Job<'_>) -> bool;

    /// Computes all bands that `next` gives, at a level. `None` if the step is not complete.
    fn run(
        level: Level,
        job: &Job<'_>,
        scratch: ViewMut<'_, f32>,
        next: &mut dyn FnMut() -> Option<Band>,
    ) -> Option<()>;
}

impl ComputeTable for () {
    fn is_complete(_job: &Job<'_>) -> bool {
        false
    }

    fn run(
        _level: Level,
        _job: &Job<'_>,
        _scratch: ViewMut<'_, f32>,
        _next: &mut dyn FnMut() -> Option<Band>,
    ) -> Option<()> {
        None
    }
}

impl<Head: Operator, Tail: OperatorTable> ComputeTable for (Head, Tail) {
    fn is_complete(job: &Job<'_>) -> bool {
        if job.step().operator() == Head::CODE {
            Head::work(job.step()).is_some() && Head::task(job).is_some()
        } else {
            Tail::is_complete(job)
        }
    }

    fn run(
        level: Level,
        job: &Job<'_>,
        scratch: ViewMut<'_, f32>,
        next: &mut dyn FnMut() -> Option<Band>,
    ) -> Option<()> {
        if job.step().operator() != Head::CODE {
            return Tail::run(level, job, scratch, next);
        }
        let task = Head::task(job)?;
        while let Some(band) = next() {
            crate::dispatch!(level, s => Head::run(s, &task, &band, scratch));
        }
        Some(())
    }
}
