//! Small files that promise much: each is refused before memory is asked for.

use std::time::{Duration, Instant};

use salto::host::compile::{CompileOptions, MemoryLimit, compile};
use salto::host::import::onnx::{ImportOptions, import};
use salto::host::import::weights::Weights;
use salto::host::{Error, Result};

use crate::sketch::Sketch;
use crate::{TURN, array, memory, picture};

/// Work that must fail within a second and a few megabytes.
fn refused<T>(name: &str, work: impl FnOnce() -> Result<T>) -> String {
    let _turn = TURN.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    let start = Instant::now();
    let (done, bytes) = memory::peak(work);
    assert!(bytes < 64 << 20, "{name} takes {bytes} bytes");
    assert!(start.elapsed() < Duration::from_secs(5), "{name} takes {:?}", start.elapsed());
    done.err().unwrap_or_else(|| panic!("{name} is taken")).to_string()
}

/// Imports and compiles with a limit of 64 MiB.
fn load(model: &[u8]) -> Result<()> {
    let limit = MemoryLimit { bytes: 64 << 20, threads: 1 };
    let import_options = ImportOptions::default().with_max_memory(limit.bytes);
    let graph = import(model, &import_options)?;
    compile(&graph, &CompileOptions::default().memory_limit(limit)).map(drop)
}

#[test]
fn models_that_need_too_much_are_refused() {
    let identity = |dims: &[i64]| Sketch::new(13, dims).node("Relu", "x", "y").bytes();
    assert!(refused("2^48 elements", || load(&identity(&[1, 65535, 65535, 65535]))).contains("2³²"));
    let text = refused("3.2 GB", || load(&identity(&[1, 1, 20_000, 20_000])));
    assert!(text.contains("allowed are 67108864") && text.contains("--max-memory"), "{text}");
    let filled = |dims: &[i64]| {
        let sketch = Sketch::new(13, &[1]).integers("dims", dims).node("ConstantOfShape", "dims", "c");
        sketch.node("Add", "x c", "y").bytes()
    };
    for (name, dims) in
        [("16 GB", &[1 << 16, 1 << 16][..]), ("2 GB", &[1 << 15, 1 << 14]), ("80 MB", &[20, 1 << 20])]
    {
        refused(name, || load(&filled(dims)));
    }
    let expanded = Sketch::new(13, &[1, 1]).integers("dims", &[1 << 16, 1 << 15]);
    refused("an expansion", || load(&expanded.node("Expand", "x dims", "y").bytes()));
    let tiled = Sketch::new(13, &[64, 64]).integers("times", &[1 << 12, 1 << 12]);
    refused("a tile", || load(&tiled.node("Tile", "x times", "y").bytes()));
    let range = Sketch::new(13, &[1]).integers("a", &[0]).integers("b", &[1 << 40]).integers("c", &[1]);
    refused("a range", || load(&range.node("Range", "a b c", "r").node("Identity", "r", "y").bytes()));
}

#[test]
fn weights_that_promise_too_much_are_refused() {
    let safetensors = |header: &str| {
        let mut file = (header.len() as u64).to_le_bytes().to_vec();
        file.extend(header.bytes());
        file
    };
    let huge = r#"{"a":{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,16]}}"#;
    refused("a shape", || Weights::from_bytes(safetensors(huge)));
    let far =
        r#"{"a":{"dtype":"U8","shape":[1],"data_offsets":[18446744073709551614,18446744073709551615]}}"#;
    refused("offsets", || Weights::from_bytes(safetensors(far)));
    let deep = format!("{{\"a\":{}", "[".repeat(100_000));
    refused("nesting", || Weights::from_bytes(safetensors(&deep)));
    let pickle = |opcodes: &[u8]| {
        let mut file = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.\x80\x02M\xe9\x03.".to_vec();
        file.extend(b"\x80\x02}X\x0d\x00\x00\x00little_endian\x88s.");
        file.extend(opcodes);
        file
    };
    for (name, opcode) in
        [("lists", b"]".as_slice()), ("marks", b"("), ("nones", b"N"), ("copies", b"N2"), ("memos", b"N\x94")]
    {
        refused(name, || Weights::from_bytes(pickle(&opcode.repeat(200_000))));
    }
    // 20 KB that name a list of 4000 pairs 2000 times, each time to make a dictionary of it.
    let dictionaries = [
        b"\x80\x02ccollections\nOrderedDict\nq\x000NN\x86q\x010](".as_slice(),
        &b"h\x01".repeat(4000),
        b"e\x85q\x020",
        &b"h\x00h\x02R0".repeat(2000),
        b"}.\x80\x02].",
    ];
    refused("dictionaries of one list", || Weights::from_bytes(pickle(&dictionaries.concat())));
    // One dictionary of 30,000 entries under 60,000 keys.
    let large = [b"NN".repeat(1000).as_slice(), b"u("].concat().repeat(60);
    let keys = [
        b"\x80\x02X\x01\x00\x00\x00aq\x000}(".as_slice(),
        &large,
        b"uq\x010}",
        &b"h\x00h\x01s".repeat(60_000),
        b".\x80\x02].",
    ];
    refused("keys of one dictionary", || Weights::from_bytes(pickle(&keys.concat())));
    refused("a long text", || Weights::from_bytes(pickle(b"\x8d\xff\xff\xff\xff\xff\xff\xff\x7f")));
    refused("a long integer", || Weights::from_bytes(pickle(b"\x8b\xff\xff\xff\xff")));
}

