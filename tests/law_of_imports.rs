//! The laws of the house that no compiler checks: which room may name which, that no files name each other in a
//! circle, where `unsafe` may stand, how long a file may be.
//!
//! The checker reads the sources as text: it drops comments and literals, then follows every path that begins with `crate` or
//! `super`, in `use` lines and elsewhere. Links in documentation may point anywhere.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// The rooms of the device, and those that each may name besides itself.
const DEVICE: [(&str, &[&str]); 6] = [
    ("tensor", &[]),
    ("simd", &["tensor"]),
    ("kernel", &["tensor", "simd"]),
    ("memory", &[]),
    ("program", &["tensor", "simd", "kernel", "memory"]),
    ("engine", &["tensor", "simd", "kernel", "memory", "program"]),
];

/// The rooms of the host, and the other rooms of the host that each may name. What stands beside them in `host` joins them.
const HOST: [(&str, &[&str]); 7] = [
    ("graph", &[]),
    ("import", &["graph"]),
    ("optimize", &["graph"]),
    ("quantize", &["graph"]),
    ("memory", &[]),
    ("compile", &["graph", "optimize", "memory"]),
    ("report", &["memory"]),
];

/// The rooms of the device that `graph` may name: a network is no program.
const GRAPH_DEVICE: [&str; 2] = ["tensor", "kernel"];

/// What every room of the host but `memory` may take from `host` itself.
const HOST_ROOT: [&str; 4] = ["Error", "ErrorKind", "Result", "error"];

/// Macros that the crate exports at its root, and the room that each belongs to.
const MACROS: [(&str, &str); 3] = [("dispatch", "simd"), ("dispatch_other", "simd"), ("ops", "engine")];

/// Where `unsafe` may stand: the lanes and views of the device, and the hand-over of a closure to other threads.
const UNSAFE: [&str; 2] = ["src/device/simd/", "src/host/threads.rs"];

/// Names that say nothing about what is inside.
const EMPTY_NAMES: [&str; 5] = ["util", "common", "helpers", "misc", "manager"];

/// The length at which a file must have been divided.
const MAX_LINES: usize = 600;

/// The words and signs of a source, without comments and literals.
fn tokens(source: &str) -> Vec<String> {
    let chars: Vec<char> = source.chars().collect();
    let mut tokens = Vec::new();
    let mut i = 0;
    while i < chars.len() {
        let rest = &chars[i..];
        i += match rest[0] {
            '/' if rest.get(1) == Some(&'/') => length_until(rest, |rest| rest[0] == '\n'),
            '/' if rest.get(1) == Some(&'*') => length_until(rest, |rest| rest.starts_with(&['*', '/'])) + 2,
            '"' => quoted_len(rest),
            'r' if raw_hashes(rest).is_some() => raw_len(rest),
            '\'' => character_len(rest),
            c if c.is_alphanumeric() || c == '_' => {
                let len = length_until(rest, |rest| !rest[0].is_alphanumeric() && rest[0] != '_');
                tokens.push(rest[..len].iter().collect());
                len
            }
            ':' if rest.get(1) == Some(&':') => {
                tokens.push("::".into());
                2
            }
            c => {
                if !c.is_whitespace() {
                    tokens.push(c.into());
                }
                1
            }
        };
    }
    tokens
}

/// Characters before the first place where `found` holds, or all.
fn length_until(chars: &[char], found: impl Fn(&[char]) -> bool) -> usize {
    (0..chars.len()).find(|&i| found(&chars[i..])).unwrap_or(chars.len())
}

/// The length of the string literal at the start.
fn quoted_len(chars: &[char]) -> usize {
    let mut i = 1;
    while i < chars.len() && chars[i] != '"' {
        i += if chars[i] == '\\' { 2 } else { 1 };
    }
    i + 1
}

/// The number of `#` of a raw string that begins here.
fn raw_hashes(chars: &[char]) -> Option<usize> {
    let hashes = length_until(&chars[1..], |rest| rest[0] != '#');
    (chars.get(1 + hashes) == Some(&'"')).then_some(hashes)
}

/// The length of the raw string literal at the start.
fn raw_len(chars: &[char]) -> usize {
    let hashes = raw_hashes(chars).unwrap_or(0);
    let mut end = vec!['"'];
    end.extend(std::iter::repeat_n('#', hashes));
    let open = hashes + 2;
    open + length_until(&chars[open..], |rest| rest.starts_with(&end)) + end.len()
}

/// The length of the character literal at the start, or 1 for the sign of a lifetime.
fn character_len(chars: &[char]) -> usize {
    match chars {
        [_, '\\', _, rest @ ..] => 3 + length_until(rest, |rest| rest[0] == '\'') + 1,
        [_, _, '\'', ..] => 3,
        _ => 1,
    }
}

