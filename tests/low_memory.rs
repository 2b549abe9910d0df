//! What `--low-memory` promises: the activations of known networks, at an element size of 1 and with the input; results as with every
//! buffer apart, in an arena that holds NaNs wherever nothing lives.
#![cfg(feature = "std")]
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "a test fails by panicking")]

mod programs;

use programs::{Guarded, run, run_poisoned};
use salto::device::program::Program;
use salto::host::Result;
use salto::host::compile::{CompileOptions, Compiled, compile, gains};
use salto::host::graph::{Graph, Seeded, zoo};
use salto::host::report::MemoryReport;

/// A network and the KiB of its activations at an element size of 1, as an independent planner finds them.
struct Known {
    name: &'static str,
    graph: fn() -> Result<Graph>,
    kib: f64,
}

const fn known(name: &'static str, kib: f64, graph: fn() -> Result<Graph>) -> Known {
    Known { name, graph, kib }
}

fn plain() -> zoo::Options {
    zoo::Options::default()
}

const NETWORKS: &[Known] = &[
    known("ResNet-8", 32.0, || zoo::resnet8(&plain(), Seeded::new(1))),
    known("DS-CNN", 8.44, || zoo::ds_cnn(&plain(), Seeded::new(1))),
    known("MobileNetV1-0.25", 36.4, || zoo::mobilenet_v1(&plain().width(0.25).size(96, 96), Seeded::new(1))),
    known("MobileNetV2", 1181.3, || zoo::mobilenet_v2(&plain(), Seeded::new(1))),
    known("ResNet-50", 1180.0, || zoo::resnet50(&plain(), Seeded::new(1))),
    known("DenseNet-121", 1082.0, || zoo::densenet(&zoo::DENSENET_121, &plain(), Seeded::new(1))),
    known("U-Net-32", 4112.0, || zoo::unet(&zoo::UNet::new(32, 4), &plain(), Seeded::new(1))),
];

fn low_memory(graph: &Graph) -> Compiled {
    compile(graph, &CompileOptions::default().low_memory(true)).unwrap()
}

#[test]
fn activations_of_known_networks() {
    for Known { name, graph, kib } in NETWORKS {
        let graph = graph().unwrap();
        let low = low_memory(&graph);
        let program = Program::from_bytes(low.bytes()).unwrap();
        let memory = MemoryReport::new(&program, Some(low.certificate()));
        let gains = gains(&graph, &CompileOptions::default().low_memory(true)).unwrap();
        let of_f32 = gains.last().unwrap().activation_bytes as f64 / 4096.0;
        println!(
            "{name}: {of_f32:.2} KiB × 4 and {} bytes of scratch: arena of {} bytes ({})",
            memory.scratch_bytes,
            memory.arena_bytes,
            low.certificate()
        );
        assert!(of_f32 <= *kib, "{name}: {of_f32} KiB, not {kib}");
        // Alignment: less than a cache line for each buffer that lives at the same time.
        assert!(memory.arena_bytes as f64 <= kib * 4096.0 + memory.scratch_bytes as f64 + 1024.0, "{name}");
    }
}

/// Those that a debug build runs in seconds; `--include-ignored` in a release build runs all.
fn check_bits(networks: &[Known]) {
    for Known { name, graph, .. } in networks {
        let graph = graph().unwrap();
        let low = low_memory(&graph);
        let apart = compile(&graph, &CompileOptions::default().winograd(false).keep_input(true)).unwrap();
        let (low, apart) =
            (Program::from_bytes(low.bytes()).unwrap(), Program::from_bytes(apart.bytes()).unwrap());
        let overlaps = low.steps().filter(|step| !step.is_parallel()).count();
        println!("{name}: {overlaps} of {} steps overlap", low.step_count());
        assert_eq!(run_poisoned(&low), run(&apart), "{name}");
    }
}

#[test]
fn low_memory_has_the_bits_of_buffers_apart() {
    check_bits(&NETWORKS[..3]);
}

#[test]
#[ignore = "minutes in a debug build"]
fn low_memory_has_the_bits_of_buffers_apart_in_large_networks() {
    check_bits(&NETWORKS[3..]);
}

#[test]
fn inputs_are_kept_if_asked() {
    let graph = zoo::resnet8(&plain(), Seeded::new(1)).unwrap();
    for low in [false, true] {
        let kept = compile(&graph, &CompileOptions::default().low_memory(low).keep_input(true)).unwrap();
        let program = Program::from_bytes(kept.bytes()).unwrap();
        let mut arena = Guarded::zeros(program.arena_len(1));
        let mut engine = salto::Engine::new(&program, arena.bytes_mut()).unwrap();
        programs::set_inputs(&mut engine);
        let before = engine.input_mut::<f32>(0).unwrap().to_vec();
        engine.run();
        assert_eq!(engine.input_mut::<f32>(0).unwrap(), before);
        let free = compile(&graph, &CompileOptions::default().low_memory(low)).unwrap();
        let free = Program::from_bytes(free.bytes()).unwrap();
        assert!(free.buffers()[0].last_step < program.buffers()[0].last_step);
        assert_eq!(run(&free), run(&program));
    }
}
