//! The library in few words: `Model::load(path)?.session()?.run(&inputs)`.
//!
//! A [`Model`] is a compiled program with its ports; a [`Session`] adds the arena and threads of one user. Inputs and outputs
//! go in and out in the model's own layout (`[n, c, h, w]` for ONNX), or as stored (`[n, h, w, c]`) if the session says so.
//! Called by users of the library and by the command line.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;
#[cfg(feature = "std")]
use std::path::Path;

use crate::device::engine::{Engine, StepHook};
#[cfg(feature = "std")]
use crate::device::program::record::MAGIC;
use crate::device::program::{self, Program, ProgramError};
use crate::device::simd::Level;
use crate::device::tensor::{DType, Extent, ModelLayout, Shape};

#[cfg(feature = "std")]
use super::compile::MemoryLimit;
use super::compile::{AlignedBytes, CompileOptions, Compiled, compile};
use super::graph::Graph;
#[cfg(feature = "std")]
use super::import::onnx::{ImportOptions, import, import_file};
use super::memory::Certificate;
use super::report::Inspection;
#[cfg(feature = "std")]
use super::threads::ThreadPool;
use super::{Error, ErrorKind, Result};

/// A network that is ready to run. Cheap to clone; sessions share its program.
#[derive(Clone, Debug)]
pub struct Model(Arc<Parts>);

#[derive(Debug)]
struct Parts {
    bytes: AlignedBytes,
    inputs: Vec<Port>,
    outputs: Vec<Port>,
    arena_len: usize,
    certificate: Option<Certificate>,
}

/// An input or output of a network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Port {
    /// Its name in the model.
    pub name: String,
    /// The type of its elements.
    pub dtype: DType,
    /// Its shape as stored: `[n, h, w, c]` for rank 4.
    pub shape: Shape,
    /// How the model orders it.
    pub layout: ModelLayout,
}

impl Port {
    /// Its dimensions in the model's own layout.
    pub fn model_dims(&self) -> Vec<u32> {
        match (self.layout, self.shape.dims()) {
            (ModelLayout::ChannelsFirst, &[n, h, w, c]) => vec![n, c, h, w],
            (_, dims) => dims.to_vec(),
        }
    }

    /// Its elements.
    pub fn len(&self) -> usize {
        self.shape.len() as usize
    }

    /// Does it hold no element? (Never, in a program.)
    pub fn is_empty(&self) -> bool {
        self.shape.is_empty()
    }

    fn new(port: program::Port<'_>) -> Self {
        let (name, dtype) = (port.name().to_string(), port.dtype());
        Self { name, dtype, shape: port.shape(), layout: port.model_layout() }
    }
}

/// What loading a model may choose.
#[cfg(feature = "std")]
#[derive(Clone, Debug, Default)]
pub struct LoadOptions {
    /// For a file of another framework: shapes and constants of its inputs.
    pub import: ImportOptions,
    /// For a file of another framework: how it is compiled. Its limit of memory holds for programs too.
    pub compile: CompileOptions,
}

impl Model {
    /// Loads a file: a program (`.salto`), or an ONNX model, which is imported and compiled for this machine.
    ///
    /// # Errors
    /// The file cannot be read, or is neither; all that [`import_file`] and [`compile`] refuse.
    #[cfg(feature = "std")]
    pub fn load(path: impl AsRef<Path>) -> Result<Self> {
        Self::load_with(path, &LoadOptions::default())
    }

