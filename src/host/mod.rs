//! The host: makes programs. One direction, one function a stage:
//! `import → Graph → optimize → compile → memory → emit → bytes`.
//!
//! Features: `alloc` for the pipeline itself, `std` for importers, files and threads.

pub mod compile;
mod error;
pub mod graph;
#[cfg(feature = "std")]
pub mod import;
pub mod memory;
mod model;
pub mod optimize;
mod planes;
pub mod report;
mod session;
#[cfg(feature = "std")]
#[allow(
    unsafe_code,
    reason = "a closure of the caller's stack goes to other threads and back, with its proof"
)]
pub mod threads;

pub use error::{Error, ErrorKind, Result};
#[cfg(feature = "std")]
pub use model::LoadOptions;
pub use model::{Model, Port};
pub use session::{Session, SessionOptions};
