//! Networks of the zoo: MODEL is a name, and `--weights` a file of PyTorch's.

use std::path::Path;

use salto::host::graph::zoo::{Network as Design, Options};
use salto::host::graph::{Graph, Seeded};
use salto::host::import::weights::Weights;
use salto::host::{Error, ErrorKind, Result};

use crate::args::Network;
use crate::files;

/// The graph of a network that is named instead of a file; none, if MODEL is a file. Without `--weights` they are random.
pub(crate) fn graph(network: &Network) -> Result<Option<Graph>> {
    let Some(design) = design(network)? else { return Ok(None) };
    let mut options = options(network)?;
    let Some(argument) = &network.weights else {
        return design.build(&options, Seeded::new(1)).map(Some);
    };
    let weights = read(argument)?;
    // A network that was trained on other classes has as many rows in its last layer.
    let classes =
        design.classifier.and_then(|layer| weights.dims(&format!("{layer}.weight"))?.first().copied());
    if let Some(classes) = classes.and_then(|classes| u32::try_from(classes).ok()) {
        options = options.classes(classes);
    }
    design.build(&options, weights).map(Some)
}

/// Refuses a network of the zoo without weights: its answers would be random.
pub(crate) fn check_trained(network: &Network) -> Result<()> {
    match design(network)? {
        Some(design) if network.weights.is_none() => {
            let reason = format!("{} is a network without weights", design.name);
            Err(Error::new(ErrorKind::Argument, reason)
                .remedy("add --weights FILE (.safetensors, .pth, .pt or .th)"))
        }
        _ => Ok(()),
    }
}

/// The network that MODEL names. A file of that name comes first.
fn design(network: &Network) -> Result<Option<&'static Design>> {
    let Network { path, weights, .. } = network;
    let name = path.to_str().unwrap_or_default();
    files::check_regular(path)?;
    if path.exists() {
        return match weights {
            Some(_) => {
                let error =
                    Error::new(ErrorKind::Argument, "--weights are for networks of the zoo, this is a file");
                Err(error
                    .in_file(path.display())
                    .remedy("name a network, as in `salto run resnet18 --weights …`"))
            }
            None => Ok(None),
        };
    }
    match Design::find(name) {
        Ok(design) => Ok(Some(design)),
        // A word alone is a name that is misspelt rather than a file.
        Err(error) if weights.is_some() || !name.contains(['.', '/', '\\']) => Err(error),
        Err(_) => Ok(None),
    }
}

/// The sizes that `--shape` gives, in the model's order.
fn options(network: &Network) -> Result<Options> {
    let wrong = || {
        let reason =
            "a network of the zoo has one input, 'input', of four dimensions (an autoencoder's has two)";
        Error::new(ErrorKind::Argument, reason).remedy("give --shape input=1,3,224,224")
    };
    if let Some((name, _)) = network.bindings.first() {
        let reason = format!("'{name}' cannot be bound in a network of the zoo");
        return Err(Error::new(ErrorKind::Argument, reason).remedy("leave --bind out"));
    }
    match network.shapes.as_slice() {
        [] => Ok(Options::default()),
        [(name, dims)] if name == "input" => match *dims.as_slice() {
            [batch, channels, height, width] => {
                Ok(Options::default().batch(batch).channels(channels).size(height, width))
            }
            [batch, channels] => Ok(Options::default().batch(batch).channels(channels)),
            _ => Err(wrong()),
        },
        _ => Err(wrong()),
    }
}

/// The key and the file of `[KEY=]FILE`, for the state dictionary under a key.
pub(crate) fn key_and_file(argument: &str) -> (Option<&str>, &Path) {
    match argument.split_once('=') {
        Some((key, file)) if !Path::new(argument).exists() => (Some(key), Path::new(file)),
        _ => (None, Path::new(argument)),
    }
}

fn read(argument: &str) -> Result<Weights> {
    let (key, file) = key_and_file(argument);
    files::check_regular(file)?;
    match key {
        Some(key) => Weights::load_key(file, key),
        None => Weights::load(file),
    }
}
