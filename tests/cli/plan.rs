//! `salto plan`: what each technique saves, why the peak is where it is, and the page.

use std::fs;

use super::{DIGITS, answer, complaint, file, folder, json, path, salto};

#[test]
fn each_technique_is_listed_with_what_it_leaves() {
    let report = json(&["plan", "resnet8"]);
    let gains = report["gains"].as_array().expect("a list");
    let bytes = |name: &str| {
        let gain = gains.iter().find(|gain| gain["technique"].as_str() == Some(name));
        gain.unwrap_or_else(|| panic!("{name}: {gains:?}"))["activation_bytes"].as_u64().expect("bytes")
    };
    // Input, two tensors of 64 KiB, and the sum as a third one.
    assert_eq!(bytes("reuse over time, best found"), 3 * 65536);
    assert_eq!(bytes("+ fused addition"), 2 * 65536);
    assert!(bytes("every buffer apart") > bytes("reuse over time, greedy"));
    let all: Vec<u64> = gains.iter().filter_map(|gain| gain["activation_bytes"].as_u64()).collect();
    assert!(all.len() == gains.len() && all.is_sorted_by(|before, after| before >= after), "{all:?}");
    let last = gains.last().expect("one");
    assert_eq!(last["arena_bytes"], report["arena_bytes"]);
    assert!(gains[0]["certificate"].is_null() && last["certificate"]["optimal"].is_string());
    let text = answer(&["plan", "resnet8"]);
    assert!(text.contains("every buffer apart") && text.contains("+ segmented concatenation"), "{text}");
}

#[test]
fn the_peak_tells_who_keeps_what_for_whom() {
    let report = json(&["plan", "unet", "--shape", "input=1,3,64,64"]);
    let step = report["peak"]["step"].as_u64().expect("a step");
    let residents = report["peak"]["residents"].as_array().expect("a list");
    let skip = residents
        .iter()
        .find(|resident| resident["reason"].as_str().is_some_and(|why| why.starts_with("skip from step")))
        .expect("a skip lives at the peak of a U-Net");
    assert!(skip["producer"].as_u64() < Some(step) && skip["last_reader"].as_u64() >= Some(step));
    let skips = report["skips"].as_array().expect("a list");
    assert!(skips.iter().any(|arc| arc["buffer"] == skip["buffer"] && arc["from"] == skip["producer"]));
    let (steps, buffers) = (report["steps"].as_array(), report["buffers"].as_array());
    let live = &steps.expect("a list")[step as usize];
    let sum = live["activation_bytes"].as_u64().zip(live["scratch_bytes"].as_u64()).map(|(a, b)| a + b);
    assert_eq!(sum, report["peak"]["live_bytes"].as_u64());
    let buffers = buffers.expect("a list");
    assert!(buffers.iter().any(|buffer| buffer["shape"].as_array().map(Vec::len) == Some(4)));
    assert!(buffers.iter().all(|buffer| buffer["writers"].is_array() && buffer["readers"].is_array()));
}

#[test]
fn a_page_holds_the_plan_and_fetches_nothing() {
    let folder = folder("page");
    let out = path(&folder, "plan.html");
    let report = json(&["plan", DIGITS, "--html", &out]);
    let page = fs::read_to_string(&out).expect("a page");
    let count = |text: &str| page.matches(text).count();
    assert_eq!(count("role=\"listitem\""), report["buffers"].as_array().expect("a list").len());
    assert_eq!(count("<g class=\"arc"), report["skips"].as_array().expect("a list").len());
    assert!(page.contains("prefers-color-scheme: dark") && page.contains("default-src 'none'"));
    assert!(!page.contains("http:") && !page.contains("https:"));
    let program = path(&folder, "d.salto");
    answer(&["compile", DIGITS, "-o", &program]);
    let known = json(&["plan", &program, "--html", &out]);
    assert!(known["gains"].is_null() && known["buffers"] == report["buffers"]);
    assert!(!fs::read_to_string(&out).expect("a page").contains("id=\"gains\""));
    assert!(answer(&["plan", &program]).contains("not of a compiled program"));
}

#[test]
fn a_page_of_a_csv_file_leaves_its_answer_alone() {
    let folder = folder("page_csv");
    let problem = file(&folder, "p.csv", b"id,lower,upper,size\n<a>,0,2,16\nb,1,90,8\nc,2,4,16\n");
    let out = path(&folder, "plan.html");
    assert_eq!(answer(&["plan", &problem, "--html", &out]), answer(&["plan", &problem]));
    let page = fs::read_to_string(&out).expect("a page");
    assert!(page.contains("&lt;a&gt;") && !page.contains("<a>"));
    assert_eq!((page.matches("role=\"listitem\"").count(), page.matches("<li id=\"step").count()), (3, 4));
}

#[test]
fn a_page_is_whole_or_not_there_and_replaces_no_input() {
    let folder = folder("page_output");
    let model = path(&folder, "net.onnx");
    fs::copy(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/digits/digits.onnx"), &model).expect("a copy");
    let (line, status) = complaint(&["plan", &model, "--html", &model]);
    assert!(status == 1 && line.contains(".onnx"), "{line}");
    let problem = file(&folder, "p.html.csv", b"id,lower,upper,size\na,0,2,16\n");
    let (line, _) = complaint(&["plan", &problem, "--html", &problem]);
    assert!(line.contains("would replace a file that is read"), "{line}");
    let out = path(&folder, "out.html");
    assert_eq!(complaint(&["plan", &model, "--capacity", "1", "--html", &out]).1, 1);
    assert_eq!(complaint(&["plan", &problem, "--capacity", "1", "--html", &out]).1, 1);
    assert_eq!(fs::read_dir(&folder).expect("the folder").count(), 2, "no part of a page is left");
    assert!(!salto(&["plan", &model, "--html", &path(&folder, "none/out.html")]).status.success());
}
