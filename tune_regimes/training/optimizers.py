"""The optimizer of one model, told anew in every step what to apply.

There is no scheduler object: the values of a step are a function of its place in the schedule and are written into the
optimizer before the step. What is remembered are torch's own buffers, and only as long as they mean something:

- they are kept while the optimizer stays in its family: plain SGD, heavy ball and Nesterov are one family, Adam and
  AdamW another, Adadelta a third;
- they are dropped when the family changes, or where the settings say ``reset``;
- a step of SGD without momentum leaves no buffer, and a step with momentum that finds none starts from zero velocity.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from tune_regimes.schedule import Settings, at_step

Buffers = dict[str, dict[str, Tensor]]


class ScheduledOptimizer:
    """A torch.optim optimizer that takes its hyperparameters from the settings of the epoch, step by step.

    The forms are torch's. SGD with gradient g, weight decay lambda and momentum mu does
    ``v <- mu * v + (g + lambda * w);  w <- w - lr * v`` (Two Regimes, eq. 2; Intrinsic LR, App. C.1); with nesterov
    ``w <- w - lr * (g + lambda * w + mu * v)``. Adam, AdamW and Adadelta are torch's; momentum is Adam's beta1, and
    weight decay is decoupled for AdamW only.

    Args:
        model: its parameters that require a gradient are trained.
    """

    def __init__(self, model: nn.Module) -> None:
        self._named = {name: p for name, p in model.named_parameters() if p.requires_grad}
        self._settings: Settings | None = None
        self._use("sgd")

    def enter(self, settings: Settings) -> None:
        """Begin an epoch: keep or drop the buffers, and take its settings."""
        if settings.family != self._family or settings.reset:
            self._use(settings.family)
        self._settings = settings

    def step(self, index: int) -> None:
        """Apply the gradients with the values of step `index` of the epoch (0-based), then clear them."""
        assert self._settings is not None, "enter() comes before step()"
        if self._settings.clip_norm is not None:
            nn.utils.clip_grad_norm_(self._named.values(), self._settings.clip_norm)
        self._write(self._settings, index)
        self._optimizer.step()
        self._optimizer.zero_grad(set_to_none=True)

    def capture(self) -> dict[str, Any]:
        """Return the family and copies of the buffers on the CPU, by names of parameter and buffer."""
        state = self._optimizer.state
        buffers = {name: _copies(state[p]) for name, p in self._named.items() if p in state}
        return {"family": self._family, "buffers": buffers}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take up what `capture` returned; what is passed is copied."""
        self._use(state["family"])
        for name, buffers in state["buffers"].items():
            parameter = self._named[name]
            self._optimizer.state[parameter] = {key: b.to(parameter.device, copy=True) for key, b in buffers.items()}

    def _use(self, family: str) -> None:
        self._family, self._optimizer = family, make(family, self._named.values())

    def _write(self, settings: Settings, index: int) -> None:
        options = _OPTIONS[settings.family](settings, index)
        decay = at_step(settings.weight_decay, index)
        if settings.family == "sgd":
            self._velocities(options["momentum"])
        for group in self._optimizer.param_groups:
            group.update(options, weight_decay=decay if settings.decay == "all" or group["kernels"] else 0.0)

    def _velocities(self, momentum: float) -> None:
        state = self._optimizer.state
        if momentum == 0:
            state.clear()
        elif not state:
            state.update((p, {"momentum_buffer": torch.zeros_like(p)}) for p in self._named.values())


def make(family: str, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
    """Make the torch optimizer of a family, without buffers.

    Kernels (parameters of two dimensions or more) and all others are two groups, so that weight decay can tell them
    apart.
    """
    kinds: dict[bool, list[nn.Parameter]] = {True: [], False: []}
    for parameter in parameters:
        kinds[parameter.ndim >= 2].append(parameter)
    groups = [{"params": members, "kernels": kind} for kind, members in kinds.items() if members]
    if family == "adadelta":
        return torch.optim.Adadelta(groups)
    return torch.optim.SGD(groups, fused=True) if family == "sgd" else torch.optim.Adam(groups, fused=True)


def _sgd(settings: Settings, step: int) -> dict[str, Any]:
    return {
        "lr": at_step(settings.lr, step),
        "momentum": at_step(settings.momentum, step),
        "nesterov": settings.nesterov,
    }


def _adam(settings: Settings, step: int) -> dict[str, Any]:
    return {
        "lr": at_step(settings.lr, step),
        "betas": (at_step(settings.momentum, step), settings.beta2),
        "eps": settings.eps,
        "decoupled_weight_decay": settings.optimizer == "adamw",
    }


def _adadelta(settings: Settings, step: int) -> dict[str, Any]:
    return {"lr": at_step(settings.lr, step), "rho": settings.rho, "eps": settings.eps}


_OPTIONS = {"sgd": _sgd, "adam": _adam, "adadelta": _adadelta}


def _copies(buffers: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {key: buffer.detach().to("cpu", copy=True) for key, buffer in buffers.items()}
