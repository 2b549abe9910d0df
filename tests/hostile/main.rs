//! Files that were damaged on purpose: none panics, none takes long, and none takes memory out of proportion to its size.
//!
//! Each format's reader gets files that are mutated copies of good ones. `SALTO_MUTATIONS=100000` says how many (300 if it is not
//! set); the numbers that are printed are the worst ones of each format. `fuzz/run` goes on where this ends.
#![cfg(feature = "cli")]
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "a test fails by panicking")]

mod bombs;
mod memory;
mod mutate;

// The readers of the command line, which no library has.
#[allow(dead_code, reason = "the command line uses more of them")]
#[path = "../../src/bin/salto/args.rs"]
mod args;
#[allow(dead_code, reason = "the command line uses more of them")]
#[path = "../../src/bin/salto/array.rs"]
mod array;
#[allow(dead_code, reason = "the command line uses more of them")]
#[path = "../../src/bin/salto/files.rs"]
mod files;
#[allow(dead_code, reason = "the command line uses more of them")]
#[path = "../../src/bin/salto/geometry.rs"]
mod geometry;
#[allow(dead_code, reason = "the command line uses more of them")]
#[path = "../../src/bin/salto/picture.rs"]
mod picture;
#[path = "../onnx_import/sample.rs"]
mod sample;
#[allow(dead_code, reason = "the tests of the importer use more of it")]
#[path = "../onnx_import/sketch.rs"]
mod sketch;

use std::path::Path;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use salto::device::program::{Program, seal};
use salto::host::compile::{AlignedBytes, CompileOptions, MemoryLimit, compile};
use salto::host::graph::blocks::residual::{self, Shortcut};
use salto::host::graph::{Builder, ConvLayer, Seeded};
use salto::host::import::onnx::{ImportOptions, import, import_file};
use salto::host::import::weights::Weights;

use mutate::Mutator;

/// One file may take as long; builds that check every sum are slow.
const LONGEST: Duration =
    if cfg!(debug_assertions) { Duration::from_secs(10) } else { Duration::from_secs(1) };

/// The allocator's counters are the whole process's: one format at a time.
static TURN: Mutex<()> = Mutex::new(());

/// A format: good files, and how much memory a reader may take.
struct Format {
    name: &'static str,
    seeds: Vec<Vec<u8>>,
    /// Bytes that any file may cost, and bytes that each byte of file may cost.
    free: usize,
    factor: usize,
    /// Makes what checksums guard reachable.
    repair: fn(&mut [u8]),
}

impl Format {
    fn new(name: &'static str, seeds: Vec<Vec<u8>>, free: usize, factor: usize) -> Self {
        Self { name, seeds, free, factor, repair: |_| {} }
    }

    /// Feeds mutated files to a reader, which says whether it took one.
    fn check(&self, read: impl Fn(&[u8]) -> bool) {
        let _turn = TURN.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        for seed in &self.seeds {
            assert!(read(seed), "{}: a good file is refused", self.name);
        }
        let count = std::env::var("SALTO_MUTATIONS").ok().and_then(|count| count.parse().ok()).unwrap_or(300);
        let mut mutator = Mutator::new(self.name, &self.seeds);
        let (mut taken, mut longest, mut dearest) = (0u32, Duration::ZERO, (0usize, 0usize));
        for number in 0..count {
            let mut file = mutator.next();
            if number % 2 == 0 {
                (self.repair)(&mut file);
            }
            let start = Instant::now();
            let (accepted, bytes) = memory::peak(|| read(&file));
            let time = start.elapsed();
            taken += u32::from(accepted);
            longest = longest.max(time);
            dearest = dearest.max((bytes, file.len()));
            assert!(time < LONGEST, "{}: mutation {number} takes {time:?}", self.name);
            let allowed = self.free + self.factor * file.len();
            assert!(
                bytes <= allowed,
                "{}: mutation {number}, {} bytes, takes {bytes}",
                self.name,
                file.len()
            );
        }
        let (bytes, len) = dearest;
        println!(
            "{}: {count} files, {taken} taken, longest {longest:.1?}, most memory {bytes} bytes (file of {len})",
            self.name
        );
    }
}

