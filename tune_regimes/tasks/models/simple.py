"""SimpleCNN, with and without batch normalisation, and the MLP of "The Break-Even Point" (appendix D)."""

from itertools import pairwise

from torch import Tensor, nn


def scaled(channels: int, width: float) -> int:
    """A channel count times the width multiplier, rounded, at least 1."""
    return max(1, round(channels * width))


def _start(module: nn.Module) -> None:
    """Glorot's uniform initialisation with zero biases, the default of the Keras examples the paper built on."""
    if isinstance(module, nn.Conv2d | nn.Linear):
        nn.init.xavier_uniform_(module.weight)
        if module.bias is not None:
            nn.init.zeros_(module.bias)


class Mlp(nn.Module):
    """Two hidden layers of 300 and 100 units with ReLU; any input is flattened.

    Source: "The Break-Even Point on Optimization Trajectories of Deep Neural Networks", appendix D, FashionMNIST.
    """

    def __init__(self, inputs: int, num_classes: int, hidden: tuple[int, ...], dropout: float) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for wide, narrow in pairwise((inputs, *hidden)):
            layers += [nn.Linear(wide, narrow), nn.ReLU(), nn.Dropout(dropout)]
        self.layers = nn.Sequential(*layers, nn.Linear(hidden[-1], num_classes))
        self.apply(_start)

    def forward(self, inputs: Tensor) -> Tensor:
        """Scores ``[N, classes]`` of inputs ``[N, ...]``."""
        scores: Tensor = self.layers(inputs.flatten(1))
        return scores


class SimpleCnn(nn.Module):
    """Four 3x3 convolutions (32, 32, 64, 64), max-pooling by 2 after each pair, a dense layer of 128, ReLU throughout.

    The paper says neither how borders are treated nor where batch normalisation stands: here convolutions keep the
    size (zero padding of 1), and normalisation, where asked for, follows every hidden layer, before its ReLU.

    Source: "The Break-Even Point on Optimization Trajectories of Deep Neural Networks", appendix D and section 4.3.
    """

    def __init__(
        self, shape: tuple[int, int, int], num_classes: int, width: float, dropout: float, batch_norm: bool
    ) -> None:
        super().__init__()
        height, breadth, channels = shape
        first, second, dense = (scaled(c, width) for c in (32, 64, 128))
        layers: list[nn.Module] = []
        for narrow, wide in ((channels, first), (first, first), (first, second), (second, second)):
            layers += [nn.Conv2d(narrow, wide, 3, padding=1, bias=not batch_norm)]
            layers += [nn.BatchNorm2d(wide)] if batch_norm else []
            layers += [nn.ReLU()]
        layers.insert(len(layers) // 2, nn.MaxPool2d(2))
        self.features = nn.Sequential(*layers, nn.MaxPool2d(2))
        flat = second * (height // 4) * (breadth // 4)
        norm = [nn.BatchNorm1d(dense)] if batch_norm else []
        self.head = nn.Sequential(
            nn.Linear(flat, dense, bias=not batch_norm),
            *norm,
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(dense, num_classes),
        )
        self.apply(_start)

    def forward(self, images: Tensor) -> Tensor:
        """Scores ``[N, classes]`` of images ``[N, channels, height, width]``."""
        scores: Tensor = self.head(self.features(images).flatten(1))
        return scores


def mlp(*, shape: tuple[int, int, int], num_classes: int, width: float = 1.0, dropout: float = 0.0) -> Mlp:
    """The two-layer perceptron; dropout follows each hidden layer."""
    height, breadth, channels = shape
    return Mlp(height * breadth * channels, num_classes, (scaled(300, width), scaled(100, width)), dropout)


def simple_cnn(*, shape: tuple[int, int, int], num_classes: int, width: float = 1.0, dropout: float = 0.0) -> SimpleCnn:
    """SimpleCNN without batch normalisation."""
    return SimpleCnn(shape, num_classes, width, dropout, batch_norm=False)


def simple_cnn_bn(
    *, shape: tuple[int, int, int], num_classes: int, width: float = 1.0, dropout: float = 0.0
) -> SimpleCnn:
    """SimpleCNN-BN: batch normalisation after each hidden layer."""
    return SimpleCnn(shape, num_classes, width, dropout, batch_norm=True)
