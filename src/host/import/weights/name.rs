//! Names of tensors: what wrappers and old versions made of them, and which is near to another.

use std::collections::BTreeMap;

use super::super::stored::Stored;

/// What wrappers put before every name: data-parallel training, compilation.
const WRAPPERS: [&str; 2] = ["module.", "_orig_mod."];

/// A counter beside each normalisation; no layer reads it.
const COUNTER: &str = "num_batches_tracked";

/// The tensors by the names that layers ask for.
pub(super) fn normalised(tensors: Vec<(String, Stored)>) -> BTreeMap<String, Stored> {
    let mut tensors: Vec<_> = tensors.into_iter().filter(|(name, _)| !name.ends_with(COUNTER)).collect();
    while let Some(wrapper) = WRAPPERS
        .iter()
        .find(|wrapper| !tensors.is_empty() && tensors.iter().all(|(name, _)| name.starts_with(**wrapper)))
    {
        tensors.iter_mut().for_each(|(name, _)| drop(name.drain(..wrapper.len())));
    }
    tensors.into_iter().map(|(name, tensor)| (today(&name), tensor)).collect()
}

/// `DenseNet`'s layers were `norm.1`, `conv.1`, … until torchvision 0.2, today they are `norm1`.
fn today(name: &str) -> String {
    if !name.contains("denselayer") {
        return name.into();
    }
    let mut name = String::from(name);
    for layer in ["norm", "conv"] {
        for number in ["1", "2"] {
            name = name.replace(&format!(".{layer}.{number}."), &format!(".{layer}{number}."));
        }
    }
    name
}

/// The names that have the longest beginning and end in common with `name`, the nearest first.
pub(super) fn nearest<'a>(name: &str, names: impl Iterator<Item = &'a str>, count: usize) -> Vec<&'a str> {
    let mut names: Vec<(usize, &str)> = names.map(|other| (shared(name, other), other)).collect();
    names.sort_by_key(|&(shared, other)| (core::cmp::Reverse(shared), other));
    names.into_iter().take(count).map(|(_, other)| other).collect()
}

/// Bytes that two names share at their beginning and at their end.
fn shared(a: &str, b: &str) -> usize {
    let front = a.bytes().zip(b.bytes()).take_while(|(a, b)| a == b).count();
    let back = a.bytes().rev().zip(b.bytes().rev()).take_while(|(a, b)| a == b).count();
    (front + back).min(a.len()).min(b.len())
}

#[cfg(test)]
mod tests {
    use super::super::super::stored::{Element, Storage};
    use super::*;

    fn normal(names: &[&str]) -> Vec<String> {
        let storage = Storage { start: 0, len: 0, element: Element::F32 };
        let tensor = || Stored::contiguous(storage, vec![0]).unwrap();
        normalised(names.iter().map(|name| (name.to_string(), tensor())).collect()).into_keys().collect()
    }

    #[test]
    fn wrappers_and_old_names_are_undone() {
        assert_eq!(normal(&["module._orig_mod.a", "module._orig_mod.b.num_batches_tracked"]), ["a"]);
        assert_eq!(normal(&["module.a", "b"]), ["b", "module.a"]);
        let old = "features.denseblock1.denselayer2.norm.1.running_mean";
        assert_eq!(normal(&[old]), ["features.denseblock1.denselayer2.norm1.running_mean"]);
        assert_eq!(normal(&["features.conv.1.weight"]), ["features.conv.1.weight"]);
    }

    #[test]
    fn near_names_come_first() {
        let names = ["fc.bias", "layer1.0.conv1.weight", "layer2.0.conv1.weight", "bn1.weight"];
        let near = nearest("layer3.0.conv1.weight", names.into_iter(), 2);
        assert_eq!(near, ["layer1.0.conv1.weight", "layer2.0.conv1.weight"]);
    }
}
