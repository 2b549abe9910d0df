//! How much memory a network may take: looked at before it is asked for.

use alloc::format;

use crate::host::{Error, ErrorKind, Result};

/// Limits what constants in memory, program and arena of a network take together, for a number of threads. Pictures and arrays that a program
/// runs on are not counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryLimit {
    /// The most bytes.
    pub bytes: u64,
    /// Threads that the arena is for; each has scratch of its own.
    pub threads: usize,
}

impl Default for MemoryLimit {
    /// 4 GiB on one thread.
    fn default() -> Self {
        Self { bytes: 4 << 30, threads: 1 }
    }
}

impl MemoryLimit {
    /// Is there room?
    ///
    /// # Errors
    /// If there is not; with both numbers, and what they consist of.
    pub fn check(&self, constants: u64, program: u64, arena: u64) -> Result<()> {
        let needed = constants.saturating_add(program).saturating_add(arena);
        if needed <= self.bytes {
            return Ok(());
        }
        let reason = format!(
            "it needs {needed} bytes of memory, allowed are {} (constants {constants}, program {program}, arena {arena} \
             for {} threads)",
            self.bytes, self.threads
        );
        Err(Error::new(ErrorKind::Limit, reason)
            .remedy("allow more with --max-memory, or take a smaller input or batch, or fewer threads"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn the_error_has_both_numbers() {
        let limit = MemoryLimit { bytes: 100, threads: 2 };
        assert_eq!(limit.check(20, 30, 50), Ok(()));
        let error = limit.check(20, 31, 50).unwrap_err().to_string();
        assert!(error.contains("needs 101 bytes") && error.contains("allowed are 100"), "{error}");
        assert!(limit.check(u64::MAX, 1, 1).is_err());
    }
}
