#!/usr/bin/env python3
"""Exports networks as people export them: random ones of many families and torchvision's, with random weights and batch
statistics, in evaluation mode, by both of PyTorch's exporters in many operator sets and with many options.

    python tests/exported/make.py FOLDER [--random N] [--only TEXT]

writes FOLDER/<name>/model.onnx (and its external data), input*.npy, output*.npy (what PyTorch computes) and about.json, which
tests/exported/run reads. Needs torch, torchvision, onnx, onnxscript,
onnxruntime and numpy. Nothing is downloaded. What is there is kept."""
import argparse
import contextlib
import io
import json
import pathlib
import random
import sys
import warnings

import numpy
import onnxruntime
import torch
import torchvision
from torch import nn

import networks

CLASSIFIERS = {name: 224 for name in (
    "resnet18 resnet34 resnet50 resnext50_32x4d wide_resnet50_2 densenet121 densenet169 mobilenet_v2 mobilenet_v3_small "
    "mobilenet_v3_large efficientnet_b0 efficientnet_v2_s squeezenet1_0 squeezenet1_1 shufflenet_v2_x0_5 shufflenet_v2_x1_0 "
    "regnet_x_400mf regnet_y_400mf regnet_y_800mf googlenet mnasnet0_5 mnasnet1_0 convnext_tiny vgg11_bn alexnet").split()}
CLASSIFIERS["inception_v3"] = 299
SEGMENTERS = {"fcn_resnet50": 65, "deeplabv3_mobilenet_v3_large": 97, "lraspp_mobilenet_v3_large": 96}


