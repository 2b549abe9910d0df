//! Any bytes are weights of PyTorch, each of which can be read, or an error: both containers of `.pth`.
#![no_main]

mod weights;

libfuzzer_sys::fuzz_target!(|data: &[u8]| weights::check(data));
