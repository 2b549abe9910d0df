//! The transform of the input, `V = Bᵀ d B`, patch by patch.
//!
//! What flows in: a run of patches of the source; what flows out: a vector of 16 channels for each frequency of each patch, in the
//! planes of V. A patch that lies in the picture is read in place; another is copied first, with its padding. Called by the
//! driver.
#![allow(
    clippy::needless_range_loop,
    reason = "loops over the places of a matrix, which the compiler unrolls: as many names as rows and columns say no more"
)]

use crate::device::simd::{LANES, Simd, Vectors, VectorsMut, View, ViewMut};
use crate::device::tensor::Segment;

use super::super::super::band::{LaneFunction, channel_lanes};
use super::super::{ConvTask, Prologue};
use super::tile::Tile;
use super::{Layout, PatchRun};

/// Writes `Bᵀ d B` of the patches of a run to all planes of V.
#[inline(always)]
pub(super) fn transform_input<S: Simd, T: Tile<OUT, PATCH>, const OUT: usize, const PATCH: usize>(
    s: S,
    task: &ConvTask<'_>,
    layout: &Layout,
    image: usize,
    run: &PatchRun,
    v: ViewMut<'_, f32>,
) {
    let (input, window) = (&task.params.input, &task.params.window);
    let first_y = window.y.first_input(run.y);
    let mut channel = 0;
    for segment in task.source.segments() {
        let mut rows = [None; PATCH];
        for (i, row) in rows.iter_mut().enumerate() {
            let y = first_y + i as isize;
            if y >= 0 && y < input.h as isize {
                *row = Some(task.source.row(segment, image, y as usize));
            }
        }
        let patches = Patches { rows, segment, channel, width: input.w as isize, prologue: task.prologue };
        for patch in 0..run.count {
            let x = window.x.first_input(run.x + OUT * patch);
            patches.transform::<S, T, OUT>(s, layout, x, v.from(patch * layout.channels + channel));
        }
        channel += segment.channels as usize;
    }
}

/// The patches of a run in one segment.
struct Patches<'a, const PATCH: usize> {
    /// The input rows; `None` is padding.
    rows: [Option<View<'a, f32>>; PATCH],
    segment: &'a Segment,
    /// The segment's first channel.
    channel: usize,
    /// Pixels of a row.
    width: isize,
    prologue: Option<Prologue<'a>>,
}

impl<const PATCH: usize> Patches<'_, PATCH> {
    /// Transforms all channels of the patch that begins at input column `x`.
    #[inline(always)]
    fn transform<S: Simd, T: Tile<OUT, PATCH>, const OUT: usize>(
        &self,
        s: S,
        layout: &Layout,
        x: isize,
        v: ViewMut<'_, f32>,
    ) {
        let channels = self.segment.channels as usize;
        let whole = x >= 0 && x + PATCH as isize <= self.width && self.prologue.is_none();
        let whole = if whole { self.whole_rows() } else { None };
        let mut done = 0;
        if let Some(rows) = &whole {
            let pixel = self.segment.rows.pixel_stride as usize;
            while channels - done >= LANES {
                let mut patch = [rows[0].vectors(0, 0, 0); PATCH];
                for (row, view) in patch.iter_mut().zip(rows) {
                    *row = view.vectors(x as usize * pixel + done, pixel, PATCH);
                }
                let planes = v.vectors(done, layout.v_plane, PATCH * PATCH);
                transform_patch::<S, T, OUT, PATCH>(s, &patch, &planes);
                done += LANES;
            }
        }
        if done < channels {
            self.transform_copy::<S, T, OUT>(s, layout, x, done, v);
        }
    }

    /// Transforms the channels of a patch from `done` on, out of a copy that has its padding and to which the prologue is
    /// applied.
    #[inline(always)]
    fn transform_copy<S: Simd, T: Tile<OUT, PATCH>, const OUT: usize>(
        &self,
        s: S,
        layout: &Layout,
        x: isize,
        mut done: usize,
        v: ViewMut<'_, f32>,
    ) {
        let mut copy = [[[0.0; LANES]; PATCH]; PATCH];
        let copy = ViewMut::new(copy.as_flattened_mut().as_flattened_mut());
        let channels = self.segment.channels as usize;
        let mut patch = [copy.as_view().vectors(0, 0, 0); PATCH];
        for (i, row) in patch.iter_mut().enumerate() {
            *row = copy.as_view().vectors(i * PATCH * LANES, LANES, PATCH);
        }
        while done < channels {
            let count = (channels - done).min(LANES);
            self.copy(s, x, [done, count], copy);
            if count == LANES {
                let planes = v.vectors(done, layout.v_plane, PATCH * PATCH);
                transform_patch::<S, T, OUT, PATCH>(s, &patch, &planes);
            } else {
                // The lanes behind the last channel may be another segment's or another patch's.
                let mut places = [[[0.0; LANES]; PATCH]; PATCH];
                let places = ViewMut::new(places.as_flattened_mut().as_flattened_mut());
                transform_patch::<S, T, OUT, PATCH>(s, &patch, &places.vectors(0, LANES, PATCH * PATCH));
                for f in 0..PATCH * PATCH {
                    v.store_partial(s, done + f * layout.v_plane, places.load(s, f * LANES), count);
                }
            }
            done += count;
        }
    }

    /// The rows, if none is padding.
    #[inline(always)]
    fn whole_rows(&self) -> Option<[View<'_, f32>; PATCH]> {
        let first = self.rows[0]?;
        let mut rows = [first; PATCH];
        for (whole, row) in rows.iter_mut().zip(&self.rows) {
            *whole = (*row)?;
        }
        Some(rows)
    }

    /// Copies channels `c..c + count` of what is no padding, the prologue applied.
    #[inline(always)]
    fn copy<S: Simd>(&self, s: S, x: isize, [c, count]: [usize; 2], copy: ViewMut<'_, f32>) {
        let pixel = self.segment.rows.pixel_stride as usize;
        let columns = (-x).max(0) as usize..(self.width - x).clamp(0, PATCH as isize) as usize;
        for (i, row) in self.rows.iter().enumerate() {
            let Some(row) = row else { continue };
            let (first, place) =
                ((x + columns.start as isize) as usize * pixel + c, i * PATCH + columns.start);
            if self.prologue.is_none() && count == LANES {
                let row = row.vectors(first, pixel, columns.len());
                let copy = copy.vectors::<LANES>(place * LANES, LANES, columns.len());
                for j in 0..columns.len() {
                    copy.store(s, j, row.load(s, j));
                }
            } else {
                for j in 0..columns.len() {
                    let d = self.apply(s, row.load_partial(s, first + j * pixel, count), c);
                    copy.store(s, (place + j) * LANES, d);
                }
            }
        }
    }

    /// Applies the prologue, if there is one, to channels from `c` on.
    #[inline(always)]
    fn apply<S: Simd>(&self, s: S, x: S::F32, c: usize) -> S::F32 {
        let Some(prologue) = &self.prologue else { return x };
        let scale = channel_lanes(s, &prologue.scale, self.channel + c);
        let shift = channel_lanes(s, &prologue.shift, self.channel + c);
        LaneFunction::new(s, &prologue.activation).apply(s, s.mul_add(x, scale, shift))
    }
}

