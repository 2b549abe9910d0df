//! Names, weights and errors of the builder.

use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use super::super::blocks::residual::{self, Shortcut};
use super::super::blocks::unet::{self, Upsampling};
use super::super::blocks::{dense, highway};
use super::super::{Builder, ConvLayer, Graph, Scheme, Seeded, WeightRequest};
use crate::device::kernel::params::ResizeKind;
use crate::device::tensor::Shape;
use crate::host::ErrorKind;

fn names(graph: &Graph) -> Vec<&str> {
    graph.nodes().map(|(_, node)| node.name.as_str()).collect()
}

#[test]
fn layers_are_named_by_kind_or_by_the_caller_within_scopes() {
    let mut net = Builder::new("net", Seeded::new(1));
    let x = net.input("x", &[1, 8, 8, 3]).unwrap();
    let x = net.conv(x, ConvLayer::new(4, 3)).unwrap();
    let x = net.scope("stage", |net| net.name("first").conv(x, ConvLayer::new(4, 3))).unwrap();
    let x = net.conv(x, ConvLayer::new(4, 3)).unwrap();
    net.output(x);
    let graph = net.finish().unwrap();
    assert_eq!(names(&graph), ["conv_1", "stage.first", "conv_2"]);
    assert!(graph.find_value("stage.first.weight").is_some());
}

#[test]
fn a_name_is_given_once() {
    let mut net = Builder::new("net", Seeded::new(1));
    let x = net.input("x", &[1, 8]).unwrap();
    net.name("fc").dense(x, 4).unwrap();
    assert_eq!(net.name("fc").dense(x, 4).unwrap_err().kind(), ErrorKind::Argument);
}

#[test]
fn a_misfit_names_the_layer() {
    let mut net = Builder::new("net", Seeded::new(1));
    let x = net.input("x", &[1, 8, 8, 3]).unwrap();
    let error = net.name("conv").conv(x, ConvLayer::new(4, 3).groups(2)).unwrap_err();
    assert_eq!(error.node(), Some("conv"));
    assert!(net.dense(x, 2).unwrap_err().reason().contains("not 2"));
    assert!(net.finish().unwrap_err().reason().contains("no output"));
}

#[test]
fn the_caller_supplies_weights_by_name_and_shape() {
    let mut asked: Vec<(String, Shape)> = vec![];
    let mut net = Builder::new("net", |request: &WeightRequest<'_>| {
        asked.push((request.name.into(), request.shape));
        Ok(vec![0.0; request.shape.len() as usize])
    });
    let x = net.input("x", &[1, 4, 4, 6]).unwrap();
    let x = net.name("up").conv_transpose(x, ConvLayer::new(4, 2).stride(2).padding(0).groups(2)).unwrap();
    let x = net.name("bn").batch_norm(x).unwrap();
    net.output(x);
    net.finish().unwrap();
    assert_eq!(asked[0], ("up.weight".into(), Shape::nhwc(6, 2, 2, 2)));
    let parts: Vec<&str> = asked.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(parts[1..], ["up.bias", "bn.weight", "bn.bias", "bn.running_mean", "bn.running_var"]);
}

#[test]
fn seeded_weights_depend_on_seed_and_name_alone() {
    let weight = |seeded: Seeded, layers: u32| {
        let mut net = Builder::new("net", seeded);
        let x = net.input("x", &[1, 8]).unwrap();
        for _ in 1..layers {
            net.dense(x, 3).unwrap();
        }
        let y = net.name("fc").dense(x, 32).unwrap();
        net.output(y);
        let graph = net.finish().unwrap();
        graph.constant_f32(graph.find_value("fc.weight").unwrap()).unwrap().to_vec()
    };
    let he = weight(Seeded::new(3), 1);
    assert_eq!(he, weight(Seeded::new(3), 4));
    assert_ne!(he, weight(Seeded::new(4), 1));
    let largest = |data: &[f32]| data.iter().fold(0.0f32, |most, x| most.max(x.abs()));
    let (he_limit, xavier_limit) = ((6.0f32 / 8.0).sqrt(), (6.0f32 / 40.0).sqrt());
    assert!(largest(&he) <= he_limit && largest(&he) > 0.95 * he_limit);
    let xavier = weight(Seeded::new(3).with_scheme(Scheme::Xavier), 1);
    assert!(largest(&xavier) <= xavier_limit && largest(&xavier) > 0.95 * xavier_limit);
}

#[test]
fn blocks_keep_the_sizes_that_they_promise() {
    let mut net = Builder::new("net", Seeded::new(1));
    let x = net.input("x", &[1, 16, 16, 8]).unwrap();
    let shape = |net: &Builder<'_>, x| net.shape(x).dims().to_vec();
    let a = net.scope("a", |net| residual::bottleneck(net, x, 4, 16, 2, Shortcut::PadChannels)).unwrap();
    let b = net.scope("b", |net| residual::pre_activation(net, a, 32, 2)).unwrap();
    let c = net.scope("c", |net| dense::block(net, b, 3, 4, 2)).unwrap();
    let d = net.scope("d", |net| dense::transition(net, c, 20)).unwrap();
    let e = net.scope("e", |net| highway::conv_layer(net, d, 3)).unwrap();
    let up = Upsampling::Resize(ResizeKind::Bilinear);
    let f = net.scope("f", |net| unet::unet(net, e, 4, 1, up)).unwrap();
    assert_eq!([a, b, c].map(|x| shape(&net, x)), [[1, 8, 8, 16], [1, 4, 4, 32], [1, 4, 4, 44]]);
    assert_eq!([d, e, f].map(|x| shape(&net, x)), [[1, 2, 2, 20], [1, 2, 2, 20], [1, 2, 2, 4]]);
    let flat = net.flatten(f).unwrap();
    let g = net.scope("g", |net| highway::dense_layer(net, flat)).unwrap();
    net.output(g);
    net.finish().unwrap();
}

#[test]
fn a_unet_of_a_size_that_is_not_doubled_back_is_refused() {
    let size = |height, up| {
        let mut net = Builder::new("unet", Seeded::new(1));
        let x = net.input("x", &[1, height, 8, 3]).unwrap();
        unet::unet(&mut net, x, 4, 2, up).map(|y| net.shape(y).dims().to_vec())
    };
    let error = size(10, Upsampling::Transposed).unwrap_err().to_string();
    assert!(error.contains("multiples of 4"), "{error}");
    assert_eq!(size(12, Upsampling::Transposed).unwrap(), [1, 12, 8, 4]);
    assert_eq!(size(10, Upsampling::Resize(ResizeKind::Bilinear)).unwrap(), [1, 10, 8, 4]);
}
