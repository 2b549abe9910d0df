//! Progress on a terminal.

use std::io::{self, IsTerminal as _, Write as _};

/// A line on stderr that counts runs; nothing where stderr is no terminal, or where there is but one.
#[derive(Debug)]
pub(crate) struct Progress {
    what: &'static str,
    total: usize,
    shown: bool,
}

impl Progress {
    pub(crate) fn new(what: &'static str, total: usize) -> Self {
        Self { what, total, shown: total > 1 && io::stderr().is_terminal() }
    }

    /// Shows that `done` are done.
    pub(crate) fn show(&self, done: usize) {
        if self.shown {
            // Progress that cannot be shown is no reason to stop.
            let _ = write!(io::stderr(), "\r{} {done}/{}", self.what, self.total);
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.shown {
            let width = self.what.len() + 2 * self.total.to_string().len() + 2;
            let _ = write!(io::stderr(), "\r{:width$}\r", "");
        }
    }
}
