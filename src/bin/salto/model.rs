//! Networks from files.

use std::path::Path;

use salto::device::program::record::MAGIC;
use salto::host::import::onnx::ImportOptions;
use salto::host::report::Inspection;
use salto::host::{Error, ErrorKind, LoadOptions, Model, Result};

use crate::args::{Inspect, Network};
use crate::{answer, files};

/// Reads a network and compiles it, unless it is a program already.
pub(crate) fn load(network: &Network) -> Result<Model> {
    let Network { path, shapes } = network;
    let first = files::first_bytes(path, MAGIC.len())?;
    refuse_other_formats(path, &first)?;
    if MAGIC.starts_with(&first) && !shapes.is_empty() {
        let reason = "the shapes of a program are fixed; --shape is for .onnx files";
        return Err(Error::new(ErrorKind::Argument, reason).in_file(path.display()));
    }
    let import = ImportOptions { shapes: shapes.clone(), ..ImportOptions::default() };
    Model::load_with(path, &LoadOptions { import, ..LoadOptions::default() })
}

/// The first bytes of files that people pass by mistake.
const OTHER_FORMATS: [(&[u8], &str); 6] = [
    (b"\x89PNG", "a picture"),
    (b"\xff\xd8\xff", "a picture"),
    (b"BM", "a picture"),
    (b"\x93NUMPY", "an array"),
    (b"PK\x03\x04", "a zip archive"),
    (b"{", "a text"),
];

fn refuse_other_formats(path: &Path, bytes: &[u8]) -> Result<()> {
    match OTHER_FORMATS.iter().find(|(magic, _)| bytes.starts_with(magic)) {
        Some((_, what)) => Err(Error::new(ErrorKind::Format, format!("that is {what}, not a network"))
            .in_file(path.display())
            .remedy("networks are .onnx or .salto files")),
        None => Ok(()),
    }
}

/// A report on a model's program.
pub(crate) fn inspection(model: &Model) -> Result<Inspection> {
    Ok(Inspection::new(&model.program()?))
}

/// `salto inspect`
pub(crate) fn inspect(arguments: &Inspect) -> Result<String> {
    let inspection = inspection(&load(&arguments.network)?)?;
    answer(arguments.json, || inspection.to_string(), &inspection)
}
