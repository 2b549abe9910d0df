//! `Gather` (since 1, 11, 13) and `GatherND` (since 11, 12, 13) with constant indices.
//!
//! Of activations, elements at regular distances are a slice, and any others a concatenation of slices: exporters write few of
//! them, as for the windows of an adaptive pool.

use crate::host::Result;

use super::super::Tensor;
use super::super::context::Context;
use super::super::number::index;
use super::super::tensor::{element_count, wrapped};
use super::{Operand, Operator, axis_of, invalid, unsupported};

pub(super) const OPERATORS: &[Operator] =
    &[Operator::new("Gather", gather), Operator::new("GatherND", gather_nd)];

/// The most slices that one node becomes.
const MAX_RUNS: usize = 1 << 12;

/// `output[…, i, …] = input[…, indices[i], …]`; the axis becomes the dimensions of the indices.
fn gather(cx: &mut Context<'_, '_>) -> Result<Vec<Operand>> {
    let (x, indices) = (cx.operand(0)?, cx.constant(1)?);
    let dims = cx.dims(&x);
    let axis = axis_of(cx.node.int("axis", 0)?, dims.len())?;
    let target = [&dims[..axis], indices.dims(), &dims[axis + 1..]].concat();
    if let Operand::Constant(tensor) = &x {
        cx.charge(&target)?;
        return Ok(vec![Operand::Constant(tensor.gathered(&indices, axis)?)]);
    }
    let list = places(&indices, dims[axis])?;
    let part = chosen(cx, &x, axis, &list)?;
    Ok(vec![cx.reshape(&part, &target)?])
}

/// The indices, each in `0..len`.
fn places(indices: &Tensor, len: u32) -> Result<Vec<u32>> {
    let list = indices.data().as_i64().ok_or_else(|| invalid("its indices are no integers"))?;
    let place = |i: &i64| u32::try_from(wrapped(*i, len)?).ok();
    let list: Option<Vec<u32>> = list.iter().map(place).collect();
    list.ok_or_else(|| invalid(format!("an index lies outside 0..{len}")))
}

/// These indices of an axis, in this order: runs at regular distances, one after another.
fn chosen(cx: &mut Context<'_, '_>, x: &Operand, axis: usize, list: &[u32]) -> Result<Operand> {
    let dims = cx.dims(x);
    let mut parts = Vec::new();
    let mut rest = list;
    while let Some(&first) = rest.first() {
        let (run, step) = regular(rest);
        let (mut start, mut len, mut steps) = (vec![0; dims.len()], dims.clone(), vec![1; dims.len()]);
        (start[axis], len[axis]) = (first, u32::try_from(run).map_err(|_| invalid("too many indices"))?);
        steps[axis] = i32::try_from(step).map_err(|_| unsupported(format!("a step of {step}")))?;
        if parts.len() == MAX_RUNS {
            return Err(unsupported(format!("its indices are irregular: more than {MAX_RUNS} runs")));
        }
        parts.push(cx.slice(x, &start, &len, &steps)?);
        rest = &rest[run..];
    }
    match &*parts {
        [] => Err(unsupported("it takes nothing")),
        [part] => Ok(part.clone()),
        _ => cx.concat(&parts, axis),
    }
}

/// How many indices at the front have one distance, which is not 0, and the distance.
fn regular(list: &[u32]) -> (usize, i64) {
    let distance = |pair: &[u32]| i64::from(pair[1]) - i64::from(pair[0]);
    match list.windows(2).map(distance).next() {
        None | Some(0) => (1, 1),
        Some(step) => (1 + list.windows(2).take_while(|pair| distance(pair) == step).count(), step),
    }
}

/// `output[i…, rest…] = input[indices[i…, 0], …, indices[i…, k − 1], rest…]`.
fn gather_nd(cx: &mut Context<'_, '_>) -> Result<Vec<Operand>> {
    if cx.node.int("batch_dims", 0)? != 0 {
        return Err(unsupported("batch_dims is not 0"));
    }
    let (x, indices) = (cx.operand(0)?, cx.constant(1)?);
    let dims = cx.dims(&x);
    let Some((&depth, outer)) = indices.dims().split_last() else { return Err(invalid("no indices")) };
    let depth = index(depth);
    if depth == 0 || depth > dims.len() {
        return Err(invalid(format!("{depth} indices for each element of {dims:?}")));
    }
    let target = [outer, &dims[depth..]].concat();
    cx.charge(&[element_count(indices.dims()).unwrap_or(u32::MAX)])?;
    let columns: Vec<Vec<u32>> =
        (0..depth).map(|k| places(&column(&indices, k)?, dims[k])).collect::<Result<_>>()?;
    if let (Operand::Value(_), Some([rows, columns])) = (&x, product(&columns)) {
        let part = chosen(cx, &x, 0, &rows)?;
        let part = chosen(cx, &part, 1, &columns)?;
        return Ok(vec![cx.reshape(&part, &target)?]);
    }
    let flat = flattened(&columns, &dims[..depth])?;
    let leading = element_count(&dims[..depth]).ok_or_else(|| invalid("too many elements"))?;
    let x = cx.reshape(&x, &[&[leading], &dims[depth..]].concat())?;
    let part = match &x {
        Operand::Constant(tensor) => {
            cx.charge(&target)?;
            let list = Tensor::vector(flat.into_iter().map(i64::from).collect())?;
            Operand::Constant(tensor.gathered(&list, 0)?)
        }
        Operand::Value(_) | Operand::Mask(_) => chosen(cx, &x, 0, &flat)?,
    };
    Ok(vec![cx.reshape(&part, &target)?])
}

/// Index `k` of every element.
fn column(indices: &Tensor, k: usize) -> Result<Tensor> {
    let dims = indices.dims();
    let (mut start, mut len) = (vec![0; dims.len()], dims.to_vec());
    if let (Some(start), Some(len)) = (start.last_mut(), len.last_mut()) {
        (*start, *len) = (u32::try_from(k).unwrap_or(0), 1);
    }
    indices.sliced(&start, &len, &vec![1; dims.len()])
}

/// Rows and columns whose pairs, columns running fastest, are the elements' indices, if they are such pairs.
fn product(indices: &[Vec<u32>]) -> Option<[Vec<u32>; 2]> {
    let [rows, columns] = indices else { return None };
    // The first row's columns end where a row differs or its columns would start again.
    let width = (1..=rows.len()).rev().find(|&width| {
        rows.len().is_multiple_of(width)
            && rows.chunks(width).all(|chunk| chunk.iter().all(|row| *row == chunk[0]))
            && columns.chunks(width).all(|chunk| chunk == &columns[..width])
    })?;
    Some([rows.iter().step_by(width).copied().collect(), columns[..width].to_vec()])
}

/// The indices as those of one axis.
fn flattened(indices: &[Vec<u32>], dims: &[u32]) -> Result<Vec<u32>> {
    let mut flat = vec![0u32; indices.first().map_or(0, Vec::len)];
    for (list, &dim) in indices.iter().zip(dims) {
        for (flat, &i) in flat.iter_mut().zip(list) {
            let place = flat.checked_mul(dim).and_then(|place| place.checked_add(i));
            *flat = place.ok_or_else(|| invalid("an index overflows"))?;
        }
    }
    Ok(flat)
}
