//! The arguments of every command.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

/// The most threads that `--threads` takes.
const MAX_THREADS: u16 = 256;

/// Runs, measures, compiles and explains convolutional networks with skip connections.
#[derive(Debug, Parser)]
#[command(name = "salto", version, color = clap::ColorChoice::Never, disable_help_subcommand = false)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run a network on pictures or arrays
    Run(Run),
    /// Measure a network's time
    Bench(Bench),
    /// Measure each layer: its time, its speed, and how near that is to what the machine can do
    Profile(Profile),
    /// Show layers, shapes, work, weights, and where RAM peaks and why
    Inspect(Inspect),
    /// Compile a network into a program for `run` or for a device
    Compile(Compile),
    /// Show a network's memory plan, or plan the buffers of a CSV file
    ///
    /// A CSV file has the columns id,lower,upper,size: a buffer of `size` bytes lives from step `lower` to step `upper`, the
    /// latter excluded. The plan is printed as id,lower,upper,size,offset.
    Plan(Plan),
}

/// What every command that reads a network takes.
#[derive(Clone, Debug, Args)]
pub(crate) struct Network {
    /// The network: .onnx or .salto, or a network of the zoo by its name (resnet18, …)
    #[arg(value_name = "MODEL")]
    pub(crate) path: PathBuf,
    /// Shape of an input whose dimensions the model leaves free, in the model's order (.onnx only)
    #[arg(long = "shape", value_name = "NAME=N,C,H,W", value_parser = parse_shape)]
    pub(crate) shapes: Vec<(String, Vec<u32>)>,
    /// Weights for a network of the zoo: .safetensors, .pth, .pt or .th; KEY names a state dictionary in a checkpoint
    #[arg(long, value_name = "[KEY=]FILE")]
    pub(crate) weights: Option<String>,
    /// The most memory that constants, program and arena may take together (64MiB, 2GiB, …)
    #[arg(long, value_name = "BYTES", value_parser = parse_bytes, default_value = "4GiB")]
    pub(crate) max_memory: u64,
    /// Compile for the least RAM and the smallest program, at the cost of time: no Winograd convolutions, and outputs over inputs that
    /// are consumed row by row, on one thread (.onnx only)
    #[arg(long)]
    pub(crate) low_memory: bool,
    /// Leave inputs as they were given instead of using their memory again once they are read (.onnx only)
    #[arg(long)]
    pub(crate) keep_input: bool,
    /// Keep to algorithms that round no worse than the definition: no Winograd F(4×4,3×3), which is faster and has two to three
    /// times the error (.onnx only)
    #[arg(long)]
    pub(crate) exact: bool,
    /// Store the weights of dense layers and of direct convolutions as f16: half of their bytes, each rounded by 1/2048 of itself at
    /// most; weights beyond ±65504 are an error, and those of Winograd's algorithm stay f32, so --low-memory saves more (.onnx only)
    #[arg(long)]
    pub(crate) f16: bool,
    /// A tensor of the model that becomes a further output; `inspect --tensors` lists them (.onnx only)
    #[arg(long = "keep", value_name = "NAME")]
    pub(crate) kept: Vec<String>,
    /// An input that is a constant from a .npy file, which the compiler folds; repeat it for several (.onnx only)
    #[arg(long = "bind", value_name = "NAME=FILE.npy", value_parser = parse_binding)]
    pub(crate) bindings: Vec<(String, PathBuf)>,
}

#[derive(Debug, Args)]
pub(crate) struct Threads {
    /// Threads; 0 stands for as many as there are cores
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = parse_threads_or_all, allow_hyphen_values = true)]
    threads: u16,
}

/// The threads that a plan is for.
#[derive(Debug, Args)]
pub(crate) struct PlannedThreads {
    /// Threads that the RAM is for: each has scratch of its own
    #[arg(long = "threads", value_name = "N", default_value_t = 1, value_parser = parse_threads, allow_hyphen_values = true)]
    pub(crate) count: u16,
}

impl Threads {
    /// The number of threads; 0 stands for as many as there are cores.
    pub(crate) fn count(&self) -> usize {
        self.threads.into()
    }

