#!/usr/bin/env python3
"""Exports Keras's networks with random weights through tf2onnx, which keeps pictures `[n, h, w, c]` and puts transpositions around
every convolution.

    python tests/exported/make_keras.py FOLDER [--only TEXT]

writes the folders that tests/exported/run reads. Needs tensorflow, keras and tf2onnx. Nothing is downloaded."""
import argparse
import json
import pathlib

import keras
import numpy
import tensorflow as tf
import tf2onnx
from keras import layers


def randomise(model, seed):
    """Batch statistics as after some training."""
    random = numpy.random.default_rng(seed)
    for layer in model._flatten_layers():
        if isinstance(layer, layers.BatchNormalization):
            ranges = {"gamma": (0.5, 1.2), "beta": (-0.3, 0.3), "moving_mean": (-0.3, 0.3), "moving_variance": (0.5, 2.0)}
            for weight in layer.weights:
                low, high = ranges[weight.name]
                weight.assign(random.uniform(low, high, weight.shape).astype("f4"))


def unet():
    x = inputs = layers.Input((64, 48, 3))
    skips = []
    for c in (8, 16):
        x = layers.BatchNormalization()(layers.Conv2D(c, 3, padding="same", activation="relu")(x))
        skips.append(x)
        x = layers.MaxPooling2D()(x)
    x = layers.Conv2D(32, 3, padding="same", activation="swish")(x)
    for c, way in ((16, layers.UpSampling2D(interpolation="bilinear")), (8, layers.Conv2DTranspose(8, 3, 2, padding="same"))):
        x = layers.Concatenate()([way(x), skips.pop()])
        x = layers.LeakyReLU()(layers.Conv2D(c, 3, padding="same")(x))
    return keras.Model(inputs, layers.Conv2D(1, 1, activation="sigmoid")(x))


def mixed():
    """Strides with SAME padding on odd sizes, separable and dilated convolutions, gates, other normalisations."""
    x = inputs = layers.Input((37, 53, 3))
    x = layers.Conv2D(12, 3, 2, padding="same", activation="elu")(x)
    x = layers.SeparableConv2D(16, 5, padding="same", dilation_rate=2, activation=lambda x: keras.activations.gelu(x, approximate=True))(x)
    gate = layers.Dense(16, activation="sigmoid")(layers.Dense(4, activation="relu")(layers.GlobalAveragePooling2D()(x)))
    x = layers.Multiply()([x, layers.Reshape((1, 1, 16))(gate)])
    x = layers.LayerNormalization()(x)
    x = layers.PReLU(shared_axes=[1, 2])(layers.DepthwiseConv2D(3, 2, padding="same")(x))
    x = layers.GroupNormalization(4)(x)
    x = layers.AveragePooling2D(3, 2, padding="same")(layers.ZeroPadding2D(((1, 0), (0, 1)))(x))
    x = layers.UpSampling2D(2)(layers.Cropping2D(1)(x))
    x = layers.Dropout(0.3)(layers.Flatten()(x))
    return keras.Model(inputs, layers.Dense(5, activation="softmax")(x))


NETWORKS = {
    "keras_unet": unet,
    "keras_mixed": mixed,
    "keras_resnet50": lambda: keras.applications.ResNet50(weights=None),
    "keras_resnet50v2": lambda: keras.applications.ResNet50V2(weights=None),
    "keras_mobilenet": lambda: keras.applications.MobileNet(weights=None),
    "keras_mobilenet_v2": lambda: keras.applications.MobileNetV2(weights=None),
    "keras_mobilenet_v3": lambda: keras.applications.MobileNetV3Small(weights=None, input_shape=(224, 224, 3)),
    "keras_efficientnet_v2": lambda: keras.applications.EfficientNetV2B0(weights=None, include_preprocessing=False),
    "keras_densenet121": lambda: keras.applications.DenseNet121(weights=None),
    "keras_xception": lambda: keras.applications.Xception(weights=None, input_shape=(160, 160, 3)),
}


def make(folder, name, build, opset, channels_first):
    if (folder / "about.json").exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    keras.utils.set_random_seed(1)
    model = build()
    randomise(model, 1)
    x = numpy.random.default_rng(2).normal(size=(1, *model.input_shape[1:])).astype("f4")
    function = tf.function(lambda x: model(x, training=False))
    spec = (tf.TensorSpec((None, *model.input_shape[1:]), tf.float32, name="input"),)
    more = {"inputs_as_nchw": ["input:0"]} if channels_first else {}
    try:
        tf2onnx.convert.from_function(function, spec, opset=opset, output_path=str(folder / "model.onnx"), **more)
    except Exception as error:
        print(f"not exported: {folder.name}: {error}")
        return
    y = numpy.asarray(function(x))
    numpy.save(folder / "input.npy", numpy.ascontiguousarray(x.transpose(0, 3, 1, 2)) if channels_first else x)
    numpy.save(folder / "output.npy", y)
    (folder / "about.json").write_text(json.dumps({"exporter": "tf2onnx", "opset": opset}))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--only", default="", help="only names that contain this")
    options = parser.parse_args()
    for i, (name, build) in enumerate(NETWORKS.items()):
        if options.only in name:
            make(options.folder / name, name, build, (13, 15, 18, 11, 17)[i % 5], i % 3 == 2)


if __name__ == "__main__":
    main()
