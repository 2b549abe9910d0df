"""A small residual network in numpy: each layer has `forward`, `backward` and `emit` (its ONNX nodes).

Activations are float32 `[n, c, h, w]`. `backward` takes the gradient of the loss with respect to the layer's output, leaves
those of its parameters in `grads` and returns the one of its input. A parameter and its gradient are arrays in two lists of
the same order, which the optimiser walks.
"""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from onnx import TensorProto, helper, numpy_helper


class Emitter:
    """Collects ONNX nodes and constants."""

    def __init__(self):
        self.nodes, self.constants = [], []

    def constant(self, name, array):
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(array, np.float32), name))
        return name

    def node(self, operator, name, inputs, **attributes):
        """Adds a node and returns the name of what it makes."""
        self.nodes.append(helper.make_node(operator, inputs, [name], name=name, **attributes))
        return name

    def model(self, name, output, input_shape, classes):
        value = helper.make_tensor_value_info
        graph = helper.make_graph(
            self.nodes,
            name,
            [value("input", TensorProto.FLOAT, ["N", *input_shape])],
            [value(output, TensorProto.FLOAT, ["N", classes])],
            self.constants,
        )
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=7)


class Conv:
    """A square convolution without bias, padded by `kernel // 2`; weights `[out, in, kernel, kernel]`."""

    def __init__(self, rng, inputs, outputs, kernel=3, stride=1):
        self.kernel, self.stride, self.pad = kernel, stride, kernel // 2
        scale = np.sqrt(2 / (inputs * kernel * kernel))  # He et al. 2015
        self.params = [rng.normal(0, scale, (outputs, inputs, kernel, kernel)).astype(np.float32)]
        self.grads = [np.zeros_like(self.params[0])]

    def forward(self, x, training):
        padded = np.pad(x, ((0, 0), (0, 0), (self.pad,) * 2, (self.pad,) * 2))
        windows = sliding_window_view(padded, (self.kernel, self.kernel), (2, 3))
        self.windows = windows[:, :, :: self.stride, :: self.stride]
        self.shapes = x.shape, padded.shape
        return np.moveaxis(np.tensordot(self.windows, self.params[0], ((1, 4, 5), (1, 2, 3))), 3, 1)

    def backward(self, d_output):
        self.grads[0][...] = np.tensordot(d_output, self.windows, ((0, 2, 3), (0, 2, 3)))
        d_windows = np.tensordot(d_output, self.params[0], (1, 0))  # [n, h, w, in, kernel, kernel]
        shape, padded = self.shapes
        d_padded = np.zeros(padded, np.float32)
        h, w = d_output.shape[2:]
        for y in range(self.kernel):
            for x in range(self.kernel):
                rows = slice(y, y + self.stride * (h - 1) + 1, self.stride)
                columns = slice(x, x + self.stride * (w - 1) + 1, self.stride)
                d_padded[:, :, rows, columns] += np.moveaxis(d_windows[..., y, x], 3, 1)
        return d_padded[:, :, self.pad : self.pad + shape[2], self.pad : self.pad + shape[3]]

    def emit(self, emitter, name, x):
        weight = emitter.constant(f"{name}.weight", self.params[0])
        return emitter.node(
            "Conv",
            name,
            [x, weight],
            kernel_shape=[self.kernel] * 2,
            strides=[self.stride] * 2,
            pads=[self.pad] * 4,
        )


class BatchNorm:
    """Batch normalisation over `n, h, w` (Ioffe & Szegedy 2015), with running statistics for inference."""

    EPSILON, MOMENTUM = 1e-5, 0.9

    def __init__(self, channels):
        self.params = [np.ones(channels, np.float32), np.zeros(channels, np.float32)]
        self.grads = [np.zeros(channels, np.float32), np.zeros(channels, np.float32)]
        self.mean, self.variance = np.zeros(channels, np.float32), np.ones(channels, np.float32)

    def forward(self, x, training):
        mean, variance = self.mean, self.variance
        if training:
            mean, variance = x.mean((0, 2, 3)), x.var((0, 2, 3))
            self.mean = self.MOMENTUM * self.mean + (1 - self.MOMENTUM) * mean
            self.variance = self.MOMENTUM * self.variance + (1 - self.MOMENTUM) * variance
        self.scale = 1 / np.sqrt(variance + self.EPSILON)
        self.normal = (x - mean[:, None, None]) * self.scale[:, None, None]
        gamma, beta = self.params
        return self.normal * gamma[:, None, None] + beta[:, None, None]

    def backward(self, d_output):
        self.grads[0][...] = (d_output * self.normal).sum((0, 2, 3))
        self.grads[1][...] = d_output.sum((0, 2, 3))
        count = d_output.size / d_output.shape[1]
        centred = d_output - (self.grads[1] / count)[:, None, None]
        centred -= self.normal * (self.grads[0] / count)[:, None, None]
        return centred * (self.params[0] * self.scale)[:, None, None]

    def emit(self, emitter, name, x):
        arrays = zip(("scale", "bias", "mean", "variance"), (*self.params, self.mean, self.variance))
        constants = [emitter.constant(f"{name}.{part}", array) for part, array in arrays]
        return emitter.node("BatchNormalization", name, [x, *constants], epsilon=self.EPSILON)


