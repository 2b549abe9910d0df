//! Files and standard output.

use std::fs;
use std::io::{self, ErrorKind as IoErrorKind, Read as _, Write as _};
use std::path::Path;

use salto::host::{Error, ErrorKind, Result};

/// Reads a whole file.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>> {
    let bytes = fs::read(path).map_err(|error| io_error(path, &error))?;
    if bytes.is_empty() {
        return Err(Error::new(ErrorKind::Format, "the file is empty").in_file(path.display()));
    }
    Ok(bytes)
}

/// Does the file begin with these bytes?
pub(crate) fn begins_with(path: &Path, magic: &[u8]) -> Result<bool> {
    let mut first = Vec::new();
    let file = fs::File::open(path);
    let read = file.and_then(|file| file.take(magic.len() as u64).read_to_end(&mut first));
    read.map_err(|error| io_error(path, &error))?;
    Ok(first == magic)
}

/// Refuses a pipe or a device, which may never end; what is not there is for the reader to tell.
pub(crate) fn check_regular(path: &Path) -> Result<()> {
    match fs::metadata(path) {
        Ok(data) if !data.is_file() && !data.is_dir() => {
            let error = Error::new(ErrorKind::Argument, "it is a pipe or a device, no regular file");
            Err(error.in_file(path.display()).remedy("save it to a file first"))
        }
        _ => Ok(()),
    }
}

/// The well-known format of a file that is none of those salto takes, by its first bytes.
pub(crate) fn format_of(bytes: &[u8]) -> Option<&'static str> {
    Some(match bytes {
        [0x89, b'P', b'N', b'G', ..] => "a PNG picture",
        [0xff, 0xd8, 0xff, ..] => "a JPEG picture",
        [b'B', b'M', ..] => "a BMP picture",
        [b'G', b'I', b'F', b'8', ..] => "a GIF picture",
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => "a WebP picture",
        [b'I', b'I', 42, 0, ..] | [b'M', b'M', 0, 42, ..] => "a TIFF picture",
        [_, _, _, _, b'f', b't', b'y', b'p', b'a', b'v', b'i', b'f', ..] => "an AVIF picture",
        [_, _, _, _, b'f', b't', b'y', b'p', b'h', b'e', ..] => "a HEIC picture",
        [b'%', b'P', b'D', b'F', ..] => "a PDF document",
        _ => return None,
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
