//! What a user brings: pictures, folders, labels, constants; and what they take away: classes and overlays.

use image::{GenericImageView as _, Rgb, RgbImage};

use super::*;

pub(super) fn write_npy(path: &str, shape: &[u64], data: &[f32]) {
    let file = fs::File::create(path).expect("a file");
    let options = npyz::WriteOptions::new().default_dtype().shape(shape).writer(file);
    let mut writer = options.begin_nd().expect("a header");
    writer.extend(data.iter().copied()).and_then(|()| writer.finish()).expect("an array");
}

/// A picture of two halves, left and right.
fn halves(path: &str, width: u32, height: u32, left: [u8; 3], right: [u8; 3]) {
    let pixel = |x, _| Rgb(if x < width / 2 { left } else { right });
    RgbImage::from_fn(width, height, pixel).save(path).expect("a picture");
}

#[test]
fn a_mask_is_drawn_over_its_picture() {
    let folder = folder("overlay");
    let (picture, out) = (path(&folder, "in.png"), path(&folder, "out.png"));
    halves(&picture, 32, 16, [255, 255, 255], [0, 0, 0]);
    let model = file(&folder, "mask.onnx", &onnx_with_operator("Relu", &[1, 1, 8, 8]));
    let report = json(&["run", &model, &picture, "--overlay", &out]);
    let drawn = &report["outputs"][0]["overlays"][0];
    assert_eq!((&drawn["width"], &drawn["height"]), (&32.into(), &16.into()));
    assert_eq!(drawn["classes"][0]["share"].as_f64(), Some(0.5));
    let overlay = image::open(&out).expect("the overlay");
    let (lit, dark) = (overlay.get_pixel(4, 4).0, overlay.get_pixel(28, 4).0);
    assert!(lit != [255; 4] && dark == [0, 0, 0, 255], "{lit:?} {dark:?}");
    let text = answer(&["run", &model, &picture, "--overlay", &out]);
    assert!(text.contains("50.00 %") && text.contains("class 1") && text.contains("(32×16)"), "{text}");
    // Cropped, the network sees the middle alone: what lies beside it is dark.
    answer(&["run", &model, &picture, "--overlay", &out, "--crop"]);
    let overlay = image::open(&out).expect("the overlay");
    assert!(overlay.get_pixel(4, 8).0[0] < 128 && overlay.get_pixel(13, 8).0 != [255; 4]);
}

#[test]
fn scores_of_classes_are_drawn_with_their_labels_for_several_pictures() {
    let folder = folder("overlays");
    let pictures = folder.join("in");
    fs::create_dir(&pictures).expect("a folder");
    for name in ["a.png", "b.bmp"] {
        halves(&path(&pictures, name), 16, 16, [250, 10, 10], [10, 10, 250]);
    }
    let model = file(&folder, "classes.onnx", &onnx_with_operator("Relu", &[1, 3, 8, 8]));
    let labels = file(&folder, "labels.txt", b"red\ngreen\nblue\n");
    let arguments = ["run", &model, pictures.to_str().expect("UTF-8"), "--labels", &labels, "--overlay"];
    let report = json(&[&arguments[..], &[&path(&folder, "o.png")]].concat());
    let overlays = report["outputs"][0]["overlays"].as_array().expect("a list");
    assert_eq!(overlays.len(), 2);
    let names: Vec<_> =
        overlays[0]["classes"].as_array().expect("classes").iter().map(|c| &c["label"]).collect();
    assert!(names.len() == 2 && names.iter().all(|name| **name == "red" || **name == "blue"), "{names:?}");
    assert!(folder.join("o-1.png").exists() && folder.join("o-2.png").exists());
    let array = path(&folder, "in.npy");
    write_npy(&array, &[1, 3, 8, 8], &[0.5; 192]);
    for (input, out, word) in [
        (array.as_str(), "o.png", "picture"),
        (&path(&pictures, "a.png"), "o.jpg", "OUT.png"),
        (&path(&pictures, "a.png"), "in/a.png", "is read"),
    ] {
        let (line, status) = complaint(&["run", &model, input, "--overlay", &path(&folder, out)]);
        assert!(status == 1 && line.contains(word), "{line}");
    }
    let (line, _) = complaint(&["run", DIGITS, THREE, "--overlay", &path(&folder, "none.png")]);
    assert!(line.contains("segmentation"), "{line}");
    assert!(!folder.join("none.png").exists());
}

