"""Adam, AdamW and Adadelta: torch's, with the values of the step written into them before it."""

from collections.abc import Iterable
from typing import Any

import torch
from torch import nn

from tune_regimes.schedule import Settings, at_step
from tune_regimes.training.method import Buffers, Named, captured, clip, restored
from tune_regimes.training.objective import Objective


class FirstOrder:
    """One optimizer of torch for kernels and other parameters.

    Momentum is Adam's beta1, and weight decay is decoupled for AdamW only.

    Args:
        family: "adam" or "adadelta".
        named: the parameters that are trained, by name.
    """

    def __init__(self, family: str, named: Named) -> None:
        self._family, self._named = family, named
        self._optimizer = make(family, named.values())

    def step(self, settings: Settings, index: int, objective: Objective) -> None:
        """Compute the gradients, clip them, and apply them with the values of batch `index`."""
        objective()
        clip(self._named, settings)
        self.apply(settings, index)

    def apply(self, settings: Settings, index: int) -> None:
        """Apply the gradients as they stand."""
        options = _OPTIONS[self._family](settings, index)
        decay = at_step(settings.weight_decay, index)
        for group in self._optimizer.param_groups:
            group.update(options, weight_decay=decay if settings.decay == "all" or group["kernels"] else 0.0)
        self._optimizer.step()

    def fill(self, settings: Settings) -> None:
        """Make the buffers by a step."""
        self.apply(settings, 0)

    def capture(self) -> Buffers:
        """Return copies of the buffers on the CPU."""
        return captured(self._optimizer, self._named)

    def restore(self, buffers: Buffers) -> None:
        """Take up captured buffers."""
        restored(self._optimizer, self._named, buffers)


def make(family: str, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
    """Make the torch optimizer of a family, without buffers.

    Kernels (parameters of two dimensions or more) and all others are two groups, so that weight decay can tell them
    apart.
    """
    kinds: dict[bool, list[nn.Parameter]] = {True: [], False: []}
    for parameter in parameters:
        kinds[parameter.ndim >= 2].append(parameter)
    groups = [{"params": members, "kernels": kind} for kind, members in kinds.items() if members]
    return torch.optim.Adadelta(groups) if family == "adadelta" else torch.optim.Adam(groups, fused=True)


def _adam(settings: Settings, step: int) -> dict[str, Any]:
    return {
        "lr": at_step(settings.lr, step),
        "betas": (at_step(settings.momentum, step), settings.beta2),
        "eps": settings.eps,
        "decoupled_weight_decay": settings.optimizer == "adamw",
    }


def _adadelta(settings: Settings, step: int) -> dict[str, Any]:
    return {"lr": at_step(settings.lr, step), "rho": settings.rho, "eps": settings.eps}


_OPTIONS = {"adam": _adam, "adadelta": _adadelta}
