//! The checked view of a program's bytes, and its ports.

use core::ops::Range;

use bytemuck::{Pod, try_cast_slice, try_from_bytes};

use crate::device::simd::View;
use crate::device::tensor::{DType, Element, Extent, ModelLayout, Segment, Shape};

use super::error::{ProgramError, Section};
use super::record::{self, ALIGN, Buffer, Header, Place, Space, Span};
use super::step::Steps;
use super::{check, index};

/// A program that can run: its bytes, read in place. Copies nothing; many engines may share one.
#[derive(Clone, Copy, Debug)]
pub struct Program<'p> {
    pub(super) header: &'p Header,
    pub(super) inputs: &'p [record::Port],
    pub(super) outputs: &'p [record::Port],
    pub(super) buffers: &'p [Buffer],
    pub(super) names: &'p str,
    pub(super) steps: &'p [u8],
    pub(super) weights: &'p [u8],
}

impl<'p> Program<'p> {
    /// Reads a program from its bytes, which must be aligned to [`ALIGN`], and checks everything once: every offset, length,
    /// alignment, type, segment and step, the CRCs, and that no two buffers that live at the same time share memory.
    ///
    /// ```
    /// # use salto::Model;
    /// use salto::Program;
    ///
    /// # let model = Model::load("examples/digits/digits.onnx")?;
    /// # let bytes = model.program_bytes();
    /// let program = Program::from_bytes(bytes)?;
    /// let input = program.input(0).expect("there is one");
    /// assert_eq!((input.name(), input.shape().dims()), ("input", &[1, 8, 8, 1][..]));
    /// // Half a program is none.
    /// assert!(Program::from_bytes(&bytes[..bytes.len() / 2]).is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// What is wrong first. Any bytes whatever give a program or an error.
    pub fn from_bytes(bytes: &'p [u8]) -> Result<Self, ProgramError> {
        let program = Self::assume_checked(bytes)?;
        check::check(&program)?;
        Ok(program)
    }

    /// Reads a program that [`seal`](super::seal()) has just sealed, in the same bytes: all but its CRCs is checked.
    #[cfg(feature = "alloc")]
    pub(crate) fn from_sealed(bytes: &'p [u8]) -> Result<Self, ProgramError> {
        let program = Self::assume_checked(bytes)?;
        check::check_sealed(&program)?;
        Ok(program)
    }

    /// Reads a program whose weights lie apart: `head_and_steps` are the file's bytes up to the section of weights, `weights`
    /// that section. Both must be aligned to [`ALIGN`].
    ///
    /// # Errors
    /// As [`Self::from_bytes`].
    pub fn from_parts(head_and_steps: &'p [u8], weights: &'p [u8]) -> Result<Self, ProgramError> {
        let header = Self::header(head_and_steps)?;
        let program = Self::sections(header, head_and_steps, weights)?;
        check::check(&program)?;
        Ok(program)
    }

    /// Reads a program that was checked before, by [`Self::from_bytes`], in the same bytes: only the head is checked again.
    ///
    /// The engine's threads trust the checks of [`Self::from_bytes`], so this is for the crate's own host sessions only.
    pub(crate) fn assume_checked(bytes: &'p [u8]) -> Result<Self, ProgramError> {
        let header = Self::header(bytes)?;
        let weights = header.weights;
        let end = u64::from(weights.offset) + u64::from(weights.len);
        let actual = length(bytes);
        let (head_and_steps, weights) = bytes
            .split_at_checked(index(weights.offset))
            .filter(|_| end == actual)
            .ok_or(ProgramError::Length { expected: end, actual })?;
        Self::sections(header, head_and_steps, weights)
    }

    /// The header, if the first bytes are one that this build reads and the head is undamaged.
    fn header(bytes: &'p [u8]) -> Result<&'p Header, ProgramError> {
        check_alignment(bytes)?;
        let header = bytes.get(..size_of::<Header>()).ok_or(ProgramError::Length {
            expected: length(&[0; size_of::<Header>()]),
            actual: length(bytes),
        })?;
        let header: &Header = try_from_bytes(header).map_err(|_| ProgramError::Bounds(Section::Head))?;
        check::header(header, bytes)?;
        Ok(header)
    }

    /// Finds the sections, and in the head its tables.
    fn sections(
        header: &'p Header,
        head_and_steps: &'p [u8],
        weights: &'p [u8],
    ) -> Result<Self, ProgramError> {
        check_alignment(weights)?;
        if length(weights) != u64::from(header.weights.len) {
            return Err(ProgramError::Length {
                expected: u64::from(header.weights.len),
                actual: length(weights),
            });
        }
        let mut head =
            head_and_steps.get(..index(header.head_len)).ok_or(ProgramError::Bounds(Section::Head))?;
        let steps = span(head_and_steps, header.steps).ok_or(ProgramError::Bounds(Section::Steps))?;
        let names = span(head, header.names).ok_or(ProgramError::Bounds(Section::Head))?;
        let names = core::str::from_utf8(names).map_err(|_| ProgramError::Names)?;
        let _header = table::<Header>(&mut head, 1)?;
        let inputs = table(&mut head, header.input_count)?;
        let outputs = table(&mut head, header.output_count)?;
        let buffers = table(&mut head, header.buffer_count)?;
        Ok(Self { header, inputs, outputs, buffers, names, steps, weights })
    }

    /// The inputs, in order.
    pub fn inputs(&self) -> impl ExactSizeIterator<Item = Port<'p>> + use<'p> {
        let program = *self;
        self.inputs.iter().map(move |record| Port { record, program })
    }

    /// The outputs, in order.
    pub fn outputs(&self) -> impl ExactSizeIterator<Item = Port<'p>> + use<'p> {
        let program = *self;
        self.outputs.iter().map(move |record| Port { record, program })
    }

    /// Input `i`.
    pub fn input(&self, i: usize) -> Option<Port<'p>> {
        self.inputs.get(i).map(|record| Port { record, program: *self })
    }

