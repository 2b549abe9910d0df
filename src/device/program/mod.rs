//! Programs: the only thing that crosses from host to device.
//!
//! [`record`] is the wire format: plain structures that the host's `emit` writes and [`Program::from_bytes`] reads in place, so
//! the two cannot drift.

pub mod record;
