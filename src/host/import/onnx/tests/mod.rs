//! Import of small models, family by family, against what the graph should hold and compute.

mod dense;
mod layout;
mod network;
mod refusal;
mod robustness;
mod shape;
mod sketch;
mod spatial;
