//! One axis of a resize: which elements of the input an output reads.
//!
//! Flows in: scale and offset; flows out: two neighbours and a share. Called by `resize` for rows and columns, and by `overlap`, which
//! asks for rows alone.

use super::params::{ResizeKind, ResizeParams};

/// One axis of a resize.
#[derive(Clone, Copy, Debug)]
pub(super) struct ResizeAxis {
    /// How places between elements are taken.
    pub(super) kind: ResizeKind,
    /// Elements of the input from one output to the next.
    pub(super) scale: f32,
    /// The place of output 0.
    pub(super) offset: f32,
    /// Elements of the input.
    pub(super) len: u32,
}

/// Two neighbours on one axis and the share of the second.
pub(super) struct Taps {
    pub(super) near: usize,
    pub(super) far: usize,
    pub(super) share: f32,
}

impl ResizeAxis {
    /// The rows of the input that `params` reads.
    pub(super) const fn of_rows(kind: ResizeKind, params: &ResizeParams) -> Self {
        Self { kind, scale: params.scale_y, offset: params.offset_y, len: params.input.h }
    }

    /// The input indices `[first, end)` that output index `o` reads.
    pub(super) const fn rows(&self, o: usize) -> [usize; 2] {
        let taps = self.taps(o);
        [taps.near, if matches!(self.kind, ResizeKind::Bilinear) { taps.far } else { taps.near } + 1]
    }

    /// What output index `o` reads.
    #[inline(always)]
    pub(super) const fn taps(&self, o: usize) -> Taps {
        let last = self.len.saturating_sub(1);
        let place = o as f32 * self.scale + self.offset;
        // The comparison also sends NaN to 0; places are not negative from here on, so a cast rounds down.
        let place = if place > 0.0 { place.min(last as f32) } else { 0.0 };
        let floor = lesser(place as u32, last);
        let share = place - floor as f32;
        let up = match self.kind {
            ResizeKind::NearestPreferFloor => share > 0.5,
            ResizeKind::NearestPreferCeil => share >= 0.5,
            ResizeKind::NearestCeil => share > 0.0,
            ResizeKind::NearestFloor | ResizeKind::Bilinear => false,
        };
        let next = lesser(floor.saturating_add(1), last);
        let near = if up { next } else { floor };
        Taps { near: near as usize, far: next as usize, share }
    }
}

const fn lesser(a: u32, b: u32) -> u32 {
    if a < b { a } else { b }
}
