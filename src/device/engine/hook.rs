//! What watches an engine step by step: timers, profilers, tests.

use crate::device::program::Step;

/// Told before and after each step of [`Engine::run`](super::Engine::run). The unit type watches nothing and costs nothing.
pub trait StepHook {
    /// Step `index` is about to run.
    fn before(&mut self, index: usize, step: &Step<'_>) {
        let _ = (index, step);
    }

    /// Step `index` has run.
    fn after(&mut self, index: usize, step: &Step<'_>) {
        let _ = (index, step);
    }
}

impl StepHook for () {}

impl<H: StepHook + ?Sized> StepHook for &mut H {
    fn before(&mut self, index: usize, step: &Step<'_>) {
        (**self).before(index, step);
    }

    fn after(&mut self, index: usize, step: &Step<'_>) {
        (**self).after(index, step);
    }
}
