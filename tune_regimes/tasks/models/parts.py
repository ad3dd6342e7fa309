"""What several networks share: scaled channel counts, convolutions without bias, initialisations."""

from torch import nn


def scaled(channels: int, width: float) -> int:
    """A channel count times the width multiplier, rounded, at least 1.

    Examples:
        >>> scaled(64, 0.25)
        16
    """
    return max(1, round(channels * width))


def conv(narrow: int, wide: int, size: int, stride: int = 1) -> nn.Conv2d:
    """A square convolution that keeps the image size (up to its stride), without bias: a batch norm follows it."""
    return nn.Conv2d(narrow, wide, size, stride=stride, padding=size // 2, bias=False)


def start_from_he(module: nn.Module) -> None:
    """Normal initialisation of convolutions with variance 2 / (outputs x kernel area).

    Source: He et al., "Delving Deep into Rectifiers" (2015), section 2.2, in its backward form.
    """
    if isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")


def start_from_glorot(module: nn.Module) -> None:
    """Glorot's uniform initialisation with zero biases, the default of the Keras examples.

    Source: Glorot and Bengio, "Understanding the difficulty of training deep feedforward neural networks" (2010).
    """
    if isinstance(module, nn.Conv2d | nn.Linear):
        nn.init.xavier_uniform_(module.weight)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
