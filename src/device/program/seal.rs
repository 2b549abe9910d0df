//! Seals a program: writes its CRCs.

use core::mem::offset_of;

use bytemuck::pod_read_unaligned;

use super::crc::{crc32, update};
use super::index;
use super::record::Header;

const HEAD_CRC: usize = offset_of!(Header, head_crc);
const STEPS_CRC: usize = offset_of!(Header, steps_crc);
const WEIGHTS_CRC: usize = offset_of!(Header, weights_crc);

/// The CRC-32 of a head, with its own field taken as 0.
pub(super) fn head_crc(head: &[u8]) -> u32 {
    let (before, rest) = head.split_at(HEAD_CRC.min(head.len()));
    let behind = rest.get(size_of::<u32>()..).unwrap_or_default();
    update(update(crc32(before), &[0; size_of::<u32>()]), behind)
}

/// Writes the CRCs of the sections into the header. Whoever writes or changes the bytes of a program calls this last. Where the
/// header is cut short nothing is written; a section that lies outside the bytes keeps its CRC.
pub fn seal(bytes: &mut [u8]) {
    let Some(header) = bytes.get(..size_of::<Header>()) else { return };
    let header: Header = pod_read_unaligned(header);
    for (section, field) in [(header.steps, STEPS_CRC), (header.weights, WEIGHTS_CRC)] {
        let start = index(section.offset);
        let end = start.saturating_add(index(section.len));
        if let Some(section) = bytes.get(start..end) {
            let crc = crc32(section);
            write(bytes, field, crc);
        }
    }
    if let Some(head) = bytes.get(..index(header.head_len)) {
        let crc = head_crc(head);
        write(bytes, HEAD_CRC, crc);
    }
}

fn write(bytes: &mut [u8], field: usize, crc: u32) {
    if let Some(field) = bytes.get_mut(field..field + size_of::<u32>()) {
        field.copy_from_slice(&crc.to_le_bytes());
    }
}
