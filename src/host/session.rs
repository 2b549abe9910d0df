//! Sessions: a model with the arena and threads of one user.
//!
//! What flows in and out are slices of floats in the model's own layout (`[n, c, h, w]` for ONNX), or as stored
//! (`[n, h, w, c]`) if the session says so; it moves them to and from the arena and lets an engine run. Called by users of the
//! library and by the command line.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use crate::device::engine::{Engine, EngineError, StepHook};
use crate::device::simd::Level;
use crate::device::tensor::{DType, Shape};

use super::compile::AlignedBytes;
use super::model::{Model, Port};
use super::planes::{Planes, planes};
#[cfg(feature = "std")]
use super::threads::ThreadPool;
use super::{Error, ErrorKind, Result};

impl Model {
    /// A session on the calling thread.
    ///
    /// ```
    /// use salto::Model;
    ///
    /// let model = Model::load("examples/digits/digits.onnx")?;
    /// let outputs = model.session()?.run(&[&[0.0; 64]])?;
    /// assert_eq!(outputs[0].len(), 10);
    /// # Ok::<(), salto::Error>(())
    /// ```
    ///
    /// A model may be shared by threads, each with a session of its own:
    ///
    /// ```
    /// # use salto::Model;
    /// let model = Model::load("examples/digits/digits.onnx")?;
    /// let pictures = [[0.0; 64], [0.5; 64], [1.0; 64]];
    /// let answers = std::thread::scope(|scope| {
    ///     let run = |picture| {
    ///         let mut session = model.session()?;
    ///         session.run(&[picture])
    ///     };
    ///     let threads: Vec<_> = pictures.iter().map(|picture| scope.spawn(move || run(picture))).collect();
    ///     threads.into_iter().map(|thread| thread.join().expect("no panic")).collect::<Result<Vec<_>, _>>()
    /// })?;
    /// assert_eq!(answers.len(), 3);
    /// # Ok::<(), salto::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Model::session_with`].
    pub fn session(&self) -> Result<Session> {
        self.session_with(&SessionOptions::default())
    }

    /// A session with threads, a SIMD level or a layout of the caller's choice.
    ///
    /// ```
    /// use salto::{Model, SessionOptions};
    ///
    /// let model = Model::load("examples/digits/digits.onnx")?;
    /// let session = model.session_with(&SessionOptions { threads: 2, ..SessionOptions::default() })?;
    /// assert_eq!(session.threads(), 2);
    /// // Each thread has scratch of its own.
    /// assert!(session.arena_len() >= model.arena_len());
    /// # Ok::<(), salto::Error>(())
    /// ```
    ///
    /// # Errors
    /// The operating system refuses to start a thread; an input or output is not of `f32`. Sessions convert between layouts and
    /// know no other type: [`Engine::input_mut`] and [`Engine::output`] take them all.
    pub fn session_with(&self, options: &SessionOptions) -> Result<Session> {
        check_dtypes("input", self.inputs())?;
        check_dtypes("output", self.outputs())?;
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
}

/// What a session may choose; [`Model::session_with`] takes it.
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

/// A model with an arena and threads to run it. It may go to another thread; to run a model on several at once, give each a
/// session.
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

    /// Runs the network once: one slice for each input, in the order of [`Model::inputs`]; one vector for each output, in the order
    /// of [`Model::outputs`].
    ///
    /// ```
    /// use salto::Model;
    ///
    /// let mut session = Model::load("examples/digits/digits.onnx")?.session()?;
    /// let probabilities = session.run(&[&[0.0; 64]])?.swap_remove(0);
    /// assert!((probabilities.iter().sum::<f32>() - 1.0).abs() < 1e-5);
    ///
    /// let error = session.run(&[&[0.0; 63]]).unwrap_err().to_string();
    /// assert!(error.contains("63 elements") && error.contains("64"));
    /// # Ok::<(), salto::Error>(())
    /// ```
    ///
    /// # Errors
    /// There are more or fewer inputs than the model has, or one has a wrong number of elements.
    pub fn run(&mut self, inputs: &[&[f32]]) -> Result<Vec<Vec<f32>>> {
        self.run_watched(inputs, ())
    }

