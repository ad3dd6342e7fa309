"""Where a watcher stands: it is shown the moments of one training that it wants, and the time it takes is counted."""

import time
from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from tune_regimes.schedule import Settings
from tune_regimes.tasks import Task
from tune_regimes.training.batches import DeviceData
from tune_regimes.training.moment import Ahead, Moment, Reading, Record, Watcher


class Lookout:
    """Shows one training to a watcher; without one it does nothing.

    Args:
        watcher: Who looks.
        task: What is trained.
        data: Its data on the device.
        model: Its model.
        velocity: The momentum buffers of SGD as they stand.
        seed: Seed of the training.
        device: Where the model is.
        ahead: The weights after epochs of this training, for a watcher that asks for them.

    Attributes:
        readings: What was seen in the last epoch.
        seconds: How long the watcher looked in the epoch in progress, before its end.
    """

    def __init__(
        self,
        watcher: Watcher | None,
        task: Task,
        data: DeviceData,
        model: nn.Module,
        velocity: Callable[[], Mapping[str, Tensor]],
        seed: int,
        device: torch.device,
        ahead: Ahead,
    ) -> None:
        self.watcher = watcher
        self._task, self._data, self._model, self._velocity = task, data, model, velocity
        self._seed, self._device, self._ahead = seed, device, ahead
        self.readings: list[Reading] = []
        self.seconds = 0.0

    def after_step(self, settings: Settings, epoch: int, step: int) -> None:
        """A step of an epoch is made; both count from 1. The last step of an epoch is its end."""
        if self.watcher is not None and step < steps_of(self._task, settings) and self.watcher.wants(epoch, step):
            began = time.perf_counter()
            self._look(self.watcher, settings, epoch, step)
            self.seconds += time.perf_counter() - began

    def after_epoch(self, settings: Settings, epoch: int) -> Record:
        """An epoch is over: what the watcher adds to its record."""
        if self.watcher is None:
            return {}
        self.seconds = 0.0
        if self.watcher.wants(epoch, None):
            self._look(self.watcher, settings, epoch, steps_of(self._task, settings))
        record, self.readings = self.watcher.finished(epoch)
        return record

    def _look(self, watcher: Watcher, settings: Settings, epoch: int, step: int) -> None:
        watcher.look(
            Moment(
                task=self._task,
                data=self._data,
                model=self._model,
                settings=settings,
                epoch=epoch,
                step=step,
                steps_per_epoch=self._task.steps_per_epoch,
                seed=self._seed,
                device=self._device,
                velocity=self._velocity(),
                ahead=self._ahead,
            )
        )


def steps_of(task: Task, settings: Settings) -> int:
    """Optimizer steps of an epoch under some settings; a last, smaller group of batches is a step too."""
    return -(-task.steps_per_epoch // settings.batches_per_step)
