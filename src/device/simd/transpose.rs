//! Transposition of matrices in memory: the change between `[c, pixels]` and `[pixels, c]`.

use super::lanes::{LANES, Simd};
use super::view::{View, ViewMut};

/// Squares of 16×16 that are copied one behind the other along the axis whose elements lie in the longer rows.
const STRIP: usize = 4;

/// A matrix in memory: `rows` rows of `columns` neighbours, `stride` elements apart.
#[derive(Clone, Copy, Debug)]
pub struct Matrix {
    /// Rows.
    pub rows: usize,
    /// Columns.
    pub columns: usize,
    /// Elements from one row to the next.
    pub stride: usize,
}

impl Matrix {
    /// Elements from the first to the end of the last; saturated.
    const fn reach(&self) -> usize {
        if self.rows == 0 || self.columns == 0 {
            return 0;
        }
        (self.rows - 1).saturating_mul(self.stride).saturating_add(self.columns)
    }
}

/// Copies element `(y, x)` of the matrix at the start of `from` to `x · to_stride + y` of `to`. The two do not overlap.
pub fn transpose<S: Simd>(s: S, from: View<'_, f32>, matrix: Matrix, to: ViewMut<'_, f32>, to_stride: usize) {
    let Matrix { rows, columns, stride } = matrix;
    let target = Matrix { rows: columns, columns: rows, stride: to_stride };
    let (from, to) = (from.range(0, matrix.reach()), to.range(0, target.reach()));
    if rows < LANES || columns < LANES {
        return few(s, from, matrix, to, to_stride);
    }
    // Rows that lie far apart, perhaps a power of two, drive each other out of the cache: each of their lines is touched once, by
    // neighbouring squares that begin where lines begin.
    let reads_far = stride >= to_stride;
    let (far, near) = if reads_far {
        (Squares::new(columns, from.pointer().addr()), Squares::new(rows, 0))
    } else {
        (Squares::new(rows, to.pointer().addr()), Squares::new(columns, 0))
    };
    s.vectorize(
        #[inline(always)]
        || {
            for strip in (0..far.count).step_by(STRIP) {
                for near in (0..near.count).map(|i| near.start(i)) {
                    for far in (strip..far.count.min(strip + STRIP)).map(|i| far.start(i)) {
                        let (y, x) = if reads_far { (near, far) } else { (far, near) };
                        let source = from.pointer().wrapping_add(y * stride + x);
                        let target = to.pointer().wrapping_add(x * to_stride + y);
                        // SAFETY: rows `y..y + 16` and columns `x..x + 16` are of both matrices, whose last elements `range` checked.
                        unsafe { s.transpose_pointer(source, stride, target, to_stride) };
                    }
                }
            }
        },
    );
}

/// Where squares begin on an axis: at 0, then at the start of each cache line; the last one ends where the axis does.
#[derive(Clone, Copy)]
struct Squares {
    len: usize,
    second: usize,
    count: usize,
}

impl Squares {
    /// An axis of at least 16 elements, the first of which lies at an address.
    fn new(len: usize, address: usize) -> Self {
        let second = LANES - address / size_of::<f32>() % LANES;
        Self { len, second, count: 1 + (len - second).div_ceil(LANES) }
    }

    #[inline(always)]
    fn start(&self, i: usize) -> usize {
        if i == 0 { 0 } else { (self.second + (i - 1) * LANES).min(self.len - LANES) }
    }
}

/// The same, with few rows or few columns.
fn few<S: Simd>(s: S, from: View<'_, f32>, matrix: Matrix, to: ViewMut<'_, f32>, to_stride: usize) {
    let (from, to) = (from.pointer(), to.pointer());
    s.vectorize(
        #[inline(always)]
        || {
            // SAFETY: the caller has checked the last element of both matrices.
            let copy = |rows| unsafe { elements(from, Matrix { rows, ..matrix }, to, to_stride) };
            // The number of colours is known to the compiler.
            match matrix.rows {
                2 => copy(2),
                3 => copy(3),
                4 => copy(4),
                rows => copy(rows),
            }
        },
    );
}

/// [`transpose`], element by element.
///
/// # Safety
/// The matrix must be readable at `from`, and its transpose with rows `to_stride` apart writable at `to`.
#[inline(always)]
unsafe fn elements(from: *const f32, matrix: Matrix, to: *mut f32, to_stride: usize) {
    for x in 0..matrix.columns {
        for y in 0..matrix.rows {
            // SAFETY: element `(y, x)` is of the matrix.
            let element = unsafe { from.wrapping_add(y * matrix.stride + x).read() };
            // SAFETY: and `(x, y)` of its transpose.
            unsafe { to.wrapping_add(x * to_stride + y).write(element) };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::simd::Level;
    use crate::dispatch;
    use std::vec;
    use std::vec::Vec;

    #[test]
    fn every_size_is_transposed_at_every_level() {
        let sizes = [0, 1, 2, 3, 4, 7, 15, 16, 17, 31, 33, 48, 64, 65, 100, 130];
        for level in Level::NAMES.iter().filter_map(|name| Level::named(name)) {
            for (rows, columns) in sizes.iter().flat_map(|&rows| sizes.map(|columns| (rows, columns))) {
                let (stride, to_stride) = (columns + rows % 3, rows + columns % 2);
                let from: Vec<f32> = (0..rows * stride + 1).map(|i| i as f32).collect();
                let mut to = vec![-1.0; columns * to_stride + 1];
                let matrix = Matrix { rows, columns, stride };
                let (source, target) = (View::new(&from), ViewMut::new(&mut to));
                dispatch!(level, s => transpose(s, source, matrix, target, to_stride));
                for (i, &value) in to.iter().enumerate() {
                    let (x, y) = (i / to_stride.max(1), i % to_stride.max(1));
                    let inside = x < columns && y < rows;
                    let expected = if inside { from[y * stride + x] } else { -1.0 };
                    assert_eq!(value, expected, "{} {rows}×{columns}, ({y}, {x})", level.name());
                }
            }
        }
    }

    #[test]
    #[should_panic(expected = "view outside its memory")]
    fn a_matrix_outside_its_memory_is_refused() {
        let matrix = Matrix { rows: 2, columns: 3, stride: 3 };
        let mut to = [0.0; 5];
        transpose(super::super::Portable, View::new(&[0.0; 6]), matrix, ViewMut::new(&mut to), 2);
    }
}
