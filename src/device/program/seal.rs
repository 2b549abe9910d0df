//! Seals a program: writes its CRCs.

use core::mem::offset_of;

use bytemuck::pod_read_unaligned;

use super::crc::{crc32, update};
use super::index;
use super::record::{Header, Span};

const HEAD_CRC: usize = offset_of!(Header, head_crc);
const STEPS_CRC: usize = offset_of!(Header, steps_crc);
const WEIGHTS_CRC: usize = offset_of!(Header, weights_crc);

/// The CRC-32 of a head, with its own field taken as 0.
pub(super) fn head_crc(head: &[u8]) -> u32 {
    let (before, rest) = head.split_at(HEAD_CRC.min(head.len()));
    let behind = rest.get(size_of::<u32>()..).unwrap_or_default();
    update(update(crc32(before), &[0; size_of::<u32>()]), behind)
}

/// Writes the CRCs of all three sections into the header. Whoever writes or changes the bytes of a program calls this last;
/// where the header is cut short or a section lies outside the bytes, nothing is written.
pub fn seal(bytes: &mut [u8]) {
    let Some(header) = bytes.get(..size_of::<Header>()) else { return };
    let header: Header = pod_read_unaligned(header);
    let section = |span: Span| {
        let start = index(span.offset);
        bytes.get(start..start.checked_add(index(span.len))?)
    };
    let (Some(steps), Some(weights)) = (section(header.steps), section(header.weights)) else { return };
    let (steps, weights) = (crc32(steps), crc32(weights));
    bytes[STEPS_CRC..STEPS_CRC + 4].copy_from_slice(&steps.to_le_bytes());
    bytes[WEIGHTS_CRC..WEIGHTS_CRC + 4].copy_from_slice(&weights.to_le_bytes());
    let Some(head) = bytes.get(..index(header.head_len)) else { return };
    let head = head_crc(head);
    bytes[HEAD_CRC..HEAD_CRC + 4].copy_from_slice(&head.to_le_bytes());
}
