//! Compiles the repository's digits network to a program, and turns its golden values into arrays.

use std::error::Error;
use std::fmt::Write as _;
use std::path::Path;
use std::{env, fs};

use salto::host::Model;
use salto::host::compile::{CompileOptions, compile};
use salto::host::import::onnx::{ImportOptions, import_file};

const DIGITS: &str = "../examples/digits";

fn main() -> Result<(), Box<dyn Error>> {
    let out = env::var("OUT_DIR")?;
    let out = Path::new(&out);

    let graph = import_file(format!("{DIGITS}/digits.onnx"), &ImportOptions::default())?;
    // Winograd's weights would take 16/9 of the flash, and its scratch more RAM than the tensors.
    let model = Model::from_compiled(compile(&graph, &CompileOptions::default().winograd(false))?);
    fs::write(out.join("digits.salto"), model.program_bytes())?;

    let (arena, steps) = (model.arena_len(), model.program().step_count());
    let mut golden = format!("const ARENA_LEN: usize = {arena};\nconst STEPS: usize = {steps};\n");
    for (name, row) in [("input", 64), ("output", 10)] {
        let values = floats(&fs::read(format!("{DIGITS}/golden_{name}.npy"))?)
            .ok_or("not the float32 .npy file it should be")?;
        let rows: Vec<&[f32]> = values.chunks(row).collect();
        writeln!(
            golden,
            "static GOLDEN_{}: [[f32; {row}]; {}] = {rows:?};",
            name.to_uppercase(),
            rows.len()
        )?;
    }
    fs::write(out.join("golden.rs"), golden)?;

    println!("cargo::rustc-link-search={}", env::var("CARGO_MANIFEST_DIR")?);
    println!("cargo::rustc-link-arg-bins=-Tlink.x");
    println!("cargo::rerun-if-changed={DIGITS}");
    println!("cargo::rerun-if-changed=memory.x");
    Ok(())
}

/// The elements of a `.npy` file of version 1 that holds `float32` in C order.
fn floats(file: &[u8]) -> Option<Vec<f32>> {
    let header_len = u16::from_le_bytes(*file.get(8..)?.first_chunk()?) as usize;
    let (header, data) = file.get(10..)?.split_at_checked(header_len)?;
    let is_f32 =
        str::from_utf8(header).is_ok_and(|header| header.contains("'<f4'") && header.contains("False"));
    let (elements, rest) = data.as_chunks();
    (is_f32 && rest.is_empty()).then(|| elements.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect())
}
