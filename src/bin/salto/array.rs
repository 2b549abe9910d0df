//! Arrays in the model's own layout, and their files in numpy's format.

use std::path::Path;

use npyz::{DType, Deserialize, NpyFile, Order, TypeChar, WriterBuilder as _};
use salto::host::graph::Constant;
use salto::host::import::onnx::Tensor;
use salto::host::{Error, ErrorKind, Result};

use crate::files;

/// What an archive of several arrays begins with: it is a zip file.
const ARCHIVE: &[u8] = b"PK\x03\x04";

/// What a file of data may be.
const KNOWN: &str = "pictures are png, jpeg or bmp, arrays .npy";

/// The most bytes of a header, and the deepest nesting in it: a dictionary of lists of tuples has three.
const MAX_HEADER: usize = 1 << 12;
const MAX_DEPTH: u32 = 4;

/// An array of floats, last dimension fastest.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Array {
    pub(crate) shape: Vec<usize>,
    pub(crate) data: Vec<f32>,
}

/// The elements of a file: floats of any width, or integers and truth values of any.
#[derive(Clone, Debug, PartialEq)]
enum Elements {
    Floats(Vec<f32>),
    Integers(Vec<i64>),
}

/// Is the file an array, by its name?
pub(crate) fn has_extension(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("npy"))
}

/// `1×3×224×224`
pub(crate) fn dims(shape: &[usize]) -> String {
    shape.iter().map(usize::to_string).collect::<Vec<_>>().join("×")
}

impl Array {
    /// Reads a `.npy` file of floats, integers or truth values as floats.
    pub(crate) fn read_npy(path: &Path) -> Result<Self> {
        Self::from_npy(&files::read(path)?).map_err(|error| error.in_file(path.display()))
    }

