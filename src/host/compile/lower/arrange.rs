//! Arrangements: transpositions, slices, padding and expansion as one formula, and their composition.

use alloc::vec::Vec;

use crate::device::kernel::params::RearrangeParams;
use crate::device::tensor::MAX_RANK;

/// A tensor made of another one's elements: element `o` is `input[base + Σ (o[axis] − low)·stride]` where `low ≤ o < high` on
/// every axis, else `fill`.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Arrangement {
    axes: Vec<Axis>,
    base: i64,
    fill: f32,
}

/// One axis of the result.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Axis {
    len: u32,
    low: u32,
    high: u32,
    stride: i64,
}

impl Arrangement {
    /// The tensor itself.
    pub(super) fn identity(dims: &[u32]) -> Self {
        let mut axes: Vec<Axis> =
            dims.iter().map(|&len| Axis { len, low: 0, high: len, stride: 1 }).collect();
        let mut stride = 1;
        for axis in axes.iter_mut().rev() {
            axis.stride = stride;
            stride *= i64::from(axis.len);
        }
        Self { axes, base: 0, fill: 0.0 }
    }

    /// Axis `i` of the result is axis `perm[i]` of this.
    pub(super) fn transposed(&self, perm: &[usize]) -> Self {
        Self { axes: perm.iter().map(|&axis| self.axes[axis]).collect(), ..*self }
    }

    /// Index `i` of the result is `start + i·step` of this on each axis.
    pub(super) fn sliced(&self, start: &[u32], len: &[u32], step: &[i32]) -> Self {
        let mut sliced = self.clone();
        for (axis, ((&start, &len), &step)) in sliced.axes.iter_mut().zip(start.iter().zip(len).zip(step)) {
            let (start, step) = (i64::from(start), i64::from(step));
            // The new indices whose old ones lie in [low, high): an interval, whichever way the step goes.
            let inside = |i: u32| {
                let old = start + i64::from(i) * step;
                i64::from(axis.low) <= old && old < i64::from(axis.high)
            };
            let low = (0..len).find(|&i| inside(i)).unwrap_or(len);
            let high = (low..len).find(|&i| !inside(i)).unwrap_or(len);
            if low < high {
                sliced.base += (start + i64::from(low) * step - i64::from(axis.low)) * axis.stride;
            }
            *axis = Axis { len, low, high, stride: axis.stride * step };
        }
        sliced
    }

    /// This with `value` around it; `None` if it has padding of another value already.
    pub(super) fn padded(&self, before: &[u32], after: &[u32], value: f32) -> Option<Self> {
        let has_padding = self.axes.iter().any(|axis| (axis.low, axis.high) != (0, axis.len));
        if has_padding && value.to_bits() != self.fill.to_bits() {
            return None;
        }
        let mut padded = Self { fill: value, ..self.clone() };
        for (axis, (before, after)) in padded.axes.iter_mut().zip(before.iter().zip(after)) {
            axis.len = axis.len.checked_add(*before)?.checked_add(*after)?;
            axis.low += before;
            axis.high += before;
        }
        Some(padded)
    }

    /// This repeated along the axes of length 1 to `dims` (as many axes).
    pub(super) fn expanded(&self, dims: &[u32]) -> Self {
        let mut expanded = self.clone();
        for (axis, &len) in expanded.axes.iter_mut().zip(dims) {
            if axis.len != len {
                *axis = Axis { len, low: 0, high: len, stride: 0 };
            }
        }
        expanded
    }

    /// The same elements in the same order with as few axes as possible: neighbours that are walked as one become one, so that
    /// the kernel's rows are long.
    fn merged(&self) -> Self {
        let mut axes: Vec<Axis> = Vec::new();
        for &axis in self.axes.iter().filter(|axis| **axis != Axis { len: 1, low: 0, high: 1, ..**axis }) {
            let is_full = |axis: &Axis| axis.low == 0 && axis.high == axis.len;
            match axes.last_mut() {
                Some(last)
                    if is_full(last)
                        && is_full(&axis)
                        && last.stride == axis.stride * i64::from(axis.len)
                        && last.len.checked_mul(axis.len).is_some() =>
                {
                    let len = last.len * axis.len;
                    *last = Axis { len, low: 0, high: len, stride: axis.stride };
                }
                _ => axes.push(axis),
            }
        }
        Self { axes, ..*self }
    }

