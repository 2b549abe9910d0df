//! One step of a program as a row of a table.

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use alloc::{format, vec};

use crate::device::kernel::params::{
    BinaryKind, ConvAlgorithm, ConvParams, ConvTransposeParams, PoolKind, PoolParams, ResizeKind,
};
use crate::device::program::record::{Place, Space};
use crate::device::program::{Params, Step};
use crate::device::tensor::{Activation, ActivationKind, Axis, DType, Extent, Window};

/// A step of a program: what it computes and what that costs.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "cli", derive(serde::Serialize))]
pub struct Layer {
    /// Its number.
    pub step: usize,
    /// The node's name.
    pub name: String,
    /// The operator.
    pub operator: String,
    /// How it is computed, where there is a choice: `pointwise`, `im2col`, `depthwise`, `winograd 2×2`; else nothing.
    pub algorithm: String,
    /// Window, algorithm and what is fused into it, in words.
    pub detail: String,
    /// The output, `[n, h, w, c]` or, for flat steps, as many dimensions as the step has.
    pub output: Vec<u32>,
    /// Multiply-accumulates by the operator's definition, taps in the padding included; 0 for other operators than convolutions.
    pub macs: u64,
    /// Weights, biases and other trained numbers that are left when batch normalisations are folded; the layout's padding is not
    /// counted in convolutions.
    pub parameters: u64,
    /// Bytes of weights, bias and other constants, padding of their layout included.
    pub weight_bytes: u64,
    /// Bytes of operands, constants and output, each counted once: the least that moves between memory and the core if no
    /// cache holds any of it.
    pub moved_bytes: u64,
    /// Bytes of scratch for one worker.
    pub scratch_bytes: u64,
    /// Bytes of all buffers that live while it runs, scratch included.
    pub live_bytes: u64,
}

impl Layer {
    /// The row of a step; `live_bytes` is left to the memory report.
    pub(super) fn new(number: usize, step: &Step<'_>) -> Self {
        let constants = step.places.iter().filter(|place| constant(place).is_some());
        let weight_bytes: u64 = constants.map(|place| u64::from(place.len)).sum();
        Self {
            step: number,
            name: step.name.to_string(),
            operator: format!("{:?}", step.operator()),
            algorithm: algorithm(&step.params),
            detail: detail(step),
            output: output_dims(&step.params),
            macs: macs(&step.params),
            parameters: parameters(step),
            weight_bytes,
            moved_bytes: weight_bytes + activation_bytes(step),
            scratch_bytes: step.scratch.map_or(0, |scratch| u64::from(scratch.len)),
            live_bytes: 0,
        }
    }
}

/// The type of a constant; none if the place is no constant.
fn constant(place: &Place) -> Option<DType> {
    let space = Space::from_code(place.space)?;
    matches!(space, Space::Constants | Space::ConstantsF16).then(|| space.dtype())
}

/// Trained numbers of a step.
fn parameters(step: &Step<'_>) -> u64 {
    let count =
        |place: &Place| constant(place).map_or(0, |dtype| u64::from(place.len) / dtype.bytes() as u64);
    let (window, groups, inputs, outputs) = match &step.params {
        Params::Conv(conv) => (&conv.window, conv.groups, conv.input.c, conv.output.c),
        Params::ConvTranspose(conv) => (&conv.window, conv.groups, conv.input.c, conv.output.c),
        _ => return step.places.iter().map(count).sum(),
    };
    let factors = [window.y.kernel, window.x.kernel, inputs / groups.max(1), outputs];
    let weights = factors.into_iter().fold(1u64, |all, factor| all.saturating_mul(u64::from(factor)));
    // The first place holds the weights, in the layout of their kernel; then come bias, scale and shift, padded to panels.
    let channels = [outputs, inputs, inputs].map(u64::from);
    let vectors =
        step.places.iter().skip(1).zip(channels).map(|(place, channels)| count(place).min(channels));
    weights + vectors.sum::<u64>()
}

/// Multiply-accumulates of a step.
fn macs(params: &Params<'_>) -> u64 {
    let product = |extent: &Extent, window: &Window, groups: u32, other_channels: u32| {
        let factors = [extent.n, extent.h, extent.w, extent.c, window.y.kernel, window.x.kernel];
        let all = factors.into_iter().fold(1u64, |product, factor| product.saturating_mul(u64::from(factor)));
        all.saturating_mul(u64::from(other_channels / groups.max(1)))
    };
    match params {
        Params::Conv(conv) => product(&conv.output, &conv.window, conv.groups, conv.input.c),
        Params::ConvTranspose(conv) => product(&conv.input, &conv.window, conv.groups, conv.output.c),
        _ => 0,
    }
}

