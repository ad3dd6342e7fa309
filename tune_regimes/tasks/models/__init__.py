"""The networks of the papers, by name.

Every one takes images as float ``[N, channels, height, width]`` and returns class scores ``[N, classes]``.
"""

from collections.abc import Callable

from torch import nn

from tune_regimes.tasks.models import densenet, preactivation, resnet, scale_invariant, simple, vgg
from tune_regimes.tasks.models.initial import initialise

Builder = Callable[..., nn.Module]
BUILDERS: dict[str, Builder] = {
    **simple.BUILDERS,
    **vgg.BUILDERS,
    **resnet.BUILDERS,
    **preactivation.BUILDERS,
    **densenet.BUILDERS,
    **scale_invariant.BUILDERS,
}


def build(
    name: str,
    *,
    shape: tuple[int, int, int],
    num_classes: int,
    width: float = 1.0,
    dropout: float = 0.0,
    init: str = "default",
    init_scale: float = 1.0,
) -> nn.Module:
    """A new network, initialised from torch's global generator.

    Args:
        name: one of :data:`tune_regimes.tasks.registry.MODELS`.
        shape: height, width and channels of an image.
        num_classes: number of scores.
        width: multiplier of the hidden channel counts (each rounded, at least 1).
        dropout: share of units dropped before the output layer (in the MLP, after each hidden layer; in DenseNet and in
            residual networks with pre-activation, inside the blocks).
        init: "default", "kaiming" or "ntk"; see :func:`tune_regimes.tasks.models.initial.initialise`.
        init_scale: what the initial weights are multiplied by.
    """
    model = BUILDERS[name](shape=shape, num_classes=num_classes, width=width, dropout=dropout)
    if init != "default" or init_scale != 1.0:
        initialise(model, init, init_scale)
    return model
