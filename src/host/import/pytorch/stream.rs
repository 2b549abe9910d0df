//! The container before PyTorch 1.6: five pickles one after another (magic number, version, machine, the object, the list of
//! storages), then for each storage its elements' number and their bytes.

use std::collections::HashMap;
use std::ops::Range;

use crate::host::Result;

use super::bytes::{Cursor, size};
use super::object::Value;
use super::{Pickled, Storages, damaged, machine};

/// The magic number as every protocol pickles it, behind the protocol's byte: `LONG1`, ten bytes, `STOP`.
const MAGIC: [u8; 13] = [0x8a, 10, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19, b'.'];

/// The version of the container.
const VERSION: i64 = 1001;

/// Does the file begin as this container?
pub(super) fn begins_like_one(file: &[u8]) -> bool {
    matches!(file, [0x80, _, rest @ ..] if rest.starts_with(&MAGIC))
}

/// Reads the object and finds the storages.
///
/// # Errors
/// If the file is damaged, cut off, or not little-endian.
pub(super) fn read(file: &[u8]) -> Result<Pickled<'_>> {
    let mut cursor = Cursor::new(file);
    machine::run(&mut cursor)?;
    let (_, version) = machine::run(&mut cursor)?;
    if version != Value::Int(VERSION) {
        return Err(damaged("its version is unknown"));
    }
    let (heap, system) = machine::run(&mut cursor)?;
    let little = (Value::Text("little_endian"), Value::Bool(true));
    if !matches!(system, Value::Dict(dict) if heap.entries(dict).any(|entry| entry == little)) {
        return Err(damaged("it is not little-endian"));
    }
    let (heap, root) = machine::run(&mut cursor)?;
    let (keys_heap, keys) = machine::run(&mut cursor)?;
    let Value::List(keys) = keys else { return Err(damaged("its list of storages is no list")) };
    // How many bytes an element has stands where the storage is used.
    let widths: HashMap<&str, usize> =
        heap.storages().map(|storage| (storage.key, storage.element.map_or(0, |e| e.bytes()))).collect();
    let mut places = HashMap::new();
    for key in keys_heap.items(keys) {
        let place = place(file, &mut cursor, key, &widths).ok_or_else(|| {
            damaged("it is cut off before its storages end").remedy("copy or download it again")
        })?;
        places.extend([place]);
    }
    Ok((heap, root, Storages(places)))
}

/// The place of the storage at the cursor, which is left behind it.
fn place<'a>(
    file: &'a [u8],
    cursor: &mut Cursor<'a>,
    key: &Value<'a>,
    widths: &HashMap<&str, usize>,
) -> Option<(&'a str, Range<usize>)> {
    let Value::Text(key) = *key else { return None };
    let len = size(cursor.u64()?)?.checked_mul(*widths.get(key)?)?;
    let start = file.len() - cursor.rest().len();
    cursor.take(len)?;
    Some((key, start..start + len))
}
