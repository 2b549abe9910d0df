//! Writes the corpora that fuzzing begins with, into `corpus/` beside this file: small programs with every
//! operator among them, the repository's ONNX network, and its small files of PyTorch, arrays and pictures.

use std::error::Error;
use std::fs;
use std::path::Path;

use salto::device::kernel::params::{PoolKind, ResizeKind};
use salto::device::program::Program;
use salto::device::program::record::OpCode;
use salto::device::tensor::Window;
use salto::host::compile::{CompileOptions, compile};
use salto::host::graph::blocks::residual::Shortcut;
use salto::host::graph::blocks::unet::Upsampling;
use salto::host::graph::blocks::{dense, highway, residual, unet};
use salto::host::graph::{Builder, ConvLayer, Graph, Interpolate, Op, Seeded};

fn main() -> Result<(), Box<dyn Error>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let programs = root.join("corpus/program_from_bytes");
    fs::create_dir_all(&programs)?;
    let mut seen = Vec::new();
    for graph in [residual_net()?, dense_net()?, unet_net()?, highway_net()?, normalized_net()?] {
        for winograd in [false, true] {
            let compiled = compile(&graph, &CompileOptions::default().winograd(winograd))?;
            seen.extend(Program::from_bytes(compiled.bytes())?.steps().map(|step| step.operator()));
            fs::write(programs.join(format!("{}_{winograd}.salto", graph.name)), compiled.bytes())?;
        }
    }
    for operator in OpCode::ALL {
        if !seen.contains(&operator) {
            return Err(format!("no seed has the operator {operator:?}").into());
        }
    }
    let models = root.join("corpus/onnx_import");
    fs::create_dir_all(&models)?;
    fs::copy(root.join("../examples/digits/digits.onnx"), models.join("digits.onnx"))?;
    let files = [
        ("safetensors", "../tests/pytorch", "safetensors"),
        ("pytorch", "../tests/pytorch", "pth"),
        ("picture", "../examples/digits/pictures", "png"),
    ];
    for (target, folder, extension) in files {
        copy_all(&root.join(folder), extension, &root.join("corpus").join(target))?;
    }
    pictures(&root.join("corpus/picture"))?;
    arrays(&root.join("corpus/npy"))
}

/// Copies the files of a folder that have this extension.
fn copy_all(from: &Path, extension: &str, to: &Path) -> Result<(), Box<dyn Error>> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let path = entry?.path();
        if path.extension().is_some_and(|own| own == extension) {
            fs::copy(&path, to.join(path.file_name().ok_or("a file has a name")?))?;
        }
    }
    Ok(())
}

/// A few pixels in the formats that the repository has no picture of.
fn pictures(to: &Path) -> Result<(), Box<dyn Error>> {
    let pixel = |x, y| image::Rgb([(x * 20) as u8, (y * 20) as u8, (x * y) as u8]);
    let picture = image::RgbImage::from_fn(12, 9, pixel);
    for name in ["small.jpg", "small.bmp"] {
        picture.save(to.join(name))?;
    }
    Ok(())
}

/// Arrays of a few types and ranks.
fn arrays(to: &Path) -> Result<(), Box<dyn Error>> {
    fs::create_dir_all(to)?;
    for (name, descr, shape, bytes) in [
        ("floats", "<f4", "(1, 3, 2, 2)", 48),
        ("doubles", ">f8", "(3,)", 24),
        ("halves", "<f2", "(2, 2)", 8),
        ("integers", "<i8", "()", 8),
        ("flags", "|b1", "(4,)", 4),
    ] {
        let header = format!("{{'descr': '{descr}', 'fortran_order': True, 'shape': {shape}, }}");
        let header = format!("{header:<117}\n");
        let len = u16::try_from(header.len())?.to_le_bytes();
        let data = vec![1; bytes];
        let file = [b"\x93NUMPY\x01\x00", len.as_slice(), header.as_bytes(), &data].concat();
        fs::write(to.join(name).with_extension("npy"), file)?;
    }
    Ok(())
}

fn residual_net() -> salto::host::Result<Graph> {
    let mut net = Builder::new("residual", Seeded::new(1)).channels_first();
    let x = net.input("input", &[1, 6, 6, 2])?;
    let x = net.conv(x, ConvLayer::new(4, 3))?;
    let x = net.scope("a", |net| residual::basic(net, x, 4, 1, Shortcut::PadChannels))?;
    let x = net.scope("b", |net| residual::basic(net, x, 6, 2, Shortcut::PadChannels))?;
    let x = net.scope("c", |net| residual::pre_activation(net, x, 8, 1))?;
    let x = net.global_pool(x, PoolKind::Average)?;
    let x = net.flatten(x)?;
    let x = net.dense(x, 3)?;
    let x = net.softmax(x)?;
    net.output(x);
    net.finish()
}

fn dense_net() -> salto::host::Result<Graph> {
    let mut net = Builder::new("dense", Seeded::new(2)).channels_first();
    let x = net.input("input", &[1, 5, 7, 3])?;
    let x = net.conv(x, ConvLayer::new(4, 3).stride(2))?;
    let x = net.scope("block", |net| dense::block(net, x, 2, 3, 2))?;
    let x = net.scope("transition", |net| dense::transition(net, x, 5))?;
    net.output(x);
    net.finish()
}

fn unet_net() -> salto::host::Result<Graph> {
    let mut net = Builder::new("unet", Seeded::new(3)).channels_first();
    let x = net.input("input", &[1, 8, 8, 1])?;
    let y = net.scope("a", |net| unet::unet(net, x, 2, 2, Upsampling::Transposed))?;
    let z = net.scope("b", |net| unet::unet(net, x, 2, 1, Upsampling::Resize(ResizeKind::Bilinear)))?;
    let x = net.plus(y, z)?;
    let x = net.max_pool(x, Window::new(3, 3).with_stride(2).with_padding(1))?;
    let x = net.sigmoid(x)?;
    // Four rows and columns become two, of two taps each.
    let rows = net.constant(&[2, 3], &[0.0, 0.25, 0.75, 2.0, 0.5, 0.5])?;
    let x = net.op(Op::Interpolate(Interpolate { input: x, rows, columns: rows, fill: 0.0 }))?;
    net.output(x);
    net.finish()
}

fn highway_net() -> salto::host::Result<Graph> {
    let mut net = Builder::new("highway", Seeded::new(4));
    let x = net.input("input", &[1, 2, 2, 3])?;
    let x = net.scope("conv", |net| highway::conv_layer(net, x, 3))?;
    let x = net.flatten(x)?;
    let x = net.scope("dense", |net| highway::dense_layer(net, x))?;
    net.output(x);
    net.finish()
}

/// Normalisations, and a resize by tables: two taps a row, one a column.
fn normalized_net() -> salto::host::Result<Graph> {
    let mut net = Builder::new("normalized", Seeded::new(5)).channels_first();
    let x = net.input("input", &[1, 3, 4, 4])?;
    let x = net.group_norm(x, 2, 1e-5)?;
    let x = net.layer_norm(x, 1e-5)?;
    let rows = net.constant(&[2, 3], &[0.0, 0.5, 0.5, 1.0, 0.25, 0.75])?;
    let columns = net.constant(&[3, 2], &[0.0, 1.0, 3.0, 1.0, -1.0, 0.0])?;
    let x = net.op(Op::Interpolate(Interpolate { input: x, rows, columns, fill: 0.5 }))?;
    net.output(x);
    net.finish()
}
