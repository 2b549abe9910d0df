//! Moves of elements on constants of any type.

use alloc::vec;
use alloc::vec::Vec;

use crate::device::kernel::params::Beyond;
use crate::device::tensor::Shape;
use crate::host::graph::{Concat, Constant, Graph, Op, ValueId};

/// The parts, joined along the axis: for each index of the axes before it, a run of each part.
pub(super) fn concat(graph: &Graph, op: &Concat) -> Option<Constant> {
    let first = graph.shape(*op.inputs.first()?);
    let outer: usize = first.dims().get(..op.axis)?.iter().map(|&dim| dim as usize).product();
    match graph.value(op.inputs[0]).constant.as_ref()? {
        Constant::F32(_) => Some(Constant::f32(joined(outer, &parts(graph, op, Constant::as_f32)?))),
        Constant::I64(_) => Some(Constant::i64(joined(outer, &parts(graph, op, Constant::as_i64)?))),
    }
}

fn parts<'g, T>(
    graph: &'g Graph,
    op: &Concat,
    data: fn(&'g Constant) -> Option<&'g [T]>,
) -> Option<Vec<&'g [T]>> {
    op.inputs.iter().map(|&input| data(graph.value(input).constant.as_ref()?)).collect()
}

fn joined<T: Copy>(outer: usize, parts: &[&[T]]) -> Vec<T> {
    let runs = |index: usize| parts.iter().map(move |part| (part, part.len() / outer, index));
    (0..outer).flat_map(runs).flat_map(|(part, run, index)| &part[index * run..][..run]).copied().collect()
}

/// A transposition, slice or padding.
pub(super) fn rearrange(graph: &Graph, op: &Op, output: Shape) -> Option<Constant> {
    let input: ValueId = *op.inputs().first()?;
    let (walk, fill) = walk(op, graph.shape(input))?;
    Some(match graph.value(input).constant.as_ref()? {
        Constant::F32(data) => Constant::f32(walk.gather(data, output, fill)),
        Constant::I64(data) => Constant::i64(walk.gather(data, output, fill as i64)),
    })
}

/// Where output elements come from: on each axis, output index `o` reads input index `start + o·step`, or what the axis has
/// beyond its own elements.
struct Walk {
    /// For each output axis: first input index, step, length of the input axis, elements between neighbours on it.
    axes: Vec<Steps>,
}

struct Steps {
    beyond: Beyond,
    start: i64,
    step: i64,
    len: i64,
    stride: i64,
}

fn walk(op: &Op, input: Shape) -> Option<(Walk, f32)> {
    let dims = input.dims();
    let mut strides = vec![1i64; dims.len()];
    for axis in (1..dims.len()).rev() {
        strides[axis - 1] = strides[axis] * i64::from(dims[axis]);
    }
    let steps = |axis: usize, start: i64, step: i64| Steps {
        beyond: Beyond::Fill,
        start,
        step,
        len: i64::from(dims[axis]),
        stride: strides[axis],
    };
    let (axes, fill) = match op {
        Op::Transpose(op) => (op.perm.iter().map(|&axis| steps(axis, 0, 1)).collect(), 0.0),
        Op::Slice(op) => {
            let along = |axis: usize| steps(axis, i64::from(op.start[axis]), i64::from(op.step[axis]));
            ((0..dims.len()).map(along).collect(), 0.0)
        }
        Op::Pad(op) => {
            let along =
                |axis: usize| Steps { beyond: op.beyond, ..steps(axis, -i64::from(op.before[axis]), 1) };
            ((0..dims.len()).map(along).collect(), op.value)
        }
        _ => return None,
    };
    Some((Walk { axes }, fill))
}

impl Walk {
    fn gather<T: Copy>(&self, input: &[T], output: Shape, fill: T) -> Vec<T> {
        let place = |element: usize| {
            let mut rest = element;
            let mut place = 0;
            for (axis, &dim) in self.axes.iter().zip(output.dims()).rev() {
                let index = axis.start + (rest % dim as usize) as i64 * axis.step;
                let index = axis.beyond.index(index, axis.len)?;
                rest /= dim as usize;
                place += index * axis.stride;
            }
            Some(place as usize)
        };
        let elements = 0..output.len() as usize;
        elements
            .map(|element| place(element).and_then(|place| input.get(place)).copied().unwrap_or(fill))
            .collect()
    }
}
