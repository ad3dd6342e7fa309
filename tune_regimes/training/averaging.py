"""The running average of the weights, and the statistics of BatchNorm that go with weights which were replaced."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import chain
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from tune_regimes.errors import DataError
from tune_regimes.training.observables import Copies, copies_like, to_cpu


class WeightAverage:
    """A weighted mean of the weights that one model had at several times, kept with its total weight.

    One copy, as large as the parameters and of their type, while an average is collected. Linear weights 1, 2, 3, ...
    (AutoDrop, Algorithm 1), equal weights (SWA) and exponential ones (EMA) are all told by `add`.

    Args:
        parameters: What is trained, by name.

    Attributes:
        weight: The weight collected so far; 0 where there is no average.
    """

    def __init__(self, parameters: Mapping[str, nn.Parameter]) -> None:
        self._parameters = parameters
        self._mean: Copies = {}
        self.weight = 0.0

    @torch.no_grad()
    def add(self, keep: float, weight: float) -> None:
        """Let the weights w as they stand enter: ``mean += weight / (keep * W + weight) * (w - mean)``.

        W is the weight collected so far.

        Args:
            keep: Factor of the weight collected so far; 0 begins a new average.
            weight: Weight of what enters, above 0.
        """
        kept = keep * self.weight
        self.weight = kept + weight
        if kept == 0.0:
            self._mean = copies_like(self._parameters, self._parameters)
        for name, mean in self._mean.items():
            mean.lerp_(self._parameters[name], weight / self.weight)

    @torch.no_grad()
    def adopt(self, factor: float) -> None:
        """Copy ``factor`` times the average into the parameters, in place, and drop it."""
        for name, mean in self._mean.items():
            self._parameters[name].copy_(mean.mul_(factor))
        self._mean, self.weight = {}, 0.0

    def capture(self) -> dict[str, Any] | None:
        """Return the total weight, and the mean as copies on the CPU; None where there is no average."""
        return {"weight": self.weight, "mean": to_cpu(self._mean)} if self._mean else None

    def restore(self, state: Mapping[str, Any] | None) -> None:
        """Take up what `capture` returned; what is passed is copied."""
        self._mean, self.weight = {}, 0.0
        if state is not None:
            self._mean, self.weight = copies_like(self._parameters, state["mean"]), state["weight"]


@torch.no_grad()
def recompute_batchnorm(model: nn.Module, batches: Iterable[Tensor]) -> None:
    """Compute the running statistics of all BatchNorm layers anew, as means over batches, each counted alike.

    As ``torch.optim.swa_utils.update_bn``: the statistics are reset and gathered in training mode without a gradient.
    Modes and momenta of the layers are put back. A model without running statistics is left alone.

    Args:
        model: Its parameters stay as they are.
        batches: Inputs of the model, on its device.

    Raises:
        DataError: There are no batches; nothing was changed.
    """
    layers = _running(model)
    if not layers:
        return
    stream = iter(batches)
    first = next(stream, None)
    if first is None:
        raise DataError(
            f"the statistics of {len(layers)} BatchNorm layers must be computed anew from at least one batch, "
            "got none: pass the batches of a training epoch."
        )
    modes = [(module, module.training) for module in model.modules()]
    with _momentum(layers, None):
        for layer in layers:
            layer.reset_running_stats()
        model.train()
        for batch in chain((first,), stream):
            model(batch)
    for module, training in modes:
        module.training = training


@contextmanager
def held_statistics(model: nn.Module) -> Iterator[None]:
    """Keep the running statistics of BatchNorm as they are inside the block, in training mode too."""
    with _momentum(_running(model), 0.0):
        yield


def _running(model: nn.Module) -> list[_BatchNorm]:
    return [module for module in model.modules() if isinstance(module, _BatchNorm) and module.running_mean is not None]


@contextmanager
def _momentum(layers: list[_BatchNorm], momentum: float | None) -> Iterator[None]:
    before = [layer.momentum for layer in layers]
    try:
        for layer in layers:
            layer.momentum = momentum
        yield
    finally:
        for layer, value in zip(layers, before, strict=True):
            layer.momentum = value
