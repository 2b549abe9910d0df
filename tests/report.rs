//! Reports on networks whose figures are known.
#![cfg(feature = "std")]
#![allow(clippy::expect_used, reason = "a test fails by panicking")]

use salto::host::graph::{Graph, Seeded, zoo};
use salto::host::memory::Certificate;
use salto::host::report::Inspection;
use salto::host::{Model, Result};

fn inspect(graph: Result<Graph>) -> Inspection {
    let model = Model::from_graph(&graph.expect("a network")).expect("compiled");
    Inspection::new(&model.program(), model.certificate())
}

/// What holds for every report.
fn check(report: &Inspection) {
    let memory = &report.memory;
    let peak = memory.peak.as_ref().expect("a step");
    assert_eq!(peak.residents.iter().map(|resident| resident.bytes).sum::<u64>(), peak.live_bytes);
    assert_eq!(report.layers.iter().map(|layer| layer.live_bytes).max(), Some(peak.live_bytes));
    assert!(peak.residents.iter().all(|resident| !resident.reason.is_empty() && !resident.holds.is_empty()));
    assert!(memory.activation_bytes <= peak.live_bytes && peak.live_bytes <= memory.lower_bound + 64);
    assert!(memory.lower_bound <= memory.arena_bytes);
    assert_eq!(report.macs, report.layers.iter().map(|layer| layer.macs).sum::<u64>());
    assert!(report.to_string().contains("peak at step"));
}

#[test]
fn resnet_8_has_twelve_and_a_half_million_multiplications() {
    let report = inspect(zoo::resnet8(&zoo::Options::default(), Seeded::new(1)));
    check(&report);
    assert_eq!(report.macs, 12_501_632);
    assert_eq!(report.memory.activation_bytes, 4 * 32 * 1024);
    assert_eq!(report.inputs[0].shape[1..], [3, 32, 32]);
}

#[test]
fn a_skip_that_lives_at_the_peak_is_named() {
    let report = inspect(zoo::unet(&zoo::UNet::new(32, 4), &zoo::Options::default(), Seeded::new(1)));
    check(&report);
    let peak = report.memory.peak.expect("a step");
    let reasons: Vec<&str> = peak.residents.iter().map(|resident| resident.reason.as_str()).collect();
    assert!(reasons[0].starts_with("skip from step 1, read by this step"), "{reasons:?}");
}

#[test]
fn a_certificate_is_never_guessed() {
    let graph = zoo::resnet8(&zoo::Options::default(), Seeded::new(1)).expect("a network");
    let model = Model::from_graph(&graph).expect("compiled");
    let known = Inspection::new(&model.program(), model.certificate()).memory;
    assert!(known.certificate.is_some());
    let read = Model::from_program(model.program_bytes()).expect("a program");
    assert_eq!(read.certificate(), None);
    let shown = Inspection::new(&read.program(), None).memory;
    assert_eq!(shown.certificate.is_some(), shown.lower_bound == shown.arena_bytes);
    assert!(shown.lower_bound <= known.lower_bound);
    let gap = Certificate::Gap { lower: 1000, upper: shown.arena_bytes as u32 };
    let loose = Inspection::new(&read.program(), Some(gap)).memory;
    assert_eq!((loose.certificate, loose.lower_bound), (Some(gap), 1000));
}
