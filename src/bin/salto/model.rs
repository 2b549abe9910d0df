//! Networks from files.

use std::path::Path;

use salto::device::program::Program;
use salto::device::program::record::MAGIC;
use salto::host::import::onnx::{ImportOptions, import_file};
use salto::host::report::Inspection;
use salto::host::{Error, ErrorKind, Model, Result};

use crate::args::{Inspect, Network};
use crate::{answer, files};

/// Reads a network and compiles it, unless it is a program already.
pub(crate) fn load(network: &Network) -> Result<Model> {
    let Network { path, shapes } = network;
    let bytes = files::read(path)?;
    if MAGIC.starts_with(&bytes[..bytes.len().min(MAGIC.len())]) {
        if !shapes.is_empty() {
            let reason = "the shapes of a program are fixed; --shape is for .onnx files";
            return Err(Error::new(ErrorKind::Argument, reason).in_file(path.display()));
        }
        return Model::from_program(&bytes).map_err(|error| error.in_file(path.display()));
    }
    refuse_other_formats(path, &bytes)?;
    let options = ImportOptions { shapes: shapes.clone(), ..ImportOptions::default() };
    let graph = import_file(path, &options)?;
    Model::from_graph(&graph).map_err(|error| error.in_file(path.display()))
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
    let program = Program::from_bytes(model.program_bytes())
        .map_err(|error| Error::new(ErrorKind::Format, format!("no program: {error}")))?;
    Ok(Inspection::new(&program))
}

/// `salto inspect`
pub(crate) fn inspect(arguments: &Inspect) -> Result<String> {
    let inspection = inspection(&load(&arguments.network)?)?;
    answer(arguments.json, || inspection.to_string(), &inspection)
}