    /// Loads a file with other options than the default ones. A program is as it was compiled: they do not change it.
    ///
    /// # Errors
    /// As [`Model::load`].
    #[cfg(feature = "std")]
    pub fn load_with(path: impl AsRef<Path>, options: &LoadOptions) -> Result<Self> {
        let path = path.as_ref();
        let in_file = |error: Error| error.in_file(path.display());
        if begins_with_magic(path).map_err(in_file)? {
            return Self::load_program(path, &options.compile.limit()).map_err(in_file);
        }
        let has_extension =
            |name: &str| path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case(name));
        if has_extension("salto") {
            let error = Error::new(ErrorKind::Format, "no salto program: it does not begin as one");
            return Err(in_file(error.remedy("compile the model again, or copy the file again")));
        }
        file_fits(path, &options.compile.limit()).map_err(in_file)?;
        let limit = options.import.max_memory.or(Some(options.compile.limit().bytes));
        let import = ImportOptions { max_memory: limit, ..options.import.clone() };
        let graph = import_file(path, &import).map_err(|error| match error.kind() {
            ErrorKind::Format if !has_extension("onnx") => {
                error.remedy("a network is an ONNX model (.onnx) or a salto program (.salto)")
            }
            _ => error,
        })?;
        let compiled = compile(&graph, &options.compile).map_err(in_file)?;
        Ok(Self::from_compiled(compiled))
    }

    /// Loads a program from its file, if it fits.
    #[cfg(feature = "std")]
    fn load_program(path: &Path, limit: &MemoryLimit) -> Result<Self> {
        file_fits(path, limit)?;
        let bytes = std::fs::read(path).map_err(|error| Error::io(&error))?;
        let model = Self::from_program(&bytes)?;
        let arena = model.program().arena_len(limit.threads) as u64;
        limit.check(0, bytes.len() as u64, arena)?;
        Ok(model)
    }

    /// Imports and compiles the bytes of an ONNX file.
    ///
    /// # Errors
    /// Those of [`import`] and [`compile`].
    #[cfg(feature = "std")]
    pub fn from_onnx(bytes: &[u8]) -> Result<Self> {
        Self::from_graph(&import(bytes, &ImportOptions::default())?)
    }

    /// Compiles a graph with the default options.
    ///
    /// # Errors
    /// Those of [`compile`].
    pub fn from_graph(graph: &Graph) -> Result<Self> {
        Ok(Self::from_compiled(compile(graph, &CompileOptions::default())?))
    }

    /// A model of what [`compile`] made.
    pub fn from_compiled(compiled: Compiled) -> Self {
        let certificate = compiled.certificate();
        Self::checked(compiled.into_bytes(), Some(certificate))
    }

    /// Reads a program (the content of a `.salto` file) and checks it.
    ///
    /// # Errors
    /// The bytes are no program that can run.
    pub fn from_program(bytes: &[u8]) -> Result<Self> {
        Self::unchecked(bytes.into())
    }

    /// A model of bytes that nobody has looked at.
    fn unchecked(bytes: AlignedBytes) -> Result<Self> {
        Program::from_bytes(&bytes).map_err(no_program)?;
        Ok(Self::checked(bytes, None))
    }

    /// A model of bytes that [`Program::from_bytes`] has accepted.
    fn checked(bytes: AlignedBytes, certificate: Option<Certificate>) -> Self {
        let program = read(&bytes);
        let inputs = program.inputs().map(Port::new).collect();
        let outputs = program.outputs().map(Port::new).collect();
        let arena_len = program.arena_len(1);
        Self(Arc::new(Parts { inputs, outputs, arena_len, certificate, bytes }))
    }

    /// Inputs, in the order in which [`Session::run`] takes them.
    pub fn inputs(&self) -> &[Port] {
        &self.0.inputs
    }

    /// Outputs, in the order in which [`Session::run`] gives them.
    pub fn outputs(&self) -> &[Port] {
        &self.0.outputs
    }

    /// Bytes of arena that a run on one thread needs.
    pub fn arena_len(&self) -> usize {
        self.0.arena_len
    }

    /// How good the memory plan is; none for a program from a file, which does not carry its planner's certificate.
    pub fn certificate(&self) -> Option<Certificate> {
        self.0.certificate
    }

    /// What the network costs: its layers with shapes, parameters and multiply-accumulates, and where its RAM peaks and why.
    /// It displays as a text, the one that `salto inspect` prints.
    pub fn summary(&self) -> Inspection {
        Inspection::new(&self.program(), self.certificate())
    }

    /// The program's bytes: the content of a `.salto` file.
    pub fn program_bytes(&self) -> &[u8] {
        &self.0.bytes
    }

    /// A session on the calling thread.
    ///
    /// # Errors
    /// As [`Model::session_with`].
    pub fn session(&self) -> Result<Session> {
        self.session_with(&SessionOptions::default())
    }

    /// A session.
    ///
    /// # Errors
    /// The operating system refuses to start a thread.
    pub fn session_with(&self, options: &SessionOptions) -> Result<Session> {
        let program = self.program();
        #[cfg(feature = "std")]
        let (pool, workers) = {
            let pool = ThreadPool::new(options.threads)?;
            let workers = crate::device::engine::BandExecutor::workers(&pool);
            (pool, workers)
        };
        #[cfg(not(feature = "std"))]
        let workers = 1;
        Ok(Session {
            arena: AlignedBytes::zeroed(program.arena_len(workers)),
            model: self.clone(),
            level: options.level.unwrap_or_else(Level::detect),
            as_stored: options.as_stored,
            #[cfg(feature = "std")]
            pool,
        })
    }

    /// The program. It was checked when the model was made.
    pub fn program(&self) -> Program<'_> {
        read(&self.0.bytes)
    }
}

