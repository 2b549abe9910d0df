//! The pages beside the code name files: each of them exists.

use std::fs;
use std::path::{Path, PathBuf};

const PAGES: [&str; 11] = [
    "README.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    "docs/architecture.md",
    "docs/operators.md",
    "docs/performance.md",
    "docs/pictures.md",
    "docs/planner.md",
    "docs/program-format.md",
    "docs/weights.md",
    "examples/digits/README.md",
];

/// Where a path in code quotes may begin. `device` and `host` stand for `src/device` and `src/host`.
const ROOTS: [&str; 10] =
    ["src", "device", "host", "bin", "docs", "examples", "fuzz", "no_std_demo", "tests", ".ci"];

/// Does a text name `path` rightly? `page` is the page's own path, which links are relative to.
fn exists(page: &str, path: &str) -> bool {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let beside = root.join(page).parent().map(|folder| folder.join(path));
    [Some(root.join(path)), Some(root.join("src").join(path)), beside]
        .into_iter()
        .flatten()
        .any(|path: PathBuf| path.exists())
}

/// Paths in code quotes, and targets of links.
fn named(text: &str) -> Vec<&str> {
    let quoted = text.split('`').skip(1).step_by(2).filter_map(|code| code.split_whitespace().next());
    let paths = quoted.filter(|code| {
        let plain = code.chars().all(|c| c.is_ascii_alphanumeric() || "_./-".contains(c));
        let (first, rest) = code.split_once('/').unwrap_or((code, ""));
        plain && !rest.is_empty() && ROOTS.contains(&first)
    });
    let links = text.split("](").skip(1).filter_map(|rest| rest.split([')', '#']).next());
    paths.chain(links.filter(|link| !link.is_empty() && !link.contains("://"))).collect()
}

#[test]
fn every_file_that_a_page_names_exists() {
    for page in PAGES {
        let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(page)).unwrap();
        // Fenced blocks hold commands and code, not references.
        let prose: String = text.split("```").step_by(2).collect();
        let missing: Vec<&str> = named(&prose).into_iter().filter(|path| !exists(page, path)).collect();
        assert!(missing.is_empty(), "{page} names {missing:?}");
    }
}

#[test]
fn a_wrong_name_is_found() {
    let text = "`device/tensor/window.rs` [page](docs/architecture.md) `device/tensor/door.rs` [page](docs/attic.md#a)";
    let missing: Vec<&str> = named(text).into_iter().filter(|path| !exists("README.md", path)).collect();
    assert_eq!(missing, ["device/tensor/door.rs", "docs/attic.md"]);
}

/// The table of operators names exactly what the importer knows, in the order of the names.
#[test]
#[cfg(feature = "std")]
fn every_operator_of_onnx_is_documented() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = fs::read_to_string(root.join("docs/operators.md")).expect("the page");
    let rows = page.lines().filter_map(|line| line.strip_prefix("| ")?.split(" |").next());
    let listed: Vec<&str> = rows.filter(|name| *name != "operator").collect();
    assert_eq!(listed, salto::host::import::onnx::operators());
}
