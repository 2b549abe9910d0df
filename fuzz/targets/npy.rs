//! Any bytes are an array, or an error; the reader is the command line's own file.
#![no_main]
#![allow(dead_code, reason = "the command line uses more of these modules")]

#[path = "../../src/bin/salto/array.rs"]
mod array;
#[path = "../../src/bin/salto/files.rs"]
mod files;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    if let Ok(array) = array::Array::from_npy(data) {
        assert_eq!(array.data.len(), array.shape.iter().product::<usize>());
    }
});
