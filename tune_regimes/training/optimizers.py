"""The optimizer of one model, told anew in every step what to apply.

There is no scheduler object: the values of a step are a function of its place in the schedule and are written into the
optimizer before the step. What is remembered are torch's own buffers, and only as long as they mean something:

- they are kept while the optimizer stays in its family: plain SGD, heavy ball and Nesterov are one family, Adam and
  AdamW another; Adadelta, Muon, L-BFGS and K-FAC are each one;
- they are dropped when the family changes, or where the settings say ``reset``;
- a step of SGD without momentum leaves no buffer, and a step with momentum that finds none starts from zero velocity.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from tune_regimes.schedule import Settings
from tune_regimes.tasks.definition import Loss
from tune_regimes.training.first_order import FirstOrder
from tune_regimes.training.kfac import Kfac
from tune_regimes.training.lbfgs import Lbfgs
from tune_regimes.training.method import Method
from tune_regimes.training.muon import Muon
from tune_regimes.training.objective import Objective
from tune_regimes.training.sgd import Sgd


class ScheduledOptimizer:
    """An optimizer that takes its hyperparameters from the settings of the epoch, step by step.

    The forms are torch's; see `Sgd`, `FirstOrder` (Adam, AdamW, Adadelta), `Muon`, `Lbfgs` and `Kfac`.

    Args:
        model: its parameters that require a gradient are trained.
        loss: the mean loss of a batch; K-FAC alone asks what it is.
    """

    def __init__(self, model: nn.Module, loss: Loss = cross_entropy) -> None:
        self._model, self._loss = model, loss
        self._named = {name: p for name, p in model.named_parameters() if p.requires_grad}
        self._settings: Settings | None = None
        self._use("sgd")

    def enter(self, settings: Settings) -> None:
        """Begin an epoch: keep or drop the buffers, and take its settings.

        Raises:
            TaskError: the optimizer cannot train this model.
            UsageError: the optimizer needs what is not installed.
        """
        if settings.family != self._family or settings.reset:
            self._use(settings.family)
        self._settings = settings

    def step(self, index: int, objective: Objective) -> None:
        """Make one step.

        Args:
            index: number of the step's first batch in the epoch, 0-based: values per step are read there.
            objective: mean loss of the step's batches, whose gradients are computed here and cleared afterwards.
        """
        self._method.step(self._entered, index, objective)
        self._clear()

    def fill(self) -> None:
        """Make all buffers that training under the settings can come to hold, to see how large they are.

        What becomes of the weights is left open.
        """
        for parameter in self._named.values():
            parameter.grad = torch.zeros_like(parameter)
        self._method.fill(self._entered)
        self._clear()

    def velocity(self) -> Mapping[str, Tensor]:
        """Return copies of SGD's momentum buffers by name of parameter; empty for other families, or without any."""
        buffers = self._method.capture() if self._family == "sgd" else {}
        held = {name: parts["momentum_buffer"] for name, parts in buffers.items() if "momentum_buffer" in parts}
        return {name: value.to(self._named[name].device) for name, value in held.items() if value is not None}

    def capture(self) -> dict[str, Any]:
        """Return the family and copies of the buffers on the CPU, by names of parameter and buffer."""
        return {"family": self._family, "buffers": self._method.capture()}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take up what `capture` returned; what is passed is copied."""
        self._use(state["family"])
        self._method.restore(state["buffers"])

    @property
    def _entered(self) -> Settings:
        assert self._settings is not None, "enter() comes first"
        return self._settings

    def _use(self, family: str) -> None:
        self._method, self._family = self._made(family), family

    def _made(self, family: str) -> Method:
        if family == "sgd":
            return Sgd(self._named)
        if family == "muon":
            return Muon(self._named)
        if family == "lbfgs":
            return Lbfgs(self._model, self._named)
        if family == "kfac":
            return Kfac(self._model, self._named, self._loss)
        return FirstOrder(family, self._named)

    def _clear(self) -> None:
        for parameter in self._named.values():
            parameter.grad = None
