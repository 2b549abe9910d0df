//! One step with the memory that it works on.

use crate::device::kernel::{Sink, Source};
use crate::device::program::record::Place;
use crate::device::program::{Program, Step};
use crate::device::simd::{Arena, View, ViewMut};
use crate::device::tensor::{Element, Extent, Segment};

/// A step of a checked program and the arena: gives operators their operands as views. Only the engine makes one.
#[derive(Clone, Copy, Debug)]
pub struct Job<'a> {
    program: &'a Program<'a>,
    arena: &'a Arena<'a>,
    step: &'a Step<'a>,
}

impl<'a> Job<'a> {
    pub(super) const fn new(program: &'a Program<'a>, arena: &'a Arena<'a>, step: &'a Step<'a>) -> Self {
        Self { program, arena, step }
    }

    /// The step.
    pub const fn step(&self) -> &'a Step<'a> {
        self.step
    }

    /// Source `i`, if the step has it, as an operand of size `extent`.
    pub(super) fn source<T: Element>(&self, i: usize, extent: Extent) -> Option<Source<'a, T>> {
        match self.step.source(i) {
            [] => None,
            segments => Some(Source::new(self.arena.view(), segments, extent)),
        }
    }

    /// The output, as an operand of size `extent`.
    pub(super) fn sink<T: Element>(&self, extent: Extent) -> Option<Sink<'a, T>> {
        Some(Sink::new(self.arena.view_mut(), self.step.output().first()?, extent))
    }

    /// The `len` elements of source 0, which is one contiguous run.
    pub(super) fn input<T: Element>(&self, len: u32) -> Option<View<'a, T>> {
        let base = start(self.step.source(0))?;
        Some(self.arena.view().range(base, len as usize))
    }

    /// The `len` elements of the output, which is one contiguous run.
    pub(super) fn output<T: Element>(&self, len: u32) -> Option<ViewMut<'a, T>> {
        let base = start(self.step.output())?;
        Some(self.arena.view_mut().range(base, len as usize))
    }

    /// Place `i`, if it is a constant of the program of this type.
    pub(super) fn constant<T: Element>(&self, i: usize) -> Option<View<'a, T>> {
        self.program.constant(self.step.places.get(i)?)
    }

    /// Place `i`, if there is one of this type: a constant of the program, or weights in the arena.
    pub(super) fn place<T: Element>(&self, i: usize) -> Option<View<'a, T>> {
        let place: &Place = self.step.places.get(i)?;
        self.constant(i).or_else(|| {
            let bytes = self.program.arena_place(place)?;
            Some(self.arena.view_mut::<u8>().range(bytes.start, bytes.len()).cast().as_view())
        })
    }

    /// The scratch of a worker: the first one's is planned, each further one has its own behind the plan.
    pub(super) fn scratch(&self, worker: usize) -> ViewMut<'a, f32> {
        let Some(buffer) = self.step.scratch else { return ViewMut::empty() };
        let start = match worker {
            0 => buffer.offset as usize,
            further => self.program.arena_len(further).next_multiple_of(64),
        };
        self.arena.view_mut::<u8>().range(start, buffer.len as usize / 4 * 4).cast()
    }
}

fn start(segments: &[Segment]) -> Option<usize> {
    segments.first().map(|segment| segment.rows.base as usize)
}
