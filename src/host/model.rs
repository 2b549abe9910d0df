//! The library in few words: `Model::load(path)?.session()?.run(&inputs)`.
//!
//! A [`Model`] is a compiled program with its ports; a [`Session`](super::Session) adds the arena and threads of one user.
//! What flows in is a file, a graph or a program's bytes; what flows out are sessions and summaries. Called by users of the
//! library and by the command line.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;
#[cfg(feature = "std")]
use std::path::Path;

#[cfg(feature = "std")]
use crate::device::program::record::MAGIC;
use crate::device::program::{self, Program, ProgramError};
use crate::device::tensor::{DType, ModelLayout, Shape};

#[cfg(feature = "std")]
use super::compile::MemoryLimit;
use super::compile::{AlignedBytes, CompileOptions, Compiled, compile};
use super::graph::Graph;
#[cfg(feature = "std")]
use super::import::onnx::{ImportOptions, import, import_file};
use super::memory::Certificate;
use super::memory::order::Peaks;
use super::report::Inspection;
use super::{Error, ErrorKind, Result};

/// A network that is ready to run. Cheap to clone, and for as many threads as like: sessions share its program.
#[derive(Clone, Debug)]
pub struct Model(Arc<Parts>);

#[derive(Debug)]
struct Parts {
    bytes: AlignedBytes,
    inputs: Vec<Port>,
    outputs: Vec<Port>,
    arena_len: usize,
    certificate: Option<Certificate>,
    peaks: Option<Peaks>,
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
    /// ```
    /// use salto::Model;
    ///
    /// let model = Model::load("examples/digits/digits.onnx")?;
    /// assert_eq!(model.inputs()[0].model_dims(), [1, 1, 8, 8]);
    /// # Ok::<(), salto::Error>(())
    /// ```
    ///
    /// # Errors
    /// The file cannot be read, or is neither; all that [`import_file`] and [`compile`] refuse.
    #[cfg(feature = "std")]
    pub fn load(path: impl AsRef<Path>) -> Result<Self> {
        Self::load_with(path, &LoadOptions::default())
    }

