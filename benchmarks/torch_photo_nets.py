"""Nets for photos of 64 pixels, as one writes them by hand in PyTorch, for comparison."""

import torch
from torch import nn
from torch.nn import functional as F

BLOCKS = {18: (2, 2, 2, 2), 50: (3, 4, 6, 3)}
CLASSES = 200


class Pair(nn.Module):
    """Expansion, ReLU and contraction; tied, the contraction's kernel is the expansion's."""

    def __init__(
        self, inputs: int, outputs: int, expansion: int, size: int, tied: bool, pool: bool
    ):
        super().__init__()
        hidden = expansion * inputs
        self.expand = nn.Conv2d(inputs, hidden, size, padding=size // 2, bias=False)
        self.contract = None if tied else nn.Conv2d(hidden, outputs, 1, bias=False)
        self.norm, self.pool = nn.BatchNorm2d(outputs), pool

    def forward(self, x):
        x = self.expand(x)
        if self.pool:
            x = F.max_pool2d(x, 3, 2, 1)
        x = F.relu(x)
        if self.contract:
            return self.norm(self.contract(x))
        centre = self.expand.weight.shape[-1] // 2
        kernel = self.expand.weight[:, :, centre, centre].t()[:, :, None, None]
        return self.norm(F.conv2d(x, kernel))


class Residual(nn.Module):
    """Two 3x3 convolutions and their shortcut."""

    def __init__(self, inputs: int, outputs: int, stride: int):
        super().__init__()
        self.body = nn.Sequential(
            *_conv_norm(inputs, outputs, 3, stride), nn.ReLU(), *_conv_norm(outputs, outputs, 3, 1)
        )
        same = inputs == outputs and stride == 1
        self.skip = (
            nn.Identity() if same else nn.Sequential(*_conv_norm(inputs, outputs, 1, stride))
        )

    def forward(self, x):
        return F.relu(self.body(x) + self.skip(x))


def _conv_norm(inputs: int, outputs: int, size: int, stride: int) -> list[nn.Module]:
    conv = nn.Conv2d(inputs, outputs, size, stride, size // 2, bias=False)
    return [conv, nn.BatchNorm2d(outputs)]


def network(name: str, width: int) -> nn.Module:
    """A net of `benchmarks.photo_training`."""
    layers: list[nn.Module] = _conv_norm(3, width, 3, 2)
    channels = width
    if name == "resnet18":
        layers.append(nn.ReLU())
        for stage in range(4):
            for block in range(2):
                filters = width * 2**stage
                layers.append(Residual(channels, filters, 2 if stage and not block else 1))
                channels = filters
        head: list[nn.Module] = []
    else:
        depth = int(name.removeprefix("seqnet"))
        ends = (2 * width, 4 * width, 8 * width, (32 if depth >= 50 else 8) * width)
        for stage, (blocks, end) in enumerate(zip(BLOCKS[depth], ends, strict=True)):
            for block in range(1, blocks + 1):
                filters = end if block == blocks else channels
                pool = stage > 0 and block == 1
                if depth >= 50:
                    layers += [
                        Pair(channels, channels, 2, 3, tied=True, pool=pool),
                        Pair(channels, filters, 4, 1, tied=False, pool=False),
                    ]
                else:
                    layers.append(
                        Pair(channels, filters, 2, 3, tied=filters == channels, pool=pool)
                    )
                channels = filters
        head = [nn.BatchNorm2d(channels), nn.ReLU()]
    layers += [nn.AdaptiveAvgPool2d(1), *head, nn.Flatten(), nn.Linear(channels, CLASSES)]
    return nn.Sequential(*layers).to(memory_format=torch.channels_last)


def training_step(name: str, width: int, side: int, batch: int, compiled: bool, half: bool):
    """A step of SGD with momentum and weight decay on random images, labels smoothed."""
    net = network(name, width)
    kernels = [p for p in net.parameters() if p.ndim > 1]
    others = [p for p in net.parameters() if p.ndim <= 1]
    optimizer = torch.optim.SGD(
        [{"params": kernels, "weight_decay": 1e-4}, {"params": others}], lr=0.01, momentum=0.9
    )
    x = torch.rand(batch, 3, side, side).to(memory_format=torch.channels_last)
    y = torch.randint(0, CLASSES, (batch,))

    def loss_of(x, y):
        with torch.autocast("cpu", torch.bfloat16, enabled=half):
            return F.cross_entropy(net(x), y, label_smoothing=0.1)

    if compiled:
        loss_of = torch.compile(loss_of)

    def step():
        optimizer.zero_grad()
        loss_of(x, y).backward()
        optimizer.step()

    return step
