//! The engine: runs a checked program in an arena.
//!
//! What flows in is a [`Program`] and a slice of bytes; what flows out lies in that slice. [`Engine::run`] goes through the steps
//! in order; each is cut into bands, which a [`BandExecutor`] may run side by side; an [`Operator`](operators::Operator) makes
//! a kernel's task of the step. Nothing is allocated, packed or moved. Called by applications on a device, and by the host's
//! sessions.
//!
//! The bits of the outputs depend on the program, its inputs and whether the SIMD level fuses multiplication and addition
//! ([`Simd::FUSED`](crate::device::simd::Simd::FUSED)), not on the executor or on how steps are cut into bands.

mod arena;
mod bands;
mod error;
mod executor;
mod hook;
mod job;
pub mod operators;
#[cfg(target_has_atomic = "ptr")]
mod share;

pub use arena::AlignedArena;
pub use bands::Work;
pub use error::EngineError;
pub use executor::{BandExecutor, Serial};
pub use hook::StepHook;

use core::marker::PhantomData;
#[cfg(target_has_atomic = "ptr")]
use core::sync::atomic::{AtomicUsize, Ordering};

use bytemuck::{try_cast_slice, try_cast_slice_mut};

use super::memory::Direction;
use super::program::record::ALIGN;
use super::program::{Program, Step};
use super::simd::{Arena, Level};
use super::tensor::Element;
use bands::Bands;
use job::Job;
use operators::{AllOperators, OperatorTable};
#[cfg(target_has_atomic = "ptr")]
use share::Shares;

/// Runs one program in one arena.
///
/// `O` is the table of operators, `X` runs the bands, `H` watches the steps. Many engines may share a program.
///
/// On a device the program lies in flash and the arena in a `static` ([`AlignedArena`]); a host has both on its heap:
///
/// ```
/// use salto::host::compile::AlignedBytes;
/// use salto::{Engine, Model, Program};
///
/// let model = Model::load("examples/digits/digits.onnx")?;
/// let program = Program::from_bytes(model.program_bytes())?;
/// let mut arena = AlignedBytes::zeroed(program.arena_len(1));
/// let mut engine = Engine::new(&program, &mut arena)?;
/// // A camera or a DMA channel may write here itself.
/// engine.input_mut::<f32>(0)?.fill(0.5);
/// engine.run();
/// let probabilities = engine.output::<f32>(0)?;
/// assert_eq!(probabilities.len(), 10);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Engine<'a, O = AllOperators, X = Serial, H = ()> {
    program: Program<'a>,
    arena: Arena<'a>,
    level: Level,
    executor: X,
    /// The executor's, when it came: the arena has this many scratches, whatever the executor says later.
    workers: usize,
    hook: H,
    operators: PhantomData<O>,
}

impl<'a> Engine<'a> {
    /// An engine with all operators, on the calling thread, at the best SIMD level of the CPU.
    ///
    /// ```
    /// # use salto::Model;
    /// use salto::device::engine::{AlignedArena, Engine, EngineError};
    ///
    /// # let model = Model::load("examples/digits/digits.onnx").expect("a model");
    /// # let program = model.program();
    /// let mut arena = AlignedArena::<1024>::new();
    /// let needed = program.arena_len(1);
    /// let error = Engine::new(&program, &mut arena).err();
    /// assert_eq!(error, Some(EngineError::ArenaShort { needed, given: 1024 }));
    /// ```
    ///
    /// # Errors
    /// The arena is not aligned to 64 bytes or has fewer than [`Program::arena_len`]`(1)`.
    pub fn new(program: &Program<'a>, arena: &'a mut [u8]) -> Result<Self, EngineError> {
        Self::build(program, arena)
    }
}

impl<'a, O: OperatorTable> Engine<'a, O> {
    /// An engine with the operators of a table, and no others linked:
    /// `Engine::with_operators(&program, &mut arena, ops![Conv, Pool])`.
    ///
    /// ```
    /// # use salto::Model;
    /// use salto::device::engine::operators::{Conv, Pool, Softmax};
    /// use salto::host::compile::AlignedBytes;
    /// use salto::{Engine, ops};
    ///
    /// # let model = Model::load("examples/digits/digits.onnx")?;
    /// # let program = model.program();
    /// let mut arena = AlignedBytes::zeroed(program.arena_len(1));
    /// let mut engine = Engine::with_operators(&program, &mut arena, ops![Conv, Pool, Softmax])?;
    /// engine.run();
    /// // An operator that is missing is told before anything runs.
    /// assert!(Engine::with_operators(&program, &mut arena, ops![Conv, Pool]).is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`Engine::new`]; a step's operator is not in the table.
    pub fn with_operators(
        program: &Program<'a>,
        arena: &'a mut [u8],
        _operators: O,
    ) -> Result<Self, EngineError> {
        Self::build(program, arena)
    }