/// Bytes of the operands in the arena and of the output.
fn activation_bytes(step: &Step<'_>) -> u64 {
    let len = |extent: &Extent| {
        [extent.n, extent.h, extent.w, extent.c].into_iter().map(u64::from).fold(1, u64::saturating_mul)
    };
    let residual = |output: &Extent| if step.source(1).is_empty() { 0 } else { len(output) };
    let elements = match &step.params {
        Params::Conv(conv) => len(&conv.input) + len(&conv.output) + residual(&conv.output),
        Params::ConvTranspose(conv) => len(&conv.input) + len(&conv.output) + residual(&conv.output),
        Params::Pool(pool) => len(&pool.input) + len(&pool.output),
        Params::Binary(binary) => {
            let operands = [binary.a, binary.b].into_iter().enumerate();
            let present = operands.filter(|(i, _)| !step.source(*i).is_empty());
            len(&binary.output) + present.map(|(_, extent)| len(&extent)).sum::<u64>()
        }
        Params::Map(map) => 2 * len(&map.extent),
        Params::Resize(resize) => len(&resize.input) + len(&resize.output),
        Params::Interpolate(resize) => len(&resize.input) + len(&resize.output),
        Params::Rearrange(copy) => {
            u64::from(copy.input_len) + copy.dims.iter().map(|dim| u64::from(*dim)).product::<u64>()
        }
        Params::Softmax(softmax) => {
            2 * [softmax.outer, softmax.axis, softmax.inner].map(u64::from).iter().product::<u64>()
        }
        Params::Normalize(norm) => {
            2 * [norm.outer, norm.spatial, norm.groups, norm.inner].map(u64::from).iter().product::<u64>()
        }
    };
    let in_arena = step.places.iter().filter(|place| place.space == Space::Arena as u32);
    elements * size_of::<f32>() as u64 + in_arena.map(|place| u64::from(place.len)).sum::<u64>()
}

fn algorithm(params: &Params<'_>) -> String {
    match params {
        Params::Conv(conv) => match ConvAlgorithm::from_code(conv.algorithm) {
            Some(ConvAlgorithm::Winograd2x2) => "winograd 2×2".into(),
            Some(ConvAlgorithm::Winograd4x4) => "winograd 4×4".into(),
            algorithm => kind_word(algorithm),
        },
        _ => String::new(),
    }
}

/// The dimensions of what a step writes.
pub(super) fn output_dims(params: &Params<'_>) -> Vec<u32> {
    let extent = |Extent { n, h, w, c }: Extent| vec![n, h, w, c];
    match params {
        Params::Conv(conv) => extent(conv.output),
        Params::ConvTranspose(conv) => extent(conv.output),
        Params::Pool(pool) => extent(pool.output),
        Params::Binary(binary) => extent(binary.output),
        Params::Map(map) => extent(map.extent),
        Params::Resize(resize) => extent(resize.output),
        Params::Interpolate(interpolate) => extent(interpolate.output),
        Params::Rearrange(rearrange) => {
            let first = rearrange.dims.iter().position(|dim| *dim != 1).unwrap_or(rearrange.dims.len() - 1);
            rearrange.dims[first..].to_vec()
        }
        Params::Softmax(softmax) => vec![softmax.outer, softmax.axis, softmax.inner],
        Params::Normalize(norm) => vec![norm.outer, norm.spatial, norm.groups, norm.inner],
    }
}

fn detail(step: &Step<'_>) -> String {
    let mut words = match &step.params {
        Params::Conv(conv) => conv_words(conv),
        Params::ConvTranspose(conv) => conv_transpose_words(conv),
        Params::Pool(pool) => pool_words(pool),
        Params::Binary(binary) => vec![kind_word(BinaryKind::from_code(binary.kind))],
        Params::Map(_) => Vec::new(),
        Params::Resize(resize) => vec![kind_word(ResizeKind::from_code(resize.kind))],
        Params::Interpolate(op) => vec![format!("{}×{} taps", op.taps_y, op.taps_x)],
        Params::Rearrange(_) => vec!["copy".into()],
        Params::Softmax(softmax) => {
            vec![if softmax.log == 0 { "softmax" } else { "logarithm of softmax" }.into()]
        }
        Params::Normalize(norm) => vec![format!("{} groups of {}", norm.groups, norm.inner)],
    };
    let segments = step.source(0).len();
    if segments > 1 {
        words.push(format!("reads {segments} segments"));
    }
    let activation = match &step.params {
        Params::Conv(conv) => {
            words.extend((!step.source(1).is_empty()).then(|| "+ skip".into()));
            &conv.activation
        }
        Params::ConvTranspose(conv) => {
            words.extend((!step.source(1).is_empty()).then(|| "+ skip".into()));
            &conv.activation
        }
        Params::Pool(pool) => &pool.activation,
        Params::Binary(binary) => &binary.activation,
        Params::Normalize(norm) => &norm.activation,
        Params::Map(map) => {
            let scaled = step.places.iter().any(|place| place.space != Space::Absent as u32);
            words.extend(scaled.then(|| "scale and shift".into()));
            &map.activation
        }
        Params::Rearrange(_) | Params::Resize(_) | Params::Interpolate(_) | Params::Softmax(_) => {
            &Activation::IDENTITY
        }
    };
    words.extend(activation_word(activation));
    let is_f16 = step.places.iter().any(|place| constant(place) == Some(DType::F16));
    words.extend(is_f16.then(|| "f16 weights".into()));
    words.extend(is_in_place(step).then(|| "in place".into()));
    words.join(", ")
}

