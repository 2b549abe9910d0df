//! Element-wise arithmetic on constants, by the device's kernels.

use alloc::vec;
use alloc::vec::Vec;

use crate::device::kernel::params::{BinaryParams, MapParams};
use crate::device::kernel::{Band, BinaryTask, MapTask, Operand, Sink, binary_f32, map_f32};
use crate::device::simd::{Portable, View, ViewMut};
use crate::device::tensor::{Extent, Rows, Segment, Shape};
use crate::host::graph::{Binary, Graph, Unary};

/// `activation(x)` of each element.
pub(super) fn unary(graph: &Graph, op: &Unary) -> Option<Vec<f32>> {
    let data = graph.constant_f32(op.input)?;
    let extent = Extent::flat(data.len() as u32);
    let segment = whole(&extent)?;
    let mut output = vec![0.0; data.len()];
    let sink = Sink::new(ViewMut::new(&mut output), &segment, extent);
    let source = Operand::Constant(View::new(data));
    let params = MapParams { extent, activation: op.activation };
    map_f32(
        Portable,
        &MapTask { params: &params, source, scale: None, shift: None, sink },
        &band(0, &extent),
    );
    Some(output)
}

/// `activation(f(a, b))` with broadcast, up to rank 4.
pub(super) fn binary(graph: &Graph, op: &Binary, shape: Shape) -> Option<Vec<f32>> {
    let (a, b) = (graph.constant_f32(op.a)?, graph.constant_f32(op.b)?);
    let extent = broadcast_extent(shape)?;
    let params = BinaryParams {
        a: broadcast_extent(graph.shape(op.a))?,
        b: broadcast_extent(graph.shape(op.b))?,
        output: extent,
        kind: op.kind as u32,
        activation: op.activation,
    };
    let segment = whole(&extent)?;
    let mut output = vec![0.0; shape.len() as usize];
    let sink = Sink::new(ViewMut::new(&mut output), &segment, extent);
    let (a, b) = (Operand::Constant(View::new(a)), Operand::Constant(View::new(b)));
    for image in 0..extent.n as usize {
        binary_f32(Portable, &BinaryTask { params: &params, a, b, sink }, &band(image, &extent));
    }
    Some(output)
}

/// A shape with ones in front, up to rank 4.
fn broadcast_extent(shape: Shape) -> Option<Extent> {
    let dim = |behind: usize| {
        let axis = shape.rank().checked_sub(behind);
        axis.and_then(|axis| shape.dims().get(axis).copied()).unwrap_or(1)
    };
    (shape.rank() <= 4).then(|| Extent::new(dim(4), dim(3), dim(2), dim(1)))
}

fn whole(extent: &Extent) -> Option<Segment> {
    Some(Segment { rows: Rows::contiguous(0, extent)?, channels: extent.c, buffer: 0 })
}

/// All rows of a picture.
fn band(image: usize, extent: &Extent) -> Band {
    Band::of_rows(image, 0..extent.h as usize)
}