    /// The same from the file's bytes.
    pub(crate) fn from_npy(bytes: &[u8]) -> Result<Self> {
        let (shape, elements) = parse(bytes)?;
        let data = match elements {
            Elements::Floats(data) => data,
            Elements::Integers(data) => data.into_iter().map(|x| x as f32).collect(),
        };
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

/// Reads a `.npy` file as a constant of a network: integers and truth values stay integers.
pub(crate) fn read_constant(path: &Path) -> Result<Tensor> {
    let bytes = files::read(path)?;
    let constant = || {
        let (shape, elements) = parse(&bytes)?;
        let dims: Option<Vec<u32>> = shape.iter().map(|dim| u32::try_from(*dim).ok()).collect();
        let dims = dims.ok_or_else(|| broken("its shape cannot be addressed"))?;
        match elements {
            Elements::Floats(data) => Tensor::new(dims, Constant::f32(data)),
            Elements::Integers(data) => Tensor::new(dims, Constant::i64(data)),
        }
    };
    constant().map_err(|error| error.in_file(path.display()))
}

/// Shape and elements of a file, the last dimension fastest whatever the file's order.
fn parse(bytes: &[u8]) -> Result<(Vec<usize>, Elements)> {
    if bytes.starts_with(ARCHIVE) {
        let error = Error::new(ErrorKind::Unsupported, "an archive of arrays (.npz)");
        return Err(error.remedy("save the one array with numpy.save"));
    }
    check_header(bytes)?;
    let file = NpyFile::new(bytes).map_err(broken)?;
    let shape: Option<Vec<usize>> = file.shape().iter().map(|dim| usize::try_from(*dim).ok()).collect();
    let shape = shape.ok_or_else(|| broken("its shape cannot be addressed"))?;
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
    let is_transposed = file.order() == Order::Fortran;
    let elements = match read_elements(file)? {
        Elements::Floats(data) if is_transposed => Elements::Floats(transposed(&shape, &data)),
        Elements::Integers(data) if is_transposed => Elements::Integers(transposed(&shape, &data)),
        elements => elements,
    };
    Ok((shape, elements))
}

/// The header must lie in the file, be short and nest as little as numpy writes it: the library's parser of Python literals is
/// recursive, takes time that doubles with each brace, and multiplies the shape without looking.
fn check_header(bytes: &[u8]) -> Result<()> {
    let header = match bytes {
        [0x93, b'N', b'U', b'M', b'P', b'Y', 1, _, a, b, rest @ ..] => {
            rest.get(..u16::from_le_bytes([*a, *b]).into())
        }
        [0x93, b'N', b'U', b'M', b'P', b'Y', _, _, a, b, c, d, rest @ ..] => {
            usize::try_from(u32::from_le_bytes([*a, *b, *c, *d])).ok().and_then(|len| rest.get(..len))
        }
        _ => {
            let reason = files::format_of(bytes).map_or_else(
                || "neither a picture nor a NumPy array, by its first bytes".into(),
                |format| format!("no NumPy array: it is {format}"),
            );
            return Err(Error::new(ErrorKind::Format, reason).remedy(KNOWN));
        }
    };
    let header = header.ok_or_else(|| broken("its header is cut off"))?;
    let (mut depth, mut deepest) = (0u32, 0);
    for byte in header {
        match byte {
            b'{' | b'[' | b'(' => depth += 1,
            b'}' | b']' | b')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(depth);
    }
    if header.len() > MAX_HEADER || deepest > MAX_DEPTH || !shape_is_countable(header) {
        return Err(broken("its header is none that numpy writes"));
    }
    Ok(())
}

/// Are the numbers between the parentheses behind `shape` plain ones, and is their product below 2⁶⁴?
fn shape_is_countable(header: &[u8]) -> bool {
    let text = String::from_utf8_lossy(header);
    let Some((_, shape)) = text.split_once("shape").and_then(|(_, rest)| rest.split_once('(')) else {
        return false;
    };
    let shape = shape.split_once(')').map_or(shape, |(shape, _)| shape);
    let mut dims = shape.split(',').map(str::trim).filter(|dim| !dim.is_empty());
    let product = dims.try_fold(1u64, |product, dim| product.checked_mul(dim.parse::<u64>().ok()?.max(1)));
    product.is_some()
}

fn broken(reason: impl std::fmt::Display) -> Error {
    Error::new(ErrorKind::Format, format!("no NumPy array: {reason}"))
}

fn read_elements(file: NpyFile<&[u8]>) -> Result<Elements> {
    let dtype = file.dtype();
    let unsupported = || {
        Error::new(ErrorKind::Unsupported, format!("elements of type {}", dtype.descr()))
            .remedy("save the array as float32")
    };
    let DType::Plain(element) = &dtype else { return Err(unsupported()) };
    match (element.type_char(), element.size_field()) {
        (TypeChar::Float, 2) => floats(file, half::f16::to_f32),
        (TypeChar::Float, 4) => floats(file, |x: f32| x),
        (TypeChar::Float, 8) => floats(file, |x: f64| x as f32),
        // Beyond i64 no float32 tells neighbours apart anyway.
        (TypeChar::Uint, 8) => floats(file, |x: u64| x as f32),
        (TypeChar::Uint, 1) => integers::<u8>(file),
        (TypeChar::Uint, 2) => integers::<u16>(file),
        (TypeChar::Uint, 4) => integers::<u32>(file),
        (TypeChar::Int, 1) => integers::<i8>(file),
        (TypeChar::Int, 2) => integers::<i16>(file),
        (TypeChar::Int, 4) => integers::<i32>(file),
        (TypeChar::Int, 8) => integers::<i64>(file),
        (TypeChar::Bool, 1) => integers::<bool>(file),
        _ => Err(unsupported()),
    }
}

fn floats<T: Deserialize>(file: NpyFile<&[u8]>, float: impl Fn(T) -> f32) -> Result<Elements> {
    let data = file.into_vec::<T>().map_err(broken)?;
    Ok(Elements::Floats(data.into_iter().map(float).collect()))
}

fn integers<T: Deserialize + Into<i64>>(file: NpyFile<&[u8]>) -> Result<Elements> {
    let data = file.into_vec::<T>().map_err(broken)?;
    Ok(Elements::Integers(data.into_iter().map(T::into).collect()))
}

/// An array whose first dimension is fastest, with its last fastest.
fn transposed<T: Copy>(shape: &[usize], data: &[T]) -> Vec<T> {
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

    /// A file of version 1.0 with this header's dictionary.
    fn file(descr: &str, order: bool, shape: &str, data: &[u8]) -> Vec<u8> {
        let order = if order { "True" } else { "False" };
        let mut header = format!("{{'descr': '{descr}', 'fortran_order': {order}, 'shape': {shape}, }}");
        while !(header.len() + 11).is_multiple_of(64) {
            header.push(' ');
        }
        header.push('\n');
        [b"\x93NUMPY\x01\x00", (header.len() as u16).to_le_bytes().as_slice(), header.as_bytes(), data]
            .concat()
    }

    #[test]
    fn every_numeric_type_and_byte_order_is_read() {
        let (low, high) = (-2i8, 3u8);
        for (descr, data) in [
            (
                "<f2",
                [half::f16::from_f32(-2.0).to_le_bytes(), half::f16::from_f32(3.0).to_le_bytes()].concat(),
            ),
            (
                ">f2",
                [half::f16::from_f32(-2.0).to_be_bytes(), half::f16::from_f32(3.0).to_be_bytes()].concat(),
            ),
            ("<f4", [(-2f32).to_le_bytes(), 3f32.to_le_bytes()].concat()),
            (">f4", [(-2f32).to_be_bytes(), 3f32.to_be_bytes()].concat()),
            (">f8", [(-2f64).to_be_bytes(), 3f64.to_be_bytes()].concat()),
            ("|i1", vec![low as u8, high]),
            (">i2", [(-2i16).to_be_bytes(), 3i16.to_be_bytes()].concat()),
            ("<i4", [(-2i32).to_le_bytes(), 3i32.to_le_bytes()].concat()),
            (">i8", [(-2i64).to_be_bytes(), 3i64.to_be_bytes()].concat()),
        ] {
            let array = Array::from_npy(&file(descr, false, "(2,)", &data)).expect(descr);
            assert_eq!((array.shape, array.data), (vec![2], vec![-2.0, 3.0]), "{descr}");
        }
        for (descr, data) in [
            ("|u1", vec![1, 0]),
            ("|b1", vec![1, 0]),
            ("<u2", vec![1, 0, 0, 0]),
            (">u4", vec![0, 0, 0, 1, 0, 0, 0, 0]),
            ("<u8", [1u64.to_le_bytes(), 0u64.to_le_bytes()].concat()),
        ] {
            assert_eq!(
                Array::from_npy(&file(descr, false, "(2,)", &data)).expect(descr).data,
                [1.0, 0.0],
                "{descr}"
            );
        }
        for descr in ["<c8", "<U4", "|O", "<f16", "<M8[s]"] {
            let error = Array::from_npy(&file(descr, false, "(1,)", &[0; 64])).expect_err(descr).to_string();
            assert!(
                error.contains(descr.trim_start_matches(['<', '|'])) || error.contains("no NumPy"),
                "{error}"
            );
        }
    }

    #[test]
    fn fortran_order_is_turned_round() {
        // [[1, 2, 3], [4, 5, 6]] column by column.
        let array = Array::from_npy(&file("|u1", true, "(2, 3)", &[1, 4, 2, 5, 3, 6])).expect("an array");
        assert_eq!(array.data, [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
    }

    #[test]
    fn a_header_that_promises_more_than_the_file_holds_is_an_error() {
        let bytes = file("<f4", false, "(2, 2)", &[0; 16]);
        assert_eq!(Array::from_npy(&bytes).expect("whole").shape, [2, 2]);
        for len in 0..bytes.len() {
            assert!(Array::from_npy(&bytes[..len]).is_err(), "cut at {len}");
        }
        assert!(Array::from_npy(b"PK\x03\x04rest").expect_err("an archive").to_string().contains(".npz"));
    }
}
