//! The networks by name.

use alloc::boxed::Box;
use alloc::format;
use alloc::vec::Vec;

use crate::host::{Error, ErrorKind, Result};

use super::super::blocks::residual::Shortcut::PadChannels;
use super::super::{Graph, WeightSource};
use super::densenet::{DENSENET_121, DENSENET_161, DENSENET_169, DENSENET_201, densenet};
use super::unet::{UNet, unet};
use super::{Options, cifar, mobilenet, resnet, tiny};

type Source<'w> = Box<dyn WeightSource + 'w>;

/// A network that can be had by its name.
#[derive(Clone, Copy, Debug)]
pub struct Network {
    /// Its name, as on the command line.
    pub name: &'static str,
    /// The last layer's name, whose `weight` has as many rows as there are classes; none, if there are no classes.
    pub classifier: Option<&'static str>,
    build: fn(&Options, Source<'_>) -> Result<Graph>,
}

impl Network {
    const fn new(
        name: &'static str,
        classifier: &'static str,
        build: fn(&Options, Source<'_>) -> Result<Graph>,
    ) -> Self {
        Self { name, classifier: Some(classifier), build }
    }

    /// The network of this name.
    ///
    /// # Errors
    /// If there is none; the error lists all names.
    pub fn find(name: &str) -> Result<&'static Self> {
        NETWORKS.iter().find(|network| network.name == name).ok_or_else(|| {
            let names: Vec<&str> = NETWORKS.iter().map(|network| network.name).collect();
            Error::new(ErrorKind::Argument, format!("no file and no network is called '{name}'"))
                .remedy(format!("there are {}", names.join(", ")))
        })
    }

    /// Makes it.
    ///
    /// # Errors
    /// As [`resnet18`](super::resnet18).
    pub fn build(&self, options: &Options, weights: impl WeightSource) -> Result<Graph> {
        (self.build)(options, Box::new(weights))
    }
}

/// All networks that need no more than [`Options`]. Residual ones for CIFAR have shortcut A (no weights); `unet` has 32 channels and 4
/// levels.
pub const NETWORKS: &[Network] = &[
    Network::new("resnet8", "fc", |o, w| cifar::resnet8(o, w)),
    Network::new("resnet20", "linear", |o, w| cifar::cifar_resnet(20, PadChannels, o, w)),
    Network::new("resnet32", "linear", |o, w| cifar::cifar_resnet(32, PadChannels, o, w)),
    Network::new("resnet44", "linear", |o, w| cifar::cifar_resnet(44, PadChannels, o, w)),
    Network::new("resnet56", "linear", |o, w| cifar::cifar_resnet(56, PadChannels, o, w)),
    Network::new("resnet110", "linear", |o, w| cifar::cifar_resnet(110, PadChannels, o, w)),
    Network::new("plain20", "linear", |o, w| cifar::cifar_plain(20, o, w)),
    Network::new("plain32", "linear", |o, w| cifar::cifar_plain(32, o, w)),
    Network::new("plain44", "linear", |o, w| cifar::cifar_plain(44, o, w)),
    Network::new("plain56", "linear", |o, w| cifar::cifar_plain(56, o, w)),
    Network::new("plain110", "linear", |o, w| cifar::cifar_plain(110, o, w)),
    Network::new("resnet18", "fc", |o, w| resnet::resnet18(o, w)),
    Network::new("resnet34", "fc", |o, w| resnet::resnet34(o, w)),
    Network::new("resnet50", "fc", |o, w| resnet::resnet50(o, w)),
    Network::new("densenet121", "classifier", |o, w| densenet(&DENSENET_121, o, w)),
    Network::new("densenet161", "classifier", |o, w| densenet(&DENSENET_161, o, w)),
    Network::new("densenet169", "classifier", |o, w| densenet(&DENSENET_169, o, w)),
    Network::new("densenet201", "classifier", |o, w| densenet(&DENSENET_201, o, w)),
    Network::new("unet", "head", |o, w| unet(&UNet::new(32, 4), o, w)),
    Network::new("mobilenet_v1", "fc", |o, w| mobilenet::mobilenet_v1(o, w)),
    Network::new("mobilenet_v2", "classifier.1", |o, w| mobilenet::mobilenet_v2(o, w)),
    Network::new("ds_cnn", "fc", |o, w| tiny::ds_cnn(o, w)),
    Network { name: "autoencoder", classifier: None, build: |o, w| tiny::autoencoder(o, w) },
];
