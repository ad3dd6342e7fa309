"""What every family of optimizers does, and how the buffers of torch's optimizers are copied."""

from collections.abc import Mapping
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from tune_regimes.schedule import Settings
from tune_regimes.training.objective import Objective

Buffers = dict[str, dict[str, Any]]
"""By names of parameter and buffer: tensors, numbers, None, and lists of them."""
Named = Mapping[str, nn.Parameter]


class Method(Protocol):
    """The optimizers of one family, with their buffers."""

    def step(self, settings: Settings, index: int, objective: Objective) -> None:
        """Make the step whose first batch is number `index` of the epoch; the gradients are cleared by the caller."""

    def fill(self, settings: Settings) -> None:
        """Make all buffers that training can come to hold, on parameters whose gradients are zero."""

    def capture(self) -> Buffers:
        """Return copies of the buffers on the CPU."""

    def restore(self, buffers: Buffers) -> None:
        """Take up copies of what `capture` returned."""


def captured(optimizer: torch.optim.Optimizer, named: Mapping[str, Tensor]) -> Buffers:
    """Return copies on the CPU of what an optimizer holds for the named parameters."""
    state = optimizer.state
    return {name: copied(state[p], torch.device("cpu")) for name, p in named.items() if p in state}


def restored(optimizer: torch.optim.Optimizer, named: Mapping[str, Tensor], buffers: Buffers) -> None:
    """Put copies of captured buffers into an optimizer, on the devices of the parameters."""
    for name, values in buffers.items():
        if name in named:
            optimizer.state[named[name]] = copied(values, named[name].device)


def clip(named: Named, settings: Settings) -> None:
    """Scale all gradients down together where their L2 norm is above that of the settings."""
    if settings.clip_norm is not None:
        nn.utils.clip_grad_norm_(named.values(), settings.clip_norm)


def copied(value: Any, device: torch.device) -> Any:
    """Return a copy of what an optimizer holds, its tensors on a device."""
    if isinstance(value, Tensor):
        return value.detach().to(device, copy=True)
    if isinstance(value, dict):
        return {key: copied(part, device) for key, part in value.items()}
    return [copied(part, device) for part in value] if isinstance(value, list) else value
