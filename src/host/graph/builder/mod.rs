//! The builder: networks written in Rust.
//!
//! ```
//! use salto::host::graph::{Builder, ConvLayer, Seeded, Window};
//!
//! let mut net = Builder::new("digits", Seeded::new(1));
//! let x = net.input("image", &[1, 8, 8, 1])?;
//! let x = net.name("stem").conv(x, ConvLayer::new(16, 3))?;
//! let x = net.relu(x)?;
//! let x = net.max_pool(x, Window::new(2, 2).with_stride(2))?;
//! let x = net.flatten(x)?;
//! let x = net.dense(x, 10)?;
//! net.output(x);
//! let graph = net.finish()?;
//! assert_eq!(graph.shape(graph.outputs[0].value).dims(), [1, 10]);
//! # Ok::<(), salto::host::Error>(())
//! ```
//!
//! Each method adds one layer and returns its output; an operand that does not fit is an error that names the layer. Layers
//! are named by kind and number, or by [`Builder::name`], inside the scopes of [`Builder::scope`]. Weights come from a
//! [`WeightSource`]. Shapes are in storage order, `[n, h, w, c]`. Residual, dense, U-Net and Highway blocks stand in
//! [`blocks`](super::blocks).

mod layer;
mod moves;
mod normalization;
#[cfg(test)]
mod tests;
mod weights;

use alloc::boxed::Box;
use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::String;
use core::fmt;

use crate::device::kernel::params::{BinaryKind, PoolKind, ResizeKind};
use crate::device::tensor::{Activation, ModelLayout, Shape, Window};
use crate::host::{Error, ErrorKind, Result};

use super::{
    Binary, Constant, Conv, ConvTranspose, Dense, GlobalPool, Graph, Op, Pool, Resize, Softmax, Unary,
    ValueId,
};

pub use layer::ConvLayer;
pub use weights::{Scheme, Seeded, WeightRequest, WeightRole, WeightSource};

/// Makes a graph layer by layer.
pub struct Builder<'w> {
    graph: Graph,
    weights: Box<dyn WeightSource + 'w>,
    layout: ModelLayout,
    scope: String,
    next_name: Option<String>,
    names: BTreeSet<String>,
}

impl fmt::Debug for Builder<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("graph", &self.graph.name)
            .field("scope", &self.scope)
            .finish_non_exhaustive()
    }
}

impl<'w> Builder<'w> {
    /// An empty network whose weights come from `weights`.
    pub fn new(name: &str, weights: impl WeightSource + 'w) -> Self {
        Self {
            graph: Graph::new(name),
            weights: Box::new(weights),
            layout: ModelLayout::AsStored,
            scope: String::new(),
            next_name: None,
            names: BTreeSet::new(),
        }
    }

    /// Makes the four-dimensional inputs and outputs that follow `[n, c, h, w]` for the network's user, as in PyTorch and ONNX.
    #[must_use]
    pub fn channels_first(mut self) -> Self {
        self.layout = ModelLayout::ChannelsFirst;
        self
    }

    /// Names the next layer, inside the current scope.
    pub fn name(&mut self, name: &str) -> &mut Self {
        self.next_name = Some(name.into());
        self
    }

    /// Adds layers whose names begin with `name` and a dot.
    ///
    /// # Errors
    /// Those of `layers`.
    pub fn scope<T>(&mut self, name: &str, layers: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        let outer = self.scope.len();
        self.scope.push_str(name);
        self.scope.push('.');
        let made = layers(self);
        self.scope.truncate(outer);
        made
    }

    /// The shape of a tensor.
    pub fn shape(&self, x: ValueId) -> Shape {
        self.graph.shape(x)
    }

    /// The channels of a tensor: its last dimension.
    pub fn channels(&self, x: ValueId) -> u32 {
        self.shape(x).dims().last().copied().unwrap_or(1)
    }

    /// An input of the network with these dimensions in storage order.
    ///
    /// # Errors
    /// If there are too many dimensions, or the name is taken.
    pub fn input(&mut self, name: &str, dims: &[u32]) -> Result<ValueId> {
        let shape = Shape::new(dims).ok_or_else(|| {
            Error::new(ErrorKind::Argument, format!("input '{name}' has {} dimensions", dims.len()))
        })?;
        let name = self.name(name).take_name("input")?;
        let layout = self.port_layout(shape);
        Ok(self.graph.add_input(name, shape, layout))
    }

    /// Makes a tensor an output of the network.
    pub fn output(&mut self, x: ValueId) {
        let layout = self.port_layout(self.shape(x));
        self.graph.add_output(x, layout);
    }

    /// A constant tensor.
    ///
    /// # Errors
    /// If `data` has not as many elements as `dims` say.
    pub fn constant(&mut self, dims: &[u32], data: &[f32]) -> Result<ValueId> {
        let shape = Shape::new(dims).ok_or_else(|| {
            Error::new(ErrorKind::Argument, format!("a constant has {} dimensions", dims.len()))
        })?;
        let name = self.take_name("constant")?;
        self.graph.add_constant(name, shape, Constant::f32(data))
    }

