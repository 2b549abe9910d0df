//! Initialisers: a `TensorProto`, its data in the model or in a file beside it, becomes a [`Tensor`].

use std::cell::RefCell;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use half::{bf16, f16};
use rten_onnx::onnx::{DataLocation, DataType, TensorProto};

use crate::device::tensor::MAX_RANK;
use crate::host::graph::{Constant, FloatFormat, Floats, StoredFloats, WeightFile};
use crate::host::{Error, ErrorKind, Result};

use super::Tensor;
use super::model::external_location;
use super::number::{index, narrow};
use super::refusal::{invalid, unsupported};
use super::skeleton::{LARGE, own_place};
use super::tensor::element_count;

/// How often the bytes of a data file may be read in all; shared weights are read once for each name.
const READS: u64 = 4;

/// Where tensors find data that lies outside the message.
#[derive(Debug, Default)]
pub(super) struct ExternalData {
    /// The model's folder; without it, data in other files is refused.
    folder: Option<PathBuf>,
    /// The model's own file, where the message was read without its large tensors.
    own: Option<Arc<WeightFile>>,
    /// The other files so far, and the bytes that tensors took of each.
    others: RefCell<HashMap<PathBuf, (Arc<WeightFile>, u64)>>,
}

/// Where the data of a tensor lies.
struct Place {
    file: Arc<WeightFile>,
    offset: u64,
}

impl ExternalData {
    /// Data beside a model in this folder, and in the model's own file.
    pub(super) fn beside(folder: &Path, own: Option<WeightFile>) -> Self {
        Self { folder: Some(folder.into()), own: own.map(Arc::new), ..Self::default() }
    }

    /// Are the files as they were when they were opened, and could all be read that was asked for?
    pub(super) fn check(&self) -> Result<()> {
        let others = self.others.borrow();
        let mut files = self.own.iter().chain(others.values().map(|(file, _)| file));
        files.try_for_each(|file| file.check())
    }

    /// Where the data of a tensor lies that needs `len` bytes.
    fn find(&self, tensor: &TensorProto, len: u64) -> Result<Place> {
        if let (Some((offset, stored)), Some(file)) = (own_place(tensor), &self.own) {
            let ends = offset.checked_add(len).is_some_and(|end| end <= file.len());
            if stored != len || !ends {
                let (dims, dtype) = (&tensor.dims, tensor.data_type.unwrap_or(DataType(0)));
                return Err(invalid(format!("{stored} bytes of data for {dims:?} of type {dtype}")));
            }
            return Ok(Place { file: file.clone(), offset });
        }
        let entry = |key: &str| {
            let mut entries = tensor.external_data.iter();
            entries.find(|entry| entry.key.as_deref() == Some(key)).and_then(|entry| entry.value.as_deref())
        };
        let number = |key: &str, default: u64| match entry(key) {
            Some(text) => text.parse().map_err(|_| invalid(format!("external data: {key} is '{text}'"))),
            None => Ok(default),
        };
        let location =
            external_location(tensor).ok_or_else(|| invalid("external data without a location"))?;
        let (offset, stored) = (number("offset", 0)?, number("length", len)?);
        if stored != len {
            return Err(invalid(format!("external data of {stored} bytes, the dimensions need {len}")));
        }
        let path = self.resolve(location)?;
        let file = self.open(&path, offset, len).map_err(|error| error.in_file(path.display()))?;
        Ok(Place { file, offset })
    }

