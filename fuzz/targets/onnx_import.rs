//! Any bytes are a graph that contradicts itself nowhere, or an error.
#![no_main]

use libfuzzer_sys::fuzz_target;
use salto::host::import::onnx::{ImportOptions, import};

fuzz_target!(|data: &[u8]| {
    if let Ok(graph) = import(data, &ImportOptions::default()) {
        graph.validate().expect("what the importer makes is valid");
    }
});