    fn build(program: &Program<'a>, arena: &'a mut [u8]) -> Result<Self, EngineError> {
        let excess = arena.as_ptr().addr() % ALIGN;
        if excess != 0 {
            return Err(EngineError::ArenaMisaligned { excess });
        }
        check_len(program, arena.len(), 1)?;
        let (arena, level) = (Arena::new(arena), Level::detect());
        for (index, step) in program.steps().enumerate() {
            let operator = step.operator();
            if !O::contains(operator) {
                return Err(EngineError::MissingOperator { step: index, operator });
            }
            if !O::is_complete(&Job::new(program, &arena, &step)) {
                return Err(EngineError::MissingOperand { step: index, operator });
            }
        }
        Ok(Self {
            program: *program,
            arena,
            level,
            executor: Serial,
            workers: 1,
            hook: (),
            operators: PhantomData,
        })
    }
}

impl<'a, O: OperatorTable, X: BandExecutor, H: StepHook> Engine<'a, O, X, H> {
    /// The same engine at another SIMD level.
    #[must_use]
    pub fn with_level(self, level: Level) -> Self {
        Self { level, ..self }
    }

    /// The same engine, with its bands run by `executor`.
    ///
    /// ```
    /// # use salto::Model;
    /// use salto::Engine;
    /// use salto::device::engine::BandExecutor;
    /// use salto::host::compile::AlignedBytes;
    ///
    /// /// Threads that live for one step: the simplest executor, and a slow one.
    /// struct Scoped(usize);
    ///
    /// impl BandExecutor for Scoped {
    ///     fn workers(&self) -> usize {
    ///         self.0
    ///     }
    ///
    ///     fn execute(&self, work: &(dyn Fn(usize) + Sync)) {
    ///         std::thread::scope(|scope| (0..self.0).for_each(|i| drop(scope.spawn(move || work(i)))));
    ///     }
    /// }
    ///
    /// # let model = Model::load("examples/digits/digits.onnx")?;
    /// # let program = model.program();
    /// let mut arena = AlignedBytes::zeroed(program.arena_len(2));
    /// let mut engine = Engine::new(&program, &mut arena)?.with_executor(Scoped(2))?;
    /// engine.run();
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// The arena has fewer bytes than [`Program::arena_len`] for its workers.
    pub fn with_executor<Y: BandExecutor>(self, executor: Y) -> Result<Engine<'a, O, Y, H>, EngineError> {
        let Self { program, arena, level, hook, operators, .. } = self;
        let workers = executor.workers();
        check_len(&program, arena.len(), workers)?;
        Ok(Engine { program, arena, level, executor, workers, hook, operators })
    }

    /// The same engine, watched by `hook`; pass `&mut hook` to keep it.
    ///
    /// ```
    /// # use salto::{Engine, Model, Program, host::compile::AlignedBytes};
    /// use salto::device::engine::StepHook;
    /// use salto::device::program::Step;
    ///
    /// /// A firmware's timer would read a cycle counter here.
    /// #[derive(Default)]
    /// struct Steps(usize);
    ///
    /// impl StepHook for Steps {
    ///     fn after(&mut self, _: usize, _: &Step<'_>) {
    ///         self.0 += 1;
    ///     }
    /// }
    ///
    /// # let model = Model::load("examples/digits/digits.onnx")?;
    /// # let program = model.program();
    /// # let mut arena = AlignedBytes::zeroed(program.arena_len(1));
    /// let mut steps = Steps::default();
    /// Engine::new(&program, &mut arena)?.with_hook(&mut steps).run();
    /// assert_eq!(steps.0, program.step_count());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn with_hook<K: StepHook>(self, hook: K) -> Engine<'a, O, X, K> {
        let Self { program, arena, level, executor, workers, operators, .. } = self;
        Engine { program, arena, level, executor, workers, hook, operators }
    }

    /// The program.
    pub const fn program(&self) -> &Program<'a> {
        &self.program
    }

    /// The elements of input `i`, to be written before [`Self::run`], in storage order (`[n, h, w, c]`).
    ///
    /// # Errors
    /// There is no such input, or its elements have another type than `T`.
    pub fn input_mut<T: Element>(&mut self, i: usize) -> Result<&mut [T], EngineError> {
        let none = EngineError::NoInput { index: i, count: self.program.inputs().len() };
        let port = self.program.input(i).ok_or(none)?;
        let (expected, given) = (port.dtype(), T::DTYPE);
        if expected != given {
            return Err(EngineError::InputDType { index: i, expected, given });
        }
        let bytes = self.arena.as_bytes_mut().get_mut(port.bytes()).ok_or(none)?;
        try_cast_slice_mut(bytes).map_err(|_| none)
    }

    /// Copies `elements` into input `i`.
    ///
    /// ```
    /// # use salto::{Engine, Model, host::compile::AlignedBytes};
    /// use salto::device::engine::EngineError;
    ///
    /// # let model = Model::load("examples/digits/digits.onnx")?;
    /// # let program = model.program();
    /// # let mut arena = AlignedBytes::zeroed(program.arena_len(1));
    /// let mut engine = Engine::new(&program, &mut arena)?;
    /// engine.set_input(0, &[0.5f32; 64])?;
    /// let short = engine.set_input(0, &[0.5f32; 63]);
    /// assert_eq!(short, Err(EngineError::InputLen { expected: 64, given: 63 }));
    /// // The program's input is of floats.
    /// assert!(matches!(engine.set_input(0, &[1u8; 64]), Err(EngineError::InputDType { .. })));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// There is no such input, or it has another number of elements or elements of another type.
    pub fn set_input<T: Element>(&mut self, i: usize, elements: &[T]) -> Result<(), EngineError> {
        let input = self.input_mut::<T>(i)?;
        if input.len() != elements.len() {
            return Err(EngineError::InputLen { expected: input.len(), given: elements.len() });
        }
        input.copy_from_slice(elements);
        Ok(())
    }

    /// The elements of output `i` after [`Self::run`], in storage order (`[n, h, w, c]`).
    ///
    /// # Errors
    /// There is no such output, or its elements have another type than `T`.
    pub fn output<T: Element>(&self, i: usize) -> Result<&[T], EngineError> {
        let none = EngineError::NoOutput { index: i, count: self.program.outputs().len() };
        let port = self.program.output(i).ok_or(none)?;
        let (expected, given) = (port.dtype(), T::DTYPE);
        if expected != given {
            return Err(EngineError::OutputDType { index: i, expected, given });
        }
        let bytes = self.arena.as_bytes().get(port.bytes()).ok_or(none)?;
        try_cast_slice(bytes).map_err(|_| none)
    }

    /// All bytes of the arena. A caller who writes anything but inputs and state between runs changes no result.
    pub fn arena_mut(&mut self) -> &mut [u8] {
        self.arena.as_bytes_mut()
    }

    /// Runs all steps. Inputs may be overwritten.
    pub fn run(&mut self) {
        for (index, step) in self.program.steps().enumerate() {
            self.hook.before(index, &step);
            self.compute(&step);
            self.hook.after(index, &step);
        }
    }

    /// Runs step `index` alone, unwatched: for tests and tools that look at the arena between steps.
    ///
    /// # Errors
    /// There is no such step.
    pub fn run_step(&mut self, index: usize) -> Result<(), EngineError> {
        let none = EngineError::NoStep { index, count: self.program.step_count() };
        let step = self.program.steps().nth(index).ok_or(none)?;
        self.compute(&step);
        Ok(())
    }

    fn compute(&self, step: &Step<'_>) {
        let job = Job::new(&self.program, &self.arena, step);
        let work = O::work(step);
        debug_assert!(work.is_some(), "{INCOMPLETE}");
        let Some(work) = work else { return };
        if !step.is_parallel() {
            return self.in_order(&job, &Bands::sequence(&work), step.direction());
        }
        let bands = Bands::divided(&work, self.workers);
        #[cfg(target_has_atomic = "ptr")]
        if self.workers > 1 && bands.count() > 1 {
            return self.side_by_side(&job, &bands, self.workers);
        }
        self.in_order(&job, &bands, Direction::Forward);
    }

    /// Runs bands one after the other on this thread.
    fn in_order(&self, job: &Job<'_>, bands: &Bands, direction: Direction) {
        let count = bands.count();
        let mut taken = 0..count;
        let mut next = || {
            let i = taken.next()?;
            Some(bands.get(if direction == Direction::Backward { count - 1 - i } else { i }))
        };
        let done = O::run(self.level, job, job.scratch(0), &mut next);
        debug_assert!(done.is_some(), "{INCOMPLETE}");
    }

    /// Runs bands on the executor's threads. Workers and bands are numbered here, not by the executor: each number is given
    /// out once, which is what keeps scratches and output rows apart whatever the executor does.
    #[cfg(target_has_atomic = "ptr")]
    fn side_by_side(&self, job: &Job<'_>, bands: &Bands, workers: usize) {
        let (next_worker, shares) = (AtomicUsize::new(0), Shares::new(bands.count(), workers));
        let level = self.level;
        let work = |thread: usize| {
            let worker = next_worker.fetch_add(1, Ordering::Relaxed);
            if worker >= workers {
                return;
            }
            let mut next = || shares.take(thread).map(|band| bands.get(band));
            let done = O::run(level, job, job.scratch(worker), &mut next);
            debug_assert!(done.is_some(), "{INCOMPLETE}");
        };
        self.executor.execute(&work);
        // If the executor ran fewer calls than it has workers, this one takes the bands that may be left.
        work(0);
    }
}

/// What cannot happen, since [`Engine::build`] has refused such programs.
const INCOMPLETE: &str = "a step without its operator or operands, in an engine that has looked at each";

fn check_len(program: &Program<'_>, given: usize, workers: usize) -> Result<(), EngineError> {
    let needed = program.arena_len(workers);
    if given < needed { Err(EngineError::ArenaShort { needed, given }) } else { Ok(()) }
}
