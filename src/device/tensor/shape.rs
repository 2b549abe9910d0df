//! Shapes of rank 0 to 6.

use core::fmt;

/// The largest rank that a tensor may have.
pub const MAX_RANK: usize = 6;

/// A shape of rank 0 to 6 in storage order. Rank 4 is `[n, h, w, c]`.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Shape {
    rank: u8,
    dims: [u32; MAX_RANK],
}

impl Shape {
    /// The shape of a scalar.
    pub const SCALAR: Self = Self { rank: 0, dims: [1; MAX_RANK] };

    /// A shape from its dimensions; `None` if there are more than [`MAX_RANK`].
    pub const fn new(dims: &[u32]) -> Option<Self> {
        if dims.len() > MAX_RANK {
            return None;
        }
        let mut shape = Self::SCALAR;
        let mut axis = 0;
        while axis < dims.len() {
            shape.dims[axis] = dims[axis];
            axis += 1;
        }
        shape.rank = dims.len() as u8;
        Some(shape)
    }

    /// The shape `[n, h, w, c]`.
    pub const fn nhwc(n: u32, h: u32, w: u32, c: u32) -> Self {
        Self { rank: 4, dims: [n, h, w, c, 1, 1] }
    }

    /// The shape `[rows, columns]`.
    pub const fn matrix(rows: u32, columns: u32) -> Self {
        Self { rank: 2, dims: [rows, columns, 1, 1, 1, 1] }
    }

    /// The shape `[len]`.
    pub const fn vector(len: u32) -> Self {
        Self { rank: 1, dims: [len, 1, 1, 1, 1, 1] }
    }

    /// The number of dimensions.
    pub const fn rank(&self) -> usize {
        self.rank as usize
    }

    /// The dimensions.
    pub fn dims(&self) -> &[u32] {
        &self.dims[..self.rank()]
    }

    /// The number of elements; `None` if it does not fit 32 bits.
    pub const fn checked_len(&self) -> Option<u32> {
        let mut len = 1u32;
        let mut axis = 0;
        while axis < self.rank as usize {
            len = match len.checked_mul(self.dims[axis]) {
                Some(len) => len,
                None => return None,
            };
            axis += 1;
        }
        Some(len)
    }

    /// The number of elements, saturated at `u32::MAX`.
    pub const fn len(&self) -> u32 {
        match self.checked_len() {
            Some(len) => len,
            None => u32::MAX,
        }
    }

    /// Does the shape hold no element?
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl fmt::Debug for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Shape {
    /// Writes `1×32×32×3`, and `scalar` for rank 0.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.rank == 0 {
            return f.write_str("scalar");
        }
        for (axis, dim) in self.dims().iter().enumerate() {
            if axis > 0 {
                f.write_str("×")?;
            }
            write!(f, "{dim}")?;
        }
        Ok(())
    }
}
