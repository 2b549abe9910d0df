//! The container `safetensors`: a header in JSON with each tensor's type, shape and place, then the data.
//!
//! Flows in: a file's bytes; flows out: where each tensor lies. Format: <https://github.com/huggingface/safetensors>. Called by
//! `weights`.

use std::collections::BTreeMap;
use std::ops::Range;

use serde::Deserialize;

use crate::host::{Error, ErrorKind, Result};

use super::stored::{Element, Storage, Stored};

/// The most bytes of a header, as the format says.
const MAX_HEADER: usize = 100_000_000;

/// An entry of the header.
#[derive(Deserialize)]
#[serde(untagged)]
enum Entry {
    Tensor {
        dtype: String,
        shape: Vec<usize>,
        data_offsets: (usize, usize),
    },
    /// `__metadata__`: texts by name.
    Texts(
        #[allow(dead_code, reason = "must be well formed, and says nothing about tensors")]
        BTreeMap<String, String>,
    ),
}

/// Does the file begin as this container: a length, and a JSON object?
pub(super) fn begins_like_one(file: &[u8]) -> bool {
    file.get(8) == Some(&b'{')
}

/// All tensors of the file, by name.
///
/// # Errors
/// If the header is damaged, a tensor lies outside the file, or it has elements that are no weights.
pub(super) fn tensors(file: &[u8]) -> Result<Vec<(String, Stored)>> {
    let cut = || damaged("its header is cut off");
    let (len, rest) = file.split_first_chunk().ok_or_else(cut)?;
    let len = usize::try_from(u64::from_le_bytes(*len)).ok().filter(|len| *len <= MAX_HEADER);
    let (header, data) = len.and_then(|len| rest.split_at_checked(len)).ok_or_else(cut)?;
    let entries: BTreeMap<String, Entry> =
        serde_json::from_slice(header).map_err(|error| damaged(format!("its header: {error}")))?;
    let data = file.len() - data.len()..file.len();
    let mut tensors = Vec::new();
    for (name, entry) in entries {
        if let Entry::Tensor { dtype, shape, data_offsets } = entry {
            let stored = stored(&data, &dtype, shape, data_offsets);
            let stored = stored.map_err(|error| error.at_node(&name, "tensor"))?;
            tensors.push((name, stored));
        }
    }
    Ok(tensors)
}

/// A tensor in the data, which is a part of the file.
fn stored(
    data: &Range<usize>,
    dtype: &str,
    shape: Vec<usize>,
    (start, end): (usize, usize),
) -> Result<Stored> {
    let element = element(dtype).ok_or_else(|| {
        Error::new(ErrorKind::Unsupported, format!("its elements are of type {dtype}"))
            .remedy("save it as float32")
    })?;
    if start > end || end > data.len() {
        return Err(damaged(format!("its data {start}..{end} lies outside the file's {}", data.len())));
    }
    let storage = Storage { start: data.start + start, len: (end - start) / element.bytes(), element };
    Stored::contiguous(storage, shape)
}

fn element(dtype: &str) -> Option<Element> {
    Some(match dtype {
        "F64" => Element::F64,
        "F32" => Element::F32,
        "F16" => Element::F16,
        "BF16" => Element::Bf16,
        "I64" => Element::I64,
        "I32" => Element::I32,
        "I16" => Element::I16,
        "I8" => Element::I8,
        "U8" => Element::U8,
        "BOOL" => Element::Bool,
        _ => return None,
    })
}

fn damaged(reason: impl core::fmt::Display) -> Error {
    Error::new(ErrorKind::Format, format!("no safetensors file: {reason}"))
        .remedy("copy or download it again")
}