#[test]
fn a_picture_that_cannot_be_the_input_is_refused_with_the_reason() {
    let folder = folder("no_picture");
    for (dims, word) in [(&[1u8, 5, 8, 8][..], "5 channels"), (&[1, 64], "no picture"), (&[64], "no picture")]
    {
        let model = file(&folder, "m.onnx", &onnx_with_operator("Relu", dims));
        let (line, status) = complaint(&["run", &model, THREE]);
        assert!(status == 1 && line.contains(word) && line.contains(".npy"), "{line}");
    }
    let empty = folder.join("empty");
    fs::create_dir(&empty).expect("a folder");
    let (line, _) = complaint(&["run", DIGITS, empty.to_str().expect("UTF-8")]);
    assert!(line.contains("no picture"), "{line}");
}

#[test]
fn channels_may_come_last_and_free_sides_are_the_pictures() {
    let folder = folder("sides");
    let (picture, out) = (path(&folder, "in.png"), path(&folder, "out.npy"));
    halves(&picture, 10, 5, [255, 0, 0], [0, 0, 255]);
    let last = file(&folder, "last.onnx", &onnx_with_operator("Relu", &[1, 5, 10, 3]));
    answer(&["run", &last, &picture, "--output", &out]);
    let (shape, data) = npy(&out);
    assert_eq!((shape, &data[..3]), (vec![1, 5, 10, 3], &[1.0, 0.0, 0.0][..]));
    halves(&picture, 5, 5, [255, 0, 0], [0, 0, 255]);
    let free = file(&folder, "free.onnx", &onnx_with_operator("Relu", &[1, 3, 0, 0]));
    answer(&["run", &free, &picture, "--output", &out]);
    assert_eq!(npy(&out).0, [1, 3, 5, 5]);
    answer(&["run", &free, &picture, "--output", &out, "--resize", "8"]);
    assert_eq!(npy(&out).0, [1, 3, 8, 8]);
}

#[test]
fn the_imagenet_preset_is_what_it_says() {
    let folder = folder("preset");
    let (picture, a, b) = (path(&folder, "in.bmp"), path(&folder, "a.npy"), path(&folder, "b.npy"));
    halves(&picture, 40, 30, [255, 100, 0], [0, 50, 255]);
    let model = file(&folder, "m.onnx", &onnx_with_operator("Identity", &[1, 3, 8, 8]));
    answer(&["run", &model, &picture, "-o", &a, "--preset", "imagenet", "--resize", "9"]);
    let long = ["--resize", "9", "--crop", "--mean", "0.485,0.456,0.406", "--std", "0.229,0.224,0.225"];
    answer(&[&["run", &model, &picture, "-o", &b][..], &long].concat());
    assert_eq!(npy(&a), npy(&b));
}

