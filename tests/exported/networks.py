"""Random networks of the families that people export. `families()` maps a name to a function of a seeded generator that returns
(module, [input shapes]); every call draws another network."""
import torch
from torch import nn
from torch.nn import functional as F


class SqueezeExcite(nn.Module):
    """The gate of squeeze-and-excitation, by dense layers or by convolutions of one pixel."""

    def __init__(self, c, dense, gate=nn.Sigmoid):
        super().__init__()
        self.dense = dense
        inner = max(c // 4, 2)
        layer = nn.Linear if dense else (lambda i, o: nn.Conv2d(i, o, 1))
        self.down, self.up, self.gate = layer(c, inner), layer(inner, c), gate()

    def forward(self, x):
        if self.dense:
            b, c, _, _ = x.size()
            y = F.adaptive_avg_pool2d(x, 1).view(b, c)
            return x * self.gate(self.up(F.relu(self.down(y)))).view(b, c, 1, 1).expand_as(x)
        return x * self.gate(self.up(F.relu(self.down(x.mean((2, 3), keepdim=True)))))


class Eca(nn.Module):
    """Efficient channel attention: a 1-D convolution over the channels."""

    def __init__(self, k=3):
        super().__init__()
        self.conv = nn.Conv1d(1, 1, k, padding=k // 2, bias=False)

    def forward(self, x):
        y = F.adaptive_avg_pool2d(x, 1)
        y = self.conv(y.squeeze(-1).transpose(-1, -2)).transpose(-1, -2).unsqueeze(-1)
        return x * torch.sigmoid(y).expand_as(x)


class Cbam(nn.Module):
    """Channel and spatial attention."""

    def __init__(self, c):
        super().__init__()
        self.mlp = nn.Sequential(nn.Conv2d(c, max(c // 4, 2), 1), nn.ReLU(), nn.Conv2d(max(c // 4, 2), c, 1))
        self.conv = nn.Conv2d(2, 1, 7, padding=3)

    def forward(self, x):
        x = x * torch.sigmoid(self.mlp(F.adaptive_avg_pool2d(x, 1)) + self.mlp(F.adaptive_max_pool2d(x, 1)))
        maps = torch.cat([x.mean(1, keepdim=True), x.max(1, keepdim=True)[0]], 1)
        return x * torch.sigmoid(self.conv(maps))


class StochasticDepth(nn.Module):
    """Drops a whole branch in training; the identity otherwise."""

    def forward(self, x):
        if not self.training:
            return x
        return x * torch.bernoulli(torch.full((x.shape[0], 1, 1, 1), 0.8, device=x.device)) / 0.8


class Shortcut(nn.Module):
    """ResNet's option A: every second pixel, and channels of zeros."""

    def __init__(self, stride, more):
        super().__init__()
        self.stride, self.more = stride, more

    def forward(self, x):
        x = x[:, :, :: self.stride, :: self.stride]
        return F.pad(x, (0, 0, 0, 0, self.more // 2, self.more - self.more // 2))


class LayerNorm2d(nn.Module):
    """Layer normalisation of the channels."""

    def __init__(self, c):
        super().__init__()
        self.norm = nn.LayerNorm(c)

    def forward(self, x):
        return self.norm(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class SpelledNorm2d(nn.Module):
    """The same, spelled out."""

    def __init__(self, c):
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.ones(c)), nn.Parameter(torch.zeros(c))

    def forward(self, x):
        u = x.mean(1, keepdim=True)
        s = (x - u).pow(2).mean(1, keepdim=True)
        x = (x - u) / torch.sqrt(s + 1e-6)
        return self.weight[:, None, None] * x + self.bias[:, None, None]


NORMS = {
    "batch": nn.BatchNorm2d,
    "group": lambda c: nn.GroupNorm(2 if c % 2 == 0 else 1, c),
    "instance": lambda c: nn.InstanceNorm2d(c, affine=True),
    "layer": LayerNorm2d,
    "spelled": SpelledNorm2d,
}
ACTIVATIONS = [nn.ReLU, nn.ReLU6, nn.Hardswish, nn.SiLU, nn.GELU, nn.LeakyReLU, nn.ELU, nn.Mish, nn.Softplus, nn.PReLU,
               nn.Hardsigmoid, nn.SELU, nn.Tanh, lambda: nn.GELU(approximate="tanh"), lambda: nn.Hardtanh(-0.5, 2.0), nn.CELU,
               nn.Softsign, nn.LogSigmoid]


class Residual(nn.Module):
    """Basic, bottleneck or pre-activated; with a gate, a projection or option A."""

    def __init__(self, r, i, o, stride, norm, act, kind):
        super().__init__()
        self.pre = kind == "pre"
        n = NORMS[norm]
        conv = lambda a, b, k, s=1, g=1: nn.Conv2d(a, b, k, s, k // 2, groups=g, bias=r.random() < 0.3)
        if kind == "bottleneck":
            m = max(o // 4, 2)
            g = 2 if m % 2 == 0 and r.random() < 0.3 else 1
            layers = [conv(i, m, 1), n(m), act(), conv(m, m, 3, stride, g), n(m), act(), conv(m, o, 1), n(o)]
        elif self.pre:
            layers = [n(i), act(), conv(i, o, 3, stride), n(o), act(), conv(o, o, 3)]
        else:
            layers = [conv(i, o, 3, stride), n(o), act(), conv(o, o, 3), n(o)]
        attention = r.choice([None, None, SqueezeExcite, Eca, Cbam])
        if attention:
            layers.append({SqueezeExcite: lambda: SqueezeExcite(o, r.random() < 0.5, r.choice([nn.Sigmoid, nn.Hardsigmoid])),
                           Eca: Eca, Cbam: lambda: Cbam(o)}[attention]())
        layers.append(StochasticDepth())
        self.main, self.out = nn.Sequential(*layers), act()
        if i == o and stride == 1:
            self.skip = nn.Identity()
        elif o > i and r.random() < 0.5:
            self.skip = Shortcut(stride, o - i)
        elif r.random() < 0.5:
            self.skip = nn.Sequential(conv(i, o, 1, stride), n(o))
        else:
            self.skip = nn.Sequential(nn.AvgPool2d(stride, stride, ceil_mode=True, count_include_pad=False), conv(i, o, 1), n(o))

    def forward(self, x):
        y = self.main(x) + self.skip(x)
        return y if self.pre else self.out(y)


class Head(nn.Module):
    """What stands between the last picture and the classes, in the ways that people write it."""

    def __init__(self, r, c, classes=10):
        super().__init__()
        self.kind = r.choice(["view", "flatten", "mean", "conv", "max", "adaptive", "reshape"])
        self.fc = nn.Conv2d(c, classes, 1) if self.kind == "conv" else nn.Linear(c * (6 if self.kind == "adaptive" else 1), classes)
        self.out = r.choice([None, lambda x: F.softmax(x, 1), lambda x: F.log_softmax(x, dim=-1), torch.sigmoid])

    def forward(self, x):
        if self.kind == "view":
            x = F.adaptive_avg_pool2d(x, (1, 1))
            x = self.fc(x.view(x.size(0), -1))
        elif self.kind == "flatten":
            x = self.fc(F.dropout(torch.flatten(F.adaptive_avg_pool2d(x, 1), 1), 0.5, self.training))
        elif self.kind == "mean":
            x = self.fc(x.mean([2, 3]))
        elif self.kind == "conv":
            x = F.adaptive_avg_pool2d(self.fc(x), 1).squeeze(-1).squeeze(-1)
        elif self.kind == "max":
            x = self.fc(F.adaptive_max_pool2d(x, 1)[:, :, 0, 0])
        elif self.kind == "adaptive":
            x = self.fc(F.adaptive_avg_pool2d(x, (2, 3)).flatten(1))
        else:
            x = self.fc(F.avg_pool2d(x, x.shape[2:]).reshape(x.shape[0], x.shape[1]))
        return self.out(x) if self.out else x


def stem(r, i, o, act):
    pool = r.choice([nn.Identity(), nn.MaxPool2d(3, 2, 1), nn.MaxPool2d(2, 2, ceil_mode=True), nn.AvgPool2d(3, 2, 1),
                     nn.AvgPool2d(3, 2, 1, ceil_mode=True, count_include_pad=True), nn.MaxPool2d(3, 2, ceil_mode=True),
                     nn.LPPool2d(2, 2) if r.random() < 0.0 else nn.MaxPool2d(3, 1, 1, dilation=1)])
    return nn.Sequential(nn.Conv2d(i, o, r.choice([3, 5, 7]), r.choice([1, 2]), 1, bias=False), nn.BatchNorm2d(o), act(), pool)


def size(r):
    return [r.choice([1, 1, 2]), r.choice([1, 3, 3, 4]), r.choice([32, 37, 48, 41]), r.choice([32, 53, 40])]


def residual(r):
    shape, act = size(r), r.choice(ACTIVATIONS)
    norm, kind = r.choice(["batch"] * 4 + list(NORMS)), r.choice(["basic", "bottleneck", "pre"])
    c = r.choice([8, 12, 16, 19])
    layers, i = [stem(r, shape[1], c, act)], c
    for stage in range(r.choice([2, 3])):
        o = i * 2 if stage else i
        for block in range(r.choice([1, 2])):
            layers.append(Residual(r, i, o, 2 if stage and not block else 1, norm, act, kind))
            i = o
    return nn.Sequential(*layers, Head(r, i)), [shape]


class Dense(nn.Module):
    """DenseNet's block: every layer reads all before it."""

    def __init__(self, r, c, growth, layers, act):
        super().__init__()
        self.layers = nn.ModuleList()
        self.grows_by_list = r.random() < 0.5
        for _ in range(layers):
            self.layers.append(nn.Sequential(nn.BatchNorm2d(c), act(), nn.Conv2d(c, 4 * growth, 1, bias=False),
                                             nn.BatchNorm2d(4 * growth), act(), nn.Conv2d(4 * growth, growth, 3, 1, 1, bias=False)))
            c += growth
        self.channels = c

    def forward(self, x):
        parts = [x]
        for layer in self.layers:
            if self.grows_by_list:
                parts.append(layer(torch.cat(parts, 1)))
            else:
                x = torch.cat([x, layer(x)], dim=1)
        return torch.cat(parts, 1) if self.grows_by_list else x


def dense(r):
    shape, act, growth, c = size(r), r.choice(ACTIVATIONS[:6]), r.choice([5, 8, 12]), r.choice([8, 16])
    layers = [stem(r, shape[1], c, act)]
    for stage in range(2):
        block = Dense(r, c, growth, r.choice([2, 3, 4]), act)
        c = block.channels
        layers.append(block)
        if not stage:
            layers += [nn.BatchNorm2d(c), act(), nn.Conv2d(c, c // 2, 1, bias=False), nn.AvgPool2d(2, 2)]
            c //= 2
    return nn.Sequential(*layers, nn.BatchNorm2d(c), act(), Head(r, c)), [shape]


class Highway(nn.Module):
    """`T(x)·H(x) + (1 − T(x))·x`, written in the ways that people write it."""

    def __init__(self, r, c, act):
        super().__init__()
        k = r.choice([1, 3])
        self.h, self.t, self.act = nn.Conv2d(c, c, k, padding=k // 2), nn.Conv2d(c, c, k, padding=k // 2), act()
        self.way = r.choice(["plain", "lerp", "carry", "chunk"])
        if self.way == "chunk":
            self.both = nn.Conv2d(c, 2 * c, k, padding=k // 2)

    def forward(self, x):
        if self.way == "chunk":
            h, t = torch.chunk(self.both(x), 2, 1)
            return torch.sigmoid(t) * F.relu(h) + (1 - torch.sigmoid(t)) * x
        h, t = self.act(self.h(x)), torch.sigmoid(self.t(x))
        if self.way == "plain":
            return t * h + (1 - t) * x
        if self.way == "lerp":
            return x + t * (h - x)
        carry = 1.0 - t
        return torch.add(torch.mul(h, t), torch.mul(x, carry))


def highway(r):
    shape, act, c = size(r), r.choice(ACTIVATIONS), r.choice([6, 16, 20])
    layers = [stem(r, shape[1], c, act)] + [Highway(r, c, act) for _ in range(r.choice([2, 4]))]
    return nn.Sequential(*layers, nn.BatchNorm2d(c), Head(r, c)), [shape]


class Inverted(nn.Module):
    """MobileNetV2/V3's and EfficientNet's block."""

    def __init__(self, r, i, o, k, stride, expand, act, gate):
        super().__init__()
        m = i * expand
        layers = [] if expand == 1 else [nn.Conv2d(i, m, 1, bias=False), nn.BatchNorm2d(m), act()]
        layers += [nn.Conv2d(m, m, k, stride, k // 2, groups=m, bias=False), nn.BatchNorm2d(m), act()]
        if gate:
            layers.append(SqueezeExcite(m, r.random() < 0.3, gate))
        layers += [nn.Conv2d(m, o, 1, bias=False), nn.BatchNorm2d(o), StochasticDepth()]
        self.main, self.adds = nn.Sequential(*layers), i == o and stride == 1

    def forward(self, x):
        return x + self.main(x) if self.adds else self.main(x)


def inverted(r):
    shape, act, c = size(r), r.choice([nn.ReLU6, nn.Hardswish, nn.SiLU, nn.ReLU]), r.choice([8, 12])
    layers, gate = [stem(r, shape[1], c, act)], r.choice([None, nn.Sigmoid, nn.Hardsigmoid])
    for o in [c, c, c + 8, c + 8]:
        layers.append(Inverted(r, c, o, r.choice([3, 5]), 2 if o > c else 1, r.choice([1, 3, 6]), act, gate))
        c = o
    return nn.Sequential(*layers, Head(r, c)), [shape]


class Up(nn.Module):
    """Upsampling, then the skip: padded, cropped, or resized to its size; concatenated or added."""

    def __init__(self, r, i, o, act):
        super().__init__()
        self.way = r.choice(["transposed", "transposed4", "transposed3", "nearest", "bilinear", "corners", "sized", "sized_nearest", "shuffle"])
        self.join, self.align = r.choice(["cat", "cat", "add"]), r.random() < 0.5
        self.up = {"transposed": lambda: nn.ConvTranspose2d(i, o, 2, 2), "transposed4": lambda: nn.ConvTranspose2d(i, o, 4, 2, 1),
                   "transposed3": lambda: nn.ConvTranspose2d(i, o, 3, 2, 1, output_padding=1),
                   "shuffle": lambda: nn.Sequential(nn.Conv2d(i, 4 * o, 1), nn.PixelShuffle(2))}.get(
                       self.way, lambda: nn.Conv2d(i, o, 1))()
        c = 2 * o if self.join == "cat" else o
        self.conv = nn.Sequential(nn.Conv2d(c, o, 3, 1, 1), nn.BatchNorm2d(o), act(), nn.Conv2d(o, o, 3, 1, 1), nn.BatchNorm2d(o), act())
        self.fits = r.choice(["pad", "crop"])

    def forward(self, x, skip):
        x = self.up(x)
        if self.way == "nearest":
            x = F.interpolate(x, scale_factor=2)
        elif self.way == "bilinear":
            x = F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
        elif self.way == "corners":
            x = F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=True)
        elif self.way == "sized":
            x = F.interpolate(x, size=skip.shape[2:], mode="bilinear", align_corners=self.align)
        elif self.way == "sized_nearest":
            x = F.interpolate(x, size=skip.shape[-2:], mode="nearest")
        dy, dx = skip.size(2) - x.size(2), skip.size(3) - x.size(3)
        if self.fits == "pad" or dy < 0 or dx < 0:
            x = F.pad(x, [dx // 2, dx - dx // 2, dy // 2, dy - dy // 2])
        else:
            skip = skip[:, :, dy // 2 : dy // 2 + x.shape[2], dx // 2 : dx // 2 + x.shape[3]]
        return self.conv(torch.cat([skip, x], 1) if self.join == "cat" else skip + x)


class UNet(nn.Module):
    """Encoder, bridge, decoder; perhaps a second output from below."""

    def __init__(self, r, i, classes, depth, act):
        super().__init__()
        base = r.choice([4, 8])
        double = lambda a, b: nn.Sequential(nn.Conv2d(a, b, 3, 1, 1), nn.BatchNorm2d(b), act(), nn.Conv2d(b, b, 3, 1, 1), nn.BatchNorm2d(b), act())
        widths = [base << level for level in range(depth + 1)]
        self.down = nn.ModuleList(double(a, b) for a, b in zip([i] + widths[:-1], widths))
        self.up = nn.ModuleList(Up(r, a, b, act) for a, b in zip(widths[:0:-1], widths[-2::-1]))
        self.pool = r.choice([nn.MaxPool2d(2), nn.AvgPool2d(2), nn.MaxPool2d(2, ceil_mode=True), nn.MaxPool2d(3, 2, 1)])
        self.last, self.aux = nn.Conv2d(base, classes, 1), nn.Conv2d(widths[-1], classes, 1) if r.random() < 0.4 else None
        self.out = r.choice([None, torch.sigmoid, lambda x: F.softmax(x, dim=1)])

    def forward(self, x):
        skips = []
        for level, block in enumerate(self.down):
            x = block(x if not level else self.pool(x))
            skips.append(x)
        low = skips.pop()
        for block in self.up:
            x = block(x, skips.pop())
        x = self.last(x)
        x = self.out(x) if self.out else x
        return (x, self.aux(low)) if self.aux is not None else x


def unet(r):
    shape = size(r)
    return UNet(r, shape[1], r.choice([1, 2, 5]), r.choice([2, 3]), r.choice(ACTIVATIONS[:8])), [shape]


class Shuffle(nn.Module):
    """ShuffleNet V2's unit: half the channels pass, then all are shuffled."""

    def __init__(self, c, way):
        super().__init__()
        h = c // 2
        self.main = nn.Sequential(nn.Conv2d(h, h, 1, bias=False), nn.BatchNorm2d(h), nn.ReLU(), nn.Conv2d(h, h, 3, 1, 1, groups=h),
                                  nn.BatchNorm2d(h), nn.Conv2d(h, h, 1), nn.ReLU())
        self.way, self.h = way, h

    def forward(self, x):
        if self.way == "chunk":
            a, b = x.chunk(2, dim=1)
        elif self.way == "split":
            a, b = torch.split(x, [self.h, self.h], 1)
        else:
            a, b = x[:, : self.h], x[:, self.h :]
        x = torch.cat((a, self.main(b)), 1)
        n, c, height, width = x.size()
        x = x.view(n, 2, c // 2, height, width)
        return torch.transpose(x, 1, 2).contiguous().view(n, -1, height, width)


def shuffle(r):
    shape, c = size(r), r.choice([8, 12, 24])
    units = [Shuffle(c, r.choice(["chunk", "split", "slice"])) for _ in range(3)]
    more = [nn.ChannelShuffle(2)] if r.random() < 0.3 else []
    return nn.Sequential(stem(r, shape[1], c, nn.ReLU), *units, *more, Head(r, c)), [shape]


class Aspp(nn.Module):
    """DeepLab's pyramid of dilated convolutions, with the picture's mean."""

    def __init__(self, r, c, o):
        super().__init__()
        self.branches = nn.ModuleList([nn.Conv2d(c, o, 1)] + [nn.Conv2d(c, o, 3, padding=d, dilation=d) for d in (2, 3, 6)])
        self.pool = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(c, o, 1), nn.ReLU())
        self.project = nn.Sequential(nn.Conv2d(5 * o, o, 1, bias=False), nn.BatchNorm2d(o), nn.ReLU(), nn.Dropout(0.5))
        self.align = r.random() < 0.5

    def forward(self, x):
        parts = [F.relu(branch(x)) for branch in self.branches]
        parts.append(F.interpolate(self.pool(x), size=x.shape[-2:], mode="bilinear", align_corners=self.align))
        return self.project(torch.cat(parts, dim=1))


class DeepLab(nn.Module):
    """Stem, pyramid, and a resize back to the input's size."""

    def __init__(self, r, i):
        super().__init__()
        c = r.choice([8, 16])
        self.stem, self.aspp, self.last = stem(r, i, c, nn.ReLU), Aspp(r, c, 8), nn.Conv2d(8, 5, 1)

    def forward(self, x):
        y = self.last(self.aspp(self.stem(x)))
        return F.interpolate(y, size=x.shape[-2:], mode="bilinear", align_corners=False)


def aspp(r):
    shape = size(r)
    return DeepLab(r, shape[1]), [shape]


class Pyramid(nn.Module):
    """Feature and pooling pyramids: several outputs, nearest upsampling, adaptive pools, a stack."""

    def __init__(self, r, i):
        super().__init__()
        self.a, self.b, self.c = nn.Conv2d(i, 8, 3, 2, 1), nn.Conv2d(8, 8, 3, 2, 1), nn.Conv2d(8, 8, 3, 2, 1)
        self.lateral = nn.ModuleList(nn.Conv2d(8, 8, 1) for _ in range(3))
        self.spp, self.stacks = r.random() < 0.5, r.random() < 0.5
        self.fc = nn.Linear(8 * (1 + 4 + 9), 7)

    def forward(self, x):
        a = F.silu(self.a(x))
        b = F.silu(self.b(a))
        c = F.silu(self.c(b))
        c = self.lateral[2](c)
        b = self.lateral[1](b) + F.interpolate(c, size=b.shape[-2:], mode="nearest")
        a = self.lateral[0](a) + F.interpolate(b, size=a.shape[-2:], mode="nearest")
        if self.stacks:
            pooled = [F.adaptive_avg_pool2d(t, (4, 4)) for t in (a, b)]
            return torch.stack(pooled, 1).sum(1), torch.stack(pooled, dim=2).mean(2), c
        return a, b, F.max_pool2d(c, 1, 2)


def pyramid(r):
    shape = size(r)
    shape[2:] = [32, 48]
    return Pyramid(r, shape[1]), [shape]


class ConvNext(nn.Module):
    """ConvNeXt's block, with a scale for each channel; by permutations or by convolutions of one pixel."""

    def __init__(self, r, c):
        super().__init__()
        self.depth, self.spelled = nn.Conv2d(c, c, 7, padding=3, groups=c), r.random() < 0.3
        self.norm = SpelledNorm2d(c) if self.spelled else nn.LayerNorm(c, eps=1e-6)
        layer = (lambda i, o: nn.Conv2d(i, o, 1)) if self.spelled else nn.Linear
        self.up, self.down = layer(c, 4 * c), layer(4 * c, c)
        self.gamma = nn.Parameter(torch.randn(c))

    def forward(self, x):
        y = self.depth(x)
        if self.spelled:
            return x + self.gamma.view(1, -1, 1, 1) * self.down(F.gelu(self.up(self.norm(y))))
        y = self.norm(y.permute(0, 2, 3, 1))
        y = self.gamma * self.down(F.gelu(self.up(y)))
        return x + y.permute(0, 3, 1, 2)


def convnext(r):
    shape, c = size(r), r.choice([8, 12])
    return nn.Sequential(nn.Conv2d(shape[1], c, 4, 4), LayerNorm2d(c), ConvNext(r, c), ConvNext(r, c), LayerNorm2d(c),
                         nn.Conv2d(c, 2 * c, 2, 2), ConvNext(r, 2 * c), Head(r, 2 * c)), [shape]


class SuperResolution(nn.Module):
    """Pixel shuffle, its inverse, and a global skip."""

    def __init__(self, r, i):
        super().__init__()
        self.head, self.inverse = nn.Conv2d(i, 8, 3, 1, 1), r.random() < 0.5
        self.body = nn.Sequential(*[nn.Sequential(nn.Conv2d(8, 8, 3, 1, 1), nn.PReLU(8), nn.Conv2d(8, 8, 3, 1, 1)) for _ in range(2)])
        self.tail = nn.Sequential(nn.Conv2d(8, 4 * i, 3, 1, 1, padding_mode=r.choice(["zeros", "reflect", "replicate"])), nn.PixelShuffle(2))

    def forward(self, x):
        h = self.head(x)
        if self.inverse:
            h = F.pixel_shuffle(F.pixel_unshuffle(h, 1), 1)
        y = self.tail(h + 0.1 * self.body(h))
        return (y + F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)).clamp(-1, 1)


def super_resolution(r):
    shape = size(r)
    return SuperResolution(r, shape[1]), [shape]


class Mixer(nn.Module):
    """Moves of elements: shuffles, rolls, stacks, splits in three, gates by halves (GLU), two inputs."""

    def __init__(self, r):
        super().__init__()
        self.a, self.b, self.c = nn.Conv2d(3, 12, 3, 1, 1), nn.Conv2d(1, 12, 3, 1, 1), nn.Conv2d(12, 24, 1)
        self.fc, self.glu = nn.Linear(12, 12), r.random() < 0.5

    def forward(self, x, y):
        x, y = self.a(x), self.b(y)
        p, q, s = torch.split(x + y, 4, dim=1)
        z = torch.cat([s, p * q, torch.maximum(p, q)], 1)
        z = F.glu(self.c(z), 1) if self.glu else torch.stack(self.c(z).chunk(2, 1), 0).sum(0)
        z = torch.where(z > 0, z, 0.1 * z) if False else z
        tokens = z.flatten(2).transpose(1, 2)
        tokens = tokens + self.fc(tokens)
        z = tokens.transpose(1, 2).reshape(z.shape)
        return z.permute(0, 2, 3, 1), tokens.mean(1)


def mixer(r):
    n, h, w = r.choice([1, 2]), r.choice([16, 19]), r.choice([16, 21])
    return Mixer(r), [[n, 3, h, w], [n, 1, h, w]]


class Keyword(nn.Module):
    """1-D convolutions over time."""

    def __init__(self, r):
        super().__init__()
        c = r.choice([8, 12])
        block = lambda i, o, s: nn.Sequential(nn.Conv1d(i, o, 5, s, 2), nn.BatchNorm1d(o), nn.ReLU())
        self.a, self.b, self.c = block(10, c, 1), block(c, c, 1), block(c, 2 * c, 2)
        self.pool, self.fc = r.choice([nn.MaxPool1d(2), nn.AvgPool1d(3, 2, 1)]), nn.Linear(2 * c, 12)

    def forward(self, x):
        x = self.a(x)
        x = self.pool(x + self.b(x))
        return self.fc(self.c(x).mean(-1))


def keyword(r):
    return Keyword(r), [[r.choice([1, 2]), 10, r.choice([49, 101])]]


def families():
    return {f.__name__: f for f in (residual, dense, highway, inverted, unet, shuffle, aspp, pyramid, convnext, super_resolution,
                                    mixer, keyword)}
