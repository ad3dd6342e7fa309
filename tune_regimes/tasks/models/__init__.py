"""The networks of the papers, by name.

Every one takes images as float ``[N, channels, height, width]`` and returns class scores ``[N, classes]``.
"""

from collections.abc import Callable

from torch import nn

from tune_regimes.tasks.models.simple import mlp, simple_cnn, simple_cnn_bn

_MODELS: dict[str, Callable[..., nn.Module]] = {
    "mlp": mlp,
    "simple_cnn": simple_cnn,
    "simple_cnn_bn": simple_cnn_bn,
}


def build(
    name: str, *, shape: tuple[int, int, int], num_classes: int, width: float = 1.0, dropout: float = 0.0
) -> nn.Module:
    """A new, randomly initialised network.

    Args:
        name: one of :data:`tune_regimes.tasks.registry.MODELS`.
        shape: height, width and channels of an image.
        num_classes: number of scores.
        width: multiplier of the hidden channel counts (each rounded, at least 1).
        dropout: share of units dropped before the output layer.
    """
    return _MODELS[name](shape=shape, num_classes=num_classes, width=width, dropout=dropout)
