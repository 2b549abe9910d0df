//! PyTorch's files (`.pth`, `.pt`, `.th`), in both of their containers: a ZIP archive, and the stream of pickles before it.
//!
//! Flows in: a file's bytes; flows out: where each tensor lies. A pickle is a program that could call anything; the `machine`
//! here knows tensors, containers, numbers and texts, and refuses every other name. `archive` and `stream` open the containers,
//! `state` finds the state dictionary in what was pickled. Nothing is copied: a tensor stays in the file's bytes until it is
//! read. Called by `weights`.

mod archive;
mod bytes;
mod global;
mod machine;
mod object;
mod state;
mod stream;

use crate::host::{Error, ErrorKind, Result};

use super::stored::{Storage, Stored};
use object::Heap;

/// Does the file begin as an archive or a pickle?
pub(super) fn begins_like_one(bytes: &[u8]) -> bool {
    archive::begins_like_one(bytes) || stream::begins_like_one(bytes) || matches!(bytes, [0x80, 0..=5, ..])
}

/// All tensors of the state dictionary: the one under `key`, or the only one.
///
/// # Errors
/// If the file is damaged, holds more than tensors, containers, numbers and texts, or has no such dictionary.
pub(super) fn tensors(file: &[u8], key: Option<&str>) -> Result<Vec<(String, Stored)>> {
    let (heap, root, storages) = if archive::begins_like_one(file) {
        archive::read(file)?
    } else if stream::begins_like_one(file) {
        stream::read(file)?
    } else {
        return Err(damaged("a pickle that torch.save did not write")
            .remedy("save the state dictionary with torch.save(model.state_dict(), path)"));
    };
    let mut tensors = Vec::new();
    for (name, tensor) in state::choose(&heap, root, key)? {
        let at_tensor = |error: Error| error.at_node(name, "tensor");
        let place = storages.place(&tensor.storage).map_err(at_tensor)?;
        let stored = Stored::new(place, tensor.offset, heap.sizes(tensor.dims)?, heap.sizes(tensor.strides)?);
        tensors.push((name.into(), stored.map_err(at_tensor)?));
    }
    Ok(tensors)
}

/// Where a container keeps the data of storages.
struct Storages<'a>(std::collections::HashMap<&'a str, core::ops::Range<usize>>);

impl Storages<'_> {
    /// The place of a storage, which must have the elements that it promises.
    fn place(&self, storage: &object::Storage<'_>) -> Result<Storage> {
        let Some(element) = storage.element else {
            return Err(Error::new(ErrorKind::Unsupported, "its elements are complex or quantised"));
        };
        let range = self.0.get(storage.key).cloned();
        let range =
            range.ok_or_else(|| damaged(format!("the data of storage '{}' is missing", storage.key)))?;
        let promised = storage.len.checked_mul(element.bytes());
        if promised.is_none_or(|bytes| bytes > range.len()) {
            let reason = format!("storage '{}' is cut off: {} bytes", storage.key, range.len());
            return Err(damaged(reason).remedy("copy or download it again"));
        }
        Ok(Storage { start: range.start, len: storage.len, element })
    }
}

/// What was pickled, its root, and where the data lies.
type Pickled<'a> = (Heap<'a>, object::Value<'a>, Storages<'a>);

fn damaged(reason: impl core::fmt::Display) -> Error {
    Error::new(ErrorKind::Format, format!("no PyTorch file: {reason}"))
}
