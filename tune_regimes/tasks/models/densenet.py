"""DenseNet-BC for CIFAR: three dense blocks of bottleneck layers, halved in channels and size between them.

"DenseNet with 100 layers and growth rate 12", as *Stochastic Gradient Descent with Large Learning Rate* says, names
two networks: DenseNet of 7.0 million parameters and DenseNet-BC of 0.8 million. This is the latter.

Source: Huang et al., "Densely Connected Convolutional Networks" (2017), section 3 and table 2.
"""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn

from tune_regimes.tasks.models.parts import conv, scaled, start_from_he


def _norm_conv(narrow: int, wide: int, size: int) -> nn.Sequential:
    return nn.Sequential(nn.BatchNorm2d(narrow), nn.ReLU(), conv(narrow, wide, size))


class DenseLayer(nn.Module):
    """``[x, body(x)]``: a bottleneck of 4 times the growth rate and a 3x3 convolution add their features to the input.

    Args:
        narrow: channels that are read.
        growth: channels that are added.
        dropout: share of the added features that is dropped.
    """

    def __init__(self, narrow: int, growth: int, dropout: float) -> None:
        super().__init__()
        self.body = nn.Sequential(
            _norm_conv(narrow, 4 * growth, 1), _norm_conv(4 * growth, growth, 3), nn.Dropout(dropout)
        )

    def forward(self, images: Tensor) -> Tensor:
        """Features ``[N, narrow + growth, height, width]``."""
        return torch.cat((images, self.body(images)), dim=1)


class DenseNet(nn.Module):
    """A 3x3 stem, three dense blocks with transitions between them, global average pooling, a linear layer.

    Args:
        channels: of the images.
        growth: channels that each layer adds; the stem has twice as many.
        layers: bottleneck layers in each block.
        num_classes: number of scores.
        dropout: share of each layer's new features that is dropped.
    """

    def __init__(self, channels: int, growth: int, layers: int, num_classes: int, dropout: float) -> None:
        super().__init__()
        wide = 2 * growth
        self.stem = conv(channels, wide, 3)
        parts: list[nn.Module] = []
        for block in range(3):
            if block > 0:
                parts.append(nn.Sequential(_norm_conv(wide, wide // 2, 1), nn.AvgPool2d(2)))
                wide //= 2
            parts += [DenseLayer(wide + index * growth, growth, dropout) for index in range(layers)]
            wide += layers * growth
        self.blocks = nn.Sequential(*parts, nn.BatchNorm2d(wide), nn.ReLU())
        self.head = nn.Linear(wide, num_classes)
        self.apply(start_from_he)

    def forward(self, images: Tensor) -> Tensor:
        """Scores ``[N, classes]`` of images ``[N, channels, height, width]``."""
        scores: Tensor = self.head(self.blocks(self.stem(images)).mean(dim=(2, 3)))
        return scores


def _densenet(
    depth: int,
    growth: int,
    *,
    shape: tuple[int, int, int],
    num_classes: int,
    width: float = 1.0,
    dropout: float = 0.0,
) -> DenseNet:
    return DenseNet(shape[2], scaled(growth, width), (depth - 4) // 6, num_classes, dropout)


BUILDERS: dict[str, Callable[..., nn.Module]] = {"densenet100_12": partial(_densenet, 100, 12)}