/// The module that a file holds, as its path below the crate's root.
fn module_of(file: &str) -> Vec<String> {
    let inside = file.strip_prefix("src/").unwrap_or(file);
    let mut module: Vec<String> = inside.trim_end_matches(".rs").split('/').map(String::from).collect();
    if matches!(module.last().map(String::as_str), Some("mod" | "lib")) {
        module.pop();
    }
    module
}

/// Every path from the crate's root that a file names.
fn mentions(file: &str, source: &str) -> Vec<Vec<String>> {
    let tokens = tokens(source);
    let module = module_of(file);
    let mut found = Vec::new();
    let mut depth = 0;
    // The inline modules that are open, with the depth of braces inside them.
    let mut inline: Vec<(String, usize)> = Vec::new();
    for (i, token) in tokens.iter().enumerate() {
        let at = |k: usize| tokens.get(k).map(String::as_str);
        match token.as_str() {
            "{" => {
                depth += 1;
                if i >= 2 && at(i - 2) == Some("mod") {
                    inline.push((tokens[i - 1].clone(), depth));
                }
            }
            "}" => {
                inline.pop_if(|(_, inside)| *inside == depth);
                depth = depth.saturating_sub(1);
            }
            "crate" | "super" if at(i + 1) == Some("::") && (i == 0 || at(i - 1) != Some("::")) => {
                // `pub(in crate::…)` is a visibility, not an import.
                if i >= 2 && at(i - 1) == Some("in") && at(i - 2) == Some("(") {
                    continue;
                }
                let mut base = module.clone();
                base.extend(inline.iter().map(|(name, _)| name.clone()));
                if token == "crate" {
                    base.clear();
                } else {
                    base.pop();
                }
                expand(&tokens, i + 2, base, &mut found);
            }
            _ => {}
        }
    }
    found
}

/// Follows the path or use tree at `i`, below `base`; returns the place behind it.
fn expand(tokens: &[String], mut i: usize, mut base: Vec<String>, found: &mut Vec<Vec<String>>) -> usize {
    loop {
        match tokens.get(i).map(String::as_str) {
            Some("{") => {
                i += 1;
                while i < tokens.len() && tokens[i] != "}" {
                    i = if tokens[i] == "," { i + 1 } else { expand(tokens, i, base.clone(), found) };
                }
                return i + 1;
            }
            Some("super") => drop(base.pop()),
            Some("self") => {}
            Some(word) => base.push(word.into()),
            None => break,
        }
        i += 1;
        if tokens.get(i).map(String::as_str) != Some("::") {
            break;
        }
        i += 1;
    }
    // Behind a name may follow `as other`.
    if tokens.get(i).map(String::as_str) == Some("as") {
        i += 2;
    }
    found.push(base);
    i
}

/// Why `file` may not name `path`; `None` if it may.
fn objection(file: &str, path: &[String]) -> Option<String> {
    let module = module_of(file);
    let module: Vec<&str> = module.iter().map(String::as_str).collect();
    let mut path: Vec<&str> = path.iter().map(String::as_str).collect();
    if let Some((_, room)) = MACROS.iter().find(|(name, _)| path.as_slice() == [*name]) {
        path = vec!["device", room];
    }
    match module.as_slice() {
        ["device", room, ..] => {
            let (_, allowed) = DEVICE.iter().find(|(name, _)| name == room)?;
            match path.as_slice() {
                ["device", other, ..] if other == room || allowed.contains(other) => None,
                _ => Some(format!("device::{room} may name {allowed:?} of the device and nothing else")),
            }
        }
        ["host", "memory", ..] => match path.as_slice() {
            ["host", "memory", ..] | ["device", "memory", ..] => None,
            _ => Some("host::memory may name device::memory and nothing else".into()),
        },
        ["host", "graph", ..] if matches!(path.as_slice(), ["device", room, ..] if !GRAPH_DEVICE.contains(room)) => {
            Some(format!("host::graph may name {GRAPH_DEVICE:?} of the device and nothing else"))
        }
        ["host", room, ..] => {
            let (_, allowed) = HOST.iter().find(|(name, _)| name == room)?;
            match path.as_slice() {
                ["device", _, ..] => None,
                ["host", other, ..]
                    if other == room || allowed.contains(other) || HOST_ROOT.contains(other) =>
                {
                    None
                }
                _ => Some(format!("host::{room} may name {allowed:?} of the host, and the device")),
            }
        }
        _ => None,
    }
}

