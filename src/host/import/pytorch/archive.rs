//! The container since PyTorch 1.6: a ZIP archive of stored (never compressed) entries: `NAME/data.pkl`, and `NAME/data/KEY` for
//! each storage. Format: PKWARE's APPNOTE 6.3, sections 4.3 and 4.5.3 (64-bit sizes).
//!
//! An own reader, as the entries are read in place: a few offsets, each checked, and no copy of gigabytes of weights.

use std::collections::HashMap;
use std::ops::Range;

use crate::host::{Error, ErrorKind, Result};

use super::bytes::{Cursor, size};
use super::{Pickled, Storages, damaged, machine};

const LOCAL: u32 = 0x0403_4b50;
const CENTRAL: u32 = 0x0201_4b50;
const END: u32 = 0x0605_4b50;
const LOCATOR_64: u32 = 0x0706_4b50;
const END_64: u32 = 0x0606_4b50;

/// Bytes of the record at the end without its comment, and of the comment at most.
const END_LEN: usize = 22;
const MAX_COMMENT: usize = 0xffff;

/// Does the file begin as an archive?
pub(super) fn begins_like_one(file: &[u8]) -> bool {
    file.starts_with(&LOCAL.to_le_bytes())
}

/// Reads the object and finds the storages.
///
/// # Errors
/// If the archive is damaged, compressed, or not one of PyTorch's.
pub(super) fn read(file: &[u8]) -> Result<Pickled<'_>> {
    let entries = entries(file)?;
    let names: Vec<&str> = entries.keys().copied().collect();
    let suffix = "data.pkl";
    let prefixes = names.iter().filter_map(|name| name.strip_suffix(suffix));
    let Some(prefix) =
        prefixes.filter(|prefix| prefix.is_empty() || prefix.ends_with('/')).min_by_key(|p| p.len())
    else {
        return Err(damaged("an archive without data.pkl").remedy("is it a file that torch.save wrote?"));
    };
    let entry = |name: &str| entries.get(format!("{prefix}{name}").as_str()).cloned();
    if let Some(order) = entry("byteorder")
        && file.get(order) != Some(b"little")
    {
        return Err(damaged("it is not little-endian"));
    }
    let pickle = entry(suffix).and_then(|range| file.get(range)).unwrap_or_default();
    let (heap, root) = machine::run(&mut Cursor::new(pickle))?;
    let folder = format!("{prefix}data/");
    let data =
        entries.iter().filter_map(|(name, range)| Some((name.strip_prefix(folder.as_str())?, range.clone())));
    Ok((heap, root, Storages(data.collect())))
}

/// The places of all entries' data, by name.
fn entries(file: &[u8]) -> Result<HashMap<&str, Range<usize>>> {
    let cut = || damaged("an archive that is cut off or damaged").remedy("copy or download it again");
    let (start, count) = directory(file).ok_or_else(cut)?;
    let mut cursor = Cursor::new(file.get(start..).ok_or_else(cut)?);
    let mut entries = HashMap::new();
    for _ in 0..count {
        let entry = central(&mut cursor).ok_or_else(cut)?;
        if entry.method != 0 || entry.flags & 1 != 0 {
            let reason = format!("its entry '{}' is compressed or encrypted", entry.name);
            return Err(Error::new(ErrorKind::Unsupported, reason).remedy("PyTorch writes plain archives"));
        }
        entries.insert(entry.name, data(file, &entry).ok_or_else(cut)?);
    }
    Ok(entries)
}

/// Where the central directory begins, and how many entries it has.
fn directory(file: &[u8]) -> Option<(usize, u64)> {
    let first = file.len().saturating_sub(END_LEN + MAX_COMMENT);
    let tail = file.get(first..)?;
    let at = tail.windows(4).rposition(|window| window == END.to_le_bytes())? + first;
    let mut end = Cursor::new(file.get(at + 10..)?);
    let (count, _len, start) = (end.u16()?, end.u32()?, end.u32()?);
    if count != u16::MAX && start != u32::MAX {
        return Some((size(start)?, count.into()));
    }
    let mut locator = Cursor::new(file.get(at.checked_sub(20)?..)?);
    if locator.u32()? != LOCATOR_64 {
        return None;
    }
    locator.take(4)?;
    let mut end = Cursor::new(file.get(size(locator.u64()?)?..)?);
    if end.u32()? != END_64 {
        return None;
    }
    end.take(28)?;
    let (count, _len, start) = (end.u64()?, end.u64()?, end.u64()?);
    Some((size(start)?, count))
}

/// An entry of the central directory.
struct Entry<'a> {
    name: &'a str,
    flags: u16,
    method: u16,
    len: u64,
    /// Where its local header lies.
    offset: u64,
}

fn central<'a>(cursor: &mut Cursor<'a>) -> Option<Entry<'a>> {
    if cursor.u32()? != CENTRAL {
        return None;
    }
    cursor.take(4)?;
    let (flags, method) = (cursor.u16()?, cursor.u16()?);
    cursor.take(8)?;
    let (packed, len) = (cursor.u32()?, cursor.u32()?);
    let (name_len, extra_len, comment_len) = (cursor.u16()?, cursor.u16()?, cursor.u16()?);
    cursor.take(8)?;
    let offset = cursor.u32()?;
    let name = core::str::from_utf8(cursor.take(name_len.into())?).ok()?;
    let extra = cursor.take(extra_len.into())?;
    cursor.take(comment_len.into())?;
    let mut wide = Wide(extra_64(extra));
    let len = wide.number(len)?;
    wide.number(packed)?;
    Some(Entry { name, flags, method, len, offset: wide.number(offset)? })
}

/// The extra field that holds what 32 bits cannot: uncompressed length, compressed length, offset, each only if needed.
fn extra_64(extra: &[u8]) -> Cursor<'_> {
    let mut cursor = Cursor::new(extra);
    while let (Some(tag), Some(len)) = (cursor.u16(), cursor.u16()) {
        let Some(content) = cursor.take(len.into()) else { break };
        if tag == 1 {
            return Cursor::new(content);
        }
    }
    Cursor::new(&[])
}

/// Numbers of 64 bits that stand in for those of 32 bits that are full.
struct Wide<'a>(Cursor<'a>);

impl Wide<'_> {
    fn number(&mut self, narrow: u32) -> Option<u64> {
        if narrow == u32::MAX { self.0.u64() } else { Some(narrow.into()) }
    }
}

/// The place of an entry's data, behind its local header.
fn data(file: &[u8], entry: &Entry<'_>) -> Option<Range<usize>> {
    let offset = size(entry.offset)?;
    let mut cursor = Cursor::new(file.get(offset..)?);
    if cursor.u32()? != LOCAL {
        return None;
    }
    cursor.take(22)?;
    let (name_len, extra_len) = (cursor.u16()?, cursor.u16()?);
    cursor.take(usize::from(name_len) + usize::from(extra_len))?;
    let start = file.len() - cursor.rest().len();
    let end = start.checked_add(size(entry.len)?)?;
    (end <= file.len()).then_some(start..end)
}
