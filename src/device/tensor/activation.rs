//! Element functions that a kernel may apply to its result (or to its input, before padding).

use bytemuck::{Pod, Zeroable};

/// Which element function. The numbers are those of the program format; `a` and `b` are [`Activation`]'s parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u32)]
pub enum ActivationKind {
    /// `x`
    Identity = 0,
    /// `max(0, x)`
    Relu = 1,
    /// `min(max(x, a), b)`
    Clip = 2,
    /// `x < 0 ? a·x : x`
    LeakyRelu = 3,
    /// `1 / (1 + e^−x)`
    Sigmoid = 4,
    /// `tanh x`
    Tanh = 5,
    /// `min(max(a·x + b, 0), 1)`
    HardSigmoid = 6,
    /// `x · min(max(x/6 + 1/2, 0), 1)`
    HardSwish = 7,
    /// `x < 0 ? a·(e^x − 1) : x`
    Elu = 8,
    /// `b · (x < 0 ? a·(e^x − 1) : x)`
    Selu = 9,
    /// `x · sigmoid(x)` (swish)
    Silu = 10,
    /// `x/2 · (1 + erf(x/√2))`
    Gelu = 11,
    /// `x/2 · (1 + tanh(√(2/π)·(x + 0.044715·x³)))`
    GeluTanh = 12,
    /// `ln(1 + e^x)`
    Softplus = 13,
    /// `x · tanh(softplus(x))`
    Mish = 14,
    /// `e^x`
    Exp = 15,
    /// `ln x`
    Log = 16,
    /// `√x`
    Sqrt = 17,
    /// `|x|`
    Abs = 18,
    /// `−x`
    Neg = 19,
    /// `1/x`
    Reciprocal = 20,
    /// `erf x`
    Erf = 21,
    /// `⌊x⌋`
    Floor = 22,
    /// `⌈x⌉`
    Ceil = 23,
    /// `x / (1 + |x|)`
    Softsign = 24,
    /// −1, 0 or 1
    Sign = 25,
    /// The nearest whole number, ½ to the even one
    Round = 26,
    /// `x > a ? x : 0`
    ThresholdedRelu = 27,
    /// `x < −a ? x + b : x > a ? x − b : 0`
    Shrink = 28,
}

impl ActivationKind {
    /// All kinds, in the order of their numbers.
    pub const ALL: [Self; 29] = [
        Self::Identity,
        Self::Relu,
        Self::Clip,
        Self::LeakyRelu,
        Self::Sigmoid,
        Self::Tanh,
        Self::HardSigmoid,
        Self::HardSwish,
        Self::Elu,
        Self::Selu,
        Self::Silu,
        Self::Gelu,
        Self::GeluTanh,
        Self::Softplus,
        Self::Mish,
        Self::Exp,
        Self::Log,
        Self::Sqrt,
        Self::Abs,
        Self::Neg,
        Self::Reciprocal,
        Self::Erf,
        Self::Floor,
        Self::Ceil,
        Self::Softsign,
        Self::Sign,
        Self::Round,
        Self::ThresholdedRelu,
        Self::Shrink,
    ];

    /// The kind with this number in the program format.
    pub const fn from_code(code: u32) -> Option<Self> {
        if (code as usize) < Self::ALL.len() { Some(Self::ALL[code as usize]) } else { None }
    }
}

/// An element function with its parameters.
#[derive(Clone, Copy, Debug, PartialEq, Pod, Zeroable)]
#[repr(C)]
pub struct Activation {
    /// The number of an [`ActivationKind`]; [`Activation::kind`] reads it.
    pub code: u32,
    /// First parameter; 0 where the kind has none.
    pub a: f32,
    /// Second parameter; 0 where the kind has none.
    pub b: f32,
}

impl Activation {
    /// `x`
    pub const IDENTITY: Self = Self::new(ActivationKind::Identity, 0.0, 0.0);
    /// `max(0, x)`
    pub const RELU: Self = Self::new(ActivationKind::Relu, 0.0, 0.0);
    /// `min(max(x, 0), 6)`
    pub const RELU6: Self = Self::new(ActivationKind::Clip, 0.0, 6.0);
    /// `1 / (1 + e^−x)`
    pub const SIGMOID: Self = Self::new(ActivationKind::Sigmoid, 0.0, 0.0);

    /// A function with its parameters.
    pub const fn new(kind: ActivationKind, a: f32, b: f32) -> Self {
        Self { code: kind as u32, a, b }
    }

    /// A function without parameters.
    pub const fn plain(kind: ActivationKind) -> Self {
        Self::new(kind, 0.0, 0.0)
    }

    /// Which function; `None` if the number is unknown (only possible in bytes that were not checked).
    pub const fn kind(&self) -> Option<ActivationKind> {
        ActivationKind::from_code(self.code)
    }

    /// Is it `x`?
    pub const fn is_identity(&self) -> bool {
        self.code == ActivationKind::Identity as u32
    }
}
