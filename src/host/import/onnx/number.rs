//! Crossings between number types that the standard library offers only as `as`.
#![allow(
    clippy::as_conversions,
    reason = "the one file of this room that may; each crossing says what it loses"
)]

/// An index; a host has at least 32 bits, so nothing is lost.
pub(super) const fn index(number: u32) -> usize {
    number as usize
}

/// The nearest `f32`.
pub(super) const fn narrow(number: f64) -> f32 {
    number as f32
}

/// The nearest `f32`.
pub(super) const fn float(number: i64) -> f32 {
    number as f32
}

/// The nearest `f64`.
pub(super) const fn wide(number: i64) -> f64 {
    number as f64
}

/// The integer part, saturated; 0 for NaN.
pub(super) const fn truncate(number: f32) -> i64 {
    number as i64
}

/// The integer part, saturated at both ends; 0 for NaN.
pub(super) const fn signed(number: f64) -> i64 {
    number as i64
}

/// The integer part, saturated at both ends; 0 for NaN.
pub(super) const fn size(number: f64) -> u32 {
    number as u32
}