    /// Loads a file with other options than the default ones. A program is as it was compiled: they do not change it.
    ///
    /// ```
    /// use salto::host::compile::CompileOptions;
    /// use salto::host::import::onnx::ImportOptions;
    /// use salto::{LoadOptions, Model};
    ///
    /// let options = LoadOptions {
    ///     // Where the model leaves dimensions free; here they are as they are.
    ///     import: ImportOptions::default().with_shape("input", [1, 1, 8, 8]),
    ///     // Least memory, and a tensor from inside as a further output.
    ///     compile: CompileOptions::default().winograd(false).keep(&["stem.relu"]),
    /// };
    /// let model = Model::load_with("examples/digits/digits.onnx", &options)?;
    /// assert_eq!(model.outputs()[1].name, "stem.relu");
    /// # Ok::<(), salto::Error>(())
    /// ```
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
        let model = Self::unchecked(read_aligned(path).map_err(|error| Error::io(&error))?)?;
        let arena = model.program().arena_len(limit.threads) as u64;
        limit.check(0, model.program_bytes().len() as u64, arena)?;
        Ok(model)
    }

    /// Imports and compiles the bytes of an ONNX file.
    ///
    /// ```
    /// use salto::Model;
    ///
    /// let model = Model::from_onnx(include_bytes!("../../examples/digits/digits.onnx"))?;
    /// assert_eq!(model.outputs()[0].len(), 10);
    /// # Ok::<(), salto::Error>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`import`] and [`compile`].
    #[cfg(feature = "std")]
    pub fn from_onnx(bytes: &[u8]) -> Result<Self> {
        Self::from_graph(&import(bytes, &ImportOptions::default())?)
    }

    /// Compiles a graph with the default options.
    ///
    /// ```
    /// use salto::Model;
    /// use salto::host::graph::{Builder, ConvLayer, Seeded};
    ///
    /// let mut net = Builder::new("small", Seeded::new(1));
    /// let x = net.input("image", &[1, 8, 8, 3])?;
    /// let x = net.conv(x, ConvLayer::new(16, 3))?;
    /// let x = net.relu(x)?;
    /// net.output(x);
    /// let model = Model::from_graph(&net.finish()?)?;
    /// assert_eq!(model.outputs()[0].model_dims(), [1, 8, 8, 16]);
    /// # Ok::<(), salto::Error>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`compile`].
    pub fn from_graph(graph: &Graph) -> Result<Self> {
        Self::from_graph_with(graph, &CompileOptions::default())
    }

    /// Compiles a graph with these options.
    ///
    /// ```
    /// use salto::Model;
    /// use salto::host::compile::CompileOptions;
    /// use salto::host::graph::{Seeded, zoo};
    ///
    /// let graph = zoo::resnet8(&zoo::Options::default(), Seeded::new(1))?;
    /// let small = Model::from_graph_with(&graph, &CompileOptions::default().winograd(false))?;
    /// assert!(small.arena_len() <= Model::from_graph(&graph)?.arena_len());
    /// # Ok::<(), salto::Error>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`compile`].
    pub fn from_graph_with(graph: &Graph, options: &CompileOptions) -> Result<Self> {
        Ok(Self::from_compiled(compile(graph, options)?))
    }

    /// A model of what [`compile`] made.
    pub fn from_compiled(compiled: Compiled) -> Self {
        let (certificate, peaks) = (compiled.certificate(), compiled.peaks());
        Self::checked(compiled.into_bytes(), Some(certificate), Some(peaks))
    }

    /// Reads a program (the content of a `.salto` file) and checks it.
    ///
    /// ```
    /// use salto::Model;
    ///
    /// let model = Model::load("examples/digits/digits.onnx")?;
    /// let again = Model::from_program(model.program_bytes())?;
    /// assert_eq!(again.inputs(), model.inputs());
    /// assert!(Model::from_program(b"anything else").is_err());
    /// # Ok::<(), salto::Error>(())
    /// ```
    ///
    /// # Errors
    /// The bytes are no program that can run.
    pub fn from_program(bytes: &[u8]) -> Result<Self> {
        Self::unchecked(bytes.into())
    }

    /// A model of bytes that nobody has looked at.
    fn unchecked(bytes: AlignedBytes) -> Result<Self> {
        Program::from_bytes(&bytes).map_err(no_program)?;
        Ok(Self::checked(bytes, None, None))
    }

    /// A model of bytes that [`Program::from_bytes`] has accepted.
    fn checked(bytes: AlignedBytes, certificate: Option<Certificate>, peaks: Option<Peaks>) -> Self {
        let program = read(&bytes);
        let inputs = program.inputs().map(Port::new).collect();
        let outputs = program.outputs().map(Port::new).collect();
        let arena_len = program.arena_len(1);
        Self(Arc::new(Parts { inputs, outputs, arena_len, certificate, peaks, bytes }))
    }

    /// Inputs, in the order in which [`Session::run`](super::Session::run) takes them.
    pub fn inputs(&self) -> &[Port] {
        &self.0.inputs
    }

    /// Outputs, in the order in which [`Session::run`](super::Session::run) gives them.
    pub fn outputs(&self) -> &[Port] {
        &self.0.outputs
    }

    /// The input of this name.
    ///
    /// ```
    /// use salto::Model;
    ///
    /// let model = Model::load("examples/digits/digits.onnx")?;
    /// assert_eq!(model.input("input")?.len(), 64);
    /// assert_eq!(model.output("probabilities")?.model_dims(), [1, 10]);
    /// # Ok::<(), salto::Error>(())
    /// ```
    ///
    /// # Errors
    /// No input has it.
    pub fn input(&self, name: &str) -> Result<&Port> {
        self.input_index(name).map(|i| &self.0.inputs[i])
    }

    /// The output of this name.
    ///
    /// # Errors
    /// No output has it.
    pub fn output(&self, name: &str) -> Result<&Port> {
        self.output_index(name).map(|i| &self.0.outputs[i])
    }

    /// Which input has this name: its place in [`Self::inputs`].
    ///
    /// # Errors
    /// None has it.
    pub fn input_index(&self, name: &str) -> Result<usize> {
        index("input", &self.0.inputs, name)
    }

    /// Which output has this name: its place in [`Self::outputs`].
    ///
    /// # Errors
    /// None has it.
    pub fn output_index(&self, name: &str) -> Result<usize> {
        index("output", &self.0.outputs, name)
    }

    /// Bytes of arena that a run on one thread needs.
    pub fn arena_len(&self) -> usize {
        self.0.arena_len
    }

    /// How good the memory plan is; none for a program from a file, which does not carry its planner's certificate.
    pub fn certificate(&self) -> Option<Certificate> {
        self.0.certificate
    }

    /// The most bytes alive with the order of the steps that the compiler chose, and with the one that it was given; none for a
    /// program from a file.
    pub fn peaks(&self) -> Option<Peaks> {
        self.0.peaks
    }

    /// What the network costs: its layers with shapes, parameters and multiply-accumulates, and where its RAM peaks and why.
    /// It displays as a text, the one that `salto inspect` prints.
    ///
    /// ```
    /// use salto::Model;
    ///
    /// let summary = Model::load("examples/digits/digits.onnx")?.summary();
    /// println!("{summary}");
    /// assert!(summary.macs > 0 && summary.parameters > 0);
    /// // Why is RAM what it is?
    /// let peak = summary.memory.peak.expect("there are steps");
    /// for resident in &peak.residents {
    ///     println!("{} bytes: {} ({})", resident.bytes, resident.holds, resident.reason);
    /// }
    /// # Ok::<(), salto::Error>(())
    /// ```
    pub fn summary(&self) -> Inspection {
        let mut inspection = Inspection::new(&self.program(), self.certificate());
        inspection.memory.order = self.peaks();
        inspection
    }

    /// The program's bytes: the content of a `.salto` file, `std::fs::write("net.salto", model.program_bytes())`.
    pub fn program_bytes(&self) -> &[u8] {
        &self.0.bytes
    }

    /// The program, for an [`Engine`](crate::Engine) of the caller's own. It was checked when the model was made.
    pub fn program(&self) -> Program<'_> {
        read(&self.0.bytes)
    }
}

/// The place of the port of this name.
fn index(what: &str, ports: &[Port], name: &str) -> Result<usize> {
    ports.iter().position(|port| port.name == name).ok_or_else(|| {
        let names: Vec<&str> = ports.iter().map(|port| port.name.as_str()).collect();
        let reason = format!("no {what} is named '{name}'; the {what}s are {}", names.join(", "));
        Error::new(ErrorKind::Argument, reason).remedy("name one of them")
    })
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

/// A file's bytes, at an aligned place from the first on.
#[cfg(feature = "std")]
fn read_aligned(path: &Path) -> std::io::Result<AlignedBytes> {
    use std::io::Read;
    let mut file = std::fs::File::open(path)?;
    let len = usize::try_from(file.metadata()?.len());
    let mut bytes = AlignedBytes::zeroed(len.map_err(|_| std::io::ErrorKind::OutOfMemory)?);
    file.read_exact(&mut bytes)?;
    Ok(bytes)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::engine::Engine;
    use crate::host::graph::{Seeded, zoo};

    /// Threads may share a model; the compiler proves it here.
    #[test]
    fn a_model_is_for_many_threads() {
        fn shared<T: Send + Sync>() {}
        shared::<Model>();
        shared::<Program<'_>>();
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
}