    /// Runs the network once, with inputs and outputs by name.
    ///
    /// ```
    /// use salto::Model;
    ///
    /// let mut session = Model::load("examples/digits/digits.onnx")?.session()?;
    /// let outputs = session.run_named(&[("input", &[0.0; 64])])?;
    /// assert_eq!(outputs["probabilities"].len(), 10);
    ///
    /// let error = session.run_named(&[("picture", &[0.0; 64])]).unwrap_err();
    /// assert!(error.to_string().contains("the inputs are input"));
    /// # Ok::<(), salto::Error>(())
    /// ```
    ///
    /// # Errors
    /// A name is no input's, or an input has no slice or two; else as [`Session::run`].
    pub fn run_named(&mut self, inputs: &[(&str, &[f32])]) -> Result<BTreeMap<String, Vec<f32>>> {
        let mut ordered: Vec<Option<&[f32]>> = vec![None; self.model.inputs().len()];
        for (name, input) in inputs {
            let place = self.model.input_index(name)?;
            if ordered[place].replace(input).is_some() {
                let reason = format!("input '{name}' is given twice");
                return Err(Error::new(ErrorKind::Argument, reason).remedy("give it once"));
            }
        }
        let missing = ordered.iter().zip(self.model.inputs()).find(|(input, _)| input.is_none());
        if let Some((_, port)) = missing {
            let reason = format!("input '{}' is not given", port.name);
            return Err(Error::new(ErrorKind::Argument, reason).remedy("give a slice for each input"));
        }
        let ordered: Vec<&[f32]> = ordered.into_iter().flatten().collect();
        let outputs = self.run(&ordered)?;
        let names = self.model.outputs().iter().map(|port| port.name.clone());
        Ok(names.zip(outputs).collect())
    }

    /// Runs the network once, watched step by step.
    ///
    /// ```
    /// use salto::Model;
    /// use salto::device::engine::StepHook;
    /// use salto::device::program::Step;
    ///
    /// struct Names(Vec<String>);
    ///
    /// impl StepHook for Names {
    ///     fn after(&mut self, _: usize, step: &Step<'_>) {
    ///         self.0.push(step.name.into());
    ///     }
    /// }
    ///
    /// let model = Model::load("examples/digits/digits.onnx")?;
    /// let mut names = Names(Vec::new());
    /// model.session()?.run_watched(&[&[0.0; 64]], &mut names)?;
    /// assert_eq!(names.0.len(), model.program().step_count());
    /// # Ok::<(), salto::Error>(())
    /// ```
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

    /// Runs the network once, into memory of the caller's: nothing is allocated.
    ///
    /// ```
    /// use salto::Model;
    ///
    /// let mut session = Model::load("examples/digits/digits.onnx")?.session()?;
    /// let mut probabilities = [0.0; 10];
    /// session.run_into(&[&[0.0; 64]], &mut [&mut probabilities])?;
    /// assert!(probabilities.iter().all(|p| (0.0..=1.0).contains(p)));
    /// # Ok::<(), salto::Error>(())
    /// ```
    ///
    /// # Errors
    /// There are more or fewer inputs or outputs than the model has, or one has a wrong number of elements.
    pub fn run_into(&mut self, inputs: &[&[f32]], outputs: &mut [&mut [f32]]) -> Result<()> {
        self.compute(inputs, outputs, ())
    }

    fn compute(&mut self, inputs: &[&[f32]], outputs: &mut [&mut [f32]], hook: impl StepHook) -> Result<()> {
        let (input_ports, output_ports) = (self.model.inputs(), self.model.outputs());
        check_lens("input", input_ports, inputs.iter().map(|input| input.len()))?;
        check_lens("output", output_ports, outputs.iter().map(|output| output.len()))?;
        let program = self.model.program();
        let engine = Engine::new(&program, &mut self.arena).map_err(refused)?.with_level(self.level);
        #[cfg(feature = "std")]
        let engine = engine.with_executor(&self.pool).map_err(refused)?;
        let mut engine = engine.with_hook(hook);
        let door = Planes {
            level: self.level,
            #[cfg(feature = "std")]
            pool: &self.pool,
            #[cfg(not(feature = "std"))]
            threads: core::marker::PhantomData,
        };
        for (i, (port, input)) in input_ports.iter().zip(inputs).enumerate() {
            let stored = engine.input_mut::<f32>(i).map_err(refused)?;
            match planes(port, self.as_stored) {
                Some(extent) => door.interleave(&extent, input, stored),
                None => stored.copy_from_slice(input),
            }
        }
        engine.run();
        for (i, (port, output)) in output_ports.iter().zip(outputs).enumerate() {
            let stored = engine.output::<f32>(i).map_err(refused)?;
            match planes(port, self.as_stored) {
                Some(extent) => door.deinterleave(&extent, stored, output),
                None => output.copy_from_slice(stored),
            }
        }
        Ok(())
    }
}

/// Sessions know floats alone.
fn check_dtypes(what: &str, ports: &[Port]) -> Result<()> {
    let Some(port) = ports.iter().find(|port| port.dtype != DType::F32) else { return Ok(()) };
    let reason = format!("{what} '{}' has elements of {}, a session takes f32", port.name, port.dtype.name());
    Err(Error::new(ErrorKind::Unsupported, reason).remedy("run the program with an Engine"))
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
fn refused(error: EngineError) -> Error {
    Error::new(ErrorKind::Invalid, format!("the engine refuses to run: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::graph::{Seeded, zoo};

    #[test]
    fn a_session_may_go_to_another_thread() {
        fn sent<T: Send>() {}
        sent::<Session>();
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
