//! Output files: opened before any work, written at its end, and whole or not there at all.
//!
//! A regular file is written beside its place, as `.NAME.PID.part`, and renamed onto it when everything is written. A pipe or a
//! device has no place to rename onto: it is written through. A symbolic link stays, what it points to is written. Where the user
//! interrupts, or the system ends the process, unfinished files are removed first.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, Once, PoisonError};

use salto::host::{Error, ErrorKind, Result};

use crate::files::io_error;

/// The most symbolic links that lead to one file.
const MAX_LINKS: usize = 40;

/// Extensions of networks, which an output of another kind must not replace.
const NETWORKS: [&str; 3] = ["onnx", "tflite", "salto"];

/// The exit status of a process that was interrupted, as shells have it: 128 and the signal's number.
const INTERRUPTED: i32 = 130;

/// Files that are to be renamed or removed before the process ends.
static PARTS: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

/// An output that is open. Until it is [committed](commit), its place is as it was.
#[derive(Debug)]
pub(crate) struct Output {
    /// As the user named it.
    path: PathBuf,
    /// Where it is to stand, symbolic links followed.
    place: PathBuf,
    /// The file that is renamed at the end; none if it is written through.
    part: Option<PathBuf>,
    file: File,
}

impl Output {
    /// Opens an output that must be none of `inputs`; of a network's file names it may bear those with the extension `own`.
    pub(crate) fn create(path: &Path, own: &str, inputs: &[PathBuf]) -> Result<Self> {
        let in_file = |error: Error| error.in_file(path.display());
        check_extension(path, own).map_err(in_file)?;
        if inputs.iter().any(|input| is_same(path, input)) {
            let reason = "the output would replace a file that is read";
            return Err(in_file(Error::new(ErrorKind::Argument, reason).remedy("give it another name")));
        }
        Self::open(path).map_err(|error| io_error(path, &error))
    }

    fn open(path: &Path) -> io::Result<Self> {
        let metadata = fs::metadata(path).ok();
        let is_written_through = metadata.as_ref().is_some_and(|data| !data.is_file() && !data.is_dir());
        if is_written_through {
            let file = File::options().write(true).open(path)?;
            return Ok(Self { path: path.into(), place: path.into(), part: None, file });
        }
        let place = resolve(path)?;
        if metadata.as_ref().is_some_and(fs::Metadata::is_dir) {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        if metadata.as_ref().is_some_and(|data| data.permissions().readonly()) {
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        let part = beside(&place).ok_or(io::ErrorKind::IsADirectory)?;
        remember(&part);
        let output = Self { path: path.into(), file: File::create_new(&part)?, part: Some(part), place };
        if let Some(data) = metadata {
            output.file.set_permissions(data.permissions())?;
        }
        Ok(output)
    }

    /// Writes all of it beside its place; [`commit`] moves it there.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<()> {
        let written = self.file.write_all(bytes).and_then(|()| match self.part {
            Some(_) => self.file.sync_all(),
            None => self.file.flush(),
        });
        written.map_err(|error| io_error(&self.path, &error))
    }

    /// As the user named it.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        if let Some(part) = &self.part {
            // An output that failed has told its error already.
            let _ = fs::remove_file(part);
            forget(part);
        }
    }
}

/// Puts outputs that are written to their places.
pub(crate) fn commit(outputs: impl IntoIterator<Item = Output>) -> Result<()> {
    for mut output in outputs {
        if let Some(part) = &output.part {
            fs::rename(part, &output.place).map_err(|error| io_error(&output.path, &error))?;
            forget(part);
            output.part = None;
        }
    }
    Ok(())
}

/// Sees to it that a file does not outlive an interrupted process.
fn remember(part: &Path) {
    static HANDLER: Once = Once::new();
    HANDLER.call_once(|| {
        // Without a handler the process ends as ever, and leaves the file.
        let _ = ctrlc::set_handler(|| {
            // The lock is kept: nobody opens another file before the process ends.
            let parts = PARTS.lock().unwrap_or_else(PoisonError::into_inner);
            for part in parts.iter() {
                let _ = fs::remove_file(part);
            }
            std::process::exit(INTERRUPTED);
        });
    });
    PARTS.lock().unwrap_or_else(PoisonError::into_inner).push(part.into());
}

/// A file has been renamed or removed.
fn forget(part: &Path) {
    PARTS.lock().unwrap_or_else(PoisonError::into_inner).retain(|other| other != part);
}

/// Are both names the same file?
pub(crate) fn is_same(a: &Path, b: &Path) -> bool {
    let real = |path: &Path| {
        let place = resolve(path).ok()?;
        let folder = match place.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        Some(folder.canonicalize().ok()?.join(place.file_name()?))
    };
    is_linked(a, b) || real(a).zip(real(b)).is_some_and(|(a, b)| a == b)
}

/// Are both names links to the same regular file?
#[cfg(unix)]
fn is_linked(a: &Path, b: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    let data = |path: &Path| fs::metadata(path).ok().filter(fs::Metadata::is_file);
    let id = |path: &Path| data(path).map(|data| (data.dev(), data.ino()));
    id(a).zip(id(b)).is_some_and(|(a, b)| a == b)
}

#[cfg(not(unix))]
fn is_linked(_: &Path, _: &Path) -> bool {
    false
}

/// Follows symbolic links to the place of a file that may not exist.
fn resolve(path: &Path) -> io::Result<PathBuf> {
    let mut place = path.to_path_buf();
    for _ in 0..MAX_LINKS {
        match fs::read_link(&place) {
            Ok(target) => place = place.parent().unwrap_or(Path::new("")).join(target),
            Err(_) => return Ok(place),
        }
    }
    Err(io::Error::other("too many symbolic links"))
}

/// Refuses a name that says that the file is something else.
fn check_extension(path: &Path, own: &str) -> Result<()> {
    let extension = path.extension().and_then(|extension| extension.to_str()).map(str::to_lowercase);
    match extension {
        Some(extension) if extension != own && NETWORKS.contains(&extension.as_str()) => {
            let reason = format!("the output is no .{extension} file");
            Err(Error::new(ErrorKind::Argument, reason).remedy(format!("name it OUT.{own}")))
        }
        _ => Ok(()),
    }
}

fn beside(path: &Path) -> Option<PathBuf> {
    let mut name = std::ffi::OsString::from(".");
    name.push(path.file_name()?);
    name.push(format!(".{}.part", std::process::id()));
    Some(path.with_file_name(name))
}
