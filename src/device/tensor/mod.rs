//! Tensors: element types, shapes, windows, places in memory, activations. Plain numbers, no data.
//!
//! Every other room speaks in these types. Four-dimensional activations are stored as `[n, h, w, c]`; every other rank
//! (0 to 6) keeps the model's own order.

mod activation;
mod dtype;
mod element;
mod extent;
mod layout;
mod rows;
mod shape;
mod window;

pub use activation::{Activation, ActivationKind};
pub use dtype::DType;
pub use element::Element;
pub use extent::Extent;
pub use layout::ModelLayout;
pub use rows::{Rows, Segment};
pub use shape::{MAX_RANK, Shape};
pub use window::{Axis, Window};
