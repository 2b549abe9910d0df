//! Why is a network's RAM high? Which step needs most, which tensors wait in it for a later one, and what can be done.

#![allow(clippy::print_stdout, reason = "an example shows what it finds")]

use salto::host::compile::CompileOptions;
use salto::host::graph::blocks::unet::{self, Upsampling};
use salto::host::graph::{Builder, ConvLayer, Graph, Seeded};
use salto::host::report::Bytes;
use salto::{Error, Model};

/// A U-Net with so many channels at its top and so many levels.
fn network(base: u32, depth: u32) -> Result<Graph, Error> {
    let mut net = Builder::new("unet", Seeded::new(1));
    let x = net.input("image", &[1, 64, 64, 1])?;
    let x = unet::unet(&mut net, x, base, depth, Upsampling::Transposed)?;
    let x = net.name("head").conv(x, ConvLayer::new(1, 1))?;
    net.output(x);
    net.finish()
}

fn main() -> Result<(), Error> {
    let graph = network(16, 3)?;
    let summary = Model::from_graph(&graph)?.summary();
    let memory = &summary.memory;
    println!(
        "{} of RAM; no plan of these tensors has less than {}",
        Bytes(memory.arena_bytes),
        Bytes(memory.lower_bound)
    );

    // The step that needs most, and why each tensor is there: what says "skip" waits for a later step.
    if let Some(peak) = &memory.peak {
        println!("\nmost lives in step {}, '{}':", peak.step, peak.name);
        for resident in &peak.residents {
            println!("  {:>9}  {}: {}", Bytes(resident.bytes).to_string(), resident.holds, resident.reason);
        }
    }

    // How far does each skip reach? A buffer that lives over many steps is one.
    println!("\ntensors that live longest:");
    let mut buffers: Vec<_> = memory.buffers.iter().filter(|buffer| buffer.class == "activation").collect();
    buffers.sort_by_key(|buffer| std::cmp::Reverse(buffer.last_step - buffer.first_step));
    for buffer in buffers.iter().take(3) {
        let steps = format!("steps {}…{}", buffer.first_step, buffer.last_step);
        println!("  {:>9}  {steps:<14} {}", Bytes(buffer.bytes).to_string(), buffer.holds);
    }

    println!("\nwhat can be done:");
    let arena = |graph: &Graph, options: CompileOptions| {
        Model::from_graph_with(graph, &options).map(|model| model.arena_len())
    };
    for (what, bytes) in [
        ("no Winograd (--low-memory)", arena(&graph, CompileOptions::default().winograd(false))?),
        ("half the channels", arena(&network(8, 3)?, CompileOptions::default())?),
        ("one level less", arena(&network(16, 2)?, CompileOptions::default())?),
    ] {
        println!("  {:>9}  {what}", Bytes(bytes as u64).to_string());
    }
    Ok(())
}
