//! A copy with other order: slices, transpositions, padding, repetition and expansion.
//!
//! Flows in and out: one contiguous tensor each, apart in memory. Called by `engine`.

use core::ops::Range;

use crate::device::simd::{Matrix, Simd, View, ViewMut, transpose};
use crate::device::tensor::MAX_RANK;

use super::params::{Beyond, RearrangeParams};

/// The last axis, whose elements are neighbours in the output.
const LAST: usize = MAX_RANK - 1;
/// [`Beyond::Fill`] as the parameters have it.
const FILL: u32 = Beyond::Fill as u32;

/// Elements of the output; `None` if they do not fit 32 bits.
pub const fn rearrange_f32_output_len(params: &RearrangeParams) -> Option<u32> {
    match rearrange_f32_rows(params) {
        Some(rows) => rows.checked_mul(params.dims[LAST]),
        None => None,
    }
}

/// Rows of the output: the product of all dimensions but the last. Bands may begin at every row. `None` if the number does
/// not fit 32 bits.
pub const fn rearrange_f32_rows(params: &RearrangeParams) -> Option<u32> {
    let mut rows = 1u32;
    let mut axis = 0;
    while axis < LAST {
        rows = match rows.checked_mul(params.dims[axis]) {
            Some(rows) => rows,
            None => return None,
        };
        axis += 1;
    }
    Some(rows)
}

/// Can [`rearrange_f32`] compute this into `output_len` elements? `low ≤ high ≤ dims` on every axis, and `low < high` where
/// what lies beyond reads the input too; the dimensions make exactly `output_len` elements, and every input index that the
/// formula reaches lies inside the input.
pub const fn rearrange_f32_is_valid(params: &RearrangeParams, output_len: u32) -> bool {
    match rearrange_f32_output_len(params) {
        Some(len) if len == output_len => {}
        _ => return false,
    }
    // The least and the greatest index. One axis' share is below 2⁶³, and a sum that saturates is outside any input.
    let (mut least, mut greatest) = (params.base as i64, params.base as i64);
    let mut reads = true;
    let mut axis = 0;
    while axis < MAX_RANK {
        let (low, high) = (params.low[axis], params.high[axis]);
        if low > high || high > params.dims[axis] {
            return false;
        }
        match Beyond::from_code(params.beyond[axis]) {
            Some(Beyond::Fill) => {}
            Some(_) if low < high => {}
            _ => return false,
        }
        if low == high {
            reads = false;
        } else {
            let last = (high - low - 1) as i64 * params.stride[axis] as i64;
            if last < 0 {
                least = least.saturating_add(last);
            } else {
                greatest = greatest.saturating_add(last);
            }
        }
        axis += 1;
    }
    !reads || (least >= 0 && greatest < params.input_len as i64)
}

/// Computes the output rows `rows` (see [`rearrange_f32_rows`]); `input` and `output` are whole.
pub fn rearrange_f32<S: Simd>(
    s: S,
    params: &RearrangeParams,
    input: View<'_, f32>,
    output: ViewMut<'_, f32>,
    rows: Range<usize>,
) {
    if rows.is_empty() {
        return;
    }
    s.vectorize(
        #[inline(always)]
        || {
            let len = params.dims[LAST] as usize;
            let merged = merged(params);
            let copy = Copy { params: &merged, input, output };
            copy.elements(s, rows.start * len, rows.end * len);
        },
    );
}