/// Writes `Bᵀ d B` of 16 channels: a vector for each frequency.
#[inline(always)]
fn transform_patch<S: Simd, T: Tile<OUT, PATCH>, const OUT: usize, const PATCH: usize>(
    s: S,
    d: &[Vectors<'_>; PATCH],
    places: &VectorsMut<'_>,
) {
    if const { S::IS_LONG } {
        called_patch::<S, T, OUT, PATCH>(s, d, places);
    } else {
        inlined_patch::<S, T, OUT, PATCH>(s, d, places);
    }
}

/// [`transform_patch`] once for all places.
#[inline(never)]
fn called_patch<S: Simd, T: Tile<OUT, PATCH>, const OUT: usize, const PATCH: usize>(
    s: S,
    d: &[Vectors<'_>; PATCH],
    places: &VectorsMut<'_>,
) {
    s.vectorize(
        #[inline(always)]
        || inlined_patch::<S, T, OUT, PATCH>(s, d, places),
    );
}

/// [`transform_patch`] here.
#[inline(always)]
fn inlined_patch<S: Simd, T: Tile<OUT, PATCH>, const OUT: usize, const PATCH: usize>(
    s: S,
    d: &[Vectors<'_>; PATCH],
    places: &VectorsMut<'_>,
) {
    transform_pair::<S, T, OUT, PATCH, 0>(s, d, places);
    transform_pair::<S, T, OUT, PATCH, 1>(s, d, places);
    if const { T::PAIRS.len() > 2 } {
        transform_pair::<S, T, OUT, PATCH, 2>(s, d, places);
    }
}

/// Writes two rows of `Bᵀ d B`: of all columns the two elements of a pair, then their rows. So little is alive at a time that it
/// stays in registers, which is worth loading elements for each pair anew.
#[inline(always)]
fn transform_pair<S: Simd, T: Tile<OUT, PATCH>, const OUT: usize, const PATCH: usize, const PAIR: usize>(
    s: S,
    d: &[Vectors<'_>; PATCH],
    places: &VectorsMut<'_>,
) {
    let mut rows = [[s.splat(0.0); PATCH]; 2];
    for j in 0..PATCH {
        let mut column = [s.splat(0.0); PATCH];
        for i in 0..PATCH {
            column[i] = d[i].load(s, j);
        }
        [rows[0][j], rows[1][j]] = T::input::<S, PAIR>(s, column);
    }
    for r in 0..2 {
        let first = PATCH * T::PAIRS[PAIR][r];
        store_pair::<S, T, OUT, PATCH, 0>(s, rows[r], first, places);
        store_pair::<S, T, OUT, PATCH, 1>(s, rows[r], first, places);
        if const { T::PAIRS.len() > 2 } {
            store_pair::<S, T, OUT, PATCH, 2>(s, rows[r], first, places);
        }
    }
}

/// Writes two elements of the transform of a row, whose frequencies are those from `first` on.
#[inline(always)]
fn store_pair<S: Simd, T: Tile<OUT, PATCH>, const OUT: usize, const PATCH: usize, const PAIR: usize>(
    s: S,
    row: [S::F32; PATCH],
    first: usize,
    places: &VectorsMut<'_>,
) {
    let pair = T::input::<S, PAIR>(s, row);
    for e in 0..2 {
        places.store(s, first + T::PAIRS[PAIR][e], pair[e]);
    }
}
