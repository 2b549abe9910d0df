//! The transform back, `Aᵀ M A`, with the epilogue, patch by patch.
//!
//! What flows in: the sums of a run of patches, in the planes of M; what flows out: finished pixels in the sink. Called by the
//! driver.
#![allow(
    clippy::needless_range_loop,
    reason = "loops over the places of a matrix, which the compiler unrolls: as many names as rows and columns say no more"
)]

use core::ops::Range;

use crate::device::simd::{LANES, Simd, Vectors, View};

use super::super::super::band::PanelEpilogue;
use super::super::{Band, ConvTask};
use super::tile::Tile;
use super::{GROUP, Layout, PatchRun};

/// Finishes the outputs `Aᵀ M A` of the patches of a run, those that lie in the band and the picture.
#[inline(always)]
pub(super) fn transform_output<S: Simd, T: Tile<OUT, PATCH>, const OUT: usize, const PATCH: usize>(
    s: S,
    task: &ConvTask<'_>,
    layout: &Layout,
    band: &Band,
    run: &PatchRun,
    panels: Range<usize>,
    m: View<'_, f32>,
) {
    let output = &task.params.output;
    let residual = task.epilogue.residual.and_then(|source| source.single());
    let mut rows = [None; OUT];
    for (i, row) in rows.iter_mut().enumerate() {
        let y = run.y + i;
        if band.rows.contains(&y) {
            let residual = residual.map_or(0, |segment| segment.rows.row_start(band.image, y));
            *row = Some([task.sink.rows().row_start(band.image, y), residual]);
        }
    }
    let residual_pixel = residual.map_or(0, |segment| segment.rows.pixel_stride as usize);
    let places = Places { rows, pixel: [task.sink.pixel_stride(), residual_pixel] };
    let sink = task.sink.memory();
    for panel in panels.clone() {
        let channel = panel * LANES;
        let count = (output.c as usize - channel).min(LANES);
        let epilogue = PanelEpilogue::new(s, &task.epilogue, channel, count);
        let m = m.from((panel - panels.start) * LANES);
        for patch in 0..run.count {
            let x = run.x + OUT * patch;
            let sums = m.vectors(patch * GROUP, layout.m_plane, PATCH * PATCH);
            let columns = OUT.min(output.w as usize - x);
            if const { !S::IS_LONG } && columns == OUT && epilogue.is_whole() {
                let tile = tile::<S, T, OUT, PATCH>(s, &sums);
                for i in 0..OUT {
                    for j in 0..OUT {
                        if let Some([place, residual]) = places.of(i, x + j) {
                            epilogue.store_whole(s, tile[i][j], &sink, place, residual);
                        }
                    }
                }
                continue;
            }
            // Through memory and a loop; the tile itself stays in registers.
            let mut lanes = [[[0.0; LANES]; OUT]; OUT];
            let tile = tile::<S, T, OUT, PATCH>(s, &sums);
            for i in 0..OUT {
                for j in 0..OUT {
                    lanes[i][j] = s.to_array(tile[i][j]);
                }
            }
            for i in 0..OUT {
                for j in 0..columns {
                    if let Some([place, residual]) = places.of(i, x + j) {
                        epilogue.store(s, s.lanes(lanes[i][j]), &sink, place, residual);
                    }
                }
            }
        }
    }
}

/// Where the pixels of a row of tiles lie in the sink and in the residual.
struct Places<const OUT: usize> {
    /// The starts of each row; `None` if it is not the band's.
    rows: [Option<[usize; 2]>; OUT],
    /// Elements from one pixel to the next.
    pixel: [usize; 2],
}

impl<const OUT: usize> Places<OUT> {
    /// Where pixel `x` of row `i` begins.
    #[inline(always)]
    fn of(&self, i: usize, x: usize) -> Option<[usize; 2]> {
        let [place, residual] = self.rows[i]?;
        Some([place + x * self.pixel[0], residual + x * self.pixel[1]])
    }
}

/// `Aᵀ M A` of one patch and panel.
#[inline(always)]
fn tile<S: Simd, T: Tile<OUT, PATCH>, const OUT: usize, const PATCH: usize>(
    s: S,
    m: &Vectors<'_>,
) -> [[S::F32; OUT]; OUT] {
    let mut columns = [[s.splat(0.0); PATCH]; OUT];
    for j in 0..PATCH {
        let mut column = [s.splat(0.0); PATCH];
        for i in 0..PATCH {
            column[i] = m.load(s, PATCH * i + j);
        }
        let sums = T::output(s, column);
        for i in 0..OUT {
            columns[i][j] = sums[i];
        }
    }
    let mut tile = [[s.splat(0.0); OUT]; OUT];
    for i in 0..OUT {
        tile[i] = T::output(s, columns[i]);
    }
    tile
}