/// What a session may choose.
#[derive(Clone, Copy, Debug)]
pub struct SessionOptions {
    /// Threads, the calling one included; 0 takes as many as there are cores. Without std there is only one. Default 1.
    pub threads: usize,
    /// The SIMD level; the CPU's best one if none is named.
    pub level: Option<Level>,
    /// Are inputs and outputs `[n, h, w, c]` even if the model's own layout differs?
    pub as_stored: bool,
}

impl Default for SessionOptions {
    fn default() -> Self {
        Self { threads: 1, level: None, as_stored: false }
    }
}

/// A model with an arena and threads to run it.
#[derive(Debug)]
pub struct Session {
    model: Model,
    arena: AlignedBytes,
    level: Level,
    as_stored: bool,
    #[cfg(feature = "std")]
    pool: ThreadPool,
}

impl Session {
    /// The model.
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// Bytes of the arena.
    pub fn arena_len(&self) -> usize {
        self.arena.len()
    }

    /// Threads, the calling one included.
    pub fn threads(&self) -> usize {
        #[cfg(feature = "std")]
        return crate::device::engine::BandExecutor::workers(&self.pool);
        #[cfg(not(feature = "std"))]
        1
    }

    /// The SIMD level.
    pub fn level(&self) -> Level {
        self.level
    }

    /// Runs the network once.
    ///
    /// # Errors
    /// There are more or fewer inputs than the model has, or one has a wrong number of elements.
    pub fn run(&mut self, inputs: &[&[f32]]) -> Result<Vec<Vec<f32>>> {
        self.run_watched(inputs, ())
    }

    /// Runs the network once, watched step by step.
    ///
    /// # Errors
    /// As [`Session::run`].
    pub fn run_watched(&mut self, inputs: &[&[f32]], hook: impl StepHook) -> Result<Vec<Vec<f32>>> {
        let mut outputs: Vec<Vec<f32>> =
            self.model.outputs().iter().map(|port| vec![0.0; port.len()]).collect();
        let mut slices: Vec<&mut [f32]> = outputs.iter_mut().map(Vec::as_mut_slice).collect();
        self.compute(inputs, &mut slices, hook)?;
        Ok(outputs)
    }

    /// Runs the network once, into memory of the caller's: on one thread nothing is allocated.
    ///
    /// # Errors
    /// There are more or fewer inputs or outputs than the model has, or one has a wrong number of elements.
    pub fn run_into(&mut self, inputs: &[&[f32]], outputs: &mut [&mut [f32]]) -> Result<()> {
        self.compute(inputs, outputs, ())
    }

    fn compute(&mut self, inputs: &[&[f32]], outputs: &mut [&mut [f32]], hook: impl StepHook) -> Result<()> {
        let Parts { inputs: input_ports, outputs: output_ports, .. } = &*self.model.0;
        check_lens("input", input_ports, inputs.iter().map(|input| input.len()))?;
        check_lens("output", output_ports, outputs.iter().map(|output| output.len()))?;
        let program = self.model.program();
        let engine = Engine::new(&program, &mut self.arena).map_err(refused)?.with_level(self.level);
        #[cfg(feature = "std")]
        let engine = engine.with_executor(&self.pool).map_err(refused)?;
        let mut engine = engine.with_hook(hook);
        for (i, (port, input)) in input_ports.iter().zip(inputs).enumerate() {
            let stored = engine.input_mut::<f32>(i).map_err(refused)?;
            match planes(port, self.as_stored) {
                Some(extent) => interleave(&extent, input, stored),
                None => stored.copy_from_slice(input),
            }
        }
        engine.run();
        for (i, (port, output)) in output_ports.iter().zip(outputs).enumerate() {
            let stored = engine.output::<f32>(i).map_err(refused)?;
            match planes(port, self.as_stored) {
                Some(extent) => deinterleave(&extent, stored, output),
                None => output.copy_from_slice(stored),
            }
        }
        Ok(())
    }
}

