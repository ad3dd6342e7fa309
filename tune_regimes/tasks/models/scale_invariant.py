"""VGG, the MNIST CNN and an MLP in scale-invariant form: every trained tensor is, by itself, scale invariant.

Each trained layer is linear, has no bias and is followed by a batch normalisation without scale and shift; the output
layer is frozen. The PreResNets of the same kind are in :mod:`tune_regimes.tasks.models.preactivation`.

Source: Li, Lyu and Arora, "Reconciling Modern Deep Learning with Traditional Optimization Analyses: the Intrinsic
Learning Rate" (2020), section 6.1 and appendix A.
"""

from collections.abc import Callable
from functools import partial
from itertools import pairwise

from torch import Tensor, nn

from tune_regimes.tasks.models import vgg
from tune_regimes.tasks.models.parts import FROZEN_EPS, conv, frozen_head, frozen_norm, scaled, start_from_he


def _conv_norm(narrow: int, wide: int) -> list[nn.Module]:
    return [conv(narrow, wide, 3), frozen_norm(wide), nn.ReLU()]


def _dense_norm(wide: int, narrow: int) -> list[nn.Module]:
    return [nn.Linear(wide, narrow, bias=False), nn.BatchNorm1d(narrow, eps=FROZEN_EPS, affine=False), nn.ReLU()]


class ScaleInvariantNet(nn.Module):
    """Normalised layers below a frozen output layer.

    Args:
        features: layers that end with flat features.
        flat: number of these features.
        num_classes: number of scores.
        dropout: share of the features dropped before the output layer.
    """

    def __init__(self, features: list[nn.Module], flat: int, num_classes: int, dropout: float) -> None:
        super().__init__()
        self.features = nn.Sequential(*features)
        self.head = frozen_head(flat, num_classes, dropout)
        self.apply(start_from_he)

    def forward(self, inputs: Tensor) -> Tensor:
        """Scores ``[N, classes]`` of inputs ``[N, channels, height, width]``."""
        scores: Tensor = self.head(self.features(inputs))
        return scores


def _vgg(
    depths: tuple[int, ...],
    *,
    shape: tuple[int, int, int],
    num_classes: int,
    width: float = 1.0,
    dropout: float = 0.0,
) -> ScaleInvariantNet:
    height, breadth, channels = shape
    layers: list[nn.Module] = []
    for depth, wide in zip(depths, (scaled(c, width) for c in vgg.CHANNELS), strict=True):
        for _ in range(depth):
            layers += _conv_norm(channels, wide)
            channels = wide
        layers.append(nn.MaxPool2d(2))
    flat = channels * (height // 32) * (breadth // 32)
    return ScaleInvariantNet([*layers, nn.Flatten()], flat, num_classes, dropout)


def _mnist_cnn(
    *, shape: tuple[int, int, int], num_classes: int, width: float = 1.0, dropout: float = 0.0
) -> ScaleInvariantNet:
    """Two 3x3 convolutions (32, 64), each with max-pooling by 2, a dense layer of 128 and the output layer.

    The paper says "a simple 4-layer CNN" and no more; sizes are ours.
    """
    height, breadth, channels = shape
    first, second, dense = (scaled(c, width) for c in (32, 64, 128))
    convolutions = [*_conv_norm(channels, first), nn.MaxPool2d(2), *_conv_norm(first, second), nn.MaxPool2d(2)]
    flat = second * (height // 4) * (breadth // 4)
    return ScaleInvariantNet([*convolutions, nn.Flatten(), *_dense_norm(flat, dense)], dense, num_classes, dropout)


def _mlp(
    *, shape: tuple[int, int, int], num_classes: int, width: float = 1.0, dropout: float = 0.0
) -> ScaleInvariantNet:
    """Two hidden layers of 100 units, for small images."""
    height, breadth, channels = shape
    sizes = (height * breadth * channels, scaled(100, width), scaled(100, width))
    layers = [layer for wide, narrow in pairwise(sizes) for layer in _dense_norm(wide, narrow)]
    return ScaleInvariantNet([nn.Flatten(), *layers], sizes[-1], num_classes, dropout)


BUILDERS: dict[str, Callable[..., nn.Module]] = {
    "mlp_si": _mlp,
    "mnist_cnn_si": _mnist_cnn,
    **{f"vgg{depth}_si": partial(_vgg, vgg.DEPTHS[f"vgg{depth}_bn"]) for depth in (11, 16)},
}
