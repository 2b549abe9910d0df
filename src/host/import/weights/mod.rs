//! Trained weights from files of PyTorch: `.safetensors`, and `.pth`, `.pt`, `.th` in both of their containers.
//!
//! Flows in: a file; flows out: the weights that a [`Builder`](crate::host::graph::Builder) asks for by the names of PyTorch's
//! state dictionaries, in storage order. A weight that is missing is an error, and so is one that nobody asked for: a file of another
//! network must not pass. Called by users of [`zoo`](crate::host::graph::zoo) and the builder, and by the command line.
//!
//! ```no_run
//! use salto::Model;
//! use salto::host::graph::zoo;
//! use salto::host::import::weights::Weights;
//!
//! let graph = zoo::resnet18(&zoo::Options::default(), Weights::load("resnet18.pth")?)?;
//! let mut session = Model::from_graph(&graph)?.session()?;
//! let scores = session.run(&[&[0.5; 3 * 224 * 224]])?;
//! # Ok::<(), salto::Error>(())
//! ```

mod name;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::Path;
use std::sync::Arc;

use crate::host::graph::{WeightRequest, WeightRole, WeightSource};
use crate::host::{Error, ErrorKind, Result};

use super::numbers::{check_finite, check_variance};
use super::stored::Stored;
use super::{pytorch, safetensors};

/// How many names an error lists.
const LISTED: usize = 4;

/// The weights of a file. Read a tensor at a time, when a builder asks for it; cheap to clone.
///
/// Floats of 16 and 64 bits and integers become `f32`. Prefixes that wrappers put before every name (`module.`, `_orig_mod.`) are
/// left out, old names of `DenseNet`'s layers (`norm.1`) are today's (`norm1`), and `num_batches_tracked` is ignored.
#[derive(Clone)]
pub struct Weights {
    bytes: Arc<Vec<u8>>,
    tensors: Arc<BTreeMap<String, Stored>>,
    read: BTreeSet<String>,
    partial: bool,
    file: Option<String>,
}

impl fmt::Debug for Weights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Weights").field("file", &self.file).field("tensors", &self.tensors.len()).finish()
    }
}

impl Weights {
    /// Reads a file. In one of PyTorch's a state dictionary may stand at the top or under a key, like `state_dict`; the only or
    /// the most usual one is taken.
    ///
    /// # Errors
    /// If the file cannot be read, is damaged or of another format, or holds anything but tensors, containers, numbers and texts.
    pub fn load(path: impl AsRef<Path>) -> Result<Self> {
        Self::load_from(path.as_ref(), None)
    }

    /// Reads a file of PyTorch's whose state dictionary stands under this key.
    ///
    /// # Errors
    /// As [`Weights::load`], and if nothing stands there.
    pub fn load_key(path: impl AsRef<Path>, key: &str) -> Result<Self> {
        Self::load_from(path.as_ref(), Some(key))
    }

    /// Reads a file's bytes, of any of the formats.
    ///
    /// # Errors
    /// As [`Weights::load`].
    pub fn from_bytes(bytes: Vec<u8>) -> Result<Self> {
        Self::parse(bytes, None)
    }

    /// The same, and weights that no layer asks for are no error: for a part of a network.
    #[must_use]
    pub fn partial(mut self) -> Self {
        self.partial = true;
        self
    }

    /// The names of all tensors, sorted.
    pub fn names(&self) -> impl ExactSizeIterator<Item = &str> {
        self.tensors.keys().map(String::as_str)
    }

    /// A tensor's dimensions in PyTorch's order: `[out, in/groups, kh, kw]` of a convolution, `[in, out/groups, kh, kw]` of a
    /// transposed one, `[out, in]` of a dense layer.
    pub fn dims(&self, name: &str) -> Option<&[usize]> {
        self.tensors.get(name).map(Stored::dims)
    }

    /// A tensor's elements in PyTorch's order.
    pub fn tensor(&self, name: &str) -> Option<Vec<f32>> {
        let tensor = self.tensors.get(name)?;
        let order: Vec<usize> = (0..tensor.dims().len()).collect();
        Some(tensor.floats(&self.bytes, &order))
    }