/// The breaches of all laws by one file of the crate.
fn breaches(file: &str, source: &str) -> Vec<String> {
    let mut breaches = Vec::new();
    for path in mentions(file, source) {
        if let Some(reason) = objection(file, &path) {
            breaches.push(format!("{file}: names `{}`: {reason}", path.join("::")));
        }
    }
    let module = module_of(file);
    let known = |rooms: &[(&str, &[&str])], room: &str| rooms.iter().any(|(name, _)| *name == room);
    let unknown = match file.split('/').collect::<Vec<_>>()[..] {
        ["src", "device", room, ..] if room != "mod.rs" && !known(&DEVICE, room) => Some(room),
        ["src", "host", room, _, ..] if !known(&HOST, room) => Some(room),
        _ => None,
    };
    breaches.extend(unknown.map(|room| format!("{file}: the room `{room}` has no law; write it first")));
    let may_be_unsafe = UNSAFE.iter().any(|place| file.starts_with(place));
    if !may_be_unsafe && tokens(source).iter().any(|token| token == "unsafe") {
        breaches.push(format!("{file}: `unsafe` belongs in {UNSAFE:?}"));
    }
    if file == "src/host/import/mod.rs" && !source.contains("#![forbid(unsafe_code)]") {
        breaches.push(format!("{file}: importers read untrusted bytes and forbid unsafe code"));
    }
    if let Some(name) = module.iter().find(|name| EMPTY_NAMES.contains(&name.as_str())) {
        breaches.push(format!("{file}: `{name}` names no thing of the field"));
    }
    breaches
}

/// The breach of the law of length by one file.
fn too_long(file: &str, source: &str) -> Option<String> {
    let lines = source.lines().count();
    (lines > MAX_LINES).then(|| format!("{file}: {lines} lines, {MAX_LINES} are the end"))
}

/// All Rust files below `folder`, as paths from the repository's root.
fn rust_files(folder: &str) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let mut open = vec![root().join(folder)];
    while let Some(folder) = open.pop() {
        if !folder.is_dir() {
            continue;
        }
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            if path.is_dir() {
                if !path.ends_with("target") {
                    open.push(path);
                }
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path.strip_prefix(root()).map_err(io::Error::other)?.to_path_buf());
            }
        }
    }
    files.sort();
    Ok(files)
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn every_source_keeps_the_laws() {
    let files = rust_files("src").unwrap();
    assert!(files.len() > 20, "the sources were not found");
    let mut found = Vec::new();
    for file in files {
        let source = fs::read_to_string(root().join(&file)).unwrap();
        found.extend(breaches(&file.to_string_lossy(), &source));
    }
    assert!(found.is_empty(), "\n{}\n", found.join("\n"));
}

/// In each folder, which files and folders name which of their neighbours: `folder → (from, to)`.
fn neighbours(files: &[(String, String)]) -> BTreeMap<Vec<String>, BTreeSet<(String, String)>> {
    let modules: BTreeSet<Vec<String>> = files.iter().map(|(file, _)| module_of(file)).collect();
    let mut named: BTreeMap<Vec<String>, BTreeSet<(String, String)>> = BTreeMap::new();
    for (file, source) in files {
        let module = module_of(file);
        for path in mentions(file, source) {
            let shared = module.iter().zip(&path).take_while(|(a, b)| a == b).count();
            // What a `mod.rs` names below itself is what it is made of; what is named in a `mod.rs` is no neighbour.
            let (Some(from), Some(to)) = (module.get(shared), path.get(shared)) else { continue };
            if modules.contains(&path[..=shared]) {
                named.entry(module[..shared].to_vec()).or_default().insert((from.clone(), to.clone()));
            }
        }
    }
    named
}

/// Neighbours of one folder that name each other, by themselves or through others: no order leads through them.
fn circles(files: &[(String, String)]) -> Vec<String> {
    let mut found = Vec::new();
    for (folder, mut edges) in neighbours(files) {
        // Take away, again and again, what nobody names or what names nobody; only circles and what links them stay.
        loop {
            let before = edges.len();
            let all = edges.clone();
            edges.retain(|(from, to)| {
                all.iter().any(|(_, named)| named == from) && all.iter().any(|(namer, _)| namer == to)
            });
            if edges.len() == before {
                break;
            }
        }
        let edges: Vec<String> = edges.iter().map(|(from, to)| format!("{from} → {to}")).collect();
        if !edges.is_empty() {
            found.push(format!("{}: {}", folder.join("::"), edges.join(", ")));
        }
    }
    found
}

#[test]
fn neighbours_stand_in_an_order() {
    let read = |file: PathBuf| {
        let source = fs::read_to_string(root().join(&file)).unwrap();
        (file.to_string_lossy().into_owned(), source)
    };
    let files: Vec<_> = rust_files("src").unwrap().into_iter().map(read).collect();
    assert_eq!(circles(&files), Vec::<String>::new());
}

