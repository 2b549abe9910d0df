//! `MaxPool` (since 1, 8, 10, 11, 12, 22), `AveragePool` (since 1, 7, 10, 11, 19, 22), `GlobalAveragePool`, `GlobalMaxPool`.

use crate::device::kernel::params::PoolKind;
use crate::host::Result;
use crate::host::graph::{GlobalPool, Op, Pool};

use super::super::context::Context;
use super::window::{Sliding, picture, unpicture};
use super::{Operand, Operator, invalid};

pub(super) const OPERATORS: &[Operator] = &[
    Operator::new("MaxPool", |cx| pool(cx, PoolKind::Max)).checked(Sliding::check_pool),
    Operator::new("AveragePool", average_pool).checked(Sliding::check_pool),
    Operator::new("GlobalAveragePool", |cx| global_pool(cx, PoolKind::Average)),
    Operator::new("GlobalMaxPool", |cx| global_pool(cx, PoolKind::Max)),
];

fn average_pool(cx: &mut Context<'_, '_>) -> Result<Vec<Operand>> {
    let padded = cx.node.flag("count_include_pad", false)?;
    pool(cx, if padded { PoolKind::AveragePadded } else { PoolKind::Average })
}

fn pool(cx: &mut Context<'_, '_>, kind: PoolKind) -> Result<Vec<Operand>> {
    let operand = cx.operand(0)?;
    if cx.dims(&operand).len() == 5 {
        let (sliding, folding) = Sliding::of_solid(cx.node)?;
        let (x, dims) = folding.fold(cx, &operand)?;
        let pooled = pool_picture(cx, kind, &sliding, &x)?;
        return Ok(vec![folding.unfold(cx, &pooled, dims)?]);
    }
    let (x, rank) = picture(cx, &operand)?;
    let pooled = pool_picture(cx, kind, &Sliding::of(cx.node)?, &x)?;
    Ok(vec![unpicture(cx, pooled, rank)?])
}

fn pool_picture(
    cx: &mut Context<'_, '_>,
    kind: PoolKind,
    sliding: &Sliding,
    picture: &Operand,
) -> Result<Operand> {
    let &[_, _, h, w] = &*cx.dims(picture) else { return Err(invalid("the input is no picture")) };
    let window = sliding.pool([h, w])?;
    let ceil = cx.node.flag("ceil_mode", false)?;
    let input = cx.value(picture)?;
    cx.emit(Op::Pool(Pool { input, kind, window, ceil })).map(Operand::Value)
}

fn global_pool(cx: &mut Context<'_, '_>, kind: PoolKind) -> Result<Vec<Operand>> {
    let operand = cx.operand(0)?;
    let (x, rank) = picture(cx, &operand)?;
    let input = cx.value(&x)?;
    let value = cx.emit(Op::GlobalPool(GlobalPool { input, kind }))?;
    Ok(vec![unpicture(cx, Operand::Value(value), rank)?])
}
