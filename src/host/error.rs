//! The one error type of the host: what is wrong, where, and what to do about it.

use alloc::boxed::Box;
use alloc::string::String;
use core::fmt;

/// What kind of thing went wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A file cannot be read or written.
    Io,
    /// A file is damaged, or not of the format that was expected.
    Format,
    /// An operator, attribute or type that salto does not support.
    Unsupported,
    /// A graph that contradicts itself: shapes, missing values, cycles.
    Invalid,
    /// An argument of the caller's: a shape, a name, an option.
    Argument,
    /// A limit: a tensor or an arena beyond what can be addressed or was allowed.
    Limit,
}

/// An error of the host side: kind, place (file, node, operator), reason and remedy.
///
/// Displays as one line, `file: node 'name' (Operator): reason; remedy`.
#[derive(Clone, PartialEq, Eq)]
pub struct Error(Box<Parts>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Parts {
    kind: ErrorKind,
    file: Option<String>,
    node: Option<(String, String)>,
    reason: String,
    remedy: Option<String>,
}

/// A result of the host side.
pub type Result<T, E = Error> = core::result::Result<T, E>;

impl Error {
    /// An error with its reason.
    pub fn new(kind: ErrorKind, reason: impl Into<String>) -> Self {
        Self(Box::new(Parts { kind, file: None, node: None, reason: reason.into(), remedy: None }))
    }

    /// A file that cannot be read or written.
    #[cfg(feature = "std")]
    pub fn io(error: &std::io::Error) -> Self {
        use std::io::ErrorKind as Io;
        let remedy = match error.kind() {
            Io::NotFound => "check the path",
            Io::PermissionDenied | Io::ReadOnlyFilesystem => "check the permissions",
            Io::IsADirectory | Io::NotADirectory => "name a file in a folder that exists",
            Io::StorageFull => "make room on the disk",
            _ => "check the path and the disk",
        };
        let reason = alloc::format!("{error}");
        // The operating system's number behind the words says nothing that they do not.
        let reason = reason.split(" (os error").next().unwrap_or(&reason).to_lowercase();
        Self::new(ErrorKind::Io, reason).remedy(remedy)
    }

    /// The same error, at a node; an inner place is kept.
    #[must_use]
    pub fn at_node(mut self, name: &str, operator: &str) -> Self {
        self.0.node.get_or_insert_with(|| (name.into(), operator.into()));
        self
    }

    /// The same error, in a file; an inner place is kept.
    #[must_use]
    pub fn in_file(mut self, file: impl fmt::Display) -> Self {
        self.0.file.get_or_insert_with(|| alloc::format!("{file}"));
        self
    }

    /// The same error, with what to do about it.
    #[must_use]
    pub fn remedy(mut self, remedy: impl Into<String>) -> Self {
        self.0.remedy.get_or_insert_with(|| remedy.into());
        self
    }

    /// What kind of thing went wrong.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The node's name, if a node is to blame.
    pub fn node(&self) -> Option<&str> {
        self.0.node.as_ref().map(|(name, _)| name.as_str())
    }

    /// The reason alone, without place and remedy.
    pub fn reason(&self) -> &str {
        &self.0.reason
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Parts { file, node, reason, remedy, .. } = &*self.0;
        if let Some(file) = file {
            write!(f, "{file}: ")?;
        }
        if let Some((name, operator)) = node {
            write!(f, "node '{name}' ({operator}): ")?;
        }
        f.write_str(reason)?;
        if let Some(remedy) = remedy {
            write!(f, "; {remedy}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl core::error::Error for Error {}