/// The same copy with fewer, longer axes: an axis that is read whole joins the one before it where a step of that one is as
/// long as all of it, unless something else than `fill` lies beyond that one. Axes of length 1 vanish.
fn merged(params: &RearrangeParams) -> RearrangeParams {
    let mut merged = *params;
    // The axes behind `end` are final.
    let mut end = LAST;
    for axis in (0..LAST).rev() {
        let (dim, low, high, stride) =
            (params.dims[axis], params.low[axis], params.high[axis], params.stride[axis]);
        let inner = merged.dims[end];
        let inner_is_whole = merged.low[end] == 0 && merged.high[end] == inner;
        let is_whole = low == 0 && high == dim;
        if dim == 1 && is_whole {
            continue;
        }
        let is_one_run = i64::from(stride) == i64::from(merged.stride[end]) * i64::from(inner);
        let fills = is_whole || params.beyond[axis] == FILL;
        if inner_is_whole && inner > 1 && is_one_run && fills {
            (merged.dims[end], merged.low[end], merged.high[end]) = (inner * dim, inner * low, inner * high);
            merged.beyond[end] = FILL;
            continue;
        }
        if !(inner_is_whole && inner == 1) {
            end -= 1;
        }
        (merged.dims[end], merged.low[end], merged.high[end], merged.stride[end]) = (dim, low, high, stride);
        merged.beyond[end] = params.beyond[axis];
    }
    for axis in 0..end {
        (merged.dims[axis], merged.low[axis], merged.high[axis], merged.stride[axis]) = (1, 0, 1, 0);
        merged.beyond[axis] = FILL;
    }
    merged
}

/// A copy under way.
struct Copy<'a> {
    params: &'a RearrangeParams,
    input: View<'a, f32>,
    output: ViewMut<'a, f32>,
}

