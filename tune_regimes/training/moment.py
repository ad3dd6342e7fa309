"""A training as a probe sees it: between two steps, for reading only."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from tune_regimes.schedule import Settings
from tune_regimes.tasks import Task
from tune_regimes.training.batches import Batch, DeviceData

Record = dict[str, float]
Reading = dict[str, Any]
"""One measurement as JSON values: ``step`` of the epoch, ``values`` by column, ``spectra`` by name."""
Vectors = Mapping[str, Tensor]
"""A vector of the size of the weights, by name of parameter."""
Ahead = Mapping[int, Vectors]
"""Weights after epochs, by epoch."""
NOTHING_AHEAD: Ahead = MappingProxyType({})


@dataclass(frozen=True)
class Moment:
    """Where a training stands after a step.

    Attributes:
        task: What is trained.
        data: Its data on the device.
        model: The model; who looks at it leaves it as it was.
        settings: What the epoch was told.
        epoch: The epoch in progress or just completed, from 1.
        step: Optimizer steps completed in it.
        steps_per_epoch: Batches in an epoch.
        seed: Seed of the training.
        device: Where the model is.
        velocity: The momentum buffers g of SGD by name of parameter, ``g <- momentum * g + gradient``, as they stand;
            empty where there are none.
        ahead: The weights after epochs of this training, those to come included, by epoch and by name of parameter:
            those that a watcher asks for; none where the training diverges.
    """

    task: Task
    data: DeviceData
    model: nn.Module
    settings: Settings
    epoch: int
    step: int
    steps_per_epoch: int
    seed: int
    device: torch.device
    velocity: Vectors
    ahead: Ahead = field(default_factory=dict)

    @property
    def batch_size(self) -> int:
        """Examples in a batch of the training."""
        return self.task.batch_size

    @property
    def train_count(self) -> int:
        """Examples in the training set."""
        return len(self.task.data.train)

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """The task's mean loss of a batch."""
        return self.task.loss(outputs, targets)

    def examples(self, rows: Tensor) -> Batch:
        """Training examples by number, int64 [B], without crop and flip."""
        return self.data.examples(rows.to(self.device))

    def train(self) -> Iterator[Batch]:
        """The training batches of the epoch anew: as shuffled, cropped and flipped in it."""
        return self.data.train(self.seed, self.epoch - 1)

    def test(self) -> Iterator[Batch]:
        """All of the test set in its own order."""
        return self.data.test()


class Watcher(Protocol):
    """What looks at a training as it goes; it changes nothing in it.

    The numbers that it adds to a record are part of what is stored under a key, so that `identity` enters the root key.
    """

    def identity(self) -> list[dict[str, Any]]:
        """What is watched, as JSON values."""

    def wants(self, epoch: int, step: int | None) -> bool:
        """Whether it looks after a step of an epoch in progress, or after the epoch where the step is None."""

    def look(self, moment: Moment) -> None:
        """Look at the training after a step or an epoch."""

    def finished(self, epoch: int) -> tuple[Record, list[Reading]]:
        """An epoch is over: its columns, and every reading of it."""
