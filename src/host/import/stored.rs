//! A tensor that lies in a file's bytes: where, of which elements, in which order. Read into floats only when it is asked for.
//!
//! The readers of `safetensors` and `pytorch` make these, `weights` reads them.

use half::{bf16, f16};

use crate::host::{Error, ErrorKind, Result};

/// The element types of weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Element {
    F64,
    F32,
    F16,
    Bf16,
    I64,
    I32,
    I16,
    I8,
    U8,
    Bool,
}

impl Element {
    /// Bytes of one.
    pub(super) const fn bytes(self) -> usize {
        match self {
            Self::F64 | Self::I64 => 8,
            Self::F32 | Self::I32 => 4,
            Self::F16 | Self::Bf16 | Self::I16 => 2,
            Self::I8 | Self::U8 | Self::Bool => 1,
        }
    }

    /// The nearest `f32` to the element in these bytes, as many as it has.
    #[allow(clippy::as_conversions, reason = "rounds to the nearest, which `From` does not offer")]
    fn float(self, bytes: &[u8]) -> Option<f32> {
        let first = |index: usize| bytes.get(index).copied();
        Some(match self {
            Self::F32 => f32::from_le_bytes(*bytes.first_chunk()?),
            Self::F64 => f64::from_le_bytes(*bytes.first_chunk()?) as f32,
            Self::F16 => f16::from_le_bytes(*bytes.first_chunk()?).to_f32(),
            Self::Bf16 => bf16::from_le_bytes(*bytes.first_chunk()?).to_f32(),
            Self::I64 => i64::from_le_bytes(*bytes.first_chunk()?) as f32,
            Self::I32 => i32::from_le_bytes(*bytes.first_chunk()?) as f32,
            Self::I16 => f32::from(i16::from_le_bytes(*bytes.first_chunk()?)),
            Self::I8 => f32::from(i8::from_le_bytes(*bytes.first_chunk()?)),
            Self::U8 => f32::from(first(0)?),
            Self::Bool => f32::from(u8::from(first(0)? != 0)),
        })
    }
}

/// A range of the file that holds elements of one type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Storage {
    /// Its first byte.
    pub(super) start: usize,
    /// Its elements.
    pub(super) len: usize,
    /// Their type.
    pub(super) element: Element,
}

/// A tensor in a storage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stored {
    storage: Storage,
    /// The element with all indices zero.
    offset: usize,
    dims: Vec<usize>,
    /// Elements from one index of each axis to the next.
    strides: Vec<usize>,
}

impl Stored {
    /// A tensor whose last axis is fastest and which fills its storage.
    pub(super) fn contiguous(storage: Storage, dims: Vec<usize>) -> Result<Self> {
        let mut strides = vec![1; dims.len()];
        for axis in (1..dims.len()).rev() {
            strides[axis - 1] = dims[axis].max(1).checked_mul(strides[axis]).ok_or_else(|| outside(&dims))?;
        }
        Self::new(storage, 0, dims, strides)
    }

    /// A tensor with these strides.
    ///
    /// # Errors
    /// If an element lies outside the storage, or there are more elements than the storage has.
    pub(super) fn new(
        storage: Storage,
        offset: usize,
        dims: Vec<usize>,
        strides: Vec<usize>,
    ) -> Result<Self> {
        let all = dims.iter().try_fold(1usize, |all, &dim| all.checked_mul(dim));
        let last = dims.iter().zip(&strides).try_fold(offset, |last, (&dim, &stride)| {
            last.checked_add(dim.saturating_sub(1).checked_mul(stride)?)
        });
        let fits = match (all, last) {
            (Some(0), _) => true,
            (Some(all), Some(last)) => all <= storage.len && last < storage.len,
            _ => false,
        };
        if !fits || dims.len() != strides.len() {
            return Err(outside(&dims));
        }
        Ok(Self { storage, offset, dims, strides })
    }

    /// The dimensions.
    pub(super) fn dims(&self) -> &[usize] {
        &self.dims
    }

