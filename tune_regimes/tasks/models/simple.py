"""SimpleCNN, with and without batch normalisation, and the MLP of "The Break-Even Point".

Source: Jastrzebski et al., "The Break-Even Point on Optimization Trajectories of Deep Neural Networks" (2020),
appendix D and section 4.3.
"""

from collections.abc import Callable
from functools import partial
from itertools import pairwise

from torch import Tensor, nn

from tune_regimes.tasks.models.parts import scaled, start_from_glorot


class Mlp(nn.Module):
    """Hidden layers of 300 and 100 units with ReLU, each followed by dropout; any input is flattened."""

    def __init__(self, inputs: int, num_classes: int, hidden: tuple[int, ...], dropout: float) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for wide, narrow in pairwise((inputs, *hidden)):
            layers += [nn.Linear(wide, narrow), nn.ReLU(), nn.Dropout(dropout)]
        self.layers = nn.Sequential(*layers, nn.Linear(hidden[-1], num_classes))
        self.apply(start_from_glorot)

    def forward(self, inputs: Tensor) -> Tensor:
        """Scores ``[N, classes]`` of inputs ``[N, ...]``."""
        scores: Tensor = self.layers(inputs.flatten(1))
        return scores


class SimpleCnn(nn.Module):
    """Four 3x3 convolutions (32, 32, 64, 64), max-pooling by 2 after each pair, a dense layer of 128, ReLU throughout.

    The paper says neither how borders are treated nor where exactly batch normalisation stands: here convolutions keep
    the size (zero padding of 1), and normalisation, where asked for, follows every hidden layer, before its ReLU.
    """

    def __init__(
        self, shape: tuple[int, int, int], num_classes: int, width: float, dropout: float, batch_norm: bool
    ) -> None:
        super().__init__()
        height, breadth, channels = shape
        first, second, dense = (scaled(c, width) for c in (32, 64, 128))
        layers: list[nn.Module] = []
        for narrow, wide in ((channels, first), (first, first), (first, second), (second, second)):
            layers.append(nn.Conv2d(narrow, wide, 3, padding=1, bias=not batch_norm))
            layers += [nn.BatchNorm2d(wide)] if batch_norm else []
            layers.append(nn.ReLU())
        layers.insert(len(layers) // 2, nn.MaxPool2d(2))
        self.features = nn.Sequential(*layers, nn.MaxPool2d(2))
        hidden = nn.Linear(second * (height // 4) * (breadth // 4), dense, bias=not batch_norm)
        norm = [nn.BatchNorm1d(dense)] if batch_norm else []
        self.dense = nn.Sequential(hidden, *norm, nn.ReLU())
        self.head = nn.Sequential(nn.Dropout(dropout), nn.Linear(dense, num_classes))
        self.apply(start_from_glorot)

    def forward(self, images: Tensor) -> Tensor:
        """Scores ``[N, classes]`` of images ``[N, channels, height, width]``."""
        scores: Tensor = self.head(self.dense(self.features(images).flatten(1)))
        return scores


def _mlp(*, shape: tuple[int, int, int], num_classes: int, width: float = 1.0, dropout: float = 0.0) -> Mlp:
    height, breadth, channels = shape
    return Mlp(height * breadth * channels, num_classes, (scaled(300, width), scaled(100, width)), dropout)


def _simple_cnn(
    batch_norm: bool, *, shape: tuple[int, int, int], num_classes: int, width: float = 1.0, dropout: float = 0.0
) -> SimpleCnn:
    return SimpleCnn(shape, num_classes, width, dropout, batch_norm)


BUILDERS: dict[str, Callable[..., nn.Module]] = {
    "mlp": _mlp,
    "simple_cnn": partial(_simple_cnn, False),
    "simple_cnn_bn": partial(_simple_cnn, True),
}