    /// Output `i`.
    pub fn output(&self, i: usize) -> Option<Port<'p>> {
        self.outputs.get(i).map(|record| Port { record, program: *self })
    }

    /// The steps, in order.
    pub fn steps(&self) -> Steps<'p> {
        Steps { program: *self, bytes: self.steps }
    }

    /// Number of steps.
    pub fn step_count(&self) -> usize {
        index(self.header.step_count)
    }

    /// The buffers of the memory plan.
    pub const fn buffers(&self) -> &'p [Buffer] {
        self.buffers
    }

    /// Bytes of arena that a run on `workers` threads needs (0 counts as 1): the plan, and one scratch more for each further
    /// worker.
    pub fn arena_len(&self, workers: usize) -> usize {
        self.header.arena_bytes(workers)
    }

    /// Bytes of the largest scratch.
    pub fn scratch_len(&self) -> usize {
        index(self.header.scratch_len)
    }

    /// The section of weights.
    pub const fn weights(&self) -> &'p [u8] {
        self.weights
    }

    /// The elements of a constant; `None` if the place is none, lies elsewhere or has elements of another type.
    pub(crate) fn constant<T: Element>(&self, place: &Place) -> Option<View<'p, T>> {
        match Space::from_code(place.space) {
            Some(space @ (Space::Constants | Space::ConstantsF16)) if space.dtype() == T::DTYPE => {}
            _ => return None,
        }
        let bytes = span(self.weights, Span { offset: place.offset, len: place.len })?;
        try_cast_slice(bytes).ok().map(View::new)
    }

    /// The bytes in the arena of a place that lies there; `None` if it is none or a constant.
    pub(crate) fn arena_place(&self, place: &Place) -> Option<Range<usize>> {
        if Space::from_code(place.space) != Some(Space::Arena) {
            return None;
        }
        let start = index(place.offset);
        Some(start..start.checked_add(index(place.len))?)
    }

    /// The name at `span`.
    pub(super) fn name(&self, span: Span) -> Option<&'p str> {
        let start = index(span.offset);
        self.names.get(start..start.checked_add(index(span.len))?)
    }
}

/// An input or output of a program.
#[derive(Clone, Copy, Debug)]
pub struct Port<'p> {
    record: &'p record::Port,
    program: Program<'p>,
}

impl<'p> Port<'p> {
    /// The model's name for it.
    pub fn name(&self) -> &'p str {
        self.program.name(self.record.name).unwrap_or_default()
    }

    /// The type of its elements.
    pub fn dtype(&self) -> DType {
        u8::try_from(self.record.dtype).ok().and_then(DType::from_code).unwrap_or(DType::F32)
    }

    /// Its shape as stored: `[n, h, w, c]` for rank 4.
    pub fn shape(&self) -> Shape {
        let rank = index(self.record.rank);
        self.record.dims.get(..rank).and_then(Shape::new).unwrap_or(Shape::SCALAR)
    }

    /// How the model that was imported orders it.
    pub fn model_layout(&self) -> ModelLayout {
        ModelLayout::from_code(self.record.model_layout).unwrap_or(ModelLayout::AsStored)
    }

    /// Where it lies in the arena; contiguous.
    pub const fn segment(&self) -> &'p Segment {
        &self.record.segment
    }

    /// Its elements.
    pub fn len(&self) -> usize {
        index(self.shape().len())
    }

    /// Does it hold no element? (Never, in a program.)
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Its extent as kernels see it.
    pub fn extent(&self) -> Extent {
        Extent::of(&self.shape())
    }

    /// Its bytes in the arena.
    pub fn bytes(&self) -> Range<usize> {
        let size = self.dtype().bytes();
        let start = index(self.record.segment.rows.base).saturating_mul(size);
        start..start.saturating_add(self.len().saturating_mul(size))
    }
}

/// The bytes of `span`.
fn span(bytes: &[u8], span: Span) -> Option<&[u8]> {
    let start = index(span.offset);
    bytes.get(start..start.checked_add(index(span.len))?)
}

/// Cuts a table of `count` records off the head.
fn table<'p, T: Pod>(head: &mut &'p [u8], count: u32) -> Result<&'p [T], ProgramError> {
    let bounds = ProgramError::Bounds(Section::Head);
    let len = index(count).checked_mul(size_of::<T>()).ok_or(bounds)?;
    let (records, rest) = head.split_at_checked(len).ok_or(bounds)?;
    *head = rest;
    try_cast_slice(records).map_err(|_| bounds)
}

fn length(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}

fn check_alignment(bytes: &[u8]) -> Result<(), ProgramError> {
    match bytes.as_ptr().addr() % ALIGN {
        _ if bytes.is_empty() => Ok(()),
        0 => Ok(()),
        excess => Err(ProgramError::Misaligned { excess: u32::try_from(excess).unwrap_or(0) }),
    }
}
