//! Compiles a graph into a program: `keep → optimize → legalize → lower → order → share → place → emit`.
//!
//! Flows in: a [`Graph`] from an importer or the builder; flows out: a [`Compiled`] program, already read back and checked
//! ([`Inspection`](crate::host::report::Inspection) shows what was decided). There is one path for all targets; the host itself runs what it compiles here.
//! Called by `Model` and the command line.

mod algorithm;
mod aligned;
mod emit;
mod gains;
mod limit;
mod lower;
mod order;
mod pack;
mod place;
mod schedule;
mod techniques;

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use crate::device::tensor::ModelLayout;

use super::graph::Graph;
use super::memory::Certificate;
use super::memory::order::Peaks;
use super::optimize::{legalize, optimize_without};
use super::{Error, ErrorKind, Result};

pub use algorithm::conv_algorithm;
pub use aligned::AlignedBytes;
pub use gains::{Gain, gains};
pub use limit::MemoryLimit;
pub use techniques::Techniques;

use order::Planned;

/// What the caller may choose. The default is what `salto compile` does without flags.
#[derive(Clone, Debug)]
pub struct CompileOptions {
    keep: Vec<String>,
    optimize: bool,
    winograd: bool,
    exact: bool,
    low_memory: bool,
    keep_input: bool,
    f16: bool,
    techniques: Techniques,
    limit: MemoryLimit,
}

impl Default for CompileOptions {
    fn default() -> Self {
        Self {
            keep: Vec::new(),
            optimize: true,
            winograd: true,
            exact: false,
            low_memory: false,
            keep_input: false,
            f16: false,
            techniques: Techniques::ALL,
            limit: MemoryLimit::default(),
        }
    }
}

impl CompileOptions {
    /// Makes these tensors, by their names in the model, further outputs of the program, behind the model's own.
    ///
    /// They become outputs before the graph is optimised, so no pass removes them or changes their values; a pass that would
    /// have swallowed one (a fused activation, say) leaves that place as it is.
    ///
    /// ```
    /// use salto::Model;
    /// use salto::host::compile::CompileOptions;
    /// use salto::host::import::onnx::{ImportOptions, import_file};
    ///
    /// let graph = import_file("examples/digits/digits.onnx", &ImportOptions::default())?;
    /// let options = CompileOptions::default().keep(&["stem.relu"]);
    /// let outputs = Model::from_graph_with(&graph, &options)?.session()?.run_named(&[("input", &[0.5; 64])])?;
    /// assert_eq!(outputs["stem.relu"].len(), 16 * 8 * 8);
    /// # Ok::<(), salto::Error>(())
    /// ```
    #[must_use]
    pub fn keep(mut self, tensors: &[impl AsRef<str>]) -> Self {
        self.keep.extend(tensors.iter().map(|name| name.as_ref().to_string()));
        self
    }

    /// Is the graph optimised first? (`true` unless said otherwise.)
    #[must_use]
    pub fn optimize(self, optimize: bool) -> Self {
        Self { optimize, ..self }
    }

    /// May convolutions use Winograd's algorithm? (`true` unless said otherwise.) It saves most of the time of 3×3 layers; their
    /// weights take 16/9 or 4 times the room, a block of transformed data takes scratch, and the last bits of results change
    /// (relative root mean square error below 10⁻⁶, about that of the definition in `f32`).
    #[must_use]
    pub fn winograd(self, winograd: bool) -> Self {
        Self { winograd, ..self }
    }

    /// Are convolutions kept to algorithms that round no worse than the definition, each output being one chain of additions in
    /// `f32`? (`false` unless said otherwise.) That leaves out F(4×4,3×3), whose relative root mean square error is up to
    /// 8·10⁻⁷ and thus two to three times that of the direct kernels, and keeps F(2×2,3×3): 3 to 7·10⁻⁷, where one chain has 4 to
    /// 12·10⁻⁷ (64 to 512 channels).
    #[must_use]
    pub fn exact(self, exact: bool) -> Self {
        Self { exact, ..self }
    }

    /// Does little memory come before speed? (`false` unless said otherwise.) Then convolutions do without Winograd's algorithm, and
    /// where the arena becomes smaller by it, a step writes its output over rows of its input that it has consumed: such a step runs
    /// on one thread, a few rows at a time. The results are those of a program without overlap, bit by bit.
    #[must_use]
    pub fn low_memory(self, low_memory: bool) -> Self {
        Self { low_memory, ..self }
    }

    /// Do inputs stay as they were given, to the end of a run? (`false` unless said otherwise: their memory is used again as soon as
    /// they were read for the last time.)
    #[must_use]
    pub fn keep_input(self, keep_input: bool) -> Self {
        Self { keep_input, ..self }
    }