    /// The file at a location, which must lie in the model's folder or below.
    fn resolve(&self, location: &str) -> Result<PathBuf> {
        let Some(folder) = &self.folder else {
            let remedy = "import it from its file, or save it with its data inside";
            return Err(unsupported(format!("its data lies in the file '{location}'")).remedy(remedy));
        };
        let relative = Path::new(location);
        let inside =
            relative.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
        let path = folder.join(relative);
        let unreadable = |error: std::io::Error| {
            let error = match error.kind() {
                std::io::ErrorKind::NotFound => {
                    let reason = format!("the file '{location}' with its data is missing");
                    let remedy = format!("copy {location} beside the model, into {}", folder.display());
                    Error::new(ErrorKind::Io, reason).remedy(remedy)
                }
                _ => Error::io(&error),
            };
            error.in_file(path.display())
        };
        if inside && !location.is_empty() {
            // A symbolic link must not lead out either.
            let (path, folder) =
                (path.canonicalize().map_err(unreadable)?, folder.canonicalize().map_err(unreadable)?);
            if path.starts_with(folder) {
                return Ok(path);
            }
        }
        Err(invalid(format!("external data '{location}' lies outside the model's folder")))
    }

    /// The file, if it has `len` bytes from `offset` on.
    fn open(&self, path: &Path, offset: u64, len: u64) -> Result<Arc<WeightFile>> {
        if !path.is_file() {
            let error =
                Error::new(ErrorKind::Io, "the data of a tensor is to lie here, and it is no regular file");
            return Err(error.remedy("copy the data file that was exported with the model to this place"));
        }
        let mut others = self.others.borrow_mut();
        let (file, taken) = match others.entry(path.into()) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => {
                let file = WeightFile::open(path).map_err(|error| Error::io(&error))?;
                entry.insert((Arc::new(file), 0))
            }
        };
        let size = file.len();
        if offset.checked_add(len).is_none_or(|end| end > size) {
            return Err(invalid(format!("{len} bytes from {offset} are wanted, the file has {size}")));
        }
        *taken += len;
        if *taken > size.saturating_mul(READS) {
            return Err(invalid("the tensors that read this file overlap"));
        }
        Ok(file.clone())
    }
}

impl Place {
    /// The elements: large floats stay in the file, all others are read.
    fn constant(self, dtype: DataType, len: u32, bytes: u64) -> Result<Constant> {
        if let Some(format) = float_format(dtype).filter(|_| bytes >= LARGE) {
            let stored = StoredFloats::new(self.file, self.offset, format, index(len));
            return Ok(Constant::F32(Floats::in_file(stored)));
        }
        let bytes = usize::try_from(bytes).map_err(|_| invalid("more data than there is memory"))?;
        let mut data = vec![0; bytes];
        self.file.read(self.offset, &mut data)?;
        Ok(from_bytes(dtype, &data))
    }
}

/// The format of floats in a file.
fn float_format(dtype: DataType) -> Option<FloatFormat> {
    Some(match dtype {
        DataType::FLOAT => FloatFormat::F32,
        DataType::DOUBLE => FloatFormat::F64,
        DataType::FLOAT16 => FloatFormat::F16,
        DataType::BFLOAT16 => FloatFormat::Bf16,
        _ => return None,
    })
}

/// Decodes a tensor: floats of any width become `f32`, integers and booleans `i64`.
pub(super) fn decode(proto: &TensorProto, external: &ExternalData) -> Result<Tensor> {
    if proto.dims.len() > MAX_RANK {
        return Err(unsupported(format!("{} dimensions; at most {MAX_RANK}", proto.dims.len())));
    }
    let dims: Option<Vec<u32>> = proto.dims.iter().map(|&dim| u32::try_from(dim).ok()).collect();
    let len = dims.as_deref().and_then(element_count);
    let (Some(dims), Some(len)) = (dims, len) else {
        return Err(invalid(format!("its dimensions are {:?}", proto.dims)));
    };
    let dtype = proto.data_type.unwrap_or(DataType(0));
    let Some(width) = width(dtype) else {
        return Err(unsupported(format!("its elements are of type {dtype}")));
    };
    let data = if proto.data_location == Some(DataLocation::EXTERNAL) {
        let bytes = u64::from(len) * width;
        external.find(proto, bytes)?.constant(dtype, len, bytes)?
    } else if let Some(raw) = proto.raw_data.as_ref() {
        // The bytes are not needed twice: large models are not held in memory twice either.
        let raw = raw.take();
        if u64::try_from(raw.len()) != Ok(u64::from(len) * width) {
            return Err(invalid(format!("{} bytes of data for {dims:?} of type {dtype}", raw.len())));
        }
        from_bytes(dtype, &raw)
    } else {
        from_fields(dtype, proto)
    };
    Tensor::new(dims, data)
}

