//! What a user must not lose or be misled by: files that an output would replace, and files that are not what they seem.

use image::{Rgb, RgbImage};

use super::front_door::write_npy;
use super::*;

/// A model that adds `x` and the initialiser `b` of four floats, whose data lies in the file `b.data` from its beginning.
fn onnx_with_external_data() -> Vec<u8> {
    let entry = |key: &[u8], value: &[u8]| field(13, &[field(1, key), field(2, value)].concat());
    let b = [vec![0x08, 1, 0x08, 4, 0x10, 1], field(8, b"b"), entry(b"location", b"b.data"), vec![0x70, 1]];
    let whole = onnx_with_operands("Add", &["x", "b"], &[1, 4]);
    // The graph stands behind the version; its length takes two bytes or one.
    let graph = if whole[3] >= 128 { &whole[5..whole.len() - 4] } else { &whole[4..whole.len() - 4] };
    let graph = [graph, &field(5, &b.concat())].concat();
    [vec![0x08, 8], field(7, &graph), field(8, &[0x10, 13])].concat()
}

#[test]
fn no_output_replaces_a_file_that_is_read() {
    let folder = folder("read");
    let add = file(&folder, "add.onnx", &onnx_with_operands("Add", &["x", "b"], &[1, 4]));
    let external = file(&folder, "external.onnx", &onnx_with_external_data());
    let data = file(&folder, "b.data", &[0; 16]);
    let mask = file(&folder, "mask.onnx", &onnx_with_operands("Add", &["x", "m"], &[1, 1, 8, 8]));
    let weights = file(&folder, "w.pth", b"weights");
    let (b, x) = (path(&folder, "b.npy"), path(&folder, "x.npy"));
    write_npy(&b, &[1, 4], &[1.0; 4]);
    write_npy(&x, &[1, 4], &[1.0; 4]);
    // An array may have any name.
    let m = path(&folder, "m.png");
    write_npy(&m, &[1, 1, 8, 8], &[1.0; 64]);
    let (bind, mask_bind) = (format!("b={b}"), format!("m={m}"));
    let (same, output) = (path(&folder, "./b.npy"), format!("y={b}"));
    let commands: Vec<Vec<&str>> = vec![
        vec!["compile", "resnet20", "--weights", &weights, "-o", &weights],
        vec!["compile", &add, "--bind", &bind, "-o", &b],
        vec!["compile", &add, "--bind", &bind, "-o", &same],
        vec!["compile", &external, "-o", &data],
        vec!["run", &add, "--bind", &bind, &x, "--output", &output],
        vec!["run", &add, "--bind", &bind, &x, "--output", &x],
        vec!["run", &external, &x, "--output", &data],
        vec!["run", &mask, "--bind", &mask_bind, THREE, "--overlay", &m],
    ];
    let read = [&weights, &b, &x, &data, &m];
    let before = read.map(|file| fs::read(file).expect("a file"));
    for command in commands {
        let (line, status) = complaint(&command);
        assert!(status == 1 && line.contains("would replace a file that is read"), "{command:?}: {line}");
    }
    assert!(read.map(|file| fs::read(file).expect("a file")) == before);
    // The model with its data beside it is well.
    answer(&["run", &external, &x]);
}

#[test]
fn data_that_is_missing_beside_the_model_is_named() {
    let folder = folder("moved");
    let model = file(&folder, "moved.onnx", &onnx_with_external_data());
    let (line, _) = complaint(&["inspect", &model]);
    assert!(line.contains("copy b.data beside the model") && !line.contains("os error"), "{line}");
    fs::create_dir(folder.join("b.data")).expect("a folder");
    let (line, _) = complaint(&["inspect", &model]);
    assert!(line.contains("b.data") && line.contains("no regular file") && line.contains("copy"), "{line}");
}

#[test]
fn a_picture_that_is_cut_off_is_refused() {
    let folder = folder("cut");
    let whole = path(&folder, "whole.jpg");
    RgbImage::from_fn(64, 64, |x, y| Rgb([x as u8 * 4, y as u8 * 4, 90])).save(&whole).expect("a picture");
    let bytes = fs::read(&whole).expect("a file");
    answer(&["run", DIGITS, &whole]);
    // Some cameras write more behind the end.
    answer(&["run", DIGITS, &file(&folder, "more.jpg", &[&bytes[..], &[0, 0xff, 3]].concat())]);
    for len in [bytes.len() / 2, bytes.len() - 2, bytes.len() - 1, 3, 4, 30] {
        let (line, status) = complaint(&["run", DIGITS, &file(&folder, "cut.jpg", &bytes[..len])]);
        assert!(status == 1 && line.contains("cut off"), "{len}: {line}");
    }
}

#[test]
fn a_file_of_another_kind_is_called_what_it_is() {
    let folder = folder("kinds");
    let add = file(&folder, "add.onnx", &onnx_with_operands("Add", &["x", "b"], &[1, 4]));
    for (name, content, word) in [
        ("a.webp", &b"RIFF\x10\0\0\0WEBPVP8 "[..], "WebP"),
        ("a.gif", b"GIF89a\x01\0\x01\0", "GIF"),
        ("a.tiff", b"II*\0\x08\0\0\0", "TIFF"),
        ("a.xyz", b"anything at all", "first bytes"),
    ] {
        let (line, _) = complaint(&["run", DIGITS, &file(&folder, name, content)]);
        assert!(line.contains(word) && line.contains("png, jpeg or bmp"), "{line}");
    }
    let (line, _) = complaint(&["inspect", &add, "--bind", &format!("b={THREE}")]);
    assert!(line.contains("a PNG picture") && line.contains(".npy"), "{line}");
}

#[test]
fn an_overlay_of_an_unknown_output_is_refused_as_an_output_is() {
    let folder = folder("overlay_name");
    let mask = file(&folder, "mask.onnx", &onnx_with_operator("Relu", &[1, 1, 8, 8]));
    for flag in ["--overlay", "--output"] {
        let (line, status) = complaint(&["run", &mask, THREE, flag, "nope=o.png"]);
        assert!(status == 1 && line.contains("no output named 'nope'; the outputs are y"), "{line}");
    }
}

#[test]
#[cfg(unix)]
fn a_pipe_is_no_model() {
    let folder = folder("pipe");
    let pipe = path(&folder, "pipe.onnx");
    assert!(Command::new("mkfifo").arg(&pipe).status().expect("mkfifo").success());
    for command in ["run", "inspect", "bench", "plan"] {
        let arguments = if command == "run" { vec![command, &pipe, THREE] } else { vec![command, &pipe] };
        assert!(complaint(&arguments).0.contains("no regular file"), "{command}");
    }
    assert!(complaint(&["inspect", "resnet20", "--weights", &pipe]).0.contains("no regular file"));
}
