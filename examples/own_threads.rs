//! Runs a network on threads that the application has already, in both ways: several pictures side by side, each with a session
//! of its own, and one picture whose layers are divided among the threads.

#![allow(clippy::print_stdout, reason = "an example shows what it finds")]

use std::error::Error;
use std::time::Instant;

use rayon::prelude::*;
use salto::device::engine::BandExecutor;
use salto::host::compile::AlignedBytes;
use salto::host::graph::{Seeded, zoo};
use salto::{Engine, Model};

/// The application's pool as salto sees it: someone who calls `work` once on each thread and waits.
struct Pool(rayon::ThreadPool);

impl BandExecutor for Pool {
    fn workers(&self) -> usize {
        self.0.current_num_threads()
    }

    fn execute(&self, work: &(dyn Fn(usize) + Sync)) {
        self.0.broadcast(|thread| work(thread.index()));
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let model = Model::from_graph(&zoo::resnet8(&zoo::Options::default(), Seeded::new(1))?)?;
    let pool = Pool(rayon::ThreadPoolBuilder::new().num_threads(2).build()?);
    let len = model.inputs()[0].len();
    let pictures: Vec<Vec<f32>> = (0..16).map(|i| vec![i as f32 / 16.0; len]).collect();

    // Most pictures a second: a session for each thread; all of them share the model and its weights.
    let start = Instant::now();
    let answers: Vec<Vec<f32>> = pool.0.install(|| {
        let session = || model.session();
        let run = |session: &mut Result<salto::Session, salto::Error>, picture: &Vec<f32>| {
            let session = session.as_mut().map_err(|error| error.clone())?;
            Ok::<_, salto::Error>(session.run(&[picture])?.swap_remove(0))
        };
        pictures.par_iter().map_init(session, run).collect::<Result<_, _>>()
    })?;
    println!("{} pictures side by side: {:.1?}", answers.len(), start.elapsed());

    // The soonest answer for one picture: the engine divides each step among the pool's threads.
    let program = model.program();
    let mut arena = AlignedBytes::zeroed(program.arena_len(pool.workers()));
    let mut engine = Engine::new(&program, &mut arena)?.with_executor(&pool)?;
    engine.set_input(0, &pictures[3])?;
    let start = Instant::now();
    engine.run();
    println!("one picture on {} threads: {:.1?}", pool.workers(), start.elapsed());
    // A picture of one grey is the same in [n, h, w, c], as the engine takes it, and in [n, c, h, w], as the session does.
    assert_eq!(engine.output::<f32>(0)?, answers[3], "the same bits, however it is divided");
    Ok(())
}
