//! The state dictionary in what was pickled: the root itself, or what stands under one of its keys.

use std::collections::HashMap;

use crate::host::{Error, ErrorKind, Result};

use super::damaged;
use super::object::{Heap, Id, Tensor, Value};

/// Keys that training programs use for the model's own weights, most common first.
const USUAL_KEYS: [&str; 5] = ["state_dict", "model_state_dict", "model_state", "model", "net"];

/// The tensors of the state dictionary under `key`; without one of the root, or of the only or most usual key that has tensors.
///
/// # Errors
/// If there is none, or several and none is usual.
pub(super) fn choose<'a>(
    heap: &Heap<'a>,
    root: Value<'a>,
    key: Option<&str>,
) -> Result<Vec<(&'a str, Tensor<'a>)>> {
    let Value::Dict(root) = root else {
        return Err(damaged("it is no dictionary of tensors")
            .remedy("in Python, save the tensors alone: torch.save(model.state_dict(), path)"));
    };
    // Many keys may name one dictionary: each is looked through once.
    let mut known: HashMap<Id, bool> = HashMap::new();
    let mut has_tensors =
        |dict: Id| *known.entry(dict).or_insert_with(|| tensors(heap, dict).next().is_some());
    let nested: Vec<(&str, Id)> = heap
        .entries(root)
        .filter_map(|entry| match entry {
            (Value::Text(key), Value::Dict(dict)) if has_tensors(dict) => Some((key, dict)),
            _ => None,
        })
        .collect();
    let usual = || USUAL_KEYS.iter().find_map(|usual| nested.iter().find(|(key, _)| key == usual));
    let found = match (key, nested.as_slice()) {
        (Some(key), _) => nested.iter().find(|(name, _)| *name == key),
        (None, [only]) => Some(only),
        (None, _) => usual(),
    };
    let own = || tensors(heap, root).next().is_some().then_some(root);
    let dict = match found {
        Some((_, dict)) => Some(*dict),
        None if key.is_none() && nested.is_empty() => own(),
        None => None,
    };
    dict.map(|dict| tensors(heap, dict).collect()).ok_or_else(|| none(key, &nested))
}

/// The entries of a dictionary that are tensors.
fn tensors<'h, 'a>(
    heap: &'h Heap<'a>,
    dict: Id,
) -> impl Iterator<Item = (&'a str, Tensor<'a>)> + use<'h, 'a> {
    heap.entries(dict).filter_map(|entry| match entry {
        (Value::Text(name), Value::Tensor(tensor)) => Some((name, heap.tensor(tensor)?)),
        _ => None,
    })
}

fn none(key: Option<&str>, nested: &[(&str, Id)]) -> Error {
    let keys: Vec<String> = nested.iter().take(8).map(|(key, _)| format!("'{key}'")).collect();
    let reason = match key {
        Some(key) => format!("it has no dictionary of tensors under '{key}'"),
        None if keys.is_empty() => "it holds no dictionary of tensors".into(),
        None => "it holds several dictionaries of tensors".into(),
    };
    let error = Error::new(ErrorKind::Argument, reason);
    match keys.as_slice() {
        [] => error.remedy("in Python, save the tensors alone: torch.save(model.state_dict(), path)"),
        keys => error.remedy(format!("name one of {}", keys.join(", "))),
    }
}
