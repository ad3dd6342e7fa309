"""Means of loss and metrics over batches, gathered on the device and read once."""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor


class Means:
    """Means over the examples of several batches.

    Nothing is read back from the device before `result`, so that a GPU never waits for the CPU in between.

    Args:
        split: "train" or "test", the first part of the names.
        metrics: functions of (outputs, targets) that give the mean over a batch, by name.
    """

    def __init__(self, split: str, metrics: Mapping[str, Callable[[Tensor, Tensor], Tensor]]) -> None:
        self._names = [f"{split}_{name}" for name in ("loss", *metrics)]
        self._metrics = tuple(metrics.values())
        self._batches: list[Tensor] = []
        self._sizes: list[int] = []

    @torch.no_grad()
    def add(self, loss: Tensor, outputs: Tensor, targets: Tensor) -> None:
        """Add a batch: its mean loss, and outputs and targets for the metrics."""
        values = [loss, *(metric(outputs, targets) for metric in self._metrics)]
        self._batches.append(torch.stack([value.detach().float() for value in values]))
        self._sizes.append(len(targets))

    def result(self) -> dict[str, float]:
        """Return the means, each batch weighted by its size; summed in float64."""
        values = torch.stack(self._batches).double().cpu()
        weights = torch.tensor(self._sizes, dtype=torch.float64)
        means: list[float] = (weights @ values / weights.sum()).tolist()
        return dict(zip(self._names, means, strict=True))
