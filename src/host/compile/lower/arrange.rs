//! Arrangements: transpositions, slices, padding, expansion and reshapes between them as one formula, and their composition.

use alloc::vec::Vec;

use crate::device::kernel::params::{Beyond, RearrangeParams};
use crate::device::tensor::MAX_RANK;

/// A tensor made of another one's elements, as [`RearrangeParams`] says. A dimension is a list of axes, the last fastest: after
/// a reshape, several steps through the root may make up one dimension.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Arrangement {
    dims: Vec<Vec<Axis>>,
    base: i64,
    fill: f32,
}

/// A step through the root.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Axis {
    len: u32,
    low: u32,
    high: u32,
    stride: i64,
    beyond: Beyond,
}

impl Axis {
    /// An axis without anything beyond.
    const fn whole(len: u32, stride: i64) -> Self {
        Self { len, low: 0, high: len, stride, beyond: Beyond::Fill }
    }

    const fn is_whole(&self) -> bool {
        self.low == 0 && self.high == self.len
    }

    /// Does a step of `self` lead as far as all of `inner`?
    fn continues(&self, inner: &Self) -> bool {
        let is_one_run = self.stride == inner.stride * i64::from(inner.len);
        self.is_whole() && inner.is_whole() && is_one_run && self.len.checked_mul(inner.len).is_some()
    }
}

impl Arrangement {
    /// The tensor itself.
    pub(super) fn identity(dims: &[u32]) -> Self {
        let mut axes: Vec<Vec<Axis>> = Vec::new();
        let mut stride = 1;
        for &len in dims.iter().rev() {
            axes.push([Axis::whole(len, stride)].into());
            stride *= i64::from(len);
        }
        axes.reverse();
        Self { dims: axes, base: 0, fill: 0.0 }
    }

    /// Dimension `i` of the result is dimension `perm[i]` of this.
    pub(super) fn transposed(&self, perm: &[usize]) -> Self {
        Self { dims: perm.iter().map(|&axis| self.dims[axis].clone()).collect(), ..*self }
    }

    /// The same elements in the same order with other dimensions; `None` if an axis would have to be cut inside its padding.
    pub(super) fn reshaped(&self, dims: &[u32]) -> Option<Self> {
        let mut axes = run_together(self.dims.iter().flatten());
        axes.reverse();
        let mut reshaped = Vec::new();
        for &dim in dims {
            let mut group = Vec::new();
            let mut rest = dim;
            while rest > 1 {
                let axis = axes.pop()?;
                if rest.is_multiple_of(axis.len) {
                    rest /= axis.len;
                    group.push(axis);
                } else if axis.is_whole() && axis.len.is_multiple_of(rest) {
                    let inner = axis.len / rest;
                    group.push(Axis::whole(rest, axis.stride * i64::from(inner)));
                    axes.push(Axis::whole(inner, axis.stride));
                    rest = 1;
                } else {
                    return None;
                }
            }
            reshaped.push(group);
        }
        // What is left has one element: a dimension of length 1 may still be padding as a whole.
        while let Some(axis) = axes.pop() {
            reshaped.last_mut()?.push(axis);
        }
        Some(Self { dims: reshaped, ..*self })
    }

    /// Index `i` of the result is `start + i·step` of this on each dimension; `None` if it takes a part of a dimension that is
    /// not one axis, or steps through what lies beyond one.
    pub(super) fn sliced(&self, start: &[u32], len: &[u32], step: &[i32]) -> Option<Self> {
        let mut sliced = self.clone();
        for (dim, ((&start, &len), &step)) in sliced.dims.iter_mut().zip(start.iter().zip(len).zip(step)) {
            if (start, step) == (0, 1) && len == total(dim) {
                continue;
            }
            let axis = single(dim)?;
            let (taken, skipped) = part(&axis, start, len, step)?;
            sliced.base += skipped * axis.stride;
            *dim = [taken].into();
        }
        Some(sliced)
    }

    /// This with something around it; `None` if a dimension has padding of another kind already, or the whole another value.
    pub(super) fn padded(&self, before: &[u32], after: &[u32], beyond: Beyond, value: f32) -> Option<Self> {
        let mut padded = self.clone();
        if beyond == Beyond::Fill {
            let has_fill = |axis: &Axis| !axis.is_whole() && axis.beyond == Beyond::Fill;
            if self.dims.iter().flatten().any(has_fill) && value.to_bits() != self.fill.to_bits() {
                return None;
            }
            padded.fill = value;
        }
        for (dim, (&before, &after)) in padded.dims.iter_mut().zip(before.iter().zip(after)) {
            if (before, after) == (0, 0) {
                continue;
            }
            let axis = single(dim)?;
            if !(axis.is_whole() || (beyond == Beyond::Fill && axis.beyond == Beyond::Fill)) {
                return None;
            }
            let len = axis.len.checked_add(before)?.checked_add(after)?;
            let repeats = beyond != Beyond::Fill && axis.len == 1;
            *dim = [if repeats {
                Axis::whole(len, 0)
            } else {
                Axis { len, low: axis.low + before, high: axis.high + before, beyond, ..axis }
            }]
            .into();
        }
        Some(padded)
    }

