//! Arrays in the model's own layout, and their files in numpy's format.

use std::path::Path;

use npyz::{DType, NpyFile, Order, TypeChar, WriterBuilder as _};
use salto::host::{Error, ErrorKind, Result};

use crate::files;

/// An array of floats, last dimension fastest.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Array {
    pub(crate) shape: Vec<usize>,
    pub(crate) data: Vec<f32>,
}

/// `1×3×224×224`
pub(crate) fn dims(shape: &[usize]) -> String {
    shape.iter().map(usize::to_string).collect::<Vec<_>>().join("×")
}

impl Array {
    /// Reads a `.npy` file of floats, integers or truth values.
    pub(crate) fn read_npy(path: &Path) -> Result<Self> {
        Self::from_npy(&files::read(path)?).map_err(|error| error.in_file(path.display()))
    }

    fn from_npy(bytes: &[u8]) -> Result<Self> {
        let broken = |reason: String| Error::new(ErrorKind::Format, format!("no NumPy array: {reason}"));
        let file = NpyFile::new(bytes).map_err(|error| broken(error.to_string()))?;
        let shape: Option<Vec<usize>> = file.shape().iter().map(|dim| usize::try_from(*dim).ok()).collect();
        let shape = shape.ok_or_else(|| broken("its shape cannot be addressed".into()))?;
        let len = shape.iter().try_fold(1usize, |len, dim| len.checked_mul(*dim));
        let item_bytes = file.dtype().num_bytes().filter(|bytes| *bytes > 0);
        // The header alone must not decide how much memory is taken.
        let fits = len
            .zip(item_bytes)
            .and_then(|(len, bytes)| len.checked_mul(bytes))
            .is_some_and(|all| all <= bytes.len());
        if !fits {
            return Err(broken(format!("it ends before its {} elements", dims(&shape))));
        }
        let order = file.order();
        let data = read_floats(file)?;
        let data = if order == Order::Fortran { transposed(&shape, &data) } else { data };
        Ok(Self { shape, data })
    }

    /// The content of a `.npy` file of 32-bit floats.
    pub(crate) fn to_npy(&self) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let shape: Vec<u64> = self.shape.iter().map(|dim| *dim as u64).collect();
        let written =
            npyz::WriteOptions::new().default_dtype().shape(&shape).writer(&mut bytes).begin_nd().and_then(
                |mut writer| {
                    writer.extend(self.data.iter().copied())?;
                    writer.finish()
                },
            );
        written.map_err(|error| Error::io(&error))?;
        Ok(bytes)
    }
}

fn read_floats(file: NpyFile<&[u8]>) -> Result<Vec<f32>> {
    let dtype = file.dtype();
    let unsupported = || {
        Error::new(ErrorKind::Unsupported, format!("elements of type {}", dtype.descr()))
            .remedy("save the array as float32")
    };
    let DType::Plain(element) = &dtype else { return Err(unsupported()) };
    let floats = match (element.type_char(), element.size_field()) {
        (TypeChar::Float, 4) => file.into_vec::<f32>(),
        (TypeChar::Float, 8) => file.into_vec::<f64>().map(|data| floats(data, |x| x as f32)),
        (TypeChar::Uint, 1) => file.into_vec::<u8>().map(|data| floats(data, f32::from)),
        (TypeChar::Int, 1) => file.into_vec::<i8>().map(|data| floats(data, f32::from)),
        (TypeChar::Int, 4) => file.into_vec::<i32>().map(|data| floats(data, |x| x as f32)),
        (TypeChar::Int, 8) => file.into_vec::<i64>().map(|data| floats(data, |x| x as f32)),
        (TypeChar::Bool, 1) => file.into_vec::<bool>().map(|data| floats(data, f32::from)),
        _ => return Err(unsupported()),
    };
    floats.map_err(|error| Error::new(ErrorKind::Format, format!("no NumPy array: {error}")))
}

fn floats<T>(data: Vec<T>, float: impl Fn(T) -> f32) -> Vec<f32> {
    data.into_iter().map(float).collect()
}

/// An array whose first dimension is fastest, with its last fastest.
fn transposed(shape: &[usize], data: &[f32]) -> Vec<f32> {
    let mut index = vec![0; shape.len()];
    let mut out = Vec::with_capacity(data.len());
    for _ in 0..data.len() {
        let place = index.iter().zip(shape).rev().fold(0, |place, (i, dim)| place * dim + i);
        out.push(data[place]);
        for axis in (0..shape.len()).rev() {
            index[axis] += 1;
            if index[axis] < shape[axis] {
                break;
            }
            index[axis] = 0;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fortran_order_is_turned_round() {
        // [[1, 2, 3], [4, 5, 6]] column by column.
        assert_eq!(transposed(&[2, 3], &[1.0, 4.0, 2.0, 5.0, 3.0, 6.0]), [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
    }

    #[test]
    fn a_header_that_promises_more_than_the_file_holds_is_an_error() {
        let mut bytes = Vec::new();
        let mut writer = npyz::WriteOptions::<f32>::new()
            .default_dtype()
            .shape(&[2, 2])
            .writer(&mut bytes)
            .begin_nd()
            .expect("header");
        writer.extend([1.0, 2.0, 3.0, 4.0]).and_then(|()| writer.finish()).expect("written");
        assert_eq!(Array::from_npy(&bytes).expect("whole").shape, [2, 2]);
        for len in 0..bytes.len() {
            assert!(Array::from_npy(&bytes[..len]).is_err(), "cut at {len}");
        }
    }
}