/// The program in bytes that [`Program::from_bytes`] has accepted and that nobody could change since.
fn read(bytes: &AlignedBytes) -> Program<'_> {
    Program::assume_checked(bytes).unwrap_or_else(|_| damaged())
}

#[cold]
#[allow(
    clippy::panic,
    reason = "only memory that fails or is overwritten from outside leads here, never data"
)]
fn damaged() -> ! {
    panic!("a checked program has changed in memory")
}

fn no_program(error: ProgramError) -> Error {
    Error::new(ErrorKind::Format, format!("no program: {error}")).remedy("compile the model again")
}

/// Is a file small enough to be read?
#[cfg(feature = "std")]
fn file_fits(path: &Path, limit: &MemoryLimit) -> Result<()> {
    let file = std::fs::metadata(path).map_err(|error| Error::io(&error))?;
    limit.check(file.len(), 0, 0)
}

/// Is the file a program, by its first bytes?
#[cfg(feature = "std")]
fn begins_with_magic(path: &Path) -> Result<bool> {
    use std::io::Read;
    let mut first = [0; MAGIC.len()];
    let mut file = std::fs::File::open(path).map_err(|error| Error::io(&error))?;
    match file.read_exact(&mut first) {
        Ok(()) => Ok(first == MAGIC),
        Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(Error::io(&error)),
    }
}

/// The extent of a port whose channels are planes for the caller and interleaved in the arena; `None` if both are the same.
fn planes(port: &Port, as_stored: bool) -> Option<Extent> {
    let extent = Extent::of(&port.shape);
    let differs = !as_stored
        && port.layout == ModelLayout::ChannelsFirst
        && port.shape.rank() == 4
        && extent.c != 1
        && extent.h * extent.w != 1;
    differs.then_some(extent)
}

/// `[n, c, h, w]` to `[n, h, w, c]`.
fn interleave(extent: &Extent, from: &[f32], to: &mut [f32]) {
    let (channels, pixels) = (extent.c as usize, extent.h as usize * extent.w as usize);
    let pictures = from.chunks_exact(pixels * channels).zip(to.chunks_exact_mut(pixels * channels));
    pictures.for_each(|(from, to)| transpose(from, pixels, to));
}

/// `[n, h, w, c]` to `[n, c, h, w]`.
fn deinterleave(extent: &Extent, from: &[f32], to: &mut [f32]) {
    let (channels, pixels) = (extent.c as usize, extent.h as usize * extent.w as usize);
    let pictures = from.chunks_exact(pixels * channels).zip(to.chunks_exact_mut(pixels * channels));
    pictures.for_each(|(from, to)| transpose(from, channels, to));
}

/// Transposes a matrix with `columns` columns: a square of one cache line's width at a time through a small copy, so that lines
/// that lie a power of two apart do not drive each other out of the cache.
fn transpose(from: &[f32], columns: usize, to: &mut [f32]) {
    const SIDE: usize = 16;
    let rows = from.len() / columns;
    let mut square = [[0.0; SIDE]; SIDE];
    for first_row in (0..rows).step_by(SIDE) {
        let height = SIDE.min(rows - first_row);
        for first_column in (0..columns).step_by(SIDE) {
            let width = SIDE.min(columns - first_column);
            for y in 0..height {
                let line = &from[(first_row + y) * columns + first_column..][..width];
                square.iter_mut().zip(line).for_each(|(column, &x)| column[y] = x);
            }
            for (x, column) in square.iter().enumerate().take(width) {
                let line = &mut to[(first_column + x) * rows + first_row..][..height];
                match line.first_chunk_mut::<SIDE>() {
                    Some(line) => *line = *column,
                    None => line.copy_from_slice(&column[..height]),
                }
            }
        }
    }
}

