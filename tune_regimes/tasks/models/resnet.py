"""Residual networks in their CIFAR forms: a 3x3 stem and no max-pooling.

ResNet-18, -34 and -50 are the ImageNet networks with four stages and projection shortcuts (option B); ResNet-20, -32,
-56 and -110 are the thin ones made for CIFAR, with three stages of 16, 32 and 64 channels and shortcuts without
parameters (option A).

Source: He et al., "Deep Residual Learning for Image Recognition" (2016), table 1 and section 4.2.
"""

from functools import partial

from torch import Tensor, nn
from torch.nn.functional import pad, relu

from tune_regimes.tasks.models.parts import Thin, conv, scaled, start_from_he


def _norm_conv(narrow: int, wide: int, size: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(conv(narrow, wide, size, stride), nn.BatchNorm2d(wide))


class PadShortcut(nn.Module):
    """Option A: every ``stride``-th pixel, and zeros for the channels that are new (half before, half after)."""

    def __init__(self, narrow: int, wide: int, stride: int) -> None:
        super().__init__()
        self.thin = Thin(stride)
        self.before = (wide - narrow) // 2
        self.after = wide - narrow - self.before

    def forward(self, images: Tensor) -> Tensor:
        """Thinned and padded images."""
        return pad(self.thin(images), (0, 0, 0, 0, self.before, self.after))


class Block(nn.Module):
    """Convolutions with a shortcut around them: ``relu(body(x) + shortcut(x))``."""

    def __init__(self, body: nn.Module, shortcut: nn.Module) -> None:
        super().__init__()
        self.body = body
        self.shortcut = shortcut

    def forward(self, images: Tensor) -> Tensor:
        """Features ``[N, wide, height / stride, width / stride]``."""
        return relu(self.body(images) + self.shortcut(images))


def _basic(narrow: int, wide: int, stride: int) -> nn.Sequential:
    return nn.Sequential(_norm_conv(narrow, wide, 3, stride), nn.ReLU(), _norm_conv(wide, wide, 3))


def _bottleneck(narrow: int, wide: int, stride: int) -> nn.Sequential:
    thin = max(1, wide // 4)
    squeeze, expand = _norm_conv(narrow, thin, 1), _norm_conv(thin, wide, 1)
    return nn.Sequential(squeeze, nn.ReLU(), _norm_conv(thin, thin, 3, stride), nn.ReLU(), expand)


def _shortcut(narrow: int, wide: int, stride: int, project: bool) -> nn.Module:
    if stride == 1 and narrow == wide:
        return nn.Identity()
    if not project:
        return PadShortcut(narrow, wide, stride)
    return nn.Sequential(Thin(stride), *_norm_conv(narrow, wide, 1))


class ResNet(nn.Module):
    """A 3x3 stem, stages of blocks, the first block of each later stage with stride 2, global average pooling.

    Args:
        stem: channels of the stem.
        stages: channels of each stage.
        blocks: blocks in each stage.
        bottleneck: 1x1, 3x3, 1x1 convolutions per block rather than two 3x3.
        project: shortcuts that change shape are 1x1 convolutions (option B) rather than padding (option A).
        channels: of the images.
        num_classes: number of scores.
        dropout: share of features dropped before the linear layer.
    """

    def __init__(
        self,
        stem: int,
        stages: tuple[int, ...],
        blocks: tuple[int, ...],
        *,
        bottleneck: bool,
        project: bool,
        channels: int,
        num_classes: int,
        dropout: float,
    ) -> None:
        super().__init__()
        self.stem = nn.Sequential(_norm_conv(channels, stem, 3), nn.ReLU())
        body, narrow, layers = (_bottleneck if bottleneck else _basic), stem, list[nn.Module]()
        for stage, (wide, count) in enumerate(zip(stages, blocks, strict=True)):
            for index in range(count):
                stride = 2 if stage > 0 and index == 0 else 1
                layers.append(Block(body(narrow, wide, stride), _shortcut(narrow, wide, stride, project)))
                narrow = wide
        self.blocks = nn.Sequential(*layers)
        self.head = nn.Sequential(nn.Dropout(dropout), nn.Linear(narrow, num_classes))
        self.apply(start_from_he)

    def forward(self, images: Tensor) -> Tensor:
        """Scores ``[N, classes]`` of images ``[N, channels, height, width]``."""
        features = self.blocks(self.stem(images))
        scores: Tensor = self.head(features.mean(dim=(2, 3)))
        return scores


def _wide_resnet(
    blocks: tuple[int, ...],
    bottleneck: bool,
    *,
    shape: tuple[int, int, int],
    num_classes: int,
    width: float = 1.0,
    dropout: float = 0.0,
) -> ResNet:
    growth = 4 if bottleneck else 1
    stages = tuple(growth * scaled(c, width) for c in (64, 128, 256, 512))
    return ResNet(
        scaled(64, width), stages, blocks, bottleneck=bottleneck, project=True,
        channels=shape[2], num_classes=num_classes, dropout=dropout,
    )  # fmt: skip


def _thin_resnet(
    depth: int, *, shape: tuple[int, int, int], num_classes: int, width: float = 1.0, dropout: float = 0.0
) -> ResNet:
    stages = tuple(scaled(c, width) for c in (16, 32, 64))
    return ResNet(
        stages[0], stages, (((depth - 2) // 6),) * 3, bottleneck=False, project=False,
        channels=shape[2], num_classes=num_classes, dropout=dropout,
    )  # fmt: skip


BUILDERS = {
    "resnet18": partial(_wide_resnet, (2, 2, 2, 2), False),
    "resnet34": partial(_wide_resnet, (3, 4, 6, 3), False),
    "resnet50": partial(_wide_resnet, (3, 4, 6, 3), True),
} | {f"resnet{depth}": partial(_thin_resnet, depth) for depth in (20, 32, 56, 110)}