class Only(nn.Module):
    """The main output of a segmenter, which returns a dictionary."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, x):
        return self.model(x)["out"]


def torchvision_model(name):
    if name in CLASSIFIERS:
        more = {"aux_logits": False, "init_weights": False} if name in ("googlenet", "inception_v3") else {}
        return torchvision.models.get_model(name, weights=None, **more)
    return Only(torchvision.models.get_model(name, weights=None, weights_backbone=None, num_classes=21))


def randomise(model, seed):
    """He weights, and batch statistics as after some training: without them every normalisation would be the identity."""
    torch.manual_seed(seed)
    for module in model.modules():
        if isinstance(module, (nn.Conv1d, nn.Conv2d, nn.ConvTranspose2d, nn.Linear)):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
            if module.bias is not None:
                nn.init.uniform_(module.bias, -0.2, 0.2)
        elif isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d)):
            nn.init.uniform_(module.weight, 0.5, 1.2)
            nn.init.uniform_(module.bias, -0.3, 0.3)
            nn.init.uniform_(module.running_mean, -0.3, 0.3)
            nn.init.uniform_(module.running_var, 0.5, 2.0)
        elif isinstance(module, (nn.LayerNorm, nn.GroupNorm, nn.InstanceNorm2d)) and module.weight is not None:
            nn.init.uniform_(module.weight, 0.5, 1.2)
            nn.init.uniform_(module.bias, -0.3, 0.3)
        elif isinstance(module, nn.PReLU):
            nn.init.uniform_(module.weight, -0.5, 0.5)


def variants(r):
    """Two ways of exporting, one by each exporter."""
    old = {"exporter": "script", "opset": r.choice([9, 10, 11, 12, 13, 14, 16, 17, 18, 20])}
    old["folds"] = r.random() < 0.7
    old["preserves"] = r.random() < 0.25
    old["initializers_are_inputs"] = r.random() < 0.2
    old["dynamic"] = r.choice([None, None, "batch", "all"])
    new = {"exporter": "dynamo", "opset": r.choice([None, None, 18, 19, 20, 21, 22, 23])}
    new["dynamic"] = r.choice([None, None, "batch", "all"])
    new["external"] = r.random() < 0.7
    new["optimizes"] = r.random() < 0.8
    return [old, new]


def export(model, inputs, path, way, outputs):
    # One output keeps the name that the exporter gives it.
    results = [f"output{i}" for i in range(outputs)] if outputs > 1 else None
    names = [f"input{i}" for i in range(len(inputs))]
    axes = {"batch": lambda x: {0: "n"}, "all": lambda x: {0: "n"} | {i: f"d{i}" for i in range(2, x.ndim)}}.get(way["dynamic"])
    if way["exporter"] == "script":
        mode = torch.onnx.TrainingMode
        torch.onnx.export(model, inputs, path, dynamo=False, opset_version=way["opset"], input_names=names, output_names=results,
                          do_constant_folding=way["folds"], training=mode.PRESERVE if way["preserves"] else mode.EVAL,
                          keep_initializers_as_inputs=way["initializers_are_inputs"],
                          dynamic_axes={name: axes(x) for name, x in zip(names, inputs)} if axes else None)
    else:
        auto = torch.export.Dim.AUTO
        shapes = tuple({i: auto for i in axes(x)} for x in inputs) if axes else None
        torch.onnx.export(model, inputs, path, opset_version=way["opset"], external_data=way["external"],
                          dynamic_shapes=shapes, input_names=names, output_names=results, optimize=way["optimizes"])


def differs(path, inputs, outputs):
    """Does onnxruntime get other answers from the file than PyTorch did from the network?"""
    options = onnxruntime.SessionOptions()
    options.log_severity_level, options.intra_op_num_threads = 3, 1
    session = onnxruntime.InferenceSession(path, options)
    found = session.run(None, {f"input{i}": x.numpy() for i, x in enumerate(inputs)})
    return any(numpy.abs(a - b.numpy()).max() > 1e-4 * numpy.abs(a).max() for a, b in zip(found, outputs))


def make(folder, name, build, seed, way):
    folder = folder / name
    if (folder / "about.json").exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    r = random.Random(seed)
    torch.manual_seed(seed)
    model, shapes = build(r)
    randomise(model, seed)
    model.eval()
    inputs = tuple(torch.randn(shape) for shape in shapes)
    quiet = io.StringIO()
    with torch.no_grad(), warnings.catch_warnings(), contextlib.redirect_stdout(quiet), contextlib.redirect_stderr(quiet):
        warnings.simplefilter("ignore")
        outputs = model(*inputs)
        outputs = outputs if isinstance(outputs, (tuple, list)) else [outputs]
        export(model, inputs, str(folder / "model.onnx"), way, len(outputs))
    if differs(folder / "model.onnx", inputs, outputs):
        raise ValueError("onnxruntime computes something else than PyTorch: the export itself is wrong")
    for kind, tensors in (("input", inputs), ("output", outputs)):
        for i, tensor in enumerate(tensors):
            numpy.save(folder / (f"{kind}{i}.npy" if i else f"{kind}.npy"), numpy.ascontiguousarray(tensor.numpy()))
    (folder / "about.json").write_text(json.dumps(way))


def cases(count):
    """Names, builders, seeds and ways."""
    for family, build in networks.families().items():
        for i in range(count):
            seed = i * 1000 + sum(map(ord, family))
            for way in variants(random.Random(seed)):
                yield f"{family}-{i}-{way['exporter']}", build, seed, way
    for i, (name, size) in enumerate((CLASSIFIERS | SEGMENTERS).items()):
        build = lambda r, name=name, size=size: (torchvision_model(name), [[1, 3, size, size]])
        for way in variants(random.Random(i)):
            yield f"{name}-{way['exporter']}", build, i, way


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--random", type=int, default=8, help="networks of each random family (8)")
    parser.add_argument("--only", default="", help="only names that contain this")
    options = parser.parse_args()
    torch.set_num_threads(1)
    for name, build, seed, way in cases(options.random):
        if options.only in name:
            try:
                make(options.folder, name, build, seed, way)
            except Exception as error:  # An exporter that cannot export a network is no test of ours.
                reason = (str(error).strip() or repr(error)).splitlines()[0][:150]
                print(f"not exported: {name} {way}: {type(error).__name__}: {reason}", file=sys.stderr)


if __name__ == "__main__":
    main()
