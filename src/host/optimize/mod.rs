//! Optimisation: rewrites of the graph that keep its answers and make them cheaper.
//!
//! Flows in and out: a [`Graph`]. Called between import and compile. A pass is a function that rewrites all it can find and
//! says whether it changed anything; [`optimize`] runs each stage to a fixed point before the next begins.
//!
//! | stage | pass | before | after | answers |
//! |---|---|---|---|---|
//! | tidy | [`fold_constants`] | any operator on constants | a constant | same bits as the portable kernels |
//! | | [`drop_identities`] | no-op reshape, slice, pad, transposition, `1·x + 0`, … | its operand | same bits |
//! | | [`drop_expansions`] | repetition along axes of length 1, function of two operands | the function | same bits |
//! | | [`simplify_moves`] | chains of reshapes and transpositions | one, later, or none (at the network's ports) | same bits |
//! | | [`permute_dense_columns`] | transposition, reshape, dense layer | reshape, dense layer | another order of one sum |
//! | | [`flatten_concats`] | concatenation of concatenations | one | same bits |
//! | | [`absorb_padding`] | zero padding, convolution | convolution | same bits |
//! | | [`express_as_affine`] | batch normalisation; `x + c`, `x · c`, … of each channel | affine | rounding of the constants |
//! | | [`recognise_activations`] | `x · sigmoid(x)`, `max(x, 0)`, GELU spelled out, … | one activation | rounding of the function |
//! | | [`recognise_normalization`] | `(x − mean) / √(variance + ε)` | normalisation | rounding of the sums |
//! | | [`fold_affine`] | convolution or dense layer, affine; two affines | one | rounding of the constants |
//! | fuse | [`recognise_gates`] | `t · h + (1 − t) · x` | `x + t · (h − x)` | rounding of the sum |
//! | | [`fuse_activation`] | operator, activation | operator | same bits |
//! | | [`fuse_residual`] | convolution, addition | convolution with residual | same bits |
//! | load | [`fuse_pre_activation`] | affine or activation read by convolutions | convolutions with prologue | one rounding (FMA) |
//! | share | [`merge_constants`] | equal constants | one | same bits |
//!
//! Not every operator of the graph has a kernel: [`legalize`] expresses those that have none by others. Compile always runs it,
//! whether or not it optimises.
//!
//! "Rounding of the constants": each new constant is computed in `f64` and rounded once, so that every product of the sum
//! changes by one part in 2²⁴ at most. No pass makes or removes an output of the network, and outputs keep their names.

mod absorb_padding;
mod drop_expansions;
mod drop_identities;
mod express_as_affine;
mod flatten_concats;
mod fold_affine;
mod fold_constants;
mod fuse_activation;
mod fuse_pre_activation;
mod fuse_residual;
mod merge_constants;
mod permute_dense_columns;
mod recognise_activations;
mod recognise_gates;
mod recognise_normalization;
mod rewrite;
mod simplify_moves;
#[cfg(test)]
mod tests;

pub use absorb_padding::absorb_padding;
pub use drop_expansions::drop_expansions;
pub use drop_identities::drop_identities;
pub use express_as_affine::{express_as_affine, legalize};
pub use flatten_concats::flatten_concats;
pub use fold_affine::fold_affine;
pub use fold_constants::fold_constants;
pub use fuse_activation::fuse_activation;
pub use fuse_pre_activation::fuse_pre_activation;
pub use fuse_residual::fuse_residual;
pub use merge_constants::merge_constants;
pub use permute_dense_columns::permute_dense_columns;
pub use recognise_activations::recognise_activations;
pub use recognise_gates::recognise_gates;
pub use recognise_normalization::recognise_normalization;
pub use simplify_moves::simplify_moves;

use alloc::vec::Vec;

use super::Result;
use super::graph::Graph;

/// A rewrite of the whole graph; `true` if it changed anything.
pub type Pass = fn(&mut Graph) -> Result<bool>;

/// The stages in their order, each a list of passes with their names.
pub const STAGES: &[&[(&str, Pass)]] = &[
    &[
        ("fold_constants", fold_constants),
        ("drop_identities", drop_identities),
        ("drop_expansions", drop_expansions),
        ("simplify_moves", simplify_moves),
        ("permute_dense_columns", permute_dense_columns),
        ("flatten_concats", flatten_concats),
        ("absorb_padding", absorb_padding),
        ("express_as_affine", express_as_affine),
        ("recognise_activations", recognise_activations),
        ("recognise_normalization", recognise_normalization),
        ("fold_affine", fold_affine),
    ],
    &[
        ("recognise_gates", recognise_gates),
        ("fuse_activation", fuse_activation),
        ("fuse_residual", fuse_residual),
    ],
    &[("fuse_pre_activation", fuse_pre_activation)],
    &[("merge_constants", merge_constants)],
];

/// Runs all passes, stage by stage, each stage until nothing changes any more; then removes what no output needs.
///
/// # Errors
/// If the graph contradicts itself.
pub fn optimize(graph: &mut Graph) -> Result<()> {
    optimize_without(graph, [])
}

/// As [`optimize`], without the passes of these names.
///
/// # Errors
/// If the graph contradicts itself.
pub fn optimize_without<'n>(graph: &mut Graph, names: impl IntoIterator<Item = &'n str>) -> Result<()> {
    let names: Vec<&str> = names.into_iter().collect();
    for stage in STAGES {
        let passes: Vec<_> = stage.iter().filter(|(name, _)| !names.contains(name)).copied().collect();
        // Every rewrite removes a node or moves one nearer to the outputs, so this ends.
        while run_all(&passes, graph)? {}
    }
    graph.prune()
}

fn run_all(passes: &[(&str, Pass)], graph: &mut Graph) -> Result<bool> {
    passes.iter().try_fold(false, |changed, (_, pass)| Ok(changed | pass(graph)?))
}
