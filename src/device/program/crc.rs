//! CRC-32 as Ethernet, zlib and PNG compute it (polynomial `0x04C11DB7`, reflected), as a `const fn`.

/// Bytes that one round of the main loop takes ("slicing": Kounavis & Berry 2005): one table of 1 KiB for each. A device
/// without heap checks little and has little flash, so it keeps one table.
const SLICES: usize = if cfg!(feature = "alloc") { 16 } else { 1 };

/// The polynomial, lowest power in the highest bit.
const POLYNOMIAL: u32 = 0xEDB8_8320;

/// `TABLES[k][b]`: the remainder of byte `b` followed by `k` zero bytes.
static TABLES: [[u32; 256]; SLICES] = tables();

#[allow(
    clippy::as_conversions,
    reason = "const fn: the conversion traits are not const; both widen or take a low byte"
)]
const fn tables() -> [[u32; 256]; SLICES] {
    let mut tables = [[0u32; 256]; SLICES];
    let mut byte = 0;
    while byte < 256 {
        let mut remainder = byte as u32;
        let mut bit = 0;
        while bit < 8 {
            remainder = if remainder & 1 == 1 { remainder >> 1 ^ POLYNOMIAL } else { remainder >> 1 };
            bit += 1;
        }
        tables[0][byte] = remainder;
        byte += 1;
    }
    let mut k = 1;
    while k < SLICES {
        let mut byte = 0;
        while byte < 256 {
            let shorter = tables[k - 1][byte];
            tables[k][byte] = shorter >> 8 ^ tables[0][(shorter & 0xFF) as usize];
            byte += 1;
        }
        k += 1;
    }
    tables
}

/// The remainder of the low byte of `bits`, followed by `zeros` zero bytes.
#[allow(
    clippy::as_conversions,
    reason = "const fn: the conversion traits are not const; the value is a byte"
)]
const fn followed_by(zeros: usize, bits: u32) -> u32 {
    let table = if zeros < SLICES { zeros } else { 0 };
    TABLES[table][(bits & 0xFF) as usize]
}

/// The remainder of four bytes, the first in the lowest bits, followed by `zeros` zero bytes.
const fn word_followed_by(zeros: usize, bits: u32) -> u32 {
    followed_by(zeros + 3, bits)
        ^ followed_by(zeros + 2, bits >> 8)
        ^ followed_by(zeros + 1, bits >> 16)
        ^ followed_by(zeros, bits >> 24)
}

/// The CRC-32 of `bytes`. `crc32(b"123456789") == 0xCBF4_3926`.
pub const fn crc32(bytes: &[u8]) -> u32 {
    update(0, bytes)
}

/// The CRC-32 of what `crc` is the CRC of, followed by `bytes`. Begin with 0.
#[allow(clippy::as_conversions, reason = "const fn: the conversion traits are not const; a byte widens")]
pub(super) const fn update(crc: u32, bytes: &[u8]) -> u32 {
    let mut crc = !crc;
    let mut rest = bytes;
    while SLICES == 16
        && let Some((bytes, tail)) = rest.split_first_chunk::<16>()
    {
        let [a, b, c, d] = *bytes.as_chunks().0 else { break };
        // What the sum so far changes comes last, so that all else is computed while it is waited for.
        let behind = word_followed_by(8, u32::from_le_bytes(b))
            ^ word_followed_by(4, u32::from_le_bytes(c))
            ^ word_followed_by(0, u32::from_le_bytes(d));
        crc = behind ^ word_followed_by(12, crc ^ u32::from_le_bytes(a));
        rest = tail;
    }
    while let [byte, tail @ ..] = rest {
        crc = crc >> 8 ^ followed_by(0, crc ^ *byte as u32);
        rest = tail;
    }
    !crc
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One bit at a time, from the definition.
    fn by_bits(bytes: &[u8]) -> u32 {
        !bytes.iter().fold(!0u32, |crc, byte| {
            (0..8).fold(
                crc ^ u32::from(*byte),
                |crc, _| {
                    if crc & 1 == 1 { crc >> 1 ^ POLYNOMIAL } else { crc >> 1 }
                },
            )
        })
    }

    #[test]
    fn agrees_with_the_check_value_of_the_catalogue() {
        const CHECK: u32 = crc32(b"123456789");
        assert_eq!(CHECK, 0xCBF4_3926);
        assert_eq!(crc32(b""), 0);
    }

    #[test]
    fn agrees_with_the_definition_at_every_length_and_cut() {
        let bytes: Vec<u8> = (0..61u32).map(|i| (i * 97 + 13).to_le_bytes()[0]).collect();
        for len in 0..bytes.len() {
            assert_eq!(crc32(&bytes[..len]), by_bits(&bytes[..len]));
            assert_eq!(update(crc32(&bytes[..len]), &bytes[len..]), crc32(&bytes));
        }
    }
}
