//! Sizes and numbers of weights, as published or as torchvision counts them.

use alloc::vec::Vec;

use super::super::blocks::residual::Shortcut;
use super::super::blocks::unet::Upsampling;
use super::super::{Graph, Seeded, WeightRequest};
use super::*;
use crate::device::kernel::params::ResizeKind;
use crate::host::{ErrorKind, Result};

fn output(graph: &Graph) -> Vec<u32> {
    graph.shape(graph.outputs[0].value).dims().to_vec()
}

/// Weights that training changes.
fn parameters(graph: &Graph) -> u32 {
    let trained = graph.values().filter(|(_, value)| !value.name.contains("running"));
    trained.filter(|(_, value)| value.constant.is_some()).map(|(_, value)| value.shape.len()).sum()
}

/// All zeros: made fast.
fn zeros(request: &WeightRequest<'_>) -> Result<Vec<f32>> {
    Ok(alloc::vec![0.0; request.shape.len() as usize])
}

#[test]
fn the_fronts_have_their_sizes() {
    assert_eq!(output(&resnet34_front(Seeded::new(1)).unwrap()), [1, 13, 13, 128]);
    assert_eq!(output(&densenet_front(Seeded::new(1)).unwrap()), [1, 24, 24, 256]);
}

#[test]
fn networks_have_their_published_parameters() {
    // torchvision 0.29, `sum(p.numel() for p in model.parameters())`; resnet20's and resnet110's are akamaster's.
    let known = [
        ("resnet18", 11_689_512),
        ("resnet34", 21_797_672),
        ("resnet50", 25_557_032),
        ("densenet121", 7_978_856),
        ("mobilenet_v2", 3_504_872),
        ("resnet20", 269_722),
        ("resnet110", 1_727_962),
    ];
    for (name, count) in known {
        let graph = Network::find(name).unwrap().build(&Options::default(), zeros).unwrap();
        assert_eq!(parameters(&graph), count, "{name}");
    }
}

#[test]
fn every_network_takes_the_callers_sizes() {
    let options = Options::default().batch(2).size(64, 32).channels(4).classes(3);
    for network in NETWORKS {
        let graph = network.build(&options, zeros).unwrap();
        let expected: &[u32] = match network.name {
            "unet" => &[2, 64, 32, 3],
            "autoencoder" => &[2, 4],
            _ => &[2, 3],
        };
        assert_eq!(output(&graph), expected, "{}", network.name);
        if let Some(classifier) = network.classifier {
            let weight = graph.find_value(&alloc::format!("{classifier}.weight")).unwrap();
            assert_eq!(graph.shape(weight).dims()[0], 3, "{}", network.name);
        }
    }
}

#[test]
fn designs_are_free() {
    let options = Options::default().size(32, 32);
    let narrow = DenseNet { bn_size: 2, ..DenseNet::new(12, &[3, 3, 3]) };
    assert_eq!(output(&densenet(&narrow, &options, zeros).unwrap()), [1, 1000]);
    let design = UNet { upsampling: Upsampling::Resize(ResizeKind::Bilinear), ..UNet::new(4, 2) };
    assert_eq!(output(&unet(&design, &options, zeros).unwrap()), [1, 32, 32, 1]);
    let quarter = mobilenet_v2(&options.width(0.25), zeros).unwrap();
    assert_eq!(parameters(&quarter), 1_519_112);
    let b = cifar_resnet(8, PROJECTION, &options, zeros).unwrap();
    assert!(b.find_value("layer2.0.shortcut.0.weight").is_some());
    let wrong = cifar_resnet(21, Shortcut::PadChannels, &options, zeros).unwrap_err();
    assert_eq!(wrong.kind(), ErrorKind::Argument);
    assert!(alloc::format!("{}", Network::find("resnet19").unwrap_err()).contains("resnet18, resnet34"));
}
