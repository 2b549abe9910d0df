//! The first networks: the sizes that they are known for, and the memory that their plans need.

#![cfg(feature = "alloc")]

use salto::host::compile::{CompileOptions, compile};
use salto::host::graph::{Graph, Seeded, zoo};
use salto::host::memory::Certificate;
use salto::host::report::MemoryReport;
use salto::host::{Model, Result};

/// Compiles a network; its output's dimensions for the user and its memory plan.
fn compiled(graph: &Graph) -> Result<(Vec<u32>, MemoryReport)> {
    let compiled = compile(graph, &CompileOptions::default())?;
    assert!(matches!(compiled.certificate(), Certificate::Optimal(_)), "{:?}", compiled.certificate());
    let peaks = compiled.peaks();
    assert_eq!((peaks.given, peaks.lower), (peaks.chosen, peaks.chosen), "their own order is the best");
    let model = Model::from_compiled(compiled);
    Ok((model.outputs()[0].model_dims(), MemoryReport::new(&model.program(), model.certificate())))
}

fn weights() -> Seeded {
    Seeded::new(1).perturbed()
}

#[test]
fn the_front_of_resnet_34_makes_128_channels_of_13_by_13() -> Result<()> {
    let (dims, _) = compiled(&zoo::resnet34_front(weights())?)?;
    assert_eq!(dims, [1, 128, 13, 13]);
    Ok(())
}

#[test]
fn the_front_of_densenet_makes_256_channels_of_24_by_24() -> Result<()> {
    let (dims, _) = compiled(&zoo::densenet_front(weights())?)?;
    assert_eq!(dims, [1, 256, 24, 24]);
    Ok(())
}

/// Float32 takes four times the bytes of the int8 figures 32, 980, 1176 and 6144 KiB, which an independent planner found for
/// sums over the dying skip and concatenations as segments (without overlap of input and output). Scratch comes on top.
#[test]
fn plans_reach_the_known_figures() -> Result<()> {
    let networks = [
        (zoo::resnet8(&zoo::Options::default(), weights())?, 4 * 32),
        (zoo::resnet18(&zoo::Options::default(), weights())?, 4 * 980),
        (zoo::densenet(&zoo::DENSENET_121, &zoo::Options::default(), weights())?, 4 * 1176),
        (zoo::unet(&zoo::UNet::new(32, 4), &zoo::Options::default(), weights())?, 4 * 6144),
    ];
    for (graph, kib) in networks {
        let (_, memory) = compiled(&graph)?;
        assert_eq!(memory.activation_bytes, kib * 1024, "{}: {memory}", graph.name);
        assert!(
            memory.arena_bytes <= memory.activation_bytes + memory.scratch_bytes,
            "{}: {memory}",
            graph.name
        );
    }
    Ok(())
}
