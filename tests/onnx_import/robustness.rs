//! Any bytes give a graph or an error, never a panic.

use proptest::prelude::*;

use super::sample::rich;
use super::sketch::Sketch;
use salto::host::import::onnx::{ImportOptions, import};

fn survives(bytes: &[u8]) {
    if let Ok(graph) = import(bytes, &ImportOptions::default()) {
        graph.validate().unwrap();
    }
}

#[test]
fn the_model_imports() {
    import(&rich(), &ImportOptions::default()).unwrap();
}

#[test]
fn truncated_models_are_refused() {
    let bytes = rich();
    for len in 0..bytes.len() {
        survives(&bytes[..len]);
    }
}

#[test]
fn every_byte_may_be_any_of_a_few() {
    let bytes = rich();
    for place in 0..bytes.len() {
        for value in [0, 1, 0x7f, 0x80, 0xff, bytes[place] ^ 8, bytes[place].wrapping_add(1)] {
            let mut bytes = bytes.clone();
            bytes[place] = value;
            survives(&bytes);
        }
    }
}

proptest! {
    #[test]
    fn mutated_models_give_a_graph_or_an_error(
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..3u8), 1..8),
    ) {
        let mut bytes = rich();
        for (place, value, edit) in edits {
            let place = place.index(bytes.len());
            match edit {
                0 => bytes[place] = value,
                1 => bytes.insert(place, value),
                _ => drop(bytes.remove(place)),
            }
        }
        survives(&bytes);
    }

    #[test]
    fn any_bytes_give_an_error(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        survives(&bytes);
    }
}

#[test]
fn long_lists_of_axes_are_refused_in_time() {
    let axes: Vec<i64> = (0..60_000).collect();
    let unsqueeze = Sketch::new(13, &[1]).integers("axes", &axes).node("Unsqueeze", "x axes", "y");
    assert!(unsqueeze.refusal().contains("at most 6"));
    let mut dims = vec![1; 60_000];
    dims[0] = 1 << 20;
    let filled = Sketch::new(13, &[1]).integers("dims", &dims).node("ConstantOfShape", "dims", "c");
    assert!(filled.node("Add", "x c", "y").refusal().contains("60000 dimensions"));
}

#[test]
fn constants_cannot_outgrow_the_file() {
    let sketch =
        Sketch::new(13, &[1]).integers("dims", &[1 << 13, 1 << 13]).node("ConstantOfShape", "dims", "c");
    assert!(sketch.node("Add", "x c", "y").refusal().contains("outgrow the file"));
}
