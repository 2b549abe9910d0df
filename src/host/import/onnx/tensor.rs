//! Constant tensors in the model's own order, and the moves of their elements that are folded during import.

use std::ops::Range;

use crate::device::tensor::MAX_RANK;
use crate::host::Result;
use crate::host::graph::Constant;

use super::number::index;
use super::refusal::invalid;

/// A constant tensor in the model's own order of dimensions (`[n, c, h, w]` for pictures). Cheap to clone.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    dims: Vec<u32>,
    data: Constant,
}

impl Tensor {
    /// A tensor from its dimensions and elements.
    ///
    /// # Errors
    /// If there are more than six dimensions, or not as many elements as they say.
    pub fn new(dims: impl Into<Vec<u32>>, data: Constant) -> Result<Self> {
        let dims = dims.into();
        if dims.len() > MAX_RANK {
            return Err(invalid(format!("a tensor of {} dimensions; at most {MAX_RANK}", dims.len())));
        }
        if element_count(&dims).map(index) != Some(data.len()) {
            return Err(invalid(format!("a tensor of {dims:?} has {} elements", data.len())));
        }
        Ok(Self { dims, data })
    }

    /// A vector of integers.
    pub(super) fn vector(data: Vec<i64>) -> Result<Self> {
        let len = u32::try_from(data.len()).map_err(|_| invalid("a vector of 2³² elements or more"))?;
        Self::new([len], Constant::i64(data))
    }

    /// The dimensions.
    pub fn dims(&self) -> &[u32] {
        &self.dims
    }

    /// The elements in row-major order.
    pub const fn data(&self) -> &Constant {
        &self.data
    }

    /// Where the elements lie in memory: tensors that share their data share this.
    pub(super) fn address(&self) -> usize {
        match &self.data {
            Constant::F32(data) => data.address(),
            Constant::I64(data) => data.as_ptr().addr(),
        }
    }

    /// The same elements with other dimensions.
    pub(super) fn reshaped(&self, dims: &[u32]) -> Result<Self> {
        Self::new(dims, self.data.clone())
    }

    /// `output.dims[i] = input.dims[perm[i]]`.
    pub(super) fn transposed(&self, perm: &[usize]) -> Result<Self> {
        if let Some(floats) = self.data.floats().and_then(|f| f.transposed_in_file(&self.dims, perm)) {
            let dims: Vec<u32> = perm.iter().map(|&axis| self.dims[axis]).collect();
            return Self::new(dims, Constant::F32(floats));
        }
        let strides = self.strides();
        let dims: Option<Vec<u32>> = perm.iter().map(|&axis| self.dims.get(axis).copied()).collect();
        let steps: Option<Vec<i64>> = perm.iter().map(|&axis| strides.get(axis).copied()).collect();
        match (dims, steps) {
            (Some(dims), Some(steps)) if dims.len() == self.dims.len() => self.walked(dims, 0, &steps),
            _ => Err(invalid(format!("{perm:?} is no order of the axes of {:?}", self.dims))),
        }
    }

    /// `output[i] = input[start + i·step]` on each axis.
    pub(super) fn sliced(&self, start: &[u32], len: &[u32], step: &[i32]) -> Result<Self> {
        let strides = self.strides();
        let base = start.iter().zip(&strides).map(|(&start, stride)| i64::from(start) * stride).sum();
        let steps: Vec<i64> =
            step.iter().zip(&strides).map(|(&step, stride)| i64::from(step) * stride).collect();
        self.walked(len.into(), base, &steps)
    }

    /// The tensor repeated along axes of length 1 (and new ones in front) until it has these dimensions.
    pub(super) fn expanded(&self, dims: &[u32]) -> Result<Self> {
        let Some(new_axes) = dims.len().checked_sub(self.dims.len()) else {
            return Err(invalid(format!("{:?} does not expand to {dims:?}", self.dims)));
        };
        let mut steps = vec![0; new_axes];
        for ((&own, &wanted), stride) in self.dims.iter().zip(&dims[new_axes..]).zip(self.strides()) {
            match own {
                _ if own == wanted => steps.push(stride),
                1 => steps.push(0),
                _ => return Err(invalid(format!("{:?} does not expand to {dims:?}", self.dims))),
            }
        }
        self.walked(dims.into(), 0, &steps)
    }