    /// The kernel's parameters; `None` if a number does not fit.
    pub(super) fn params(&self, input_len: u32) -> Option<RearrangeParams> {
        let merged = self.merged();
        let unused = MAX_RANK.checked_sub(merged.axes.len())?;
        let mut params = RearrangeParams {
            input_len,
            base: u32::try_from(self.base).ok()?,
            dims: [1; MAX_RANK],
            low: [0; MAX_RANK],
            high: [1; MAX_RANK],
            stride: [0; MAX_RANK],
            fill: self.fill,
        };
        for (i, axis) in merged.axes.iter().enumerate() {
            let i = unused + i;
            (params.dims[i], params.low[i], params.high[i]) = (axis.len, axis.low, axis.high);
            // A stride that is never walked may be anything; 0 always fits.
            params.stride[i] = if axis.high - axis.low > 1 { i32::try_from(axis.stride).ok()? } else { 0 };
        }
        Some(params)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A tensor by its definition: dimensions and elements.
    #[derive(Clone, Debug, PartialEq)]
    struct Dense(Vec<u32>, Vec<f32>);

    impl Dense {
        fn made(dims: Vec<u32>, at: impl Fn(&[i64]) -> f32) -> Self {
            let len: u32 = dims.iter().product();
            let element = |mut i: u32| {
                let mut index = alloc::vec![0; dims.len()];
                for axis in (0..dims.len()).rev() {
                    index[axis] = i64::from(i % dims[axis]);
                    i /= dims[axis];
                }
                at(&index)
            };
            let data = (0..len).map(element).collect();
            Self(dims, data)
        }

        fn at(&self, index: &[i64]) -> Option<f32> {
            let mut place = 0;
            for (&i, &len) in index.iter().zip(&self.0) {
                if i < 0 || i >= i64::from(len) {
                    return None;
                }
                place = place * i64::from(len) + i;
            }
            Some(self.1[place as usize])
        }
    }

    fn applied(arrangement: &Arrangement, input: &[f32]) -> Dense {
        let dims = arrangement.axes.iter().map(|axis| axis.len).collect();
        let params = arrangement.params(input.len() as u32).unwrap();
        let made = Dense::made(params.dims.to_vec(), |index| {
            let mut place = i64::from(params.base);
            for (i, &o) in index.iter().enumerate() {
                if o < i64::from(params.low[i]) || o >= i64::from(params.high[i]) {
                    return params.fill;
                }
                place += (o - i64::from(params.low[i])) * i64::from(params.stride[i]);
            }
            input[place as usize]
        });
        Dense(dims, made.1)
    }

    #[test]
    fn axes_that_are_walked_as_one_become_one() {
        // [n, h, w, c] to [n, c, h, w]: rows and columns stay neighbours.
        let params = Arrangement::identity(&[2, 5, 7, 3]).transposed(&[0, 3, 1, 2]).params(210).unwrap();
        assert_eq!((params.dims, params.stride), ([1, 1, 1, 2, 3, 35], [0, 0, 0, 105, 1, 3]));
        assert_eq!(Arrangement::identity(&[1, 1, 1]).params(1).unwrap().dims, [1; MAX_RANK]);
    }

    #[test]
    fn chains_compose_to_what_the_operators_do_one_by_one() {
        let input: Vec<f32> = (0..2 * 3 * 4).map(|i| i as f32).collect();
        let start = Dense(alloc::vec![2, 3, 4], input.clone());
        let arrangement = Arrangement::identity(&start.0);

        let arrangement = arrangement.transposed(&[2, 0, 1]);
        let dense = Dense::made(alloc::vec![4, 2, 3], |i| start.at(&[i[1], i[2], i[0]]).unwrap());
        assert_eq!(applied(&arrangement, &input), dense);

        let arrangement = arrangement.padded(&[1, 0, 2], &[0, 1, 1], 9.0).unwrap();
        let before = dense;
        let dense =
            Dense::made(alloc::vec![5, 3, 6], |i| before.at(&[i[0] - 1, i[1], i[2] - 2]).unwrap_or(9.0));
        assert_eq!(applied(&arrangement, &input), dense);

        let arrangement = arrangement.sliced(&[4, 0, 1], &[3, 3, 3], &[-2, 1, 2]);
        let before = dense;
        let dense =
            Dense::made(alloc::vec![3, 3, 3], |i| before.at(&[4 - 2 * i[0], i[1], 1 + 2 * i[2]]).unwrap());
        assert_eq!(applied(&arrangement, &input), dense);
        assert_eq!(arrangement.padded(&[1, 0, 0], &[0, 0, 0], 0.0), None);
    }

    #[test]
    fn expansion_repeats_axes_of_length_one() {
        let expanded = Arrangement::identity(&[3, 1, 2]).expanded(&[3, 4, 2]);
        let dense = applied(&expanded, &[0.0, 1.0, 2.0, 3.0, 4.0, 5.0]);
        assert_eq!(dense, Dense::made(alloc::vec![3, 4, 2], |i| (i[0] * 2 + i[2]) as f32));
    }

    #[test]
    fn a_slice_of_nothing_but_padding_is_all_fill() {
        let padded = Arrangement::identity(&[2]).padded(&[3], &[0], 7.0).unwrap();
        assert_eq!(applied(&padded.sliced(&[0], &[2], &[1]), &[1.0, 2.0]).1, [7.0, 7.0]);
    }
}
