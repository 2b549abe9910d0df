//! Irregular networks: what the order of their steps saves, and that it changes no answer.
//!
//! `cargo test --release --test orders -- --nocapture` prints the figures.
#![allow(clippy::expect_used, reason = "a test fails by panicking")]
#![cfg(feature = "std")]

mod irregular;

use std::time::Instant;

use irregular::{Size, nasnet, randwire, unet_plus_plus};
use salto::Model;
use salto::host::Result;
use salto::host::compile::{CompileOptions, compile};
use salto::host::graph::Graph;

fn networks(size: Size) -> Result<Vec<(String, Graph)>> {
    let mut list = Vec::new();
    for seed in 1..=3 {
        list.push((format!("RandWire, 16 nodes a stage, seed {seed}"), randwire(seed, 16, size)?));
    }
    for seed in 1..=3 {
        list.push((format!("RandWire, 32 nodes a stage, seed {seed}"), randwire(seed, 32, size)?));
    }
    list.push(("NASNet-A, 6 cells".into(), nasnet(6, size)?));
    for depth in 3..=5 {
        list.push((format!("U-Net++, depth {depth}"), unet_plus_plus(depth, size)?));
    }
    Ok(list)
}

/// Bytes alive at the peak with the given order and with the chosen one, the bound, and the arenas' sizes.
#[test]
fn irregular_networks_need_less_in_a_better_order() -> Result<()> {
    eprintln!(
        "| network | steps | as given, KiB | chosen, KiB | saved | no order has less than, KiB | compiled in, ms |"
    );
    eprintln!("|---|---|---|---|---|---|---|");
    let mut most = 0.0f64;
    for (name, graph) in networks(Size { side: 64, channels: 16 })? {
        let start = Instant::now();
        let compiled = compile(&graph, &CompileOptions::default())?;
        let time = start.elapsed().as_millis();
        let peaks = compiled.peaks();
        let model = Model::from_compiled(compiled);
        let report = model.summary().memory;
        let kib = |bytes: u64| bytes as f64 / 1024.0;
        let saved = 100.0 * (1.0 - peaks.chosen as f64 / peaks.given as f64);
        eprintln!(
            "| {name} | {} | {:.0} | {:.0} | {saved:.0} % | {:.0} | {time} |",
            model.program().step_count(),
            kib(peaks.given),
            kib(peaks.chosen),
            kib(peaks.lower),
        );
        assert!(peaks.lower <= peaks.chosen && peaks.chosen <= peaks.given, "{name}: {peaks:?}");
        let peak = report.peak.as_ref().expect("there are steps");
        assert_eq!(peak.live_bytes, peaks.chosen, "{name}: {report}");
        most = most.max(saved);
    }
    assert!(most > 15.0, "{most} % at best");
    Ok(())
}

/// With every tensor kept, nothing dies: no order is better, so the steps stay as given, and every buffer lies apart.
#[test]
fn the_order_changes_no_answer() -> Result<()> {
    for (name, graph) in networks(Size { side: 32, channels: 4 })? {
        let options = CompileOptions::default().optimize(false);
        let reordered = Model::from_graph_with(&graph, &options)?;
        let order = graph.order()?;
        let values = order.iter().filter_map(|&id| graph.node(id)).map(|node| graph.value(node.output));
        let names: Vec<&str> = values.map(|value| value.name.as_str()).collect();
        let kept = Model::from_graph_with(&graph, &options.keep(&names))?;
        let len = reordered.inputs()[0].model_dims().iter().product::<u32>();
        let input: Vec<f32> = (0..len).map(|i| ((i * 37 % 101) as f32 - 50.0) / 50.0).collect();
        let answers = [&reordered, &kept].map(|model| model.session()?.run(&[&input]));
        let [reordered, kept] = answers.map(|answer| answer.map(|mut outputs| outputs.swap_remove(0)));
        let bits = |list: Vec<f32>| list.into_iter().map(f32::to_bits).collect::<Vec<u32>>();
        assert_eq!(bits(reordered?), bits(kept?), "{name}");
    }
    Ok(())
}