    /// This repeated along the dimensions of length 1 to `dims` (as many).
    pub(super) fn expanded(&self, dims: &[u32]) -> Option<Self> {
        let after: Option<Vec<u32>> =
            self.dims.iter().zip(dims).map(|(own, len)| len.checked_sub(total(own))).collect();
        let before: Vec<u32> = dims.iter().map(|_| 0).collect();
        self.padded(&before, &after?, Beyond::Edge, 0.0)
    }

    /// The kernel's parameters; `None` if a number does not fit.
    pub(super) fn params(&self, input_len: u32) -> Option<RearrangeParams> {
        let axes = run_together(self.dims.iter().flatten());
        let unused = MAX_RANK.checked_sub(axes.len())?;
        let mut params = RearrangeParams {
            input_len,
            base: u32::try_from(self.base).ok()?,
            dims: [1; MAX_RANK],
            low: [0; MAX_RANK],
            high: [1; MAX_RANK],
            stride: [0; MAX_RANK],
            beyond: [Beyond::Fill as u32; MAX_RANK],
            fill: self.fill,
        };
        for (i, axis) in axes.iter().enumerate() {
            let i = unused + i;
            (params.dims[i], params.low[i], params.high[i]) = (axis.len, axis.low, axis.high);
            params.beyond[i] = axis.beyond as u32;
            // A stride that is never walked may be anything; 0 always fits.
            params.stride[i] = if axis.high - axis.low > 1 { i32::try_from(axis.stride).ok()? } else { 0 };
        }
        Some(params)
    }
}

/// The same walk with as few axes as possible: neighbours that are walked as one become one, so that the kernel's rows are
/// long; axes of length 1 vanish.
fn run_together<'a>(axes: impl Iterator<Item = &'a Axis>) -> Vec<Axis> {
    let mut joined: Vec<Axis> = Vec::new();
    for &axis in axes.filter(|axis| axis.len != 1 || !axis.is_whole()) {
        match joined.last_mut() {
            Some(last) if last.continues(&axis) => *last = Axis::whole(last.len * axis.len, axis.stride),
            _ => joined.push(axis),
        }
    }
    joined
}

/// The one axis that a dimension is; `None` if it has several.
fn single(dim: &[Axis]) -> Option<Axis> {
    match *run_together(dim.iter()) {
        [] => Some(Axis::whole(1, 0)),
        [axis] => Some(axis),
        _ => None,
    }
}

/// Elements of a dimension.
fn total(dim: &[Axis]) -> u32 {
    dim.iter().map(|axis| axis.len).product()
}