    /// Are the weights of dense layers and of direct convolutions stored as `f16`, in half of the room? (`false` unless said
    /// otherwise.) Dense layers of few rows take half of the time, too, as they wait for their weights alone. Arithmetic stays in
    /// `f32`; each weight is rounded once, by 2⁻¹¹ of itself at most (below 2⁻¹⁴ by 2⁻²⁵), with the same bits at every SIMD level.
    /// Weights of Winograd's algorithm, which are transformed, stay `f32`: without [it](Self::winograd) their layers take part.
    ///
    /// ```
    /// use salto::Model;
    /// use salto::host::compile::CompileOptions;
    /// use salto::host::import::onnx::{ImportOptions, import_file};
    ///
    /// let graph = import_file("examples/digits/digits.onnx", &ImportOptions::default())?;
    /// let options = CompileOptions::default().winograd(false);
    /// let whole = Model::from_graph_with(&graph, &options)?;
    /// let half = Model::from_graph_with(&graph, &options.f16(true))?;
    /// assert!(half.program_bytes().len() < whole.program_bytes().len() * 6 / 10);
    /// # Ok::<(), salto::Error>(())
    /// ```
    #[must_use]
    pub fn f16(self, f16: bool) -> Self {
        Self { f16, ..self }
    }

    /// Which techniques save memory ([`Techniques::ALL`], unless said otherwise). They do not change answers, but for the
    /// rounding that the optimiser's passes allow themselves.
    #[must_use]
    pub fn techniques(self, techniques: Techniques) -> Self {
        Self { techniques, ..self }
    }

    /// May outputs lie over rows of their inputs that are consumed?
    pub(super) fn overlaps(&self) -> bool {
        self.low_memory && self.techniques.overlap
    }

    /// How much memory the network may take, and on how many threads (4 GiB on one, unless said otherwise).
    #[must_use]
    pub fn memory_limit(self, limit: MemoryLimit) -> Self {
        Self { limit, ..self }
    }

    /// The limit of memory.
    pub const fn limit(&self) -> MemoryLimit {
        self.limit
    }
}

/// A compiled program. Nobody can change its bytes, so they are checked once, when they are emitted.
#[derive(Clone, Debug)]
pub struct Compiled {
    bytes: AlignedBytes,
    certificate: Certificate,
    peaks: Peaks,
}

impl Compiled {
    /// The program, for [`Program::from_bytes`](crate::device::program::Program::from_bytes) or a `.salto` file.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The same bytes, to keep.
    pub fn into_bytes(self) -> AlignedBytes {
        self.bytes
    }

    /// How good its memory plan is.
    pub const fn certificate(&self) -> Certificate {
        self.certificate
    }

    /// What the order of its steps has gained.
    pub const fn peaks(&self) -> Peaks {
        self.peaks
    }
}

/// Compiles a graph.
///
/// # Errors
/// The graph contradicts itself or has no output; a weight is too large for [`CompileOptions::f16`]; a tensor to keep does not exist; an operator needs a constant where the graph
/// has none; something is too large for 32-bit addresses, or would take more memory than is allowed.
pub fn compile(graph: &Graph, options: &CompileOptions) -> Result<Compiled> {
    let (graph, Planned { schedule, plan, peaks }) = planned(graph, options)?;
    let bytes = emit::emit(&graph, &schedule, &plan, options.limit)?;
    Ok(Compiled { bytes, certificate: plan.certificate, peaks })
}

/// The graph that is compiled in the end, and its schedule with the memory plan.
fn planned(graph: &Graph, options: &CompileOptions) -> Result<(Graph, Planned)> {
    graph.validate()?;
    let mut graph = graph.clone();
    keep(&mut graph, &options.keep)?;
    if options.optimize {
        optimize_without(&mut graph, options.techniques.passes_left_out())?;
    }
    legalize(&mut graph)?;
    let schedule = lower::lower(&graph, &graph.order()?, options)?;
    let planned = order::planned(schedule, options)?;
    Ok((graph, planned))
}

/// Makes named tensors outputs.
fn keep(graph: &mut Graph, names: &[String]) -> Result<()> {
    let channels_first =
        graph.inputs.iter().chain(&graph.outputs).any(|port| port.layout == ModelLayout::ChannelsFirst);
    for name in names {
        let Some(value) = graph.find_value(name) else {
            let reason = format!("there is no tensor '{name}' to keep");
            return Err(
                Error::new(ErrorKind::Argument, reason).remedy("`salto inspect --tensors` lists them")
            );
        };
        if graph.is_output(value) {
            continue;
        }
        let is_picture = graph.shape(value).rank() == 4;
        let layout =
            if channels_first && is_picture { ModelLayout::ChannelsFirst } else { ModelLayout::AsStored };
        graph.add_output(value, layout);
    }
    Ok(())
}