/// Bytes of an element; `None` for types that salto does not read.
fn width(dtype: DataType) -> Option<u64> {
    Some(match dtype {
        DataType::INT8 | DataType::UINT8 | DataType::BOOL => 1,
        DataType::FLOAT16 | DataType::BFLOAT16 | DataType::INT16 | DataType::UINT16 => 2,
        DataType::FLOAT | DataType::INT32 | DataType::UINT32 => 4,
        DataType::DOUBLE | DataType::INT64 => 8,
        _ => return None,
    })
}

/// The elements from packed little-endian bytes.
fn from_bytes(dtype: DataType, bytes: &[u8]) -> Constant {
    match dtype {
        DataType::FLOAT => floats(bytes, f32::from_le_bytes),
        DataType::DOUBLE => floats(bytes, |b| narrow(f64::from_le_bytes(b))),
        DataType::FLOAT16 => floats(bytes, |b| f16::from_le_bytes(b).to_f32()),
        DataType::BFLOAT16 => floats(bytes, |b| bf16::from_le_bytes(b).to_f32()),
        DataType::INT8 => Constant::I64(each(bytes, |b| i64::from(i8::from_le_bytes(b)))),
        DataType::INT16 => Constant::I64(each(bytes, |b| i64::from(i16::from_le_bytes(b)))),
        DataType::UINT16 => Constant::I64(each(bytes, |b| i64::from(u16::from_le_bytes(b)))),
        DataType::INT32 => Constant::I64(each(bytes, |b| i64::from(i32::from_le_bytes(b)))),
        DataType::UINT32 => Constant::I64(each(bytes, |b| i64::from(u32::from_le_bytes(b)))),
        DataType::INT64 => Constant::I64(each(bytes, i64::from_le_bytes)),
        // UINT8 and BOOL; all other types have no width and do not come here.
        _ => Constant::I64(each(bytes, |b: [u8; 1]| i64::from(u8::from_le_bytes(b)))),
    }
}

fn floats<const N: usize>(bytes: &[u8], decode: impl Fn([u8; N]) -> f32) -> Constant {
    Constant::F32(each(bytes, decode).into())
}

fn each<const N: usize, T>(bytes: &[u8], decode: impl Fn([u8; N]) -> T) -> Arc<[T]> {
    bytes.as_chunks().0.iter().map(|chunk| decode(*chunk)).collect()
}

/// The elements from the typed fields; half floats are bit patterns in `int32_data`.
fn from_fields(dtype: DataType, proto: &TensorProto) -> Constant {
    let halves = |decode: fn(u16) -> f32| {
        let bits = proto.int32_data.iter().map(|&bits| u16::try_from(bits).unwrap_or(u16::MAX));
        Constant::f32(bits.map(decode).collect::<Vec<_>>())
    };
    match dtype {
        DataType::FLOAT => Constant::f32(proto.float_data.clone()),
        DataType::DOUBLE => Constant::f32(proto.double_data.iter().copied().map(narrow).collect::<Vec<_>>()),
        DataType::FLOAT16 => halves(|bits| f16::from_bits(bits).to_f32()),
        DataType::BFLOAT16 => halves(|bits| bf16::from_bits(bits).to_f32()),
        DataType::INT64 => Constant::i64(proto.int64_data.clone()),
        _ => Constant::i64(proto.int32_data.iter().copied().map(i64::from).collect::<Vec<_>>()),
    }
}

#[cfg(test)]
mod tests {
    use rten_onnx::onnx::StringStringEntryProto;

    use super::*;