    /// The network.
    ///
    /// # Errors
    /// If it has no output, or contradicts itself, or the source of weights has some that it did not ask for.
    pub fn finish(mut self) -> Result<Graph> {
        if self.graph.outputs.is_empty() {
            return Err(Error::new(ErrorKind::Argument, "the network has no output")
                .remedy("name at least one with Builder::output"));
        }
        self.graph.validate()?;
        self.weights.finish()?;
        Ok(self.graph)
    }

    /// A convolution of `x` `[n, h, w, c]`.
    ///
    /// # Errors
    /// If the layer does not fit its operand, or a weight is missing; so for all layers below.
    pub fn conv(&mut self, x: ValueId, layer: ConvLayer) -> Result<ValueId> {
        let name = self.take_name("conv")?;
        let ConvLayer { outputs, window, groups, .. } = layer;
        let depth = self.channels(x).checked_div(groups).unwrap_or(0);
        let taps = window.y.kernel.saturating_mul(window.x.kernel);
        let fan_out = taps.saturating_mul(outputs.checked_div(groups).unwrap_or(0));
        let role = WeightRole::Kernel { fan_in: taps.saturating_mul(depth), fan_out };
        let shape = Shape::nhwc(outputs, window.y.kernel, window.x.kernel, depth);
        let weight = self.weight(&name, "weight", shape, role)?;
        let bias = self.bias(&name, outputs, layer.bias)?;
        let (residual, pre_activation, activation) = (None, None, Activation::IDENTITY);
        self.graph.add_node(
            name,
            Op::Conv(Conv { input: x, weight, bias, residual, pre_activation, window, groups, activation }),
        )
    }

    /// A transposed convolution of `x` `[n, h, w, c]`.
    ///
    /// # Errors
    /// As [`Builder::conv`].
    pub fn conv_transpose(&mut self, x: ValueId, layer: ConvLayer) -> Result<ValueId> {
        let name = self.take_name("conv_transpose")?;
        let ConvLayer { outputs, window, groups, output_padding, .. } = layer;
        let inputs = self.channels(x);
        let depth = outputs.checked_div(groups).unwrap_or(0);
        // With stride s only every s-th tap on each axis meets an input.
        let strides = window.y.stride.saturating_mul(window.x.stride).max(1);
        let taps = window.y.kernel.saturating_mul(window.x.kernel);
        let fan_in = taps.div_ceil(strides).saturating_mul(inputs.checked_div(groups).unwrap_or(0));
        let role = WeightRole::Kernel { fan_in, fan_out: taps.saturating_mul(depth) };
        let shape = Shape::nhwc(inputs, window.y.kernel, window.x.kernel, depth);
        let weight = self.weight(&name, "weight", shape, role)?;
        let bias = self.bias(&name, outputs, layer.bias)?;
        let (residual, activation) = (None, Activation::IDENTITY);
        self.graph.add_node(
            name,
            Op::ConvTranspose(ConvTranspose {
                input: x,
                weight,
                bias,
                residual,
                window,
                output_padding,
                groups,
                activation,
            }),
        )
    }

    /// A dense layer with bias over `x` `[rows, in]`.
    ///
    /// # Errors
    /// As [`Builder::conv`].
    pub fn dense(&mut self, x: ValueId, outputs: u32) -> Result<ValueId> {
        let name = self.take_name("dense")?;
        let inputs = self.channels(x);
        let role = WeightRole::Kernel { fan_in: inputs, fan_out: outputs };
        let weight = self.weight(&name, "weight", Shape::matrix(outputs, inputs), role)?;
        let bias = self.bias(&name, outputs, true)?;
        self.graph
            .add_node(name, Op::Dense(Dense { input: x, weight, bias, activation: Activation::IDENTITY }))
    }

    /// An element-wise function of one operand.
    ///
    /// # Errors
    /// As [`Builder::conv`].
    pub fn activate(&mut self, x: ValueId, activation: Activation) -> Result<ValueId> {
        self.add("activation", Op::Unary(Unary { input: x, activation }))
    }

    /// `max(0, x)`
    ///
    /// # Errors
    /// As [`Builder::conv`].
    pub fn relu(&mut self, x: ValueId) -> Result<ValueId> {
        self.add("relu", Op::Unary(Unary { input: x, activation: Activation::RELU }))
    }

    /// `1 / (1 + e^−x)`
    ///
    /// # Errors
    /// As [`Builder::conv`].
    pub fn sigmoid(&mut self, x: ValueId) -> Result<ValueId> {
        self.add("sigmoid", Op::Unary(Unary { input: x, activation: Activation::SIGMOID }))
    }

