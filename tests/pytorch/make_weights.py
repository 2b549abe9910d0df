"""Makes the files beside it, which tests/pytorch_weights.rs reads. Run with PyTorch 2.15 and safetensors 0.8:

    python tests/pytorch/make_weights.py

small.pth            a small network's state dictionary in the ZIP container
small_legacy.pth     the same in the stream of pickles before it, inside a checkpoint, with the prefix of data-parallel training
small.safetensors    the same as safetensors
small_run.safetensors  an input of that network and its outputs
strange.pth          every element type, views that share a storage, strides, parameters, two state dictionaries
strange_legacy.pth   the same in the older container
strange.safetensors  the values of `ema` in it as float32

With a folder as its argument it writes torchvision's networks there too, with random weights, an input and an output each:
SALTO_TORCH=FOLDER makes the test compare them.
"""

import sys
from collections import OrderedDict
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import nn

HERE = Path(__file__).parent


class Small(nn.Module):
    """A convolution, a transposed one and a dense layer."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(2, 4, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(4)
        self.up = nn.ConvTranspose2d(4, 2, 2, stride=2)
        self.fc = nn.Linear(4, 3)

    def forward(self, x):
        x = torch.relu(self.bn1(self.conv1(x)))
        return self.up(x), self.fc(x.mean((2, 3)))


def trained(model):
    """Statistics and scales as after some training."""
    for name, tensor in model.state_dict().items():
        if name.endswith("running_var"):
            tensor.uniform_(0.5, 1.5)
        elif name.endswith(("running_mean", "bias")):
            tensor.normal_(0, 0.1)
        elif tensor.dim() == 1:
            tensor.uniform_(0.8, 1.2)
    return model.eval()


def small():
    torch.manual_seed(1)
    model = trained(Small())
    state = model.state_dict()
    torch.save(state, HERE / "small.pth")
    wrapped = OrderedDict(("module." + name, tensor) for name, tensor in state.items())
    checkpoint = {"epoch": 7, "arch": "small", "best_prec1": 91.5, "state_dict": wrapped, "optimizer": {"state": {}}}
    torch.save(checkpoint, HERE / "small_legacy.pth", _use_new_zipfile_serialization=False)
    save_file(dict(state), HERE / "small.safetensors")
    x = torch.randn(1, 2, 6, 6)
    with torch.no_grad():
        raised, scores = model(x)
    save_file({"input": x, "raised": raised, "scores": scores}, HERE / "small_run.safetensors")


def strange():
    torch.manual_seed(2)
    joint = torch.randn(4, 6)
    tensors = OrderedDict(
        f64=torch.randn(3, dtype=torch.float64),
        f16=torch.randn(3).half(),
        bf16=torch.randn(3).bfloat16(),
        i64=torch.tensor([-3, 1 << 40]),
        i32=torch.tensor([-3, 5], dtype=torch.int32),
        i16=torch.tensor([-3, 5], dtype=torch.int16),
        i8=torch.tensor([-3, 5], dtype=torch.int8),
        u8=torch.tensor([3, 250], dtype=torch.uint8),
        bool=torch.tensor([True, False]),
        row=joint[2],
        column=joint[:, 3],
        turned=joint.t(),
        part=joint[1:3, ::2],
        parameter=nn.Parameter(joint[0]),
        scalar=torch.tensor(1.5),
        empty=torch.zeros(0, 3),
    )
    checkpoint = {"weights_a": {"x": torch.ones(2)}, "ema": tensors, "size": torch.Size([1, 2]), "device": torch.device("cpu")}
    torch.save(checkpoint, HERE / "strange.pth")
    torch.save(checkpoint, HERE / "strange_legacy.pth", _use_new_zipfile_serialization=False)
    save_file({name: tensor.detach().float().clone().contiguous() for name, tensor in tensors.items()}, HERE / "strange.safetensors")


def torchvision_networks(folder):
    import torchvision

    torch.set_num_threads(1)
    folder.mkdir(parents=True, exist_ok=True)
    for seed, name in enumerate(["resnet18", "resnet34", "resnet50", "densenet121", "mobilenet_v2"]):
        torch.manual_seed(seed)
        model = trained(getattr(torchvision.models, name)(weights=None))
        torch.save(model.state_dict(), folder / f"{name}.pth")
        torch.save(model.state_dict(), folder / f"{name}_legacy.pth", _use_new_zipfile_serialization=False)
        save_file(model.state_dict(), folder / f"{name}.safetensors")
        x = torch.randn(1, 3, 224, 224)
        with torch.no_grad():
            save_file({"input": x, "output": model(x)}, folder / f"{name}_run.safetensors")


small()
strange()
if len(sys.argv) > 1:
    torchvision_networks(Path(sys.argv[1]))
