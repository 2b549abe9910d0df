//! Files and standard output.

use std::fs;
use std::io::{self, ErrorKind as IoErrorKind, Write as _};
use std::path::{Path, PathBuf};

use salto::host::{Error, ErrorKind, Result};

/// Reads a whole file.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>> {
    let bytes = fs::read(path).map_err(|error| io_error(path, &error))?;
    if bytes.is_empty() {
        return Err(Error::new(ErrorKind::Format, "the file is empty").in_file(path.display()));
    }
    Ok(bytes)
}

/// Writes a file as a whole or not at all: beside its place first, then renamed.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    let beside = beside(path)
        .ok_or_else(|| Error::new(ErrorKind::Argument, "that is no file name").in_file(path.display()))?;
    let written = fs::File::create_new(&beside)
        .and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()))
        .and_then(|()| fs::rename(&beside, path));
    written.map_err(|error| {
        // It may not even exist; the first error is the one to tell.
        let _ = fs::remove_file(&beside);
        io_error(path, &error)
    })
}

/// Prints to standard output. A reader who has gone away (`| head`) has read enough.
pub(crate) fn print(text: &str) -> Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != IoErrorKind::BrokenPipe => Err(io_error(Path::new("stdout"), &error)),
        _ => Ok(()),
    }
}

/// Tells the user something beside the answer. Nobody may be there to hear it.
pub(crate) fn tell(text: &str) {
    let _ = writeln!(io::stderr(), "{text}");
}

/// A report as JSON.
pub(crate) fn json(report: &impl serde::Serialize) -> Result<String> {
    let text = serde_json::to_string_pretty(report);
    text.map(|text| text + "\n").map_err(|error| Error::new(ErrorKind::Invalid, format!("no JSON: {error}")))
}

/// A file that cannot be read or written.
pub(crate) fn io_error(path: &Path, error: &io::Error) -> Error {
    Error::io(error).in_file(path.display())
}

fn beside(path: &Path) -> Option<PathBuf> {
    let mut name = std::ffi::OsString::from(".");
    name.push(path.file_name()?);
    name.push(format!(".{}.part", std::process::id()));
    Some(path.with_file_name(name))
}