    /// The elements with the axes in this order, the last one fastest.
    pub(super) fn floats(&self, file: &[u8], order: &[usize]) -> Vec<f32> {
        let Storage { start, element, .. } = self.storage;
        let axes: Vec<(usize, usize)> = order
            .iter()
            .filter_map(|&axis| Some((*self.dims.get(axis)?, *self.strides.get(axis)?)))
            .collect();
        let all = self.dims.iter().product();
        let mut index = vec![0; axes.len()];
        let mut place = self.offset;
        let mut floats = Vec::with_capacity(all);
        for _ in 0..all {
            let bytes = file.get(start + place * element.bytes()..).unwrap_or_default();
            floats.push(element.float(bytes).unwrap_or_default());
            for (index, (dim, stride)) in index.iter_mut().zip(&axes).rev() {
                *index += 1;
                place += stride;
                if *index < *dim {
                    break;
                }
                place -= *index * stride;
                *index = 0;
            }
        }
        floats
    }
}

fn outside(dims: &[usize]) -> Error {
    Error::new(ErrorKind::Format, format!("a tensor {dims:?} does not lie inside its storage"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strides_and_orders_are_walked() {
        let file: Vec<u8> =
            [9.0f32, 0.0, 1.0, 2.0, 3.0, 4.0, 5.0].iter().flat_map(|x| x.to_le_bytes()).collect();
        let storage = Storage { start: 4, len: 6, element: Element::F32 };
        let tensor = Stored::contiguous(storage, vec![2, 3]).unwrap();
        assert_eq!(tensor.floats(&file, &[0, 1]), [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]);
        assert_eq!(tensor.floats(&file, &[1, 0]), [0.0, 3.0, 1.0, 4.0, 2.0, 5.0]);
        let turned = Stored::new(storage, 1, vec![2, 2], vec![1, 3]).unwrap();
        assert_eq!(turned.floats(&file, &[0, 1]), [1.0, 4.0, 2.0, 5.0]);
        let scalar = Stored::new(storage, 5, vec![], vec![]).unwrap();
        assert_eq!(scalar.floats(&file, &[]), [5.0]);
    }

    #[test]
    fn all_elements_become_floats() {
        let read = |element: Element, file: &[u8]| {
            let storage = Storage { start: 0, len: file.len() / element.bytes(), element };
            Stored::contiguous(storage, vec![storage.len]).unwrap().floats(file, &[0])
        };
        assert_eq!(read(Element::F16, &f16::from_f32(-2.0).to_le_bytes()), [-2.0]);
        assert_eq!(read(Element::Bf16, &bf16::from_f32(-2.0).to_le_bytes()), [-2.0]);
        assert_eq!(read(Element::F64, &(-2.0f64).to_le_bytes()), [-2.0]);
        assert_eq!(read(Element::I64, &(-2i64).to_le_bytes()), [-2.0]);
        assert_eq!(read(Element::I32, &(-2i32).to_le_bytes()), [-2.0]);
        assert_eq!(read(Element::I16, &(-2i16).to_le_bytes()), [-2.0]);
        assert_eq!(read(Element::I8, &[254]), [-2.0]);
        assert_eq!(read(Element::U8, &[254]), [254.0]);
        assert_eq!(read(Element::Bool, &[0, 2]), [0.0, 1.0]);
    }

    #[test]
    fn what_lies_outside_is_refused() {
        let storage = Storage { start: 0, len: 6, element: Element::F32 };
        assert!(Stored::contiguous(storage, vec![7]).is_err());
        assert!(Stored::new(storage, 4, vec![3], vec![1]).is_err());
        assert!(Stored::new(storage, 0, vec![2, 2], vec![usize::MAX, 1]).is_err());
        // One element, read a billion times.
        assert!(Stored::new(storage, 0, vec![1_000_000_000], vec![0]).is_err());
        assert!(Stored::contiguous(storage, vec![usize::MAX, usize::MAX, 0]).is_err());
        assert!(Stored::new(storage, 99, vec![0, 4], vec![4, 1]).unwrap().floats(&[], &[0, 1]).is_empty());
    }
}