    /// An element-wise function of two operands, with broadcast.
    ///
    /// # Errors
    /// As [`Builder::conv`].
    pub fn binary(&mut self, kind: BinaryKind, a: ValueId, b: ValueId) -> Result<ValueId> {
        let kind_name = match kind {
            BinaryKind::Add => "add",
            BinaryKind::Sub => "sub",
            BinaryKind::Mul => "mul",
            BinaryKind::Div => "div",
            BinaryKind::Min => "min",
            BinaryKind::Max => "max",
            BinaryKind::Prelu => "prelu",
            BinaryKind::Pow => "pow",
            BinaryKind::Keep => "keep",
            BinaryKind::Less => "less",
            BinaryKind::LessOrEqual => "less_or_equal",
        };
        self.add(kind_name, Op::Binary(Binary { a, b, kind, activation: Activation::IDENTITY }))
    }

    /// `a + b`
    ///
    /// # Errors
    /// As [`Builder::conv`].
    pub fn plus(&mut self, a: ValueId, b: ValueId) -> Result<ValueId> {
        self.binary(BinaryKind::Add, a, b)
    }

    /// `a · b`
    ///
    /// # Errors
    /// As [`Builder::conv`].
    pub fn times(&mut self, a: ValueId, b: ValueId) -> Result<ValueId> {
        self.binary(BinaryKind::Mul, a, b)
    }

    /// A pool over a window; with `ceil` the output size rounds up.
    ///
    /// # Errors
    /// As [`Builder::conv`].
    pub fn pool(&mut self, x: ValueId, kind: PoolKind, window: Window, ceil: bool) -> Result<ValueId> {
        self.add("pool", Op::Pool(Pool { input: x, kind, window, ceil }))
    }

    /// A maximum pool.
    ///
    /// # Errors
    /// As [`Builder::conv`].
    pub fn max_pool(&mut self, x: ValueId, window: Window) -> Result<ValueId> {
        self.pool(x, PoolKind::Max, window, false)
    }

    /// An average pool that leaves padding out of the average.
    ///
    /// # Errors
    /// As [`Builder::conv`].
    pub fn average_pool(&mut self, x: ValueId, window: Window) -> Result<ValueId> {
        self.pool(x, PoolKind::Average, window, false)
    }

    /// A pool (maximum or average) over all rows and columns: `[n, h, w, c]` to `[n, 1, 1, c]`.
    ///
    /// # Errors
    /// As [`Builder::conv`].
    pub fn global_pool(&mut self, x: ValueId, kind: PoolKind) -> Result<ValueId> {
        self.add("global_pool", Op::GlobalPool(GlobalPool { input: x, kind }))
    }

    /// Softmax along the last axis.
    ///
    /// # Errors
    /// As [`Builder::conv`].
    pub fn softmax(&mut self, x: ValueId) -> Result<ValueId> {
        let axis = self.shape(x).rank().saturating_sub(1);
        self.add("softmax", Op::Softmax(Softmax { input: x, axis, log: false }))
    }

    /// A resize of `[n, h, w, c]` to `[n, height, width, c]` with half-pixel centres.
    ///
    /// # Errors
    /// As [`Builder::conv`].
    pub fn resize(&mut self, x: ValueId, kind: ResizeKind, height: u32, width: u32) -> Result<ValueId> {
        let shape = self.shape(x);
        let scale = match *shape.dims() {
            [_, h, w, _] => [h as f32 / height as f32, w as f32 / width as f32],
            _ => [1.0; 2],
        };
        let offset = scale.map(|scale| scale / 2.0 - 0.5);
        self.add("resize", Op::Resize(Resize { input: x, kind, height, width, scale, offset }))
    }

    fn add(&mut self, kind: &str, op: Op) -> Result<ValueId> {
        let name = self.take_name(kind)?;
        self.graph.add_node(name, op)
    }

    fn bias(&mut self, layer: &str, outputs: u32, wanted: bool) -> Result<Option<ValueId>> {
        let shape = Shape::vector(outputs);
        wanted.then(|| self.weight(layer, "bias", shape, WeightRole::Bias)).transpose()
    }

    /// A weight of a layer, from the source.
    fn weight(&mut self, layer: &str, part: &str, shape: Shape, role: WeightRole) -> Result<ValueId> {
        let name = format!("{layer}.{part}");
        if matches!(shape.checked_len(), None | Some(0)) {
            let reason = format!("its {part} would be {shape}");
            return Err(Error::new(ErrorKind::Argument, reason).at_node(layer, "Builder"));
        }
        let data = self.weights.weight(&WeightRequest { name: &name, shape, role })?;
        self.graph.add_constant(name, shape, Constant::f32(data))
    }

    /// The next layer's name: the one that was asked for, or the first free number of its kind.
    fn take_name(&mut self, kind: &str) -> Result<String> {
        let scope = &self.scope;
        if let Some(name) = self.next_name.take() {
            let name = format!("{scope}{name}");
            if self.names.insert(name.clone()) {
                return Ok(name);
            }
            return Err(Error::new(ErrorKind::Argument, format!("the name '{name}' is taken")));
        }
        let mut number = 1u32;
        loop {
            let name = format!("{scope}{kind}_{number}");
            if self.names.insert(name.clone()) {
                return Ok(name);
            }
            number += 1;
        }
    }

    fn port_layout(&self, shape: Shape) -> ModelLayout {
        if shape.rank() == 4 { self.layout } else { ModelLayout::AsStored }
    }
}