#[test]
fn arrays_and_pictures_that_promise_too_much_are_refused() {
    let npy = |version: u8, len: &[u8], header: &str| {
        [b"\x93NUMPY".as_slice(), &[version, 0], len, header.as_bytes()].concat()
    };
    refused("a header of 4 GiB", || array::Array::from_npy(&npy(2, &u32::MAX.to_le_bytes(), "{")));
    let deep = "{".repeat(60_000);
    refused("a deep header", || array::Array::from_npy(&npy(1, &60_000u16.to_le_bytes(), &deep)));
    let shape = "{'descr': '<f4', 'fortran_order': False, 'shape': (4611686018427387904, 4), }\n";
    let len = (shape.len() as u16).to_le_bytes();
    refused("a shape", || array::Array::from_npy(&npy(1, &len, shape)));
    let mut bmp = b"BM\0\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0".to_vec();
    bmp.extend([60_000u32.to_le_bytes(), 60_000u32.to_le_bytes()].concat());
    bmp.extend([1, 0, 24, 0]);
    bmp.resize(200, 0);
    let decode = |file: &[u8]| {
        picture::upright(file).map_err(|error| Error::new(salto::host::ErrorKind::Format, error.to_string()))
    };
    let text = refused("a picture of 10 GB", || decode(&bmp));
    assert!(text.contains("60000×60000"), "{text}");
}

/// A length-delimited field of a message.
fn field(number: u8, content: impl AsRef<[u8]>) -> Vec<u8> {
    let content = content.as_ref();
    let (low, high) = (content.len() & 0x7f, content.len() >> 7);
    let len = [low as u8 | 0x80, (high & 0x7f) as u8 | 0x80, (high >> 7) as u8 | 0x80, (high >> 14) as u8];
    [
        &[((number << 3) & 0x7f) | 2 | if number > 15 { 0x80 } else { 0 }],
        &[number >> 4][..usize::from(number > 15)],
        &len,
        content,
    ]
    .concat()
}

/// Every value of a function's body is named after the call, and every part of a gathering after its node.
#[test]
fn names_are_not_repeated_without_bound() {
    let called = |name: usize, nodes: usize| {
        let node = |i: usize| field(7, [field(1, "a"), field(2, format!("t{i}")), field(4, "Neg")].concat());
        let ports = [field(1, "f"), field(4, "a"), field(5, "t0"), field(10, "local")].concat();
        let body: Vec<u8> = (0..nodes).flat_map(node).collect();
        let sketch = Sketch::new(13, &[1]).node("f", "x", "y").edit(|graph| {
            (graph.node[0].domain, graph.node[0].name) = (Some("local".into()), Some("n".repeat(name)));
        });
        [sketch.bytes(), field(25, [ports, body].concat())].concat()
    };
    let text = refused("a call with a long name", || load(&called(200_000, 2000)));
    assert!(text.contains("more than 4096 bytes") && text.contains("export the model again"), "{text}");
    let text = refused("a function of many names", || load(&called(4096, 20_000)));
    assert!(text.contains("outgrow the file"), "{text}");
    let gathered = |name: usize, nodes: i64| {
        let mut sketch = Sketch::new(13, &[1009]);
        for k in 1..=nodes {
            let places: Vec<i64> = (0..1000).map(|i| (i * i * k + i) % 1009).collect();
            sketch = sketch.integers(&format!("i{k}"), &places);
            sketch = sketch.node("Gather", &format!("x i{k}"), &format!("g{k}"));
        }
        let parts: Vec<String> = (1..=nodes).map(|k| format!("g{k}")).collect();
        let sketch = sketch.node("Sum", &parts.join(" "), "y");
        sketch.edit(|graph| graph.node.iter_mut().for_each(|node| node.name = Some("n".repeat(name)))).bytes()
    };
    refused("a gathering with a long name", || load(&gathered(200_000, 1)));
    let text = refused("gatherings of many names", || load(&gathered(4096, 12)));
    assert!(text.contains("names of its nodes"), "{text}");
}

/// Each pair of nodes doubles a constant that the importer takes for an activation.
#[test]
fn chains_of_doublings_are_not_folded() {
    let mut sketch = Sketch::new(13, &[1, 1]).counting("c", &[1, 1000]).integers("pads", &[0, 0, 0, 1]);
    sketch = sketch.node("Pad", "c pads", "d0");
    for level in 0..19 {
        let (this, next) = (format!("d{level}"), format!("d{}", level + 1));
        sketch = sketch.node("Relu", &this, &format!("r{level}"));
        let axis = [("axis", crate::sketch::Value::Int(1))];
        sketch = sketch.node_with("Concat", &format!("{this} r{level}"), &next, &axis);
    }
    let model = sketch.node_with("ReduceMax", "d19", "m", &[("axes", crate::sketch::Value::Ints(&[1]))]);
    let model = model.node("Add", "x m", "y").bytes();
    let _turn = TURN.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    let (done, bytes) = memory::peak(|| {
        let graph = import(&model, &ImportOptions::default())?;
        compile(&graph, &CompileOptions::default().memory_limit(MemoryLimit { bytes: 4 << 30, threads: 1 }))
    });
    println!("doublings: {:?}, {bytes} bytes", done.map(|compiled| compiled.bytes().len()));
    assert!(bytes < 64 << 20, "{bytes}");
}