impl Copy<'_> {
    /// Writes the output's elements `at..end`.
    #[inline(always)]
    fn elements<S: Simd>(&self, s: S, mut at: usize, end: usize) {
        let len = self.params.dims[LAST] as usize;
        if len == 0 {
            return;
        }
        while at < end {
            let (row, column) = (at / len, at % len);
            let rows = (end - at) / len;
            if column == 0 && rows > 1 {
                let rows = if self.is_transposition() {
                    self.transposed(s, row, rows)
                } else if self.is_run() {
                    self.whole_rows(row, rows)
                } else {
                    0
                };
                if rows > 0 {
                    at += rows * len;
                    continue;
                }
            }
            let count = (len - column).min(end - at);
            self.row(row, column..column + count);
            at += count;
        }
    }

    /// Are neighbours of the input on the axis before the last?
    #[inline(always)]
    fn is_transposition(&self) -> bool {
        let params = self.params;
        params.stride[LAST - 1] == 1 && params.stride[LAST] > 1 && params.beyond[LAST] == FILL
    }

    /// Is the last axis read whole, one row behind the other? (Only what lies beyond the axis before it keeps the two apart.)
    #[inline(always)]
    fn is_run(&self) -> bool {
        let params = self.params;
        let len = params.dims[LAST];
        let is_whole = params.low[LAST] == 0 && params.high[LAST] == len;
        is_whole && params.stride[LAST] == 1 && i64::from(params.stride[LAST - 1]) == i64::from(len)
    }

    /// What index `index` of an axis reads, counted from the axis' `low`; `None` if it is filled.
    #[inline(always)]
    fn inside(&self, axis: usize, index: usize) -> Option<i64> {
        let (low, high) = (self.params.low[axis], self.params.high[axis]);
        let i = index as i64 - i64::from(low);
        let len = i64::from(high) - i64::from(low);
        if 0 <= i && i < len {
            return Some(i);
        }
        if len == 0 { None } else { Beyond::from_code(self.params.beyond[axis])?.index(i, len) }
    }

    /// Input index of a row's first column inside; `None` if no element of the row reads the input.
    #[inline(always)]
    fn place(&self, row: usize) -> Option<i64> {
        let params = self.params;
        let mut place = i64::from(params.base);
        let mut rest = row;
        for axis in (0..LAST).rev() {
            let dim = params.dims[axis] as usize;
            if dim == 1 && params.low[axis] == 0 && params.high[axis] == 1 {
                continue;
            }
            place += self.inside(axis, rest % dim)? * i64::from(params.stride[axis]);
            rest /= dim;
        }
        Some(place)
    }

    /// Up to `rows` whole rows from `row` on that are one run of the input; 0 if the first lies beyond.
    #[inline(always)]
    fn whole_rows(&self, row: usize, rows: usize) -> usize {
        let Some(rows) = self.rows_inside(row, rows) else { return 0 };
        let Some(place) = self.place(row) else { return 0 };
        let len = self.params.dims[LAST] as usize;
        let out = self.output.range(row * len, rows * len);
        out.copy_from(self.input.range(place as usize, rows * len));
        rows
    }

    /// How many of `rows` rows from `row` on follow each other inside the axis before the last.
    #[inline(always)]
    fn rows_inside(&self, row: usize, rows: usize) -> Option<usize> {
        let params = self.params;
        let index = row % params.dims[LAST - 1] as usize;
        let (low, high) = (params.low[LAST - 1] as usize, params.high[LAST - 1] as usize);
        (low <= index && index < high).then(|| rows.min(high - index))
    }

    /// Columns `columns` of a row.
    #[inline(always)]
    fn row(&self, row: usize, columns: Range<usize>) {
        let params = self.params;
        let out = self.output.range(row * params.dims[LAST] as usize + columns.start, columns.len());
        let Some(place) = self.place(row) else { return out.fill(params.fill) };
        let low = (params.low[LAST] as usize).clamp(columns.start, columns.end);
        let high = (params.high[LAST] as usize).clamp(low, columns.end);
        self.beyond(out, place, columns.start, columns.start..low);
        self.beyond(out, place, columns.start, high..columns.end);
        if low < high {
            let stride = i64::from(params.stride[LAST]);
            let place = place + (low - params.low[LAST] as usize) as i64 * stride;
            self.run(out.range(low - columns.start, high - low), place, stride);
        }
    }

    /// Columns `columns` of a row, none of which lies inside; `out` begins at column `first`.
    #[inline(always)]
    fn beyond(&self, out: ViewMut<'_, f32>, place: i64, first: usize, columns: Range<usize>) {
        let params = self.params;
        if params.beyond[LAST] == FILL {
            return out.range(columns.start - first, columns.len()).fill(params.fill);
        }
        for column in columns {
            let value = match self.inside(LAST, column) {
                Some(i) => self.input.get((place + i * i64::from(params.stride[LAST])) as usize),
                None => params.fill,
            };
            out.set(column - first, value);
        }
    }

    /// Fills `out` from `place` on, `stride` elements apart.
    #[inline(always)]
    fn run(&self, out: ViewMut<'_, f32>, place: i64, stride: i64) {
        match stride {
            1 => out.copy_from(self.input.range(place as usize, out.len())),
            0 => out.fill(self.input.get(place as usize)),
            _ => {
                let mut place = place;
                for i in 0..out.len() {
                    out.set(i, self.input.get(place as usize));
                    place += stride;
                }
            }
        }
    }

    /// Up to `rows` rows from `row` on, where their columns are neighbours in the input. Gives the number of rows that were
    /// written; 0 if the first lies outside.
    #[inline(always)]
    fn transposed<S: Simd>(&self, s: S, row: usize, rows: usize) -> usize {
        let params = self.params;
        let Some(rows) = self.rows_inside(row, rows) else { return 0 };
        let Some(place) = self.place(row) else { return 0 };
        let len = params.dims[LAST] as usize;
        let out = self.output.range(row * len, rows * len);
        let inside = params.low[LAST] as usize..params.high[LAST] as usize;
        if inside.len() < len {
            for r in 0..rows {
                out.range(r * len, inside.start).fill(params.fill);
                out.range(r * len + inside.end, len - inside.end).fill(params.fill);
            }
        }
        if !inside.is_empty() {
            let matrix = Matrix { rows: inside.len(), columns: rows, stride: params.stride[LAST] as usize };
            transpose(s, self.input.from(place as usize), matrix, out.from(inside.start), len);
        }
        rows
    }
}
