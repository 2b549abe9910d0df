//! Element types.

/// The type of a tensor's elements. The numbers are those of the program format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum DType {
    /// 32-bit IEEE float.
    F32 = 0,
    /// 16-bit IEEE float; storage only, arithmetic is done in `f32`.
    F16 = 1,
    /// 8-bit signed integer, asymmetric quantisation for activations, symmetric for weights.
    I8 = 2,
    /// 8-bit unsigned integer (legacy quantised models).
    U8 = 3,
    /// 32-bit signed integer (biases and accumulators).
    I32 = 4,
    /// 64-bit signed integer (indices; host side shape arithmetic).
    I64 = 5,
}

impl DType {
    /// Bytes of one element.
    pub const fn bytes(self) -> usize {
        match self {
            Self::I8 | Self::U8 => 1,
            Self::F16 => 2,
            Self::F32 | Self::I32 => 4,
            Self::I64 => 8,
        }
    }

    /// Bytes of `len` elements; `None` if they do not fit 32 bits, as every length of a program must.
    pub const fn bytes_of(self, len: u32) -> Option<u32> {
        len.checked_mul(self.bytes() as u32)
    }

    /// The type with this number in the program format.
    pub const fn from_code(code: u8) -> Option<Self> {
        Some(match code {
            0 => Self::F32,
            1 => Self::F16,
            2 => Self::I8,
            3 => Self::U8,
            4 => Self::I32,
            5 => Self::I64,
            _ => return None,
        })
    }

    /// The type's name as numpy writes it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::F32 => "float32",
            Self::F16 => "float16",
            Self::I8 => "int8",
            Self::U8 => "uint8",
            Self::I32 => "int32",
            Self::I64 => "int64",
        }
    }
}