    /// The number of threads, cores counted.
    pub(crate) fn known(&self) -> usize {
        match self.threads {
            0 => std::thread::available_parallelism().map_or(1, usize::from),
            threads => threads.into(),
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct Run {
    #[command(flatten)]
    pub(crate) network: Network,
    /// Pictures (png, jpeg, bmp), arrays (.npy, in the model's own layout) or folders of them, as with --input
    #[arg(value_name = "FILE")]
    pub(crate) files: Vec<String>,
    /// A picture, an array or a folder of them for the input NAME; several for one input are run in turn
    #[arg(long = "input", short, value_name = "[NAME=]FILE", required_unless_present = "files")]
    pub(crate) inputs: Vec<String>,
    /// Where to write an output as .npy, in the model's own layout
    #[arg(long = "output", short, value_name = "[NAME=]OUT.npy")]
    pub(crate) outputs: Vec<String>,
    /// Draw a segmentation (an output of one mask, or of a score for each class and pixel) over the picture
    ///
    /// Several pictures become OUT-1.png, OUT-2.png and so on. A class named background, or without labels class 0 of several,
    /// stays as it is.
    #[arg(long, value_name = "[NAME=]OUT.png")]
    pub(crate) overlay: Option<String>,
    /// Names of the classes, one a line: the likeliest are printed
    #[arg(long, value_name = "FILE")]
    pub(crate) labels: Option<PathBuf>,
    /// How many classes to print
    #[arg(long, value_name = "K", default_value_t = 5, value_parser = parse_count, allow_hyphen_values = true)]
    pub(crate) top: usize,
    /// Turn the scores of classes into probabilities before they are printed
    #[arg(long)]
    pub(crate) softmax: bool,
    #[command(flatten)]
    pub(crate) picture: Picture,
    #[command(flatten)]
    pub(crate) threads: Threads,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// How a picture becomes an input: `(value · scale − mean) / std`, values from 0 to 255 (docs/pictures.md).
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct Picture {
    /// What a family of networks was trained with; each of the flags below still has its say
    #[arg(long, value_enum, value_name = "NAME")]
    pub(crate) preset: Option<Preset>,
    /// Factor of the picture's values, which go from 0 to 255 [default: 1/255]
    #[arg(long, value_name = "S", value_parser = parse_finite, allow_hyphen_values = true)]
    pub(crate) scale: Option<f32>,
    /// Subtracted after scaling: one number, or one for each channel [default: 0]
    #[arg(long, value_name = "M,…", value_delimiter = ',', value_parser = parse_finite, allow_hyphen_values = true)]
    pub(crate) mean: Vec<f32>,
    /// Divided by at last: one number, or one for each channel [default: 1]
    #[arg(long, value_name = "D,…", value_delimiter = ',', value_parser = parse_divisor, allow_hyphen_values = true)]
    pub(crate) std: Vec<f32>,
    /// Resize the picture so that its shorter side has this many pixels; by default it is stretched to the input's size
    #[arg(long, value_name = "PIXELS", value_parser = clap::value_parser!(u32).range(1..=65536))]
    pub(crate) resize: Option<u32>,
    /// Cut the input's size out of the picture's centre
    #[arg(long)]
    pub(crate) crop: bool,
}

/// How a family of networks takes its pictures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Preset {
    /// --resize 256 --crop --mean 0.485,0.456,0.406 --std 0.229,0.224,0.225, as torchvision's classifiers
    Imagenet,
}

impl Picture {
    /// The same, with what the preset says where the user says nothing.
    pub(crate) fn resolved(&self) -> Self {
        let mut options = self.clone();
        if let Some(Preset::Imagenet) = self.preset {
            // torchvision, ImageClassification with its default arguments.
            options.resize = options.resize.or(Some(256));
            options.crop = true;
            if options.mean.is_empty() {
                options.mean = vec![0.485, 0.456, 0.406];
            }
            if options.std.is_empty() {
                options.std = vec![0.229, 0.224, 0.225];
            }
        }
        options
    }
}

#[derive(Debug, Args)]
pub(crate) struct Bench {
    #[command(flatten)]
    pub(crate) network: Network,
    #[command(flatten)]
    pub(crate) threads: Threads,
    /// A picture or array for the input NAME instead of noise, as `run` takes it
    #[arg(long = "input", short, value_name = "[NAME=]FILE")]
    pub(crate) inputs: Vec<String>,
    /// Where to write an output of the last run as .npy, in the model's own layout
    #[arg(long = "output", short, value_name = "[NAME=]OUT.npy")]
    pub(crate) outputs: Vec<String>,
    /// Runs that are timed
    #[arg(long, value_name = "R", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) reps: u32,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Profile {
    #[command(flatten)]
    pub(crate) network: Network,
    #[command(flatten)]
    pub(crate) threads: Threads,
    /// Runs that are timed
    #[arg(long, value_name = "R", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) reps: u32,
    /// Draw the layers' times as bars
    #[arg(long, value_name = "OUT.svg")]
    pub(crate) svg: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Inspect {
    #[command(flatten)]
    pub(crate) network: Network,
    #[command(flatten)]
    pub(crate) threads: PlannedThreads,
    /// List the model's tensors instead, for `--keep` (.onnx only)
    #[arg(long)]
    pub(crate) tensors: bool,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Compile {
    #[command(flatten)]
    pub(crate) network: Network,
    /// The program to write
    #[arg(long, short, value_name = "OUT.salto")]
    pub(crate) output: PathBuf,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Plan {
    #[command(flatten)]
    pub(crate) network: Network,
    #[command(flatten)]
    pub(crate) threads: PlannedThreads,
    /// Fail unless the plan fits this many bytes (65536, 64KiB, 1MiB)
    #[arg(long, value_name = "BYTES", value_parser = parse_bytes)]
    pub(crate) capacity: Option<u64>,
    /// Pairs of a list of buffers that may overlap: `in_id,out_id,sep_out_below_in,sep_in_below_out`
    #[arg(long, value_name = "CSV")]
    pub(crate) relax: Option<PathBuf>,
    /// How long the search for a list of buffers may take, in millions of steps of work (10 are about a second)
    #[arg(long, value_name = "MILLIONS", default_value_t = 300)]
    pub(crate) effort: u32,
    /// Draw the plan as one self-contained page: a map of addresses and steps, with an arc for each skip
    #[arg(long, value_name = "OUT.html")]
    pub(crate) html: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

fn parse_shape(text: &str) -> Result<(String, Vec<u32>), String> {
    let (name, dims) = text.split_once('=').ok_or("a shape looks like NAME=1,3,224,224")?;
    let dims: Result<Vec<u32>, _> = dims.split([',', 'x']).map(|dim| dim.trim().parse()).collect();
    Ok((name.into(), dims.map_err(|_| "a shape looks like NAME=1,3,224,224")?))
}

fn parse_binding(text: &str) -> Result<(String, PathBuf), String> {
    let (name, file) = text.rsplit_once('=').ok_or("a binding looks like NAME=FILE.npy")?;
    Ok((name.into(), file.into()))
}

fn parse_count(text: &str) -> Result<usize, String> {
    let count = text.parse().ok().filter(|count| *count > 0);
    count.ok_or_else(|| "it must be a number above 0".into())
}

fn parse_threads(text: &str) -> Result<u16, String> {
    let count = text.parse().ok().filter(|count| (1..=MAX_THREADS).contains(count));
    count.ok_or_else(|| format!("threads are 1..={MAX_THREADS}"))
}

/// A number of threads, or 0 for as many as there are cores.
fn parse_threads_or_all(text: &str) -> Result<u16, String> {
    if text == "0" {
        Ok(0)
    } else {
        parse_threads(text).map_err(|error| format!("{error}, or 0 for all cores"))
    }
}

/// A number that can be multiplied by: not infinite, not NaN.
fn parse_finite(text: &str) -> Result<f32, String> {
    let number = text.trim().parse().ok().filter(|number: &f32| number.is_finite());
    number.ok_or_else(|| "it must be a finite number".into())
}

/// A number that can be divided by.
fn parse_divisor(text: &str) -> Result<f32, String> {
    let number = parse_finite(text).ok().filter(|number| *number > 0.0);
    number.ok_or_else(|| "it must be a finite number above 0".into())
}

fn parse_bytes(text: &str) -> Result<u64, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let factor = match text[digits.len()..].to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "k" | "kib" => 1 << 10,
        "m" | "mib" => 1 << 20,
        "g" | "gib" => 1 << 30,
        "kb" => 1000,
        "mb" => 1_000_000,
        unit => return Err(format!("'{unit}' is no unit; use B, KiB, MiB or GiB")),
    };
    let number: u64 = digits.trim().parse().map_err(|_| "a size looks like 65536 or 64KiB")?;
    number.checked_mul(factor).ok_or_else(|| "that many bytes cannot be addressed".into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_commands_are_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn sizes_and_shapes_are_read() {
        assert_eq!(parse_bytes("64KiB"), Ok(65536));
        assert_eq!(parse_bytes("1000"), Ok(1000));
        assert!(parse_bytes("64 parsec").is_err() && parse_bytes("KiB").is_err());
        assert_eq!(parse_shape("x=1,3,8,8"), Ok(("x".into(), vec![1, 3, 8, 8])));
        assert!(parse_shape("1,3,8,8").is_err() && parse_shape("x=1,b").is_err());
    }
}