/// Checks number and lengths of what the caller passes.
fn check_lens(what: &str, ports: &[Port], lens: impl ExactSizeIterator<Item = usize>) -> Result<()> {
    if ports.len() != lens.len() {
        let names: Vec<&str> = ports.iter().map(|port| port.name.as_str()).collect();
        let reason = format!("{} {what}s given, the model has {}", lens.len(), ports.len());
        let remedy = format!("pass one slice for each of: {}", names.join(", "));
        return Err(Error::new(ErrorKind::Argument, reason).remedy(remedy));
    }
    for (port, len) in ports.iter().zip(lens) {
        if port.len() != len {
            let dims = Shape::new(&port.model_dims()).unwrap_or(port.shape);
            let reason =
                format!("{what} '{}' has {len} elements, the model's shape {dims} {}", port.name, port.len());
            return Err(Error::new(ErrorKind::Argument, reason));
        }
    }
    Ok(())
}

/// An engine that refuses its arena or a port: cannot happen, as the session sized both from the same program.
fn refused(error: crate::device::engine::EngineError) -> Error {
    Error::new(ErrorKind::Invalid, format!("the engine refuses to run: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::graph::{Seeded, zoo};

    #[test]
    fn planes_and_pixels_are_each_others_inverse() {
        let extent = Extent::new(2, 9, 11, 21);
        let planes: Vec<f32> = (0..2 * 9 * 11 * 21).map(|i| i as f32).collect();
        let mut pixels = vec![0.0; planes.len()];
        interleave(&extent, &planes, &mut pixels);
        assert_eq!(pixels[((9 + 4) * 11 + 3) * 21 + 2], planes[((21 + 2) * 9 + 4) * 11 + 3]);
        let mut back = vec![0.0; planes.len()];
        deinterleave(&extent, &pixels, &mut back);
        assert_eq!(back, planes);
    }

    #[test]
    fn a_step_without_its_operand_is_refused() {
        use crate::device::engine::EngineError;
        use crate::device::program::record::{Header, OpCode, Place, StepHead};
        let mut bytes = Model::from_graph(&zoo::resnet8(&zoo::Options::default(), Seeded::new(1)).unwrap())
            .unwrap()
            .0
            .bytes
            .clone();
        let header: Header = bytemuck::pod_read_unaligned(&bytes[..size_of::<Header>()]);
        let start = header.steps.offset as usize;
        let head: StepHead = bytemuck::pod_read_unaligned(&bytes[start..start + size_of::<StepHead>()]);
        let places = start + head.len as usize - head.places as usize * size_of::<Place>();
        bytes[places..places + size_of::<Place>()].copy_from_slice(bytemuck::bytes_of(&Place::ABSENT));
        program::seal(&mut bytes);
        assert!(Program::from_bytes(&bytes).is_err());
        let program = Program::assume_checked(&bytes).unwrap();
        let mut arena = AlignedBytes::zeroed(program.arena_len(1));
        let refused = EngineError::MissingOperand { step: 0, operator: OpCode::Conv };
        assert_eq!(Engine::new(&program, &mut arena).err(), Some(refused));
    }

    /// Law 7, for a whole network; the kernels' own tests compare the levels too. Its name has `device` in it, so that it also
    /// runs where the device's tests run in an emulator.
    #[test]
    fn every_fused_level_of_the_device_gives_the_bits_of_plain_rust() {
        let model =
            Model::from_graph(&zoo::resnet8(&zoo::Options::default(), Seeded::new(1)).unwrap()).unwrap();
        let input: Vec<f32> = (0..model.inputs()[0].len()).map(|i| (i % 61) as f32 / 30.0 - 1.0).collect();
        let bits = |name: &str| {
            let level = Level::named(name);
            let options = SessionOptions { level, ..Default::default() };
            let mut session = level.map(|_| model.session_with(&options).unwrap())?;
            let output = session.run(&[&input]).unwrap().swap_remove(0);
            Some(output.into_iter().map(f32::to_bits).collect::<Vec<_>>())
        };
        let plain = bits("scalar");
        for name in Level::NAMES.iter().filter(|name| **name != "portable") {
            match bits(name) {
                None => std::println!("skipped: this CPU lacks {name}"),
                level => assert_eq!(level, plain, "{name}"),
            }
        }
        assert_ne!(bits("portable"), plain, "the portable level rounds twice");
    }
}
