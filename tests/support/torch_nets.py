"""The networks in PyTorch as their authors' programs structure and name them, to compare with.

State dicts of these have the names of the published checkpoints: SeqNets of the paper's program,
ResNets and VGG of torchvision. Sizes can be small.
"""

import torch
from torch import nn
from torch.nn import functional as F

BLOCKS = {
    18: (2, 2, 2, 2),
    34: (3, 4, 6, 3),
    50: (3, 4, 6, 3),
    101: (3, 4, 23, 3),
    152: (3, 8, 36, 3),
}


def conv(inputs, outputs, size, stride=1, bias=False):
    return nn.Conv2d(inputs, outputs, size, stride, (size - 1) // 2, bias=bias)


class SeqBlock(nn.Module):
    def __init__(self, inputs, outputs, pool, inner_bias, inner_norm):
        super().__init__()
        self.pool = pool
        self.conv1 = conv(inputs, 2 * inputs, 3, bias=inner_bias)
        self.bn1 = nn.BatchNorm2d(inputs)
        self.conv2 = conv(inputs, 4 * inputs, 1, bias=inner_bias)
        self.conv3 = conv(4 * inputs, outputs, 1)
        self.bn2 = nn.BatchNorm2d(outputs)
        if inner_norm:
            self.inter_bn1 = nn.BatchNorm2d(2 * inputs)
            self.inter_bn2 = nn.BatchNorm2d(4 * inputs)
        self.inner_norm = inner_norm

    def forward(self, x):
        x = self.conv1(x)
        if self.inner_norm:
            x = self.inter_bn1(x)
        if self.pool:
            x = F.max_pool2d(x, 3, 2, 1)
        x = F.conv2d(F.relu(x), self.conv1.weight[:, :, 1:2, 1:2].transpose(0, 1))
        x = self.conv2(self.bn1(x))
        if self.inner_norm:
            x = self.inter_bn2(x)
        return self.bn2(self.conv3(F.relu(x)))

    def near_linear(self, generator):
        """Kernels near [R; -R] and its transpose, as the program starts: through 32 pairs of
        independent ones the gradient explodes, and rounding with it."""
        inputs = self.conv1.in_channels
        for layer in (self.conv1, self.conv2):
            random = torch.randn(layer.out_channels // 2, inputs, generator=generator)
            r = torch.linalg.qr(random)[0]
            centre = layer.kernel_size[0] // 2
            layer.weight *= 0.1
            layer.weight[:, :, centre, centre] += torch.cat([r, -r])
        self.conv3.weight[:inputs] *= 0.1
        self.conv3.weight[:inputs, :, 0, 0] += self.conv2.weight[:, :, 0, 0].T


class SeqNet(nn.Module):
    def __init__(
        self,
        depth=50,
        *,
        width=64,
        num_classes=1000,
        stem="imagenet",
        inner_bias=False,
        inner_norm=False,
    ):
        super().__init__()
        imagenet = stem == "imagenet"
        self.conv1 = nn.Sequential(
            conv(3, width, 7, 2) if imagenet else conv(3, width, 3),
            nn.BatchNorm2d(width),
            nn.MaxPool2d(3, 2, 1) if imagenet else nn.Identity(),
        )
        ends = [2 * width, 4 * width, 8 * width, 32 * width]
        for stage, (blocks, end) in enumerate(zip(BLOCKS[depth], ends, strict=True)):
            inputs = width * 2**stage
            layer = [
                SeqBlock(
                    inputs,
                    end if i == blocks - 1 else inputs,
                    stage > 0 and i == 0,
                    inner_bias,
                    inner_norm,
                )
                for i in range(blocks)
            ]
            setattr(self, f"layer{stage + 1}", nn.Sequential(*layer))
        self.classifier = nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.BatchNorm1d(ends[-1]),
            nn.ReLU(),
            nn.Linear(ends[-1], num_classes),
        )

    def forward(self, x):
        x = self.conv1(x)
        for layer in (self.layer1, self.layer2, self.layer3, self.layer4):
            x = layer(x)
        return self.classifier(x)


class ResBlock(nn.Module):
    def __init__(self, inputs, filters, stride, bottleneck):
        super().__init__()
        outputs = 4 * filters if bottleneck else filters
        widths = [inputs, filters, filters, outputs] if bottleneck else [inputs, filters, filters]
        sizes = (1, 3, 1) if bottleneck else (3, 3)
        self.count = len(sizes)
        for i, size in enumerate(sizes):
            strided = i == (1 if bottleneck else 0)
            layer = conv(widths[i], widths[i + 1], size, stride if strided else 1)
            setattr(self, f"conv{i + 1}", layer)
            setattr(self, f"bn{i + 1}", nn.BatchNorm2d(widths[i + 1]))
        self.downsample = None
        if stride > 1 or inputs != outputs:
            self.downsample = nn.Sequential(
                conv(inputs, outputs, 1, stride), nn.BatchNorm2d(outputs)
            )

    def forward(self, x):
        y = x
        for i in range(1, self.count + 1):
            y = getattr(self, f"bn{i}")(getattr(self, f"conv{i}")(y))
            y = F.relu(y) if i < self.count else y
        return F.relu(y + (x if self.downsample is None else self.downsample(x)))


class ResNet(nn.Module):
    def __init__(self, depth=50, *, width=64, num_classes=1000, stem="imagenet"):
        super().__init__()
        self.imagenet = stem == "imagenet"
        self.conv1 = conv(3, width, 7, 2) if self.imagenet else conv(3, width, 3)
        self.bn1 = nn.BatchNorm2d(width)
        bottleneck = depth >= 50
        inputs = width
        for stage, blocks in enumerate(BLOCKS[depth]):
            layer = []
            for i in range(blocks):
                stride = 2 if stage > 0 and i == 0 else 1
                layer.append(ResBlock(inputs, width * 2**stage, stride, bottleneck))
                inputs = width * 2**stage * (4 if bottleneck else 1)
            setattr(self, f"layer{stage + 1}", nn.Sequential(*layer))
        self.fc = nn.Linear(inputs, num_classes)

    def forward(self, x):
        x = F.relu(self.bn1(self.conv1(x)))
        if self.imagenet:
            x = F.max_pool2d(x, 3, 2, 1)
        for layer in (self.layer1, self.layer2, self.layer3, self.layer4):
            x = layer(x)
        return self.fc(x.mean((2, 3)))


class VGG(nn.Module):
    """vgg19_bn; `pixels` is the side of the images."""

    def __init__(self, *, width=64, units=4096, num_classes=1000, pixels=224, dropout=0.5):
        super().__init__()
        layers, inputs = [], 3
        for stage, convolutions in enumerate((2, 2, 4, 4, 4)):
            for _ in range(convolutions):
                outputs = width * min(2**stage, 8)
                layers += [conv(inputs, outputs, 3, bias=True), nn.BatchNorm2d(outputs), nn.ReLU()]
                inputs = outputs
            layers.append(nn.MaxPool2d(2))
        self.features = nn.Sequential(*layers)
        self.avgpool = nn.AdaptiveAvgPool2d(pixels // 32)
        self.classifier = nn.Sequential(
            nn.Linear(inputs * (pixels // 32) ** 2, units),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(units, units),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(units, num_classes),
        )

    def forward(self, x):
        return self.classifier(self.avgpool(self.features(x)).flatten(1))


def randomize(net: nn.Module, x: torch.Tensor) -> nn.Module:
    """The net as after a training: no vector is at its start, and the moving statistics are those
    of the images `x`, but not quite."""
    generator = torch.Generator().manual_seed(0)

    def uniform(like, low, high):
        return torch.rand(like.shape, generator=generator) * (high - low) + low

    with torch.no_grad():
        for name, p in net.named_parameters():
            if p.ndim > 1:
                p.copy_(torch.randn(p.shape, generator=generator) * (2 / p[0].numel()) ** 0.5)
            elif name.endswith("weight"):
                p.copy_(uniform(p, 0.7, 1.3))
            else:
                p.copy_(uniform(p, -0.3, 0.3))
        for block in net.modules():
            if isinstance(block, SeqBlock):
                block.near_linear(generator)
        norms = [m for m in net.modules() if isinstance(m, nn.BatchNorm1d | nn.BatchNorm2d)]
        for norm in norms:
            norm.momentum = None  # averages
        net.train()(x)
        for norm in norms:
            norm.momentum = 0.1
            norm.running_mean += uniform(norm.running_mean, -0.2, 0.2) * norm.running_var.sqrt()
            norm.running_var *= uniform(norm.running_var, 0.7, 1.4)
    return net