fn repository(path: &str) -> Vec<u8> {
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

#[test]
fn onnx() {
    let seeds = vec![sample::rich(), sample::constants(), sample::large()];
    Format::new("onnx", seeds, 128 << 20, 256).check(|file| {
        let in_memory = import(file, &ImportOptions::default());
        let path = std::env::temp_dir().join(format!("salto_hostile_{}.onnx", std::process::id()));
        std::fs::write(&path, file).unwrap();
        let from_file = import_file(&path, &ImportOptions::default());
        assert_eq!(in_memory.is_ok(), from_file.is_ok());
        let Ok(graph) = from_file else { return false };
        graph.validate().unwrap();
        let limit = MemoryLimit { bytes: 64 << 20, threads: 1 };
        // Too large is an answer too.
        drop(compile(&graph, &CompileOptions::default().memory_limit(limit)));
        true
    });
}

/// Reads a file of weights and every tensor in it.
fn weights(file: &[u8]) -> bool {
    let Ok(weights) = Weights::from_bytes(file.to_vec()) else { return false };
    for name in weights.names() {
        weights.tensor(name).unwrap();
    }
    true
}

#[test]
fn safetensors() {
    let seeds = ["small", "small_run", "strange"]
        .map(|name| repository(&format!("tests/pytorch/{name}.safetensors")));
    Format::new("safetensors", seeds.into(), 1 << 20, 64).check(weights);
}

#[test]
fn pytorch_archive() {
    let seeds = vec![repository("tests/pytorch/small.pth")];
    Format::new("pytorch archive", seeds, 1 << 20, 64).check(weights);
}

#[test]
fn pytorch_stream() {
    let seeds = vec![repository("tests/pytorch/small_legacy.pth")];
    Format::new("pytorch stream", seeds, 1 << 20, 64).check(weights);
}

#[test]
fn npy() {
    let array = |shape: Vec<usize>| {
        let data = (0..shape.iter().product()).map(|i: usize| i as f32).collect();
        array::Array { shape, data }.to_npy().unwrap()
    };
    let seeds = vec![array(vec![1, 3, 4, 4]), array(vec![7]), array(vec![])];
    Format::new("npy", seeds, 1 << 20, 32).check(|file| array::Array::from_npy(file).is_ok());
}

/// A picture of a few pixels in each format.
fn pictures() -> Vec<Vec<u8>> {
    use image::{DynamicImage, ImageFormat, RgbaImage};
    let pixels =
        |x: u32, y: u32| image::Rgba([(x * 9) as u8, (y * 11) as u8, ((x + y) * 5) as u8, (x * y) as u8]);
    let picture = DynamicImage::ImageRgba8(RgbaImage::from_fn(24, 18, pixels));
    let encoded = |picture: DynamicImage, format| {
        let mut bytes = std::io::Cursor::new(Vec::new());
        picture.write_to(&mut bytes, format).unwrap();
        bytes.into_inner()
    };
    vec![
        encoded(picture.clone(), ImageFormat::Png),
        encoded(DynamicImage::ImageLuma16(picture.to_luma16()), ImageFormat::Png),
        encoded(DynamicImage::ImageRgb8(picture.to_rgb8()), ImageFormat::Jpeg),
        encoded(DynamicImage::ImageRgb8(picture.to_rgb8()), ImageFormat::Bmp),
        repository("examples/digits/pictures/seven.png"),
    ]
}

/// Writes the checksum of every chunk of a PNG anew.
fn seal_png(file: &mut [u8]) {
    if !file.starts_with(b"\x89PNG") {
        return;
    }
    let mut start = 8;
    while let Some(head) = file.get(start..start + 8) {
        let len = u32::from_be_bytes([head[0], head[1], head[2], head[3]]) as usize;
        let Some(content) = file.get(start + 4..(start + 8).saturating_add(len)) else { return };
        let crc = salto::device::program::crc32(content).to_be_bytes();
        let Some(place) = file.get_mut(start + 8 + len..start + 12 + len) else { return };
        place.copy_from_slice(&crc);
        start += 12 + len;
    }
}

#[test]
fn picture() {
    // Decoded and turned, in floats at worst.
    let format = Format { repair: seal_png, ..Format::new("pictures", pictures(), 1 << 20, 4096) };
    format.check(|file| picture::upright(file).is_ok());
}

#[test]
fn program() {
    let mut net = Builder::new("small", Seeded::new(1));
    let x = net.input("x", &[1, 4, 4, 2]).unwrap();
    let x = net.conv(x, ConvLayer::new(3, 3)).unwrap();
    let x = net.scope("a", |net| residual::basic(net, x, 4, 2, Shortcut::Projection)).unwrap();
    net.output(x);
    let compiled = compile(&net.finish().unwrap(), &CompileOptions::default()).unwrap();
    let repair: fn(&mut [u8]) = |file| {
        let mut aligned = AlignedBytes::from(&*file);
        seal(&mut aligned);
        file.copy_from_slice(&aligned);
    };
    let format = Format { repair, ..Format::new("program", vec![compiled.bytes().to_vec()], 1 << 16, 2) };
    format.check(|file| Program::from_bytes(&AlignedBytes::from(file)).is_ok());
}
