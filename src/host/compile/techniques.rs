//! What the compiler does so that a network needs less memory, each technique on or off.

/// Techniques that save memory. All are on unless said otherwise; without them the network computes the same, in more memory.
///
/// ```
/// use salto::Model;
/// use salto::host::compile::{CompileOptions, Techniques};
/// use salto::host::graph::{Seeded, zoo};
///
/// let graph = zoo::resnet8(&zoo::Options::default(), Seeded::new(1))?;
/// let plain = CompileOptions::default().techniques(Techniques::NONE);
/// assert!(Model::from_graph_with(&graph, &plain)?.arena_len() > Model::from_graph(&graph)?.arena_len());
/// # Ok::<(), salto::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Techniques {
    /// Element-wise operators write over an operand that dies with them.
    pub in_place: bool,
    /// A convolution adds the skip that joins it, and the sum is written over the dying skip.
    pub fused_sum: bool,
    /// A normalisation or activation before convolutions is computed while these load their input, and is no tensor.
    pub pre_activation: bool,
    /// A concatenation is no tensor but a list of its parts, each of which lives as long as it is read.
    pub segments: bool,
    /// Of several orders of the nodes the one that needs the least is taken, else the graph's own.
    pub order: bool,
    /// Where memory is to be low, an output lies over rows of its input that are consumed.
    pub overlap: bool,
}

impl Techniques {
    /// Each tensor has memory of its own while it lives.
    pub const NONE: Self = Self {
        in_place: false,
        fused_sum: false,
        pre_activation: false,
        segments: false,
        order: false,
        overlap: false,
    };
    /// What the compiler does unless told otherwise.
    pub const ALL: Self = Self {
        in_place: true,
        fused_sum: true,
        pre_activation: true,
        segments: true,
        order: true,
        overlap: true,
    };

    /// The techniques one by one, each on top of those before it: what [`gains`](super::gains) measures. The last is [`Self::ALL`].
    pub const LADDER: [(&str, Self); 6] = [
        ("in place", Self { in_place: true, ..Self::NONE }),
        ("fused addition", Self { in_place: true, fused_sum: true, ..Self::NONE }),
        ("pre-activation while loading", Self { segments: false, order: false, overlap: false, ..Self::ALL }),
        ("segmented concatenation", Self { order: false, overlap: false, ..Self::ALL }),
        ("order of steps", Self { overlap: false, ..Self::ALL }),
        ("in/out overlap", Self::ALL),
    ];

    /// The passes of the optimiser that are left out.
    pub(super) fn passes_left_out(self) -> impl Iterator<Item = &'static str> {
        [
            (self.fused_sum, "fuse_residual"),
            (self.pre_activation, "fuse_pre_activation"),
            // A concatenation of concatenations stays one where each is a tensor.
            (self.segments, "flatten_concats"),
        ]
        .into_iter()
        .filter(|(is_on, _)| !is_on)
        .map(|(_, pass)| pass)
    }
}
