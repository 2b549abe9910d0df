//! What is known of a program when the application that embeds it is compiled.
//!
//! ```ignore
//! static NET: &Aligned<[u8]> = &Aligned(*include_bytes!("net.salto"));
//! const _: () = assert!(program::is_intact(include_bytes!("net.salto")));
//! static mut ARENA: AlignedArena<{ program::arena_len(include_bytes!("net.salto")) }> = AlignedArena::new();
//! ```

use core::mem::offset_of;

use super::crc::{crc32, update};
use super::record::{Header, KNOWN_CAPABILITIES, MAGIC, VERSION};

/// Bytes of arena that a run on one thread needs, from the program's bytes; 0 if they are too few to say.
pub const fn arena_len(bytes: &[u8]) -> usize {
    match number(bytes, offset_of!(Header, arena_len)) {
        Some(len) => index(len),
        None => 0,
    }
}

/// Are the head and the steps those of a program that this build reads, and undamaged?
///
/// The weights are left to [`Program::from_bytes`](super::Program::from_bytes): the CRC of hundreds of KiB takes too long while
/// compiling. So are the rules of the head and the steps beyond their CRCs.
pub const fn is_intact(bytes: &[u8]) -> bool {
    let mut i = 0;
    while i < MAGIC.len() {
        if i >= bytes.len() || bytes[i] != MAGIC[i] {
            return false;
        }
        i += 1;
    }
    let version = number(bytes, offset_of!(Header, version));
    let low = number(bytes, offset_of!(Header, capabilities));
    let high = number(bytes, offset_of!(Header, capabilities) + 4);
    let (Some(VERSION), Some(low), Some(high)) = (version, low, high) else { return false };
    if (widen(low) | widen(high) << 32) & !KNOWN_CAPABILITIES != 0 {
        return false;
    }
    head_is_intact(bytes) && steps_are_intact(bytes)
}

const fn head_is_intact(bytes: &[u8]) -> bool {
    const CRC: usize = offset_of!(Header, head_crc);
    let Some(len) = number(bytes, offset_of!(Header, head_len)) else { return false };
    let (Some(before), Some(behind)) = (range(bytes, 0, CRC), range(bytes, CRC + 4, index(len))) else {
        return false;
    };
    let crc = update(update(crc32(before), &[0; 4]), behind);
    matches!(number(bytes, CRC), Some(expected) if expected == crc)
}

const fn steps_are_intact(bytes: &[u8]) -> bool {
    let start = number(bytes, offset_of!(Header, steps));
    let len = number(bytes, offset_of!(Header, steps) + 4);
    let (Some(start), Some(len)) = (start, len) else { return false };
    let Some(steps) = range(bytes, index(start), index(start).saturating_add(index(len))) else {
        return false;
    };
    let crc = crc32(steps);
    matches!(number(bytes, offset_of!(Header, steps_crc)), Some(expected) if expected == crc)
}

/// The bytes `start..end`.
const fn range(bytes: &[u8], start: usize, end: usize) -> Option<&[u8]> {
    if start > end || end > bytes.len() {
        return None;
    }
    Some(bytes.split_at(end).0.split_at(start).1)
}

/// The 32-bit number at `offset`.
const fn number(bytes: &[u8], offset: usize) -> Option<u32> {
    match range(bytes, offset, offset + 4) {
        Some([a, b, c, d]) => Some(u32::from_le_bytes([*a, *b, *c, *d])),
        _ => None,
    }
}

#[allow(clippy::as_conversions, reason = "const fn: the conversion traits are not const; it widens")]
const fn widen(number: u32) -> u64 {
    number as u64
}

#[allow(
    clippy::as_conversions,
    reason = "const fn: the conversion traits are not const; a length fits or is refused"
)]
const fn index(number: u32) -> usize {
    if number as u64 > usize::MAX as u64 { usize::MAX } else { number as usize }
}
