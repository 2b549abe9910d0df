//! Sums over sixteen virtual lanes in an order that no SIMD level changes.
//!
//! Flows in: lanes; flows out: one sum a lane, or all lanes joined. Called by the kernels that reduce a whole axis.

use crate::device::simd::{LANES, Simd, View};

/// Terms (of each lane) that are added up in one chain.
const CHAIN: usize = 64;

/// Sixteen lanes' sums in `f32`, chain by chain: a chain's sum is added to the total once it has [`CHAIN`] terms.
#[derive(Clone, Copy, Debug)]
pub(super) struct ChainedSum<S: Simd> {
    total: S::F32,
    chain: S::F32,
    terms: usize,
}

impl<S: Simd> ChainedSum<S> {
    /// No term yet.
    #[inline(always)]
    pub(super) fn new(s: S) -> Self {
        Self { total: s.splat(0.0), chain: s.splat(0.0), terms: 0 }
    }

    /// Adds a term to each lane.
    #[inline(always)]
    pub(super) fn add(&mut self, s: S, x: S::F32) {
        self.chain = s.add(self.chain, x);
        self.terms += 1;
        if self.terms == CHAIN {
            self.total = s.add(self.total, self.chain);
            self.chain = s.splat(0.0);
            self.terms = 0;
        }
    }

    /// The sum of each lane.
    #[inline(always)]
    pub(super) fn finish(self, s: S) -> S::F32 {
        s.add(self.total, self.chain)
    }
}

/// `count` lanes from `i` on, the others `other`.
#[inline(always)]
pub(super) fn load_or<S: Simd>(s: S, x: View<'_, f32>, i: usize, count: usize, other: f32) -> S::F32 {
    if count == LANES {
        return x.load(s, i);
    }
    let part = x.range(i, count);
    s.lanes(core::array::from_fn(|lane| if lane < count { part.get(lane) } else { other }))
}

/// The lanes joined in pairs: `i + 8`, `i + 4`, `i + 2`, `i + 1`.
#[inline(always)]
pub(super) fn joined<S: Simd>(s: S, x: S::F32, join: impl Fn(f32, f32) -> f32) -> f32 {
    let mut lanes = s.to_array(x);
    let mut half = LANES / 2;
    while half > 0 {
        for lane in 0..half {
            lanes[lane] = join(lanes[lane], lanes[lane + half]);
        }
        half /= 2;
    }
    lanes[0]
}
