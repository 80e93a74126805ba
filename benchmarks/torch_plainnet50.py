"""The 50-layer MaxNorm PlainNet as one writes it by hand in PyTorch, for comparison."""

import torch
from torch import nn

from zoo.models.maxnorm import PLAINNET50


def network() -> nn.Module:
    layers: list[nn.Module] = []
    channels = 3
    for stage, convolutions in enumerate(PLAINNET50):
        for filters, size in convolutions:
            layers += [
                nn.Conv2d(channels, filters, size, padding=size // 2, bias=False),
                nn.BatchNorm2d(filters),
                nn.LeakyReLU(0.3, inplace=True),
            ]
            channels = filters
        if stage < 2:
            layers.append(nn.MaxPool2d(stage + 2, 2))
    layers += [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, 10)]
    return nn.Sequential(*layers).to(memory_format=torch.channels_last)


def training_step(compiled: bool, half: bool):
    """A step of SGD with momentum, weight decay and max-norm 3 on 128 random images."""
    net = network()
    kernels = [p for p in net.parameters() if p.ndim > 1]
    others = [p for p in net.parameters() if p.ndim <= 1]
    optimizer = torch.optim.SGD(
        [{"params": kernels, "weight_decay": 1e-4}, {"params": others}], lr=0.01, momentum=0.9
    )
    x = torch.rand(128, 3, 32, 32).to(memory_format=torch.channels_last)
    y = torch.randint(0, 10, (128,))

    def loss_of(x, y):
        with torch.autocast("cpu", torch.bfloat16, enabled=half):
            return nn.functional.cross_entropy(net(x), y)

    if compiled:
        loss_of = torch.compile(loss_of)

    def step():
        optimizer.zero_grad()
        loss_of(x, y).backward()
        optimizer.step()
        with torch.no_grad():
            for w in kernels:
                norm = w.flatten(1).norm(dim=1).clamp(min=3).view(-1, *[1] * (w.ndim - 1))
                w.mul_(3 / norm)

    return step


def prediction(batch: int):
    """Probabilities of `batch` random images."""
    net = network().eval()
    x = torch.rand(batch, 3, 32, 32).to(memory_format=torch.channels_last)

    @torch.inference_mode()
    def step():
        return net(x).softmax(1).numpy()

    return step