    fn load_from(path: &Path, key: Option<&str>) -> Result<Self> {
        let bytes = std::fs::read(path).map_err(|error| Error::io(&error));
        let weights = bytes.and_then(|bytes| Self::parse(bytes, key));
        let weights = weights.map_err(|error| error.in_file(path.display()))?;
        Ok(Self { file: Some(path.display().to_string()), ..weights })
    }

    fn parse(bytes: Vec<u8>, key: Option<&str>) -> Result<Self> {
        let tensors = if safetensors::begins_like_one(&bytes) {
            match key {
                None => safetensors::tensors(&bytes)?,
                Some(_) => {
                    let reason = "a safetensors file has no keys, only tensors";
                    return Err(Error::new(ErrorKind::Argument, reason).remedy("leave the key out"));
                }
            }
        } else if pytorch::begins_like_one(&bytes) {
            pytorch::tensors(&bytes, key)?
        } else {
            let reason = "neither a safetensors file nor one of PyTorch's";
            return Err(Error::new(ErrorKind::Format, reason)
                .remedy("weights are .safetensors, .pth, .pt or .th, written by torch.save"));
        };
        let tensors = Arc::new(name::normalised(tensors));
        Ok(Self { bytes: Arc::new(bytes), tensors, read: BTreeSet::new(), partial: false, file: None })
    }

    fn refuse(&self, reason: String, remedy: String) -> Error {
        self.in_file(Error::new(ErrorKind::Invalid, reason).remedy(remedy))
    }

    /// An error of this file.
    fn in_file(&self, error: Error) -> Error {
        match &self.file {
            Some(file) => error.in_file(file),
            None => error,
        }
    }

    fn missing(&self, request: &WeightRequest<'_>, dims: &[usize]) -> Error {
        let all = self.tensors.len();
        let reason = format!("it has no '{}' {dims:?} among its {all} tensors", request.name);
        let unread = self.tensors.iter().filter(|(name, _)| !self.read.contains(*name));
        let near = name::nearest(request.name, unread.map(|(name, _)| name.as_str()), LISTED);
        let near: Vec<String> =
            near.into_iter().map(|name| format!("'{name}' {:?}", self.dims(name).unwrap_or(&[]))).collect();
        self.refuse(reason, format!("it is another network's; nearest are {}", near.join(", ")))
    }
}

impl WeightSource for Weights {
    fn weight(&mut self, request: &WeightRequest<'_>) -> Result<Vec<f32>> {
        // PyTorch's axis for each stored one: [out, kh, kw, in] is [out, in, kh, kw].
        let order: &[usize] = if request.shape.rank() == 4 { &[0, 2, 3, 1] } else { &[0, 1, 2, 3, 4, 5] };
        let order = order.get(..request.shape.rank()).unwrap_or(order);
        let mut dims = vec![0; order.len()];
        for (&axis, &dim) in order.iter().zip(request.shape.dims()) {
            if let Some(place) = dims.get_mut(axis) {
                *place = usize::try_from(dim).unwrap_or(usize::MAX);
            }
        }
        let Some(tensor) = self.tensors.get(request.name) else { return Err(self.missing(request, &dims)) };
        if tensor.dims() != dims {
            let found = tensor.dims();
            let reason = format!("'{}' is {found:?}, the network's is {dims:?}", request.name);
            return Err(self.refuse(reason, "check the network and its sizes".into()));
        }
        let floats = tensor.floats(&self.bytes, order);
        let checked = check_finite(request.name, &floats, true).and_then(|()| match request.role {
            WeightRole::Variance => check_variance(request.name, &floats),
            _ => Ok(()),
        });
        checked.map_err(|error| self.in_file(error))?;
        self.read.insert(request.name.into());
        Ok(floats)
    }

    fn finish(&mut self) -> Result<()> {
        let unread: Vec<&str> = self.names().filter(|name| !self.read.contains(*name)).collect();
        if self.partial || unread.is_empty() {
            return Ok(());
        }
        let listed: Vec<String> = unread.iter().take(LISTED).map(|name| format!("'{name}'")).collect();
        let more = if unread.len() > LISTED { ", …" } else { "" };
        let reason = format!(
            "{} of its {} tensors belong to no layer: {}{more}",
            unread.len(),
            self.tensors.len(),
            listed.join(", ")
        );
        Err(self.refuse(reason, "it is another network's; for a part of a network, Weights::partial".into()))
    }
}