class Relu:
    params, grads = [], []

    def forward(self, x, training):
        self.positive = x > 0
        return x * self.positive

    def backward(self, d_output):
        return d_output * self.positive

    def emit(self, emitter, name, x):
        return emitter.node("Relu", name, [x])


class Chain:
    """Layers one after the other, each with its name."""

    def __init__(self, **layers):
        self.layers = layers
        self.params = [param for layer in layers.values() for param in layer.params]
        self.grads = [grad for layer in layers.values() for grad in layer.grads]

    def forward(self, x, training):
        for layer in self.layers.values():
            x = layer.forward(x, training)
        return x

    def backward(self, d_output):
        for layer in reversed(self.layers.values()):
            d_output = layer.backward(d_output)
        return d_output

    def emit(self, emitter, name, x):
        for part, layer in self.layers.items():
            x = layer.emit(emitter, f"{name}.{part}" if name else part, x)
        return x


class Block:
    """`relu(body(x) + skip(x))` (He et al. 2016); the skip is `x` itself, or a 1×1 convolution where the shape changes."""

    def __init__(self, rng, inputs, outputs, stride=1):
        self.body = Chain(
            conv1=Conv(rng, inputs, outputs, stride=stride),
            bn1=BatchNorm(outputs),
            relu1=Relu(),
            conv2=Conv(rng, outputs, outputs),
            bn2=BatchNorm(outputs),
        )
        self.skip, self.relu = Chain(), Relu()
        if stride != 1 or inputs != outputs:
            conv = Conv(rng, inputs, outputs, kernel=1, stride=stride)
            self.skip = Chain(skip_conv=conv, skip_bn=BatchNorm(outputs))
        self.params = self.body.params + self.skip.params
        self.grads = self.body.grads + self.skip.grads

    def forward(self, x, training):
        return self.relu.forward(self.body.forward(x, training) + self.skip.forward(x, training), training)

    def backward(self, d_output):
        d_sum = self.relu.backward(d_output)
        return self.body.backward(d_sum) + self.skip.backward(d_sum)

    def emit(self, emitter, name, x):
        parts = [self.body.emit(emitter, name, x), self.skip.emit(emitter, name, x)]
        return self.relu.emit(emitter, f"{name}.relu2", emitter.node("Add", f"{name}.add", parts))


class Classifier:
    """Global average pool, dense layer. `forward` gives logits `[n, classes]`; the exported network ends in softmax."""

    def __init__(self, rng, inputs, classes):
        scale = np.sqrt(1 / inputs)
        self.params = [
            rng.normal(0, scale, (classes, inputs)).astype(np.float32),
            np.zeros(classes, np.float32),
        ]
        self.grads = [np.zeros_like(param) for param in self.params]

    def forward(self, x, training):
        self.shape, self.pooled = x.shape, x.mean((2, 3))
        return self.pooled @ self.params[0].T + self.params[1]

    def backward(self, d_output):
        self.grads[0][...] = d_output.T @ self.pooled
        self.grads[1][...] = d_output.sum(0)
        d_pooled = (d_output @ self.params[0]) / (self.shape[2] * self.shape[3])
        return np.broadcast_to(d_pooled[:, :, None, None], self.shape).astype(np.float32)

    def emit(self, emitter, name, x):
        pooled = emitter.node("GlobalAveragePool", f"{name}.pool", [x])
        flat = emitter.node("Flatten", f"{name}.flat", [pooled], axis=1)
        weight = emitter.constant(f"{name}.weight", self.params[0])
        bias = emitter.constant(f"{name}.bias", self.params[1])
        logits = emitter.node("Gemm", f"{name}.dense", [flat, weight, bias], transB=1)
        return emitter.node("Softmax", "probabilities", [logits], axis=1)


class Adam:
    """Kingma & Ba 2015, with decoupled weight decay on matrices and filters (Loshchilov & Hutter 2019)."""

    BETA1, BETA2, EPSILON, DECAY = 0.9, 0.999, 1e-8, 1e-2

    def __init__(self, layer):
        self.params, self.grads, self.step = layer.params, layer.grads, 0
        self.first = [np.zeros_like(param) for param in layer.params]
        self.second = [np.zeros_like(param) for param in layer.params]

    def update(self, rate):
        self.step += 1
        correction = np.sqrt(1 - self.BETA2**self.step) / (1 - self.BETA1**self.step)
        for param, grad, first, second in zip(self.params, self.grads, self.first, self.second):
            first += (1 - self.BETA1) * (grad - first)
            second += (1 - self.BETA2) * (grad * grad - second)
            if param.ndim > 1:
                param -= rate * self.DECAY * param
            param -= rate * correction * first / (np.sqrt(second) + self.EPSILON)