    /// The parts one after another along an axis.
    pub(super) fn concatenated(parts: &[Self], axis: usize) -> Result<Self> {
        let Some(first) = parts.first() else { return Err(invalid("nothing to concatenate")) };
        let mut dims = first.dims.clone();
        let mut total = 0u32;
        for part in parts {
            let alike = part.dims.len() == dims.len()
                && part.dims.iter().zip(&first.dims).enumerate().all(|(k, (a, b))| k == axis || a == b);
            let len = part.dims.get(axis).filter(|_| alike);
            let Some(sum) = len.and_then(|len| total.checked_add(*len)) else {
                return Err(invalid(format!(
                    "{:?} does not continue {:?} along axis {axis}",
                    part.dims, first.dims
                )));
            };
            total = sum;
        }
        dims[axis] = total;
        let outer: usize = first.dims[..axis].iter().copied().map(index).product();
        let data = if parts.iter().all(|part| part.data.as_f32().is_some()) {
            Constant::f32(interleaved(
                &parts.iter().filter_map(|part| part.data.as_f32()).collect::<Vec<_>>(),
                outer,
            ))
        } else if parts.iter().all(|part| part.data.as_i64().is_some()) {
            Constant::i64(interleaved(
                &parts.iter().filter_map(|part| part.data.as_i64()).collect::<Vec<_>>(),
                outer,
            ))
        } else {
            return Err(invalid("floats and integers cannot be concatenated"));
        };
        Self::new(dims, data)
    }

    /// `output[…, i, …] = input[…, indices[i], …]` along an axis; the axis becomes the dimensions of `indices`.
    pub(super) fn gathered(&self, indices: &Self, axis: usize) -> Result<Self> {
        let (Some(list), Some(&len)) = (indices.data.as_i64(), self.dims.get(axis)) else {
            return Err(invalid(format!("no integers to choose along axis {axis} of {:?}", self.dims)));
        };
        let inner: usize = self.dims[axis + 1..].iter().copied().map(index).product();
        let outer: usize = self.dims[..axis].iter().copied().map(index).product();
        let chosen: Option<Vec<usize>> = list.iter().map(|&i| wrapped(i, len)).collect();
        let chosen = chosen.ok_or_else(|| invalid(format!("an index lies outside 0..{len}")))?;
        let len = index(len);
        let places = (0..outer)
            .flat_map(|o| chosen.iter().flat_map(move |c| (o * len + c) * inner..(o * len + c + 1) * inner));
        let dims = [&self.dims[..axis], &indices.dims, &self.dims[axis + 1..]].concat();
        Self::new(dims, self.picked(places)?)
    }

    /// Elements from one index of each axis to the next.
    fn strides(&self) -> Vec<i64> {
        let mut strides = vec![1i64; self.dims.len()];
        for axis in (1..self.dims.len()).rev() {
            strides[axis - 1] = strides[axis] * i64::from(self.dims[axis]);
        }
        strides
    }

    /// Output element `o` is `input[base + Σ o[axis]·steps[axis]]`.
    fn walked(&self, dims: Vec<u32>, base: i64, steps: &[i64]) -> Result<Self> {
        if dims.len() > MAX_RANK || dims.len() != steps.len() {
            return Err(invalid(format!("{} dimensions of a tensor of {}", dims.len(), self.dims.len())));
        }
        let len =
            element_count(&dims).ok_or_else(|| invalid(format!("{dims:?} has 2³² elements or more")))?;
        let walk = Walk { dims: &dims, base, steps };
        let data = match &self.data {
            Constant::F32(data) => walk.collect(data, index(len)).map(Constant::f32),
            Constant::I64(data) => walk.collect(data, index(len)).map(Constant::i64),
        };
        let data = data.ok_or_else(|| invalid(format!("an index lies outside {:?}", self.dims)))?;
        Self::new(dims, data)
    }

    /// The elements at these places.
    fn picked(&self, places: impl Iterator<Item = usize>) -> Result<Constant> {
        fn pick<T: Copy>(data: &[T], places: impl Iterator<Item = usize>) -> Option<Vec<T>> {
            places.map(|place| data.get(place).copied()).collect()
        }
        let picked = match &self.data {
            Constant::F32(data) => pick(data, places).map(Constant::f32),
            Constant::I64(data) => pick(data, places).map(Constant::i64),
        };
        picked.ok_or_else(|| invalid(format!("an index lies outside {:?}", self.dims)))
    }
}

/// A walk over a tensor's elements: a row of the last axis at a time, the other axes counted as an odometer counts.
struct Walk<'a> {
    /// How often each axis steps.
    dims: &'a [u32],
    /// The first element's place.
    base: i64,
    /// Elements from one index of an axis to the next; may be 0 or negative.
    steps: &'a [i64],
}

impl Walk<'_> {
    /// All `len` elements of the walk; `None` if it leaves the data.
    fn collect<T: Copy>(&self, data: &[T], len: usize) -> Option<Vec<T>> {
        let (row, outer) =
            self.dims.split_last().map_or((1, [].as_slice()), |(row, outer)| (index(*row), outer));
        let step = self.steps.last().copied().unwrap_or(1);
        let mut elements = Vec::with_capacity(len);
        let mut counts = vec![0u32; outer.len()];
        let mut at = self.base;
        while elements.len() < len {
            let first = usize::try_from(at).ok()?;
            match usize::try_from(step) {
                Ok(0) => elements.extend(std::iter::repeat_n(*data.get(first)?, row)),
                Ok(1) => elements.extend_from_slice(data.get(first..first.checked_add(row)?)?),
                Ok(step) => {
                    let before = elements.len();
                    elements.extend(data.get(first..)?.iter().step_by(step).take(row));
                    (elements.len() - before == row).then_some(())?;
                }
                Err(_) => {
                    let back = usize::try_from(step.unsigned_abs()).ok()?;
                    for k in 0..row {
                        elements.push(*data.get(first.checked_sub(k.checked_mul(back)?)?)?);
                    }
                }
            }
            for (axis, count) in counts.iter_mut().enumerate().rev() {
                *count += 1;
                at += self.steps[axis];
                if *count < outer[axis] {
                    break;
                }
                at -= self.steps[axis] * i64::from(*count);
                *count = 0;
            }
        }
        Some(elements)
    }
}

