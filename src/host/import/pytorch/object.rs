//! What a pickle builds: values, and the heap that they stand on, since containers are shared and grow after they are named.

use super::super::stored::Element;
use super::bytes::size;
use super::damaged;
use super::global::Global;
use crate::host::Result;

/// The most axes of a tensor.
const MAX_AXES: usize = 8;

/// The number of a container on the heap.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Id(u32);

/// A value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Value<'a> {
    None,
    Bool(bool),
    Int(i64),
    /// A float, a long integer, raw bytes, a device: carried about, never read.
    Opaque,
    Text(&'a str),
    Global(Global),
    Tuple(Id),
    List(Id),
    Dict(Id),
    Storage(Id),
    Tensor(Id),
}

/// A storage by its number in the file.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Storage<'a> {
    /// The type of its elements, if they can be weights.
    pub(super) element: Option<Element>,
    pub(super) key: &'a str,
    /// Elements.
    pub(super) len: usize,
}

/// A tensor: sizes and strides are tuples.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Tensor<'a> {
    pub(super) storage: Storage<'a>,
    pub(super) offset: usize,
    pub(super) dims: Id,
    pub(super) strides: Id,
}

/// All containers of a pickle.
#[derive(Debug, Default)]
pub(super) struct Heap<'a> {
    /// Tuples, lists, and dictionaries as keys and values in turn.
    containers: Vec<Vec<Value<'a>>>,
    storages: Vec<Storage<'a>>,
    tensors: Vec<Tensor<'a>>,
}

impl<'a> Heap<'a> {
    /// Adds a container.
    pub(super) fn add(&mut self, items: Vec<Value<'a>>) -> Option<Id> {
        push(&mut self.containers, items)
    }

    pub(super) fn add_storage(&mut self, storage: Storage<'a>) -> Option<Id> {
        push(&mut self.storages, storage)
    }

    pub(super) fn add_tensor(&mut self, tensor: Tensor<'a>) -> Option<Id> {
        push(&mut self.tensors, tensor)
    }

    /// Containers, storages and tensors so far.
    pub(super) const fn len(&self) -> usize {
        self.containers.len() + self.storages.len() + self.tensors.len()
    }

    /// A container's items.
    pub(super) fn items(&self, id: Id) -> &[Value<'a>] {
        size(id.0).and_then(|index| self.containers.get(index)).map_or(&[], Vec::as_slice)
    }

    pub(super) fn items_mut(&mut self, id: Id) -> Option<&mut Vec<Value<'a>>> {
        self.containers.get_mut(size(id.0)?)
    }

    pub(super) fn storage(&self, id: Id) -> Option<Storage<'a>> {
        self.storages.get(size(id.0)?).copied()
    }

    /// All storages.
    pub(super) fn storages(&self) -> impl Iterator<Item = Storage<'a>> + '_ {
        self.storages.iter().copied()
    }

    pub(super) fn tensor(&self, id: Id) -> Option<Tensor<'a>> {
        self.tensors.get(size(id.0)?).copied()
    }

    /// The entries of a dictionary.
    pub(super) fn entries(&self, dict: Id) -> impl Iterator<Item = (Value<'a>, Value<'a>)> + '_ {
        self.items(dict).as_chunks().0.iter().map(|[key, value]| (*key, *value))
    }

    /// A tuple of sizes.
    ///
    /// # Errors
    /// If it holds anything else, or a negative size, or too many.
    pub(super) fn sizes(&self, tuple: Id) -> Result<Vec<usize>> {
        let items = self.items(tuple);
        let sizes = items.iter().map(|item| if let Value::Int(int) = item { size(*int) } else { None });
        let sizes: Option<Vec<usize>> = if items.len() > MAX_AXES { None } else { sizes.collect() };
        sizes.ok_or_else(|| damaged("a tensor's shape is no shape"))
    }
}

fn push<T>(list: &mut Vec<T>, item: T) -> Option<Id> {
    let id = u32::try_from(list.len()).ok()?;
    list.push(item);
    Some(Id(id))
}
