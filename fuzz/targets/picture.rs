//! Any bytes are a picture of a size that its file can hold, or an error; the reader is the command line's own file.
#![no_main]
#![allow(dead_code, reason = "the command line uses more of these modules")]

#[path = "../../src/bin/salto/args.rs"]
mod args;
#[path = "../../src/bin/salto/array.rs"]
mod array;
#[path = "../../src/bin/salto/files.rs"]
mod files;
#[path = "../../src/bin/salto/geometry.rs"]
mod geometry;
#[path = "../../src/bin/salto/picture.rs"]
mod picture;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    if let Ok(picture) = picture::upright(data) {
        assert!(picture.as_bytes().len() <= (1 << 16) + 1100 * data.len());
    }
});