/// Indices `start + i·step` of an axis, `len` of them, and how far the first one inside lies behind the axis' own first.
fn part(axis: &Axis, start: u32, len: u32, step: i32) -> Option<(Axis, i64)> {
    if !axis.is_whole() && axis.beyond != Beyond::Fill {
        // Beyond follows from where inside lies, so all of inside must stay, in its order.
        let stays = step == 1 && start <= axis.low && axis.high - start <= len;
        let taken = Axis {
            len,
            low: axis.low - start.min(axis.low),
            high: axis.high - start.min(axis.high),
            ..*axis
        };
        return stays.then_some((taken, 0));
    }
    let (start, step) = (i64::from(start), i64::from(step));
    // The new indices whose old ones lie in [low, high): an interval, whichever way the step goes.
    let inside = |i: u32| {
        let old = start + i64::from(i) * step;
        i64::from(axis.low) <= old && old < i64::from(axis.high)
    };
    let low = (0..len).find(|&i| inside(i)).unwrap_or(len);
    let high = (low..len).find(|&i| !inside(i)).unwrap_or(len);
    let skipped = if low < high { start + i64::from(low) * step - i64::from(axis.low) } else { 0 };
    Some((Axis { len, low, high, stride: axis.stride * step, beyond: Beyond::Fill }, skipped))
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
        let dims = arrangement.dims.iter().map(|dim| total(dim)).collect();
        let params = arrangement.params(input.len() as u32).unwrap();
        let made = Dense::made(params.dims.to_vec(), |index| {
            let mut place = i64::from(params.base);
            for (i, &o) in index.iter().enumerate() {
                let (low, high) = (i64::from(params.low[i]), i64::from(params.high[i]));
                let beyond = Beyond::from_code(params.beyond[i]).unwrap();
                let Some(o) = beyond.index(o - low, high - low) else { return params.fill };
                place += o * i64::from(params.stride[i]);
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

        let arrangement = arrangement.padded(&[1, 0, 2], &[0, 1, 1], Beyond::Fill, 9.0).unwrap();
        let before = dense;
        let dense =
            Dense::made(alloc::vec![5, 3, 6], |i| before.at(&[i[0] - 1, i[1], i[2] - 2]).unwrap_or(9.0));
        assert_eq!(applied(&arrangement, &input), dense);

        let arrangement = arrangement.sliced(&[4, 0, 1], &[3, 3, 3], &[-2, 1, 2]).unwrap();
        let before = dense;
        let dense =
            Dense::made(alloc::vec![3, 3, 3], |i| before.at(&[4 - 2 * i[0], i[1], 1 + 2 * i[2]]).unwrap());
        assert_eq!(applied(&arrangement, &input), dense);
        assert_eq!(arrangement.padded(&[1, 0, 0], &[0, 0, 0], Beyond::Fill, 0.0), None);
    }

    #[test]
    fn expansion_repeats_axes_of_length_one() {
        let expanded = Arrangement::identity(&[3, 1, 2]).expanded(&[3, 4, 2]).unwrap();
        let dense = applied(&expanded, &[0.0, 1.0, 2.0, 3.0, 4.0, 5.0]);
        assert_eq!(dense, Dense::made(alloc::vec![3, 4, 2], |i| (i[0] * 2 + i[2]) as f32));
    }

    #[test]
    fn a_slice_of_nothing_but_padding_is_all_fill() {
        let padded = Arrangement::identity(&[2]).padded(&[3], &[0], Beyond::Fill, 7.0).unwrap();
        let part = padded.sliced(&[0], &[2], &[1]).unwrap();
        assert_eq!(applied(&part, &[1.0, 2.0]).1, [7.0, 7.0]);
    }

    #[test]
    fn a_channel_shuffle_and_a_pixel_shuffle_are_one_arrangement() {
        // Stored [h, w, c] = [2, 3, 4]: channels in 2 groups of 2 change places, by the model's own order [c, h, w].
        let input: Vec<f32> = (0..24).map(|i| i as f32).collect();
        let model = Arrangement::identity(&[2, 3, 4]).transposed(&[2, 0, 1]);
        let groups = model.reshaped(&[2, 2, 2, 3]).unwrap().transposed(&[1, 0, 2, 3]);
        let shuffled = groups.reshaped(&[4, 2, 3]).unwrap().transposed(&[1, 2, 0]);
        let start = Dense(alloc::vec![2, 3, 4], input.clone());
        let expected = Dense::made(alloc::vec![2, 3, 4], |i| {
            start.at(&[i[0], i[1], [0, 2, 1, 3][i[2] as usize]]).unwrap()
        });
        assert_eq!(applied(&shuffled, &input), expected);
        // 4 channels become 2×2 pixels: [c, r, r, h, w] to [c, h, r, w, r].
        let pixels = model.reshaped(&[1, 2, 2, 2, 3]).unwrap().transposed(&[0, 3, 1, 4, 2]);
        let pixels = pixels.reshaped(&[1, 4, 6]).unwrap().transposed(&[1, 2, 0]);
        let expected = Dense::made(alloc::vec![4, 6, 1], |i| {
            start.at(&[i[0] / 2, i[1] / 2, i[0] % 2 * 2 + i[1] % 2]).unwrap()
        });
        assert_eq!(applied(&pixels, &input), expected);
    }

    #[test]
    fn what_is_beyond_stays_whole() {
        let padded = Arrangement::identity(&[3, 2]).padded(&[2, 0], &[1, 0], Beyond::Reflect, 0.0).unwrap();
        let input = [0.0, 1.0, 2.0, 3.0, 4.0, 5.0];
        assert_eq!(applied(&padded, &input).1, [4.0, 5.0, 2.0, 3.0, 0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 2.0, 3.0]);
        let part = padded.sliced(&[1, 0], &[4, 2], &[1, 1]).unwrap();
        assert_eq!(applied(&part, &input).1, [2.0, 3.0, 0.0, 1.0, 2.0, 3.0, 4.0, 5.0]);
        assert_eq!(padded.sliced(&[3, 0], &[3, 2], &[1, 1]), None);
        assert_eq!(padded.sliced(&[0, 0], &[3, 2], &[2, 1]), None);
        assert_eq!(padded.padded(&[1, 0], &[0, 0], Beyond::Fill, 0.0), None);
        assert_eq!(padded.reshaped(&[2, 3, 2]), None);
        assert!(padded.reshaped(&[1, 12]).is_some());
    }
}