#[test]
fn an_input_is_bound_to_a_constant() {
    let folder = folder("bind");
    let model = file(&folder, "add.onnx", &onnx_with_operands("Add", &["x", "b"], &[1, 4]));
    let (b, x, out) = (path(&folder, "b.npy"), path(&folder, "x.npy"), path(&folder, "out.npy"));
    write_npy(&b, &[1, 4], &[1.0, 2.0, 3.0, 4.0]);
    write_npy(&x, &[2, 4], &[0.5; 8]);
    let bind = format!("b={b}");
    answer(&["run", &model, "--bind", &bind, "-i", &x, "-o", &out]);
    assert_eq!(npy(&out), (vec![2, 4], [1.5, 2.5, 3.5, 4.5].repeat(2)));
    for command in ["inspect", "bench", "plan"] {
        answer(&[command, &model, "--bind", &bind]);
    }
    assert_eq!(json(&["inspect", &model, "--bind", &bind])["inputs"].as_array().map(Vec::len), Some(1));
    assert!(answer(&["inspect", &model, "--tensors", "--bind", &bind]).contains('x'));
    let program = path(&folder, "add.salto");
    answer(&["compile", &model, "--bind", &bind, "-o", &program]);
    write_npy(&b, &[2, 2], &[1.0; 4]);
    for (arguments, word) in [
        (vec!["inspect", &model, "--bind", &bind], "[1, 4]"),
        (vec!["inspect", &model, "--bind", "c=absent.npy"], "absent.npy"),
        (vec!["inspect", &model, "--bind", "b=examples/digits/golden_input.npy"], "[1, 4]"),
        (vec!["inspect", &program, "--bind", &bind], "--bind"),
        (vec!["inspect", &model, "--bind", &bind, "--bind", &bind], "twice"),
    ] {
        let (line, status) = complaint(&arguments);
        assert!(status == 1 && line.contains(word), "{line}");
    }
    assert_eq!(complaint(&["inspect", &model, "--bind", "b"]).1, 2);
}

#[test]
fn scores_become_probabilities_and_labels_may_leave_the_background_out() {
    let folder = folder("softmax");
    let model = file(&folder, "scores.onnx", &onnx_with_operator("Identity", &[1, 4]));
    let input = path(&folder, "in.npy");
    write_npy(&input, &[1, 4], &[1.0, 5.0, 2.0, 0.0]);
    let labels = file(&folder, "labels.txt", b"cat\r\ndog\r\nowl\r\n\r\n");
    let report = json(&["run", &model, &input, "--labels", &labels, "--softmax"]);
    let output = &report["outputs"][0];
    assert_eq!(output["values"], "probability");
    assert_eq!(output["classes"][0]["top"][0]["label"], "cat");
    let top = output["classes"][0]["top"].as_array().expect("classes");
    let sum: f64 = top.iter().filter_map(|class| class["value"].as_f64()).sum();
    assert!((sum - 1.0).abs() < 1e-5);
    let text = answer(&["run", &model, &input]);
    assert!(text.contains("scores (--softmax"), "{text}");
    assert!(answer(&["run", DIGITS, THREE]).contains("probabilities"));
    assert_eq!(complaint(&["run", &model, &input, "--top", "0"]).1, 2);
}

#[test]
#[cfg(unix)]
fn an_interrupted_command_leaves_nothing_behind() {
    let folder = folder("interrupt");
    // A constant that never comes: the output is open already.
    let (model, program) =
        (file(&folder, "m.onnx", &onnx_with_operands("Add", &["x", "b"], &[1, 4])), path(&folder, "d.salto"));
    let (pipe, bind) = (path(&folder, "b.npy"), format!("b={}", path(&folder, "b.npy")));
    assert!(Command::new("mkfifo").arg(&pipe).status().expect("mkfifo").success());
    for signal in ["INT", "TERM"] {
        let mut child = Command::new(env!("CARGO_BIN_EXE_salto"))
            .args(["compile", &model, "--bind", &bind, "-o", &program])
            .spawn()
            .expect("the binary starts");
        let has_part = || fs::read_dir(&folder).expect("the folder").count() == 3;
        for _ in 0..500 {
            if has_part() {
                break;
            }
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        assert!(has_part(), "the output is open");
        let kill = Command::new("kill").args([&format!("-{signal}"), &child.id().to_string()]).status();
        assert!(kill.expect("kill").success());
        assert_eq!(child.wait().expect("it ends").code(), Some(130));
        assert_eq!(fs::read_dir(&folder).expect("the folder").count(), 2, "after {signal}");
    }
}