/// Does the step write over what it reads?
fn is_in_place(step: &Step<'_>) -> bool {
    let mut sources = step.operands[..3].iter().copied().flatten();
    sources.any(|source| step.output().iter().any(|output| output.buffer == source.buffer))
}

fn conv_words(conv: &ConvParams) -> Vec<String> {
    let mut words = window_words(&conv.window);
    if conv.groups > 1 && conv.groups == conv.input.c {
        words.push("depthwise".into());
    } else if conv.groups > 1 {
        words.push(format!("{} groups", conv.groups));
    }
    match ConvAlgorithm::from_code(conv.algorithm) {
        Some(ConvAlgorithm::Winograd2x2) => words.push("Winograd 2×2".into()),
        Some(ConvAlgorithm::Winograd4x4) => words.push("Winograd 4×4".into()),
        Some(ConvAlgorithm::Im2col) => words.push("im2col".into()),
        Some(ConvAlgorithm::Pointwise | ConvAlgorithm::Depthwise) | None => {}
    }
    words.extend(activation_word(&conv.prologue).map(|word| format!("{word} while loading")));
    words
}

fn conv_transpose_words(conv: &ConvTransposeParams) -> Vec<String> {
    let mut words = window_words(&conv.window);
    words.extend((conv.groups > 1).then(|| format!("{} groups", conv.groups)));
    words
}

fn pool_words(pool: &PoolParams) -> Vec<String> {
    let mut words = vec![match PoolKind::from_code(pool.kind) {
        Some(PoolKind::AveragePadded) => "average with padding".to_string(),
        kind => kind_word(kind),
    }];
    let Window { y, x } = &pool.window;
    if y.kernel == pool.input.h && x.kernel == pool.input.w && pool.window.has_no_padding() {
        words.push("global".into());
    } else {
        words.extend(window_words(&pool.window));
    }
    words
}

/// Size, and stride, dilation and padding where they are not the usual ones.
fn window_words(window: &Window) -> Vec<String> {
    let Window { y, x } = window;
    let pair = |word: &str, get: fn(&Axis) -> u32, usual: u32| match (get(y), get(x)) {
        (a, b) if a == usual && b == usual => None,
        (a, b) if a == b => Some(format!("{word} {a}")),
        (a, b) => Some(format!("{word} {a}×{b}")),
    };
    let mut words = vec![format!("{}×{}", y.kernel, x.kernel)];
    words.extend(pair("stride", |axis| axis.stride, 1));
    words.extend(pair("dilation", |axis| axis.dilation, 1));
    if y.pad_before == y.pad_after && x.pad_before == x.pad_after {
        words.extend(pair("padding", |axis| axis.pad_before, 0));
    } else {
        let (y, x) = ((y.pad_before, y.pad_after), (x.pad_before, x.pad_after));
        words.push(format!("padding {}+{}×{}+{}", y.0, y.1, x.0, x.1));
    }
    words
}

fn activation_word(activation: &Activation) -> Option<String> {
    match activation.kind() {
        Some(ActivationKind::Identity) => None,
        Some(ActivationKind::Clip) => Some(format!("clip to {}…{}", activation.a, activation.b)),
        kind => Some(kind_word(kind)),
    }
}

/// The name of a kind in lower case.
fn kind_word(kind: Option<impl core::fmt::Debug>) -> String {
    let name = kind.map_or_else(String::new, |kind| format!("{kind:?}"));
    let mut word = String::new();
    for letter in name.chars() {
        if letter.is_uppercase() && !word.is_empty() {
            word.push(' ');
        }
        word.extend(letter.to_lowercase());
    }
    word
}
