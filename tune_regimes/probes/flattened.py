"""A model as a function of one vector: its trained parameters end to end, and the mode in which it is looked at."""

from collections.abc import Callable, Iterable, Sequence

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.dropout import _DropoutNd

from tune_regimes.errors import UsageError

MODES = ("train", "eval")
MeanLoss = Callable[[Tensor, Tensor], Tensor]
"""Mean loss of a batch from (outputs, targets)."""


def trained(model: nn.Module) -> dict[str, nn.Parameter]:
    """The parameters that require a gradient, by name: frozen ones are no coordinates.

    Raises:
        UsageError: There is none.
    """
    found = {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}
    if not found:
        raise UsageError(
            "curvature needs a parameter that is trained, got a model in which all are frozen; unfreeze one"
        )
    return found


def joined(tensors: Iterable[Tensor]) -> Tensor:
    """Tensors end to end as one vector, each in the order of its indices."""
    return torch.cat([tensor.detach().reshape(-1) for tensor in tensors])


def divided(vector: Tensor, like: Sequence[Tensor]) -> list[Tensor]:
    """The inverse of `joined`: the vector in the shapes, types and places of other tensors."""
    parts = torch.split(vector, [tensor.numel() for tensor in like])
    return [part.view(tensor.shape).to(tensor) for part, tensor in zip(parts, like, strict=True)]


def set_mode(model: nn.Module, mode: str) -> None:
    """Put a model in the mode in which its curvature is looked at: "train" or "eval", in both without dropout.

    In "train", BatchNorm normalises each batch by its own statistics, and updates its running ones; in "eval" it
    normalises by these. Dropout is off, since eigenvalues are those of one function, not of a random one.

    Raises:
        UsageError: Another mode.
    """
    if mode not in MODES:
        raise UsageError(f"mode must be one of {', '.join(MODES)}, got {mode!r}")
    model.train(mode == "train")
    for module in model.modules():
        if isinstance(module, _DropoutNd):
            module.eval()


def mixes_examples(model: nn.Module) -> str | None:
    """The name of a BatchNorm that normalises by the batch, so that no example has a loss of its own; None for none."""
    norms = ((name, module) for name, module in model.named_modules() if isinstance(module, _BatchNorm))
    return next((name for name, norm in norms if norm.training or norm.running_mean is None), None)
