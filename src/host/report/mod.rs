//! Reports: what a program computes, what that costs, and what lives in its RAM when and why.
//!
//! What flows in is a [`Program`](crate::device::program::Program), wherever it came from; what flows out is plain structures
//! (serialisable with the feature `cli`) that display as text tables. Called by the command line and by whoever wants the figures.

mod buffers;
mod inspection;
mod layer;
mod memory;
#[cfg(feature = "std")]
mod peak;
mod table;
mod units;

#[cfg(test)]
mod tests;

pub use buffers::{BufferReport, Skip, StepReport};
pub use inspection::{Inspection, PortReport};
pub use layer::Layer;
pub use memory::{MemoryReport, Peak, Resident};
#[cfg(feature = "std")]
pub use peak::peak_gflop_per_second;
pub use table::{Align, Table};
pub use units::{Bytes, Count};