#[test]
fn the_checker_finds_circles() {
    let file = |name: &str, source: &str| (format!("src/host/{name}"), source.to_string());
    let straight =
        [file("a.rs", "use super::b::B;"), file("b.rs", ""), file("mod.rs", "use crate::host::a;")];
    assert_eq!(circles(&straight), Vec::<String>::new());
    let circle = [
        file("a.rs", "use super::b::B;"),
        file("b.rs", "use super::c::C;"),
        file("c/d.rs", "use crate::host::a::A;"),
    ];
    let circle = [&circle[..], &[file("c/mod.rs", "")]].concat();
    assert_eq!(circles(&circle), ["host: a → b, b → c, c → a"]);
}

#[test]
fn no_file_is_too_long() {
    let mut found = Vec::new();
    for folder in ["src", "tests", "benches", "examples", "fuzz", "no_std_demo"] {
        for file in rust_files(folder).unwrap() {
            let source = fs::read_to_string(root().join(&file)).unwrap();
            found.extend(too_long(&file.to_string_lossy(), &source));
        }
    }
    assert!(found.is_empty(), "\n{}\n", found.join("\n"));
}

#[test]
fn the_checker_finds_what_is_forbidden() {
    let cases = [
        ("src/device/tensor/shape.rs", "use crate::device::simd::Simd;"),
        ("src/device/simd/tile.rs", "use crate::{device::{tensor::Shape, kernel}};"),
        ("src/device/kernel/pool.rs", "fn f() { crate::device::program::record::VERSION; }"),
        ("src/device/kernel/pool.rs", "use super::super::engine::Engine;"),
        ("src/device/kernel/pool.rs", "mod tests { use super::super::super::memory::Problem; }"),
        ("src/device/kernel/mod.rs", "use super::program::Program;"),
        ("src/device/memory/greedy.rs", "use crate::device::tensor::DType;"),
        ("src/device/program/mod.rs", "use crate::device::{engine as e, tensor};"),
        ("src/device/program/mod.rs", "use crate::device::*;"),
        ("src/device/engine/mod.rs", "use crate::host::Error;"),
        ("src/device/tensor/mod.rs", "fn f() { crate::dispatch!(level, s => ()); }"),
        ("src/device/attic.rs", ""),
        ("src/host/memory/search.rs", "use crate::host::graph::Graph;"),
        ("src/host/memory/search.rs", "use crate::device::program::record;"),
        ("src/host/graph/edit.rs", "use crate::host::optimize::optimize;"),
        ("src/host/graph/edit.rs", "use crate::device::program::record;"),
        ("src/host/import/onnx.rs", "use crate::host::compile::compile;"),
        ("src/host/import/mod.rs", "//! Importers."),
        ("src/host/cellar/mod.rs", ""),
        ("src/host/graph/edit.rs", "fn f() { unsafe { g() } }"),
        ("src/host/model.rs", "fn f() { unsafe { g() } }"),
        ("src/host/graph/helpers.rs", ""),
    ];
    for (file, source) in cases {
        assert!(!breaches(file, source).is_empty(), "{file}: nothing found in `{source}`");
    }
    assert!(too_long("src/lib.rs", &"\n".repeat(601)).is_some());
}

#[test]
fn the_checker_lets_pass_what_is_allowed() {
    let cases = [
        ("src/device/simd/tile.rs", "use crate::device::tensor::Shape; pub(in crate::device) fn f<'a>() {}"),
        (
            "src/device/kernel/pool.rs",
            "// use crate::host\n/* unsafe */ const S: &str = \"crate::host \\\" unsafe\";",
        ),
        ("src/device/kernel/pool.rs", "const S: &str = r#\"unsafe \" crate::host\"#; const C: char = '\"';"),
        ("src/device/kernel/conv/mod.rs", "mod tests { use super::super::params::{self, ConvParams as P}; }"),
        (
            "src/device/engine/mod.rs",
            "fn f() { crate::dispatch!(level, s => crate::device::program::f::<u8>()); }",
        ),
        ("src/host/compile/emit.rs", "use crate::{device::program::record, host::{Result, graph::Graph}};"),
        ("src/host/model.rs", "use crate::host::{compile::compile, import::onnx};"),
        ("src/device/simd/avx2.rs", "fn f() { unsafe { g() } }"),
        ("src/host/threads.rs", "fn f() { unsafe { g() } }"),
    ];
    for (file, source) in cases {
        assert_eq!(breaches(file, source), Vec::<String>::new(), "{source}");
    }
    assert!(too_long("src/lib.rs", &"\n".repeat(600)).is_none());
}
