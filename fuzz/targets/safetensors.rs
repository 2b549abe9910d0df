//! Any bytes are a safetensors file whose every tensor can be read, or an error.
#![no_main]

mod weights;

libfuzzer_sys::fuzz_target!(|data: &[u8]| weights::check(data));
