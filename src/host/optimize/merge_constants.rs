//! Makes equal constants one.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use crate::device::tensor::{DType, Shape};
use crate::host::Result;
use crate::host::graph::{Constant, Graph, ValueId};

/// Makes all readers of equal constants (type, shape and every bit) read the first of them.
///
/// # Errors
/// If the graph contradicts itself.
pub fn merge_constants(graph: &mut Graph) -> Result<bool> {
    graph.prune()?;
    let uses = graph.uses();
    let mut firsts: BTreeMap<u64, Vec<ValueId>> = BTreeMap::new();
    let mut equals = Vec::new();
    for (id, value) in graph.values().filter(|(id, _)| !uses.consumers(*id).is_empty()) {
        let Some(constant) = &value.constant else { continue };
        let alike = firsts.entry(hash(value.shape, constant)).or_default();
        let equal = |&&first: &&ValueId| {
            let other = graph.value(first);
            other.shape == value.shape
                && other.constant.as_ref().is_some_and(|other| same_bits(other, constant))
        };
        match alike.iter().find(equal) {
            Some(&first) => equals.push((id, first)),
            None => alike.push(id),
        }
    }
    for &(id, first) in &equals {
        graph.replace_uses(id, first);
    }
    Ok(!equals.is_empty())
}

/// FNV-1a over type, shape and elements.
fn hash(shape: Shape, constant: &Constant) -> u64 {
    let step = |hash: u64, word: u64| (hash ^ word).wrapping_mul(0x0100_0000_01b3);
    let is_integer = u64::from(constant.dtype() == DType::I64);
    let head =
        shape.dims().iter().fold(0xcbf2_9ce4_8422_2325 ^ is_integer, |hash, &dim| step(hash, dim.into()));
    match constant {
        Constant::F32(data) if data.are_in_file() => step(head, data.address() as u64),
        Constant::F32(data) => data.iter().fold(head, |hash, x| step(hash, x.to_bits().into())),
        Constant::I64(data) => data.iter().fold(head, |hash, &x| step(hash, x as u64)),
    }
}

fn same_bits(a: &Constant, b: &Constant) -> bool {
    match (a, b) {
        // What lies in a file is not read for this.
        (Constant::F32(a), Constant::F32(b)) if a.are_in_file() || b.are_in_file() => {
            a.address() == b.address()
        }
        (Constant::F32(a), Constant::F32(b)) => {
            a.iter().map(|x| x.to_bits()).eq(b.iter().map(|x| x.to_bits()))
        }
        (Constant::I64(a), Constant::I64(b)) => a == b,
        _ => false,
    }
}
