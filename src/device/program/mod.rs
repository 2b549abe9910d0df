//! Programs: the only thing that crosses from host to device.
//!
//! [`record`] is the wire format: plain structures that the host's `emit` writes and [`Program::from_bytes`] reads in place, so
//! the two cannot drift. What flows in is bytes that nobody has to trust; what flows out is a [`Program`], which exists only if
//! it can run: `check` has seen every number that the engine and the kernels rely on. Called by the engine, by the host's
//! sessions and by whoever inspects a program.
#![deny(clippy::as_conversions)]

#[cfg(target_endian = "big")]
compile_error!(
    "programs are little-endian and read in place: salto's device side needs a little-endian target"
);

mod align;
mod check;
mod crc;
mod embed;
mod error;
pub mod record;
mod seal;
mod step;
mod view;

pub use align::Aligned;
pub use crc::crc32;
pub use embed::{arena_len, is_intact};
pub use error::{BufferFault, PortFault, ProgramError, Section, StepFault};
pub use seal::seal;
pub use step::{Params, Step, Steps};
pub use view::{Port, Program};

/// A 32-bit number of the format as an index. On a target whose addresses are shorter, one that does not fit becomes an index
/// outside of everything, so that the check behind it refuses it.
fn index(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}