    fn proto(dims: &[i64], dtype: DataType) -> TensorProto {
        TensorProto { dims: dims.into(), data_type: Some(dtype), ..TensorProto::default() }
    }

    fn decoded(proto: &TensorProto) -> Result<Tensor> {
        decode(proto, &ExternalData::default())
    }

    #[test]
    fn floats_of_all_widths_become_f32() {
        let raw =
            |dtype, bytes: &[u8]| TensorProto { raw_data: Some(bytes.to_vec().into()), ..proto(&[2], dtype) };
        let expected = Tensor::new([2], Constant::f32([1.0, -2.0])).unwrap();
        let half: Vec<u8> = [1.0, -2.0].iter().flat_map(|x| f16::from_f32(*x).to_le_bytes()).collect();
        let brain: Vec<u8> = [1.0, -2.0].iter().flat_map(|x| bf16::from_f32(*x).to_le_bytes()).collect();
        let single: Vec<u8> = [1.0f32, -2.0].iter().flat_map(|x| x.to_le_bytes()).collect();
        let double: Vec<u8> = [1.0f64, -2.0].iter().flat_map(|x| x.to_le_bytes()).collect();
        assert_eq!(decoded(&raw(DataType::FLOAT16, &half)).unwrap(), expected);
        assert_eq!(decoded(&raw(DataType::BFLOAT16, &brain)).unwrap(), expected);
        assert_eq!(decoded(&raw(DataType::FLOAT, &single)).unwrap(), expected);
        assert_eq!(decoded(&raw(DataType::DOUBLE, &double)).unwrap(), expected);
        assert!(decoded(&raw(DataType::DOUBLE, &single)).unwrap_err().reason().contains("8 bytes of data"));
        let fields = TensorProto { int32_data: vec![0x3c00, 0xc000], ..proto(&[2], DataType::FLOAT16) };
        assert_eq!(decoded(&fields).unwrap(), expected);
    }

    #[test]
    fn sizes_must_be_consistent() {
        let short = TensorProto { float_data: vec![1.0], ..proto(&[2], DataType::FLOAT) };
        assert!(decoded(&short).is_err());
        assert!(decoded(&proto(&[-1], DataType::FLOAT)).is_err());
        assert!(decoded(&proto(&[1 << 40, 1 << 40], DataType::FLOAT)).is_err());
        assert!(decoded(&proto(&[1; 7], DataType::FLOAT)).is_err());
        assert!(decoded(&proto(&[1], DataType::STRING)).unwrap_err().reason().contains("STRING"));
    }

    #[test]
    fn external_data_stays_in_the_folder() {
        let folder = std::env::temp_dir().join(format!("salto_external_{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("weights.bin"), [0, 0, 128, 63, 0, 0, 0, 64]).unwrap();
        let at = |location: &str, offset: &str| {
            let entry = |key: &str, value: &str| StringStringEntryProto {
                key: Some(key.into()),
                value: Some(value.into()),
            };
            let external_data = vec![entry("location", location), entry("offset", offset)];
            let data_location = Some(DataLocation::EXTERNAL);
            TensorProto { external_data, data_location, ..proto(&[1], DataType::FLOAT) }
        };
        let beside = ExternalData::beside(&folder, None);
        let two = decode(&at("weights.bin", "4"), &beside).unwrap();
        assert_eq!(two.data().as_f32().unwrap(), [2.0]);
        assert!(decode(&at("weights.bin", "8"), &beside).unwrap_err().to_string().contains("the file has 8"));
        for outside in ["../weights.bin", "/etc/passwd", "", "a/../../b"] {
            assert!(
                decode(&at(outside, "0"), &beside).unwrap_err().reason().contains("outside"),
                "{outside}"
            );
        }
        assert_eq!(decode(&at("absent.bin", "0"), &beside).unwrap_err().kind(), ErrorKind::Io);
        assert!(decoded(&at("weights.bin", "0")).unwrap_err().to_string().contains("from its file"));
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
