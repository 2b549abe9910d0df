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
            Constant::F32(data) => data.as_ptr().addr(),
            Constant::I64(data) => data.as_ptr().addr(),
        }
    }

    /// The same elements with other dimensions.
    pub(super) fn reshaped(&self, dims: &[u32]) -> Result<Self> {
        Self::new(dims, self.data.clone())
    }

    /// `output.dims[i] = input.dims[perm[i]]`.
    pub(super) fn transposed(&self, perm: &[usize]) -> Result<Self> {
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
        let len =
            element_count(&dims).ok_or_else(|| invalid(format!("{dims:?} has 2³² elements or more")))?;
        let mut place = vec![0u32; dims.len()];
        let mut at = base;
        let places = (0..len).map(|_| {
            let now = usize::try_from(at).unwrap_or(usize::MAX);
            for axis in (0..dims.len()).rev() {
                place[axis] += 1;
                at += steps[axis];
                if place[axis] < dims[axis] {
                    break;
                }
                at -= steps[axis] * i64::from(place[axis]);
                place[axis] = 0;
            }
            now
        });
        let data = self.picked(places)?;
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
