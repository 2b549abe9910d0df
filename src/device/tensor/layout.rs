//! The order of a model's tensors.

/// How a model orders a four-dimensional input or output; the program stores `[n, h, w, c]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u32)]
pub enum ModelLayout {
    /// As stored.
    AsStored = 0,
    /// `[n, c, h, w]`, as ONNX and PyTorch do.
    ChannelsFirst = 1,
}

impl ModelLayout {
    /// The layout with this number in the program format.
    pub const fn from_code(code: u32) -> Option<Self> {
        match code {
            0 => Some(Self::AsStored),
            1 => Some(Self::ChannelsFirst),
            _ => None,
        }
    }
}
