"""One training, advanced epoch by epoch: a pure function of the task, the seed and the settings of its epochs."""

import hashlib
import math
import time
from contextlib import nullcontext
from itertools import islice
from typing import Any

import torch
from torch import Tensor, nn

from tune_regimes._version import VERSION
from tune_regimes.errors import ResourceError, ScheduleError
from tune_regimes.schedule import Settings
from tune_regimes.schedule.settings import PER_STEP
from tune_regimes.tasks import Task
from tune_regimes.training.averaging import WeightAverage, held_statistics, recompute_batchnorm
from tune_regimes.training.batches import device_data
from tune_regimes.training.exhaustion import enough_memory, remedy_for
from tune_regimes.training.lookout import Lookout, steps_of
from tune_regimes.training.means import Means
from tune_regimes.training.memory import keep_freed_memory
from tune_regimes.training.moment import NOTHING_AHEAD, Ahead, Reading, Record, Watcher
from tune_regimes.training.numerics import Numerics
from tune_regimes.training.objective import Objective
from tune_regimes.training.observables import WeightObserver, to_cpu
from tune_regimes.training.optimizers import ScheduledOptimizer
from tune_regimes.training.randomness import global_stream
from tune_regimes.training.state import State

CPU = torch.device("cpu")


class Trajectory:
    """One training of a task.

    The order of the data, crops, flips and dropout of an epoch come from the seed and the number of the epoch alone,
    and the initial weights from the seed, or from the task's ``init_seed``. So n epochs, captured, restored elsewhere
    and continued for m more, equal n + m epochs: on a CPU bit for bit, given the same versions, kind of processor and
    number of threads.

    Args:
        task: what is trained. Trajectories of one task object share its data on the device.
        seed: decides everything random, but for the initial weights where the task has a seed for these.
        device: "cpu", "cuda" or "cuda:<index>".
        numerics: data type, threads and determinism.
        watcher: looks at the training as it goes, and adds to its records; None for nobody.
        ahead: the weights after epochs of this very training by epoch, for a watcher that asks for them.

    Raises:
        ResourceError: there is no such device, or the data does not fit its memory.
        UsageError: the numerics do not go with the device.

    Attributes:
        epoch: epochs completed.
        steps_per_epoch: batches in an epoch, each of them a step unless ``batches_per_step`` says otherwise; the last,
            partial batch is dropped.
        diverged: whether an epoch ended with a loss or parameters that are not finite. There is no way on from there.
    """

    def __init__(
        self,
        task: Task,
        *,
        seed: int,
        device: str = "cpu",
        numerics: Numerics = Numerics(),  # noqa: B008
        watcher: Watcher | None = None,
        ahead: Ahead = NOTHING_AHEAD,
    ) -> None:
        self._task, self._seed, self._device = task, seed, _device(device)
        self._numerics = numerics.resolved(self._device)
        if self._device.type == "cpu":
            keep_freed_memory()
        with enough_memory(self._device, "train_size", len(task.data.train), "choose a smaller one"):
            self._data = device_data(task, self._device)
        with global_stream(CPU, seed if task.init_seed is None else task.init_seed, "init"):
            self._model = _placed(task.model(), self._device)
        self._forward = torch.compile(self._model) if numerics.compile else self._model
        self._optimizer = ScheduledOptimizer(self._model, task.loss)
        trained = {name: p for name, p in self._model.named_parameters() if p.requires_grad}
        self._average, self._observer = WeightAverage(trained), WeightObserver(trained)
        self.steps_per_epoch = task.steps_per_epoch
        self._lookout = Lookout(
            watcher, task, self._data, self._model, self._optimizer.velocity, seed, self._device, ahead
        )
        self.epoch, self.diverged = 0, False

    @property
    def model(self) -> nn.Module:
        """The model, for reading: what is changed in it is no longer a function of the settings."""
        return self._model

    @property
    def readings(self) -> list[Reading]:
        """What the watcher saw in the last epoch."""
        return self._lookout.readings

    def advance(self, settings: Settings) -> Record:
        """Train one epoch, evaluate, and return what was measured.

        Args:
            settings: what to apply; values given per step must be as many as the epoch has steps.

        Returns:
            ``train_loss`` and ``train_<metric>``: means over the batches of the epoch, each measured before its step,
            in training mode. ``test_loss`` and ``test_<metric>``: means over all test examples after the epoch; NaN
            where it diverged. ``steps``: optimizer steps of the epoch. ``weight_norm``: L2 norm of all trained
            parameters after it. ``angular_velocity``: degrees between its displacement and that of the epoch before,
            NaN for the first epoch; a displacement goes from the weights before the first step, an average that was
            adopted included, to those after the last. ``seconds``: wall time of training and evaluation. And what the
            watcher adds.

        Raises:
            ResourceError: a batch does not fit the memory.
            ScheduleError: values per step of another number than the epoch has steps, or an average is to be adopted
                where none was collected.
            RuntimeError: the trajectory has diverged.
        """
        if self.diverged:
            raise RuntimeError(f"a diverged trajectory cannot advance; it ended with epoch {self.epoch}.")
        self._check(settings)
        started = time.perf_counter()
        with self._numerics.applied(self._device), self._randomness():
            record, observed = self._epoch(settings)
            finite = math.isfinite(record["train_loss"]) and math.isfinite(observed["weight_norm"])
            tested = self._tested() if finite else None
            seconds = time.perf_counter() - started - self._lookout.seconds
            watched = self._lookout.after_epoch(settings, self.epoch + 1)
        self.epoch += 1
        self.diverged = tested is None or not math.isfinite(tested["test_loss"])
        if tested is None or self.diverged:
            tested = {name.replace("train", "test", 1): math.nan for name in record}
        return record | tested | observed | {"seconds": seconds} | watched

    def capture(self) -> State:
        """Return the state as copies on the CPU.

        That is epoch, weights and buffers of the model, buffers of the optimizer, the weights at the start of the last
        epoch, and the running average of the weights where one is collected.
        """
        return {
            "epoch": self.epoch,
            "diverged": self.diverged,
            "model": to_cpu(self._model.state_dict()),
            "optimizer": self._optimizer.capture(),
            "start": self._observer.capture(),
            "average": self._average.capture(),
        }

    def restore(self, state: State) -> None:
        """Take up a captured state of the same task, on whatever device; what is passed is copied."""
        self._model.load_state_dict(state["model"])
        self._optimizer.restore(state["optimizer"])
        self._observer.restore(state["start"])
        self._average.restore(state["average"])
        self.epoch, self.diverged = state["epoch"], state["diverged"]

    def identity(self) -> dict[str, Any]:
        """Return, as JSON values, all that decides the training next to its settings: what the root key is made of.

        The model enters with its structure (modules and the shapes of its parameters), next to the task's own identity.
        """
        return {
            "task": self._task.identity(),
            "model": _structure(self._model),
            "seed": self._seed,
            "numerics": self._numerics.identity(self._device),
            "torch": torch.__version__,
            "tune_regimes": VERSION,
            **({} if (watcher := self._lookout.watcher) is None else {"probes": watcher.identity()}),
        }

    def _check(self, settings: Settings) -> None:
        for name in PER_STEP:
            value = getattr(settings, name)
            if isinstance(value, tuple) and len(value) != self.steps_per_epoch:
                raise ScheduleError(
                    f"{name} must have one value or one for each of the {self.steps_per_epoch} steps of an epoch, "
                    f"got {len(value)}; resolve the schedule with steps_per_epoch={self.steps_per_epoch}."
                )
        if settings.adopt > 0 and settings.average is None and self._average.weight == 0:
            raise ScheduleError(
                f"an average must be collected before it is adopted: received adopt={settings.adopt} in epoch "
                f"{self.epoch + 1} and none so far; let the weights enter one, as average=(0, 1) in an epoch before."
            )

    def _randomness(self) -> Any:
        return global_stream(self._device, self._seed, "epoch", self.epoch, "dropout")

    def _epoch(self, settings: Settings) -> tuple[Record, Record]:
        """Train an epoch; what was measured on its batches, and what was observed of the weights."""
        with enough_memory(self._device, "batch_size", self._task.batch_size, remedy_for(settings)):
            self._observer.begin()
            if settings.average is not None:
                self._average.add(*settings.average)
            if settings.adopt > 0:
                self._adopt(settings.adopt)
            # Without a step of any size the statistics stay what they were computed to be for the average.
            still = settings.adopt > 0 and settings.lr == 0.0
            with held_statistics(self._model) if still else nullcontext():
                record = self._train(settings)
        return record, {"steps": steps_of(self._task, settings), **self._observer.end()}

    def _adopt(self, factor: float) -> None:
        """Let the average take the place of the weights, with statistics of BatchNorm from the batches of the epoch."""
        self._average.adopt(factor)
        self._observer.moved()
        inputs = (batch for batch, _ in self._data.train(self._seed, self.epoch))
        stream = global_stream(self._device, self._seed, "epoch", self.epoch, "statistics")
        with stream, self._numerics.autocast(self._device):
            recompute_batchnorm(self._model, inputs)

    def _train(self, settings: Settings) -> Record:
        self._model.train()
        self._optimizer.enter(settings)
        means = Means("train", self._task.metrics)
        batches, group = self._data.train(self._seed, self.epoch), settings.batches_per_step
        for step, first in enumerate(range(0, self.steps_per_epoch, group), 1):
            size = min(group, self.steps_per_epoch - first)
            self._optimizer.step(first, Objective(islice(batches, size), size, self._outputs, means.add))
            self._lookout.after_step(settings, self.epoch + 1, step)
        return means.result()

    def _tested(self) -> Record:
        with enough_memory(self._device, "eval_batch_size", self._task.eval_batch_size, "choose a smaller one"):
            return self._evaluate()

    @torch.no_grad()
    def _evaluate(self) -> Record:
        self._model.eval()
        means = Means("test", self._task.metrics)
        for inputs, targets in self._data.test():
            outputs, loss = self._outputs(inputs, targets)
            means.add(loss, outputs, targets)
        return means.result()

    def _outputs(self, inputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        with self._numerics.autocast(self._device):
            outputs = self._forward(inputs)
            return outputs, self._task.loss(outputs, targets)


def _device(name: str) -> torch.device:
    kind, _, index = name.partition(":")
    if kind not in ("cpu", "cuda") or not (index.isdigit() or index == ""):
        raise ResourceError(f"device must be 'cpu', 'cuda' or 'cuda:<index>', got {name!r}.")
    return torch.device(name)


def _placed(model: nn.Module, device: torch.device) -> nn.Module:
    """Put a model on the device; one with convolutions in channels_last order, as the batches are."""
    convolves = any(isinstance(module, nn.Conv2d) for module in model.modules())
    return model.to(device).to(memory_format=torch.channels_last) if convolves else model.to(device)


def _structure(model: nn.Module) -> str:
    shapes = [(name, tuple(value.shape), str(value.dtype)) for name, value in model.state_dict().items()]
    return hashlib.blake2b(repr((repr(model), shapes)).encode(), digest_size=16).hexdigest()