/// The product of dimensions, if it fits 32 bits.
pub(super) fn element_count(dims: &[u32]) -> Option<u32> {
    dims.iter().try_fold(1u32, |len, dim| len.checked_mul(*dim))
}

/// A Python-like index, negative from the end, as a place in `0..len`.
pub(super) fn wrapped(i: i64, len: u32) -> Option<usize> {
    let i = if i < 0 { i.checked_add(i64::from(len))? } else { i };
    usize::try_from(i).ok().filter(|i| *i < index(len))
}

/// The slices cut into `outer` equal pieces each, piece by piece.
fn interleaved<T: Copy>(slices: &[&[T]], outer: usize) -> Vec<T> {
    let piece = |slice: &[T], k: usize| -> Range<usize> {
        let len = slice.len() / outer.max(1);
        k * len..(k + 1) * len
    };
    (0..outer)
        .flat_map(|k| slices.iter().flat_map(move |slice| slice[piece(slice, k)].iter().copied()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counting(dims: &[u32]) -> Tensor {
        let len = i64::from(element_count(dims).unwrap());
        Tensor::new(dims, Constant::i64((0..len).collect::<Vec<_>>())).unwrap()
    }

    fn integers(tensor: &Tensor) -> (&[u32], &[i64]) {
        (tensor.dims(), tensor.data().as_i64().unwrap())
    }

    #[test]
    fn transpositions_move_elements() {
        let turned = counting(&[2, 3]).transposed(&[1, 0]).unwrap();
        assert_eq!(integers(&turned), (&[3, 2][..], &[0, 3, 1, 4, 2, 5][..]));
        let there = counting(&[2, 3, 4, 5]).transposed(&[0, 2, 3, 1]).unwrap();
        assert_eq!(there.transposed(&[0, 3, 1, 2]).unwrap(), counting(&[2, 3, 4, 5]));
        assert!(counting(&[2, 3]).transposed(&[0]).is_err());
        assert_eq!(counting(&[]).transposed(&[]).unwrap(), counting(&[]));
    }

    #[test]
    fn slices_walk_in_both_directions() {
        let part = counting(&[3, 4]).sliced(&[2, 3], &[2, 2], &[-2, -1]).unwrap();
        assert_eq!(integers(&part), (&[2, 2][..], &[11, 10, 3, 2][..]));
        let empty = counting(&[3, 4]).sliced(&[0, 0], &[0, 4], &[1, 1]).unwrap();
        assert_eq!(integers(&empty), (&[0, 4][..], &[][..]));
        assert!(counting(&[3]).sliced(&[1], &[3], &[1]).is_err());
        assert!(counting(&[3]).sliced(&[1], &[3], &[-1]).is_err());
        assert!(counting(&[4]).sliced(&[0], &[3], &[2]).is_err());
    }

    #[test]
    fn expansion_repeats_axes_of_one() {
        let column = counting(&[2, 1]).expanded(&[2, 2, 3]).unwrap();
        assert_eq!(integers(&column).1, [0, 0, 0, 1, 1, 1, 0, 0, 0, 1, 1, 1]);
        assert!(counting(&[2]).expanded(&[3]).is_err());
    }

    #[test]
    fn parts_are_joined_and_chosen() {
        let joint = Tensor::concatenated(&[counting(&[2, 1]), counting(&[2, 2])], 1).unwrap();
        assert_eq!(integers(&joint), (&[2, 3][..], &[0, 0, 1, 1, 2, 3][..]));
        assert!(Tensor::concatenated(&[counting(&[2, 1]), counting(&[3, 1])], 1).is_err());
        let indices = Tensor::vector(vec![-1, 0]).unwrap();
        assert_eq!(integers(&joint.gathered(&indices, 1).unwrap()), (&[2, 2][..], &[1, 0, 3, 1][..]));
        assert!(joint.gathered(&Tensor::vector(vec![3]).unwrap(), 1).is_err());
    }

    #[test]
    fn tensors_have_as_many_elements_as_they_say() {
        assert!(Tensor::new([2], Constant::i64([1])).is_err());
        assert!(Tensor::new([1 << 16, 1 << 16], Constant::i64([])).is_err());
        assert!(Tensor::new([1; 7], Constant::i64([1])).is_err());
    }
}
