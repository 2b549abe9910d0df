//! Numbers as people read them.

use core::fmt;

/// A number of bytes: `96 B`, `12.5 KiB`, `3.0 MiB`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bytes(pub u64);

/// A number of things, in powers of a thousand: `960`, `12.5 k`, `3.1 M`, `1.8 G`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Count(pub u64);

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_scaled(f, self.0, 1024, &[" B", " KiB", " MiB", " GiB"])
    }
}

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_scaled(f, self.0, 1000, &["", " k", " M", " G", " T"])
    }
}

/// Writes `number` with one decimal in the largest unit that it reaches; in the first unit as it is.
fn write_scaled(f: &mut fmt::Formatter<'_>, number: u64, base: u64, units: &[&str]) -> fmt::Result {
    let mut scaled = number as f64;
    let mut unit = 0;
    // From 999.95 on, one decimal would show a thousand of the smaller unit.
    while scaled >= base as f64 - 0.05 && unit + 1 < units.len() {
        scaled /= base as f64;
        unit += 1;
    }
    if unit == 0 { write!(f, "{number}{}", units[0]) } else { write!(f, "{scaled:.1}{}", units[unit]) }
}
